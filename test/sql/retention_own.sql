-- Retention: the extension's own records as policies. In a database of its own, in
-- which nobody else seals.
\set VERBOSITY default
ALTER SYSTEM SET steward.seal_interval = 0;
SELECT pg_reload_conf();
CREATE DATABASE regress_retention_own;
\c regress_retention_own
DO $$ BEGIN
    WHILE (SELECT setting FROM pg_file_settings WHERE name = 'steward.seal_interval' AND applied) IS DISTINCT FROM current_setting('steward.seal_interval') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
\c regress_retention_own
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
SET timezone = 'UTC';

-- Which can have which.
SELECT steward.create_policy('p', 'steward.policy_run_log', 'started_at', '1 year');
SELECT steward.create_policy('p', 'steward.policy_run_log', 'finished_at', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'steward.policy_run_log', 'finished_at', '1 year', 'anonymize', columns => '{"error": null}');
SELECT steward.create_policy('p', 'steward.policy_receipt', 'now()', '1 year');
SELECT steward.create_policy('p', 'steward.policy_definition', 'created_at', '1 year');
SELECT steward.create_policy('p', 'steward.audit_log', 'written_at', '1 year');
SELECT steward.create_policy('p', 'steward.audit_log', 'now()', '1 year', 'drop_partition');
CREATE ROLE retention_own;
GRANT EXECUTE ON FUNCTION steward.create_policy TO retention_own;
GRANT USAGE ON SCHEMA steward TO retention_own;
SET ROLE retention_own;
SELECT steward.create_policy('p', 'steward.policy_run_log', 'finished_at', '1 year');
SELECT steward.create_policy('p', 'steward.audit_log', 'written_at', '1 year', 'drop_partition');
RESET ROLE;

-- Runs that ended long ago go, with their receipts; not those that are new, or have not ended.
SELECT steward.create_policy('run history', 'steward.policy_run_log', 'finished_at', '2 years');
SELECT relation, action, children FROM steward.policy;
INSERT INTO steward.policy_run_log (policy, relation, cutoff, started_at, finished_at, state)
VALUES ('old', 'pg_class', now(), '2001-01-01', '2001-01-02', 'complete'),
    ('new', 'pg_class', now(), now(), now(), 'complete'),
    ('old, not ended', 'pg_class', now(), '2001-01-01', NULL, 'running');
INSERT INTO steward.policy_receipt (run, batch, rows, root) SELECT id, 1, 1, '' FROM steward.policy_run_log;
SELECT relation, "constraint", action, rows, problem FROM steward.preview_policy('run history');
CALL steward.run_policy('run history');
SELECT policy, rows, children, state FROM steward.policy_run ORDER BY id;
SELECT count(*) FROM steward.policy_receipt;
-- What is found interrupted has ended when it was last heard of.
INSERT INTO steward.policy_run_log (policy, relation, cutoff, started_at, batch_at)
VALUES ('run history', 'pg_class', now(), '2001-01-01', now());
CALL steward.run_policy('run history');
SELECT policy, state, finished_at = batch_at AS finished FROM steward.policy_run_log WHERE state = 'interrupted';

-- Segments of the trail go as by prune_audit: closed, sealed, in order; what is left is still proved.
CREATE TABLE account (id int PRIMARY KEY, balance int);
SELECT steward.enable_audit('account');
SELECT steward.create_ledger_key('example.com/own');
INSERT INTO account SELECT n, 0 FROM generate_series(1, 100) AS n;
SELECT steward.create_policy('audit trail', 'steward.audit_log', 'written_at', '1 year', 'drop_partition');
CALL steward.switch_segment();
UPDATE account SET balance = 1 WHERE id <= 10;
SELECT relation, rows, problem FROM steward.preview_policy('audit trail');
CALL steward.run_policy('audit trail');
-- As if it were a year later. What is not sealed stays, and fails the run.
SELECT steward.alter_policy('audit trail', keep => '1 microsecond');
SELECT relation, action, rows > 100 AS rows, held, problem, oldest <= newest AS ages FROM steward.preview_policy('audit trail');
\set VERBOSITY terse
CALL steward.run_policy('audit trail');
\set VERBOSITY default
SELECT steward.seal_ledger() > 0 AS sealed;
CALL steward.run_policy('audit trail') \gset
SELECT rows > 100 AS rows, bytes > 0 AS bytes, batches, state FROM steward.policy_run WHERE policy = 'audit trail' ORDER BY id DESC LIMIT 1;
SELECT relid FROM pg_partition_tree('steward.audit_log') ORDER BY relid::text;
SELECT steward.seal_ledger() > 0 AS sealed;
SELECT finding FROM steward.verify_ledger();
SELECT steward.prune_certificate() IS NOT NULL AS certified;
SELECT count(*) FROM steward.audit_trail WHERE relation = 'public.account';
CALL steward.run_policy('audit trail');
-- In a transaction block, with all of it undone.
CALL steward.switch_segment();
SELECT steward.seal_ledger() > 0 AS sealed;
BEGIN;
CALL steward.run_policy('audit trail') \gset
SELECT :deleted > 10 AS deleted, count(*) FROM pg_partition_tree('steward.audit_log');
ROLLBACK;
SELECT count(*) FROM pg_partition_tree('steward.audit_log');

SELECT steward.drop_policy('audit trail'), steward.drop_policy('run history');
\c contrib_regression
DROP DATABASE regress_retention_own;
DROP ROLE retention_own;
ALTER SYSTEM RESET steward.seal_interval;
SELECT pg_reload_conf();
