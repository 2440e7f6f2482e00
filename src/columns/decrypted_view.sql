-- Views that give plaintext to those who may decrypt, and NULL to others.

CREATE FUNCTION steward.decrypt_or_null(value steward.encrypted_text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_decrypt_or_null';
COMMENT ON FUNCTION steward.decrypt_or_null(steward.encrypted_text) IS 'the plaintext, or NULL for roles without the right to decrypt';

CREATE FUNCTION steward.decrypt_or_null(value steward.encrypted_text[]) RETURNS text[]
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 60 AS 'MODULE_PATHNAME', 'steward_text_array_decrypt_or_null';
COMMENT ON FUNCTION steward.decrypt_or_null(steward.encrypted_text[]) IS 'the plaintexts, or NULL for roles without the right to decrypt';

CREATE FUNCTION steward.create_decrypted_view(relation regclass, name text DEFAULT NULL) RETURNS regclass
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_create_decrypted_view';
COMMENT ON FUNCTION steward.create_decrypted_view(regclass, text) IS 'makes, or makes anew, a view of a table with plaintext for those who may decrypt and NULL for others; grants nothing on it';
REVOKE ALL ON FUNCTION steward.create_decrypted_view(regclass, text) FROM PUBLIC;
