--
-- Runs that gave way, and are gone on with: from the place, with the size of batches, and what they counted.
--
SET client_min_messages = warning;
CREATE TABLE rq_visit (id int PRIMARY KEY, seen date);
INSERT INTO rq_visit SELECT n, '2001-01-01' FROM generate_series(1, 300) AS n;
SELECT steward.place_hold('rq_visit', 'id <= 3', 'case') > 0 AS held;
SELECT steward.create_policy('rq visits', 'rq_visit', 'seen', '1 year');
CALL steward.run_policy('rq visits');
SELECT id AS run, batches FROM steward.policy_run ORDER BY id DESC LIMIT 1 \gset
SELECT rows, held, state FROM steward.policy_run WHERE id = :run;
-- As if it had given way then, though it has ended, which the audit trail knows if there is one: a place, the rows of a batch, what it had counted of each leaf.
INSERT INTO rq_visit SELECT n, '2001-01-01' FROM generate_series(301, 1000) AS n;
UPDATE steward.policy_run_log SET state = 'waiting', cursor = format('%s block 0 500 %s:7:0 %s:3:0', 'rq_visit'::regclass::oid, 0, 'rq_visit'::regclass::oid) WHERE id = :run;
CALL steward.run_policy('rq visits');
SELECT max(id) = :run AS same FROM steward.policy_run;
SELECT rows, held, state FROM steward.policy_run WHERE id = :run;
SELECT rows AS first_batch FROM steward.policy_run_batch WHERE run = :run AND batch = :batches + 1;
SELECT * FROM steward.verify_receipt(:run) WHERE detail NOT LIKE '%of its end.';
-- Nonsense is nothing but the beginning; a batch has the least or the most that it may have.
INSERT INTO rq_visit SELECT n, '2001-01-01' FROM generate_series(301, 1000) AS n;
UPDATE steward.policy_run_log SET state = 'waiting', cursor = 'nonsense' WHERE id = :run;
CALL steward.run_policy('rq visits');
SELECT rows, held, state, (SELECT count(*) FROM steward.verify_receipt(:run) WHERE detail NOT LIKE '%of its end.') AS findings FROM steward.policy_run WHERE id = :run;
INSERT INTO rq_visit SELECT n, '2001-01-01' FROM generate_series(301, 1000) AS n;
UPDATE steward.policy_run_log SET state = 'waiting', cursor = '0 block 0 999999999999 1:2' WHERE id = :run;
CALL steward.run_policy('rq visits');
SELECT rows, (SELECT count(*) FROM steward.verify_receipt(:run) WHERE detail NOT LIKE '%of its end.') AS findings FROM steward.policy_run WHERE id = :run;
SELECT count(steward.release_hold(id, 'tested')) FROM steward.active_hold;
SELECT steward.drop_policy('rq visits');
DROP TABLE rq_visit;
