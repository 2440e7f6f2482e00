-- New versions of keys, and what became of old ones.

CREATE FUNCTION steward.rotate_key(key text) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_rotate_key';
COMMENT ON FUNCTION steward.rotate_key(text) IS 'makes a new version of a key, which seals new values from the commit on, and returns its number';
REVOKE ALL ON FUNCTION steward.rotate_key(text) FROM PUBLIC;

CREATE FUNCTION steward.rotate_index_secret(key text) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_rotate_index_secret';
COMMENT ON FUNCTION steward.rotate_index_secret(text) IS 'makes a new secret for the blind indexes of a key, by which an index goes when it is built or built anew, and returns its generation';
REVOKE ALL ON FUNCTION steward.rotate_index_secret(text) FROM PUBLIC;

CREATE PROCEDURE steward.rotate_root_key(INOUT rewrapped bigint DEFAULT NULL, INOUT remaining bigint DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_rotate_root_key';
COMMENT ON PROCEDURE steward.rotate_root_key(bigint, bigint) IS 'wraps all keys and secrets anew under the newest root key of the keyring, in batches with a commit each';
REVOKE ALL ON PROCEDURE steward.rotate_root_key(bigint, bigint) FROM PUBLIC;
