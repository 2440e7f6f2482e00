-- Whose table it is has no part in how its changes are recorded and read: nothing that
-- shadows PostgreSQL's functions, operators, types and tables is used, nor casts of types.
SET client_min_messages = warning;
CREATE ROLE hostile_owner;
CREATE SCHEMA hostile AUTHORIZATION hostile_owner;
GRANT EXECUTE ON FUNCTION steward.enable_audit(regclass, name[], name[], jsonb, text, boolean) TO hostile_owner;
CREATE TABLE hostile_ran (who name, what text);
GRANT INSERT, SELECT ON hostile_ran TO PUBLIC;

SET ROLE hostile_owner;
SET search_path = hostile, public;
CREATE FUNCTION ran(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.hostile_ran VALUES (current_user, what); RETURN false; END $$;
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT hostile.ran('now'); SELECT '2000-01-01'::timestamptz $$;
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT hostile.ran('clock_timestamp'); SELECT '2000-01-01'::timestamptz $$;
CREATE FUNCTION same_integer(integer, integer) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.ran('=') $$;
CREATE FUNCTION same_text(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.ran('=') $$;
CREATE OPERATOR = (LEFTARG = integer, RIGHTARG = integer, FUNCTION = same_integer);
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = same_text);
CREATE OPERATOR <> (LEFTARG = text, RIGHTARG = text, FUNCTION = same_text);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a integer, b text);
CREATE FUNCTION mood_text(mood) RETURNS text LANGUAGE sql AS $$ SELECT hostile.ran('mood to text')::text $$;
CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE sql AS $$ SELECT hostile.ran('pair to text')::text $$;
CREATE FUNCTION pair_json(pair) RETURNS jsonb LANGUAGE sql AS $$ SELECT hostile.ran('pair to jsonb'); SELECT '{}'::jsonb $$;
CREATE CAST (mood AS text) WITH FUNCTION mood_text(mood) AS IMPLICIT;
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS IMPLICIT;
CREATE CAST (pair AS jsonb) WITH FUNCTION pair_json(pair) AS IMPLICIT;
CREATE TABLE victim (id integer PRIMARY KEY, m mood, p pair, t text, a mood[]);
CREATE TEMP TABLE audit_log (written_at timestamptz);
CREATE TEMP TABLE pg_class (oid oid, relname name);
CREATE TEMP TABLE pg_type (oid oid, typname name);
SET search_path = pg_temp, hostile, pg_catalog, public;
SELECT steward.enable_audit('hostile.victim');
INSERT INTO hostile.victim VALUES (1, 'sad', ROW(1, 'one'), 'text', '{ok,sad}');
UPDATE hostile.victim SET t = 'other', m = 'ok', p.b = 'two';
DELETE FROM hostile.victim;
RESET ROLE;

-- Recorded truthfully, and shown so under the same path to a superuser; the traps are live.
SELECT operation, key, old, new, effective_role, written_at > '2001-01-01' AS late FROM steward.audit_trail WHERE relation OPERATOR(pg_catalog.=) 'hostile.victim' ORDER BY xid, seq;
SELECT i.* FROM steward.audit_record AS r JOIN steward.audit_schema AS s ON s.id OPERATOR(pg_catalog.=) r.schema_version AND s.table_name OPERATOR(pg_catalog.=) 'victim'
    CROSS JOIN LATERAL steward.audit_image(NULL::hostile.victim, r.schema_version, r.op, r.payload) AS i WHERE r.op OPERATOR(pg_catalog.=) ANY ('{I,U}'::"char"[]) ORDER BY r.xid, r.seq;
SELECT operation, old, new FROM steward.history('hostile.victim', '{"id": 1}');
TABLE public.hostile_ran;
SELECT hostile.mood_text('ok'), now();
TABLE public.hostile_ran;

RESET search_path;
DROP SCHEMA hostile CASCADE;
DROP TABLE hostile_ran, pg_temp.audit_log, pg_temp.pg_class, pg_temp.pg_type;
REVOKE ALL ON FUNCTION steward.enable_audit(regclass, name[], name[], jsonb, text, boolean) FROM hostile_owner;
DROP ROLE hostile_owner;
