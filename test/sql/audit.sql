-- enable_audit, disable_audit, the trail and its guards: surface and errors.
\set SHOW_CONTEXT never
SET datestyle = 'ISO';
CREATE SCHEMA audited;
SET search_path = audited, public;

-- What cannot be audited, each with its own error.
CREATE TABLE plain (id integer PRIMARY KEY, name text);
CREATE VIEW a_view AS SELECT * FROM plain;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM plain;
CREATE TEMP TABLE a_temp (id integer);
CREATE UNLOGGED TABLE an_unlogged (id integer);
CREATE SEQUENCE a_sequence;
CREATE TABLE a_parent (id integer) PARTITION BY RANGE (id);
CREATE TABLE a_partition PARTITION OF a_parent FOR VALUES FROM (1) TO (10);
CREATE FOREIGN DATA WRAPPER a_wrapper;
CREATE SERVER a_server FOREIGN DATA WRAPPER a_wrapper;
CREATE FOREIGN TABLE a_foreign (id integer) SERVER a_server;
\set VERBOSITY default
SELECT steward.enable_audit('a_view');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('a_matview');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('a_temp');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('an_unlogged');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('a_sequence');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('a_foreign');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('pg_catalog.pg_class');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('steward.audit_schema');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('steward.audit_log');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('no_such_table');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit(4294967295::oid);
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT steward.disable_audit(NULL);
\echo :LAST_ERROR_SQLSTATE

-- None of them left a trigger.
SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text NOT LIKE 'steward.%' AND tgname LIKE '%steward_audit%';

-- Enabling is idempotent and repairs what was switched off.
SELECT steward.enable_audit('plain');
SELECT steward.enable_audit('plain');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'plain'::regclass ORDER BY tgname;
ALTER TABLE plain DISABLE TRIGGER "00_steward_audit_row";
DROP TRIGGER "00_steward_audit_truncate" ON plain;
SELECT steward.enable_audit('plain');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'plain'::regclass ORDER BY tgname;

-- ENABLE TRIGGER ALL, as pg_restore --disable-triggers ends, leaves them weaker.
ALTER TABLE plain DISABLE TRIGGER ALL;
ALTER TABLE plain ENABLE TRIGGER ALL;
SELECT steward.enable_audit('plain');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'plain'::regclass ORDER BY tgname;

-- A trigger that records only some changes is replaced.
DROP TRIGGER "00_steward_audit_row" ON plain;
CREATE TRIGGER "00_steward_audit_row" AFTER INSERT OR UPDATE OF name ON plain FOR EACH ROW WHEN (NEW.id > 100) EXECUTE FUNCTION steward.audit_row();
CREATE TRIGGER partly AFTER DELETE ON plain FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
SELECT steward.enable_audit('plain');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'plain'::regclass ORDER BY tgname;

INSERT INTO plain VALUES (1, 'one'), (2, NULL), (3, '');
UPDATE plain SET name = 'uno' WHERE id = 1;
UPDATE plain SET name = name;
UPDATE plain SET id = 30 WHERE id = 3;
DELETE FROM plain WHERE id = 2;
TRUNCATE plain;
SELECT steward.disable_audit('plain');
SELECT steward.disable_audit('plain');
INSERT INTO plain VALUES (4, 'not recorded');
SELECT relation, operation, key, old, new FROM steward.audit_trail WHERE relation = 'audited.plain' ORDER BY xid, seq;

-- Only the owner of the table or a superuser, and only with EXECUTE.
CREATE ROLE audit_owner;
CREATE ROLE audit_other;
GRANT USAGE, CREATE ON SCHEMA audited TO audit_owner, audit_other;
SET ROLE audit_owner;
CREATE TABLE owned (id integer PRIMARY KEY, v text);
SELECT steward.enable_audit('owned');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.enable_audit(regclass, name[], name[], jsonb, text, boolean), steward.disable_audit(regclass) TO audit_owner, audit_other;
SET ROLE audit_other;
SELECT steward.enable_audit('owned');
\echo :LAST_ERROR_SQLSTATE
SELECT steward.enable_audit('pg_catalog.pg_class');
\echo :LAST_ERROR_SQLSTATE
SET ROLE audit_owner;
SELECT steward.enable_audit('owned');
INSERT INTO owned VALUES (1, 'a');
SET ROLE audit_other;
SELECT steward.disable_audit('owned');
\echo :LAST_ERROR_SQLSTATE
SET ROLE audit_owner;
-- Writers have no right on the log, and cannot attach its functions.
SELECT count(*) FROM steward.audit_trail;
SELECT count(*) FROM steward.audit_record;
SELECT count(*) FROM steward.audit_log_1;
INSERT INTO steward.audit_context DEFAULT VALUES;
CREATE TRIGGER forged BEFORE INSERT ON owned FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
CREATE TRIGGER forged BEFORE INSERT ON owned FOR EACH ROW EXECUTE FUNCTION steward.audit_guard();
SELECT steward.audit_protect('owned');
RESET ROLE;
SELECT operation, effective_role, key, new FROM steward.audit_trail WHERE relation = 'audited.owned' ORDER BY xid, seq;

-- The trigger functions refuse to be anything else.
CREATE TRIGGER wrong BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
INSERT INTO plain VALUES (5, 'wrong');
\echo :LAST_ERROR_SQLSTATE
DROP TRIGGER wrong ON plain;
CREATE TRIGGER wrong AFTER INSERT ON plain FOR EACH STATEMENT EXECUTE FUNCTION steward.audit_row();
INSERT INTO plain VALUES (5, 'wrong');
DROP TRIGGER wrong ON plain;
CREATE TRIGGER wrong AFTER INSERT ON plain FOR EACH STATEMENT EXECUTE FUNCTION steward.audit_truncate();
INSERT INTO plain VALUES (5, 'wrong');
DROP TRIGGER wrong ON plain;
SELECT steward.audit_row();
SELECT steward.audit_guard();

-- Nothing changes or removes a record, superuser or not, replica or not.
UPDATE steward.audit_log SET first_seq = 0;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM steward.audit_log;
TRUNCATE steward.audit_log;
UPDATE steward.audit_log_1 SET first_seq = 0 WHERE false;
DELETE FROM steward.audit_log_1;
TRUNCATE steward.audit_log_1;
UPDATE steward.audit_context SET pid = 0;
DELETE FROM steward.audit_context;
TRUNCATE steward.audit_context;
UPDATE steward.audit_schema SET key = '{}';
DELETE FROM steward.audit_schema;
TRUNCATE steward.audit_schema;
UPDATE steward.audit_segment SET name = 'x';
DELETE FROM steward.audit_segment;
TRUNCATE steward.audit_segment;
UPDATE steward.audit_incarnation SET timeline = 0;
DELETE FROM steward.audit_incarnation;
TRUNCATE steward.audit_incarnation;
MERGE INTO steward.audit_segment AS s USING (SELECT 1 AS n) AS x ON s.number = x.n WHEN MATCHED THEN DELETE;
INSERT INTO steward.audit_segment VALUES (1, 'x', now()) ON CONFLICT (number) DO UPDATE SET name = 'x';
SET session_replication_role = replica;
DELETE FROM steward.audit_log_1;
\echo :LAST_ERROR_SQLSTATE
RESET session_replication_role;
SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger
    WHERE tgfoid = 'steward.audit_guard()'::regprocedure ORDER BY tgrelid::regclass::text COLLATE "C", tgname;

-- No right for PUBLIC, and a comment on everything.
SELECT c.relname FROM pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
    WHERE c.relnamespace = 'steward'::regnamespace AND c.relname LIKE 'audit%' AND a.grantee = 0;
CREATE ROLE audit_public_probe;
SELECT p.proname FROM pg_proc AS p
    WHERE p.pronamespace = 'steward'::regnamespace AND p.proname LIKE '%audit%' AND has_function_privilege('audit_public_probe', p.oid, 'EXECUTE') ORDER BY p.proname COLLATE "C";
SELECT relname FROM pg_class WHERE relnamespace = 'steward'::regnamespace AND relname LIKE 'audit%' AND relkind IN ('r', 'p', 'v', 'S')
    AND obj_description(oid, 'pg_class') IS NULL;

-- An auditor needs the view, and sees what he may read.
GRANT SELECT ON steward.audit_trail TO audit_other;
SET ROLE audit_other;
SELECT count(*) FROM steward.audit_trail WHERE relation = 'audited.owned';
RESET ROLE;
GRANT SELECT ON owned TO audit_other;
SET ROLE audit_other;
SELECT operation, new FROM steward.audit_trail WHERE relation = 'audited.owned' ORDER BY xid, seq;
SELECT count(*) FROM steward.audit_record;
RESET ROLE;

\set VERBOSITY terse
DROP SCHEMA audited CASCADE;
DROP FOREIGN DATA WRAPPER a_wrapper CASCADE;
REVOKE ALL ON FUNCTION steward.enable_audit(regclass, name[], name[], jsonb, text, boolean), steward.disable_audit(regclass) FROM audit_owner, audit_other;
REVOKE ALL ON steward.audit_trail FROM audit_other;
DROP ROLE audit_owner, audit_other, audit_public_probe;
