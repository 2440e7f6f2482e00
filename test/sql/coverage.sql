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
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.audit_coverage(), steward.audit_feed(bigint, integer, integer) TO coverage_reader;
SET ROLE coverage_reader;
SELECT count(*) > 0 AS some FROM steward.audit_coverage();
SELECT count(*) FROM steward.audit_feed(NULL, 2);
RESET ROLE;
DROP OWNED BY coverage_reader;
DROP ROLE coverage_reader;
SET client_min_messages = warning;
DROP SCHEMA covered CASCADE;
