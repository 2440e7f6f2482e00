# Segments through dumps, also parallel ones, and through a kill -9 at each step of a
# switch. The library is not preloaded: all of it works without a worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('segments', preload => 0, keyring => undef,
	conf => "max_prepared_transactions = 5\nrestart_after_crash = on\n");

sub switch
{
	my ($database, $patience) = @_;

	return $node->safe_psql($database, "SET client_min_messages = warning; CALL steward.switch_segment('" . ($patience // '1 minute') . "')");
}

# ---- what a dump brings back ----

$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', q{
	CREATE EXTENSION pg_steward;
	CREATE TABLE customer (id integer PRIMARY KEY, name text);
	CREATE TABLE line ("order" uuid, line smallint, what text, PRIMARY KEY ("order", line));
	SELECT steward.enable_audit('customer'), steward.enable_audit('line');
	INSERT INTO customer SELECT n, 'customer ' || n FROM generate_series(1, 3000) AS n;
	INSERT INTO line SELECT md5(n::text)::uuid, n % 5, 'thing' FROM generate_series(1, 1000) AS n});
is(switch('shop'), '2|0', 'a second segment');
$node->safe_psql('shop', q{UPDATE customer SET name = 'changed' WHERE id % 3 = 0; DELETE FROM line WHERE line = 3});
is(switch('shop'), '3|0', 'a third one');
$node->safe_psql('shop', q{ALTER TABLE customer RENAME name TO title; UPDATE customer SET title = 'again' WHERE id % 4 = 0});

my $digest = q{SELECT (SELECT md5(string_agg(l::text, ',' ORDER BY segment, xid, first_seq)) FROM steward.audit_log AS l WHERE incarnation = 1),
	(SELECT string_agg(s::text, ',' ORDER BY number) FROM steward.audit_segment AS s),
	(SELECT string_agg(s::text, ',' ORDER BY number) FROM steward.audit_segment_closed AS s)};
# Does the index find what reading finds? Tables have other oids after a dump.
my $lookups = q{
	SET enable_seqscan = off;
	SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
			SELECT FROM (SELECT l.xid, l.first_seq, l.records FROM steward.audit_log AS l
				WHERE steward.audit_keys(l.batch, l.first_seq, l.xid) && steward.audit_key_hash(s.relation, d.key) OFFSET 0) AS f
			WHERE f.xid = r.xid AND r.seq BETWEEN f.first_seq AND f.first_seq + f.records - 1))
	FROM steward.audit_record AS r JOIN steward.audit_schema AS s ON s.id = r.schema_version
	CROSS JOIN steward.audit_decode(r.schema_version, r.op, r.payload) AS d
	WHERE r.op IN ('I', 'U', 'D') AND r.seq % 10 = 0};
# Of the batches in the index, those that it could not read.
my $unread = q{SET enable_seqscan = off; SELECT count(*) > 0 FROM steward.audit_log_1 WHERE steward.audit_keys(batch, first_seq, xid) && '{0}'};
my $expected = $node->safe_psql('shop', $digest);
my $lookup = $node->safe_psql('shop', $lookups);
like($lookup, qr/^\d\d\d\|0$/, 'the index misses nothing');

my $path = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-d', $node->connstr('shop'), '-Fd', '-f', "$path/directory" ], 'dump');
$node->command_ok([ 'pg_dump', '-d', $node->connstr('shop'), '-f', "$path/plain.sql" ], 'plain dump');
my ($list) = run_command([ 'pg_restore', '-l', "$path/directory" ]);

# Everything that is indexed, before the schema versions are there.
my ($schema) = $list =~ /^(.* TABLE DATA steward audit_schema .*)$/m;
$list =~ s/^\Q$schema\E\n//m;
append_to_file("$path/list", "$list\n$schema\n");

my %ways = (
	plain => [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$path/plain.sql" ],
	parallel => [ 'pg_restore', '--exit-on-error', '-j', '3', "$path/directory" ],
	unlucky => [ 'pg_restore', '--exit-on-error', '-L', "$path/list", "$path/directory" ]);
for my $way (sort keys %ways)
{
	$node->safe_psql('postgres', "CREATE DATABASE $way");
	$node->command_ok([ @{ $ways{$way} }, '-d', $node->connstr($way) ], "$way: the restore");
	is($node->safe_psql($way, $digest), $expected, "$way: the segments are the same");
	is($node->safe_psql($way, $lookups), $lookup, "$way: the index misses nothing");
	is($node->safe_psql($way, $unread), 't', "$way: the index was made too early") if $way eq 'unlucky';
	is($node->safe_psql($way, $unread), 'f', "$way: the index is good") if $way eq 'plain';
	like(steward_error($node, 'DROP TABLE steward.audit_log_2', database => $way), qr/it is a segment of the audit log/, "$way: segments stay");
	$node->safe_psql($way, q{UPDATE customer SET title = 'new life' WHERE id = 1});
	is(switch($way), '4|0', "$way: another segment follows");
	is($node->safe_psql($way, $unread), 'f', "$way: the index is good afterwards");
	is($node->safe_psql($way, $lookups), $lookup, "$way: and misses nothing");
}
is($node->safe_psql('unlucky', q{SELECT count(*) FROM steward.audit_log_1 WHERE steward.audit_keys(batch, first_seq, xid) && '{0}'}), '0', 'as reading says');

# ---- kill -9 ----

# A switch that waits for what the blocker has locked, and its end.
sub killed
{
	my ($lock, $what) = @_;
	my $blocker = steward_session($node, 'shop');

	$blocker->query("BEGIN; $lock");
	my ($in, $out, $err) = ('', '', '');
	my $call = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('shop'), '-c', q{CALL steward.switch_segment()} ],
		'<', \$in, '>', \$out, '2>', \$err);
	$node->poll_query_until('shop', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^CALL' AND wait_event_type IN ('Lock', 'Extension')})
	  or die "$what: it does not wait";
	my $offset = -s $node->logfile;
	kill 'KILL', $node->safe_psql('shop', q{SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL'});
	$call->finish;
	eval { $blocker->quit };
	$node->wait_for_log(qr/database system is ready to accept connections/, $offset);
	return;
}

# Every segment has all that it needs, and none is there that should not be.
sub whole
{
	my ($segments, $unclosed, $what) = @_;

	is( $node->safe_psql('shop', q{
		SELECT (SELECT count(*) FROM steward.audit_segment),
			(SELECT count(*) FROM pg_class WHERE relname ~ '^audit_log_\d+$' AND relispartition),
			(SELECT count(*) FROM pg_class WHERE relname ~ '^audit_log_\d+$'),
			(SELECT count(*) FROM pg_class WHERE relname ~ '^audit_log_\d+_keys_idx$'),
			(SELECT count(*) FROM steward.audit_segment_closed)}),
		join('|', ($segments) x 3, ($segments - 1 - $unclosed) x 2), $what);
	return;
}

$node->safe_psql('shop', q{INSERT INTO customer VALUES (10000)});
killed('LOCK TABLE ONLY steward.audit_log IN SHARE UPDATE EXCLUSIVE MODE', 'making the segment');
whole(3, 0, 'kill -9 while a segment is made: as if nothing had been');
is(switch('shop'), '4|0', 'the next call makes it');
whole(4, 0, 'and all is whole');

$node->safe_psql('shop', q{INSERT INTO customer VALUES (10001)});
$node->safe_psql('shop', q{BEGIN; INSERT INTO customer VALUES (10002); PREPARE TRANSACTION 'open'});
killed('SELECT 1', 'waiting for a prepared transaction');
whole(5, 1, 'kill -9 while it waits for writers: the new segment is there');
is($node->safe_psql('shop', q{SELECT to_regclass('steward.audit_log_5') IS NOT NULL}), 't', 'and is written');
$node->safe_psql('shop', q{INSERT INTO customer VALUES (10003)});
is(switch('shop', '0'), '6|1', 'the prepared transaction is still there: its segment stays open, and writers go on');
my ($status, $out, $error) = $node->psql('shop', q{CALL steward.switch_segment('0')});
like($error, qr/NOTICE:  segment 4 of the audit log is not closed yet: a transaction that wrote it has not ended/, 'which is said');
$node->safe_psql('shop', q{COMMIT PREPARED 'open'});
is(switch('shop'), '6|0', 'closed when it has ended');
whole(6, 0, 'and all is whole');
is($node->safe_psql('shop', q{SELECT string_agg(concat_ws(' ', r.segment, d.key), ', ' ORDER BY d.key) FROM steward.audit_record AS r
	CROSS JOIN steward.audit_decode(r.schema_version, r.op, r.payload) AS d WHERE r.op = 'I' AND d.key->'id' > '9999'}),
	'3 {"id": 10000}, 4 {"id": 10001}, 4 {"id": 10002}, 5 {"id": 10003}', 'each record is where it belongs');

$node->safe_psql('shop', q{INSERT INTO customer VALUES (10004)});
killed('LOCK TABLE steward.audit_segment_closed IN SHARE MODE', 'closing');
whole(7, 1, 'kill -9 while it makes the index: the segment is not closed');
is(switch('shop'), '7|0', 'the next call makes it');
whole(7, 0, 'and all is whole');

$node->stop;
done_testing();
