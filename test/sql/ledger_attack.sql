-- What a superuser can do to the ledger by SQL, and how verification shows it.
ALTER SYSTEM SET steward.seal_interval = 0;
SELECT pg_reload_conf();
CREATE DATABASE regress_ledger_attack;
\c regress_ledger_attack
DO $$ BEGIN
    WHILE (SELECT setting FROM pg_file_settings WHERE name = 'steward.seal_interval' AND applied) IS DISTINCT FROM current_setting('steward.seal_interval') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
\c regress_ledger_attack
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
RESET client_min_messages;
CREATE TYPE place AS (street text, city text);
CREATE TYPE address AS (at place, since date);
CREATE TABLE account (id integer PRIMARY KEY, balance integer);
CREATE TABLE customer (id integer PRIMARY KEY, addresses address[]);
SELECT steward.enable_audit('account');
SELECT steward.enable_audit('customer');
SELECT steward.create_ledger_key('example.com/attack');
SET application_name = 'the clerk';
INSERT INTO account SELECT i, 100 FROM generate_series(1, 1000) AS i;
INSERT INTO customer VALUES (1, ARRAY[ROW(ROW('high street', 'york'), NULL)]::address[]);
SELECT steward.seal_ledger() > 0;
SET application_name = 'the culprit';
UPDATE account SET balance = 0 WHERE id = 7;
SET application_name = 'somebody else';
SELECT steward.seal_ledger();
UPDATE account SET balance = 0 WHERE id = 8;
SELECT steward.seal_ledger();
SELECT steward.ledger_checkpoint() AS exported \gset
SELECT steward.seal_ledger();
SELECT * FROM steward.verify_ledger(checkpoint => :'exported');

-- Numbers depend on what else is recorded, and on how batches are filled.
CREATE FUNCTION findings(checkpoint text DEFAULT NULL, OUT finding text, OUT block bigint, OUT leaf boolean, OUT seq boolean, OUT detail text)
    RETURNS SETOF record LANGUAGE sql AS
$$SELECT DISTINCT finding, block, leaf IS NOT NULL AS leaf, seq IS NOT NULL AS seq, regexp_replace(detail, '[0-9]+', '#', 'g') AS detail FROM steward.verify_ledger(NULL, checkpoint) WHERE finding <> 'trigger disabled' ORDER BY block, finding, leaf, seq, detail$$;
-- Who attacks turns the guards off.
CREATE PROCEDURE disarm() LANGUAGE plpgsql AS $$
DECLARE
    t regclass;
BEGIN
    FOR t IN SELECT DISTINCT tgrelid FROM pg_trigger WHERE tgfoid = 'steward.audit_guard'::regproc LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', t);
    END LOOP;
END $$;

-- That alone is found: disabled, turned down, dropped.
BEGIN;
ALTER TABLE steward.audit_log_1 DISABLE TRIGGER steward_audit_guard;
ALTER TABLE steward.ledger_block ENABLE TRIGGER steward_audit_guard_row;
DROP TRIGGER steward_audit_guard ON steward.ledger_tile;
ALTER TABLE account ENABLE REPLICA TRIGGER "00_steward_audit_row";
ALTER EVENT TRIGGER steward_ddl_command DISABLE;
SELECT finding, detail FROM steward.verify_ledger();
ROLLBACK;

-- A batch rewritten.
BEGIN;
CALL disarm();
UPDATE steward.audit_log SET batch = set_byte(batch, octet_length(batch) - 1, get_byte(batch, octet_length(batch) - 1) # 1) WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
-- One that cannot be read any more.
BEGIN;
CALL disarm();
UPDATE steward.audit_log SET batch = substr(batch, 1, octet_length(batch) - 3) WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
-- Its columns.
BEGIN;
CALL disarm();
UPDATE steward.audit_log SET written_at = written_at - interval '1 day' WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
UPDATE steward.audit_log SET records = records + 1 WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
-- A batch removed.
BEGIN;
CALL disarm();
DELETE FROM steward.audit_log WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
-- A small transaction removed.
BEGIN;
CALL disarm();
DELETE FROM steward.audit_log WHERE xid = (SELECT xid FROM steward.audit_trail WHERE application = 'the culprit');
SELECT * FROM findings();
ROLLBACK;
-- A batch added to a sealed transaction, after it, and in the middle.
BEGIN;
CALL disarm();
INSERT INTO steward.audit_log SELECT segment, written_at, xid, incarnation, first_seq + 100000, records, batch FROM steward.audit_log WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
INSERT INTO steward.audit_log SELECT segment, written_at, xid, incarnation, first_seq + 1, records, batch FROM steward.audit_log WHERE first_seq BETWEEN 300 AND 400;
SELECT DISTINCT finding, block FROM findings() ORDER BY 1;
ROLLBACK;
-- A transaction invented, in the past and in the future, and in another life.
BEGIN;
CALL disarm();
INSERT INTO steward.audit_log SELECT segment, written_at, '3', incarnation, 1, records, batch FROM steward.audit_log WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
INSERT INTO steward.audit_log SELECT segment, written_at, '9000000000', incarnation, 1, records, batch FROM steward.audit_log WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
INSERT INTO steward.audit_log SELECT segment, written_at, xid, 77, 1, records, batch FROM steward.audit_log WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
-- Two batches swapped, and two transactions.
BEGIN;
CALL disarm();
WITH two AS (SELECT first_seq, batch FROM steward.audit_log WHERE first_seq > 1 ORDER BY first_seq LIMIT 2)
UPDATE steward.audit_log AS l SET batch = o.batch FROM two AS o, two AS m WHERE l.first_seq = m.first_seq AND o.first_seq <> m.first_seq;
SELECT DISTINCT finding, block FROM findings() ORDER BY 1;
ROLLBACK;
BEGIN;
CALL disarm();
WITH two AS (SELECT l.ctid, l.xid FROM steward.audit_log_1 AS l WHERE l.xid IN (SELECT xid FROM steward.audit_trail WHERE operation = 'UPDATE'))
UPDATE steward.audit_log_1 AS l SET xid = o.xid FROM two AS o, two AS m WHERE l.ctid = m.ctid AND o.xid <> m.xid;
SELECT DISTINCT finding, block FROM findings() ORDER BY 2, 1;
ROLLBACK;
-- Two records swapped inside a batch, which is of the same bytes.
BEGIN;
CALL disarm();
WITH two AS (SELECT l.ctid, r.payload, lead(r.payload) OVER (ORDER BY r.seq) AS other
               FROM steward.audit_log_1 AS l, LATERAL steward.audit_records(l.batch, l.first_seq, l.xid) AS r WHERE l.first_seq BETWEEN 300 AND 400 LIMIT 1)
UPDATE steward.audit_log_1 AS l
   SET batch = overlay(overlay(l.batch PLACING t.other FROM position(t.payload IN l.batch)) PLACING t.payload FROM position(t.other IN l.batch))
  FROM two AS t WHERE l.ctid = t.ctid AND octet_length(t.payload) = octet_length(t.other);
SELECT DISTINCT finding, block FROM findings() ORDER BY 1;
ROLLBACK;
-- Who it was, and what the table was.
BEGIN;
CALL disarm();
UPDATE steward.audit_context SET application = 'nobody' WHERE application = 'the culprit';
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
DELETE FROM steward.audit_context WHERE application = 'the culprit';
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
UPDATE steward.audit_schema SET names = ARRAY['id', 'age'] WHERE table_name = 'account';
SELECT finding, block FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
UPDATE steward.audit_incarnation SET started_at = started_at - interval '1 day';
SELECT * FROM findings();
ROLLBACK;
-- Another who it was beside the one: readers of the trail see both.
BEGIN;
CREATE TEMP TABLE beside AS SELECT * FROM steward.audit_context WHERE application = 'the culprit';
UPDATE beside SET login_role = 'mallory';
INSERT INTO steward.audit_context SELECT * FROM beside;
SELECT count(*) FROM steward.audit_trail WHERE application = 'the culprit';
SELECT * FROM findings();
ROLLBACK;
-- What a composite type was, of which the schema version of the table has the number.
BEGIN;
CALL disarm();
UPDATE steward.audit_schema SET names = ARRAY['city', 'street'] WHERE table_name = 'place';
SELECT new->'addresses' AS addresses FROM steward.audit_trail WHERE relation = 'public.customer' AND operation = 'INSERT';
SELECT DISTINCT finding, block FROM findings() ORDER BY 2, 1;
ROLLBACK;
-- When the transaction began, such that all else stays as it was: one microsecond
-- later, and the time of the first record, which is counted from there, one less.
BEGIN;
CALL disarm();
CREATE TEMP TABLE times AS SELECT xid, seq, changed_at, transaction_started_at FROM steward.audit_record;
WITH at AS (SELECT ctid, CASE WHEN get_byte(batch, 9) < 128 THEN 13 ELSE 14 END AS step FROM steward.audit_log_1)
UPDATE steward.audit_log_1 AS l SET batch = set_byte(set_byte(batch, 8, get_byte(batch, 8) + 1), step, get_byte(batch, step) - 2)
  FROM at WHERE l.ctid = at.ctid AND first_seq > 1 AND get_byte(batch, 8) < 255 AND get_byte(batch, step) % 128 >= 2;
SELECT count(*) FILTER (WHERE r.changed_at <> t.changed_at) AS changes, count(*) FILTER (WHERE r.transaction_started_at <> t.transaction_started_at) > 0 AS starts
  FROM steward.audit_record AS r JOIN times AS t USING (xid, seq);
SELECT DISTINCT finding, block FROM findings();
ROLLBACK;
-- A record that a hash stands for, as if it had been pruned.
BEGIN;
CALL disarm();
INSERT INTO steward.ledger_pruned_leaf SELECT 1, leaf, sha256('\x00'::bytea || decode(line, 'base64')) FROM steward.export_ledger() WHERE leaf = (SELECT first_leaf FROM steward.ledger_block WHERE number = 2);
DELETE FROM steward.audit_log WHERE xid = (SELECT xid FROM steward.audit_trail WHERE application = 'the culprit');
SELECT * FROM findings(:'exported');
ROLLBACK;
-- A transaction that no block can hold.
BEGIN;
CALL disarm();
INSERT INTO steward.audit_log SELECT segment, written_at, '0', incarnation, 1, records, batch FROM steward.audit_log WHERE first_seq BETWEEN 300 AND 400;
SELECT * FROM findings();
ROLLBACK;
-- The ledger itself.
BEGIN;
CALL disarm();
UPDATE steward.ledger_block SET snapshot = '3:3:' WHERE number = 2;
SELECT DISTINCT finding, block FROM findings() ORDER BY 2, 1;
ROLLBACK;
BEGIN;
CALL disarm();
UPDATE steward.ledger_block SET root = sha256(root) WHERE number = 2;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
UPDATE steward.ledger_block SET sealed_at = sealed_at - interval '1 day' WHERE number = 2;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
UPDATE steward.ledger_block SET frontier = '\x00' WHERE number = 2;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
DELETE FROM steward.ledger_block WHERE number = 2;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
DELETE FROM steward.ledger_opening;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
UPDATE steward.ledger_tile SET hashes = sha256(hashes) || substr(hashes, 33);
SELECT * FROM findings();
ROLLBACK;
BEGIN;
CALL disarm();
DELETE FROM steward.ledger_tile;
SELECT finding, block FROM findings();
ROLLBACK;
-- The newest block and its records: what is here fits, what was handed out does not.
BEGIN;
CALL disarm();
DELETE FROM steward.audit_log WHERE xid >= (SELECT pg_snapshot_xmax(snapshot) FROM steward.ledger_block WHERE number = 2);
DELETE FROM steward.ledger_block WHERE number = 3;
SELECT * FROM findings();
DELETE FROM steward.ledger_checkpoint WHERE number = 3;
SELECT * FROM findings();
SELECT * FROM findings(:'exported');
ROLLBACK;
-- History written anew, consistently, by the attacker: the same.
BEGIN;
CALL disarm();
DELETE FROM steward.audit_log WHERE xid = (SELECT xid FROM steward.audit_trail WHERE application = 'the culprit');
DELETE FROM steward.ledger_block WHERE number > 1;
DELETE FROM steward.ledger_checkpoint WHERE number > 1;
COMMIT;
SELECT steward.seal_ledger() > 0 AS sealed;
SELECT steward.seal_ledger();
SELECT * FROM findings();
SELECT * FROM findings(:'exported');

-- Checkpoints: altered here, altered outside, of another ledger, none at all.
SELECT steward.ledger_checkpoint() AS exported \gset
BEGIN;
UPDATE steward.ledger_checkpoint SET note = convert_to(replace(convert_from(note, 'UTF8'), E'\n10', E'\n11'), 'UTF8');
SELECT * FROM findings();
ROLLBACK;
SELECT * FROM findings(replace(:'exported', E'\n10', E'\n11'));
SELECT * FROM findings(replace(:'exported', 'example.com/attack', 'example.com/other'));
SELECT * FROM findings(split_part(:'exported', E'\n\n', 1) || E'\n');
SELECT * FROM findings('nonsense');
SELECT * FROM findings('');

-- Signed again with another key: what was handed out, and the chain of keys, show it.
BEGIN;
CREATE TEMP TABLE old_key AS SELECT * FROM steward.ledger_key;
DELETE FROM steward.ledger_key;
DELETE FROM steward.key_secret WHERE kind = 6;
SELECT steward.create_ledger_key('example.com/attack');
DELETE FROM steward.ledger_checkpoint;
SELECT finding, detail FROM findings(:'exported');
INSERT INTO steward.ledger_key SELECT 0, origin, public_key, NULL, created_at FROM old_key;
SELECT finding, detail FROM findings(:'exported');
ROLLBACK;

-- Who it was, removed before anybody sealed it: nobody can tell who, but that it is gone.
SET application_name = 'a second culprit';
UPDATE account SET balance = 0 WHERE id = 9;
BEGIN;
ALTER TABLE steward.audit_context DISABLE TRIGGER ALL;
DELETE FROM steward.audit_context WHERE application = 'a second culprit';
ALTER TABLE steward.audit_context ENABLE ALWAYS TRIGGER steward_audit_guard;
ALTER TABLE steward.audit_context ENABLE ALWAYS TRIGGER steward_audit_guard_row;
COMMIT;
SELECT steward.seal_ledger() > 0 AS sealed;
SELECT finding, seq, detail FROM findings() WHERE block IS NOT NULL;

-- Rows that were put on pages, and not into the index by which blocks are read.
BEGIN;
ALTER TABLE steward.audit_log_1 DISABLE TRIGGER ALL;
UPDATE pg_index SET indisready = false WHERE indrelid IN ('steward.audit_log_1'::regclass, 'steward.audit_context'::regclass);
COMMIT;
\c
BEGIN;
INSERT INTO steward.audit_log SELECT segment, written_at, xid, incarnation, first_seq + 7, records, batch FROM steward.audit_log ORDER BY xid DESC LIMIT 1;
INSERT INTO steward.audit_context SELECT * FROM steward.audit_context ORDER BY xid DESC LIMIT 1;
UPDATE pg_index SET indisready = true WHERE indrelid IN ('steward.audit_log_1'::regclass, 'steward.audit_context'::regclass);
COMMIT;
\c
SELECT finding, block, regexp_replace(detail, '[0-9]+', '#', 'g') AS detail FROM steward.verify_ledger() WHERE detail ~ 'index';

\c contrib_regression
DROP DATABASE regress_ledger_attack;
ALTER SYSTEM RESET steward.seal_interval;
SELECT pg_reload_conf();
