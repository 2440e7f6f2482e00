# Owners of tables who want to become superuser by what a policy of theirs runs: in the worker, whose session is a
# superuser's, and in the session of a superuser who calls. Code of theirs stands wherever a table can have
# code; each place tries all that leads up, or would run later as somebody else. None of it works, nothing is
# left behind in the session, and policies of others run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $place = steward_directory('hostile');
my $node = steward_node('retention_hostile', conf => <<'CONF');
steward.max_workers = 2
steward.retention_retry_delay = 20ms
autovacuum = off
CONF
my @owners = ('evil_login', 'evil_nologin');

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# What each place tries. Those of the second list are anybody's right, and must be undone.
my @forbidden = (
	'ALTER ROLE %s SUPERUSER', 'ALTER ROLE %s CREATEROLE', 'GRANT pg_execute_server_program TO %s', 'CREATE ROLE evil_made',
	'RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET ROLE postgres', 'SET ROLE witness', 'SET LOCAL ROLE postgres', 'SET SESSION AUTHORIZATION postgres',
	q{SELECT set_config('role', 'postgres', false)}, q{SELECT set_config('session_authorization', 'postgres', false)},
	'INSERT INTO canary VALUES (1)', 'CREATE TRIGGER evil BEFORE INSERT ON canary EXECUTE FUNCTION %s.trigger_attack()', 'ALTER TABLE canary OWNER TO %s',
	"COPY (SELECT 1) TO PROGRAM 'touch $place/program'", "COPY (SELECT 1) TO '$place/file'", 'SELECT lo_export(1, \'' . $place . '/lo\')',
	q{SELECT pg_read_file('postgresql.conf')}, q{ALTER SYSTEM SET archive_command = 'evil'}, 'SELECT pg_reload_conf()',
	q{SELECT set_config('session_preload_libraries', 'evil', false)}, q{SELECT set_config('dynamic_library_path', '/tmp', false)},
	q{SELECT set_config('session_replication_role', 'replica', false)}, q{SELECT set_config('steward.override_hold', 'on', false)},
	q{SELECT set_config('log_statement', 'all', false)}, q{SELECT set_config('steward.root_key_file', '/tmp/evil', false)},
	q{ALTER ROLE postgres SET search_path = %s}, q{ALTER DATABASE postgres SET search_path = %s},
	'LISTEN evil', 'PREPARE evil AS SELECT 1', 'DECLARE evil CURSOR WITH HOLD FOR SELECT %s.attack(\'cursor\')',
	'CREATE TEMP TABLE session (id int)', 'CREATE TEMP VIEW evil AS SELECT 1',
	q{LOAD '$libdir/evil'}, 'CREATE EVENT TRIGGER evil ON ddl_command_start EXECUTE FUNCTION evil()',
	'CREATE EXTENSION file_fdw', 'COMMIT', 'ROLLBACK',
	'SELECT pg_terminate_backend(pg_backend_pid())', 'SELECT pg_cancel_backend(pg_backend_pid())',
	q{CALL steward.run_policy('witness')}, 'UPDATE steward.policy_state SET paused_at = now()', 'DELETE FROM steward.policy_run_log',
	q{SELECT steward.create_policy('more', '%s.item', 'at', '1 day')}, q{SELECT steward.shred_subject('a', 'b')}, q{SELECT steward.create_key('evil')});
my @undone = (
	q{SELECT set_config('search_path', '%s, pg_temp', false)}, q{SELECT set_config('lock_timeout', '1h', false)}, q{SELECT set_config('row_security', 'on', false)},
	q{SELECT set_config('default_transaction_read_only', 'on', false)}, q{SELECT set_config('check_function_bodies', 'off', false)}, q{SELECT set_config('my.evil', 'on', false)},
	q{SELECT set_config('application_name', 'evil', false)}, 'INSERT INTO %s.bait VALUES (1)', 'SELECT pg_try_advisory_lock(4711)',
	'SELECT setseed(0.5)');

# ---- the witness: another owner's policy, whose trigger notes what the session is like ----

ask(q{
	CREATE TABLE canary (id int);
	CREATE ROLE witness NOLOGIN;
	CREATE SCHEMA witness AUTHORIZATION witness;
	SET ROLE witness;
	CREATE TABLE witness.item (id int, at date);
	CREATE TABLE witness.seen (pid int, who text, settings text, left_behind text);
	CREATE FUNCTION witness.look() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO witness.seen SELECT pg_backend_pid(), current_user || ' ' || session_user,
			(SELECT string_agg(name || '=' || setting, E'\n' ORDER BY name) FROM pg_settings)
				|| E'\nmy.evil=' || coalesce(current_setting('my.evil', true), ''),
			concat_ws(', ', (SELECT 'channel' FROM pg_listening_channels() LIMIT 1), (SELECT 'statement' FROM pg_prepared_statements LIMIT 1),
				(SELECT 'cursor' FROM pg_cursors WHERE is_holdable LIMIT 1), (SELECT 'temporary object' FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = pg_my_temp_schema() LIMIT 1),
				(SELECT 'advisory lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() LIMIT 1));
		RETURN OLD;
	END $$;
	CREATE TRIGGER look BEFORE DELETE ON witness.item FOR EACH ROW EXECUTE FUNCTION witness.look();
	RESET ROLE;
	SELECT steward.create_policy('witness', 'witness.item', 'at', '1 year', schedule => '1 second')});

sub witnessed
{
	my ($what) = @_;
	my $before = ask('SELECT count(*) FROM witness.seen');

	ask(q{INSERT INTO witness.item VALUES (1, '2001-01-01')});
	ok($node->poll_query_until('postgres', "SELECT count(*) > $before FROM witness.seen"), $what);
	return;
}
witnessed('a policy of another owner runs');

# ---- the owners ----

# A table with code in every place of it; log has what each place could do.
sub prepare
{
	my ($owner) = @_;
	my $attempts = join ",\n", map { '$q$' . ($_ =~ s/%s/$owner/gr) . '$q$' } @forbidden, @undone;

	ask("CREATE ROLE $owner " . ($owner =~ /nologin/ ? 'NOLOGIN' : 'LOGIN'));
	ask(qq{
	CREATE SCHEMA $owner AUTHORIZATION $owner;
	GRANT EXECUTE ON PROCEDURE steward.run_policy TO $owner;
	GRANT EXECUTE ON FUNCTION steward.place_hold(regclass, text, text) TO $owner;
	SET ROLE $owner;
	SET search_path = $owner;
	CREATE TABLE log (pid int, place text, what text, who text, answer text);
	CREATE TABLE bait (id int);
	CREATE FUNCTION try(what text) RETURNS text LANGUAGE plpgsql AS \$f\$
	BEGIN
		EXECUTE what;
		RETURN 'done';
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END \$f\$;
	-- Once for each place in a transaction, or it takes all day.
	CREATE FUNCTION attack(place text) RETURNS boolean LANGUAGE plpgsql AS \$f\$
	DECLARE
		once text := 'evil.' || regexp_replace(place, '\\W', '_', 'g');
		now text := pg_current_xact_id()::text;
		attempt text;
	BEGIN
		IF current_setting('evil.asleep', true) = 'on' OR coalesce(current_setting(once, true), '') = now THEN
			RETURN true;
		END IF;
		PERFORM set_config(once, now, true);
		FOREACH attempt IN ARRAY ARRAY[$attempts] LOOP
			INSERT INTO $owner.log VALUES (pg_backend_pid(), place, attempt, current_user, $owner.try(attempt));
		END LOOP;
		RETURN true;
	END \$f\$;
	CREATE FUNCTION trigger_attack() RETURNS trigger LANGUAGE plpgsql AS \$f\$
	BEGIN
		PERFORM $owner.attack(TG_TABLE_NAME || ' ' || TG_NAME);
		RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
	END \$f\$;
	-- Said to be immutable, which nobody checks.
	CREATE FUNCTION lie(place text, id int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \$f\$ BEGIN PERFORM $owner.attack(place); RETURN id; END \$f\$;
	CREATE FUNCTION truth(place text, id int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS \$f\$ BEGIN PERFORM $owner.attack(place); RETURN true; END \$f\$;
	CREATE FUNCTION aged(at date) RETURNS date IMMUTABLE LANGUAGE plpgsql AS \$f\$ BEGIN PERFORM $owner.attack('age'); RETURN at; END \$f\$;

	-- A type with a cast, an operator, and a class of operators.
	CREATE TYPE crate AS (n int);
	CREATE FUNCTION cast_crate(int) RETURNS crate IMMUTABLE LANGUAGE plpgsql AS \$f\$ BEGIN PERFORM $owner.attack('cast'); RETURN ROW(\$1)::$owner.crate; END \$f\$;
	CREATE CAST (int AS crate) WITH FUNCTION cast_crate(int);
	CREATE FUNCTION equal_crate(crate, crate) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS \$f\$ BEGIN PERFORM $owner.attack('operator'); RETURN true; END \$f\$;
	CREATE OPERATOR === (LEFTARG = crate, RIGHTARG = crate, FUNCTION = equal_crate);
	-- It is called while the server has a page of the index locked, so it has one try, and does not catch its error.
	CREATE FUNCTION compare(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \$f\$
	BEGIN
		IF current_user <> '$owner' AND current_setting('evil.asleep', true) IS DISTINCT FROM 'on' THEN
			PERFORM $owner.attack('operator class');
		END IF;
		RETURN \$1 - \$2;
	END \$f\$;
	CREATE FUNCTION less(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql RETURN \$1 OPERATOR(pg_catalog.<) \$2;
	CREATE FUNCTION same(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql RETURN \$1 OPERATOR(pg_catalog.=) \$2;
	CREATE OPERATOR <<< (LEFTARG = int, RIGHTARG = int, FUNCTION = less);
	CREATE OPERATOR ==== (LEFTARG = int, RIGHTARG = int, FUNCTION = same);
	CREATE DOMAIN odd AS int CHECK ($owner.truth('domain', VALUE));

	CREATE TABLE item (id int PRIMARY KEY, at date);
	CREATE TABLE child (item int REFERENCES item, n int);
	CREATE TABLE archive (id int, at date, d odd DEFAULT 1, made boolean DEFAULT $owner.attack('default'),
		g int GENERATED ALWAYS AS ($owner.lie('generated', id)) STORED, CHECK ($owner.truth('check', id)));
	CREATE INDEX ON archive ($owner.lie('index expression', id)) WHERE $owner.truth('index predicate', id);
	CREATE TABLE person (id int, at date, name text, named int GENERATED ALWAYS AS ($owner.lie('generated of update', id)) STORED, CHECK ($owner.truth('check of update', id)));
	CREATE INDEX ON person ($owner.lie('index of update', length(name)));
	CREATE TABLE ruled (id int, at date);
	CREATE TABLE later (id int, at date);
	CREATE FUNCTION defer() RETURNS trigger LANGUAGE plpgsql AS \$f\$
	BEGIN
		SET CONSTRAINTS ALL DEFERRED;
		INSERT INTO $owner.bait VALUES (2);
		RETURN OLD;
	END \$f\$;
	CREATE TRIGGER defer BEFORE DELETE ON later FOR EACH ROW EXECUTE FUNCTION defer();
	-- Whoever wrote 'x'::date in this session afterwards would call it; newer servers refuse the domain, none the function.
	CREATE TABLE shadow (id int, at date);
	CREATE FUNCTION cast_shadow() RETURNS trigger LANGUAGE plpgsql AS \$f\$
	BEGIN
		IF OLD.id = 1 THEN
			CREATE DOMAIN pg_temp.date AS text CHECK ($owner.truth('shadow', 1));
		ELSIF OLD.id = 2 THEN
			CREATE FUNCTION pg_temp.evil() RETURNS int LANGUAGE sql AS 'SELECT 1';
		END IF;
		RETURN OLD;
	END \$f\$;
	CREATE TRIGGER cast_shadow BEFORE DELETE ON shadow FOR EACH ROW EXECUTE FUNCTION cast_shadow();
	RESET ROLE;
	CREATE OPERATOR CLASS $owner.class FOR TYPE int USING btree AS OPERATOR 1 $owner.<<<, OPERATOR 3 $owner.====, FUNCTION 1 $owner.compare(int, int);
	SET ROLE $owner;
	CREATE INDEX ON archive (id $owner.class);});
	for my $table ('item', 'child', 'archive', 'person')
	{
		for my $when ('BEFORE', 'AFTER')
		{
			ask("CREATE TRIGGER ${when}_row $when INSERT OR UPDATE OR DELETE ON $owner.$table FOR EACH ROW EXECUTE FUNCTION $owner.trigger_attack()");
			ask("CREATE TRIGGER ${when}_statement $when INSERT OR UPDATE OR DELETE ON $owner.$table FOR EACH STATEMENT EXECUTE FUNCTION $owner.trigger_attack()");
		}
		ask("CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE OR DELETE ON $owner.$table DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION $owner.trigger_attack()");
	}
	ask("CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON $owner.bait DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION $owner.trigger_attack()");
	return;
}

# New rows. Code sleeps meanwhile, since this session may do everything.
sub fill
{
	my ($owner, $shadow) = @_;

	ask(qq{SET session_replication_role = replica;
		SET evil.asleep = 'on';
		SET ROLE $owner;
		DELETE FROM $owner.child; DELETE FROM $owner.item; DELETE FROM $owner.person; DELETE FROM $owner.later;
		TRUNCATE $owner.ruled;
		INSERT INTO $owner.item VALUES (1, '2001-01-01'), (2, '2001-01-01'), (3, '2001-01-01');
		INSERT INTO $owner.child VALUES (1, 1), (2, 2);
		INSERT INTO $owner.person (id, at, name) VALUES (1, '2001-01-01', 'a');
		INSERT INTO $owner.ruled VALUES (1, '2001-01-01');
		INSERT INTO $owner.later VALUES (1, '2001-01-01');
		TRUNCATE $owner.shadow;
		INSERT INTO $owner.shadow VALUES ($shadow, '2001-01-01');
		TRUNCATE $owner.log});
	return;
}

sub policies
{
	my ($owner) = @_;

	ask(qq{
	SET search_path = $owner, public;
	BEGIN;
	SELECT steward.create_policy('$owner item', '$owner.item', '$owner.aged(at)', '1 year', 'archive', archive => '$owner.archive',
		children => '{"child": "cascade"}', filter => 'id::$owner.crate OPERATOR($owner.===) id::$owner.crate AND $owner.truth(''filter'', id)', schedule => '1 second');
	SELECT steward.create_policy('$owner person', '$owner.person', 'at', '1 year', 'anonymize', columns => '{"name": "null"}', schedule => '1 second');
	SELECT steward.create_policy('$owner ruled', '$owner.ruled', 'at', '1 year', schedule => '1 second');
	SELECT steward.create_policy('$owner later', '$owner.later', 'at', '1 year', schedule => '1 second');
	SELECT steward.create_policy('$owner shadow', '$owner.shadow', 'at', '1 year', schedule => '1 second');
	SET ROLE $owner;
	CREATE RULE evil AS ON DELETE TO $owner.ruled DO ALSO SELECT $owner.attack('rule');
	SELECT steward.place_hold('$owner.item', 'NOT $owner.truth(''hold'', id)', 'evil') IS NULL;
	COMMIT});
	return;
}

my @places = (
	(map { my $table = $_; map { "$table $_" } 'before_row', 'after_row', 'before_statement', 'after_statement', 'deferred' } 'item', 'child', 'archive', 'person'),
	'age', 'filter', 'hold', 'cast', 'operator', 'default', 'generated', 'check', 'domain', 'index expression', 'index predicate',
	'generated of update', 'check of update', 'index of update');

# Nothing came of it, whoever ran the policies.
sub unharmed
{
	my ($who) = @_;

	is(ask(q{SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname ~ 'evil' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)}), '', "$who: nobody has become more than he was");
	is(ask(q{SELECT count(*) FROM pg_auth_members WHERE member::regrole::text ~ 'evil'}), '0', "$who: nor is anybody a member of another role");
	is(ask(q{SELECT count(*) FROM pg_roles WHERE rolname = 'evil_made'}), '0', "$who: no role was made");
	is(ask(q{SELECT (SELECT count(*) FROM canary) + (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'canary'::regclass) + (SELECT count(*) FROM pg_class WHERE relname = 'canary' AND relowner <> 10)}), '0', "$who: the table of a superuser is as it was");
	is(ask(q{SELECT (SELECT count(*) FROM pg_db_role_setting) + (SELECT count(*) FROM pg_event_trigger WHERE evtname = 'evil') + (SELECT count(*) FROM pg_subscription)
		+ (SELECT count(*) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf') + (SELECT count(*) FROM pg_extension WHERE extname = 'file_fdw')}), '0', "$who: no setting, event trigger or extension is there");
	is(join(',', map { s/.*\///r } glob("$place/*")), '', "$who: nor a file");
	for my $owner (@owners)
	{
		my $forbidden = join ', ', map { '$q$' . ($_ =~ s/%s/$owner/gr) . '$q$' } @forbidden;
		my $places = join ', ', map { "'$_'" } @places;

		is(ask("SELECT string_agg(DISTINCT place || ': ' || what || ' as ' || who, E'\\n') FROM $owner.log WHERE who <> '$owner'"), '', "$who: code of $owner runs as nobody else");
		is(ask("SELECT string_agg(DISTINCT place || ': ' || what, E'\\n') FROM $owner.log WHERE answer = 'done' AND what = ANY (ARRAY[$forbidden])"), '', "$who: nothing of it was allowed");
		is(ask("SELECT string_agg(p, ', ') FROM unnest(ARRAY[$places]) AS p WHERE p <> ALL (SELECT place FROM $owner.log)"), '', "$who: all places of $owner have tried");
		is(ask("SELECT string_agg(DISTINCT place, ', ') FROM $owner.log WHERE place IN ('cursor', 'rule', 'shadow')"), '', "$who: a cursor, a rule or a shadow has not");
		cmp_ok(ask("SELECT count(*) FROM $owner.log WHERE place = 'bait deferred'"), '>', 0, "$who: what was deferred was done at once, as the owner");
		is(ask("SELECT (SELECT count(*) FROM $owner.item), (SELECT count(*) FROM $owner.child), (SELECT count(name) FROM $owner.person), (SELECT count(*) FROM $owner.ruled)"), '0|0|0|1', "$who: the policies of $owner did what they are for");
		is(ask("SELECT string_agg(DISTINCT sqlstate, ',') FROM steward.policy_run WHERE policy = '$owner ruled'"), '0A000', "$who: but over a rule");
		is(ask("SELECT string_agg(DISTINCT sqlstate, ',') FROM steward.policy_run WHERE policy = '$owner later'"), '42501', "$who: what is deferred anew ends the run");
		is(ask("SELECT (SELECT string_agg(DISTINCT sqlstate, ',') FROM steward.policy_run WHERE policy = '$owner shadow'), (SELECT count(*) FROM $owner.shadow)"), '42501|1', "$who: so does what is made in pg_temp");
	}
	return;
}

# ---- in the worker ----

for my $owner (@owners)
{
	prepare($owner);
	fill($owner, 2);
}
policies($_) for @owners;
for my $owner (@owners)
{
	ok( $node->poll_query_until('postgres', "SELECT count(*) = 5 FROM (SELECT policy FROM steward.policy_run WHERE policy ~ '^$owner ' AND finished_at IS NOT NULL GROUP BY policy) AS r"),
		"the policies of $owner run");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM $owner.item"), "... and delete");
}
witnessed('so does one of another owner');
ask("ALTER TABLE $_.ruled DISABLE RULE evil; SELECT count(steward.alter_policy(name, schedule => '')) FROM steward.policy WHERE name ~ '$_'; ALTER TABLE $_.ruled ENABLE RULE evil")
  for @owners;
witnessed('again after them');
unharmed('in the worker');
is(ask(q{SELECT string_agg(DISTINCT who, ', ') FROM witness.seen}), 'witness postgres', 'the session is whose it was');
is(ask(q{SELECT string_agg(DISTINCT left_behind, '; ') FROM witness.seen WHERE left_behind <> ''}), '', 'nothing is left behind in it');
is(ask(q{SELECT string_agg(DISTINCT s, E'\n') FROM witness.seen AS w, regexp_split_to_table(w.settings, E'\n') AS s
	WHERE (SELECT count(DISTINCT o.settings) FROM witness.seen AS o) > 1
	AND EXISTS (SELECT FROM witness.seen AS o WHERE position(E'\n' || s || E'\n' IN E'\n' || o.settings || E'\n') = 0)}), '', 'all settings are as they were');
cmp_ok(ask('SELECT count(*) FROM witness.seen AS w WHERE ' . join(' AND ', map { "pid IN (SELECT pid FROM $_.log)" } @owners)), '>', 0, 'all of that was in one session');

# ---- called by a superuser ----

ask(q{SELECT steward.pause_policy('witness')});
fill($_, 2) for @owners;
my $session = steward_session($node);
my $state = q{SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) || coalesce(current_setting('my.evil', true), '') || ' ' || current_user || session_user
	|| (SELECT count(*) FROM pg_listening_channels()) || (SELECT count(*) FROM pg_prepared_statements) || (SELECT count(*) FROM pg_cursors WHERE is_holdable)
	|| (SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = pg_my_temp_schema())
	FROM pg_settings WHERE name NOT LIKE 'transaction\_%'};
$session->query(q{LOAD 'plpgsql'; SET lock_timeout = '5s'; SET search_path = evil_login, evil_nologin, public; SET application_name = 'called'});
my $before = $session->query($state);
for my $owner (@owners)
{
	$session->query("CALL steward.run_policy('$owner $_')") for ('item', 'person', 'ruled', 'later', 'shadow');
}
is($session->query($state), $before, 'called: the session is as it was');
unharmed('called');
fill($_, 1) for @owners;
$session->query('BEGIN');
for my $owner (@owners)
{
	$session->query("CALL steward.run_policy('$owner $_')") for ('item', 'person');
	$session->query("SAVEPOINT s; CALL steward.run_policy('$owner shadow'); ROLLBACK TO s");
}
$session->query('COMMIT');
is($session->query($state), $before, 'in a transaction block: the session is as it was');
unharmed('in a transaction block');
$session->quit;
$node->stop('fast');
done_testing();
