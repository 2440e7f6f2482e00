# Blind indexes on a standby: while four sessions write on the primary, the standby stops
# at many points of the log, and at each its indexes are in order and answer as a scan of
# the plaintexts does. All pages are compared with what replay makes of them. In the midst
# of it all the standby is promoted; both go on, and stay in order.
# STEWARD_SOAK=1 stops at two hundred points, else at eight; STEWARD_SEED repeats a run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Blind;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $points = ($ENV{STEWARD_SOAK} // '') eq '1' ? 200 : 8;

blind_seed();
my $primary = steward_node('primary', init => { allows_streaming => 1 }, conf => <<'CONF');
autovacuum = off
wal_consistency_checking = 'all'
max_prepared_transactions = 10
max_wal_size = 4GB
wal_keep_size = 4GB
jit = off
CONF
blind_setup($primary);
blind_tables($primary);
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# Replay waits for whoever reads, so that no reader is thrown out.
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = on\nwal_receiver_status_interval = 1");
$standby->start;

# Whether replay ended because a page was not what it is on the primary.
sub inconsistent
{
	return slurp_file($standby->logfile) =~ /(FATAL: .*inconsistent page found.*)/ ? $1 : '';
}

# Asks the standby, which has ended when a page was not what it should be.
sub ask
{
	my ($sql) = @_;
	my ($code, $out) = $standby->psql('postgres', $sql);

	return $code == 0 ? $out : '';
}

# There is nothing to go on with: says so and ends.
sub give_up
{
	my (@of_primary) = @_;

	is(inconsistent(), '', 'replay makes the pages that the primary has');
	end_writers($primary, @of_primary);
	$standby->_update_pid(0);
	$primary->stop;
	done_testing();
	exit;
}

sub writers
{
	my ($node, $series, %maintenance) = @_;

	return blind_start($node,
		(map { blind_script(number => $_, statements => 5000, batch => 200, spread => 200, checks => 0.05, rows => 500, series => $series) } 0 .. $blind_writers - 1),
		blind_maintenance(statements => 5000, rare => 0.1, pause => 0.1, %maintenance));
}

# The sessions end before their scripts do.
sub end_writers
{
	my ($node, @sessions) = @_;

	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'campaign %'});
	return blind_finish(\@sessions, crash => 1);
}

# What they had prepared and not ended would keep whoever comes after them waiting.
sub end_prepared
{
	my ($node) = @_;

	$node->safe_psql('postgres', "ROLLBACK PREPARED '$_'") for split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
	return;
}

sub clean
{
	my ($count, $name) = @_;

	return is(join("\n", @{ $count->{wrong} }), '', $name);
}

# Waits until the standby has replayed what there is now.
sub caught_up
{
	my $until = $primary->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');

	return steward_poll(sub {
			return 1 if inconsistent() ne '';
			my ($code, $out) = $standby->psql('postgres', "SELECT pg_last_wal_replay_lsn() >= '$until'");
			return $code == 0 && $out eq 't';
		}) && inconsistent() eq '';
}

# An index built CONCURRENTLY has no entries of rows that were deleted before, and waits only
# for the snapshots of its own server: whichever access method it has, an old snapshot of a
# standby lacks those rows by it. So there are such builds in the first half of the points,
# and snapshots that replay goes on under in the second.
my $concurrently = 1;
my $series = 1;
my @sessions = writers($primary, $series);
my %lsns;
for my $point (1 .. $points)
{
	my $second_half = $point > $points / 2;

	# Where points take long, writers come to the end of their scripts.
	if ($second_half == $concurrently || $point > 1 && $primary->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'campaign writer'}) == 0)
	{
		clean(end_writers($primary, @sessions), "point $point: nothing was wrong so far");
		end_prepared($primary);
		ok(caught_up(), 'the standby has replayed what they did');
		$concurrently = !$second_half;
		@sessions = writers($primary, ++$series, concurrently => $concurrently);
	}
	my $fresh = ask('SELECT pg_last_wal_replay_lsn()');

	select(undef, undef, undef, rand(0.6));
	steward_poll(sub { return inconsistent() ne '' || ask("SELECT pg_last_wal_replay_lsn() > '$fresh'") eq 't' }) or die "nothing is replayed:\n" . $primary->safe_psql('postgres', 'SELECT pid, state, wait_event, pg_blocking_pids(pid), query FROM pg_stat_activity');
	ask('SELECT pg_wal_replay_pause()');
	steward_poll(sub { return inconsistent() ne '' || ask(q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) eq 't' }) or die 'replay does not pause';
	give_up(@sessions) if inconsistent() ne '';
	my $lsn = ask('SELECT pg_last_wal_replay_lsn()');
	$lsns{$lsn} = 1;
	# What replay has a lock on stays locked while it pauses.
	if ($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL}) == 0)
	{
		isnt(blind_quiet($standby, "point $point: at $lsn all is found and in order"), '', 'checked') or last;
	}
	ask('SELECT pg_wal_replay_resume()');
	next if $concurrently;
	# Readers beside replay, with snapshots that are older than what comes.
	my ($out, $err) = ('', '');
	$standby->psql('postgres', 'BEGIN ISOLATION LEVEL REPEATABLE READ;' . join(';', map { "SELECT driver.check_$_()" } qw(single ranged multi single words single ranged multi words)) . ';COMMIT',
		stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	is(join("\n", grep { /ERROR:  (?!40001|40P01|25P02)/ } split /\n/, $err), '', "point $point: a snapshot that replay goes on under answers alike");
}
give_up(@sessions) if inconsistent() ne '';
cmp_ok(scalar keys %lsns, '>=', 0.8 * $points, 'replay was stopped at many points');
my $count = end_writers($primary, @sessions);
clean($count, "$count->{changes} rows were changed, $count->{queries} questions answered alike");

# When nobody writes both have the same rows by the same answers.
give_up() unless ok(caught_up(), 'the standby has replayed all');
end_prepared($primary);
ok(caught_up(), 'and what was left prepared');
my $found = blind_quiet($primary, 'on the primary all is found and in order');
isnt($found, '', 'checked');
is(blind_quiet($standby, 'on the standby all is found and in order'), $found, 'and the answers are the same');

# Rows that are dead to everybody on the primary may be seen on the standby: what a scan
# learned of them there must hide nothing here. Nothing removes them, for pages of two
# rows are not pruned; and the primary does not know of the standby's snapshots.
$primary->safe_psql('postgres', q{
CREATE TABLE dying (id integer, pad text, v text, e_v steward.encrypted_text('campaign/dying'));
ALTER TABLE dying ALTER pad SET STORAGE plain;
CREATE INDEX dying_v ON dying USING blind (e_v);
INSERT INTO dying SELECT g, repeat('x', 2900), 'to die', 'to die' FROM generate_series(1, 300) AS g});
steward_set($standby, hot_standby_feedback => 'off');
ok($primary->poll_query_until('postgres', 'SELECT bool_and(backend_xmin IS NULL) FROM pg_stat_replication'), 'the primary knows no snapshots of the standby');
ok(caught_up(), 'rows arrived');
my $old = steward_session($standby);
my $count_them = q{SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM dying WHERE e_v = 'to die'::text};
is($old->query("BEGIN ISOLATION LEVEL REPEATABLE READ; $count_them"), '300', 'an old snapshot of the standby has them');
$primary->safe_psql('postgres', 'DELETE FROM dying');
# Scans that learn of it, and full images of the pages that may say so.
is($primary->safe_psql('postgres', $count_them), '0', 'they die') for 1 .. 3;
$primary->safe_psql('postgres', q{CHECKPOINT; INSERT INTO dying SELECT g, '', 'to live', 'to live' FROM generate_series(1, 3) AS g});
is($primary->safe_psql('postgres', $count_them), '0', 'and stay dead');
ok(caught_up(), 'their deletion arrived');
is($old->query('SELECT count(*) FROM dying WHERE e_v = ' . q{'to die'::text}), '300', 'the old snapshot has them still');
is($standby->safe_psql('postgres', $count_them), '0', 'a new one has not');
$old->query('COMMIT');

# Full images leave hints out, but what copies a relation as it is brings them here: there
# a scan must not heed them. The old snapshot has not used the index before, so it has no
# lock on it that moving would take away.
$primary->safe_psql('postgres', q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE other LOCATION ''});
$primary->safe_psql('postgres', q{INSERT INTO dying SELECT g, repeat('x', 2900), 'to move', 'to move' FROM generate_series(1, 300) AS g});
my $hinted = q{SELECT sum(hinted_entries) FROM generate_series(1, pg_relation_size('dying_v') / 8192 - 1) AS block, LATERAL steward.blind_page_stats('dying_v', block)};
my $count_moved = $count_them =~ s/to die/to move/r;
ok(caught_up(), 'more rows arrived');
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$primary->safe_psql('postgres', q{DELETE FROM dying WHERE v = 'to move'});
is($primary->safe_psql('postgres', $count_moved), '0', 'they die') for 1 .. 2;
cmp_ok($primary->safe_psql('postgres', $hinted), '>=', 300, 'and it is known of their entries');
$primary->safe_psql('postgres', 'ALTER INDEX dying_v SET TABLESPACE other');
ok(caught_up(), 'the index moved');
cmp_ok($standby->safe_psql('postgres', $hinted), '>=', 300, 'hints with it');
is($old->query('SELECT count(*) FROM dying WHERE e_v = ' . q{'to move'::text}), '300', 'the old snapshot heeds no hint');
is($standby->safe_psql('postgres', $count_moved), '0', 'a new one does not have the rows');
$old->query('COMMIT');
$old->quit;

# Promotion while the primary goes on writing.
@sessions = writers($primary, ++$series);
select(undef, undef, undef, 1 + rand(1));
give_up(@sessions) if inconsistent() ne '';
pass('replay still makes the pages that the primary has');
$standby->promote;
my @others = writers($standby, ++$series);
select(undef, undef, undef, 1 + rand(1));
for my $place ([ $primary, @sessions ], [ $standby, @others ])
{
	my ($node, @of_node) = @$place;
	my $name = $node->name;

	$count = end_writers($node, @of_node);
	clean($count, "$name: $count->{changes} rows were changed around the promotion");
	end_prepared($node);
	$node->safe_psql('postgres', "DROP INDEX IF EXISTS $_") for split /\n/, $node->safe_psql('postgres', q{SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid});
	isnt(blind_quiet($node, "$name: after the promotion all is found and in order"), '', 'checked');
	$node->safe_psql('postgres', "VACUUM $_") for qw(single multi sole ranged words);
	isnt(blind_quiet($node, "$name: and after a VACUUM"), '', 'checked');
	unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, "$name: no process died");
}
$standby->stop;
$primary->stop;
done_testing();
