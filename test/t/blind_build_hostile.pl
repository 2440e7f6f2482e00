# Parallel builds of blind indexes where things are against them: little memory, rows
# that do not open, no root key, subjects of the same transaction, classes of several
# entries a row, writers meanwhile, a cancel. A build by several processes finds, says and
# leaves what one by a single process does (before 17 all are), and no more of a secret.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use StewardCanary;
use Test::More;

my $keyring = steward_keyring();
my $node = steward_node('hostile', keyring => $keyring, conf => <<'CONF');
autovacuum = off
max_worker_processes = 16
max_parallel_workers = 8
max_parallel_maintenance_workers = 2
min_parallel_table_scan_size = 0
jit = off
steward.protect_memory = off
CONF
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my $workers = $version >= 170000 ? 2 : 0;
my $least = $node->safe_psql('postgres', q{SELECT min_val || 'kB' FROM pg_settings WHERE name = 'maintenance_work_mem'});
my $serial = 'SET max_parallel_maintenance_workers = 0;';

# With parallel_workers no memory is too little for workers to come.
sub table
{
	my ($name, $rows, $columns, $values) = @_;

	$node->safe_psql('postgres', "CREATE TABLE $name (id integer, $columns) WITH (parallel_workers = 2); INSERT INTO $name SELECT g, $values FROM generate_series(1, $rows) AS g");
	return;
}

# How a statement ends, and how many workers came.
sub said
{
	my ($sql, $before) = @_;
	my $said = '';

	$node->psql('postgres', ($before // '') . "SET client_min_messages = debug1; $sql", on_error_stop => 1, stderr => \$said);
	return ($said, $said =~ /is built with (\d+) parallel workers/ ? $1 : 0);
}

# Its error: all that is said of it but where.
sub failure
{
	my ($sql, $before) = @_;
	my ($said) = said($sql, $before);

	return join "\n", map { s/^psql:<stdin>:\d+: //r } grep { /(?:ERROR|DETAIL|HINT): / } split /\n/, $said;
}

sub value { return $node->safe_psql('postgres', "SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0; $_[0]") }

# What is wrong with indexes whose names begin with h_, partitions' too.
sub faults { return value(q{SELECT string_agg(c::text, ', ') FROM pg_class i, steward.blind_index_check(i.oid::regclass, true) AS c WHERE i.relname ~ '^h_' AND i.relkind = 'i' AND c::text <> ''}) }

# Builds h_index by one process and by several: both find what the table has, and have
# as many entries.
sub alike
{
	my ($name, $index, $query, %options) = @_;
	my $settings = $options{settings} // '';
	my $expected = $node->safe_psql('postgres', "SET enable_indexscan = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0; $query");
	my %entries;

	for my $how ('one process', 'several')
	{
		my $some = $how eq 'several' ? $options{workers} // $workers : 0;
		my ($said, $came) = said("CREATE INDEX h_index ON $index", $settings . ($how eq 'several' ? '' : $serial));

		is($came, $some, "$name: built by $how") or diag($said);
		is(value($query), $expected, '... it finds what reading the table finds');
		is(faults(), '', '... and is in order');
		$entries{$how} = value(q{SELECT sum(reltuples) FROM pg_class WHERE relname ~ '^h_' AND relkind = 'i'});
		$node->safe_psql('postgres', 'DROP INDEX h_index');
	}
	is($entries{several}, $entries{'one process'}, '... of as many entries');
	return;
}

# Nothing is left: no index, no worker, no temporary file, no file of a relation that is not.
sub nothing_left
{
	my ($what) = @_;

	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname ~ '^h_'}), 0, "$what leaves no index");
	ok(steward_poll(sub { return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'}) == 0; }), '... no worker');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), 0, '... no temporary file');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT 'base/' || oid AS directory FROM pg_database WHERE datname = 'postgres') AS d, pg_ls_dir(directory) AS name
		WHERE name ~ '^[0-9]+$' AND pg_filenode_relation(0, name::oid) IS NULL AND (pg_stat_file(directory || '/' || name, true)).size > 0}), 0, '... and no other');
	return;
}

$node->safe_psql('postgres', q{SELECT steward.create_key('hostile')});
nothing_left('nothing');

# ---- little memory ----

table('many', 60000, q{v steward.encrypted_bigint('hostile/many'), few steward.encrypted_bigint('hostile/few')}, 'g, nullif(g % 7, 0)');
my $little = "SET maintenance_work_mem = '$least'; SET work_mem = '64kB';";
alike('in the least memory', 'many USING blind (v)', 'SELECT count(*), sum(id) FROM many WHERE v IN (1, 60000, 777, 60001)', settings => $little);
alike('the same of few values', 'many USING blind (few)', 'SELECT count(*), sum(id) FROM many WHERE few = 3', settings => $little);
SKIP:
{
	skip 'no unique blind indexes before PostgreSQL 18', 2 if $version < 180000;
	my ($said, $came) = said('CREATE UNIQUE INDEX h_unique ON many USING blind (v); DROP INDEX h_unique', $little);
	is($said =~ /ERROR/ ? $said : $came, $workers, 'so a unique one');
	my @failures = map { failure('CREATE UNIQUE INDEX h_unique ON many USING blind (few)', $_) =~ s/\(\d+,\d+\)/a row/gr } $little, $serial;
	is($failures[0], $failures[1], 'or its error');
}
SKIP:
{
	skip 'memory enough', 1 if $least ne '64kB';
	like(failure('CREATE INDEX h_index ON many USING blind (v)', "$little SET temp_file_limit = 0;"), qr/^ERROR:  temporary file size exceeds/, 'what may not be written to disk is an error');
}
nothing_left('it');

# ---- several entries a row, parts of a table, none ----

table('wide', 4000, q{t steward.encrypted_text('hostile/t'), n steward.encrypted_numeric('hostile/n')},
	q{CASE g % 10 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN repeat('long ' || g, 2000) ELSE 'Some words ' || g || ' of it' END, nullif(g % 100, 0) / 4.0});
alike('trigrams', 'wide USING blind (t steward.blind_trigram_ops)', q{SELECT count(*), sum(id) FROM wide WHERE t LIKE '%words 39%' OR t LIKE 'long 12%'});
alike('trigrams in little memory', 'wide USING blind (t steward.blind_trigram_ops)', q{SELECT count(*), sum(id) FROM wide WHERE t LIKE '%words 39%'}, settings => $little);
alike('ranges', 'wide USING blind (n steward.blind_numeric_range_ops)', 'SELECT count(*), sum(id) FROM wide WHERE n BETWEEN 3.3 AND 11', settings => $little);
alike('part of the rows', 'many USING blind (few) WHERE id % 10 = 3', 'SELECT count(*), sum(id) FROM many WHERE few = 3 AND id % 10 = 3');
alike('none of them', 'many USING blind (few) WHERE id < 0', 'SELECT count(*), sum(id) FROM many WHERE few = 3 AND id < 0');
$node->safe_psql('postgres', 'CREATE FUNCTION unsafe(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE AS $$ BEGIN RETURN id % 2 = 0; END $$');
alike('a predicate that is not for workers', 'many USING blind (few) WHERE unsafe(id)', 'SELECT count(*), sum(id) FROM many WHERE few = 3 AND unsafe(id)', workers => 0);
$node->safe_psql('postgres', q{
CREATE TABLE h_parted (id integer, v steward.encrypted_bigint('hostile/parted')) PARTITION BY RANGE (id);
CREATE TABLE h_parted_1 PARTITION OF h_parted FOR VALUES FROM (0) TO (3000) WITH (parallel_workers = 2);
CREATE TABLE h_parted_2 PARTITION OF h_parted FOR VALUES FROM (3000) TO (9000) WITH (parallel_workers = 2);
CREATE TABLE h_parted_3 PARTITION OF h_parted DEFAULT WITH (parallel_workers = 2);
INSERT INTO h_parted SELECT g, g % 1000 FROM generate_series(1, 8000) AS g});
alike('partitions', 'h_parted USING blind (v)', 'SELECT count(*), sum(id) FROM h_parted WHERE v = 77');
$node->safe_psql('postgres', 'DROP TABLE h_parted');
for my $kind ('TEMPORARY', 'UNLOGGED')
{
	my ($said, $came) = said(qq{
CREATE $kind TABLE h_kind (v steward.encrypted_bigint('hostile/kind')) WITH (parallel_workers = 2);
INSERT INTO h_kind SELECT g % 10 FROM generate_series(1, 5000) AS g;
CREATE INDEX h_kind_v ON h_kind USING blind (v);
SET enable_seqscan = off;
DO 'BEGIN ASSERT (SELECT count(*) = 500 FROM h_kind WHERE v = 3); END';
DROP TABLE h_kind});
	is($said =~ /(ERROR:.*)/ ? $1 : $came, $kind eq 'TEMPORARY' ? 0 : $workers, lc "$kind: workers, and rows that are found");
}

# ---- subjects, of the same transaction, too ----

$node->safe_psql('postgres', q{
CREATE TABLE person (id integer, who text, v steward.encrypted_bigint('hostile/person')) WITH (parallel_workers = 2);
SELECT steward.bind_subject('person', 'hostile', 'who');
INSERT INTO person SELECT g, 'p' || g % 50, g % 100 FROM generate_series(1, 5000) AS g});
alike('values of subjects', 'person USING blind (v)', 'SELECT count(*), sum(id) FROM person WHERE v = 7');
for my $before ('', $serial)
{
	my ($said, $came) = said(q{
BEGIN;
INSERT INTO person SELECT g, 'new' || g % 50, g % 100 FROM generate_series(5001, 8000) AS g;
SELECT steward.shred_subject('hostile', 'p7');
CREATE INDEX h_person ON person USING blind (v);
SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0;
DO $$ BEGIN
	ASSERT (SELECT count(*) = 30 FROM person WHERE v = 7), 'of those who are new';
	ASSERT (SELECT count(*) = 80 FROM person WHERE v = 8), 'of all';
	ASSERT (SELECT steward.blind_index_check('h_person', true)::text = ''), 'in order';
END $$;
ROLLBACK}, $before);
	is($said =~ /(ERROR:.*)/ ? $1 : $came, $before ? 0 : $workers, 'subjects that the same transaction made and erased');
}

# ---- rows that do not open: the error of one process ----

my @needles = canary_needles();
$node->safe_psql('postgres', q{
CREATE FUNCTION altered(value steward.encrypted_text) RETURNS steward.encrypted_text LANGUAGE sql AS $$
SELECT steward.encrypted_text_in(overlay(a PLACING CASE WHEN substr(a, 80, 1) = 'A' THEN 'B' ELSE 'A' END FROM 80)::cstring, 0, -1)
FROM (SELECT steward.encrypted_text_out(value)::text AS a) AS s $$;
CREATE TABLE whole (id integer, v steward.encrypted_text('hostile/whole')) WITH (parallel_workers = 2);
INSERT INTO whole SELECT g, 'Canary' || 'Qx7 ' || g FROM generate_series(1, 6000) AS g;
CREATE TABLE broken (id integer, v steward.encrypted_text('hostile/whole')) WITH (parallel_workers = 2);
INSERT INTO broken SELECT id, CASE WHEN id % 100 = 0 THEN altered(v)::steward.encrypted_text('hostile/whole') ELSE v END FROM whole;
CREATE TABLE one_broken (id integer, v steward.encrypted_text('hostile/whole')) WITH (parallel_workers = 2);
INSERT INTO one_broken SELECT id, CASE WHEN id = 5900 THEN altered(v)::steward.encrypted_text('hostile/whole') ELSE v END FROM whole});
for my $index ('broken USING blind (v)', 'one_broken USING blind (v)', 'broken USING blind (v steward.blind_trigram_ops)')
{
	my $by_one = failure("CREATE INDEX h_index ON $index", $serial);

	like($by_one, qr/^ERROR:  .*cannot be opened/, "$index: a value that does not open");
	is(failure("CREATE INDEX h_index ON $index", ''), $by_one, '... is the same error by several processes');
	is(failure("CREATE INDEX h_index ON $index", $little), $by_one, '... and in little memory');
	like(failure("CREATE INDEX CONCURRENTLY h_index ON $index", ''), qr/^\Q$by_one\E$/, '... and concurrently');
	$node->safe_psql('postgres', 'DROP INDEX h_index');
	nothing_left('it');
}

# ---- writers meanwhile ----

$node->safe_psql('postgres', q{
CREATE PROCEDURE write_on() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 1500 LOOP
		UPDATE many SET few = (i % 7), id = -id WHERE ctid = (SELECT ctid FROM many OFFSET i * 13 % 50000 LIMIT 1);
		INSERT INTO many VALUES (100000 + i, i, 3);
		DELETE FROM many WHERE ctid = (SELECT ctid FROM many OFFSET i * 17 % 50000 LIMIT 1);
		COMMIT;
	END LOOP;
END $$});
{
	my $writer = steward_session($node);

	$writer->query_until(qr/begun/, "\\echo begun\nCALL write_on();\n");
	for my $settings ('', $little)
	{
		my ($said, $came) = said('CREATE INDEX CONCURRENTLY h_index ON many USING blind (few)', $settings);
		is($came, $workers, 'built concurrently, while another session writes') or diag($said);
		is(faults(), '', '... it is in order');
		($said, $came) = said('REINDEX INDEX CONCURRENTLY h_index', $settings);
		is($came, $workers, 'and anew');
		is(faults(), '', '... it is in order');
		$node->safe_psql('postgres', 'DROP INDEX h_index');
	}
	$writer->query('SELECT 1');
	$writer->quit;
}
# Chains of updates that an old snapshot may see into: the index is not for that one.
{
	my $old = steward_session($node);
	my %check;

	$node->safe_psql('postgres', q{CREATE TABLE chains (id integer, v steward.encrypted_bigint('hostile/chains')) WITH (parallel_workers = 2, fillfactor = 50); INSERT INTO chains SELECT g, g FROM generate_series(1, 4000) AS g});
	$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
	$node->safe_psql('postgres', 'UPDATE chains SET v = 0 - id WHERE id % 10 = 0');
	for my $before ($serial, '')
	{
		said('CREATE INDEX h_index ON chains USING blind (v)', $before);
		$check{$before} = $node->safe_psql('postgres', q{SELECT indcheckxmin, reltuples FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relname = 'h_index'});
		is(value('SELECT count(*) FROM chains WHERE v = -10'), 1, 'chains of updates: found');
		is(faults(), '', '... in order');
		$node->safe_psql('postgres', 'DROP INDEX h_index');
	}
	like($check{$serial}, qr/^t\|/, 'the index is not for older snapshots');
	is($check{''}, $check{$serial}, '... whoever builds it');
	$old->quit;
}

# ---- a cancel, and what lies in memory that processes share meanwhile ----

# What each process of the server has mapped and shares with others.
sub shared_memory
{
	my ($pid) = @_;
	my ($bytes, $mappings) = ('', 0);

	open(my $memory, '<:raw', "/proc/$pid/mem") or die "cannot read the memory of $pid: $!";
	for (split /\n/, slurp_file("/proc/$pid/maps"))
	{
		next unless m{^([0-9a-f]+)-([0-9a-f]+) rw-s \S+ \S+ \S+\s+/dev/shm/PostgreSQL};
		sysseek $memory, hex $1, 0;
		sysread $memory, my $part, hex($2) - hex $1;
		$bytes .= $part . "\0" x 16;
		$mappings++;
	}
	return ($bytes, $mappings);
}

# How many segments are there for the build? Its statement is in them.
sub segments { return scalar grep { steward_file_holds($_, 'CREATE INDEX h_bad ON whole') } glob '/dev/shm/PostgreSQL.*' }

$node->safe_psql('postgres', 'CREATE FUNCTION lingers(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$ BEGIN IF id % 20 = 0 THEN PERFORM pg_catalog.pg_sleep(0.05); END IF; RETURN true; END $$');
my @keys = key_needles(key_material($node, $keyring));
my $session = steward_session($node);
my $leader = $session->query('SELECT pg_backend_pid()');
for my $ends ("SELECT pg_cancel_backend($leader)", q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND query ~ '^CREATE INDEX h_bad' LIMIT 1})
{
	next if $ends =~ /worker/ && !$workers;
	$session->query_until(qr/begun/, "\\echo begun\nCREATE INDEX h_bad ON whole USING blind (v steward.blind_trigram_ops) WHERE lingers(id);\n");
	ok($node->poll_query_until('postgres', qq{SELECT blocks_done > 5 FROM pg_stat_progress_create_index WHERE pid = $leader}), 'a build has begun');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND query ~ '^CREATE INDEX h_bad'}), $workers, "by $workers workers");
	my ($shared, $mappings) = shared_memory($leader);
	cmp_ok($mappings, '>', 0, 'in memory that is shared') if $workers;
	cmp_ok(length $shared, '>', 2 * 128 * 1024, '... with room for queues') if $workers;
	is(segments(), $workers ? 1 : 0, '... one segment of the build');
	is(join(' ', grep { index($shared, $_) >= 0 } @keys), '', '... there is no key');
	is(join(' ', grep { index($shared, $_) >= 0 } @needles), '', '... and no plaintext');
	is($node->safe_psql('postgres', $ends), 't', 'it is ended');
	$session->query('SELECT 1');
	like($session->{stderr}, $ends =~ /cancel/ ? qr/ERROR:  canceling statement due to user request/ : qr/terminating (?:connection|background worker)/, '... by its error');
	$session->{stderr} = '';
	nothing_left('it');
	is(segments(), 0, 'nor memory that was shared');
}
$session->quit;

# ---- without a root key ----

rename $keyring, "$keyring.away" or die "cannot rename: $!";
$node->restart;
is(failure('CREATE INDEX h_index ON whole USING blind (v)', ''), failure('CREATE INDEX h_index ON whole USING blind (v)', $serial), 'without a root key the error is that of one process');
like(failure('CREATE INDEX h_index ON whole USING blind (v)', ''), qr/^ERROR:  .*root key/, '... and names what is missing');
nothing_left('it');
rename "$keyring.away", $keyring or die "cannot rename: $!";
$node->restart;
alike('with it again', 'whole USING blind (v)', q{SELECT count(*), sum(id) FROM whole WHERE v = 'Canary' || 'Qx7 77'});

canary_is_absent('no plaintext was logged', $node->logfile, @needles);
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no process died');
$node->stop;
done_testing();
