-- On whose behalf a transaction works, and why.

CREATE TABLE steward.context_key (
    name       text COLLATE "C" PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    revoked_at timestamptz
) USING heap;
COMMENT ON TABLE steward.context_key IS 'keys by which applications prove contexts; what they are is not stored but derived from the root';
COMMENT ON COLUMN steward.context_key.name IS 'name of the key';
COMMENT ON COLUMN steward.context_key.created_at IS 'since when it counts';
COMMENT ON COLUMN steward.context_key.revoked_at IS 'when it was revoked; its name is not given again';
REVOKE ALL ON steward.context_key FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('steward.context_key', '');

CREATE FUNCTION steward.create_context_key(name text) RETURNS uuid
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_create_context_key';
COMMENT ON FUNCTION steward.create_context_key(text) IS 'lets contexts be proved by the key of this name; returns the realm for pg_steward_keygen --context, which makes the key';
REVOKE EXECUTE ON FUNCTION steward.create_context_key(text) FROM PUBLIC;

CREATE FUNCTION steward.revoke_context_key(name text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_revoke_context_key';
COMMENT ON FUNCTION steward.revoke_context_key(text) IS 'ends a context key for good; contexts of running transactions stay';
REVOKE EXECUTE ON FUNCTION steward.revoke_context_key(text) FROM PUBLIC;

-- To everybody, on purpose: it says something about one's own transaction and
-- gives no right. What is not proved by a MAC is recorded as a claim.
CREATE FUNCTION steward.set_context(actor text DEFAULT NULL, purpose text DEFAULT NULL, request_id text DEFAULT NULL,
        context_key text DEFAULT NULL, issued_at timestamptz DEFAULT NULL, mac bytea DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_set_context';
COMMENT ON FUNCTION steward.set_context(text, text, text, text, timestamptz, bytea) IS 'says until the end of the transaction on whose behalf it works, and why; with a MAC it is proved';
