-- Named keys. What these tables hold is wrapped under root keys that are kept
-- outside the database; a dump carries them along. No foreign key binds them: a
-- parallel restore fills them in any order.

CREATE TABLE steward.realm (
    realm uuid NOT NULL,
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one)
);
COMMENT ON TABLE steward.realm IS 'random identity of this database, part of every wrapped key, so that keys of two databases never mix';
COMMENT ON COLUMN steward.realm.realm IS '16 random bytes, made with the first key';
COMMENT ON COLUMN steward.realm.only_one IS 'makes sure that there is one row at most';

CREATE TABLE steward.key (
    key_id integer PRIMARY KEY CHECK (key_id > 0),
    path text COLLATE "C" NOT NULL UNIQUE,
    holder_id integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE steward.key IS 'named keys and the paths below them';
COMMENT ON COLUMN steward.key.key_id IS 'number derived from the path; the type modifier of columns under this key';
COMMENT ON COLUMN steward.key.path IS 'name of the key';
COMMENT ON COLUMN steward.key.holder_id IS 'the key whose versions and rights this path uses: its first segment';
COMMENT ON COLUMN steward.key.created_at IS 'when the path was registered';

CREATE TABLE steward.key_version (
    key_id integer NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    key_tag bigint NOT NULL CHECK (key_tag BETWEEN 0 AND 4294967295),
    root_id bytea CHECK (pg_catalog.octet_length(root_id) = 8),
    wrapped bytea CHECK (pg_catalog.octet_length(wrapped) = 105),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    destroyed_at timestamptz,
    PRIMARY KEY (key_id, version),
    UNIQUE (key_id, key_tag),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK ((root_id IS NULL) = (destroyed_at IS NOT NULL))
);
COMMENT ON TABLE steward.key_version IS 'versions of named keys, wrapped under a root key; the highest one seals new values';
COMMENT ON COLUMN steward.key_version.key_id IS 'the named key';
COMMENT ON COLUMN steward.key_version.version IS 'counts up from 1';
COMMENT ON COLUMN steward.key_version.key_tag IS 'short name of this version that stands in each value under it';
COMMENT ON COLUMN steward.key_version.root_id IS 'the root key that wraps it; none when destroyed';
COMMENT ON COLUMN steward.key_version.wrapped IS 'the wrapped key; gone when destroyed';
COMMENT ON COLUMN steward.key_version.created_at IS 'when this version was made';
COMMENT ON COLUMN steward.key_version.destroyed_at IS 'when this version was destroyed; its row stays, so that its values are recognised';

CREATE TABLE steward.key_secret (
    kind integer NOT NULL CHECK (kind IN (2, 3, 6)),
    key_id integer NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    root_id bytea NOT NULL CHECK (pg_catalog.octet_length(root_id) = 8),
    wrapped bytea NOT NULL CHECK (pg_catalog.octet_length(wrapped) = 105),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (kind, key_id, generation),
    CHECK (generation = 1 OR (kind = 2 AND generation > 1))
);
COMMENT ON TABLE steward.key_secret IS 'secrets of indexes, of hashing and of the ledger, wrapped under a root key';
COMMENT ON COLUMN steward.key_secret.kind IS '2 = index secret of a named key, 3 = hash secret of the database, 6 = seed of a key of the ledger';
COMMENT ON COLUMN steward.key_secret.key_id IS 'the named key; 0 for the hash secret; ledger_key.id for a seed';
COMMENT ON COLUMN steward.key_secret.generation IS 'counts the secrets of a named key''s indexes from 1: new indexes take the highest one; otherwise 1';
COMMENT ON COLUMN steward.key_secret.root_id IS 'the root key that wraps it';
COMMENT ON COLUMN steward.key_secret.wrapped IS 'the wrapped secret';
COMMENT ON COLUMN steward.key_secret.created_at IS 'when it was made';

CREATE TABLE steward.key_grant (
    key_id integer NOT NULL,
    grantee regrole NOT NULL,
    privilege text COLLATE "C" NOT NULL CHECK (privilege IN ('decrypt', 'search', 'load')),
    granted_by name NOT NULL DEFAULT SESSION_USER,
    granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (key_id, grantee, privilege)
);
COMMENT ON TABLE steward.key_grant IS 'rights on named keys; written by grant_key and revoke_key';
COMMENT ON COLUMN steward.key_grant.key_id IS 'the named key; paths below it follow';
COMMENT ON COLUMN steward.key_grant.grantee IS 'the role that has the right; its members inherit it';
COMMENT ON COLUMN steward.key_grant.privilege IS 'decrypt, search (equality only) or load (ciphertext as it is)';
COMMENT ON COLUMN steward.key_grant.granted_by IS 'who granted it';
COMMENT ON COLUMN steward.key_grant.granted_at IS 'when it was granted';

-- An empty table. Whoever holds a right on a key also holds REFERENCES on it,
-- so that PostgreSQL itself knows of the grant: DROP ROLE refuses, DROP OWNED
-- revokes. A row of key_grant without it is void.
CREATE TABLE steward.key_grantee ();
COMMENT ON TABLE steward.key_grantee IS 'its privileges tie roles to their rights on keys, so that DROP ROLE and DROP OWNED know of them; holds no rows';

SELECT pg_catalog.pg_extension_config_dump('steward.realm', '');
SELECT pg_catalog.pg_extension_config_dump('steward.key', '');
SELECT pg_catalog.pg_extension_config_dump('steward.key_version', '');
SELECT pg_catalog.pg_extension_config_dump('steward.key_secret', '');
SELECT pg_catalog.pg_extension_config_dump('steward.key_grant', '');

CREATE FUNCTION steward.key_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_key_changed';
COMMENT ON FUNCTION steward.key_changed() IS 'trigger: tells every session, also on standbys, to forget cached keys and rights';
REVOKE ALL ON FUNCTION steward.key_changed() FROM PUBLIC;

DO $$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['realm', 'key', 'key_version', 'key_secret', 'key_grant'] LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER key_changed AFTER INSERT OR UPDATE OR DELETE ON steward.%I FOR EACH ROW EXECUTE FUNCTION steward.key_changed()', table_name);
        EXECUTE pg_catalog.format('COMMENT ON TRIGGER key_changed ON steward.%I IS %L', table_name, 'invalidates cached keys and rights');
        EXECUTE pg_catalog.format('CREATE TRIGGER key_truncated AFTER TRUNCATE ON steward.%I FOR EACH STATEMENT EXECUTE FUNCTION steward.key_changed()', table_name);
        EXECUTE pg_catalog.format('COMMENT ON TRIGGER key_truncated ON steward.%I IS %L', table_name, 'invalidates cached keys and rights');
        EXECUTE pg_catalog.format('ALTER TABLE steward.%I ENABLE ALWAYS TRIGGER key_changed', table_name);
        EXECUTE pg_catalog.format('ALTER TABLE steward.%I ENABLE ALWAYS TRIGGER key_truncated', table_name);
    END LOOP;
END
$$;

CREATE FUNCTION steward.create_key(key text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_create_key';
COMMENT ON FUNCTION steward.create_key(text) IS 'makes a named key, or registers a path below one';
REVOKE ALL ON FUNCTION steward.create_key(text) FROM PUBLIC;

CREATE FUNCTION steward.grant_key(key text, role regrole, privilege text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_grant_key';
COMMENT ON FUNCTION steward.grant_key(text, regrole, text) IS 'gives a role the right to decrypt, search or load values under a key';
REVOKE ALL ON FUNCTION steward.grant_key(text, regrole, text) FROM PUBLIC;

CREATE FUNCTION steward.revoke_key(key text, role regrole, privilege text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_revoke_key';
COMMENT ON FUNCTION steward.revoke_key(text, regrole, text) IS 'takes a right on a key away from a role, at once and for running transactions too';
REVOKE ALL ON FUNCTION steward.revoke_key(text, regrole, text) FROM PUBLIC;

CREATE FUNCTION steward.has_key_privilege(role regrole, key text, privilege text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_has_key_privilege';
COMMENT ON FUNCTION steward.has_key_privilege(regrole, text, text) IS 'has the role, itself or by membership, this right on the key?';
