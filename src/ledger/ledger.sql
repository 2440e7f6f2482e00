-- The ledger: blocks over the records of the audit log, one chain for each
-- incarnation. README in src/ledger says what they hold.

CREATE TABLE steward.ledger_block (
    incarnation integer NOT NULL,
    number      bigint NOT NULL,
    snapshot    pg_snapshot NOT NULL,
    first_leaf  bigint NOT NULL,
    leaves      bigint NOT NULL,
    root        bytea NOT NULL,
    previous    bytea NOT NULL,
    contexts    bytea NOT NULL,
    schemas     bytea NOT NULL,
    frontier    bytea NOT NULL,
    sealed_at   timestamptz NOT NULL,
    PRIMARY KEY (incarnation, number)
) USING heap;
CREATE INDEX ledger_block_incarnation_first_leaf_idx ON steward.ledger_block (incarnation, first_leaf);
COMMENT ON TABLE steward.ledger_block IS 'the headers of the blocks that seal the audit log';
COMMENT ON COLUMN steward.ledger_block.incarnation IS 'the log: audit_incarnation.id';
COMMENT ON COLUMN steward.ledger_block.number IS 'counts the blocks of a log from 1';
COMMENT ON COLUMN steward.ledger_block.snapshot IS 'the block holds the records of transactions that had ended by then, and had not by the block before';
COMMENT ON COLUMN steward.ledger_block.first_leaf IS 'index of its first leaf';
COMMENT ON COLUMN steward.ledger_block.leaves IS 'how many leaves it has';
COMMENT ON COLUMN steward.ledger_block.root IS 'root of the Merkle tree up to its last leaf';
COMMENT ON COLUMN steward.ledger_block.previous IS 'digest of the header before; zeros for the first';
COMMENT ON COLUMN steward.ledger_block.contexts IS 'digest of the contexts that its records refer to';
COMMENT ON COLUMN steward.ledger_block.schemas IS 'digest of the schema versions that its records refer to';
COMMENT ON COLUMN steward.ledger_block.frontier IS 'roots of the complete subtrees that the tree consists of, the largest first';
COMMENT ON COLUMN steward.ledger_block.sealed_at IS 'when it was sealed';

CREATE TABLE steward.ledger_tile (
    incarnation integer NOT NULL,
    level       integer NOT NULL,
    index       bigint NOT NULL,
    hashes      bytea NOT NULL,
    PRIMARY KEY (incarnation, level, index)
) USING heap;
-- Hashes do not compress.
ALTER TABLE steward.ledger_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE steward.ledger_tile IS 'hashes of complete subtrees, for proofs that need not read the whole log';
COMMENT ON COLUMN steward.ledger_tile.incarnation IS 'the log: audit_incarnation.id';
COMMENT ON COLUMN steward.ledger_tile.level IS 'the subtrees have 256 to the power of this leaves';
COMMENT ON COLUMN steward.ledger_tile.index IS 'which of them is the first of the row';
COMMENT ON COLUMN steward.ledger_tile.hashes IS 'hashes of adjacent subtrees, 32 bytes each';

CREATE TABLE steward.ledger_opening (
    incarnation integer PRIMARY KEY,
    parent      bytea,
    opened_at   timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE steward.ledger_opening IS 'what the first leaf of a log holds';
COMMENT ON COLUMN steward.ledger_opening.incarnation IS 'the log: audit_incarnation.id';
COMMENT ON COLUMN steward.ledger_opening.parent IS 'newest checkpoint of the log that it continues, in UTF-8';
COMMENT ON COLUMN steward.ledger_opening.opened_at IS 'when its first block was sealed';

CREATE TABLE steward.ledger_checkpoint (
    incarnation integer NOT NULL,
    number      bigint NOT NULL,
    key         integer NOT NULL,
    note        bytea NOT NULL,
    signed_at   timestamptz NOT NULL,
    PRIMARY KEY (incarnation, number)
) USING heap;
COMMENT ON TABLE steward.ledger_checkpoint IS 'signed tree heads; not every block has one';
COMMENT ON COLUMN steward.ledger_checkpoint.incarnation IS 'the log: audit_incarnation.id';
COMMENT ON COLUMN steward.ledger_checkpoint.number IS 'the block at whose end the tree is';
COMMENT ON COLUMN steward.ledger_checkpoint.key IS 'the key that signed: ledger_key.id';
COMMENT ON COLUMN steward.ledger_checkpoint.note IS 'the checkpoint, a C2SP signed note, in UTF-8';
COMMENT ON COLUMN steward.ledger_checkpoint.signed_at IS 'when it was signed';

CREATE TABLE steward.ledger_key (
    id          integer PRIMARY KEY,
    origin      text COLLATE "C" NOT NULL,
    public_key  bytea NOT NULL,
    endorsement bytea,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
) USING heap;
COMMENT ON TABLE steward.ledger_key IS 'the keys that sign checkpoints; the newest one signs';
COMMENT ON COLUMN steward.ledger_key.id IS 'counts the keys from 1; its seed is wrapped in key_secret';
COMMENT ON COLUMN steward.ledger_key.origin IS 'name of the ledger; logs add a slash and their incarnation';
COMMENT ON COLUMN steward.ledger_key.public_key IS 'Ed25519 public key';
COMMENT ON COLUMN steward.ledger_key.endorsement IS 'signature over the verifier key by the key before; none for the first';
COMMENT ON COLUMN steward.ledger_key.created_at IS 'when it was made';

CREATE TABLE steward.ledger_fork (
    incarnation     integer PRIMARY KEY,
    reason          text NOT NULL,
    unsealed        bigint NOT NULL,
    unsealed_root   bytea NOT NULL,
    acknowledged_by text NOT NULL,
    acknowledged_at timestamptz NOT NULL,
    recorded_in     integer NOT NULL,
    xid             xid8 NOT NULL
) USING heap;
COMMENT ON TABLE steward.ledger_fork IS 'ended incarnations that an operator has explained';
COMMENT ON COLUMN steward.ledger_fork.incarnation IS 'the incarnation that ended';
COMMENT ON COLUMN steward.ledger_fork.reason IS 'why, as the operator says';
COMMENT ON COLUMN steward.ledger_fork.unsealed IS 'how many of its records were never sealed';
COMMENT ON COLUMN steward.ledger_fork.unsealed_root IS 'root of the Merkle tree over these';
COMMENT ON COLUMN steward.ledger_fork.acknowledged_by IS 'role that acknowledged it';
COMMENT ON COLUMN steward.ledger_fork.acknowledged_at IS 'when';
COMMENT ON COLUMN steward.ledger_fork.recorded_in IS 'the incarnation whose log has the event of it';
COMMENT ON COLUMN steward.ledger_fork.xid IS 'the transaction of that event';

CREATE TABLE steward.ledger_prune (
    incarnation integer NOT NULL,
    boundary    bigint NOT NULL,
    segment     integer NOT NULL,
    certificate bytea NOT NULL,
    pruned_at   timestamptz NOT NULL,
    PRIMARY KEY (incarnation, boundary, segment)
) USING heap;
COMMENT ON TABLE steward.ledger_prune IS 'what was pruned, by certificates that the ledger signed';
COMMENT ON COLUMN steward.ledger_prune.incarnation IS 'the log: audit_incarnation.id';
COMMENT ON COLUMN steward.ledger_prune.boundary IS 'the first leaf whose record is still there';
COMMENT ON COLUMN steward.ledger_prune.segment IS 'the first segment that is still there';
COMMENT ON COLUMN steward.ledger_prune.certificate IS 'the certificate, a signed note, in UTF-8';
COMMENT ON COLUMN steward.ledger_prune.pruned_at IS 'when';

CREATE TABLE steward.ledger_pruned_leaf (
    incarnation integer NOT NULL,
    leaf        bigint NOT NULL,
    hash        bytea NOT NULL,
    PRIMARY KEY (incarnation, leaf)
) USING heap;
COMMENT ON TABLE steward.ledger_pruned_leaf IS 'hashes of pruned records that lie among records that are still there';
COMMENT ON COLUMN steward.ledger_pruned_leaf.incarnation IS 'the log: audit_incarnation.id';
COMMENT ON COLUMN steward.ledger_pruned_leaf.leaf IS 'index of the leaf';
COMMENT ON COLUMN steward.ledger_pruned_leaf.hash IS 'its hash';

DO $$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['ledger_block', 'ledger_tile', 'ledger_opening', 'ledger_checkpoint', 'ledger_key', 'ledger_fork', 'ledger_prune', 'ledger_pruned_leaf'] LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON steward.%I FROM PUBLIC', table_name);
        PERFORM steward.audit_protect(pg_catalog.format('steward.%I', table_name)::regclass);
        PERFORM pg_catalog.pg_extension_config_dump(pg_catalog.format('steward.%I', table_name)::regclass, '');
    END LOOP;
END
$$;

CREATE FUNCTION steward.create_ledger_key(origin text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_create_ledger_key';
COMMENT ON FUNCTION steward.create_ledger_key(text) IS 'makes a key that signs checkpoints from now on';
REVOKE ALL ON FUNCTION steward.create_ledger_key(text) FROM PUBLIC;

CREATE FUNCTION steward.seal_ledger() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_seal_ledger';
COMMENT ON FUNCTION steward.seal_ledger() IS 'seals what was committed since the last block; returns the number of records';
REVOKE ALL ON FUNCTION steward.seal_ledger() FROM PUBLIC;

CREATE FUNCTION steward.ledger_checkpoint(incarnation integer DEFAULT NULL) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_ledger_checkpoint';
COMMENT ON FUNCTION steward.ledger_checkpoint(integer) IS 'the newest checkpoint of a log, or of the present one: a signed note';
REVOKE ALL ON FUNCTION steward.ledger_checkpoint(integer) FROM PUBLIC;

CREATE FUNCTION steward.ledger_verifier_key(incarnation integer DEFAULT NULL) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_ledger_verifier_key';
COMMENT ON FUNCTION steward.ledger_verifier_key(integer) IS 'what verifies the checkpoints of a log, or of the present one: name, id and public key';
REVOKE ALL ON FUNCTION steward.ledger_verifier_key(integer) FROM PUBLIC;

CREATE FUNCTION steward.verify_ledger_block(incarnation integer, number bigint, OUT finding text, OUT incarnation_of integer, OUT block bigint,
        OUT leaf bigint, OUT xid xid8, OUT seq integer, OUT detail text)
    RETURNS SETOF record LANGUAGE c STABLE PARALLEL SAFE COST 1000000 ROWS 1 AS 'MODULE_PATHNAME', 'steward_verify_ledger_block';
COMMENT ON FUNCTION steward.verify_ledger_block(integer, bigint) IS 'recomputes one block from the audit log; a row for each thing that does not fit';
REVOKE ALL ON FUNCTION steward.verify_ledger_block(integer, bigint) FROM PUBLIC;

CREATE FUNCTION steward.verify_ledger(since bigint DEFAULT NULL, checkpoint text DEFAULT NULL, OUT finding text, OUT incarnation integer, OUT block bigint,
        OUT leaf bigint, OUT xid xid8, OUT seq integer, OUT detail text)
    RETURNS SETOF record LANGUAGE c STABLE PARALLEL UNSAFE COST 1000000 ROWS 1 AS 'MODULE_PATHNAME', 'steward_verify_ledger';
COMMENT ON FUNCTION steward.verify_ledger(bigint, text) IS 'recomputes the ledger from the audit log, or what came after a block, and compares it with a checkpoint that was kept elsewhere; a row for each thing that does not fit';
REVOKE ALL ON FUNCTION steward.verify_ledger(bigint, text) FROM PUBLIC;

CREATE FUNCTION steward.prove(incarnation integer, xid xid8, seq integer) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_prove';
COMMENT ON FUNCTION steward.prove(integer, xid8, integer) IS 'proves that a record is in the ledger: the record, its audit path and a checkpoint, to be verified offline';
REVOKE ALL ON FUNCTION steward.prove(integer, xid8, integer) FROM PUBLIC;

CREATE FUNCTION steward.prove_consistency(old_size bigint, new_size bigint DEFAULT NULL, incarnation integer DEFAULT NULL) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_prove_consistency';
COMMENT ON FUNCTION steward.prove_consistency(bigint, bigint, integer) IS 'proves that a log only grew between two checkpoints, named by their sizes; to be verified offline';
REVOKE ALL ON FUNCTION steward.prove_consistency(bigint, bigint, integer) FROM PUBLIC;

CREATE FUNCTION steward.export_ledger(incarnation integer DEFAULT NULL, first_leaf bigint DEFAULT NULL, end_leaf bigint DEFAULT NULL, OUT leaf bigint, OUT line text)
    RETURNS SETOF record LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME', 'steward_export_ledger';
COMMENT ON FUNCTION steward.export_ledger(integer, bigint, bigint) IS 'the leaves of a log, one a line, as pg_steward_verify reads them';
REVOKE ALL ON FUNCTION steward.export_ledger(integer, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION steward.acknowledge_fork(incarnation integer, reason text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_acknowledge_fork';
COMMENT ON FUNCTION steward.acknowledge_fork(integer, text) IS 'explains why an incarnation ended, so that verification reports it no longer';
REVOKE ALL ON FUNCTION steward.acknowledge_fork(integer, text) FROM PUBLIC;

CREATE FUNCTION steward.prune_audit(before timestamptz) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_prune_audit';
COMMENT ON FUNCTION steward.prune_audit(timestamptz) IS 'drops the oldest segments of the audit log: closed, sealed, and last written before this time; leaves a signed certificate in ledger_prune; returns how many';
REVOKE ALL ON FUNCTION steward.prune_audit(timestamptz) FROM PUBLIC;

CREATE FUNCTION steward.prune_certificate(incarnation integer DEFAULT NULL) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_prune_certificate';
COMMENT ON FUNCTION steward.prune_certificate(integer) IS 'the newest prune certificate of a log, or of the present one: a signed note';
REVOKE ALL ON FUNCTION steward.prune_certificate(integer) FROM PUBLIC;
