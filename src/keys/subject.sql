-- Subjects: the people whom values are about. Each has a secret of its own; a
-- value that is bound to a subject opens only with it. Erasing a subject
-- replaces its secret by a tombstone.

CREATE TABLE steward.root (
    root_id bytea PRIMARY KEY CHECK (pg_catalog.octet_length(root_id) = 8),
    number integer NOT NULL UNIQUE CHECK (number > 0),
    first_used_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE steward.root IS 'root keys that ever wrapped something in this database, by name; the keys themselves are outside';
COMMENT ON COLUMN steward.root.root_id IS 'name of the root key, as in the keyring';
COMMENT ON COLUMN steward.root.number IS 'counts up from 1 in the order of first use';
COMMENT ON COLUMN steward.root.first_used_at IS 'when it first wrapped something here';

-- Half of each page is free, so that rotate_root_key can put every row's next
-- version beside it and leaves the indexes, with their random keys, alone.
CREATE TABLE steward.subject_key (
    subject uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    key_digest bytea NOT NULL CHECK (pg_catalog.octet_length(key_digest) = 32),
    root_id bytea NOT NULL CHECK (pg_catalog.octet_length(root_id) = 8),
    first_root_id bytea CHECK (pg_catalog.octet_length(first_root_id) = 8),
    last_root_id bytea CHECK (pg_catalog.octet_length(last_root_id) = 8),
    wrapped bytea NOT NULL CHECK (pg_catalog.octet_length(wrapped) = 105),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    erased_at timestamptz,
    final_at timestamptz CHECK (final_at IS NULL OR erased_at IS NOT NULL),
    UNIQUE (kind, key_digest)
) WITH (fillfactor = 48);
COMMENT ON TABLE steward.subject_key IS 'secrets of subjects, wrapped under a root key; after erasure a tombstone';
COMMENT ON COLUMN steward.subject_key.subject IS 'random number that stands in each value bound to the subject';
COMMENT ON COLUMN steward.subject_key.kind IS 'what the subject is, as in customer';
COMMENT ON COLUMN steward.subject_key.key_digest IS 'digest of kind and key under a secret of this database: the key may be personal itself, and this row outlives the person';
COMMENT ON COLUMN steward.subject_key.root_id IS 'the root key that wraps it';
COMMENT ON COLUMN steward.subject_key.first_root_id IS 'the root key that wrapped the secret first; null when the subject never had one';
COMMENT ON COLUMN steward.subject_key.last_root_id IS 'the newest root key of the database when the subject was erased: no later one ever wrapped the secret';
COMMENT ON COLUMN steward.subject_key.wrapped IS 'the wrapped secret, or an authenticated tombstone';
COMMENT ON COLUMN steward.subject_key.created_at IS 'when the row was made';
COMMENT ON COLUMN steward.subject_key.erased_at IS 'when the secret was replaced by the tombstone';
COMMENT ON COLUMN steward.subject_key.final_at IS 'when no transaction was left that could still have known the secret';

SELECT pg_catalog.pg_extension_config_dump('steward.root', '');
SELECT pg_catalog.pg_extension_config_dump('steward.subject_key', '');

CREATE FUNCTION steward.subject_key_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_subject_key_changed';
COMMENT ON FUNCTION steward.subject_key_changed() IS 'trigger: tells every session, also on standbys, to forget cached secrets of subjects';
REVOKE ALL ON FUNCTION steward.subject_key_changed() FROM PUBLIC;

-- Not on INSERT: a new subject is no reason to forget the others.
CREATE TRIGGER subject_key_changed BEFORE UPDATE OR DELETE ON steward.subject_key
    FOR EACH ROW EXECUTE FUNCTION steward.subject_key_changed();
COMMENT ON TRIGGER subject_key_changed ON steward.subject_key IS 'invalidates cached secrets of subjects';
CREATE TRIGGER subject_key_truncated BEFORE TRUNCATE ON steward.subject_key
    FOR EACH STATEMENT EXECUTE FUNCTION steward.subject_key_changed();
COMMENT ON TRIGGER subject_key_truncated ON steward.subject_key IS 'invalidates cached secrets of subjects';
ALTER TABLE steward.subject_key ENABLE ALWAYS TRIGGER subject_key_changed;
ALTER TABLE steward.subject_key ENABLE ALWAYS TRIGGER subject_key_truncated;
