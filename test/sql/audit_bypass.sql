-- audit_coverage: every way around the audit is recorded or a finding. And audit_feed.
\set SHOW_CONTEXT never
CREATE SCHEMA covered;
SET search_path = covered, public;
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE p (id integer, r text) PARTITION BY LIST (r);
CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a');
SELECT steward.enable_audit('a'), steward.enable_audit('p');
CREATE VIEW finding AS
    SELECT relation, severity, finding, regexp_replace(detail, ', [^,]*, transaction \d+', ', ...') AS detail
    FROM steward.audit_coverage()
    WHERE relation IS NULL AND severity = 'gap' OR relation::text !~ '\.' OR relation::text ~ '^steward.*_log';

-- All is covered.
SELECT * FROM finding WHERE severity <> 'past gap';

-- As a replica: recorded.
SET session_replication_role = replica;
INSERT INTO a VALUES (1);
RESET session_replication_role;
SELECT operation, key FROM steward.audit_trail WHERE relation = 'covered.a' AND operation <> 'ENABLE';

-- Triggers disabled, weakened, dropped, replaced by some that record less.
ALTER TABLE a DISABLE TRIGGER "00_steward_audit_row";
SELECT * FROM finding WHERE relation = 'a'::regclass;
ALTER TABLE a ENABLE TRIGGER ALL;
SELECT * FROM finding WHERE relation = 'a'::regclass;
SELECT steward.enable_audit('a');
SELECT * FROM finding WHERE relation = 'a'::regclass;
DROP TRIGGER "00_steward_audit_row" ON a;
DROP TRIGGER "00_steward_audit_truncate" ON a;
SELECT * FROM finding WHERE relation = 'a'::regclass AND severity = 'gap';
CREATE TRIGGER "00_steward_audit_row" AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
ALTER TABLE a ENABLE ALWAYS TRIGGER "00_steward_audit_row";
SELECT * FROM finding WHERE relation = 'a'::regclass AND severity = 'gap';
SELECT steward.enable_audit('a');
SELECT * FROM finding WHERE relation = 'a'::regclass AND severity = 'gap';

-- A second trigger would record each change twice: refused, or found.
CREATE TRIGGER twice AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
CREATE TRIGGER twice AFTER TRUNCATE ON a EXECUTE FUNCTION steward.audit_truncate();
ALTER TABLE a DISABLE TRIGGER "00_steward_audit_row";
CREATE TRIGGER twice AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
CREATE OR REPLACE TRIGGER "00_steward_audit_row" AFTER INSERT OR UPDATE OR DELETE ON a FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
SELECT steward.enable_audit('a');
BEGIN;
ALTER EVENT TRIGGER steward_ddl_command DISABLE;
CREATE CONSTRAINT TRIGGER twice AFTER UPDATE ON a DEFERRABLE FOR EACH ROW EXECUTE FUNCTION steward.audit_row();
CREATE TRIGGER twice AFTER TRUNCATE ON p_a EXECUTE FUNCTION steward.audit_truncate();
SELECT * FROM finding WHERE finding = 'recorded more than once';
ALTER EVENT TRIGGER steward_ddl_command ENABLE ALWAYS;
SELECT steward.enable_audit('a'), steward.enable_audit('p');
SELECT * FROM finding WHERE finding = 'recorded more than once';
ROLLBACK;

-- Unlogged for a while, a crash would have emptied it. Who is not audited may.
ALTER TABLE a SET UNLOGGED;
ALTER TABLE a RENAME TO was_a;
ALTER TABLE was_a SET LOGGED;
ALTER TABLE was_a RENAME TO a;
SELECT * FROM finding WHERE finding IN ('not a permanent table', 'table was unlogged');
SELECT steward.disable_audit('a');
ALTER TABLE a SET UNLOGGED, SET (fillfactor = 50);
ALTER TABLE a SET LOGGED;
SELECT steward.enable_audit('a');
SELECT * FROM finding WHERE finding = 'table was unlogged';

-- Partitions: TRUNCATE of one is recorded; its trigger is looked after; others are covered when they come, and stay so.
TRUNCATE p_a;
SELECT operation, relation FROM steward.audit_trail WHERE operation = 'TRUNCATE' AND relation LIKE 'covered.%';
DROP TRIGGER "00_steward_audit_truncate" ON p_a;
SELECT * FROM finding WHERE relation = 'p_a'::regclass AND severity = 'gap';
SELECT steward.enable_audit('p');
CREATE TABLE p_b (id integer, r text);
ALTER TABLE p ATTACH PARTITION p_b FOR VALUES IN ('b');
ALTER TABLE p DETACH PARTITION p_a;
SELECT * FROM finding WHERE relation IN ('p'::regclass, 'p_a'::regclass, 'p_b'::regclass) AND severity = 'gap';
INSERT INTO p VALUES (1, 'b');
INSERT INTO p_a VALUES (1, 'a');
SELECT operation, relation FROM steward.audit_trail WHERE operation = 'INSERT' AND relation LIKE 'covered.p%' ORDER BY xid, seq;

-- The log itself.
SELECT 'steward.' || name AS segment FROM steward.audit_segment ORDER BY number DESC LIMIT 1 \gset
ALTER TABLE :segment DISABLE TRIGGER steward_audit_guard;
ALTER TABLE steward.audit_schema DISABLE TRIGGER steward_audit_guard_row;
SELECT regexp_replace(relation::text, '_\d+$', '_N') AS relation, severity, finding, detail FROM steward.audit_coverage() WHERE finding LIKE 'guard%';
ALTER TABLE :segment ENABLE ALWAYS TRIGGER steward_audit_guard;
ALTER TABLE steward.audit_schema ENABLE ALWAYS TRIGGER steward_audit_guard_row;
BEGIN;
CREATE INDEX of_others ON :segment (segment);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER of_others BEFORE INSERT ON :segment FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT regexp_replace(relation::text, '_\d+$', '_N') AS relation, severity, finding, detail FROM steward.audit_coverage() WHERE finding LIKE 'segment%' ORDER BY detail;
ROLLBACK;
BEGIN;
ALTER TABLE steward.audit_log DETACH PARTITION :segment;
SELECT finding FROM steward.audit_coverage() WHERE finding LIKE 'segment%';
ROLLBACK;

-- The extension.
BEGIN;
ALTER EVENT TRIGGER steward_ddl_drop DISABLE;
SELECT severity, finding, detail FROM steward.audit_coverage() WHERE finding = 'event trigger disabled';
ROLLBACK;
SET steward.audit_ddl = off;
SELECT severity, finding, detail FROM steward.audit_coverage() WHERE finding LIKE 'setting%';
RESET steward.audit_ddl;
BEGIN;
CREATE OR REPLACE FUNCTION steward.audit_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
SELECT severity, finding, detail FROM steward.audit_coverage() WHERE finding LIKE 'function%';
ROLLBACK;

-- One that is replaced for a while does not see its own replacement; another does.
CREATE OR REPLACE FUNCTION steward.audit_ddl_command() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
SELECT severity, finding, detail FROM steward.audit_coverage() WHERE finding LIKE 'function changed';
CREATE TABLE unseen (id integer);
SET search_path = steward;
CREATE OR REPLACE FUNCTION audit_ddl_command() RETURNS event_trigger LANGUAGE c AS '$libdir/pg_steward', 'steward_audit_ddl_command';
SET search_path = covered, public;
SELECT severity, finding, regexp_replace(detail, ', [^,]*, transaction \d+', ', ...') AS detail FROM steward.audit_coverage() WHERE finding LIKE 'function %';

-- Settings that decide what is recorded: the command is recorded in any case, and where
-- there is none, that something was not recorded.
CREATE ROLE coverage_lax;
CREATE FUNCTION settings(OUT command text, OUT identity text, OUT details jsonb) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT t.command, t.identity, t.details FROM steward.ddl_trail AS t WHERE t.details->>'setting' IN ('steward.audit_ddl', 'steward.access_audit', 'steward.require_context', 'steward.access_audit_rows')
        OR t.details ? 'reset_all' ORDER BY t.changed_at, t.xid, t.seq
$$;
SELECT count(*) AS before FROM settings() \gset
SET steward.audit_ddl = false;
ALTER ROLE coverage_lax SET steward.access_audit = off;
ALTER ROLE coverage_lax SET work_mem = '1MB';
SELECT format('ALTER DATABASE %I SET steward.require_context = off', current_database()) \gexec
ALTER SYSTEM SET steward.access_audit_rows = 0;
SET LOCAL steward.access_audit = best_effort;
RESET ALL;
RESET ALL;
SET search_path = covered, public;
SELECT set_config('steward.audit_ddl', 'off', false);
DISCARD ALL;
SET search_path = covered, public;
SELECT command, regexp_replace(identity, '^(?!coverage).*', 'database') AS identity, details FROM settings() OFFSET :before;
SELECT severity, finding, detail FROM steward.audit_coverage() WHERE detail LIKE 'steward.access_audit %';
CREATE TABLE read_audited (id integer);
SELECT steward.audit_access('read_audited');
SELECT severity, finding, detail FROM steward.audit_coverage() WHERE detail LIKE 'steward.access_audit %';
SELECT steward.stop_audit_access('read_audited');
SELECT format('ALTER DATABASE %I RESET steward.require_context', current_database()) \gexec
ALTER SYSTEM RESET steward.access_audit_rows;
DROP ROLE coverage_lax;
SELECT count(*) AS before FROM steward.event_trail WHERE event = 'commands_not_recorded' \gset
BEGIN;
SELECT set_config('steward.audit_ddl', 'off', true);
CREATE TABLE unseen_1 (id integer);
SAVEPOINT a;
CREATE TABLE unseen_2 (id integer);
ROLLBACK TO a;
CREATE ROLE coverage_unseen;
DROP TABLE unseen_1;
DROP ROLE coverage_unseen;
COMMIT;
BEGIN;
SELECT set_config('steward.audit_ddl', 'off', true);
CREATE TEMPORARY TABLE passing (id integer);
CREATE TABLE unseen_3 (id integer);
ROLLBACK;
SELECT set_config('steward.audit_ddl', 'off', false);
DROP TABLE unseen;
RESET steward.audit_ddl;
SELECT details FROM steward.event_trail WHERE event = 'commands_not_recorded' ORDER BY xid, seq OFFSET :before;
SELECT finding, count(*) > 2 AS several, bool_or(detail ~ '^(SET steward.audit_ddl = false|steward.audit_ddl), .*, transaction \d+$') AS this
  FROM steward.audit_coverage() WHERE finding IN ('commands were not recorded', 'records were switched off') GROUP BY 1 ORDER BY 1;

-- A slot that is not there. (The rest is in t/coverage.pl.)
SELECT * FROM steward.audit_coverage('no_such_slot');

-- The feed: sealed records, in the order of the ledger, once each.
-- The worker may have sealed before.
SELECT steward.seal_ledger() IS NOT NULL AS sealed;
SELECT max(leaf) AS last FROM steward.audit_feed(NULL, 1000000) \gset
BEGIN;
INSERT INTO a VALUES (7);
SELECT count(*) FROM steward.audit_feed(:last);
COMMIT;
SELECT steward.seal_ledger() IS NOT NULL AS sealed;
SELECT leaf - :last AS leaf, j->>'operation' AS operation, j->>'relation' AS relation, j->'key' AS key, j->'new' AS new, j->>'session_role' = current_user AS me,
       ARRAY(SELECT json_object_keys(j)) AS fields
FROM (SELECT leaf, line::json AS j FROM steward.audit_feed(:last)) AS f;
SELECT count(*), count(DISTINCT leaf), max(leaf) - min(leaf) FROM steward.audit_feed(:last - 5, 3);
SELECT steward.audit_feed(0, 0);
SELECT steward.audit_feed(0, NULL);
SELECT steward.audit_feed(-2, 1);

-- Both are for those who were given them.
CREATE ROLE coverage_reader;
GRANT USAGE ON SCHEMA steward TO coverage_reader;
SET ROLE coverage_reader;
SELECT * FROM steward.audit_coverage();
SELECT * FROM steward.audit_feed();
SELECT steward.take_coverage_baseline();
TABLE steward.coverage_baseline;
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.audit_coverage(name), steward.audit_feed(bigint, integer, integer) TO coverage_reader;
SET ROLE coverage_reader;
SELECT count(*) > 0 AS some FROM steward.audit_coverage();
SELECT count(*) FROM steward.audit_feed(NULL, 2);
RESET ROLE;
DROP OWNED BY coverage_reader;
DROP ROLE coverage_reader;
SET client_min_messages = warning;
DROP SCHEMA covered CASCADE;
