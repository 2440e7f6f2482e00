# Policies that drop partitions: in a session of the owner that is nobody else's, without
# being in the way of readers, through crashes and cancels, and by the worker.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('retention_partition', conf => <<'CONF');
restart_after_crash = on
max_worker_processes = 16
steward.retention_retry_delay = 100ms
CONF
my $run = q{CALL steward.run_policy('visits')};
my $detaching = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_steward owner session' AND wait_event_type = 'Lock'
	AND query ~ 'CONCURRENTLY'};
my $no_session = q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_steward owner session'};
my $pending = q{SELECT count(*) FROM pg_inherits WHERE inhdetachpending};
my $old = q{SELECT count(*) FROM visit WHERE at < '2002-01-01'};
my $last = q{SELECT rows, batches, state, sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 1};

sub ask
{
	my ($sql, $database) = @_;

	return $node->safe_psql($database // 'postgres', $sql);
}

# Two old partitions with ten rows each, and one for the rest.
sub fill
{
	my ($database) = @_;

	return ask(q{
		CREATE TABLE visit_2000 PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
		CREATE TABLE visit_2001 PARTITION OF visit FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
		ALTER TABLE visit_2000 OWNER TO shop;
		ALTER TABLE visit_2001 OWNER TO shop;
		INSERT INTO visit SELECT n, '2000-03-01' FROM generate_series(1, 10) AS n;
		INSERT INTO visit SELECT n, '2001-03-01' FROM generate_series(1, 10) AS n}, $database);
}

sub prepare
{
	my ($database) = @_;

	ask(q{
		CREATE EXTENSION IF NOT EXISTS pg_steward;
		CREATE TABLE visit (id int, at date) PARTITION BY RANGE (at);
		CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2010-01-01') TO (MAXVALUE);
		ALTER TABLE visit OWNER TO shop;
		ALTER TABLE visit_new OWNER TO shop;
		INSERT INTO visit VALUES (0, now())}, $database);
	fill($database);
	return;
}

# A reader with a transaction open.
sub reader
{
	my ($database) = @_;
	my $reader = steward_session($node, $database);

	$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM visit');
	return $reader;
}

# A run in a session of its own.
sub start_run
{
	my $session = steward_session($node);

	$session->query_until(qr//, "$run;\n");
	ok($node->poll_query_until('postgres', $detaching), 'a session of the owner waits for the reader');
	return $session;
}

ask('CREATE ROLE shop LOGIN');
prepare('postgres');
ask(q{SELECT steward.create_policy('visits', 'visit', 'at', '20 years', 'drop_partition', time_zone => 'UTC')});

# ---- whose session it is ----

# What the owner has set for himself does not change what is done, nor who does it.
ask(q{
	CREATE ROLE other;
	GRANT other TO shop;
	ALTER ROLE shop SET role = 'other';
	ALTER ROLE shop SET search_path = 'nowhere';
	ALTER ROLE shop SET statement_timeout = '1ms';
	ALTER ROLE shop SET default_transaction_read_only = on;
	ALTER ROLE shop SET default_transaction_isolation = 'serializable';
	ALTER ROLE shop SET session_preload_libraries = 'no_such_library';
	ALTER DATABASE postgres SET lock_timeout = '1ms'});
ask(q{
	CREATE TABLE who (role name, session name, concurrent boolean);
	CREATE FUNCTION who() RETURNS event_trigger LANGUAGE plpgsql SECURITY INVOKER AS $$
	BEGIN
		INSERT INTO public.who VALUES (current_user, session_user, current_query() ~ 'DETACH PARTITION public.visit_200. CONCURRENTLY$');
	END $$;
	GRANT INSERT ON who TO PUBLIC;
	CREATE EVENT TRIGGER who ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION who()});
is(ask($run), '20', 'both partitions go, whatever the owner has set');
is(ask(q{SELECT role, session, concurrent, count(*) FROM who GROUP BY 1, 2, 3}), 'shop|shop|t|2', 'concurrently, in sessions that are the owner\'s');
is(ask($last), '20|2|complete|', 'the run says so');
ask(q{ALTER ROLE shop RESET ALL; ALTER DATABASE postgres RESET ALL});

# One who may not log in, or not connect, has none: then it is done under a lock. So with a default partition.
sub without_session
{
	my ($what, $before, $after) = @_;
	fill();
	ask("$before; TRUNCATE who");
	is(ask($run), '20', "$what: both partitions go");
	is(ask(q{SELECT role, session = 'shop', concurrent, count(*) FROM who GROUP BY 1, 2, 3}), 'shop|f|f|2', "$what: under a lock, as the owner");
	ask($after);
	return;
}

without_session('an owner who may not connect', 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
without_session('a default partition', 'CREATE TABLE visit_default PARTITION OF visit DEFAULT; ALTER TABLE visit_default OWNER TO shop',
	'DROP TABLE visit_default');
if ($node->pg_version < 17)
{
	without_session('an owner who may not log in', 'ALTER ROLE shop NOLOGIN', 'ALTER ROLE shop LOGIN');
}
else
{
	fill();
	ask('ALTER ROLE shop NOLOGIN');
	is(ask($run), '20', 'an owner who may not log in: both partitions go');
	ask('ALTER ROLE shop LOGIN');
}

# In the session of the owner his own code may detach nothing that is held, but the partition itself.
ask('DROP EVENT TRIGGER who');
ask(q{
	CREATE TABLE kept (at date) PARTITION BY RANGE (at);
	CREATE TABLE kept_2000 PARTITION OF kept FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
	INSERT INTO kept VALUES ('2000-03-01');
	ALTER TABLE kept OWNER TO shop;
	ALTER TABLE kept_2000 OWNER TO shop;
	CREATE TABLE tried (what text, sqlstate text);
	GRANT INSERT ON tried TO PUBLIC;
	CREATE FUNCTION try() RETURNS event_trigger LANGUAGE plpgsql SECURITY INVOKER AS $$
	BEGIN
		IF current_query() !~ 'CONCURRENTLY$' OR pg_trigger_depth() > 0 THEN RETURN; END IF;
		BEGIN
			EXECUTE 'ALTER TABLE public.kept DETACH PARTITION public.kept_2000';
			INSERT INTO public.tried VALUES ('detach', 'done');
		EXCEPTION WHEN object_not_in_prerequisite_state THEN INSERT INTO public.tried VALUES ('detach', SQLSTATE);
		END;
	END $$;
	CREATE EVENT TRIGGER try ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION try()});
my $kept = ask(q{SELECT steward.place_hold('kept', NULL, 'a case')});
fill();
is(ask($run), '20', 'with code of the owner in his session: both partitions go');
is(ask('SELECT DISTINCT what, sqlstate FROM tried'), 'detach|55000', 'it cannot detach another one that is held');
ask(qq{DROP EVENT TRIGGER try; SELECT steward.release_hold($kept, 'over'); DROP TABLE kept, tried});

# While it is detached and not dropped, the owner cannot drop what a hold on the table keeps.
fill();
ask(q{
	BEGIN;
	INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
		SELECT c.oid, 'visits', pg_get_expr(c.relpartbound, c.oid), false, now() FROM pg_class AS c WHERE c.relname = 'visit_2000';
	ALTER TABLE visit DETACH PARTITION visit_2000;
	COMMIT});
my $hold = ask(q{SELECT steward.place_hold('visit', 'id = 3', 'a case')});
for my $command ('TRUNCATE visit_2000', 'DROP TABLE visit_2000', 'DROP OWNED BY CURRENT_USER CASCADE')
{
	my ($result, $out, $error) = $node->psql('postgres', "SET ROLE shop; $command");

	like($error, qr/hold $hold keeps its rows/, "$command of a detached partition is refused");
}
is(ask($run), '0', 'the run drops neither of them, as both have such a row');
is(ask($old), '20', 'and attaches what was detached');
ask("SELECT steward.release_hold($hold, 'over')");
is(ask($run), '20', 'without the hold both go');

# No worker is free.
fill();
$node->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$node->restart;
is(ask($run), '20', 'no worker is free: both partitions go');
$node->append_conf('postgresql.conf', "max_worker_processes = 16\n");
$node->restart;

# ---- readers, cancels, crashes ----

# A reader is waited for, and keeps nobody else waiting.
fill();
my $reader = reader();
my $session = start_run();
is(ask($old), '10', 'others read what is left');
ask(q{INSERT INTO visit VALUES (1, now())});
is($reader->query_safe('SELECT count(*) FROM visit WHERE at < \'2002-01-01\''), '20', 'the reader, all that he began with');
$reader->query_safe('COMMIT');
ok($node->poll_query_until('postgres', qq{SELECT state = 'complete' AND rows = 20 FROM steward.policy_run ORDER BY id DESC LIMIT 1}),
	'when he has ended the run goes on');
$session->quit;

# A cancel ends the session of the owner too; the next run ends what it began.
fill();
$reader->query_safe('BEGIN; SELECT count(*) FROM visit');
$session = start_run();
ask(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL'});
ok($node->poll_query_until('postgres', $no_session), 'a cancel ends the session of the owner');
ok($node->poll_query_until('postgres', q{SELECT state = 'interrupted' FROM steward.policy_run ORDER BY id DESC LIMIT 1}), 'and the run says so');
is(ask($last), '0|0|interrupted|57014', 'with the reason');
is(ask($pending), '1', 'a partition is half detached');
$session->quit;
$reader->query_safe('COMMIT');
is(ask($run), '20', 'the next run takes it and the rest');

# One that does not answer keeps a cancel waiting for seconds, not for ever.
fill();
$reader->query_safe('BEGIN; SELECT count(*) FROM visit');
$session = start_run();
my $stuck = ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_steward owner session'});
my $log = -s $node->logfile;
kill 'STOP', $stuck;
ask(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL'});
ok($node->poll_query_until('postgres', q{SELECT state = 'interrupted' FROM steward.policy_run ORDER BY id DESC LIMIT 1}),
	'a cancel ends the run of a session that is stuck');
like(slurp_file($node->logfile, $log), qr/LOG: .*the session of the owner of a table goes on after the run/, 'and the log says so');
kill 'CONT', $stuck;
ok($node->poll_query_until('postgres', $no_session), 'the session ends when it can');
$session->quit;
$reader->query_safe('COMMIT');
is(ask($run), '20', 'the next run does it all');
is(ask($pending), '0', 'and nothing is left half detached');

# So does the end of the run's session; and dropping the policy attaches what can be.
fill();
$reader->query_safe('BEGIN; SELECT count(*) FROM visit');
$session = start_run();
ask(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL'});
ok($node->poll_query_until('postgres', $no_session), 'the end of the session of the run ends that of the owner');
is(ask($pending), '1', 'a partition is half detached then');
$reader->query_safe('COMMIT');
ask(q{SELECT steward.drop_policy('visits')});
is(ask($old), '20', 'with the policy gone all rows are back');
ask(q{SELECT steward.create_policy('visits', 'visit', 'at', '20 years', 'drop_partition', time_zone => 'UTC')});

# A session of the owner that somebody ends fails the run, which can be run again.
$reader->query_safe('BEGIN; SELECT count(*) FROM visit');
$session = start_run();
ask(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_steward owner session'});
ok($node->poll_query_until('postgres', q{SELECT state = 'failed' AND sqlstate = '57000' FROM steward.policy_run ORDER BY id DESC LIMIT 1}),
	'an end of the session of the owner fails the run');
$session->quit;
$reader->query_safe('COMMIT');

# kill -9 of that session, with the partition half detached.
$reader->query_safe('BEGIN; SELECT count(*) FROM visit');
$session = start_run();
steward_kill($node, ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_steward owner session'}));
eval { $session->quit };
eval { $reader->quit };
is(ask($pending), '1', 'after kill -9 a partition is half detached');
is(ask($run), '10', 'after kill -9 the next run takes it');
is(ask($old), '0', 'the run before had taken the other, which it found half detached');
is(ask(q{SELECT count(*) FROM steward.policy_detached}), '0', 'and nothing is remembered');

# kill -9 between detaching and dropping: somebody reads the detached partition by its name.
fill();
$reader = steward_session($node);
$session = steward_session($node);
ask(q{
	BEGIN;
	INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
		SELECT c.oid, 'visits', pg_get_expr(c.relpartbound, c.oid), false, now() FROM pg_class AS c WHERE c.relname = 'visit_2000';
	ALTER TABLE visit DETACH PARTITION visit_2000;
	COMMIT});
$reader->query_safe('BEGIN; SELECT count(*) FROM visit_2000');
$session->query_until(qr//, "$run;\n");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^CALL' AND wait_event_type = 'Lock'}),
	'the run waits for a reader of the detached partition');
steward_kill($node, ask(q{SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL'}));
eval { $session->quit };
eval { $reader->quit };
is(ask(q{SELECT count(*) FROM visit_2000}), '10', 'after kill -9 a detached partition is there');
is(ask($run), '20', 'and goes with the next run');
is(ask(q{SELECT count(*), to_regclass('visit_2000') FROM steward.policy_detached}), '0|', 'with what was remembered');

# ---- by its schedule ----

# A run of the worker waits likewise, and gives way to a DROP DATABASE, a pause and other policies, with its session.
ask('CREATE DATABASE shop');
prepare('shop');
$reader = reader('shop');
ask(q{SELECT steward.create_policy('visits', 'visit', 'at', '20 years', 'drop_partition', schedule => '1 second', time_zone => 'UTC')}, 'shop');
ok($node->poll_query_until('postgres', $detaching), 'a scheduled run waits for the reader in a session of the owner');
$stuck = ask(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_steward owner session'});
kill 'STOP', $stuck;
my $pause = steward_session($node, 'shop');
$pause->query_until(qr//, "SELECT steward.pause_policy('visits');\n");
sleep 7;
is(ask(q{SELECT wait_event_type FROM pg_stat_activity WHERE query ~ 'pause_policy' AND pid <> pg_backend_pid()}), 'Lock', 'a pause waits for a session that is stuck');
kill 'CONT', $stuck;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query ~ 'pause_policy' AND state = 'active' AND pid <> pg_backend_pid()}), 'until it can end');
$pause->quit;
is(ask($no_session), 't', 'a pause ends the session');
is(ask(q{SELECT state FROM steward.policy_run ORDER BY id DESC LIMIT 1}, 'shop'), 'waiting', 'the run waits');
is(ask($pending, 'shop'), '1', 'a partition is half detached');
$reader->query_safe('COMMIT');
ask(q{SELECT steward.resume_policy('visits')}, 'shop');
ok($node->poll_query_until('shop', q{SELECT sum(rows) = 20 FROM steward.policy_run}), 'it goes on after that');
is(ask(q{SELECT string_agg(relid::text, ',' ORDER BY relid::text) FROM pg_partition_tree('visit')}, 'shop'), 'visit,visit_new', 'to the end');
fill('shop');
$reader->query_safe('BEGIN; SELECT count(*) FROM visit');
ok($node->poll_query_until('postgres', $detaching), 'the next run waits for the reader');
$reader->quit;
ask('DROP DATABASE shop');
is(ask($no_session), 't', 'a DROP DATABASE has no session in its way');

# ---- without preloading, over a dump ----

my $plain = steward_node('plain', preload => 0);
$node = $plain;
ask('CREATE ROLE shop LOGIN');
prepare('postgres');
ask(q{SELECT steward.create_policy('visits', 'visit', 'at', '20 years', 'drop_partition', time_zone => 'UTC')});
ask(q{
	BEGIN;
	INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
		SELECT c.oid, 'visits', pg_get_expr(c.relpartbound, c.oid), false, now() FROM pg_class AS c WHERE c.relname = 'visit_2000';
	ALTER TABLE visit DETACH PARTITION visit_2000;
	COMMIT});
my $dump = steward_directory('dump') . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dump');
ask('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
is(ask($run, 'restored'), '20', 'a run takes what was detached before the dump');
is(ask($run), '20', 'without preloading a run drops partitions too');
done_testing();
