-- Erasing subjects.

CREATE FUNCTION steward.shred_subject(kind text, key text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_shred_subject';
COMMENT ON FUNCTION steward.shred_subject(text, text) IS 'destroys the secret of a subject: every value bound to it reads as null, at once and everywhere; false when it had none';
REVOKE ALL ON FUNCTION steward.shred_subject(text, text) FROM PUBLIC;

CREATE FUNCTION steward.apply_revocations() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_apply_revocations';
COMMENT ON FUNCTION steward.apply_revocations() IS 'erases the subjects that the revocation journal names and this database, restored from an older backup, still has; returns their number';
REVOKE ALL ON FUNCTION steward.apply_revocations() FROM PUBLIC;

CREATE PROCEDURE steward.finish_erasure(INOUT finished bigint DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_finish_erasure';
COMMENT ON PROCEDURE steward.finish_erasure(bigint) IS 'waits until no transaction is left that could know the secret of an erased subject, removes the tags of erased values from blind indexes, then makes these erasures final; says how many';
REVOKE ALL ON PROCEDURE steward.finish_erasure(bigint) FROM PUBLIC;

CREATE VIEW steward.pending_erasure AS
SELECT s.subject, s.kind, s.erased_at
  FROM steward.subject_key AS s
 WHERE s.erased_at IS NOT NULL AND s.final_at IS NULL;
COMMENT ON VIEW steward.pending_erasure IS 'erased subjects whose erasure is not final: a transaction that was running may still commit values under the secret; CALL steward.finish_erasure() waits for these';
COMMENT ON COLUMN steward.pending_erasure.subject IS 'number of the subject';
COMMENT ON COLUMN steward.pending_erasure.kind IS 'what the subject was';
COMMENT ON COLUMN steward.pending_erasure.erased_at IS 'when its secret was replaced';

CREATE VIEW steward.shred_horizon AS
SELECT pg_catalog.encode(r.root_id, 'hex') AS root, r.number, r.first_used_at,
       (SELECT pg_catalog.count(*)
          FROM steward.subject_key AS s
          JOIN steward.root AS f ON f.root_id OPERATOR(pg_catalog.=) s.first_root_id
          JOIN steward.root AS l ON l.root_id OPERATOR(pg_catalog.=) s.last_root_id
         WHERE s.erased_at IS NOT NULL
           AND r.number OPERATOR(pg_catalog.>=) f.number
           AND r.number OPERATOR(pg_catalog.<=) l.number) AS erased_subjects,
       EXISTS (SELECT FROM steward.subject_key AS s WHERE s.root_id OPERATOR(pg_catalog.=) r.root_id)
       OR EXISTS (SELECT FROM steward.key_version AS v WHERE v.root_id OPERATOR(pg_catalog.=) r.root_id)
       OR EXISTS (SELECT FROM steward.key_secret AS k WHERE k.root_id OPERATOR(pg_catalog.=) r.root_id) AS in_use
  FROM steward.root AS r;
COMMENT ON VIEW steward.shred_horizon IS 'the secret of an erased subject is gone from the database, but its wrapped copies stay in old backups, WAL and dead rows: whoever has one of them and one of the root keys that wrapped it can still open values. For good it is gone when every root key that counts it here is destroyed';
COMMENT ON COLUMN steward.shred_horizon.root IS 'name of the root key, as in the keyring';
COMMENT ON COLUMN steward.shred_horizon.number IS 'order of first use in this database';
COMMENT ON COLUMN steward.shred_horizon.first_used_at IS 'when it first wrapped something here';
COMMENT ON COLUMN steward.shred_horizon.erased_subjects IS 'erased subjects whose secret it wrapped, or may have wrapped, in some copy';
COMMENT ON COLUMN steward.shred_horizon.in_use IS 'whether something in this database still needs it; rotate the root key before you destroy it';
