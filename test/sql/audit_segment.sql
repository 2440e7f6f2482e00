-- Segments: switching, closing, the key index, and that they stay.
\set SHOW_CONTEXT never
\set home :DBNAME
CREATE DATABASE audit_segment_test;
-- Records are counted here: of rows alone.
ALTER DATABASE audit_segment_test SET steward.audit_ddl = off;
\c audit_segment_test
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
RESET client_min_messages;
SET jit = off;

-- What is refused.
CALL steward.switch_segment();
CALL steward.switch_segment(NULL);
CALL steward.switch_segment('-1 second');
BEGIN;
CALL steward.switch_segment();
ROLLBACK;
CREATE ROLE audit_segment_user;
SET ROLE audit_segment_user;
CALL steward.switch_segment();
RESET ROLE;
SELECT steward.audit_key_hash(NULL);
SELECT steward.audit_key_hash(1, '1');
SELECT steward.audit_segment_guard();

CREATE TABLE one (id integer PRIMARY KEY, v text);
CREATE TABLE two (a text, b numeric, v text, PRIMARY KEY (a, b));
CREATE TABLE keyless (v text);
SELECT steward.enable_audit('one'), steward.enable_audit('two'), steward.enable_audit('keyless');
INSERT INTO one SELECT n, 'one' FROM generate_series(1, 1000) AS n;
INSERT INTO two SELECT 'k' || n % 10, n / 10.0, 'two' FROM generate_series(1, 500) AS n;
CALL steward.switch_segment();
CALL steward.switch_segment();
UPDATE one SET v = 'changed' WHERE id % 10 = 0;
UPDATE one SET id = -id WHERE id = 7;
UPDATE two SET v = 'changed' WHERE b = 5.5;
DELETE FROM two WHERE b = 6;
INSERT INTO keyless VALUES ('a');
CALL steward.switch_segment();
ALTER TABLE one RENAME TO renamed;
ALTER TABLE renamed RENAME id TO number;
ALTER TABLE renamed ALTER number TYPE bigint;
ALTER TABLE two RENAME a TO z;
UPDATE renamed SET v = 'after' WHERE number IN (10, 20);
DELETE FROM renamed WHERE number = -7;
UPDATE two SET v = 'after' WHERE b = 5.5;
TRUNCATE two;
CALL steward.switch_segment();
INSERT INTO renamed VALUES (2000);

SELECT number, name FROM steward.audit_segment ORDER BY number;
SELECT number, incarnation, batches > 0 AS batches, first_written_at <= last_written_at AS ordered,
    last_written_at <= closed_at AS ended FROM steward.audit_segment_closed ORDER BY number;
SELECT c.number, c.records = (SELECT count(*) FROM steward.audit_record AS r WHERE r.segment = c.number) AS counted
    FROM steward.audit_segment_closed AS c ORDER BY number;
SELECT segment, steward.audit_event(payload) FROM steward.audit_record WHERE op = 'S' AND steward.audit_event(payload)->>'event' <> 'commands_not_recorded' ORDER BY segment;
SELECT c.relname, i.indexrelid::regclass, a.amname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
    JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS a ON a.oid = x.relam
    WHERE c.relname LIKE 'audit\_log\__' ORDER BY i.indexrelid::regclass::text COLLATE "C";
SELECT relname, relacl::text ~ '[{,]=' AS public, obj_description(oid, 'pg_class') FROM pg_class WHERE relname LIKE 'audit\_log\__' ORDER BY relname;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'steward.audit_log_3'::regclass ORDER BY tgname;

-- By table and key, through the index: candidates, of which the records that match.
CREATE FUNCTION found(relation regclass, key jsonb, pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', l.segment, r.op, d.key, d.new), '; ' ORDER BY l.segment, l.xid, r.seq)
    FROM steward.audit_log AS l
    CROSS JOIN steward.audit_records(l.batch, l.first_seq, l.xid) AS r
    CROSS JOIN steward.audit_decode(r.schema_version, r.op, r.payload) AS d
    WHERE steward.audit_keys(l.batch, l.first_seq, l.xid) && steward.audit_key_hash(relation, key)
    AND r.schema_version IN (SELECT s.id FROM steward.audit_schema AS s WHERE s.relation = found.relation)
    AND (r.op IN ('T', 'E') OR concat(d.key, d.new) ~ pattern)
$$;
SET enable_seqscan = off;
SELECT found('renamed', '{"number": 10}', '"(id|number)": 10[,}]');
SELECT found('renamed', '{"number": 7}', '"(id|number)": 7[,}]');
SELECT found('renamed', '{"number": "-7"}', '"(id|number)": -7[,}]');
SELECT found('renamed', '{"number": 2000}', '"(id|number)": 2000[,}]');
SELECT found('two', '{"z": "k5", "b": 5.50}', '"b": 5.50*[,}]');
SELECT found('two', '{"b": 6, "z": "k0"}', '"b": 6.0*[,}]');
EXPLAIN (COSTS OFF) SELECT FROM steward.audit_log_1 WHERE steward.audit_keys(batch, first_seq, xid) && '{5}';
RESET enable_seqscan;

-- No record is missed, and few batches are found without need.
CREATE TABLE wanted AS
    SELECT s.relation, r.segment, r.xid, r.seq, k.key FROM steward.audit_record AS r
    JOIN steward.audit_schema AS s ON s.id = r.schema_version
    CROSS JOIN steward.audit_decode(r.schema_version, r.op, r.payload) AS d
    CROSS JOIN LATERAL (SELECT d.key UNION SELECT d.new WHERE r.op = 'U' AND s.table_name = 'one' AND d.new ? 'id') AS k
    WHERE r.op IN ('I', 'U', 'D') AND s.table_name <> 'keyless';
SELECT count(*) AS records, count(*) FILTER (WHERE NOT EXISTS (
        SELECT FROM steward.audit_log AS l WHERE l.xid = w.xid AND w.seq BETWEEN l.first_seq AND l.first_seq + l.records - 1
        AND steward.audit_keys(l.batch, l.first_seq, l.xid) && steward.audit_key_hash(w.relation, w.key))) AS missed
    FROM wanted AS w WHERE w.seq % 10 = 0;
SELECT count(*) FILTER (WHERE steward.audit_keys(batch, first_seq, xid) && steward.audit_key_hash('renamed'::regclass, '{"id": 501}')) AS found,
    count(*) > 20 AS of_many FROM steward.audit_log;
SELECT segment, bool_or(steward.audit_keys(batch, first_seq, xid) && steward.audit_key_hash('keyless'::regclass)) AS keyless
    FROM steward.audit_log GROUP BY segment ORDER BY segment;
-- Nothing was unreadable; another schema version's records would be.
SELECT count(*) FROM steward.audit_log WHERE steward.audit_keys(batch, first_seq, xid) && '{0}';
SELECT steward.audit_keys('\x00', 1, '5'), steward.audit_keys('\x', 1, '5');

-- Segments stay, whoever asks.
DROP TABLE steward.audit_log_1;
DROP TABLE steward.audit_log_3 CASCADE;
DROP TABLE steward.audit_log_4;
DELETE FROM steward.audit_segment_closed;
UPDATE steward.audit_segment_closed SET records = 0;
TRUNCATE steward.audit_segment_closed;
SET session_replication_role = replica;
DROP TABLE steward.audit_log_1;
RESET session_replication_role;
CREATE TABLE public.audit_log_1 ();
DROP TABLE public.audit_log_1;

-- An index that somebody dropped comes back, and so does one that was made too early.
DROP INDEX steward.audit_log_1_keys_idx;
CALL steward.switch_segment();
SELECT to_regclass('steward.audit_log_1_keys_idx') IS NOT NULL AS back;
SELECT count(*) FROM steward.audit_segment_closed;

-- All of it goes with the extension.
DROP EXTENSION pg_steward CASCADE;
SELECT to_regclass('steward.audit_log_1') IS NULL AS gone;
\c :home
DROP DATABASE audit_segment_test;
DROP ROLE audit_segment_user;
