-- New versions of keys, and what became of old ones.

CREATE FUNCTION steward.rotate_key(key text) RETURNS integer
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_rotate_key';
COMMENT ON FUNCTION steward.rotate_key(text) IS 'makes a new version of a key, which seals new values from the commit on, and returns its number';
REVOKE ALL ON FUNCTION steward.rotate_key(text) FROM PUBLIC;
