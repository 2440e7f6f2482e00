-- The DDL guard: what it refuses, and what is allowed next to it.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE guard_user;
CREATE SCHEMA guard;
GRANT ALL ON SCHEMA guard TO PUBLIC;
SET search_path = guard;
SELECT steward.create_key('guard');
CREATE TABLE ok (id integer PRIMARY KEY, c steward.encrypted_text('guard/ok.c'), d steward.encrypted_text('guard/ok.d'), plain text);
CREATE TABLE plain (id integer, c text);

-- every place that stores values names a key
CREATE TABLE bad (c steward.encrypted_text);
CREATE TABLE bad (c steward.encrypted_text[]);
CREATE TEMP TABLE bad (c steward.encrypted_text);
CREATE UNLOGGED TABLE bad (id integer, c steward.encrypted_text);
CREATE DOMAIN bad AS steward.encrypted_text;
CREATE DOMAIN bad AS steward.encrypted_text[];
CREATE TYPE bad AS (x integer, c steward.encrypted_text);
CREATE TYPE bad AS (c steward.encrypted_text[]);
CREATE TABLE bad AS SELECT 'x'::steward.encrypted_text AS c;
CREATE TABLE bad AS SELECT c FROM ok UNION ALL SELECT d FROM ok;
SELECT 'x'::steward.encrypted_text AS c INTO bad;
CREATE MATERIALIZED VIEW bad AS SELECT 'x'::steward.encrypted_text AS c;
PREPARE bad AS SELECT 'x'::steward.encrypted_text AS c;
CREATE TABLE bad AS EXECUTE bad;
CREATE SCHEMA bad CREATE TABLE bad (c steward.encrypted_text);
ALTER TABLE plain ADD COLUMN e steward.encrypted_text;
ALTER TABLE plain ADD COLUMN e steward.encrypted_text, ADD COLUMN f text;
ALTER TABLE plain ALTER COLUMN c TYPE steward.encrypted_text;
ALTER TABLE ok ALTER COLUMN c TYPE steward.encrypted_text;
CREATE FOREIGN DATA WRAPPER guard_fdw;
CREATE SERVER guard_server FOREIGN DATA WRAPPER guard_fdw;
CREATE FOREIGN TABLE bad (c steward.encrypted_text) SERVER guard_server;
CREATE TYPE pair AS (x integer);
ALTER TYPE pair ADD ATTRIBUTE c steward.encrypted_text;
ALTER TYPE pair ADD ATTRIBUTE c steward.encrypted_text('guard/pair.c');
ALTER TYPE pair ALTER ATTRIBUTE c TYPE steward.encrypted_text;
CREATE TYPE bad AS RANGE (SUBTYPE = steward.encrypted_text);
DO $$ BEGIN EXECUTE 'CREATE TABLE guard.bad (c steward.encrypted_text)'; END $$;
SET session_replication_role = replica;
CREATE TABLE bad (c steward.encrypted_text);
RESET session_replication_role;
SELECT to_regclass('guard.bad') IS NULL AND to_regtype('guard.bad') IS NULL AND to_regnamespace('bad') IS NULL AS nothing_stayed;
-- allowed
CREATE DOMAIN good_domain AS steward.encrypted_text('guard/domain');
CREATE TYPE good_type AS (x integer, c steward.encrypted_text('guard/type')[]);
CREATE TABLE good (a steward.encrypted_text('guard/good.a')[], d good_domain, da good_domain[], k good_type, p pair);
CREATE TABLE good_as AS SELECT c FROM ok;
CREATE MATERIALIZED VIEW good_view AS SELECT c FROM ok;
REFRESH MATERIALIZED VIEW good_view;
CREATE VIEW view_without AS SELECT plain::steward.encrypted_text AS c FROM ok;
CREATE FUNCTION takes(steward.encrypted_text) RETURNS steward.encrypted_text LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FOREIGN TABLE good_foreign (c steward.encrypted_text('guard/foreign')) SERVER guard_server;
CREATE TABLE good_like (LIKE ok INCLUDING ALL);

-- no constant in any catalog
CREATE TABLE bad (c steward.encrypted_text('guard/bad') DEFAULT 'x');
CREATE TABLE bad (c steward.encrypted_text('guard/bad') DEFAULT 'x'::steward.encrypted_text);
CREATE TABLE bad (a steward.encrypted_text('guard/bad')[] DEFAULT '{x}');
CREATE TABLE bad (k good_type DEFAULT '(1,{x})');
CREATE TABLE bad (d good_domain DEFAULT 'x');
CREATE TABLE bad (d good_domain[] DEFAULT '{x}');
CREATE TABLE bad (c steward.encrypted_text('guard/bad') CHECK (c <> 'x'));
CREATE TABLE bad (plain text CHECK (plain::steward.encrypted_text <> 'x'));
CREATE TABLE bad (plain boolean GENERATED ALWAYS AS ('x'::steward.encrypted_text IS NOT NULL) STORED);
ALTER TABLE ok ALTER COLUMN c SET DEFAULT 'x';
ALTER TABLE ok ADD CHECK (c <> 'x') NOT VALID;
ALTER TABLE ok ADD CHECK (c IN ('x', 'y')) NOT VALID;
CREATE VIEW bad AS SELECT id FROM ok WHERE c = 'x';
CREATE VIEW bad AS SELECT 'x'::steward.encrypted_text AS c;
CREATE VIEW bad AS SELECT id FROM (SELECT id FROM ok WHERE id IN (SELECT id FROM ok WHERE c = 'x')) AS s;
CREATE VIEW bad AS WITH w AS (SELECT id FROM ok WHERE c = 'x') SELECT * FROM w;
CREATE VIEW bad AS SELECT * FROM (VALUES ('x'::steward.encrypted_text)) AS v (c);
CREATE VIEW bad AS SELECT f FROM takes('x') AS f;
CREATE VIEW bad AS SELECT ok.id FROM ok JOIN ok AS o ON ok.c = 'x' GROUP BY ok.id HAVING min(ok.id) = 1;
CREATE VIEW bad AS SELECT row_number() OVER (ORDER BY c = 'x') FROM ok;
CREATE VIEW bad AS SELECT CASE WHEN c = 'x' THEN 1 END FROM ok;
CREATE MATERIALIZED VIEW bad AS SELECT id FROM ok WHERE c = 'x';
CREATE VIEW replaced AS SELECT id FROM ok;
CREATE OR REPLACE VIEW replaced AS SELECT id FROM ok WHERE c = 'x';
CREATE VIEW view_default AS SELECT id, c FROM ok;
ALTER VIEW view_default ALTER COLUMN c SET DEFAULT 'x';
CREATE RULE bad AS ON INSERT TO plain DO ALSO INSERT INTO ok (id, c) VALUES (1, 'x');
CREATE RULE bad AS ON UPDATE TO ok WHERE NEW.c = 'x' DO INSTEAD NOTHING;
CREATE POLICY bad ON ok USING (c = 'x');
CREATE POLICY bad ON ok WITH CHECK (c <> 'x');
CREATE POLICY good ON ok USING (c = 'x'::text);
ALTER POLICY good ON ok USING (c = 'x');
CREATE FUNCTION bad() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM ok WHERE c = 'x'; END;
CREATE FUNCTION bad() RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO ok (id, c) VALUES (1, 'x'); END;
CREATE FUNCTION bad() RETURNS steward.encrypted_text LANGUAGE sql RETURN 'x'::steward.encrypted_text;
CREATE FUNCTION bad(a steward.encrypted_text DEFAULT 'x') RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE bad(a steward.encrypted_text DEFAULT 'x') LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE bad() LANGUAGE sql BEGIN ATOMIC UPDATE ok SET c = 'x'; END;
CREATE FUNCTION trigger_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER bad BEFORE UPDATE ON ok FOR EACH ROW WHEN (NEW.c = 'x') EXECUTE FUNCTION trigger_function();
CREATE PUBLICATION bad FOR TABLE ok WHERE (c = 'x');
CREATE INDEX bad ON ok (id) WHERE c = 'x';
CREATE INDEX bad ON ok ((c = 'x'));
CREATE STATISTICS bad ON (c = 'x'), id FROM ok;
CREATE DOMAIN bad AS steward.encrypted_text('guard/bad') DEFAULT 'x';
CREATE DOMAIN bad AS steward.encrypted_text('guard/bad') CHECK (VALUE <> 'x');
ALTER DOMAIN good_domain SET DEFAULT 'x';
ALTER DOMAIN good_domain ADD CHECK (VALUE <> 'x') NOT VALID;
-- allowed: text, and what holds no constant
ALTER TABLE ok ALTER COLUMN c SET DEFAULT 'x'::text;
INSERT INTO ok (id) VALUES (1);
SELECT c::text FROM ok;
ALTER TABLE ok ALTER COLUMN c DROP DEFAULT;
CREATE VIEW good_v AS SELECT id, c FROM ok WHERE c = 'x'::text;
SELECT id FROM good_v;
CREATE FUNCTION good() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM ok WHERE c = 'x'::text; END;
SELECT good();
CREATE FUNCTION good_string() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM guard.ok WHERE c = ''x''';
SELECT good_string();
CREATE TRIGGER good BEFORE UPDATE ON ok FOR EACH ROW WHEN (NEW.c = 'x'::text AND OLD.c IS DISTINCT FROM NEW.d) EXECUTE FUNCTION trigger_function();
CREATE TABLE null_default (c steward.encrypted_text('guard/null') DEFAULT NULL, d steward.encrypted_text('guard/null.d') DEFAULT NULL::steward.encrypted_text);

-- checks that decrypt
CREATE TABLE bad (c steward.encrypted_text('guard/bad') CHECK (c::text <> ''));
CREATE TABLE bad (c steward.encrypted_text('guard/bad') CHECK (c <> 'x'::text));
-- PostgreSQL's functions that are written in SQL cast to text
CREATE TABLE bad (c steward.encrypted_text('guard/bad') CHECK ('' || c <> ''));
CREATE TABLE bad (c steward.encrypted_text('guard/bad') CHECK (quote_nullable(c) <> ''));
ALTER TABLE ok ADD CHECK (steward.decrypt(c) <> '');
ALTER TABLE ok ADD CONSTRAINT late CHECK (steward.decrypt(c) <> '') NOT VALID;
INSERT INTO ok VALUES (2, '');
ALTER TABLE ok VALIDATE CONSTRAINT late;
ALTER TABLE ok DROP CONSTRAINT late;
CREATE DOMAIN bad AS steward.encrypted_text('guard/bad') CHECK (VALUE::text <> '');
CREATE DOMAIN checked_domain AS steward.encrypted_text('guard/domain');
ALTER DOMAIN checked_domain ADD CONSTRAINT late CHECK (VALUE::text <> '') NOT VALID;
SELECT ''::text::checked_domain;
ALTER DOMAIN checked_domain VALIDATE CONSTRAINT late;
CREATE TABLE good_check (c steward.encrypted_text('guard/check') NOT NULL CHECK (c IS NOT NULL));

-- indexes, constraints, statistics, partitions
CREATE TABLE bad (c steward.encrypted_text('guard/bad') PRIMARY KEY);
CREATE TABLE bad (c steward.encrypted_text('guard/bad') UNIQUE);
CREATE TABLE bad (id integer, c steward.encrypted_text('guard/bad'), UNIQUE (id, c));
CREATE TABLE bad (c steward.encrypted_text('guard/bad'), EXCLUDE USING btree (c WITH =));
CREATE TABLE bad (c steward.encrypted_text('guard/bad'), EXCLUDE USING btree (c steward.encrypted_unique_ops WITH =));
CREATE TABLE bad (c steward.encrypted_text('guard/bad'), EXCLUDE USING hash (c WITH =));
ALTER TABLE ok ADD UNIQUE (c);
CREATE INDEX bad ON ok (c);
CREATE UNIQUE INDEX bad ON ok (c);
CREATE INDEX bad ON ok (id, c);
CREATE INDEX bad ON ok USING hash (c);
CREATE INDEX bad ON ok ((c::text));
CREATE INDEX bad ON ok (steward.decrypt(c));
CREATE INDEX bad ON ok ((c = plain));
CREATE INDEX bad ON ok ((coalesce(c, d)));
CREATE INDEX bad ON ok USING hash ((coalesce(c, d)));
CREATE INDEX bad ON ok USING hash ((ARRAY[c]));
CREATE INDEX bad ON ok USING gin ((ARRAY[c]));
CREATE INDEX bad ON ok (id, (plain || 'x'), (coalesce(c, d)));
CREATE INDEX bad ON ok ((coalesce(c, d)) steward.encrypted_unique_ops);
-- what to do instead is said so that it can be run as it is
\set VERBOSITY default
CREATE SCHEMA "Guard else";
CREATE TABLE "Guard else"."Some table" (id integer, "A col" steward.encrypted_text('guard/else'));
ALTER TABLE "Guard else"."Some table" ADD UNIQUE ("A col");
ALTER TABLE "Guard else"."Some table" ADD PRIMARY KEY ("A col");
CREATE UNIQUE INDEX ON "Guard else"."Some table" ("A col" steward.encrypted_unique_ops);
ALTER TABLE ok ADD UNIQUE (c);
CREATE INDEX bad ON ok ((coalesce(c, d)) steward.encrypted_unique_ops);
\set VERBOSITY terse
DROP TABLE "Guard else"."Some table";
DROP SCHEMA "Guard else";
CREATE INDEX bad ON ok (id) WHERE c = d;
CREATE INDEX bad ON good (a);
CREATE INDEX bad ON good USING gin (a);
CREATE INDEX bad ON good (k);
CREATE INDEX bad ON good (d);
CREATE INDEX bad ON ok ((ok.*));
CREATE STATISTICS bad ON c, d FROM ok;
CREATE STATISTICS bad ON (c::text), id FROM ok;
CREATE STATISTICS bad ON (c || 'x'), id FROM ok;
CREATE STATISTICS bad ON (quote_literal(c)), id FROM ok;
CREATE TABLE bad (c steward.encrypted_text('guard/bad')) PARTITION BY LIST (c);
CREATE TABLE bad (c steward.encrypted_text('guard/bad')) PARTITION BY RANGE (c);
CREATE TABLE bad (c steward.encrypted_text('guard/bad')) PARTITION BY HASH (c);
CREATE TABLE bad (c steward.encrypted_text('guard/bad')) PARTITION BY HASH (c steward.encrypted_text_ops);
CREATE TABLE bad (c steward.encrypted_text('guard/bad')) PARTITION BY LIST ((c::text));
CREATE TABLE bad (c steward.encrypted_text('guard/bad')) PARTITION BY LIST ((coalesce(c)));
CREATE TABLE bad (c steward.encrypted_text('guard/bad')) PARTITION BY HASH ((ARRAY[c]));
CREATE TABLE bad (c good_type) PARTITION BY RANGE (c);
CREATE TABLE typed (c text PRIMARY KEY);
ALTER TABLE typed ALTER COLUMN c TYPE steward.encrypted_text('guard/typed');
-- nor is a table sorted first for somebody who may not decrypt
CREATE ROLE guard_owner;
CREATE TABLE owned (id integer, c steward.encrypted_text('guard/owned.c'));
INSERT INTO owned VALUES (1, 'a'), (2, 'b');
ALTER TABLE owned OWNER TO guard_owner;
GRANT ALL ON SCHEMA guard TO guard_owner;
SET ROLE guard_owner;
CREATE INDEX ON owned (id, c);
RESET ROLE;
DROP TABLE owned;
DROP OWNED BY guard_owner;
DROP ROLE guard_owner;
-- CONCURRENTLY commits on its way: it is refused before that
CREATE INDEX CONCURRENTLY bad ON ok (c);
CREATE UNIQUE INDEX CONCURRENTLY bad ON ok (c);
CREATE INDEX CONCURRENTLY bad ON ok USING hash (c);
CREATE INDEX CONCURRENTLY bad ON ok ((c::text));
CREATE INDEX CONCURRENTLY bad ON ok (id, d);
CREATE INDEX CONCURRENTLY bad ON good (a);
SELECT count(*) AS left_behind FROM pg_class WHERE relname IN ('bad', 'bad_pkey', 'bad_c_idx') AND relnamespace = 'guard'::regnamespace;
CREATE INDEX CONCURRENTLY good_concurrent ON ok (id, plain);
CREATE INDEX CONCURRENTLY good_concurrent_where ON ok (id) WHERE c IS NOT NULL;
CREATE INDEX CONCURRENTLY good_concurrent_c ON ok (id, c steward.encrypted_unique_ops);
-- allowed
CREATE UNIQUE INDEX ON ok (c steward.encrypted_unique_ops, id);
CREATE INDEX ON ok (d steward.encrypted_unique_ops);
CREATE INDEX ON ok (id) INCLUDE (c) WHERE c IS NOT NULL;
CREATE UNIQUE INDEX ON good (d steward.encrypted_unique_ops);
CREATE INDEX ON ok ((c IS NULL));
CREATE INDEX ON ok (id, (plain || 'x'), (coalesce(c, c)) steward.encrypted_unique_ops, (upper(plain)));
CREATE STATISTICS good_statistics ON id, plain FROM ok;
-- an IMMUTABLE wrapper that is given a value
CREATE FUNCTION wrapper(steward.encrypted_text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1::text; END';
CREATE INDEX wrapped ON null_default (wrapper(c));
CREATE STATISTICS wrapped ON (wrapper(c)), id FROM ok;
-- documented as not caught: one that reads the value itself. Decryption refuses then.
CREATE FUNCTION wrapper(integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT max(c::text) FROM guard.good_as); END';
INSERT INTO good_as VALUES ('x');
CREATE INDEX wrapped ON ok (wrapper(id));
CREATE STATISTICS wrapped ON (wrapper(id)), id FROM ok;
ANALYZE ok;
DROP STATISTICS wrapped;
CREATE MATERIALIZED VIEW decrypted AS SELECT c::text FROM ok;
CREATE MATERIALIZED VIEW decrypted AS SELECT c::text FROM ok WITH NO DATA;
REFRESH MATERIALIZED VIEW decrypted;

-- the rescue is for superusers
SET ROLE guard_user;
SET steward.allow_unkeyed_ddl = on;
CREATE TABLE bad (c steward.encrypted_text);
ALTER EVENT TRIGGER steward_guard_ddl DISABLE;
DROP EVENT TRIGGER steward_guard_ddl;
SELECT steward.guard_ddl();
CREATE TABLE mine (c steward.encrypted_text('guard/mine'));
INSERT INTO mine VALUES ('x');
RESET ROLE;
SELECT path FROM steward.key WHERE path = 'guard/mine';
SELECT steward.guard_ddl();
BEGIN;
SET LOCAL steward.allow_unkeyed_ddl = on;
CREATE TABLE rescued (c steward.encrypted_text DEFAULT 'x');
CREATE INDEX ON rescued (c);
ROLLBACK;

-- nor does a hostile search path help
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.pg_event_trigger_ddl_commands(OUT classid oid, OUT objid oid) RETURNS SETOF record LANGUAGE sql AS 'SELECT 1::oid, 1::oid WHERE false';
CREATE FUNCTION hostile.oideq(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hostile.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = hostile.oideq);
CREATE FUNCTION hostile.inteq(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hostile.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = hostile.inteq);
CREATE TABLE hostile.pg_class (oid oid);
CREATE TABLE hostile.pg_attribute (attrelid oid);
CREATE TYPE hostile.text AS ENUM ('x');
CREATE SCHEMA hostile_steward;
SET search_path = hostile, pg_catalog, guard;
CREATE TABLE guard.bad (c steward.encrypted_text);
CREATE TABLE guard.bad (c steward.encrypted_text('guard/bad') DEFAULT 'x');
CREATE TABLE guard.good_hostile (c steward.encrypted_text('guard/hostile'));
INSERT INTO guard.good_hostile VALUES ('x');
SELECT steward.grant_key('guard', 'guard_user', 'decrypt');
SELECT steward.has_key_privilege('guard_user', 'guard', 'decrypt');
SELECT steward.revoke_key('guard', 'guard_user', 'decrypt');
SELECT steward.has_key_privilege('guard_user', 'guard', 'decrypt');
SELECT steward.create_key('guard_hostile');
SELECT c::pg_catalog.text FROM guard.good_hostile WHERE c OPERATOR(pg_catalog.=) 'x';
RESET search_path;
SELECT count(*) FROM steward.key WHERE path IN ('guard/hostile', 'guard_hostile');

SET client_min_messages = warning;
DROP SCHEMA guard, hostile, hostile_steward CASCADE;
DROP FOREIGN DATA WRAPPER guard_fdw CASCADE;
DROP OWNED BY guard_user;
DROP ROLE guard_user;

-- A column definition list is believed by PostgreSQL, so it may name no key.
SELECT steward.create_key('guard_list');
CREATE TABLE guard_source (c steward.encrypted_text('guard_list/a'));
CREATE TABLE guard_target (c steward.encrypted_text('guard_list/b'));
INSERT INTO guard_source VALUES ('one');
CREATE FUNCTION guard_lie(w guard_source) RETURNS record LANGUAGE sql AS 'SELECT row(w.c)';
INSERT INTO guard_target SELECT f.c FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b'));
SELECT (SELECT count(*) FROM guard_source AS w, ROWS FROM (guard_lie(w) AS (c steward.encrypted_text('guard_list/b'))) AS f);
WITH x AS (SELECT f.* FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b')[])) SELECT * FROM x;
CREATE FUNCTION guard_stored() RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC SELECT count(f.c) FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b')); END;
PREPARE guard_prepared AS SELECT f.c FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b'));
-- in a command that carries a query
CREATE TABLE guard_stolen AS SELECT f.c FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b'));
SELECT f.c INTO guard_stolen FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b'));
EXPLAIN (COSTS OFF) CREATE TABLE guard_stolen AS SELECT f.c FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b'));
DECLARE guard_cursor CURSOR WITH HOLD FOR SELECT f.c FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text('guard_list/b'));
-- PostgreSQL's functions that hand on a record
INSERT INTO guard_target SELECT f.c FROM unnest(ARRAY[row('transient'::steward.encrypted_text)]) AS f(c steward.encrypted_text('guard_list/b'));
INSERT INTO guard_target SELECT f.c FROM jsonb_populate_record(row('transient'::steward.encrypted_text), '{}') AS f(c steward.encrypted_text('guard_list/b'));
-- Without a key the target column gives it its own; some of PostgreSQL's functions make values under the key.
INSERT INTO guard_target SELECT f.c FROM guard_source AS w, guard_lie(w) AS f(c steward.encrypted_text);
INSERT INTO guard_target SELECT f.c FROM jsonb_to_recordset('[{"c": "two"}]') AS f(c steward.encrypted_text('guard_list/b'));
SELECT c::text FROM guard_target ORDER BY c;
SELECT count(DISTINCT substr(steward.encrypted_text_out(c)::text, 1, 16)) AS headers FROM guard_target;
DROP TABLE guard_target;
DROP FUNCTION guard_lie(guard_source);
DROP TABLE guard_source;

-- Nor can a generated column keep the keyed hash of a plaintext.
CREATE TABLE guard_hash (c steward.encrypted_text('guard_list/h'), h integer GENERATED ALWAYS AS (steward.encrypted_text_hash(c)) STORED);
-- A path that nobody has registered yet is known to the leader alone: workers do not encrypt.
CREATE TABLE guard_many AS SELECT g::text AS plain FROM generate_series(1, 5000) AS g;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
SELECT count(*) FROM (SELECT plain::steward.encrypted_text('guard_list/nobody') AS c FROM guard_many WHERE plain <> '1' OFFSET 0) AS s WHERE c IS NOT NULL;
CREATE TABLE guard_copied AS SELECT plain::steward.encrypted_text('guard_list/fresh') AS c FROM guard_many;
COMMIT;
SELECT count(*) FROM guard_copied WHERE c = '7'::text;
DROP TABLE guard_copied;
DROP TABLE guard_many;
-- Everything of the extension is found by the name of its schema.
\set VERBOSITY default
ALTER SCHEMA steward RENAME TO guard_other;
\set VERBOSITY terse
CREATE SCHEMA guard_other;
ALTER SCHEMA guard_other RENAME TO guard_another;
DROP SCHEMA guard_another;
SELECT steward.create_key('guard_renamed');
