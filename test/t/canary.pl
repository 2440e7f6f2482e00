# Distinctive plaintexts go through every ordinary way in and out; afterwards
# neither the data directory, nor the WAL, nor a dump holds one, and the log
# holds only what users put into the text of their statements.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('main', keyring => $keyring, conf => q{
log_statement = none
log_min_error_statement = error
log_parameter_max_length_on_error = 0
log_duration = off
log_error_verbosity = default
wal_level = logical
work_mem = 64kB
log_temp_files = 0
wal_keep_size = '512MB'
full_page_writes = on}, init => { allows_streaming => 'logical' });
my $directory = steward_directory('input');
my $number = 0;

# A plaintext that occurs nowhere else. They all begin alike, which is what is
# searched for; in the log each has to be told from the others.
sub canary
{
	my ($name) = @_;

	return 'CanaryQx7' . sprintf('%04d', ++$number) . $name;
}

sub input_file
{
	my ($name, $text) = @_;

	append_to_file("$directory/$name", $text);
	return "$directory/$name";
}

$node->safe_psql(
	'postgres', q{
CREATE ROLE writer LOGIN;
CREATE ROLE reader LOGIN;
SELECT steward.create_key('pii');
SELECT steward.grant_key('pii', 'reader', 'decrypt');
CREATE TABLE t (id int, v steward.encrypted_text('pii/t.v'), w steward.encrypted_text('pii/t.w')[]);
CREATE UNIQUE INDEX t_v ON t (v steward.encrypted_unique_ops);
CREATE TABLE nokey (v steward.encrypted_text('absent/x'));
GRANT SELECT, INSERT, UPDATE ON t TO writer, reader;
GRANT INSERT ON nokey TO writer});

# ---- what succeeds ----

my $session = steward_session($node);

$session->query(sprintf q{INSERT INTO t VALUES (1, '%s')}, canary('literal'));
$session->query(sprintf q{INSERT INTO t VALUES (2, '%s'::text, ARRAY['%s', '%s']::text[])}, canary('cast'), canary('array'), canary('array'));
$session->query(sprintf q{PREPARE p(int, text, steward.encrypted_text) AS INSERT INTO t VALUES ($1, $2), ($1 + 1, $3)});
$session->query(sprintf q{EXECUTE p(%d, '%s', '%s')}, 10 * $_, canary('parameter'), canary('typed')) for 1 .. 8;
$session->query(sprintf q{UPDATE t SET v = '%s' WHERE id = 1}, canary('update'));
$session->query(sprintf q{BEGIN; UPDATE t SET v = '%s' WHERE id = 1; ROLLBACK}, canary('rolled'));
$session->query(sprintf q{INSERT INTO t VALUES (3, '%s') ON CONFLICT (v) DO NOTHING}, canary('conflict'));
$session->query(sprintf q{UPDATE t SET w = ARRAY['%s']::text[] WHERE id = 3}, canary('wide') x 4000);
my $copy = join '', map { (100 + $_) . "\t" . canary('copy') . "\n" } 1 .. 3000;
my $file = input_file('copy', $copy);
$session->query("\\copy t (id, v) from '$file'");
is($session->query('SELECT pg_catalog.count(*) FROM t WHERE v::text LIKE \'CanaryQx7%\''), 3000 + 19, 'the canaries are stored');

# Sorts and hashes that spill, statistics, plans, cursors, temporary tables.
$session->query(q{SET enable_hashagg = on; SELECT pg_catalog.count(DISTINCT v), pg_catalog.count(*) FROM t;
SELECT v FROM t ORDER BY v; SELECT v, pg_catalog.count(*) FROM t GROUP BY v;
SELECT pg_catalog.count(*) FROM t a JOIN t b ON a.v = b.v;
CREATE TEMP TABLE tt AS SELECT v FROM t; ANALYZE t; ANALYZE tt; VACUUM FULL t; REINDEX TABLE t;
SET steward.allow_unkeyed_ddl = on; CLUSTER t USING t_v; RESET steward.allow_unkeyed_ddl});
is($session->{stderr}, '', 'all of it succeeds');
$session->query(sprintf q{PREPARE q(text) AS SELECT id FROM t WHERE v = $1; EXPLAIN (ANALYZE, VERBOSE) EXECUTE q('%s')}, canary('explain'));
$session->query(q{SET plan_cache_mode = force_generic_plan});
my $plan = $session->query(sprintf q{EXPLAIN (ANALYZE, VERBOSE) EXECUTE q('%s')}, canary('generic'));
unlike($plan, qr/CanaryQx7/, 'a generic plan shows no parameter');
my $transient = $session->query(sprintf q{EXPLAIN (VERBOSE) SELECT id FROM t WHERE v = '%s'}, canary('transient'));
unlike($transient, qr/CanaryQx7/, 'nor does a plan show a constant of an encrypted type');

# By parameters of the protocol, as drivers send them.
my $bench = input_file('bench', qq{INSERT INTO t (id, v) VALUES (:n, :v)\n});
for my $mode ('extended', 'prepared')
{
	command_ok([ 'pgbench', '-h', $node->host, '-p', $node->port, '-n', '-t1', "--protocol=$mode", '-D', 'n=7', '-D', 'v=' . canary($mode), '-f', $bench, 'postgres' ], "$mode protocol");
}

# The log has seen nothing so far: everything succeeded.
unlike(slurp_file($node->logfile), qr/CanaryQx7/, 'what succeeds leaves no plaintext in the log');

# ---- what fails ----

# Statements whose plaintext is no literal of theirs: nothing may be logged.
my $duplicate = canary('duplicate');
$session->query("PREPARE ins(text) AS INSERT INTO t (id, v) VALUES (1, \$1)");
$session->query("EXECUTE ins('$duplicate')");
my $offset = -s $node->logfile;

sub fails_silently
{
	my ($name, $pattern, $run) = @_;
	my $from = -s $node->logfile;
	my $error = $run->();
	my $log;

	like($error, $pattern, "$name: fails");
	$log = slurp_file($node->logfile, $from);
	like($log, qr/ERROR: /, "$name: is logged");
	unlike($log, qr/CanaryQx7/, "$name: no plaintext in the log");
	unlike($error, qr/CanaryQx7/, "$name: nor in what the client gets");
	return;
}

sub bench_error
{
	my ($mode, $sql, $value, $user) = @_;
	my $script = input_file('bench' . ++$number, "$sql\n");
	my $error;

	IPC::Run::run([ 'pgbench', '-h', $node->host, '-p', $node->port, '-U', $user // $ENV{USER} // scalar getpwuid($>), '-n', '-t1', "--protocol=$mode", '-D', "v=$value", '-f', $script, 'postgres' ], '>', \my $out, '2>', \$error);
	return $error;
}

for my $mode ('extended', 'prepared')
{
	fails_silently("$mode: unique violation", qr/duplicate key value violates unique constraint "t_v"/, sub { bench_error($mode, 'INSERT INTO t (id, v) VALUES (1, :v);', $duplicate) });
	fails_silently("$mode: malformed armour", qr/malformed ciphertext/, sub { bench_error($mode, 'INSERT INTO t (id, v) VALUES (1, :v);', 'stw1:' . canary('armour')) });
	fails_silently("$mode: armour cast", qr/looks like ciphertext/, sub { bench_error($mode, 'INSERT INTO t (id, v) VALUES (1, :v::text);', 'stw1:' . canary('armour')) });
	fails_silently("$mode: missing key", qr/key "?\S+ does not exist/, sub { bench_error($mode, 'INSERT INTO nokey VALUES (:v);', canary('nokey')) });
	fails_silently("$mode: no right to search", qr/permission denied for key/, sub { bench_error($mode, 'SELECT * FROM t WHERE v = :v::text;', canary('search'), 'writer') });
}

sub copy_error
{
	my ($columns, $table, $text, $user) = @_;
	my $input = input_file('copy' . ++$number, $text);

	return steward_error($node, "\\copy $table ($columns) from '$input'", user => $user);
}

fails_silently('COPY: malformed armour', qr/malformed ciphertext/, sub { copy_error('id, v', 't', "1\tstw1:" . canary('copyarmour') . "\n") });
fails_silently('COPY: malformed armour in the middle', qr/malformed ciphertext/, sub { copy_error('v, id', 't', canary('ok') . "\t1\nstw1:" . canary('copyarmour') . "\t2\n") });
fails_silently('COPY: missing key', qr/key "?\S+ does not exist/, sub { copy_error('v', 'nokey', canary('copynokey') . "\n", 'writer') });
fails_silently('COPY: no right to load', qr/permission denied to load ciphertext/, sub { copy_error('id, v', 't', "1\t" . $node->safe_psql('postgres', 'SELECT v FROM t WHERE id = 2') . "\n2\t" . canary('copyload') . "\n", 'writer') });
fails_silently('COPY: a unique violation', qr/duplicate key value/, sub { copy_error('id, v', 't', "1\t$duplicate\n") });

# The keyring goes away under a writer.
steward_set($node, 'steward.root_key_file' => '/nonexistent/root.key');
fails_silently('no keyring: parameter', qr/root key file cannot be used/, sub { bench_error('extended', 'INSERT INTO t (id, v) VALUES (1, :v);', canary('nofile')) });
fails_silently('no keyring: COPY', qr/root key file cannot be used/, sub { copy_error('id, v', 't', "1\t" . canary('copynofile') . "\n") });
steward_set($node, 'steward.root_key_file' => $keyring);

# Ours, raised while a literal is at hand, hide even the statement.
fails_silently('a literal: malformed armour', qr/malformed ciphertext/, sub { steward_error($node, "INSERT INTO t (id, v) VALUES (1, 'stw1:" . canary('literalarmour') . "')") =~ s/^LINE 1.*\n\s*\^\n?//mr });

# So it is when a parallel worker raises it and the leader logs it.
my $parallel = q{SELECT set_config(name, 'on', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');};
fails_silently('a parallel worker', qr/key "nowhere" does not exist.*parallel worker/s, sub { steward_error($node, "$parallel\nSELECT steward.encrypt_text('" . canary('parallel') . "', 'nowhere')") });

# A literal in a statement that somebody else fails is the user's own text.
my $literal = canary('own');
steward_error($node, "SELECT 1 / 0, '$literal'::text");
like(slurp_file($node->logfile, $offset), qr/\Q$literal\E/, 'the search finds what is in the log');

# ---- on disk, in the WAL and in a dump nothing is readable ----

$session->quit;
$node->command_ok([ 'pg_dump', '-f', "$directory/dump.sql", $node->connstr('postgres') ], 'a dump');
is(join(',', steward_file_holds("$directory/dump.sql", 'CanaryQx7')), '', 'no plaintext in a dump');
is($node->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM pg_catalog.pg_stats WHERE tablename = 't' AND attname IN ('v', 'w') AND (most_common_vals IS NOT NULL OR most_common_freqs IS NOT NULL OR histogram_bounds IS NOT NULL OR most_common_elems IS NOT NULL OR correlation IS NOT NULL)}), '0', 'statistics keep no values, frequencies or order');
cmp_ok($node->safe_psql('postgres', q{SELECT pg_catalog.count(*) FROM pg_catalog.pg_stats WHERE tablename = 't'}), '>=', 2, 'there are statistics');
my $seen = $node->safe_psql('postgres', 'SELECT pg_catalog.count(*) FROM t WHERE v::text LIKE \'CanaryQx7%\'');
cmp_ok($seen, '>', 3000, "$seen canaries are there to be found");
$node->safe_psql('postgres', 'CHECKPOINT');
is(join("\n", steward_tree_holds($node->data_dir, 'CanaryQx7', substr('CanaryQx7', 1))), '', 'no plaintext in the data directory and the WAL');
$node->stop;
is(join("\n", steward_tree_holds($node->data_dir, 'CanaryQx7', (map { $_->{base64} } steward_root_keys($keyring)), (map { $_->{bytes} } steward_root_keys($keyring)))), '', 'nor after a shutdown, nor a root key');

# The search itself can find something.
$node->start;
$node->safe_psql('postgres', q{CREATE TABLE seen (v text); INSERT INTO seen VALUES ('Canary' || 'Qx7 plain'); CHECKPOINT});
isnt(join("\n", steward_tree_holds($node->data_dir, 'CanaryQx7')), '', 'a plaintext column is found');
$node->stop;
done_testing();
