--
-- The owner of a held table, or of what a predicate calls, wants to become somebody else
-- through those who read the hold: a superuser who asks, a policy, DETACH.
--
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE regress_hold_evil;
CREATE ROLE regress_hold_dpo;
CREATE ROLE regress_hold_victim;
ALTER SEQUENCE steward.hold_id_seq RESTART 8000;
CREATE SCHEMA hold_evil AUTHORIZATION regress_hold_evil;
GRANT EXECUTE ON FUNCTION steward.place_hold(regclass, text, text) TO regress_hold_evil, regress_hold_dpo;
SET ROLE regress_hold_evil;
CREATE TABLE hold_evil.log (id int GENERATED ALWAYS AS IDENTITY, what text, who name);
CREATE FUNCTION hold_evil.try(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE what;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
CREATE TABLE hold_evil.item (id int, at date) PARTITION BY LIST (id);
CREATE TABLE hold_evil.one PARTITION OF hold_evil.item FOR VALUES IN (1);
CREATE TABLE hold_evil.two PARTITION OF hold_evil.item FOR VALUES IN (2);
INSERT INTO hold_evil.item VALUES (1, '2001-01-01'), (2, '2001-01-01');
-- Placed while it is harmless, replaced afterwards; STABLE is what its owner says.
CREATE FUNCTION hold_evil.judge(int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT $1 = 1';
SELECT steward.place_hold('hold_evil.item', 'hold_evil.judge(id)', 'case') > 0 AS placed;
CREATE FUNCTION hold_evil.act(int) RETURNS bool VOLATILE LANGUAGE plpgsql AS $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ALTER ROLE regress_hold_evil SUPERUSER', 'RESET ROLE', 'RESET SESSION AUTHORIZATION',
        'SET SESSION AUTHORIZATION DEFAULT', 'CREATE TEMP TABLE hold_left ()', 'DECLARE hold_c CURSOR WITH HOLD FOR SELECT 1',
        'PREPARE hold_p AS SELECT 1', 'COMMIT', 'SELECT set_config(''search_path'', ''hold_evil'', false)',
        'SELECT set_config(''TimeZone'', ''Asia/Tokyo'', false)', 'SET steward.override_hold = on', 'TRUNCATE hold_evil.item',
        'UPDATE steward.hold SET released_at = now()']
    LOOP
        INSERT INTO hold_evil.log (what, who) VALUES (t || ': ' || hold_evil.try(t), current_user);
    END LOOP;
    RETURN $1 = 1;
END
$$;
CREATE OR REPLACE FUNCTION hold_evil.judge(int) RETURNS bool STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN hold_evil.act($1);
END
$$;
RESET ROLE;

-- A superuser asks for one row.
SELECT id AS hold FROM steward.active_hold \gset
SELECT steward.hold_keeps(:hold, 'hold_evil.one', ROW (1)) AS kept;
SELECT what, who FROM hold_evil.log ORDER BY id;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_hold_evil';
SELECT current_user = session_user AS still_us, current_setting('TimeZone') <> 'Asia/Tokyo' AS still_here;
SHOW search_path;
SELECT count(*) FROM pg_prepared_statements;
TRUNCATE hold_evil.log;
-- A policy, and DETACH, run as the owner too.
SELECT steward.create_policy('evil', 'hold_evil.item', 'at', '1 day');
CALL steward.run_policy('evil');
SELECT id FROM hold_evil.item;
ALTER TABLE hold_evil.item DETACH PARTITION hold_evil.one;
SELECT DISTINCT who FROM hold_evil.log;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_hold_evil';
SHOW search_path;
-- Declared for what it is, it holds everything.
ALTER FUNCTION hold_evil.judge VOLATILE;
SELECT problem FROM steward.active_hold;
SELECT steward.hold_keeps(:hold, 'hold_evil.one', ROW (7)) AS kept;
DELETE FROM steward.hold;
ALTER FUNCTION hold_evil.judge STABLE;

-- A superuser's table: nothing in the predicate may be somebody else's, whatever it was
-- when the hold was placed.
CREATE TABLE hold_evil.precious (id int, kind text);
CREATE FUNCTION hold_evil.mine(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = 1';
SET ROLE regress_hold_evil;
CREATE FUNCTION hold_evil.less(int, text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT hold_evil.judge($1)';
CREATE OPERATOR hold_evil.=== (LEFTARG = int, RIGHTARG = text, FUNCTION = hold_evil.less);
CREATE DOMAIN hold_evil.checked AS int CHECK (hold_evil.judge(VALUE) IS NOT NULL);
CREATE TYPE hold_evil.pair AS (a hold_evil.checked, b int);
CREATE TYPE hold_evil.kind AS ENUM ('x', 'y');
RESET ROLE;
TRUNCATE hold_evil.log;
SELECT steward.place_hold('hold_evil.precious', 'hold_evil.judge(id)', 'case');
SELECT steward.place_hold('hold_evil.precious', 'id OPERATOR(hold_evil.===) kind', 'case');
SELECT steward.place_hold('hold_evil.precious', 'id::hold_evil.checked = 1', 'case');
SELECT steward.place_hold('hold_evil.precious', '(kind::hold_evil.checked[])[1] = 1', 'case');
SELECT steward.place_hold('hold_evil.precious', '(kind::hold_evil.pair).b = 1', 'case');
SELECT steward.place_hold('hold_evil.precious', 'ROW (id, 1)::hold_evil.pair IS NULL', 'case');
SELECT steward.place_hold('hold_evil.precious', 'CASE WHEN id = 1 THEN hold_evil.judge(id) END', 'case');
SELECT steward.place_hold('hold_evil.precious', 'kind::hold_evil.kind = ''x''', 'case') > 0 AS an_enum_has_no_code;
SELECT steward.place_hold('hold_evil.precious', 'hold_evil.mine(id)', 'case') > 0 AS placed;
SELECT count(*) FROM hold_evil.log;
ALTER FUNCTION hold_evil.mine OWNER TO regress_hold_evil;
SELECT predicate, problem FROM steward.active_hold ORDER BY id;
DELETE FROM steward.hold;

-- An officer who owns neither may not run code as the owner: no functions of his, no
-- stable functions that take names of types, no types of his.
CREATE TABLE hold_evil.theirs (id int, doc jsonb, name text);
ALTER TABLE hold_evil.theirs OWNER TO regress_hold_victim;
GRANT USAGE ON SCHEMA hold_evil TO PUBLIC;
SET ROLE regress_hold_dpo;
SELECT steward.place_hold('hold_evil.theirs', 'hold_evil.judge(id)', 'case');
SELECT steward.place_hold('hold_evil.theirs', 'id::hold_evil.checked = 1', 'case');
SELECT steward.place_hold('hold_evil.theirs', 'jsonb_populate_record(NULL::hold_evil.pair, doc) IS NULL', 'case');
SELECT steward.place_hold('hold_evil.theirs', 'pg_catalog.table_to_xml(''pg_authid'', true, true, '''') IS NULL', 'case');
SELECT steward.place_hold('hold_evil.theirs', '(doc->>''a'')::hold_evil.checked = 1', 'case');
SELECT steward.place_hold('hold_evil.theirs', 'doc->>''a'' = ''1'' AND lower(name) ~ ''^x'' AND id BETWEEN 1 AND 9', 'case') > 0 AS placed;
-- One's own table needs no plain predicate, but trusted functions.
SET ROLE regress_hold_evil;
SELECT steward.place_hold('hold_evil.theirs', 'hold_evil.judge(id)', 'case');
RESET ROLE;

-- Names that lead elsewhere: what was kept means pg_catalog.
CREATE TABLE hold_evil.named (id int);
INSERT INTO hold_evil.named VALUES (1);
SELECT steward.place_hold('hold_evil.named', 'abs(id) = 1', 'case') AS named \gset
SET ROLE regress_hold_evil;
CREATE FUNCTION hold_evil.abs(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION hold_evil.eq(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hold_evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = hold_evil.eq);
RESET ROLE;
CREATE FUNCTION pg_temp.abs(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
SET search_path = hold_evil, pg_temp, pg_catalog;
SELECT steward.hold_keeps(:named, 'hold_evil.named', ROW (1)) AS kept;
RESET search_path;

DELETE FROM steward.hold;
DELETE FROM steward.policy_run_log WHERE policy = 'evil';
DELETE FROM steward.policy_definition WHERE name = 'evil';
DROP FUNCTION pg_temp.abs(int);
DROP SCHEMA hold_evil CASCADE;
DROP OWNED BY regress_hold_evil, regress_hold_dpo;
DROP ROLE regress_hold_evil, regress_hold_dpo, regress_hold_victim;
