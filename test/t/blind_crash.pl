# A crash at any moment leaves blind indexes in order and equal to their tables: no row is
# lost to a search, and none comes up that is not there. Some crashes come while
# recovery from the one before runs, and some find a split half done.
# STEWARD_SOAK=1 crashes two hundred times, else five; STEWARD_ROUNDS says how often,
# STEWARD_SEED repeats a run, as far as crashes can be repeated.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Blind;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $rounds = $ENV{STEWARD_ROUNDS} || (($ENV{STEWARD_SOAK} // '') eq '1' ? 200 : 5);

blind_seed();
my $node = steward_node('crash', conf => <<'CONF');
autovacuum = off
max_prepared_transactions = 100
restart_after_crash = on
max_wal_size = 64MB
jit = off
CONF
blind_setup($node);

sub counted
{
	return $node->safe_psql('postgres', 'SELECT ' . join ' + ', map { "(SELECT count(*) FROM $_)" } qw(single multi sole ranged words));
}

my ($changes, $prepared, $made) = (0, 0, 0);
for my $round (1 .. $rounds)
{
	# Tables of many sizes live through some crashes each.
	if ($round % 5 == 1)
	{
		$node->safe_psql('postgres', 'ROLLBACK PREPARED ' . "'$_'") for split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
		blind_tables($node, persistence => $round % 20 == 16 ? 'UNLOGGED' : '', parts => $round % 10 == 6 ? 3 : 0);
	}
	my $parts = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'single'::regclass});
	my @sessions = blind_start($node,
		(map { blind_script(number => $_, statements => 4000, batch => $round % 2 ? 2000 : 30, spread => 300, checks => 0.02, rows => 1000, series => $round, prepared => 0.25) } 0 .. $blind_writers - 1),
		blind_maintenance(statements => 5000, rare => 0.2, pause => 0.05, parts => $parts));

	select(undef, undef, undef, 0.2 + rand($round % 3 ? 1 : 3));
	if ($round % 2)
	{
		# kill -9 of a process: the server throws everybody out and recovers
		steward_kill($node, split /\n/, $node->safe_psql('postgres', q{
SELECT pid FROM pg_stat_activity WHERE (backend_type = 'client backend' AND pid <> pg_backend_pid()) OR backend_type IN ('checkpointer', 'background writer')
ORDER BY backend_type NOT LIKE 'client%', random()}));
	}
	else
	{
		$node->stop('immediate');
		if ($round % 4 == 0)
		{
			# and once more in the midst of recovery, maybe
			system('pg_ctl', '-W', '-s', '-D', $node->data_dir, '-l', $node->logfile, 'start');
			# Who stops a server that has not yet said that it is there stops nothing.
			select(undef, undef, undef, 0.01) until -s $node->data_dir . '/postmaster.pid';
			select(undef, undef, undef, rand(0.3));
			system_or_bail('pg_ctl', '-w', '-s', '-m', 'immediate', '-D', $node->data_dir, 'stop');
		}
		$node->start;
	}
	my $count = blind_finish(\@sessions, crash => 1);
	is(join("\n", @{ $count->{wrong} }), '', "round $round: nothing was wrong before the crash");
	$changes += $count->{changes} + $count->{tried};
	# What is prepared is decided now or stays over the next crash; but not with its locks on
	# the table of an index whose making the crash ended: that is not valid, and is dropped.
	my @broken = split /\n/, $node->safe_psql('postgres', q{SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid OR indexrelid::regclass::text LIKE 'extra%'});
	for my $gid (split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts'))
	{
		my $fate = rand();

		$prepared++;
		next if $fate > 0.7 && !@broken;
		$node->safe_psql('postgres', ($fate < 0.35 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$gid'");
	}
	for my $index (@broken)
	{
		$made++;
		$node->safe_psql('postgres', "DROP INDEX IF EXISTS $index");
	}
	my $rows = counted();
	isnt(blind_quiet($node, "round $round: $rows rows are all found, and the indexes are in order"), '', 'checked') or last;
	# Whoever writes next finishes what was half done.
	$node->safe_psql('postgres', q{INSERT INTO single (writer, low, mid, high, e_low, e_mid, e_high) SELECT 0, low, mid, high, low, mid, high FROM driver.singles(500, 300);
INSERT INTO ranged (writer, i, n, d, t, e_i, e_n, e_d, e_t) SELECT 0, i, n, d, t, i, n, d, t FROM driver.ranges(100, 300);
INSERT INTO words (writer, x, e_x) SELECT 0, x, x FROM driver.texts(100, 300)});
	isnt(blind_quiet($node, 'and after another insert'), '', 'checked') or last;
	$node->safe_psql('postgres', 'VACUUM single, multi, sole, ranged, words') if $round % 2;
	is(counted(), $rows + 700, 'and nobody lost a row');
}
cmp_ok($changes, '>', 200 * $rounds, "$changes rows were changed");

# What is not logged is empty after a crash, and its index with it.
$node->safe_psql('postgres', q{
CREATE UNLOGGED TABLE gone (id integer, v text, e_v steward.encrypted_text('campaign/gone'));
CREATE INDEX gone_v ON gone USING blind (e_v);
INSERT INTO gone SELECT g, g % 100, (g % 100)::text FROM generate_series(1, 5000) AS g;
CHECKPOINT;
INSERT INTO gone SELECT g, g % 100, (g % 100)::text FROM generate_series(5001, 6000) AS g});
$node->stop('immediate');
$node->start;
my $find = q{SET enable_seqscan = off; SELECT count(*) FROM gone WHERE e_v = '7'::text;};
is($node->safe_psql('postgres', $find . 'SELECT count(*) FROM gone'), "0\n0", 'an unlogged table is empty');
is($node->safe_psql('postgres', q{SELECT steward.blind_index_check('gone_v', true)}), '', 'its index is in order');
$node->safe_psql('postgres', q{INSERT INTO gone SELECT g, g % 100, (g % 100)::text FROM generate_series(1, 3000) AS g});
is($node->safe_psql('postgres', $find . q{SELECT steward.blind_index_check('gone_v', true)}), "30\n", 'and takes new rows');
note("$prepared transactions were prepared, $made indexes half made");
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:/, 'no process died of anything else');
$node->stop;
done_testing();
