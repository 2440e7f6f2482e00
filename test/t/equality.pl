# What comparing many values leaves behind: no plaintext in the memory of the
# process, none in temporary files while a sort runs; and an index of encrypted
# values that is in order after sessions changed it at the same time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $soak = $ENV{STEWARD_SOAK};
# Pieces of a canary, so that no process holds it whole that was not given it.
my $canary = join '', 'zyx', 'Canary', 'wvu';
my $node = steward_node('main', conf => "steward.protect_memory = off\nwork_mem = '64kB'\n");

$node->safe_psql('postgres', qq{
SELECT steward.create_key('pii');
CREATE TABLE t (id integer, v steward.encrypted_text('pii/t.v'));
CREATE TABLE u (id integer, v steward.encrypted_text('pii/u.v'));
INSERT INTO t SELECT g, '$canary' || g || repeat(md5(g::text), g % 60) FROM generate_series(1, 3000) AS g ORDER BY md5(g::text);
INSERT INTO u SELECT id, v::text FROM t ORDER BY id;
CREATE UNIQUE INDEX ON u (v steward.encrypted_unique_ops);
ANALYZE;
CHECKPOINT;
});

# Does the memory of a process hold one of these?
sub memory_holds
{
	my ($pid, $needle) = @_;
	my $found = 0;
	my $read = 0;

	open(my $maps, '<', "/proc/$pid/maps") or die "cannot read maps: $!";
	open(my $memory, '<:raw', "/proc/$pid/mem") or die "cannot read memory: $!";
	while (my $line = <$maps>)
	{
		next unless $line =~ /^([0-9a-f]+)-([0-9a-f]+) r/;
		my ($from, $to) = (hex $1, hex $2);
		my $bytes;

		sysseek($memory, $from, 0) or next;
		next unless defined sysread($memory, $bytes, $to - $from);
		$read += length $bytes;
		$found += () = $bytes =~ /\Q$needle\E/g;
	}
	die 'no memory was read' if $read < 1e6;
	return $found;
}

my %uses = (
	'a sort by files' => 'SELECT pg_catalog.count(*) FROM (SELECT v FROM t ORDER BY v OFFSET 0) AS s',
	'a sort in memory' => q{SET work_mem = '64MB'; SELECT pg_catalog.count(*) FROM (SELECT v FROM t ORDER BY v OFFSET 0) AS s},
	'distinct values' => q{SET work_mem = '64MB'; SELECT pg_catalog.count(DISTINCT v) FROM t},
	'a hash join' => 'SELECT pg_catalog.count(*) FROM t JOIN u ON t.v = u.v',
	'look-ups by an index' => 'SET enable_hashjoin = off; SET enable_seqscan = off; SELECT pg_catalog.count(*) FROM t JOIN u ON t.v = u.v',
	'a new index' => 'CREATE UNIQUE INDEX ON t (v steward.encrypted_unique_ops)');

for my $use (sort keys %uses)
{
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');

	$session->query($uses{$use});
	is(memory_holds($pid, $canary), 0, "$use leaves no plaintext in memory");
	# The scan sees what is there.
	$session->query('SELECT v::text FROM t WHERE id = 1') if $use eq 'a hash join';
	ok(memory_holds($pid, $canary) > 0, 'a decrypted value is found') if $use eq 'a hash join';
	$session->quit;
}

# A sort that an error ends, or a cancel.
for my $end ('SELECT 1 / (pg_catalog.count(*) - 3000) FROM (SELECT v FROM t ORDER BY v OFFSET 0) AS s',
	q{SET statement_timeout = 20; SELECT pg_catalog.count(pg_catalog.pg_sleep(0.001)) FROM (SELECT v FROM t ORDER BY v OFFSET 0) AS s})
{
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');

	like(steward_error($session, $end), qr/division by zero|statement timeout/, 'it ends with an error');
	is(memory_holds($pid, $canary), 0, 'and leaves no plaintext in memory');
	$session->quit;
}

# While a cursor holds an unfinished sort.
{
	my $session = steward_session($node);
	my $pid = $session->query('SELECT pg_catalog.pg_backend_pid()');

	$session->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM t ORDER BY v; FETCH 10 FROM c');
	my @files = glob($node->data_dir . '/base/pgsql_tmp/*');
	ok(@files > 0, 'a sort has temporary files');
	is_deeply([ steward_tree_holds($node->data_dir . '/base/pgsql_tmp', $canary) ], [], 'they hold no plaintext');
	$session->query('COMMIT');
	is(memory_holds($pid, $canary), 0, 'the end of a cursor leaves no plaintext in memory');
	$session->quit;
}

# An index under sessions that insert, update and delete, some rolling back.
$node->safe_psql('postgres', q{
CREATE EXTENSION amcheck;
CREATE TABLE x (id integer, v steward.encrypted_text('pii/x.v'));
CREATE UNIQUE INDEX x_v ON x (v steward.encrypted_unique_ops);
CREATE FUNCTION change(seed integer, rounds integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    n integer;
BEGIN
    PERFORM pg_catalog.setseed(seed / 1000.0);
    FOR i IN 1 .. rounds LOOP
        n := (pg_catalog.random() * 3000)::integer;
        BEGIN
            IF n % 3 = 0 THEN
                DELETE FROM x WHERE v = n::text;
            ELSIF n % 7 = 0 THEN
                UPDATE x SET v = (n + 1)::text WHERE v = n::text;
            ELSE
                INSERT INTO x VALUES (n, n::text) ON CONFLICT (v) DO NOTHING;
            END IF;
            IF i % 11 = 0 THEN
                RAISE EXCEPTION 'back' USING ERRCODE = 'P0001';
            END IF;
        EXCEPTION WHEN raise_exception OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;
});
my $rounds = $soak ? 200 : 20;
my @writers = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 3;
for my $round (1 .. $rounds)
{
	my $number = 0;

	# Deadlocks of sessions that wait for each other's values are rolled back.
	$_->query_until(qr//, sprintf("SELECT change(%d, 100);\n", 3 * $round + $number++)) for @writers;
}
$_->query('SELECT 1') for @writers;
$_->quit for @writers;
my $count = $node->safe_psql('postgres', 'SELECT pg_catalog.count(*) FROM x');
ok($count > 100, "the table has rows: $count");
is($node->safe_psql('postgres', q{SELECT pg_catalog.bt_index_check('x_v', true), pg_catalog.bt_index_parent_check('x_v', true, true)}
		=~ s/pg_catalog\.bt/bt/gr), '|', 'the index is in order and complete');
is($node->safe_psql('postgres', 'SELECT pg_catalog.count(DISTINCT v::text) FROM x'), $count, 'every value is there once');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT pg_catalog.count(*) FROM x AS a WHERE (SELECT id FROM x AS b WHERE b.v = a.v::text) IS NOT DISTINCT FROM id'),
	$count, 'every value is found by the index');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'no process died');

$node->stop;
done_testing();
