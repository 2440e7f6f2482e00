-- Receipts of retention runs: who has the keys of what was destroyed can see that it was.

CREATE VIEW steward.policy_run_batch WITH (security_barrier) AS
SELECT r.run, l.policy, r.batch, r.rows, r.root, r.xid
  FROM steward.policy_receipt AS r
  JOIN steward.policy_run_log AS l ON l.id OPERATOR(pg_catalog.=) r.run
 WHERE steward.policy_visible(l.relation);
REVOKE ALL ON steward.policy_run_batch FROM PUBLIC;
COMMENT ON VIEW steward.policy_run_batch IS 'receipts: what each batch of a run destroyed, as a hash, of tables that the current user owns';
COMMENT ON COLUMN steward.policy_run_batch.run IS 'number of the run';
COMMENT ON COLUMN steward.policy_run_batch.policy IS 'name of the policy';
COMMENT ON COLUMN steward.policy_run_batch.batch IS 'number of the batch in the run, from 1';
COMMENT ON COLUMN steward.policy_run_batch.rows IS 'rows that it destroyed, children too';
COMMENT ON COLUMN steward.policy_run_batch.root IS 'Merkle root over the salted hashes of the keys of these rows';
COMMENT ON COLUMN steward.policy_run_batch.xid IS 'the transaction that destroyed them, as in steward.audit_trail';

CREATE FUNCTION steward.receipt_leaf(run bigint, relation text, key text[], action text DEFAULT NULL)
RETURNS bytea
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'steward_receipt_leaf';
COMMENT ON FUNCTION steward.receipt_leaf IS 'what a receipt has of a row: a salted hash over its table, its key, and what a run did to it, by default the action of the run';
REVOKE EXECUTE ON FUNCTION steward.receipt_leaf FROM PUBLIC;

CREATE FUNCTION steward.receipt_root(leaves bytea[])
RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_receipt_root';
COMMENT ON FUNCTION steward.receipt_root IS 'the root that a batch has which destroyed the rows with these leaves and no others, in whatever order';

CREATE FUNCTION steward.verify_receipt(run bigint, OUT batch bigint, OUT finding text, OUT detail text)
RETURNS SETOF record
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'steward_verify_receipt';
COMMENT ON FUNCTION steward.verify_receipt IS 'compares the receipts of a run with its record and with the audit trail; no row: they fit';
REVOKE EXECUTE ON FUNCTION steward.verify_receipt FROM PUBLIC;
