# Policies that run by themselves: on time, once for what was missed, and again after whatever
# ended them; what fails is tried later and keeps nobody else waiting; nobody waits for a run that goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = steward_node('retention_worker', init => { allows_streaming => 1 }, conf => <<'CONF');
steward.max_workers = 4
max_worker_processes = 16
steward.retention_retry_delay = 20ms
restart_after_crash = on
CONF
my $running = q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pg_steward: retention'
	AND backend_type = 'pg_steward worker' AND query ~ 'policy "visits", '};

# A table with expired rows, which go slowly: each takes a millisecond of its batch.
sub prepare
{
	my ($database, $rows, %options) = @_;

	$node->safe_psql($database, qq{
		CREATE EXTENSION IF NOT EXISTS pg_steward;
		CREATE TABLE visit (id int, at timestamptz);
		INSERT INTO visit SELECT n, CASE WHEN n % 10 = 0 THEN now() ELSE '2001-01-01' END FROM generate_series(1, $rows) AS n});
	$node->safe_psql($database, q{
		CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN OLD; END $$;
		CREATE TRIGGER slow BEFORE DELETE ON visit FOR EACH ROW EXECUTE FUNCTION slow()}) if $options{slow};
	return;
}

sub create_policy
{
	my ($database, $schedule) = @_;

	return $node->safe_psql($database,
		"SELECT steward.create_policy('visits', 'visit', 'at', '1 year', schedule => '$schedule')");
}

sub ask
{
	my ($sql, $database) = @_;

	return $node->safe_psql($database // 'postgres', $sql);
}

sub becomes
{
	my ($sql, $what, $database) = @_;

	ok($node->poll_query_until($database // 'postgres', $sql), $what);
	return;
}

sub comes_true
{
	my ($sql, $database) = @_;

	$node->poll_query_until($database // 'postgres', $sql) or die "never: $sql";
	return;
}

# In mid-batch, or between two.
sub in_the_middle
{
	my ($database) = @_;

	comes_true('SELECT count(*) > 0 FROM steward.policy_progress WHERE batches >= 2 AND pid IS NOT NULL', $database);
	comes_true($running);
	return;
}

# Rows destroyed are rows counted.
sub counts
{
	my ($rows, $what, $database) = @_;

	is(ask("SELECT (SELECT sum(rows) FROM steward.policy_run WHERE policy = 'visits') + (SELECT count(*) FROM visit)", $database),
		$rows, "$what: what is gone was counted");
	return;
}

# Seconds that something takes.
sub seconds
{
	my ($deed) = @_;
	my $begin = time;

	$deed->();
	return time - $begin;
}

# Of which a slow machine takes some that are not the worker's: as many as for a database of which
# the worker knows nothing.
sub under_a_second
{
	my ($what, $deed) = @_;
	my $error;
	my $slowness = seconds(sub { ask('CREATE DATABASE slowness TEMPLATE template0'); ask('DROP DATABASE slowness'); });
	my $took = seconds(sub { $error = $deed->(); });

	is($error // '', '', $what);
	cmp_ok($took, '<', 1 + $slowness, "$what takes less than a second");
	return;
}

# ---- by itself ----

prepare('postgres', 1000);
create_policy('postgres', '1 second');
becomes('SELECT count(*) = 100 FROM visit', 'a policy runs by itself');
comes_true(q{SELECT count(*) >= 3 FROM steward.policy_run WHERE state = 'complete'});
is(ask(q{SELECT bool_and(started_by IS NULL AND planned IS NOT NULL AND retries = 0 AND planned <= started_at
		AND started_at < planned + interval '30 seconds') FROM steward.policy_run}), 't',
	'the history says that nobody called it, and what it was for');
is(ask(q{SELECT count(*) FROM steward.policy_run r JOIN steward.policy_run o ON r.planned = o.planned AND r.id <> o.id}), '0',
	'no planned time is run for twice');
counts(1000, 'runs of every second');
ask(q{SELECT steward.alter_policy('visits', schedule => '')});
my $runs = ask('SELECT count(*) FROM steward.policy_run');
ask(q{INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(1, 10) AS n});
sleep 2.5;
is(ask('SELECT count(*) FROM steward.policy_run'), $runs, 'without a schedule it does not');
ask(q{CALL steward.run_policy('visits')});
is(ask(q{SELECT started_by = current_user AND planned IS NULL FROM steward.policy_run ORDER BY id DESC LIMIT 1}), 't',
	'who calls a run is in the history');

# ---- paused ----

ask(q{SELECT steward.pause_policy('visits')});
ask(q{SELECT steward.alter_policy('visits', schedule => '1 second')});
$runs = ask('SELECT count(*) FROM steward.policy_run');
sleep 2.5;
is(ask('SELECT count(*) FROM steward.policy_run'), $runs, 'a paused policy does not run');
ask(q{SELECT steward.resume_policy('visits')});
becomes("SELECT count(*) > $runs FROM steward.policy_run", 'one that was resumed does');

# ---- downtime ----

ask(q{SELECT steward.alter_policy('visits', schedule => '1 hour')});
ask(q{UPDATE steward.policy_state SET anchor = now() - interval '3 days', next_run = now() - interval '50 hours', last_planned = now() - interval '51 hours'});
$runs = ask('SELECT count(*) FROM steward.policy_run');
$node->restart;
becomes("SELECT count(*) > $runs FROM steward.policy_run WHERE state = 'complete'", 'after a start it runs for what was missed');
sleep 2;
is(ask('SELECT count(*) FROM steward.policy_run') - $runs, 1, 'once');
is(ask(q{SELECT next_run > now() AND next_run <= now() + interval '1 hour' AND last_planned < now() - interval '49 hours' FROM steward.policy_state}), 't',
	'and is planned from now on');

# ---- what ends a run ----

ask('DROP TABLE visit; SELECT steward.drop_policy(\'visits\'); DELETE FROM steward.policy_run_log');
prepare('postgres', 6000, slow => 1);
create_policy('postgres', '1 second');
in_the_middle();
like(ask(q{SELECT string_agg(DISTINCT query, ' ') FROM pg_stat_activity WHERE application_name = 'pg_steward: retention'}),
	qr/^pg_steward: retention: policy "visits", batches$/, 'pg_stat_activity shows what it does');
under_a_second('a fast stop', sub { $node->stop('fast'); return; });
$node->start;
in_the_middle();
counts(6000, 'after a fast stop');
is(ask(q{SELECT string_agg(state, ' ' ORDER BY id) FROM steward.policy_run}), 'interrupted running', 'and it goes on at once');
steward_kill($node, ask('SELECT pid FROM steward.policy_progress'));
my $begin = time;
in_the_middle();
cmp_ok(time - $begin, '<', 10, 'after a kill -9 too');
counts(6000, 'after kill -9');
$node->stop('immediate');
$node->start;
in_the_middle();
counts(6000, 'after an immediate stop');
# Who wants to change it does not wait for its end.
under_a_second('pausing a policy that runs', sub { return steward_error($node, q{SELECT steward.pause_policy('visits')}); });
is(ask(q{SELECT state FROM steward.policy_run ORDER BY id DESC LIMIT 1}), 'waiting', 'the run gives way');
like(ask(q{SELECT cursor FROM steward.policy_run_log ORDER BY id DESC LIMIT 1}), qr/^\d+ \w+ \d+ [1-9]\d*$/, 'with its place and the size of its batches');
my $waiting = ask(q{SELECT max(id) FROM steward.policy_run});
ask(q{SELECT steward.resume_policy('visits')});
ask('DROP TRIGGER slow ON visit');
becomes("SELECT state = 'complete' FROM steward.policy_run WHERE id = $waiting", 'and goes on as the same run');
counts(6000, 'in the end');
is(ask('SELECT count(*) FROM visit'), '600', 'and all that had expired is gone');

# ---- others suffer ----

ask('CREATE TRIGGER slow BEFORE DELETE ON visit FOR EACH ROW EXECUTE FUNCTION slow()');
ask(q{INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(1, 20000) AS n});
in_the_middle();
my $pausing = q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ 'policy "visits", pausing for %s'};
ask(q{SELECT pg_create_physical_replication_slot('forgotten', true)});
ask(q{SELECT pg_logical_emit_message(false, 'x', 'x'); SELECT pg_switch_wal()}) for 1 .. 6;
becomes(sprintf($pausing, 'standbys or slots'), 'it sleeps longer when a replication slot lags');
under_a_second('pausing a policy that sleeps', sub { return steward_error($node, q{SELECT steward.pause_policy('visits')}); });
ask(q{SELECT pg_drop_replication_slot('forgotten'); TRUNCATE visit; DELETE FROM steward.policy_run_log; SELECT steward.resume_policy('visits')});

# ---- DROP EXTENSION, DROP DATABASE and their like ----

ask('CREATE DATABASE shop');
prepare('shop', 20000, slow => 1);
create_policy('shop', '1 second');
in_the_middle('shop');
under_a_second('DROP EXTENSION', sub { return steward_error($node, 'DROP EXTENSION pg_steward CASCADE', database => 'shop') =~ /ERROR/ ? 'error' : ''; });
my $left = ask('SELECT count(*) FROM visit', 'shop');
sleep 1;
is(ask('SELECT count(*) FROM visit', 'shop'), $left, 'and no batch comes after it');
ask('DROP TABLE visit; DROP FUNCTION slow', 'shop');
prepare('shop', 20000, slow => 1);
create_policy('shop', '1 second');
for my $sql ('ALTER DATABASE shop RENAME TO store', 'ALTER DATABASE store RENAME TO shop', 'CREATE DATABASE copy TEMPLATE shop', 'DROP DATABASE copy', 'DROP DATABASE shop')
{
	in_the_middle($sql =~ /DATABASE store/ ? 'store' : $sql =~ /DROP DATABASE copy/ ? 'copy' : 'shop');
	under_a_second($sql, sub { return steward_error($node, $sql); });
}

# ---- failures ----

my $offset = -s $node->logfile;
ask(q{
	CREATE TABLE broken (id int, at timestamptz); INSERT INTO broken VALUES (1, '2001-01-01');
	CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'keep row 4711' USING ERRCODE = 'ZZ001'; END $$;
	CREATE TRIGGER break BEFORE DELETE ON broken FOR EACH ROW EXECUTE FUNCTION break();
	CREATE TABLE gone (at timestamptz); CREATE TABLE bare (id int, at timestamptz);
	CREATE ROLE maker SUPERUSER LOGIN;
	SET ROLE maker;
	SELECT steward.create_policy(n, n::regclass, 'at', '1 year', schedule => '1 second') FROM unnest('{broken,gone,bare}'::text[]) AS n;
	RESET ROLE;
	DROP TABLE gone; ALTER TABLE bare DROP COLUMN at; DROP ROLE maker});
$runs = ask(q{SELECT count(*) FROM steward.policy_run WHERE policy = 'visits' AND state = 'complete'});
becomes(q{SELECT count(*) = 3 FROM steward.policy_state WHERE quarantined_at IS NOT NULL}, 'policies that fail again and again are quarantined');
is(ask(q{SELECT string_agg(concat_ws(' ', policy, failures, sqlstate, retry_at), ', ' ORDER BY policy) FROM steward.policy_state WHERE quarantined_at IS NOT NULL}),
	'bare 10 42703, broken 10 ZZ001, gone 10 42P01', 'after ten failures, with their errors');
is(ask(q{SELECT string_agg(x, ', ' ORDER BY x) FROM (SELECT concat_ws(' ', policy, count(*), min(retries), max(retries), string_agg(DISTINCT concat_ws(' ', state, sqlstate), ' '))
		AS x FROM steward.policy_run_log WHERE policy IN ('broken', 'gone', 'bare') GROUP BY policy) AS y}),
	'bare 10 0 9 failed 42703, broken 10 0 9 failed ZZ001, gone 10 0 9 failed 42P01', 'each is in the history');
is(ask(q{SELECT DISTINCT error FROM steward.policy_run_log WHERE policy = 'gone'}), 'the table of policy "gone" no longer exists', 'and what it was');
is(ask(q{SELECT count(*) FROM steward.policy_run_log WHERE policy = 'broken' AND error ~ '4711'}), '0', 'but not what a trigger says of a row');
ok(ask(q{SELECT count(*) FROM steward.policy_run WHERE policy = 'visits' AND state = 'complete'}) > $runs, 'others have run meanwhile');
my $log = join '', grep { !/LOG:  statement: / } split /^/m, substr(slurp_file($node->logfile), $offset);
like($log, qr/WARNING:  .*retention policy "broken" is quarantined after 10 failures in a row, the last of them ZZ001\n.*HINT:  .*steward\.resume_policy/,
	'the log says so');
unlike($log, qr/row 4711/, 'and not what the row was');
$runs = ask(q{SELECT count(*) FROM steward.policy_run WHERE policy = 'broken'});
sleep 2;
is(ask(q{SELECT count(*) FROM steward.policy_run WHERE policy = 'broken'}), $runs, 'a policy in quarantine is left alone');
ask('DROP TRIGGER break ON broken');
ask(q{SELECT steward.resume_policy('broken')});
becomes('SELECT count(*) = 0 FROM broken', 'until it is resumed');
comes_true(q{SELECT failures = 0 AND sqlstate IS NULL FROM steward.policy WHERE name = 'broken'});
ask(q{SELECT steward.drop_policy(name) FROM steward.policy});

# ---- runs that kill their server ----

ask(q{
	CREATE TABLE poison (at timestamptz); INSERT INTO poison VALUES ('2001-01-01');
	CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(600); RETURN OLD; END $$;
	CREATE TRIGGER sleep BEFORE DELETE ON poison FOR EACH ROW EXECUTE FUNCTION sleep();
	SELECT steward.create_policy('poison', 'poison', 'at', '1 year', schedule => '1 second')});
for my $time (1 .. 10)
{
	my $in_batch = q{SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_steward: retention' AND wait_event = 'PgSleep'};

	comes_true("SELECT count(*) > 0 FROM ($in_batch) AS s");
	if ($time <= 2) { steward_kill($node, ask($in_batch)); }
	else { ask("SELECT pg_terminate_backend(pid, 10000) FROM ($in_batch) AS s"); }
}
becomes(q{SELECT quarantined_at IS NOT NULL FROM steward.policy_state WHERE policy = 'poison'}, 'a policy whose runs end with their process is quarantined, too');
is(ask(q{SELECT count(*), string_agg(DISTINCT state, ' '), min(retries), max(retries) FROM steward.policy_run WHERE policy = 'poison'}), '10|interrupted|0|9', 'after ten runs');
is(ask(q{SELECT failures, sqlstate FROM steward.policy WHERE name = 'poison'}), '10|57P02', 'which were failures');
ask(q{SELECT steward.drop_policy('poison')});

# ---- several policies, and databases, each of which has more to do than its turn allows ----

ask('DROP TABLE visit');
ask('CREATE EXTENSION pg_steward', 'template1');
ask("CREATE DATABASE d$_") for 1 .. 6;
steward_set($node, 'steward.max_workers' => 0);
for my $database (map { "d$_" } 1 .. 6)
{
	prepare($database, 30000, slow => 1);
	create_policy($database, '1 second');
}
ask(q{CREATE TABLE other (at timestamptz); INSERT INTO other VALUES ('2001-01-01');
	SELECT steward.create_policy('other', 'other', 'at', '1 year', schedule => '1 second')}, 'd1');
my $most = 0;
$begin = time;
steward_set($node, 'steward.max_workers' => 4);
my %left = map { ("d$_" => 1) } 1 .. 6;
steward_poll(
	sub {
		my $count = ask(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_steward: retention'});
		$most = $count if $count > $most;
		for my $database (keys %left)
		{
			delete $left{$database} if ask('SELECT count(*) > 0 FROM steward.policy_run WHERE batches > 0', $database) eq 't';
		}
		return !%left;
	});
is(join(' ', sort keys %left), '', 'all databases get their turn');
cmp_ok(time - $begin, '<', 90, 'soon');
is($most, 2, 'half of the workers, no more, do lengthy work');
becomes('SELECT count(*) = 0 FROM other', 'so does another policy of a database', 'd1');
becomes(q{SELECT count(*) > 0 AND bool_and(state IN ('running', 'waiting')) FROM steward.policy_run WHERE policy = 'visits'},
	'a run that gave way is gone on with, and not begun anew', 'd1');
becomes("SELECT batches >= 10 FROM steward.policy_run WHERE policy = 'visits'", 'and comes on', "d$_") for 1, 6;
counts(30000, 'in turns', 'd1');
$node->stop;

done_testing();
