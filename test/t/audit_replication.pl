# Changes that logical replication applies are recorded too, with their origin; the
# log itself can be published;
# and a first enabling that is rolled back, or raced, leaves one whole log.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->append_conf('postgresql.conf', "max_prepared_transactions = 10\nlogical_decoding_work_mem = 64kB");
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->append_conf('postgresql.conf', "max_prepared_transactions = 10\nshared_preload_libraries = 'pg_steward'");
$subscriber->start;

# Rolled back: no segment, no trigger, no memory of either.
$subscriber->safe_psql('postgres', 'CREATE EXTENSION pg_steward');
is( $subscriber->safe_psql('postgres', <<'SQL'),
CREATE TABLE first (id integer PRIMARY KEY);
BEGIN;
SELECT FROM steward.enable_audit('first');
INSERT INTO first VALUES (1);
ROLLBACK;
INSERT INTO first VALUES (2);
SELECT FROM steward.enable_audit('first');
INSERT INTO first VALUES (3);
SELECT string_agg(operation || coalesce(key->>'id', ''), ' ' ORDER BY xid, seq) FROM steward.audit_trail;
SQL
	'ENABLE INSERT3', 'a first enabling that is rolled back leaves nothing');

# Raced: the second waits for the first and finds its segment.
$subscriber->safe_psql('postgres', 'CREATE DATABASE raced');
$subscriber->safe_psql('raced', 'CREATE EXTENSION pg_steward; CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer PRIMARY KEY)');
my @racers;
my @outputs;
foreach my $table ('a', 'b')
{
	my ($out, $err) = ('', '');
	push @outputs, \$err;
	push @racers,
	  IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $subscriber->connstr('raced'),
			'-c', "BEGIN; SELECT steward.enable_audit('$table'); SELECT pg_sleep(1); INSERT INTO $table VALUES (1); COMMIT" ],
		'<', '/dev/null', '>', \$out, '2>', \$err);
}
$_->finish for @racers;
is(join('', map { $$_ } @outputs), '', 'two first enablings at once both succeed');
is( $subscriber->safe_psql('raced',
		"SELECT (SELECT count(*) FROM steward.audit_segment), (SELECT count(*) FROM steward.audit_incarnation), (SELECT count(*) FROM steward.audit_trail WHERE operation = 'INSERT')"),
	'1|1|2', 'and share one segment and one incarnation');

# Replicated: insert, update, delete and truncate.
my $ddl = 'CREATE TABLE replicated (id integer PRIMARY KEY, v text)';
$publisher->safe_psql('postgres', $ddl);
$publisher->safe_psql('postgres', "INSERT INTO replicated VALUES (1, 'copied'); CREATE PUBLICATION p FOR TABLE replicated");
$subscriber->safe_psql('postgres', $ddl);
$subscriber->safe_psql('postgres', "SELECT steward.enable_audit('replicated')");
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$connection' PUBLICATION p");
$subscriber->wait_for_subscription_sync($publisher, 's');
$publisher->safe_psql('postgres', <<'SQL');
INSERT INTO replicated VALUES (2, repeat('large', 5000));
UPDATE replicated SET v = 'changed' WHERE id = 1;
DELETE FROM replicated WHERE id = 2;
TRUNCATE replicated;
INSERT INTO replicated VALUES (3, 'last');
SQL
$publisher->wait_for_catchup('s');
is( $subscriber->safe_psql('postgres',
		"SELECT string_agg(operation || coalesce(key->>'id', ''), ' ' ORDER BY written_at, xid, seq) FROM steward.audit_trail WHERE relation = 'public.replicated'"),
	'ENABLE INSERT1 INSERT2 UPDATE1 DELETE2 TRUNCATE INSERT3',
	'what replication applies is recorded');
is( $subscriber->safe_psql('postgres',
		"SELECT bool_and(replication_origin LIKE 'pg\\_%'), bool_and(login_role = current_user) FROM steward.audit_trail WHERE relation = 'public.replicated' AND operation <> 'ENABLE'"),
	't|t', 'with its origin and its role');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');

# Onto a partitioned table: rows move, large values stay, transactions are streamed
# while they run, rolled back in part, or prepared. A context is not asked for: it
# would be the publisher's.
my $moved = 'CREATE TABLE moved (id integer, region text, note text, big text, PRIMARY KEY (id, region))';
$publisher->safe_psql('postgres', "$moved; ALTER TABLE moved ALTER big SET STORAGE EXTERNAL; ALTER TABLE moved REPLICA IDENTITY FULL; CREATE PUBLICATION m FOR TABLE moved");
$subscriber->safe_psql('postgres', "$moved PARTITION BY LIST (region);
CREATE TABLE moved_a PARTITION OF moved FOR VALUES IN ('a');
CREATE TABLE moved_b PARTITION OF moved FOR VALUES IN ('b');
ALTER TABLE moved REPLICA IDENTITY FULL; ALTER TABLE moved_a REPLICA IDENTITY FULL; ALTER TABLE moved_b REPLICA IDENTITY FULL;
ALTER SYSTEM SET steward.require_context = 'actor'");
$subscriber->reload;
$subscriber->safe_psql('postgres', "SELECT steward.enable_audit('moved')");
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION m CONNECTION '$connection' PUBLICATION m WITH (streaming = on, two_phase = on)");
$subscriber->wait_for_subscription_sync($publisher, 'm');
my $of_moved = q{SELECT string_agg(concat(left(operation, 1), key->>'id', key->>'region'), ' ' ORDER BY written_at, xid, seq) FROM steward.audit_trail WHERE root = 'public.moved' AND operation <> 'ENABLE'};
$publisher->safe_psql('postgres', <<'SQL');
INSERT INTO moved VALUES (1, 'a', 'n', repeat('big', 5000));
UPDATE moved SET note = 'changed';
UPDATE moved SET region = 'b';
DELETE FROM moved;
SQL
$publisher->wait_for_catchup('m');
is($subscriber->safe_psql('postgres', $of_moved), 'I1a U1a D1a I1b D1b', 'applied to partitions, a row that moves is deleted and inserted');
is($subscriber->safe_psql('postgres', q{SELECT array_agg(k), bool_or(replication_origin IS NULL) FROM steward.audit_trail, jsonb_object_keys(new) AS k WHERE root = 'public.moved' AND operation = 'UPDATE'}),
	'{note}|f', 'a large value that stays is not recorded again');

$publisher->safe_psql('postgres', <<'SQL');
BEGIN;
INSERT INTO moved SELECT i, 'a', 'streamed', repeat('x', 500) FROM generate_series(1001, 1400) AS i;
SAVEPOINT a;
INSERT INTO moved SELECT i, 'a', 'lost', repeat('x', 500) FROM generate_series(2001, 2400) AS i;
ROLLBACK TO a;
INSERT INTO moved SELECT i, 'b', 'streamed', repeat('x', 500) FROM generate_series(3001, 3400) AS i;
COMMIT;
SQL
$publisher->wait_for_catchup('m');
is($publisher->safe_psql('postgres', q{SELECT stream_count > 0 FROM pg_stat_replication_slots WHERE slot_name = 'm'}), 't', 'a transaction is streamed');
is($subscriber->safe_psql('postgres', q{SELECT count(*), count(DISTINCT seq), count(DISTINCT xid), count(t.id), bool_or(new->>'note' = 'lost')
	FROM steward.audit_trail LEFT JOIN moved AS t ON t.id = (key->>'id')::integer AND t.region = key->>'region' WHERE root = 'public.moved' AND new->>'id' > '1'}),
	'800|800|1|800|f', 'and recorded, but for what it rolled back');

$publisher->safe_psql('postgres', q{BEGIN; INSERT INTO moved VALUES (5, 'a', 'prepared', 'x'); PREPARE TRANSACTION 'replicated'});
$publisher->wait_for_catchup('m');
is($subscriber->safe_psql('postgres', q{SELECT (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM steward.audit_trail WHERE new->>'note' = 'prepared')}),
	'1|0', 'a transaction that is prepared there is prepared here');
$subscriber->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_steward worker'}) or die 'the worker stays';
$publisher->safe_psql('postgres', q{COMMIT PREPARED 'replicated'});
$publisher->wait_for_catchup('m');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM steward.audit_trail WHERE new->>'note' = 'prepared'}), '1', 'and recorded when it is committed');
ok($subscriber->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM steward.audit_trail AS t, steward.ledger_block AS b
	WHERE t.new->>'note' = 'prepared' AND b.incarnation = t.incarnation AND pg_visible_in_snapshot(t.xid, b.snapshot::pg_snapshot))}), 'and sealed, though nothing else is written');

# The log is published: everything of it can be decoded, and arrives.
my $whole = q{SELECT count(*), max(length(batch)) > 100000, md5(string_agg(md5(concat(segment, xid, incarnation, first_seq, records, batch)), '' ORDER BY segment, xid, incarnation, first_seq)),
	(SELECT count(*) FROM steward.audit_context) FROM steward.audit_log};
$publisher->safe_psql('postgres', 'CREATE DATABASE archive');
$publisher->safe_psql('archive', q{CREATE SCHEMA steward;
CREATE TABLE steward.audit_log (segment integer, written_at timestamptz, xid xid8, incarnation integer, first_seq integer, records integer, batch bytea);
CREATE TABLE steward.audit_context (xid xid8, number integer, incarnation integer)});
$subscriber->safe_psql('postgres', q{CREATE PUBLICATION log FOR TABLE steward.audit_log, steward.audit_context (xid, number, incarnation) WITH (publish_via_partition_root = true)});
my $back = $subscriber->connstr . ' dbname=postgres';
$publisher->safe_psql('archive', "CREATE SUBSCRIPTION log CONNECTION '$back' PUBLICATION log");
$publisher->wait_for_subscription_sync($subscriber, 'log', 'archive');
$subscriber->safe_psql('postgres', <<'SQL');
SET steward.require_context = off;
SET steward.audit_buffer_size = '4kB';
BEGIN;
INSERT INTO moved SELECT i, 'a', 'published', md5(i::text) FROM generate_series(10001, 10400) AS i;
SAVEPOINT a;
INSERT INTO moved SELECT i, 'a', 'never', md5(i::text) FROM generate_series(20001, 20400) AS i;
ROLLBACK TO a;
INSERT INTO moved VALUES (30001, 'b', 'published', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 5000) AS i));
COMMIT;
CALL steward.switch_segment();
UPDATE moved SET note = 'in the next segment' WHERE id = 30001;
BEGIN;
DELETE FROM moved WHERE id BETWEEN 10001 AND 10100;
PREPARE TRANSACTION 'published';
COMMIT PREPARED 'published';
SQL
$subscriber->wait_for_catchup('log');
my $log = $subscriber->safe_psql('postgres', $whole);
like($log, qr/^\d+\|t\|/, 'there is a batch out of line');
is($publisher->safe_psql('archive', $whole), $log, 'a published log arrives as it is');
is($subscriber->safe_psql('postgres', 'SELECT * FROM steward.verify_ledger()'), '', 'and verifies at its origin');
$publisher->safe_psql('archive', 'DROP SUBSCRIPTION log');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION m; DROP PUBLICATION log');

# An update of the log itself that arrives by replication is refused.
$publisher->safe_psql('postgres', <<'SQL');
CREATE SCHEMA steward;
CREATE TABLE steward.audit_segment (number integer PRIMARY KEY, name text NOT NULL, opened_at timestamptz NOT NULL);
INSERT INTO steward.audit_segment VALUES (1, 'forged', now());
CREATE PUBLICATION forged FOR TABLE steward.audit_segment;
SQL
my $mark = -s $subscriber->logfile;
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION forged CONNECTION '$connection' PUBLICATION forged WITH (copy_data = false)");
$subscriber->wait_for_subscription_sync($publisher, 'forged');
$publisher->safe_psql('postgres', "UPDATE steward.audit_segment SET name = 'elsewhere'");
my $refused = 0;
for (1 .. 300)
{
	$refused = slurp_file($subscriber->logfile, $mark) =~ /audit table "audit_segment" is append-only/;
	last if $refused;
	select(undef, undef, undef, 0.1);
}
ok($refused, 'replication cannot change the log');
is($subscriber->safe_psql('postgres', 'SELECT name FROM steward.audit_segment WHERE number = 1'), 'audit_log_1', 'which is as it was');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION forged DISABLE');
$subscriber->stop;
$publisher->stop;
done_testing();
