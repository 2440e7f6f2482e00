# Sessions that insert at the same time into an index that has one leaf to begin with: they
# come to the same leaves, split them side by side, and make the first roots. Whoever let
# go of a page too early, or held it too loosely, would lose an entry, a downlink
# or a whole branch: afterwards each row is found, and the index is in order. A reader
# goes over it all the while.
# STEWARD_SOAK=1 does it two hundred times, else ten; STEWARD_ROUNDS as often as it says.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $sessions = 8;
my $rounds = $ENV{STEWARD_ROUNDS} || (($ENV{STEWARD_SOAK} // '') eq '1' ? 200 : 10);
my $node = steward_node('splits', conf => "autovacuum = off\nmax_wal_size = 4GB\njit = off");

# A value for ranges has 34 entries, most of them elsewhere: a row comes to as many leaves.
$node->safe_psql('postgres', q{
SELECT steward.create_key('splits');
CREATE TABLE drop_by (id bigint, v bigint, e_v steward.encrypted_bigint('splits/v'));
CREATE INDEX drop_by_v ON drop_by USING blind (e_v steward.blind_bigint_range_ops) WITH (range_tags = 34);
-- where short tags come to the same few leaves
CREATE INDEX drop_by_short ON drop_by USING blind (e_v) WITH (tag_bits = 8);
CREATE FUNCTION drop_in(session integer, rounds integer, rows integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO drop_by SELECT 1000000 * session + n, v, v
        FROM (SELECT n, ((random() * 2 - 1) * 9e18)::bigint AS v FROM generate_series(rounds * rows, rounds * rows + rows - 1) AS n OFFSET 0) AS s;
$$});

# They all wait until the gate is opened.
sub play
{
	my (@scripts) = @_;
	my $gate = steward_session($node);
	my $directory = steward_directory('scripts');
	my @running;

	$gate->query('SELECT pg_advisory_lock(1)');
	for my $script (@scripts)
	{
		my $path = "$directory/" . scalar @running;

		append_to_file($path, "SELECT pg_advisory_lock_shared(1);\n$script");
		push @running, IPC::Run::start([ 'psql', '-XAtq', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $path ], '<', \'', '2>', "$path.err");
	}
	$node->poll_query_until('postgres', q{SELECT count(*) = } . @scripts . q{ FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die 'sessions do not come';
	$gate->query('SELECT pg_advisory_unlock(1)');
	$gate->quit;
	$_->finish for @running;
	return scalar grep { $_->result != 0 } @running;
}

my $find_all = q{SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off;
SELECT count(*) FROM (SELECT id, v FROM drop_by OFFSET 0) AS p, LATERAL (SELECT id FROM drop_by AS q WHERE q.e_v = p.v OFFSET 0) AS f WHERE f.id = p.id};
for my $round (1 .. $rounds)
{
	$node->safe_psql('postgres', 'TRUNCATE drop_by');
	# Some come with a row at a time, some with many.
	my $rows = $round % 2 ? 10 : 250;
	my $times = $round % 2 ? 60 : 4;
	my @writers = map { my $session = $_; join '', map { "SELECT drop_in($session, $_, $rows);\n" } 1 .. $times } 1 .. $sessions;
	my $reader = q{SELECT steward.blind_index_check('drop_by_v', false), steward.blind_index_check('drop_by_short', false);} . "\nSELECT pg_sleep(0.02);\n";

	is(play(@writers, $reader x 10), 0, "round $round: no session failed");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM drop_by'), $sessions * $rows * $times, 'all rows are there');
	is($node->safe_psql('postgres', q{SELECT steward.blind_index_check('drop_by_v', true), steward.blind_index_check('drop_by_short', true)}), '|', 'both indexes are in order') or last;
	is($node->safe_psql('postgres', $find_all), $sessions * $rows * $times, 'and all are found') or last;
}
cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('drop_by_v') / current_setting('block_size')::integer}), '>', 50, 'leaves were split many times');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no process died');
$node->stop;
done_testing();
