-- Searching an index of encrypted values needs the right to search, also where
-- no row comes back: where a search ends tells how stored tags compare.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA scan_rights;
SET search_path = scan_rights;
SELECT steward.create_key('scan');
RESET client_min_messages;
CREATE TABLE t (id integer, c steward.encrypted_text('scan/t.c'), d steward.encrypted_text('scan/t.d'));
INSERT INTO t SELECT 1, 'v' || g, 'w' || g FROM generate_series(1, 50) AS g;
CREATE UNIQUE INDEX ON t (id, c steward.encrypted_unique_ops, d steward.encrypted_unique_ops);
CREATE TABLE probe (c steward.encrypted_text('scan/t.c'));
INSERT INTO probe SELECT 'p' || g FROM generate_series(1, 8) AS g;
CREATE ROLE scan_user;
GRANT USAGE ON SCHEMA scan_rights TO scan_user;
GRANT SELECT, INSERT ON t, probe TO scan_user;
SET ROLE scan_user;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
SELECT count(*) FROM t WHERE id = 1 AND c = (SELECT 'p1'::text::steward.encrypted_text('scan/t.c'));
SELECT count(*) FROM t WHERE id = 1 AND c IN ('p1', 'p2');
SELECT count(*) FROM t WHERE id = 1 AND c = 'p1'::text;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) FROM probe AS p JOIN t ON t.id = 1 AND t.c = p.c;
SELECT (SELECT count(*) FROM t WHERE id = 1 AND c = p.c) FROM probe AS p;
WITH found AS MATERIALIZED (SELECT id FROM t WHERE id = 1 AND c = (SELECT c FROM probe LIMIT 1)) SELECT count(*) FROM found;
BEGIN;
DECLARE cur CURSOR FOR SELECT id FROM t WHERE id = 1 AND c = (SELECT c FROM probe LIMIT 1);
FETCH cur;
ROLLBACK;
SET enable_indexonlyscan = on;
SELECT count(id) FROM t WHERE id = 1 AND c = (SELECT c FROM probe LIMIT 1);
SET enable_indexonlyscan = off;
SET enable_indexscan = off;
SET enable_bitmapscan = on;
SELECT count(*) FROM t WHERE id = 1 AND c = (SELECT c FROM probe LIMIT 1);
-- other uses of the index need no right, nor does its upkeep
SELECT count(*) FROM t WHERE id = 1;
SELECT count(*) FROM t WHERE id = 1 AND c IS NOT NULL;
INSERT INTO t VALUES (2, 'new', 'new');
INSERT INTO t VALUES (2, 'new', 'new');
RESET ALL;
RESET ROLE;
SET search_path = scan_rights;
SELECT steward.grant_key('scan', 'scan_user', 'search');
SET ROLE scan_user;
SET enable_seqscan = off;
SELECT count(*) FROM t WHERE id = 1 AND c = 'v7';
RESET enable_seqscan;
RESET ROLE;
SELECT steward.revoke_key('scan', 'scan_user', 'search');

-- The order of rows that an index gives tells too, next to guesses, whatever was
-- searched for. Such a plan is not made for whom has not the right.
CREATE TABLE acc (id integer, email steward.encrypted_text('scan/acc.email'), tenant integer);
INSERT INTO acc SELECT g, 'e' || g, 10 + g FROM generate_series(1, 5) AS g;
CREATE UNIQUE INDEX acc_u ON acc (email steward.encrypted_unique_ops, tenant);
GRANT SELECT, INSERT, UPDATE ON acc TO scan_user;
CREATE TABLE empty (id integer PRIMARY KEY, email steward.encrypted_text('scan/acc.email'));
CREATE UNIQUE INDEX ON empty (email steward.encrypted_unique_ops);
GRANT SELECT, INSERT ON empty TO scan_user;
CREATE FUNCTION plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    scans text[];
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        scans := scans || substring(line FROM '[A-Z][a-z]+ Index Scan|Index Only Scan|Index Scan|Seq Scan');
    END LOOP;
    RETURN (SELECT string_agg(DISTINCT s, ', ' ORDER BY s) FROM unnest(scans) AS s);
END $$;
SET ROLE scan_user;
INSERT INTO acc VALUES (6, 'e3', 1), (7, 'e3', 99);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT id FROM acc WHERE tenant >= 0;
SELECT plan('SELECT id FROM acc WHERE tenant >= 0');
SELECT plan('SELECT tenant FROM acc WHERE tenant >= 0');
SELECT plan('SELECT a.id FROM acc AS a JOIN acc AS b ON b.tenant = a.id');
SET enable_bitmapscan = on;
-- on 18 a bitmap would compare e-mails, too
SELECT plan('SELECT id FROM acc WHERE tenant >= 0') = CASE WHEN current_setting('server_version_num')::integer < 180000 THEN 'Bitmap Index Scan' ELSE 'Seq Scan' END AS plan_is_right;
SELECT id FROM acc WHERE tenant >= 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_index_scan_size = 0;
SET min_parallel_table_scan_size = 0;
SET enable_bitmapscan = off;
SELECT plan('SELECT id FROM acc WHERE tenant >= 0');
RESET ALL;
RESET ROLE;
SET search_path = scan_rights;
SELECT steward.grant_key('scan', 'scan_user', 'search');
-- a plan is made anew for another role, and after a change of rights
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
PREPARE listed AS SELECT id FROM acc WHERE tenant = 99;
SELECT plan('EXECUTE listed');
SET ROLE scan_user;
SELECT plan('EXECUTE listed');
EXECUTE listed;
RESET ROLE;
SELECT steward.revoke_key('scan', 'scan_user', 'search');
SET ROLE scan_user;
SELECT plan('EXECUTE listed');
EXECUTE listed;
RESET ROLE;
SELECT plan('EXECUTE listed');
-- what was planned already is not run, nor fetched from
BEGIN;
DECLARE other CURSOR FOR SELECT id FROM acc WHERE tenant = 99;
SAVEPOINT s;
FETCH other;
ROLLBACK TO s;
SET ROLE scan_user;
FETCH other;
ROLLBACK;
-- upkeep, conflicts and foreign keys go on
SET ROLE scan_user;
INSERT INTO acc VALUES (8, 'e3', 99);
INSERT INTO acc VALUES (8, 'e8', 98);
-- ON CONFLICT searches, whether or not there is something to compare with
INSERT INTO empty VALUES (1, 'e1') ON CONFLICT DO NOTHING;
INSERT INTO empty VALUES (1, 'e1') ON CONFLICT (id) DO NOTHING;
INSERT INTO acc VALUES (9, 'e9', 97) ON CONFLICT DO NOTHING;
INSERT INTO acc VALUES (9, 'e3', 99) ON CONFLICT DO NOTHING;
INSERT INTO acc VALUES (9, 'e9', 97) ON CONFLICT (email, tenant) DO NOTHING;
WITH added AS (INSERT INTO acc VALUES (9, 'e9', 97) ON CONFLICT (tenant, email) DO UPDATE SET id = 9 RETURNING id) SELECT id FROM added;
RESET ROLE;
CREATE UNIQUE INDEX acc_email ON t (c steward.encrypted_unique_ops);
CREATE TABLE fk (c steward.encrypted_text('scan/t.c') REFERENCES t (c));
GRANT SELECT, INSERT ON fk TO scan_user;
SET ROLE scan_user;
INSERT INTO fk VALUES ('v7');
INSERT INTO fk VALUES ('none');
RESET ALL;
RESET ROLE;
SET search_path = scan_rights;
SET client_min_messages = warning;
DROP SCHEMA scan_rights CASCADE;
DROP OWNED BY scan_user;
DROP ROLE scan_user;
