# Retention through crashes, cancels and dumps: what a run counted is what is
# gone, and whatever ended it, the next run goes on.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('retention');
$node->init;
$node->append_conf('postgresql.conf', "fsync = on\nrestart_after_crash = on\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_steward;
	CREATE TABLE visit (id int, at timestamptz);
	CREATE TABLE gate ();
	-- Row 3000 waits while the gate is there.
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		WHILE EXISTS (SELECT FROM public.gate) LOOP
			PERFORM pg_sleep(0.05);
		END LOOP;
		RETURN OLD;
	END
	$$;
	CREATE TRIGGER wait BEFORE DELETE ON visit FOR EACH ROW WHEN (OLD.id = 3000) EXECUTE FUNCTION wait();
	SELECT steward.create_policy('visits', 'visit', 'at', '1 year', time_zone => 'Europe/Berlin');
});

# Fills the table and begins a run that stops in the batch that has row 3000.
sub begin_run
{
	$node->safe_psql('postgres', q{
		TRUNCATE visit, gate;
		INSERT INTO gate DEFAULT VALUES;
		INSERT INTO visit SELECT n, CASE WHEN n % 10 = 0 AND n <> 3000 THEN now() ELSE '2001-01-01' END
		FROM generate_series(1, 6000) AS n;
		DELETE FROM steward.policy_run_log;
	});
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{CALL steward.run_policy('visits')} ],
		'<', \$in, '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^CALL' AND wait_event = 'PgSleep'})
		or die 'the run did not come to the gate';
	return ($run, \$err);
}

# Committed deletes and committed counters are the same at any moment.
sub check_counters
{
	my ($what) = @_;
	my $answer = $node->safe_psql('postgres', q{
		SELECT (SELECT sum(rows) FROM steward.policy_run) = 5401 - (SELECT count(*) FROM visit WHERE at < '2002-01-01'),
			(SELECT sum(rows) BETWEEN 500 AND 5000 FROM steward.policy_run),
			(SELECT count(*) FROM visit WHERE at >= '2002-01-01')});
	is($answer, 't|t|599', "$what: what was counted is gone, nothing else is");
}

# Opens the gate and runs the policy to its end.
sub check_next_run
{
	my ($what, $states) = @_;
	$node->safe_psql('postgres', 'DELETE FROM gate');
	$node->safe_psql('postgres', q{CALL steward.run_policy('visits')});
	is($node->safe_psql('postgres', q{SELECT count(*) FROM visit}), '599', "$what: the next run takes the rest");
	is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', state, sqlstate), ', ' ORDER BY id),
		sum(rows) FROM steward.policy_run}), "$states, complete|5401", "$what: both runs say how they ended");
}

# kill -9 of the backend: the server restarts, as after a crash.
my ($run, $err) = begin_run();
check_counters('while it runs');
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL'});
kill 'KILL', $pid;
$run->finish;
$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
check_counters('after kill -9');
check_next_run('after kill -9', 'interrupted');

# An immediate stop of the whole server.
($run, $err) = begin_run();
$node->stop('immediate');
$run->finish;
$node->start;
check_counters('after an immediate stop');
check_next_run('after an immediate stop', 'interrupted');

# A cancel is recorded at once.
($run, $err) = begin_run();
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL'});
$run->finish;
like($$err, qr/canceling statement due to user request/, 'a cancelled run says so');
check_counters('after a cancel');
check_next_run('after a cancel', 'interrupted 57014');

# So is a terminated session, by the next run.
($run, $err) = begin_run();
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL'});
$run->finish;
check_counters('after the end of its session');
check_next_run('after the end of its session', 'interrupted');

# A failing batch keeps what was done before it.
$node->safe_psql('postgres', q{
	TRUNCATE visit;
	DELETE FROM steward.policy_run_log;
	INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(1, 2000) AS n;
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = 'ZZ001'; END$$;
	CREATE TRIGGER refuse BEFORE DELETE ON visit FOR EACH ROW WHEN (OLD.id = 700) EXECUTE FUNCTION refuse();
});
my ($code, $stdout, $stderr) = $node->psql('postgres', q{CALL steward.run_policy('visits')});
is($code, 3, 'a failing batch fails the run');
like($stderr, qr/not this one/, 'with its own error');
is($node->safe_psql('postgres', q{SELECT state = 'failed' AND sqlstate = 'ZZ001' AND rows BETWEEN 100 AND 699 AND rows = 2000 - (SELECT count(*) FROM visit)
		FROM steward.policy_run}),
	't', 'and keeps what was done before it');

# A table that stays locked fails the run after a while.
$node->safe_psql('postgres', q{DROP TRIGGER refuse ON visit; DELETE FROM steward.policy_run_log});
my ($in, $out) = ("BEGIN; LOCK TABLE visit IN EXCLUSIVE MODE; SELECT 'locked';\n", '');
my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out);
IPC::Run::pump $holder until $out =~ /locked/;
($code, $stdout, $stderr) = $node->psql('postgres', q{CALL steward.run_policy('visits')});
like($stderr, qr/canceling statement due to lock timeout/, 'a table that stays locked fails the run');
is($node->safe_psql('postgres', q{SELECT state, sqlstate, rows FROM steward.policy_run}), 'failed|55P03|0',
	'which says why');
$in .= "COMMIT;\n\\q\n";
$holder->finish;
$node->safe_psql('postgres', q{CALL steward.run_policy('visits')});

# Dump and restore: policies and their history come along, as names, and a
# policy whose table is gone does not.
$node->safe_psql('postgres', q{
	CREATE TABLE doomed (at date);
	SELECT steward.create_policy('doomed', 'doomed', 'at', '1 day');
	DROP TABLE doomed;
	CREATE SCHEMA "Odd one";
	CREATE TABLE "Odd one"."Some table" ("When" date);
	SELECT steward.create_policy('odd', '"Odd one"."Some table"', 'When', '1 day');
	INSERT INTO "Odd one"."Some table" VALUES ('2001-01-01'), (current_date);
	-- What belongs to a policy comes along: children, state, columns, an archive.
	CREATE TABLE parent (id int PRIMARY KEY, at date, name text);
	CREATE TABLE "Odd one".child (parent int CONSTRAINT "the key" REFERENCES parent ON DELETE CASCADE);
	INSERT INTO parent VALUES (1, '2001-01-01', 'x');
	INSERT INTO "Odd one".child VALUES (1);
	SELECT steward.create_policy('family', 'parent', 'at', '1 day', schedule => '@daily', filter => 'name IS NOT NULL',
		children => '{"\"Odd one\".child": "cascade"}');
	SELECT steward.pause_policy('family');
	SELECT steward.create_policy('blank', 'parent', 'at', '1 day', 'anonymize', columns => '{"name": null}');
	CREATE TABLE parent_archive (LIKE parent);
	SELECT steward.create_policy('moved', 'parent', 'at', '1 day', 'archive', archive => 'parent_archive', children => '{"\"Odd one\".child": "cascade"}');
	CREATE TABLE gone_archive (LIKE parent);
	SELECT steward.create_policy('lost', 'parent', 'at', '1 day', 'archive', archive => 'gone_archive', children => '{"\"Odd one\".child": "cascade"}');
	DROP TABLE gone_archive;
});
my $dump = PostgreSQL::Test::Utils::tempdir() . '/retention.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
my $policies = q{SELECT name, relation, age, keep, filter, action, columns, archive, children, schedule, time_zone, next_run, paused_at, paused_by,
	created_by, created_at FROM steward.policy
	WHERE name NOT IN ('doomed', 'lost') ORDER BY name};
my $history = q{SELECT id, policy, relation, cutoff, started_at, finished_at, rows, batches, skipped, state, sqlstate
	FROM steward.policy_run ORDER BY id};
is($node->safe_psql('restored', $policies), $node->safe_psql('postgres', $policies), 'policies are restored');
is($node->safe_psql('restored', $history), $node->safe_psql('postgres', $history), 'so is the history');
my $receipts = q{SELECT r.*, l.root, l.salt, l.frontier FROM steward.policy_receipt AS r JOIN steward.policy_run_log AS l ON l.id = r.run ORDER BY run, batch};
my $kept = $node->safe_psql('postgres', $receipts);
cmp_ok(scalar(split /\n/, $kept), '>', 1, 'there are receipts');
is($node->safe_psql('restored', $receipts), $kept, 'which are restored');
$node->safe_psql('restored', q{
	UPDATE steward.policy_run_log SET state = 'waiting' WHERE id = (SELECT max(id) FROM steward.policy_run_log WHERE policy = 'visits');
	INSERT INTO visit SELECT n, '2001-01-01' FROM generate_series(1, 10) AS n});
is($node->safe_psql('restored', q{CALL steward.run_policy('visits'); SELECT count(*) FROM steward.policy_run}),
	"10\n" . $node->safe_psql('postgres', 'SELECT count(*) FROM steward.policy_run'), 'a run that waits goes on');
is($node->safe_psql('restored', 'SELECT v.* FROM steward.policy_run AS r, steward.verify_receipt(r.id) AS v'), '', 'with receipts that fit');
is($node->safe_psql('restored', q{SELECT count(*), (SELECT count(*) FROM steward.policy_state) FROM steward.policy}), '5|5',
	'without the policies whose table or archive is gone');
is($node->safe_psql('restored', q{SELECT steward.resume_policy('family'); CALL steward.run_policy('family')}), "t\n1", 'a restored policy takes children along');
is($node->safe_psql('restored', q{SELECT count(*) FROM "Odd one".child}), '0', 'as it was declared');
is($node->safe_psql('restored', q{CALL steward.run_policy('odd')}), '1', 'a restored policy runs');
is($node->safe_psql('restored', q{SELECT count(*) = count(DISTINCT id) AND count(*) > 1 FROM steward.policy_run}), 't',
	'the history goes on counting');

# DROP EXTENSION takes everything along.
$node->safe_psql('restored', 'DROP EXTENSION pg_steward; CREATE EXTENSION pg_steward');
is($node->safe_psql('restored', 'SELECT count(*) FROM steward.policy'), '0', 'a new extension has no policies');

done_testing();
