-- Encrypted types, all from one template: what is written here of <type> exists
-- for each of them. Operators live in pg_catalog, so that WHERE ssn = 'x' works
-- wherever schema steward is not in the search path, pg_restore included.

CREATE FUNCTION steward.typmod_in(cstring[]) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_typmod_in';
COMMENT ON FUNCTION steward.typmod_in(cstring[]) IS 'I/O: name of a key to type modifier';

CREATE FUNCTION steward.typmod_out(integer) RETURNS cstring
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_typmod_out';
COMMENT ON FUNCTION steward.typmod_out(integer) IS 'I/O: type modifier to name of a key';

CREATE FUNCTION steward.encrypted_typanalyze(internal) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_typanalyze';
COMMENT ON FUNCTION steward.encrypted_typanalyze(internal) IS 'ANALYZE of encrypted columns: no values, no frequencies';

-- Encrypting is VOLATILE, so that each row gets a salt of its own; decryption
-- STABLE, so that no index and no plan may hold its result. Casts are RESTRICTED:
-- what path a type modifier stands for may be known to the leader alone, until the
-- DDL guard registers it. encrypted_…_under is what the guard of queries puts around
-- parameters; it tells nothing of a value but its key, so that it does not keep a
-- comparison above a row security policy.

DO $types$
DECLARE
    plain text;
BEGIN
    FOREACH plain IN ARRAY ARRAY['text', 'bytea', 'jsonb', 'bigint', 'numeric', 'date', 'timestamptz'] LOOP
        EXECUTE pg_catalog.replace($template$

CREATE TYPE steward.encrypted_<type>;
COMMENT ON TYPE steward.encrypted_<type> IS '<type>, encrypted at rest under a named key';

CREATE FUNCTION steward.encrypted_<type>_in(cstring, oid, integer) RETURNS steward.encrypted_<type>
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_<type>_in';
COMMENT ON FUNCTION steward.encrypted_<type>_in(cstring, oid, integer) IS 'I/O: plaintext, or armour for those who may load it';

CREATE FUNCTION steward.encrypted_<type>_out(steward.encrypted_<type>) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_out';
COMMENT ON FUNCTION steward.encrypted_<type>_out(steward.encrypted_<type>) IS 'I/O: armoured ciphertext, never plaintext';

CREATE FUNCTION steward.encrypted_<type>_recv(internal, oid, integer) RETURNS steward.encrypted_<type>
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_<type>_recv';
COMMENT ON FUNCTION steward.encrypted_<type>_recv(internal, oid, integer) IS 'I/O: ciphertext bytes, for those who may load them';

CREATE FUNCTION steward.encrypted_<type>_send(steward.encrypted_<type>) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_send';
COMMENT ON FUNCTION steward.encrypted_<type>_send(steward.encrypted_<type>) IS 'I/O: ciphertext bytes, never plaintext';

CREATE TYPE steward.encrypted_<type> (
    INPUT = steward.encrypted_<type>_in,
    OUTPUT = steward.encrypted_<type>_out,
    RECEIVE = steward.encrypted_<type>_recv,
    SEND = steward.encrypted_<type>_send,
    TYPMOD_IN = steward.typmod_in,
    TYPMOD_OUT = steward.typmod_out,
    ANALYZE = steward.encrypted_typanalyze,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = external,
    CATEGORY = 'U'
);

CREATE FUNCTION steward.encrypt_<type>(plaintext <type>, key text) RETURNS steward.encrypted_<type>
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'steward_<type>_encrypt';
COMMENT ON FUNCTION steward.encrypt_<type>(<type>, text) IS 'encrypts under a named key, whatever the plaintext looks like';

CREATE FUNCTION steward.decrypt(value steward.encrypted_<type>) RETURNS <type>
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_decrypt';
COMMENT ON FUNCTION steward.decrypt(steward.encrypted_<type>) IS 'the plaintext, for roles with the right to decrypt';

CREATE FUNCTION steward.encrypted_<type>(value steward.encrypted_<type>, typmod integer, explicit boolean) RETURNS steward.encrypted_<type>
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 10 AS 'MODULE_PATHNAME', 'steward_<type>_recode';
COMMENT ON FUNCTION steward.encrypted_<type>(steward.encrypted_<type>, integer, boolean) IS 'gives a value the key of its column';

CREATE CAST (steward.encrypted_<type> AS steward.encrypted_<type>)
    WITH FUNCTION steward.encrypted_<type>(steward.encrypted_<type>, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (steward.encrypted_<type> AS steward.encrypted_<type>) IS 'gives a value the key of its column';

CREATE FUNCTION steward.encrypted_<type>_under(value steward.encrypted_<type>, typmod integer) RETURNS steward.encrypted_<type>
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'steward_<type>_under';
COMMENT ON FUNCTION steward.encrypted_<type>_under(steward.encrypted_<type>, integer) IS 'the value itself; an error when it is not under this key';

CREATE FUNCTION steward.encrypted_<type>_under(value steward.encrypted_<type>[], typmod integer) RETURNS steward.encrypted_<type>[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'steward_<type>_array_under';
COMMENT ON FUNCTION steward.encrypted_<type>_under(steward.encrypted_<type>[], integer) IS 'the array itself; an error when a value is not under this key';

        $template$, '<type>', plain);

        -- The array type must not collect its elements as "most common" ones.
        UPDATE pg_catalog.pg_type
        SET typanalyze = 'steward.encrypted_typanalyze(internal)'::pg_catalog.regprocedure
        WHERE oid OPERATOR(pg_catalog.=) (SELECT t.typarray FROM pg_catalog.pg_type AS t
            WHERE t.oid OPERATOR(pg_catalog.=) pg_catalog.to_regtype('steward.encrypted_' OPERATOR(pg_catalog.||) plain));
    END LOOP;
END
$types$;
