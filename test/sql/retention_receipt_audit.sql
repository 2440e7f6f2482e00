--
-- Receipts beside the audit trail: of an audited table a batch and the records of its deletes are one
-- transaction, from which its root can be computed; and who alters receipts does not alter the trail.
--
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE TABLE ru_visit (id int PRIMARY KEY, seen date);
CREATE TABLE ru_note (id int PRIMARY KEY, visit int REFERENCES ru_visit);
INSERT INTO ru_visit SELECT n, '2001-01-01' FROM generate_series(1, 1000) AS n;
INSERT INTO ru_note SELECT n, n FROM generate_series(1, 1000, 10) AS n;
SELECT steward.enable_audit('ru_visit');
SELECT steward.enable_audit('ru_note');
SELECT steward.create_policy('ru visits', 'ru_visit', 'seen', '1 year', children => '{"ru_note": "cascade"}');
CALL steward.run_policy('ru visits');
SELECT max(id) AS run FROM steward.policy_run \gset
SELECT rows, children, batches > 1 AS several, state FROM steward.policy_run WHERE id = :run;
SELECT * FROM steward.verify_receipt(:run);
-- Each root again, from the records of the same transaction.
SELECT count(*) = max(b.batch) AS all_batches, bool_and(b.root = a.root) AS same, sum(a.rows)
  FROM steward.policy_run_batch AS b
  JOIN (SELECT xid, count(*) AS rows, steward.receipt_root(array_agg(steward.receipt_leaf(:run, relation, ARRAY[key->>'id']))) AS root
          FROM steward.audit_trail WHERE operation = 'DELETE' AND relation IN ('public.ru_visit', 'public.ru_note') GROUP BY xid) AS a USING (xid)
 WHERE b.run = :run;
-- An event for each, in the same transaction.
SELECT count(*) = max(b.batch) AS all_batches, bool_and(e.details->>'root' = encode(b.root, 'hex')) AS same,
       sum((e.details->>'rows')::int) AS rows, sum((e.details->>'children')::int) AS children
  FROM steward.policy_run_batch AS b JOIN steward.event_trail AS e
    ON e.xid = b.xid AND e.event = 'run_policy_batch' AND (e.details->>'run')::bigint = b.run AND (e.details->>'batch')::bigint = b.batch
 WHERE b.run = :run;
SELECT details - 'root' - 'run' AS details, details->>'root' = (SELECT encode(root, 'hex') FROM steward.policy_run WHERE id = :run) AS same
  FROM steward.event_trail WHERE event = 'run_policy_ended' AND (details->>'run')::bigint = :run;

-- Who writes to our tables.
BEGIN;
UPDATE steward.policy_receipt SET root = sha256('') WHERE run = :run AND batch = 2;
SELECT * FROM steward.verify_receipt(:run);
ROLLBACK;
BEGIN;
UPDATE steward.policy_receipt SET root = '\x00' WHERE run = :run AND batch = 2;
SELECT * FROM steward.verify_receipt(:run);
ROLLBACK;
BEGIN;
DELETE FROM steward.policy_receipt WHERE run = :run AND batch = 1;
SELECT * FROM steward.verify_receipt(:run) WHERE detail NOT LIKE 'The run counted%';
ROLLBACK;
BEGIN;
INSERT INTO steward.policy_receipt (run, batch, rows, root) VALUES (:run, 1000000, 0, sha256(''));
SELECT * FROM steward.verify_receipt(:run) WHERE batch IS NULL OR batch = 1000000;
ROLLBACK;
BEGIN;
UPDATE steward.policy_run_log SET rows = rows + 1, root = NULL WHERE id = :run;
SELECT * FROM steward.verify_receipt(:run);
ROLLBACK;
-- And makes them fit each other: the last batch never was.
BEGIN;
DELETE FROM steward.policy_receipt WHERE run = :run AND batch > 1;
UPDATE steward.policy_run_log AS l SET (rows, children, batches, root) =
    (SELECT b.rows, 0, 1, sha256('\x00'::bytea || int8send(b.batch) || int8send(b.rows) || b.root) FROM steward.policy_receipt AS b WHERE b.run = :run)
 WHERE id = :run;
SELECT * FROM steward.verify_receipt(:run) WHERE batch IS NULL OR batch = 2;
ROLLBACK;
SELECT * FROM steward.verify_receipt(:run);

-- A run whose receipts do not fit is not gone on with.
INSERT INTO ru_visit VALUES (1, '2001-01-01');
UPDATE steward.policy_run_log SET state = 'waiting', frontier = '\x00' WHERE id = :run;
\set VERBOSITY sqlstate
CALL steward.run_policy('ru visits');
\set VERBOSITY default
SELECT count(*) FROM ru_visit;
UPDATE steward.policy_run_log SET state = 'complete', frontier = NULL WHERE id = :run;
-- In a transaction of somebody's, before its records are written.
BEGIN;
CALL steward.run_policy('ru visits');
SELECT rows, (SELECT count(*) FROM steward.verify_receipt(id)) AS findings FROM steward.policy_run ORDER BY id DESC LIMIT 1;
UPDATE steward.policy_receipt SET root = sha256('') WHERE run > :run;
SELECT v.* FROM steward.policy_run AS r, steward.verify_receipt(r.id) AS v WHERE r.id > :run;
ROLLBACK;
SELECT count(*) FROM ru_visit;
SELECT steward.drop_policy('ru visits');
SELECT steward.disable_audit('ru_visit'), steward.disable_audit('ru_note');
DROP TABLE ru_note, ru_visit;
