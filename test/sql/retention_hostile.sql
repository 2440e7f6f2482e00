--
-- A superuser runs the policy of a table whose owner wants to become one.
--
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE regress_rt_evil;
CREATE SCHEMA rt_evil AUTHORIZATION regress_rt_evil;
SET ROLE regress_rt_evil;
CREATE TABLE rt_evil.log (id int GENERATED ALWAYS AS IDENTITY, what text, who text);
CREATE FUNCTION rt_evil.try(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE what;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
CREATE FUNCTION rt_evil.note(what text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO rt_evil.log (what, who) VALUES (what, current_user)
$$;

-- Triggers that try whatever may lead up.
CREATE TABLE rt_evil.item (id int PRIMARY KEY, at timestamptz, made text DEFAULT rt_evil.try('DELETE FROM rt_evil.log'));
CREATE FUNCTION rt_evil.attack() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rt_evil.note(TG_NAME || ': ' || t || ': ' || rt_evil.try(t))
    FROM unnest(ARRAY['ALTER ROLE regress_rt_evil SUPERUSER', 'RESET ROLE', 'RESET SESSION AUTHORIZATION',
        'SET ROLE pg_monitor', 'CREATE TEMP TABLE rt_left_behind ()', 'DECLARE rt_c CURSOR WITH HOLD FOR SELECT 1',
        'PREPARE rt_p AS SELECT 1', 'COMMIT', 'CALL steward.run_policy(''evil'')',
        'SELECT set_config(''search_path'', ''rt_evil'', false)', 'SELECT set_config(''lock_timeout'', ''1h'', false)',
        'UPDATE steward.policy_run_log SET rows = 0', 'DELETE FROM steward.policy_definition']) AS t;
    RETURN OLD;
END
$$;
CREATE TRIGGER rt_before BEFORE DELETE ON rt_evil.item FOR EACH ROW EXECUTE FUNCTION rt_evil.attack();
CREATE FUNCTION rt_evil.later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rt_evil.note(TG_NAME || ': ' || rt_evil.try('ALTER ROLE regress_rt_evil SUPERUSER'));
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER rt_deferred AFTER DELETE ON rt_evil.item DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION rt_evil.later();
CREATE TRIGGER rt_statement AFTER DELETE ON rt_evil.item
    FOR EACH STATEMENT EXECUTE FUNCTION rt_evil.later();

-- Operators, functions and types of the same names, and an index that calls.
CREATE FUNCTION rt_evil.less(timestamptz, timestamptz) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    PERFORM rt_evil.note('operator');
    RETURN true;
END
$$;
CREATE OPERATOR rt_evil.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = rt_evil.less);
CREATE OPERATOR rt_evil.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = rt_evil.less);
CREATE FUNCTION rt_evil.timezone(text, timestamptz) RETURNS timestamp LANGUAGE sql AS $$
    SELECT rt_evil.note('function'); SELECT localtimestamp
$$;
CREATE FUNCTION rt_evil.indexed(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'regress_rt_evil' THEN
        PERFORM rt_evil.note('index');
    END IF;
    RETURN $1;
END
$$;
CREATE INDEX ON rt_evil.item (rt_evil.indexed(id)) WHERE rt_evil.indexed(id) > 0;
CREATE FUNCTION rt_evil.add() RETURNS void SECURITY DEFINER LANGUAGE sql AS $$
    INSERT INTO rt_evil.item VALUES (1, '2001-01-01', '')
$$;
RESET ROLE;

GRANT EXECUTE ON PROCEDURE steward.run_policy TO regress_rt_evil;
INSERT INTO rt_evil.item VALUES (1, '2001-01-01', ''), (2, now(), '');
SELECT steward.create_policy('evil', 'rt_evil.item', 'at', '1 day', time_zone => 'UTC');
TRUNCATE rt_evil.log;
CREATE TEMP TABLE item (id int, at timestamptz);
INSERT INTO item VALUES (1, '2001-01-01');
CREATE TEMP TABLE policy AS SELECT * FROM steward.policy;
SET search_path = rt_evil, pg_temp, pg_catalog, public;
SET session_replication_role = replica;
CALL steward.run_policy('evil');
SHOW session_replication_role;
RESET session_replication_role;
SHOW search_path;
SHOW lock_timeout;
RESET search_path;
SELECT current_user = session_user AS still_us;
SELECT what, who FROM rt_evil.log ORDER BY id;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_rt_evil';
SELECT id FROM rt_evil.item;
SELECT count(*) AS in_temp FROM item;
SELECT count(*) FROM pg_prepared_statements;

-- The same inside a transaction block: nothing is left for the commit.
TRUNCATE rt_evil.log;
SELECT rt_evil.add();
BEGIN;
CALL steward.run_policy('evil');
SELECT count(*) AS noted, count(DISTINCT who) AS users FROM rt_evil.log;
COMMIT;
SELECT count(*) AS noted, count(DISTINCT who) AS users FROM rt_evil.log;
DROP TRIGGER rt_before ON rt_evil.item;
DROP TRIGGER rt_deferred ON rt_evil.item;
DROP TRIGGER rt_statement ON rt_evil.item;

-- Deferring anew, from within.
CREATE FUNCTION rt_evil.defer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    INSERT INTO rt_evil.bait VALUES (1);
    RETURN OLD;
END
$$;
CREATE TABLE rt_evil.bait (id int);
ALTER TABLE rt_evil.bait OWNER TO regress_rt_evil;
CREATE CONSTRAINT TRIGGER rt_deferred AFTER INSERT ON rt_evil.bait DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION rt_evil.later();
CREATE TRIGGER rt_before BEFORE DELETE ON rt_evil.item FOR EACH ROW EXECUTE FUNCTION rt_evil.defer();
TRUNCATE rt_evil.log;
SELECT rt_evil.add();
CALL steward.run_policy('evil');
SELECT state, sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT what, who FROM rt_evil.log ORDER BY id;
DROP TRIGGER rt_before ON rt_evil.item;

-- A trigger that keeps rows: no endless run, nothing counted as deleted.
INSERT INTO rt_evil.item SELECT n, '2001-01-01', '' FROM generate_series(10, 19) AS n;
CREATE FUNCTION rt_evil.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN OLD.id % 2 = 0 THEN OLD END;
END
$$;
CREATE TRIGGER rt_before BEFORE DELETE ON rt_evil.item FOR EACH ROW EXECUTE FUNCTION rt_evil.keep();
CALL steward.run_policy('evil');
SELECT rows, skipped, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT id FROM rt_evil.item ORDER BY id;
DROP TRIGGER rt_before ON rt_evil.item;

-- A trigger that brings back what is deleted: the run comes to an end, and does
-- not say that it is complete.
CREATE FUNCTION rt_evil.revive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rt_evil.item VALUES (OLD.*);
    RETURN NULL;
END
$$;
CREATE TRIGGER rt_after AFTER DELETE ON rt_evil.item FOR EACH ROW EXECUTE FUNCTION rt_evil.revive();
CALL steward.run_policy('evil');
SELECT rows > 5 AS many, skipped, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
CREATE INDEX ON rt_evil.item (at);
CALL steward.run_policy('evil');
SELECT rows > 5 AS many, skipped, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
DROP TRIGGER rt_after ON rt_evil.item;

-- Rules.
CREATE RULE rt_nothing AS ON DELETE TO rt_evil.item DO INSTEAD NOTHING;
CALL steward.run_policy('evil');
SELECT steward.create_policy('more', 'rt_evil.item', 'at', '1 day');
CREATE OR REPLACE RULE rt_nothing AS ON DELETE TO rt_evil.item DO ALSO SELECT rt_evil.note('rule');
CALL steward.run_policy('evil');
SELECT rows, state, sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM rt_evil.item;
ALTER TABLE rt_evil.item DISABLE RULE rt_nothing;
CALL steward.run_policy('evil');
SELECT id FROM rt_evil.item;

-- Nor does it leave a function in the temporary schema of whoever calls, by its real name.
CREATE TEMP TABLE mine (a int);
SET ROLE regress_rt_evil;
CREATE FUNCTION rt_evil.leave_something() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE FUNCTION %s.f(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS ''SELECT 1::pg_catalog.text''',
        pg_catalog.pg_my_temp_schema()::pg_catalog.regnamespace);
    RETURN OLD;
END
$$;
CREATE TRIGGER leave_something BEFORE DELETE ON rt_evil.item FOR EACH ROW EXECUTE FUNCTION rt_evil.leave_something();
RESET ROLE;
INSERT INTO rt_evil.item (id, at) VALUES (77, '2001-01-01');
CALL steward.run_policy('evil');
SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema();
DROP TABLE mine;

SELECT steward.drop_policy('evil');
REVOKE EXECUTE ON PROCEDURE steward.run_policy FROM regress_rt_evil;
DROP TABLE item, policy;
DROP SCHEMA rt_evil CASCADE;
DROP ROLE regress_rt_evil;
