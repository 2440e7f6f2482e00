# Values of every encrypted type go through all that PostgreSQL writes to disk:
# tables, indexes, WAL, temporary files while they exist, statistics, slots,
# dumps, backups. No plaintext is in any of it, in any spelling, and no key.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use StewardCanary;
use Test::More;

my $keyring = steward_keyring(more => 1);
my $node = steward_node('main', keyring => $keyring, init => { allows_streaming => 'logical', extra => ['--wal-segsize=1'] }, conf => q{
shared_preload_libraries = 'pg_stat_statements, pg_steward'
work_mem = 64kB
temp_buffers = 800kB
logical_decoding_work_mem = 64kB
wal_keep_size = 1GB
max_prepared_transactions = 5
restart_after_crash = on
remove_temp_files_after_crash = off
max_parallel_workers_per_gather = 2
pg_stat_statements.track = all
pg_stat_statements.track_utility = off
log_min_error_statement = panic});
my $directory = steward_directory('out');
my @types = canary_types($node);
my @needles = canary_needles();

ok((grep { $_ eq 'text' } @types) > 0, 'types: ' . join ', ', @types);

sub temporary_files
{
	return map { glob "$_/*" } grep { -d } $node->data_dir . '/base/pgsql_tmp', glob($node->data_dir . '/base/pgsql_tmp/*');
}

sub nothing_on_disk
{
	my ($name) = @_;

	return canary_is_absent($name, $node->data_dir, @needles);
}

# ---- everything that writes ----

$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
SELECT steward.create_key('pii');
SELECT pg_create_logical_replication_slot('decoding', 'test_decoding');
SELECT pg_create_logical_replication_slot('output', 'pgoutput');
CREATE PUBLICATION all_tables FOR ALL TABLES});
for my $type (@types)
{
	my $column = "steward.encrypted_$type('pii/$type')";
	my $class = $node->safe_psql('postgres', "SELECT opcname FROM pg_opclass WHERE opcintype = 'steward.encrypted_$type'::regtype AND opcname LIKE '%unique%'");
	my $value = sub { "'" . canary_value($type, $_[0]) . "'::$type" };
	my $unique = $type =~ /^(?:text|bytea|jsonb)$/;
	my $copied = join '', map { "$_\t" . canary_value($type, 'copied') =~ s/\\/\\\\/gr . "\n" } 1000 .. ($type eq 'text' ? 9999 : 2999);

	append_to_file("$directory/$type.copy", $copied);
	$node->safe_psql('postgres', qq{
CREATE TABLE "$type" (id int, v $column, w ${column}[]) WITH (autovacuum_enabled = off);
ALTER TABLE "$type" REPLICA IDENTITY FULL;
CREATE UNIQUE INDEX ON "$type" (id, v steward.$class);
CREATE UNLOGGED TABLE "${type}_unlogged" (id int, v $column);
CREATE TYPE "${type}_pair" AS (a int, v $column);
CREATE TABLE "${type}_part" (id int, v $column, p "${type}_pair") PARTITION BY RANGE (id);
CREATE TABLE "${type}_part1" PARTITION OF "${type}_part" DEFAULT;
INSERT INTO "$type" VALUES (1, @{[$value->('insert')]}, ARRAY[@{[$value->('array')]}, @{[$value->('array')]}]::$type\[]);
INSERT INTO "$type" (id, v) SELECT 2, @{[$value->('select')]};
INSERT INTO "$type" (id, v) SELECT 2, v FROM "$type" WHERE id = 2 ON CONFLICT (id, v) DO UPDATE SET v = EXCLUDED.v;
INSERT INTO "${type}_unlogged" VALUES (1, @{[$value->('unlogged')]});
INSERT INTO "${type}_part" VALUES (1, @{[$value->('partition')]}, ROW(1, @{[$value->('pair')]}));
UPDATE "$type" SET v = @{[$value->('update')]} WHERE id = 1;
BEGIN; UPDATE "$type" SET v = @{[$value->('rolled back')]} WHERE id = 1; SAVEPOINT s; INSERT INTO "$type" VALUES (9, @{[$value->('savepoint')]}); ROLLBACK TO s; ROLLBACK;
BEGIN; INSERT INTO "$type" (id, v) VALUES (10, @{[$value->('prepared')]}); PREPARE TRANSACTION '$type'; CHECKPOINT; COMMIT PREPARED '$type';
PREPARE p_$type ($type) AS UPDATE "$type" SET v = \$1 WHERE id = 2;
EXECUTE p_$type (@{[$value->('execute')]});
\\copy "$type" (id, v) from '$directory/$type.copy'
MERGE INTO "$type" AS t USING (SELECT 2 AS id, @{[$value->('merge')]} AS plain) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.plain;
CREATE MATERIALIZED VIEW "${type}_mat" AS SELECT id, v FROM "$type";
REFRESH MATERIALIZED VIEW "${type}_mat"; DROP MATERIALIZED VIEW "${type}_mat";
DO \$\$ DECLARE x steward.encrypted_$type := @{[$value->('variable')]}; BEGIN INSERT INTO "${type}_part" (id, v) VALUES (5, x); END \$\$;
CREATE STATISTICS "${type}_statistics" ON id, (id % 7) FROM "$type";
DELETE FROM "$type" WHERE id BETWEEN 1100 AND 1200;
ANALYZE; VACUUM FULL "$type"; REINDEX TABLE "$type"; ALTER TABLE "$type" ADD COLUMN extra int DEFAULT random() * 10;
ALTER TABLE "$type" ALTER COLUMN v TYPE $column USING v;
CREATE TABLE "${type}_moved" (v steward.encrypted_$type('pii/elsewhere.$type'));
INSERT INTO "${type}_moved" SELECT v FROM "$type";
TRUNCATE "${type}_moved";
NOTIFY shop, '$type'});

	# Statements that fail: what they had written by then is dead, not gone.
	for my $fails ("INSERT INTO \"$type\" (id, v) SELECT 1, @{[$value->('fails')]} FROM generate_series(1, 50) AS g WHERE 1 / (50 - g) >= 0",
		"INSERT INTO \"$type\" (id, v) SELECT id, v FROM \"$type\" WHERE id = 2")
	{
		isnt(steward_error($node, $fails), '', "$type: it fails");
	}
}
$node->safe_psql('postgres', q{INSERT INTO text (id, w) SELECT 20000, ARRAY[string_agg('CanaryQx7' || md5(g::text), '')]::text[] FROM generate_series(1, 3000) AS g});
$node->safe_psql('postgres', 'CHECKPOINT');
nothing_on_disk('no plaintext in tables, indexes and the WAL');

# ---- temporary files, while they exist ----

my %spills = (
	'a sort' => q{SELECT v FROM %s ORDER BY v},
	'a sort by another column' => q{SELECT v, w FROM %s ORDER BY id %% 1000, id},
	'hash aggregation' => q{SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; SET LOCAL enable_indexonlyscan = off; SELECT v, count(*) FROM %s GROUP BY v, id},
	'a hash join' => q{SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off; SELECT a.id, b.v FROM %1$s AS a JOIN %1$s AS b ON a.v = b.v AND a.id = b.id},
	'a materialized CTE' => q{WITH c AS MATERIALIZED (SELECT v, w FROM %s) SELECT v, (SELECT count(*) FROM c) FROM c},
	'DISTINCT' => q{SELECT DISTINCT v FROM %s},
	'a window' => q{SELECT v, count(*) OVER (PARTITION BY v ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM %s});

for my $type (@types)
{
	for my $spill (sort keys %spills)
	{
		my $session = steward_session($node);
		my ($set, $query) = $spills{$spill} =~ /^((?:SET[^;]*; )*)(.*)$/;

		$session->query(sprintf "BEGIN; $set DECLARE c CURSOR FOR $query", "\"$type\"");
		$session->query('FETCH 1 FROM c');
		is($session->{stderr}, '', "$type: $spill runs");
		cmp_ok(scalar(grep { -s } temporary_files()), '>', 0, "$type: $spill spills") if $type eq 'text';
		canary_is_absent("$type: $spill leaves no plaintext in temporary files", $node->data_dir . '/base/pgsql_tmp', @needles);
		$session->quit;
	}

	my $session = steward_session($node);
	$session->query("CREATE TEMP TABLE held AS SELECT v, w FROM \"$type\"");
	$session->query("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT v FROM \"$type\"; COMMIT");
	canary_is_absent("$type: a cursor WITH HOLD and a temporary table", $node->data_dir . '/base', @needles);
	$session->quit;
}

# What is decrypted by name and then sorted is PostgreSQL's own text: the search
# finds it, and the documentation tells of it.
{
	my $session = steward_session($node);

	$session->query(q{BEGIN; DECLARE c CURSOR FOR SELECT v::text FROM text ORDER BY v::text});
	$session->query('FETCH 1 FROM c');
	isnt(join('', steward_tree_holds($node->data_dir . '/base/pgsql_tmp', @needles)), '', 'a sort of what was decrypted does spill plaintext, and is found');
	$session->quit;
}

# Shared files of parallel workers: their leader waits for a lock, then dies.
{
	my $holder = steward_session($node);
	my $leader = steward_session($node);

	$holder->query('SELECT pg_advisory_lock(1)');
	$leader->query(q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
INSERT INTO text (id, v) SELECT g, 'CanaryQx7' || g FROM generate_series(30000, 38000) AS g;
ALTER TABLE text SET (parallel_workers = 2); SET enable_mergejoin = off; SET enable_nestloop = off});
	my $query = q{SELECT pg_advisory_lock(1), * FROM (SELECT a.v, b.w FROM text AS a JOIN text AS b ON a.v = b.v AND a.id = b.id OFFSET 0) AS s};
	like($leader->query("EXPLAIN $query"), qr/Parallel Hash/, 'a parallel hash join');
	my $pid = $leader->query('SELECT pg_backend_pid()');
	$leader->query_until(qr/start/, "\\echo start\n$query;\n");
	ok($node->poll_query_until('postgres', "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $pid"), 'it has rows');
	cmp_ok(scalar(grep { -f && -s } temporary_files()), '>', 0, 'and files');
	kill 'KILL', $pid;
	eval { $_->{run}->finish } for $holder, $leader;
	ok($node->poll_query_until('postgres', 'SELECT true'), 'the server recovers');
	cmp_ok(scalar(grep { -f && -s } temporary_files()), '>', 0, 'the files of the dead are there');
	nothing_on_disk('but no plaintext');
}

# ---- what leaves the server ----

my %copies = (
	'logical decoding by test_decoding' => q{SELECT data FROM pg_logical_slot_peek_changes('decoding', NULL, NULL)},
	'logical decoding by pgoutput' => q{SELECT encode(data, 'escape') FROM pg_logical_slot_peek_binary_changes('output', NULL, NULL, 'proto_version', '1', 'publication_names', 'all_tables')},
	'binary pgoutput' => q{SELECT encode(data, 'escape') FROM pg_logical_slot_peek_binary_changes('output', NULL, NULL, 'proto_version', '1', 'publication_names', 'all_tables', 'binary', 'true')},
	'COPY' => join(';', map { "COPY \"$_\" TO STDOUT; COPY \"$_\" TO STDOUT (FORMAT csv)" } @types),
	'json' => join(';', map { "SELECT to_jsonb(t), xmlforest(t.v), row(t.v), t FROM \"$_\" AS t WHERE id < 1010" } @types),
	'statistics' => q{SELECT * FROM pg_statistic; SELECT * FROM pg_stats; SELECT * FROM pg_statistic_ext_data; SELECT * FROM pg_stats_ext_exprs},
	'catalogs' => q{SELECT * FROM pg_attrdef; SELECT * FROM pg_proc WHERE oid >= 16384; SELECT * FROM pg_rewrite WHERE oid >= 16384; SELECT * FROM pg_constraint},
	'the extension\'s tables' => join(';', map { "SELECT * FROM steward.$_" } qw(key key_version key_secret key_grant realm)));
my @keys = key_material($node, $keyring);
my @key_needles = key_needles(@keys);

for my $copy (sort keys %copies)
{
	my $out = $node->safe_psql('postgres', $copies{$copy});

	cmp_ok(length $out, '>', 100, "$copy: there is something");
	is(join(' ', grep { index($out, $_) >= 0 } @needles, @key_needles), '', "$copy shows no plaintext and no key");
}
$node->command_ok([ 'pg_dumpall', '-f', "$directory/all.sql", '-d', $node->connstr('postgres') ], 'pg_dumpall');
$node->command_ok([ 'pg_dump', '-Fp', '--inserts', '-f', "$directory/inserts.sql", $node->connstr('postgres') ], 'pg_dump --inserts');
$node->command_ok([ 'pg_dump', '-Fc', '-Z0', '-f', "$directory/custom", $node->connstr('postgres') ], 'pg_dump -Fc');
for my $dump ('all.sql', 'inserts.sql', 'custom')
{
	cmp_ok(-s "$directory/$dump", '>', 100_000, "$dump is a dump");
	canary_is_absent("no plaintext and no key in $dump", "$directory/$dump", @needles, @key_needles);
}
$node->backup('base');
canary_is_absent('no plaintext and no key in a base backup', $node->backup_dir . '/base', @needles, @key_needles);

# ---- at the end ----

$node->safe_psql('postgres', 'CHECKPOINT');
canary_is_absent('no plaintext and no key in the data directory of a running server', $node->data_dir, @needles, @key_needles);
$node->stop;
canary_is_absent('nor after it was shut down', $node->data_dir, @needles, @key_needles);
cmp_ok(-s $node->data_dir . '/pg_stat/pg_stat_statements.stat', '>', 1000, 'where the texts of statements are');
canary_is_absent('no key in the log', $node->logfile, @key_needles);

# The search is able to find each of these things.
for my $needle (@needles, @key_needles)
{
	append_to_file("$directory/found", $needle);
}
is(scalar(steward_file_holds("$directory/found", @needles, @key_needles)), @needles + @key_needles, 'each needle would be found');
done_testing();
