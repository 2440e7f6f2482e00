# Encrypting a column of a live table: killed, cancelled and beside writers;
# afterwards every row is right and no plaintext is left where it must not be.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes ();

my $soak = $ENV{STEWARD_SOAK};
my $rows = $soak ? 200_000 : 12_000;
my $rounds = $soak ? 20 : 2;

my $keyring = steward_keyring();
my $node = steward_node('column', keyring => $keyring, conf => q{
restart_after_crash = on
fsync = on
autovacuum = off
log_min_error_statement = panic
log_statement = none});

# "address" holds the plaintext; "sum" what it is to be, for each row.
$node->safe_psql('postgres', qq{
SELECT steward.create_key('pii');
CREATE TABLE person (id int PRIMARY KEY, address text NOT NULL, sum text NOT NULL, note text);
CREATE FUNCTION plain(id int, turn int) RETURNS text LANGUAGE sql IMMUTABLE AS
	'SELECT ''Canary'' || ''Kv5 '' || id || '' '' || turn || repeat(''.'', id % 50)';
INSERT INTO person SELECT n, plain(n, 0), md5(plain(n, 0)) FROM generate_series(1, $rows) AS n;
UPDATE person SET address = plain(id, 0) || repeat('x', 9000), sum = md5(plain(id, 0) || repeat('x', 9000)) WHERE id % 1000 = 0;
VACUUM ANALYZE person;
});

# What writers do, without end; each statement keeps address and sum together.
my $script = steward_directory('bench') . '/write';
append_to_file($script, qq{
\\set id random(1, $rows)
\\set other random(1, $rows)
\\set turn random(1, 1000000)
\\set new random(1000000, 2000000000)
UPDATE person SET address = plain(:id, :turn), sum = md5(plain(:id, :turn)) WHERE id = :id;
UPDATE person SET note = 'n' WHERE id = :other;
INSERT INTO person (id, address, sum) VALUES (:new, plain(:new, 1), md5(plain(:new, 1))) ON CONFLICT DO NOTHING;
DELETE FROM person WHERE id = :new AND :new % 2 = 0;
});

my @writers;
my ($writer_in, $writer_out, $writer_err);

sub start_writers
{
	($writer_in, $writer_out, $writer_err) = ('', '', '');
	@writers = (IPC::Run::start(
		[ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c2', '-j2', '-T', '600',
			'--protocol=prepared', '-f', $script, 'postgres' ],
		'<', \$writer_in, '>', \$writer_out, '2>', \$writer_err));
	return;
}

sub stop_writers
{
	$_->signal('TERM'), $_->finish for @writers;
	@writers = ();
	return;
}

sub start_run
{
	my ($call) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $call ],
		'<', \$in, '>', \$out, '2>', \$err);

	return ($run, \$out, \$err);
}

sub run_pid
{
	return $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL' AND state = 'active'});
}

sub column_type
{
	return $node->safe_psql('postgres', q{SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = 'person'::regclass AND attname = 'address'});
}

# Rows whose address is not what it was written as, and what is left behind.
sub check_rows
{
	my ($what) = @_;

	is($node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE md5(address::text) IS DISTINCT FROM sum) FROM person}),
		'0', "$what: every row is what was written");
	return;
}

sub check_finished
{
	my ($what, $type) = @_;

	is(column_type(), $type, "$what: the column is $type");
	check_rows($what);
	is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM steward.column_conversion),
		(SELECT count(*) FROM pg_trigger WHERE tgrelid = 'person'::regclass),
		(SELECT count(*) FROM pg_attribute WHERE attrelid = 'person'::regclass AND attname ~ 'steward'),
		(SELECT attnotnull FROM pg_attribute WHERE attrelid = 'person'::regclass AND attname = 'address'),
		(SELECT count(*) FROM pg_constraint WHERE conrelid = 'person'::regclass AND contype = 'c')}),
		'0|0|0|t|0', "$what: and nothing else is left");
	return;
}

my $encrypt = q{CALL steward.encrypt_column_online('person', 'address', 'pii/address', batch_size => 2000)};
my $decrypt = q{CALL steward.decrypt_column_online('person', 'address', batch_size => 2000)};

# Ends runs at random moments in different ways, with writers beside them, until
# one comes through; there and back.
srand($ENV{STEWARD_SEED} // 7);
my %ended;
for my $round (1 .. $rounds)
{
	my ($call, $type) = $round % 2 ? ($encrypt, 'steward.encrypted_text') : ($decrypt, 'text');

	for my $try (0 .. 3)
	{
		my $way = (qw(kill cancel terminate stop))[ ($round + $try) % 4 ];

		# The first tries in small steps, so that they are far from their end; the
		# very first cannot end, for it has to wait for a row.
		my $small = $soak ? 200 : 5;
		my $holder;

		start_writers();
		my ($run) = start_run($try < 2 ? $call =~ s/2000/$small/r : $call);
		my $started = steward_poll(sub {
			return $node->safe_psql('postgres', q{SELECT count(*) FROM steward.column_conversion WHERE rows_done > 0}) || column_type() eq $type });
		ok($started, "round $round: the run has begun");
		if ($try == 0 && column_type() ne $type)
		{
			$holder = steward_session($node);
			$holder->query_safe(q{BEGIN; SELECT FROM person WHERE id = 11999 FOR UPDATE});
		}
		Time::HiRes::sleep(rand($soak ? 12 : $try < 2 ? 0.4 : 1));
		my $pid = run_pid();
		if ($way eq 'stop')
		{
			$node->stop('immediate');
		}
		elsif ($pid =~ /^\d+$/)
		{
			kill('KILL', $pid) if $way eq 'kill';
			$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)") if $way eq 'cancel';
			$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") if $way eq 'terminate';
		}
		if ($holder)
		{
			eval { $holder->quit };
		}
		$run->finish;
		if ($way eq 'stop')
		{
			stop_writers();
			$node->start;
		}
		elsif ($way eq 'kill' && $pid =~ /^\d+$/)
		{
			stop_writers();
			$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
		}
		stop_writers();
		$ended{ $node->safe_psql('postgres', q{SELECT phase FROM steward.column_conversion}) || 'complete' }++;
		check_rows("round $round, $way");
		last if column_type() eq $type;
	}
	start_writers();
	$node->safe_psql('postgres', $call) unless column_type() eq $type;
	stop_writers();
	check_finished("round $round", $type);
}
note "runs ended in: ", join(', ', map { "$_ $ended{$_}" } sort keys %ended);
ok(exists $ended{filling} || exists $ended{verifying}, 'runs were ended on their way');

# ---- what is left of the plaintext ----

sub table_holds
{
	my ($needle) = @_;
	my @files = split /\n/, $node->safe_psql('postgres', q{SELECT pg_relation_filepath(c) FROM pg_class AS p, unnest(ARRAY[p.oid, p.reltoastrelid]) AS c WHERE p.oid = 'person'::regclass});

	$node->safe_psql('postgres', 'CHECKPOINT');
	return scalar grep { steward_file_holds($node->data_dir . "/$_", $needle) } @files;
}

sub statistics_hold
{
	my $file = $node->safe_psql('postgres', q{SELECT pg_relation_filepath('pg_statistic')});
	my $toast = $node->safe_psql('postgres', q{SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'pg_statistic'});

	$node->safe_psql('postgres', 'CHECKPOINT');
	return scalar grep { steward_file_holds($node->data_dir . "/$_", 'CanaryKv5') } $file, $toast;
}

is(column_type(), 'text', 'the column is plaintext again');
$node->safe_psql('postgres', 'DELETE FROM person WHERE id > 2000; ALTER TABLE person ALTER address SET STATISTICS 5; VACUUM FULL person; ANALYZE person');
cmp_ok(table_holds('CanaryKv5'), '>', 0, 'before, the table holds plaintext');
cmp_ok(statistics_hold(), '>', 0, 'and so do statistics');
my ($code, $out, $err) = $node->psql('postgres', $encrypt);
like($err, qr/NOTICE: .*is encrypted.*old plaintext remains.*VACUUM FULL public\.person/s, 'the run says what is left');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stats WHERE tablename = 'person' AND attname = 'address'}), '0', 'the statistics are gone');
cmp_ok(table_holds('CanaryKv5'), '>', 0, 'the rows still hold the dropped column');
$node->safe_psql('postgres', 'VACUUM FULL person; VACUUM FULL pg_statistic; ANALYZE person');
is(table_holds('CanaryKv5'), 0, 'after VACUUM FULL neither table nor TOAST holds plaintext');
is(statistics_hold(), 0, 'nor do statistics');
check_rows('after VACUUM FULL');

# At once: the rewrite leaves nothing in the table.
$node->safe_psql('postgres', q{SELECT steward.decrypt_column('person', 'address')});
cmp_ok(table_holds('CanaryKv5'), '>', 0, 'decrypted, the table holds plaintext');
$node->safe_psql('postgres', q{SELECT steward.encrypt_column('person', 'address', 'pii/address'); VACUUM FULL pg_statistic});
is(table_holds('CanaryKv5'), 0, 'encrypted at once, it does not');
is(statistics_hold(), 0, 'nor do statistics');
check_rows('at once');

# ---- a dump in the midst of a conversion ----

$node->safe_psql('postgres', q{
CREATE TABLE half (gone int, id int, v text, w text);
ALTER TABLE half DROP COLUMN gone;
INSERT INTO half SELECT n, 'v' || n, 'w' || n FROM generate_series(1, 100) AS n;
CREATE INDEX half_v ON half (v);
CALL steward.encrypt_column_online('half', 'v', 'pii/v');
UPDATE half SET v = 'changed' WHERE id = 5});
my $dump = steward_directory('dump') . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ], 'restore');
is($node->safe_psql('restored', q{SELECT relation, "column", phase FROM steward.column_progress}), 'half|v|waiting for indexes', 'the conversion came along');
$node->safe_psql('restored', q{
UPDATE half SET v = 'changed there' WHERE id = 6;
CALL steward.encrypt_column_online('half', 'v', 'pii/v', build_indexes => true)});
is($node->safe_psql('restored', q{SELECT string_agg(v::text, ' ' ORDER BY id) FROM half WHERE id BETWEEN 4 AND 7}), 'v4 changed changed there v7', 'and was finished there');

# ---- audited tables: a batch changes nothing that a row says, as re-encryption; what comes holds ciphertext ----

$node->safe_psql('postgres', q{
CREATE TABLE watched (id int PRIMARY KEY, v text);
SELECT steward.enable_audit('watched');
INSERT INTO watched SELECT n, 'Canary' || 'Au6 ' || n FROM generate_series(1, 10) AS n;
CALL steward.encrypt_column_online('watched', 'v', 'pii/v');
UPDATE watched SET v = 'late' WHERE id = 1});
is($node->safe_psql('postgres', q{SELECT operation, count(*), count(*) FILTER (WHERE old::text ~ 'CanaryAu6' OR new::text ~ 'CanaryAu6')
	FROM steward.audit_trail WHERE relation = 'public.watched' AND operation IN ('INSERT', 'UPDATE') GROUP BY operation ORDER BY operation}),
	"INSERT|10|10\nUPDATE|1|0", 'the change is recorded, the batch is not, and no record holds new plaintext');

$node->stop;
done_testing();
