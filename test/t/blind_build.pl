# CREATE INDEX of blind indexes: workers that read the table beside the one that asked,
# where PostgreSQL has them (17 on), and a crash right after it. Whoever makes an index, it
# finds what reading the table finds; whatever ends a build leaves nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

# Rows are few; what a table must have for workers to come is not.
my $node = steward_node('build', conf => <<'CONF');
shared_preload_libraries = 'pg_steward, pg_stat_statements'
autovacuum = off
max_worker_processes = 16
max_parallel_workers = 8
max_parallel_maintenance_workers = 2
maintenance_work_mem = '128MB'
min_parallel_table_scan_size = 0
jit = off
CONF
my $workers = $node->safe_psql('postgres', 'SHOW server_version_num') >= 170000 ? 2 : 0;

$node->safe_psql('postgres', q{
CREATE EXTENSION pg_stat_statements;
SELECT steward.create_key('build');
CREATE ROLE owner LOGIN;
GRANT CREATE ON SCHEMA public TO owner;
CREATE TABLE t (id integer, one steward.encrypted_bigint('build/one'), few steward.encrypted_bigint('build/few'), label steward.encrypted_text('build/label'));
INSERT INTO t SELECT g, g, nullif(g % 8, 0), 'label ' || g % 100 FROM generate_series(1, 30000) AS g;
DELETE FROM t WHERE id % 100 = 1;
UPDATE t SET few = 8 WHERE id % 1000 = 2;
ANALYZE t;
ALTER TABLE t OWNER TO owner});

# What a build says of itself: what asked for it, and how many workers came.
sub built
{
	my ($sql, %options) = @_;
	my $said = '';

	$node->psql('postgres', ($options{before} // '') . "SET client_min_messages = debug1; $sql",
		on_error_stop => 1, stderr => \$said, extra_params => $options{user} ? [ '-U', $options{user} ] : []);
	return $said;
}

sub came
{
	my ($said) = @_;

	return $said =~ /is built with (\d+) parallel workers/ ? $1 : 0;
}

# All rows of t by each value: from its indexes, which must serve, or from the table.
sub answers
{
	my ($by) = @_;
	my $settings = $by eq 'index' ? 'SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off' : 'SET enable_indexscan = off; SET enable_bitmapscan = off';

	return $node->safe_psql('postgres', "$settings;" . q{
SET max_parallel_workers_per_gather = 0;
SELECT count(*), sum(t.id), sum(g * t.id) FROM generate_series(1, 30000, 7) AS g JOIN t ON t.one = g;
SELECT g, count(t.id), sum(t.id) FROM generate_series(0, 9) AS g LEFT JOIN t ON t.few = g GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(id) FROM t WHERE few IS NULL;
SELECT count(*), sum(id) FROM t WHERE label = 'label 77';
SELECT count(*), sum(id) FROM t WHERE few = 3 AND label = 'label 11'});
}

# What blind_index_check finds wrong with the indexes of t.
sub faults
{
	return $node->safe_psql('postgres', q{SELECT i.relname, c FROM pg_class i, LATERAL (SELECT steward.blind_index_check(i.oid::regclass, true)::text AS c) AS c WHERE i.relname ~ '^t_' AND c <> ''});
}

my $expected = answers('table');
my @indexes = ('t_one ON t USING blind (one)', 't_few ON t USING blind (few)', 't_label ON t USING blind (label)', 't_both ON t USING blind (few, label)');

# ---- the same index, whoever makes it ----

built("CREATE INDEX $_", before => 'SET max_parallel_maintenance_workers = 0;') for @indexes;
is(answers('index'), $expected, 'made by one process, indexes find what is in the table');
my $entries = $node->safe_psql('postgres', q{SELECT relname, reltuples FROM pg_class WHERE relname ~ '^t_' ORDER BY 1});
$node->safe_psql('postgres', 'DROP INDEX t_one, t_few, t_label, t_both');
is(came(built("CREATE INDEX $_")), $workers, "$workers workers: $_") for @indexes;
is(answers('index'), $expected, 'made by several, they find the same');
is(faults(), '', 'are in order');
is($node->safe_psql('postgres', q{SELECT relname, reltuples FROM pg_class WHERE relname ~ '^t_' ORDER BY 1}), $entries, 'and have as many entries');
is($node->safe_psql('postgres', q{SELECT reltuples FROM pg_class WHERE relname = 't'}), $node->safe_psql('postgres', 'SELECT count(*) FROM t'), 'and the table is known to have all of its rows');
like($node->safe_psql('postgres', q{SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT id FROM t WHERE few = 3 AND label = 'label 11'}), qr/Index Scan.*t_/, 'the indexes served');
is(came(built('REINDEX TABLE t')), $workers, 'REINDEX has workers');
is(came(built('REINDEX TABLE CONCURRENTLY t')), $workers, 'so it has CONCURRENTLY');
is(answers('index'), $expected, 'and made anew they find the same');
$node->safe_psql('postgres', 'DROP INDEX t_one');
is(came(built('CREATE INDEX CONCURRENTLY t_one ON t USING blind (one)')), $workers, 'CREATE INDEX CONCURRENTLY has workers');
is(answers('index'), $expected, 'and finds the same');
is(came(built('REINDEX INDEX t_one', before => 'SET max_parallel_workers = 0;')), 0, 'without a worker to be had');
is(answers('index'), $expected, 'one process makes it');

# Workers have the rights of the table's owner, who may neither search nor decrypt.
is(came(built('REINDEX TABLE t', user => 'owner')), $workers, 'the owner, without a right to the key, has workers');
is(answers('index'), $expected, 'and indexes that find the same');

is(came(built('CREATE INDEX t_part ON t USING blind (few) WHERE id <= 5000')), $workers, 'a partial index has workers');
is($node->safe_psql('postgres', q{SELECT reltuples FROM pg_class WHERE relname = 't_part'}), $node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE id <= 5000'), 'and the entries that it should');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT count(*), sum(id) FROM t WHERE few = 3 AND id <= 5000}), $node->safe_psql('postgres', q{SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*), sum(id) FROM t WHERE few = 3 AND id <= 5000}), 'and finds them');
is(came(built(q{CREATE INDEX t_young ON young USING blind (v)}, before => q{
BEGIN; SELECT steward.create_key('young'); CREATE TABLE young (id integer, v steward.encrypted_bigint('young/v'));
INSERT INTO young SELECT g, g % 1000 FROM generate_series(1, 5000) AS g;})), $workers, 'workers know a key of the same transaction');
is(came(built('CREATE TEMPORARY TABLE own AS SELECT * FROM t; CREATE INDEX ON own USING blind (one)')), 0, 'a temporary table has no workers');
is(built(q{ALTER TABLE t ADD CONSTRAINT t_exclude EXCLUDE USING blind (one WITH =)}) =~ /ERROR/ ? 1 : 0, 0, 'an exclusion constraint can be made');
like(built(q{ALTER TABLE t ADD CONSTRAINT t_wrong EXCLUDE USING blind (label WITH =)}), qr/ERROR:  could not create exclusion constraint/, 'and cannot where rows exclude each other');

SKIP:
{
	skip 'no unique blind indexes before PostgreSQL 18', 4 if $node->safe_psql('postgres', 'SHOW server_version_num') < 180000;
	# Workers tell which rows are bound: not the dead, nor those with NULL.
	$node->safe_psql('postgres', 'CREATE TABLE sole (id integer, v steward.encrypted_bigint(\'build/sole\')); INSERT INTO sole SELECT g, nullif(g % 10000, 0) FROM generate_series(1, 9999) AS g; INSERT INTO sole SELECT g, NULL FROM generate_series(1, 5000) AS g; UPDATE sole SET id = -id WHERE id % 3 = 0');
	is(came(built('CREATE UNIQUE INDEX sole_v ON sole USING blind (v)')), $workers, 'a unique index has workers');
	is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(*), sum(id) FROM sole WHERE v = 4711'), '1|4711', 'and finds its rows');
	unlike(built('DROP INDEX sole_v; CREATE UNIQUE INDEX sole_v ON sole USING blind (v)'), qr/ERROR/, 'again');
	like(built('DROP INDEX sole_v; INSERT INTO sole VALUES (0, 9000); CREATE UNIQUE INDEX sole_v ON sole USING blind (v)'), qr/ERROR:  could not create unique index "sole_v"/, 'and is refused where two rows are alike');
}

# What workers read is told of the statement: together they read all of the table.
$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset(); REINDEX INDEX t_one');
my $blocks = $node->safe_psql('postgres', q{SELECT shared_blks_hit + shared_blks_read FROM pg_stat_statements WHERE query LIKE 'REINDEX%'});
my $pages = $node->safe_psql('postgres', q{SELECT pg_relation_size('t') / current_setting('block_size')::integer});
cmp_ok($blocks, '>=', $pages, "$blocks blocks were used, of a table of $pages");

# ---- what ends a build leaves nothing ----

# Functions tell whether they are called in another process than the one that asked.
$node->safe_psql('postgres', q{
CREATE FUNCTION in_worker() RETURNS boolean LANGUAGE sql PARALLEL SAFE AS $$ SELECT pg_catalog.pg_backend_pid()::text <> pg_catalog.current_setting('build.leader', true) $$;
CREATE FUNCTION fails(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF public.in_worker() OR current_setting('build.anyone', true) = 'yes' THEN
        RAISE EXCEPTION 'row % is not to be read', id;
    END IF;
    PERFORM pg_sleep(0.001);
    RETURN true;
END
$$;
CREATE FUNCTION lingers(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    PERFORM pg_sleep(0.02);
    RETURN true;
END
$$});
my $leader = q{SELECT set_config('build.leader', pg_backend_pid()::text, false);};
my $anyone = $workers ? '' : q{SET build.anyone = 'yes';};

sub nothing_left
{
	my ($what) = @_;

	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 't_bad'}), 0, "$what leaves no index");
	ok(steward_poll(sub { return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'}) == 0; }), 'and no worker');
	return;
}

like(built('CREATE INDEX t_bad ON t USING blind (one) WHERE fails(id)', before => $leader . $anyone), qr/ERROR:  row \d+ is not to be read/, 'an error of a worker is that of the statement');
nothing_left('it');
like(built('CREATE INDEX t_bad ON t USING blind (one) WHERE lingers(id)', before => q{SET statement_timeout = '1s';}), qr/ERROR:  canceling statement due to statement timeout/, 'a build can be cancelled');
nothing_left('it');

# Seen from another session: its progress, and the end of a worker.
my $session = steward_session($node);
$session->query_until(qr/begun/, "\\echo begun\nCREATE INDEX t_bad ON t USING blind (one) WHERE lingers(id);\n");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase = 'building index: scanning table' AND blocks_total > 0 AND blocks_done BETWEEN 1 AND blocks_total}), 'it tells how far it is');
SKIP:
{
	skip 'no workers before PostgreSQL 17', 2 unless $workers;
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND query LIKE 'CREATE INDEX t_bad%'}), 'workers tell what they work on');
	is($node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' LIMIT 1}), 't', 'one of them is ended');
}
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE 'CREATE INDEX t_bad%'}) unless $workers;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_progress_create_index}), 'that ends the build');
$session->query('SELECT 1');
like($session->{stderr}, $workers ? qr/terminating (connection|background worker)/ : qr/canceling statement/, 'by its error');
$session->quit;
nothing_left('it');
is(answers('index'), $expected, 'other indexes find what they found');

# ---- a crash right after it ----

sub crash
{
	$node->stop('immediate');
	$node->start;
	return;
}

$node->safe_psql('postgres', 'DROP INDEX t_one, t_few, t_label, t_both; CHECKPOINT');
built("CREATE INDEX $_") for @indexes;
crash();
is(answers('index'), $expected, 'after a crash right after CREATE INDEX they find the same');
is(faults(), '', 'and are in order');
$node->safe_psql('postgres', 'REINDEX TABLE t; CHECKPOINT');
crash();
is(answers('index'), $expected, 'as after a crash after a checkpoint');

# With a minimal log a new index is not in it, but synced when its transaction commits.
$node->append_conf('postgresql.conf', "wal_level = minimal\nmax_wal_senders = 0\n");
$node->restart;
$node->safe_psql('postgres', 'REINDEX TABLE t');
crash();
is(answers('index'), $expected, 'after a crash without a log they find the same');
is(faults(), '', 'and are in order');
$node->safe_psql('postgres', q{
BEGIN;
CREATE TABLE fresh (id integer, v steward.encrypted_text('build/fresh'));
INSERT INTO fresh SELECT g, (g % 1000)::text FROM generate_series(1, 5000) AS g;
CREATE INDEX fresh_v ON fresh USING blind (v);
COMMIT;
CREATE UNLOGGED TABLE unlogged (id integer, v steward.encrypted_text('build/unlogged'));
INSERT INTO unlogged SELECT g, (g % 1000)::text FROM generate_series(1, 5000) AS g;
CREATE INDEX unlogged_v ON unlogged USING blind (v)});
crash();
my $count = 'SET enable_seqscan = off; SELECT count(*), min(id) FROM';
is($node->safe_psql('postgres', "$count fresh WHERE v = '777'"), '5|777', 'an index made with its table survives a crash');
is($node->safe_psql('postgres', "$count unlogged WHERE v = '777'"), '0|', 'one that is not logged is empty');
$node->safe_psql('postgres', 'INSERT INTO unlogged SELECT g, (g % 1000)::text FROM generate_series(1, 5000) AS g; REINDEX TABLE unlogged');
$node->restart;
is($node->safe_psql('postgres', "$count unlogged WHERE v = '777'"), '5|777', 'and survives a restart');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no process died');
$node->stop;
done_testing();
