-- Commands that change definitions and rights, and what pg_steward's functions do.
SET client_min_messages = warning;
SELECT pg_snapshot_xmax(pg_current_snapshot()) AS start \gset
CREATE SCHEMA ddl;
SET search_path = ddl;

-- ("done" is where the last look ended. 18 has constraints for NOT NULL.)
CREATE TABLE account (id integer PRIMARY KEY, name text);
SELECT steward.enable_audit('account');
CREATE TABLE public.ddl_done (changed_at timestamptz);
INSERT INTO public.ddl_done SELECT clock_timestamp();
CREATE FUNCTION public.ddl_seen(OUT event text, OUT command text, OUT object_type text, OUT identity text, OUT details jsonb)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT t.event, t.command, t.object_type, t.identity, t.details
                   FROM steward.ddl_trail AS t
                  WHERE t.changed_at > (SELECT d.changed_at FROM public.ddl_done AS d)
                    AND t.identity IS DISTINCT FROM 'public.ddl_done' AND coalesce(t.identity, '') !~ '_not_null on '
                  ORDER BY t.changed_at, t.xid, t.seq;
    UPDATE public.ddl_done AS d SET changed_at = clock_timestamp();
END
$$;
SELECT count(*) > 0 AS see_themselves FROM public.ddl_seen();

-- Tables
CREATE TABLE customer (id serial PRIMARY KEY, name text DEFAULT 'secret default' CHECK (name <> 'secret check'));
CREATE UNLOGGED TABLE IF NOT EXISTS customer (id integer);
ALTER TABLE customer ADD COLUMN city varchar(20), ALTER COLUMN name SET DEFAULT 'secret default', ADD CONSTRAINT city_known CHECK (city <> 'secret city');
ALTER TABLE customer RENAME COLUMN city TO town;
ALTER TABLE customer RENAME TO client;
CREATE SCHEMA elsewhere;
ALTER TABLE client SET SCHEMA elsewhere;
CREATE UNIQUE INDEX client_town ON elsewhere.client (town);
CREATE INDEX CONCURRENTLY client_name ON elsewhere.client (name) WHERE name <> 'secret predicate';
ALTER TABLE elsewhere.client DROP COLUMN town;
CREATE VIEW clients AS SELECT * FROM elsewhere.client WHERE name <> 'secret view';
CREATE TABLE copied AS SELECT 'secret value' AS t;
COMMENT ON TABLE copied IS 'secret comment';
ALTER TABLE copied SET (fillfactor = 50), DISABLE TRIGGER ALL;
SELECT * FROM public.ddl_seen();
DROP TABLE copied;
DROP SCHEMA elsewhere CASCADE;
SELECT * FROM public.ddl_seen();

-- Who may
CREATE ROLE regress_ddl_one LOGIN PASSWORD 'secret password' VALID UNTIL '2031-01-01' CONNECTION LIMIT 3;
ALTER ROLE regress_ddl_one PASSWORD NULL CREATEDB;
CREATE GROUP regress_ddl_many;
ALTER GROUP regress_ddl_many ADD USER regress_ddl_one;
ALTER GROUP regress_ddl_many DROP USER regress_ddl_one;
GRANT regress_ddl_many TO regress_ddl_one WITH ADMIN OPTION;
REVOKE ADMIN OPTION FOR regress_ddl_many FROM regress_ddl_one;
REVOKE regress_ddl_many FROM regress_ddl_one CASCADE;
GRANT SELECT, UPDATE (name) ON account TO regress_ddl_one WITH GRANT OPTION;
GRANT ALL ON ALL TABLES IN SCHEMA ddl TO PUBLIC;
REVOKE GRANT OPTION FOR SELECT ON account FROM regress_ddl_one CASCADE;
GRANT USAGE ON SCHEMA ddl TO regress_ddl_one, regress_ddl_many;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_ddl_one IN SCHEMA ddl GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE template1 TO regress_ddl_one;
REVOKE ALL ON DATABASE template1 FROM regress_ddl_one;
GRANT SET ON PARAMETER log_statement TO regress_ddl_one;
ALTER TABLE account OWNER TO regress_ddl_one;
ALTER TABLE account ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON account FOR SELECT TO regress_ddl_many USING (name = 'secret policy');
COMMENT ON ROLE regress_ddl_one IS 'secret comment';
SELECT * FROM public.ddl_seen();

-- Settings
ALTER ROLE regress_ddl_one SET work_mem = '5MB';
ALTER ROLE regress_ddl_one IN DATABASE template1 SET search_path = ddl, "$user";
ALTER ROLE ALL IN DATABASE template1 RESET ALL;
ALTER ROLE regress_ddl_one SET app.password = 'secret placeholder';
ALTER ROLE regress_ddl_one SET app.other = 'secret placeholder';
ALTER DATABASE template1 SET jit = off;
ALTER DATABASE template1 RESET jit;
ALTER SYSTEM SET log_min_duration_statement = '10s';
ALTER SYSTEM SET primary_conninfo = 'password=secret';
ALTER SYSTEM SET archive_command = 'secret command';
ALTER SYSTEM RESET log_min_duration_statement;
ALTER SYSTEM RESET ALL;
SET session_replication_role = replica;
CREATE TABLE under_replica (i integer);
RESET session_replication_role;
SET LOCAL steward.allow_unkeyed_ddl = on;
SET work_mem = '2MB';
SELECT * FROM public.ddl_seen();

-- Functions and triggers
CREATE FUNCTION f(i integer) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET app.token = 'secret token'
AS $$ SELECT 'secret body' $$;
ALTER FUNCTION f SECURITY INVOKER;
ALTER FUNCTION f RENAME TO g;
ALTER FUNCTION g(integer) OWNER TO regress_ddl_one;
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT ON account FOR EACH ROW WHEN (new.name = 'secret when') EXECUTE FUNCTION t();
ALTER TABLE account DISABLE TRIGGER t;
ALTER TRIGGER t ON account RENAME TO u;
DROP FUNCTION g(integer);
DROP FUNCTION t() CASCADE;
SELECT * FROM public.ddl_seen();

-- Databases; servers elsewhere
CREATE DATABASE ddl_db TEMPLATE template0 CONNECTION LIMIT 7;
ALTER DATABASE ddl_db WITH ALLOW_CONNECTIONS false;
ALTER DATABASE ddl_db RENAME TO ddl_base;
ALTER DATABASE ddl_base OWNER TO regress_ddl_one;
COMMENT ON DATABASE ddl_base IS NULL;
DROP DATABASE ddl_base WITH (FORCE);
CREATE FOREIGN DATA WRAPPER ddl_fdw;
CREATE SERVER ddl_server FOREIGN DATA WRAPPER ddl_fdw OPTIONS (host 'secret host');
CREATE USER MAPPING FOR regress_ddl_one SERVER ddl_server OPTIONS (password 'secret password');
ALTER USER MAPPING FOR regress_ddl_one SERVER ddl_server OPTIONS (SET password 'secret password');
-- The warning is another one in each version.
SET client_min_messages = error;
CREATE SUBSCRIPTION ddl_sub CONNECTION 'password=secret' PUBLICATION p, q WITH (connect = false, slot_name = NONE);
SET client_min_messages = warning;
DROP SUBSCRIPTION ddl_sub;
DROP FOREIGN DATA WRAPPER ddl_fdw CASCADE;
LOAD 'plpgsql';
SELECT * FROM public.ddl_seen();

-- Event triggers fire none. Ours can be disabled by a superuser, which is recorded
-- before it takes effect.
CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER ddl_e ON ddl_command_end EXECUTE FUNCTION e();
ALTER EVENT TRIGGER ddl_e RENAME TO ddl_f;
ALTER EVENT TRIGGER ddl_f DISABLE;
DROP EVENT TRIGGER ddl_f;
DROP EVENT TRIGGER IF EXISTS ddl_f;
ALTER EVENT TRIGGER steward_ddl_command DISABLE;
CREATE TABLE unseen (i integer);
ALTER EVENT TRIGGER steward_ddl_command ENABLE ALWAYS;
CREATE TABLE seen (i integer);
SET steward.audit_ddl = off;
CREATE ROLE regress_ddl_unseen;
CREATE TABLE unseen_too (i integer);
DROP TABLE unseen;
SET steward.audit_ddl = on;
SELECT * FROM public.ddl_seen();

-- Superusers can change catalogs without any command.
UPDATE pg_trigger SET tgenabled = tgenabled WHERE tgrelid = 'account'::regclass;
WITH gone AS (DELETE FROM pg_description WHERE false RETURNING 1) SELECT count(*) FROM gone;
INSERT INTO seen SELECT 0 FROM pg_trigger LIMIT 1;
DELETE FROM seen;
BEGIN;
UPDATE pg_trigger SET tgenabled = tgenabled WHERE false;
ROLLBACK;
SELECT * FROM public.ddl_seen();
SELECT severity, finding, regexp_replace(detail, ', .*', '') AS detail FROM steward.audit_coverage() WHERE finding LIKE 'catalog%';

-- What fails, is rolled back, or finds nothing to do leaves nothing; nor do
-- temporary tables.
CREATE ROLE regress_ddl_one;
DROP ROLE regress_ddl_none;
DROP ROLE IF EXISTS regress_ddl_none;
DROP TABLE IF EXISTS nothing;
DROP DATABASE IF EXISTS ddl_none;
CREATE TABLE seen (i integer);
GRANT regress_ddl_none TO regress_ddl_one;
BEGIN;
CREATE TABLE undone (i integer);
CREATE ROLE regress_ddl_undone;
ROLLBACK;
BEGIN;
SAVEPOINT a;
CREATE TABLE undone (i integer);
ROLLBACK TO a;
CREATE TABLE done (i integer);
COMMIT;
CREATE TEMPORARY TABLE passing (i integer PRIMARY KEY);
ALTER TABLE passing ADD COLUMN t text;
DROP TABLE passing;
INSERT INTO seen VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY seen_twice ON seen (i);
SELECT * FROM public.ddl_seen();

-- A rewrite that changes values is an event of the audited table as well: no row
-- trigger tells of it.
DROP POLICY few ON account;
INSERT INTO account VALUES (1, 'one');
ALTER TABLE account ALTER COLUMN name TYPE varchar(10) USING 'secret' || id;
ALTER TABLE account ADD COLUMN made_at timestamptz DEFAULT clock_timestamp();
ALTER TABLE account SET UNLOGGED;
ALTER TABLE account SET LOGGED;
ALTER TABLE account ALTER COLUMN name TYPE text;
CLUSTER account USING account_pkey;
ALTER TABLE done ALTER COLUMN i TYPE bigint;
SELECT * FROM public.ddl_seen();
SELECT operation, key, old, new FROM steward.audit_trail WHERE relation = 'ddl.account' ORDER BY changed_at, xid, seq;

-- Who: the role that runs it, and whose rights it has then.
GRANT CREATE ON SCHEMA ddl TO regress_ddl_one;
SET ROLE regress_ddl_one;
CREATE TABLE mine (i integer);
SELECT * FROM steward.ddl_trail;
SELECT * FROM steward.event_trail;
RESET ROLE;
SELECT command, identity, session_role = session_user AS by_session, effective_role, application, client_address, replication_origin
  FROM steward.ddl_trail WHERE identity = 'ddl.mine';

-- Recording needs no right that the command did not: what CREATE SCHEMA makes for
-- another role may be out of reach for who runs it.
CREATE ROLE regress_ddl_boss NOINHERIT;
CREATE ROLE regress_ddl_other IN ROLE regress_ddl_one;
GRANT regress_ddl_other TO regress_ddl_boss;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ddl_boss', current_database()) \gexec
SET ROLE regress_ddl_boss;
CREATE SCHEMA regress_ddl_others AUTHORIZATION regress_ddl_other CREATE TABLE above (i integer);
RESET ROLE;
SET ROLE regress_ddl_other;
CREATE FUNCTION regress_ddl_others.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
RESET ROLE;
SET ROLE regress_ddl_boss;
CREATE SCHEMA regress_ddl_more AUTHORIZATION regress_ddl_other
    CREATE TABLE below () INHERITS (regress_ddl_others.above)
    CREATE TRIGGER t AFTER INSERT ON below FOR EACH ROW EXECUTE FUNCTION regress_ddl_others.t();
RESET ROLE;
SELECT command, identity, details FROM steward.ddl_trail WHERE identity LIKE '%regress_ddl_more%' ORDER BY changed_at, xid, seq;
SET client_min_messages = error;
DROP SCHEMA regress_ddl_more, regress_ddl_others CASCADE;
SET client_min_messages = warning;
DROP OWNED BY regress_ddl_boss, regress_ddl_other;
DROP ROLE regress_ddl_boss, regress_ddl_other;

-- An extension's objects say so.
CREATE EXTENSION citext SCHEMA ddl;
SELECT in_extension, count(*) > 1 AS many, count(*) FILTER (WHERE object_type = 'extension') AS extensions
  FROM steward.ddl_trail WHERE command LIKE 'CREATE%' AND changed_at > (SELECT changed_at FROM public.ddl_done) GROUP BY 1 ORDER BY 1;
DROP EXTENSION citext;

-- What belongs to nobody any more: each object, also what no event trigger is told of.
CREATE FUNCTION owned() RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION owned() OWNER TO regress_ddl_one;
GRANT CREATE ON TABLESPACE pg_default TO regress_ddl_one;
GRANT EXECUTE ON FUNCTION owned() TO regress_ddl_many;
CREATE POLICY of_two ON account TO regress_ddl_one, regress_ddl_many;
SELECT count(*) > 0 AS some FROM public.ddl_seen();
REASSIGN OWNED BY regress_ddl_one TO CURRENT_USER;
DROP OWNED BY regress_ddl_one, regress_ddl_many CASCADE;
DROP ROLE regress_ddl_one, regress_ddl_unseen;
DROP ROLE regress_ddl_many;
SELECT * FROM public.ddl_seen();

-- The functions are for event triggers alone.
CREATE EVENT TRIGGER ddl_wrong ON ddl_command_start EXECUTE FUNCTION steward.audit_ddl_command();
CREATE TABLE wrong (i integer);
DROP EVENT TRIGGER ddl_wrong;

-- An event has no key and no values.
SELECT DISTINCT d.* FROM steward.audit_record AS r, steward.audit_decode(r.schema_version, r.op, r.payload) AS d WHERE r.op = 'C';

-- Nothing that was said to be secret is anywhere.
SELECT count(*) FROM steward.audit_record WHERE op = 'C' AND xid >= :'start' AND convert_from(payload, 'UTF8') ILIKE '%secret%';

-- Whose DDL it is has no part in how it is recorded: nothing of what shadows
-- PostgreSQL's functions, operators and tables is called by anyone.
CREATE ROLE regress_ddl_evil;
CREATE SCHEMA evil AUTHORIZATION regress_ddl_evil;
CREATE TABLE public.ddl_called (what text, by_whom name);
GRANT INSERT ON public.ddl_called TO PUBLIC;
SET ROLE regress_ddl_evil;
CREATE FUNCTION evil.called(what text) RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog AS 'INSERT INTO public.ddl_called VALUES (what, current_user)';
CREATE FUNCTION evil.pg_event_trigger_ddl_commands(OUT classid oid, OUT objid oid, OUT objsubid integer, OUT command_tag text, OUT object_type text, OUT schema_name text, OUT object_identity text, OUT in_extension boolean)
    RETURNS SETOF record LANGUAGE sql AS $$ SELECT evil.called('commands'); SELECT 0::oid, 0::oid, 0, 'a', 'b', 'c', 'd', false $$;
CREATE FUNCTION evil.pg_event_trigger_dropped_objects() RETURNS SETOF text LANGUAGE sql AS $$ SELECT evil.called('dropped'); SELECT 'a'::text $$;
CREATE FUNCTION evil.pg_event_trigger_table_rewrite_oid() RETURNS oid LANGUAGE sql AS $$ SELECT evil.called('rewrite'); SELECT 1::oid $$;
CREATE FUNCTION evil.format_type(oid, integer) RETURNS text LANGUAGE sql AS $$ SELECT evil.called('format_type'); SELECT 'a'::text $$;
CREATE FUNCTION evil.eq(a text, b text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.called('eq'); SELECT true $$;
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION evil.either(a boolean, b boolean) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.called('either'); SELECT true $$;
CREATE FUNCTION evil.cast_it(text) RETURNS jsonb LANGUAGE sql AS $$ SELECT evil.called('cast'); SELECT '{}'::jsonb $$;
CREATE TYPE evil.mood AS ENUM ('fine');
CREATE FUNCTION evil.as_text(evil.mood) RETURNS text LANGUAGE sql AS $$ SELECT evil.called('as_text'); SELECT 'a'::text $$;
CREATE CAST (evil.mood AS text) WITH FUNCTION evil.as_text(evil.mood) AS IMPLICIT;
CREATE TABLE evil.pg_class (oid oid, relname name);
CREATE TEMPORARY TABLE pg_namespace (oid oid, nspname name);
SET search_path = evil, pg_temp, pg_catalog;
CREATE TABLE evil.mine (id integer PRIMARY KEY, m mood DEFAULT 'fine', t text);
ALTER TABLE evil.mine ALTER COLUMN t TYPE varchar(5), ADD CHECK (t = t);
GRANT SELECT ON evil.mine TO PUBLIC;
CREATE INDEX ON evil.mine (t);
DROP TABLE evil.mine;
RESET ROLE;
CREATE TABLE evil.mine (id integer);
ALTER TABLE evil.mine ALTER COLUMN id TYPE bigint;
ALTER ROLE regress_ddl_evil SET search_path = evil;
DROP TABLE evil.mine;
SET search_path = ddl;
SELECT * FROM public.ddl_called;
SELECT event, command, identity, effective_role = 'regress_ddl_evil' AS by_evil FROM steward.ddl_trail
 WHERE xid >= :'start' AND identity ~ 'mine' AND identity !~ 'not_null' ORDER BY changed_at, xid, seq;
DROP TABLE public.ddl_called;
DROP TABLE pg_temp.pg_namespace;
DROP SCHEMA evil CASCADE;
DROP ROLE regress_ddl_evil;

DROP TABLE public.ddl_done;
DROP FUNCTION public.ddl_seen;
DROP SCHEMA ddl CASCADE;

-- Before the first enable_audit there is no log. The extension can be dropped.
RESET search_path;
SELECT current_database() AS here \gset
CREATE DATABASE ddl_fresh;
\c ddl_fresh
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
CREATE TABLE early (id integer PRIMARY KEY);
CREATE ROLE regress_ddl_early;
SELECT count(*) FROM steward.ddl_trail;
SELECT steward.enable_audit('early');
DROP ROLE regress_ddl_early;
SELECT event, command, identity FROM steward.ddl_trail ORDER BY changed_at, xid, seq;
DROP EXTENSION pg_steward CASCADE;
CREATE TABLE late (id integer);
CREATE EXTENSION pg_steward;
SELECT count(*) FROM steward.ddl_trail;
\c :here
DROP DATABASE ddl_fresh;
