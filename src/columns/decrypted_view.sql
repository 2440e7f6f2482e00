-- Views that give plaintext to those who may decrypt, and NULL to others.

DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT pg_catalog.format('steward.%I', t.typname) AS sealed, pg_catalog.format_type(p.prorettype, NULL) AS plain
               FROM pg_catalog.pg_proc AS p
               JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) p.proargtypes[0]
              WHERE p.proname OPERATOR(pg_catalog.=) 'decrypt' AND p.pronamespace OPERATOR(pg_catalog.=) 'steward'::pg_catalog.regnamespace
    LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION steward.decrypt_or_null(value %s) RETURNS %s LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS ''MODULE_PATHNAME'', ''steward_decrypt_or_null''', f.sealed, f.plain);
        EXECUTE pg_catalog.format('COMMENT ON FUNCTION steward.decrypt_or_null(%s) IS ''the plaintext, or NULL for roles without the right to decrypt''', f.sealed);
        EXECUTE pg_catalog.format('CREATE FUNCTION steward.decrypt_or_null(value %s[]) RETURNS %s[] LANGUAGE c STABLE STRICT PARALLEL SAFE COST 60 AS ''MODULE_PATHNAME'', ''steward_decrypt_array_or_null''', f.sealed, f.plain);
        EXECUTE pg_catalog.format('COMMENT ON FUNCTION steward.decrypt_or_null(%s[]) IS ''the plaintexts, or NULL for roles without the right to decrypt''', f.sealed);
    END LOOP;
END
$$;

CREATE FUNCTION steward.create_decrypted_view(relation regclass, name text DEFAULT NULL) RETURNS regclass
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_create_decrypted_view';
COMMENT ON FUNCTION steward.create_decrypted_view(regclass, text) IS 'makes, or makes anew, a view of a table with plaintext for those who may decrypt and NULL for others; grants nothing on it';
REVOKE ALL ON FUNCTION steward.create_decrypted_view(regclass, text) FROM PUBLIC;
