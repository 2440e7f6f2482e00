-- Encrypted types. Operators live in pg_catalog, so that WHERE ssn = 'x' works
-- wherever schema steward is not in the search path, pg_restore included.

CREATE TYPE steward.encrypted_text;
COMMENT ON TYPE steward.encrypted_text IS 'text, encrypted at rest under a named key';

CREATE FUNCTION steward.typmod_in(cstring[]) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_typmod_in';
COMMENT ON FUNCTION steward.typmod_in(cstring[]) IS 'I/O: name of a key to type modifier';

CREATE FUNCTION steward.typmod_out(integer) RETURNS cstring
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_typmod_out';
COMMENT ON FUNCTION steward.typmod_out(integer) IS 'I/O: type modifier to name of a key';

CREATE FUNCTION steward.encrypted_text_in(cstring, oid, integer) RETURNS steward.encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_text_in';
COMMENT ON FUNCTION steward.encrypted_text_in(cstring, oid, integer) IS 'I/O: plaintext, or armour for those who may load it';

CREATE FUNCTION steward.encrypted_text_out(steward.encrypted_text) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_out';
COMMENT ON FUNCTION steward.encrypted_text_out(steward.encrypted_text) IS 'I/O: armoured ciphertext, never plaintext';

CREATE FUNCTION steward.encrypted_text_recv(internal, oid, integer) RETURNS steward.encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_text_recv';
COMMENT ON FUNCTION steward.encrypted_text_recv(internal, oid, integer) IS 'I/O: ciphertext bytes, for those who may load them';

CREATE FUNCTION steward.encrypted_text_send(steward.encrypted_text) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_send';
COMMENT ON FUNCTION steward.encrypted_text_send(steward.encrypted_text) IS 'I/O: ciphertext bytes, never plaintext';

CREATE FUNCTION steward.encrypted_typanalyze(internal) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_typanalyze';
COMMENT ON FUNCTION steward.encrypted_typanalyze(internal) IS 'ANALYZE of encrypted columns: no values, no frequencies';

CREATE TYPE steward.encrypted_text (
    INPUT = steward.encrypted_text_in,
    OUTPUT = steward.encrypted_text_out,
    RECEIVE = steward.encrypted_text_recv,
    SEND = steward.encrypted_text_send,
    TYPMOD_IN = steward.typmod_in,
    TYPMOD_OUT = steward.typmod_out,
    ANALYZE = steward.encrypted_typanalyze,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = external,
    CATEGORY = 'U'
);

-- The array type must not collect its elements as "most common" ones.
UPDATE pg_catalog.pg_type
SET typanalyze = 'steward.encrypted_typanalyze(internal)'::pg_catalog.regprocedure
WHERE oid OPERATOR(pg_catalog.=) (SELECT t.typarray FROM pg_catalog.pg_type AS t
    WHERE t.oid OPERATOR(pg_catalog.=) 'steward.encrypted_text'::pg_catalog.regtype);

-- Encrypting and decrypting. VOLATILE, so that each row gets a salt of its own;
-- decryption STABLE, so that no index and no plan may hold its result.

CREATE FUNCTION steward.encrypt_text(plaintext text, key text) RETURNS steward.encrypted_text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE COST 40 AS 'MODULE_PATHNAME', 'steward_text_encrypt';
COMMENT ON FUNCTION steward.encrypt_text(text, text) IS 'encrypts a text under a named key, whatever it looks like';

CREATE FUNCTION steward.decrypt(value steward.encrypted_text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_decrypt';
COMMENT ON FUNCTION steward.decrypt(steward.encrypted_text) IS 'the plaintext, for roles with the right to decrypt';

-- RESTRICTED: what path a type modifier stands for may be known to the leader
-- alone, until the DDL guard registers it.
CREATE FUNCTION steward.encrypted_text(plaintext text, typmod integer, explicit boolean) RETURNS steward.encrypted_text
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 40 AS 'MODULE_PATHNAME', 'steward_text_from_text';
COMMENT ON FUNCTION steward.encrypted_text(text, integer, boolean) IS 'cast from text';

CREATE FUNCTION steward.encrypted_text(plaintext character, typmod integer, explicit boolean) RETURNS steward.encrypted_text
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 40 AS 'MODULE_PATHNAME', 'steward_text_from_bpchar';
COMMENT ON FUNCTION steward.encrypted_text(character, integer, boolean) IS 'cast from character(n), without its padding';

CREATE FUNCTION steward.encrypted_text(plaintext name, typmod integer, explicit boolean) RETURNS steward.encrypted_text
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 40 AS 'MODULE_PATHNAME', 'steward_text_from_name';
COMMENT ON FUNCTION steward.encrypted_text(name, integer, boolean) IS 'cast from name';

CREATE FUNCTION steward.encrypted_text(value steward.encrypted_text, typmod integer, explicit boolean) RETURNS steward.encrypted_text
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 10 AS 'MODULE_PATHNAME', 'steward_text_recode';
COMMENT ON FUNCTION steward.encrypted_text(steward.encrypted_text, integer, boolean) IS 'gives a value the key of its column';

-- What the guard of queries puts around parameters. It tells nothing of a value
-- but its key, so that it does not keep a comparison above a row security policy.
CREATE FUNCTION steward.encrypted_text_under(value steward.encrypted_text, typmod integer) RETURNS steward.encrypted_text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'steward_text_under';
COMMENT ON FUNCTION steward.encrypted_text_under(steward.encrypted_text, integer) IS 'the value itself; an error when it is not under this key';

CREATE FUNCTION steward.encrypted_text_under(value steward.encrypted_text[], typmod integer) RETURNS steward.encrypted_text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'steward_text_array_under';
COMMENT ON FUNCTION steward.encrypted_text_under(steward.encrypted_text[], integer) IS 'the array itself; an error when a value is not under this key';

CREATE CAST (text AS steward.encrypted_text) WITH FUNCTION steward.encrypted_text(text, integer, boolean) AS ASSIGNMENT;
CREATE CAST (varchar AS steward.encrypted_text) WITH FUNCTION steward.encrypted_text(text, integer, boolean) AS ASSIGNMENT;
CREATE CAST (character AS steward.encrypted_text) WITH FUNCTION steward.encrypted_text(character, integer, boolean) AS ASSIGNMENT;
CREATE CAST (name AS steward.encrypted_text) WITH FUNCTION steward.encrypted_text(name, integer, boolean) AS ASSIGNMENT;
CREATE CAST (steward.encrypted_text AS steward.encrypted_text) WITH FUNCTION steward.encrypted_text(steward.encrypted_text, integer, boolean) AS IMPLICIT;
CREATE CAST (steward.encrypted_text AS text) WITH FUNCTION steward.decrypt(steward.encrypted_text);
CREATE CAST (steward.encrypted_text AS varchar) WITH FUNCTION steward.decrypt(steward.encrypted_text);
CREATE CAST (steward.encrypted_text AS character) WITH FUNCTION steward.decrypt(steward.encrypted_text);
COMMENT ON CAST (text AS steward.encrypted_text) IS 'encrypts';
COMMENT ON CAST (varchar AS steward.encrypted_text) IS 'encrypts';
COMMENT ON CAST (character AS steward.encrypted_text) IS 'encrypts';
COMMENT ON CAST (name AS steward.encrypted_text) IS 'encrypts';
COMMENT ON CAST (steward.encrypted_text AS steward.encrypted_text) IS 'gives a value the key of its column';
COMMENT ON CAST (steward.encrypted_text AS text) IS 'decrypts';
COMMENT ON CAST (steward.encrypted_text AS varchar) IS 'decrypts';
COMMENT ON CAST (steward.encrypted_text AS character) IS 'decrypts';

-- Functions of operators: they check rights, so everybody may execute them.

DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT * FROM (VALUES
        ('encrypted_text_eq', 'steward.encrypted_text', 'steward.encrypted_text', 'steward_text_eq', true, '= of encrypted texts'),
        ('encrypted_text_ne', 'steward.encrypted_text', 'steward.encrypted_text', 'steward_text_ne', true, '<> of encrypted texts'),
        ('encrypted_text_eq', 'steward.encrypted_text', 'text', 'steward_text_eq_plain_text', true, '= of an encrypted text and a text'),
        ('encrypted_text_ne', 'steward.encrypted_text', 'text', 'steward_text_ne_plain_text', true, '<> of an encrypted text and a text'),
        ('encrypted_text_eq', 'text', 'steward.encrypted_text', 'steward_text_plain_text_eq', true, '= of a text and an encrypted text'),
        ('encrypted_text_ne', 'text', 'steward.encrypted_text', 'steward_text_plain_text_ne', true, '<> of a text and an encrypted text'),
        ('encrypted_text_lt', 'steward.encrypted_text', 'steward.encrypted_text', 'steward_text_lt', false, '< of encrypted texts, by plaintext'),
        ('encrypted_text_le', 'steward.encrypted_text', 'steward.encrypted_text', 'steward_text_le', false, '<= of encrypted texts, by plaintext'),
        ('encrypted_text_ge', 'steward.encrypted_text', 'steward.encrypted_text', 'steward_text_ge', false, '>= of encrypted texts, by plaintext'),
        ('encrypted_text_gt', 'steward.encrypted_text', 'steward.encrypted_text', 'steward_text_gt', false, '> of encrypted texts, by plaintext')
    ) AS v (name, a, b, symbol, leakproof, comment) LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION steward.%I(%s, %s) RETURNS boolean LANGUAGE c STABLE STRICT PARALLEL SAFE %s COST 30 AS ''MODULE_PATHNAME'', %L',
            f.name, f.a, f.b, CASE WHEN f.leakproof THEN 'LEAKPROOF' ELSE '' END, f.symbol);
        EXECUTE pg_catalog.format('COMMENT ON FUNCTION steward.%I(%s, %s) IS %L', f.name, f.a, f.b, f.comment);
    END LOOP;
END
$$;

-- Not MERGES: "=" belongs to two btree families, and a merge join may sort by
-- either; one of them must not be sorted by. Hash joins serve instead.
CREATE OPERATOR pg_catalog.= (
    LEFTARG = steward.encrypted_text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
CREATE OPERATOR pg_catalog.<> (
    LEFTARG = steward.encrypted_text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR pg_catalog.= (
    LEFTARG = steward.encrypted_text, RIGHTARG = text, FUNCTION = steward.encrypted_text_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
CREATE OPERATOR pg_catalog.<> (
    LEFTARG = steward.encrypted_text, RIGHTARG = text, FUNCTION = steward.encrypted_text_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR pg_catalog.= (
    LEFTARG = text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
CREATE OPERATOR pg_catalog.<> (
    LEFTARG = text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR pg_catalog.< (
    LEFTARG = steward.encrypted_text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_lt,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR pg_catalog.<= (
    LEFTARG = steward.encrypted_text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_le,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR pg_catalog.>= (
    LEFTARG = steward.encrypted_text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_ge,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR pg_catalog.> (
    LEFTARG = steward.encrypted_text, RIGHTARG = steward.encrypted_text, FUNCTION = steward.encrypted_text_gt,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR pg_catalog.= (steward.encrypted_text, steward.encrypted_text) IS 'same plaintext; needs the right to search or decrypt';
COMMENT ON OPERATOR pg_catalog.<> (steward.encrypted_text, steward.encrypted_text) IS 'another plaintext; needs the right to search or decrypt';
COMMENT ON OPERATOR pg_catalog.= (steward.encrypted_text, text) IS 'same plaintext; needs the right to search or decrypt';
COMMENT ON OPERATOR pg_catalog.<> (steward.encrypted_text, text) IS 'another plaintext; needs the right to search or decrypt';
COMMENT ON OPERATOR pg_catalog.= (text, steward.encrypted_text) IS 'same plaintext; needs the right to search or decrypt';
COMMENT ON OPERATOR pg_catalog.<> (text, steward.encrypted_text) IS 'another plaintext; needs the right to search or decrypt';
COMMENT ON OPERATOR pg_catalog.< (steward.encrypted_text, steward.encrypted_text) IS 'plaintext order; needs the right to decrypt';
COMMENT ON OPERATOR pg_catalog.<= (steward.encrypted_text, steward.encrypted_text) IS 'plaintext order; needs the right to decrypt';
COMMENT ON OPERATOR pg_catalog.>= (steward.encrypted_text, steward.encrypted_text) IS 'plaintext order; needs the right to decrypt';
COMMENT ON OPERATOR pg_catalog.> (steward.encrypted_text, steward.encrypted_text) IS 'plaintext order; needs the right to decrypt';

-- Support functions: called by index and hash machinery; nobody calls them
-- directly.

CREATE FUNCTION steward.encrypted_text_cmp(steward.encrypted_text, steward.encrypted_text) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_cmp';
COMMENT ON FUNCTION steward.encrypted_text_cmp(steward.encrypted_text, steward.encrypted_text) IS 'btree support: plaintext order; needs the right to decrypt';

CREATE FUNCTION steward.encrypted_text_tag_cmp(steward.encrypted_text, steward.encrypted_text) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_tag_cmp';
COMMENT ON FUNCTION steward.encrypted_text_tag_cmp(steward.encrypted_text, steward.encrypted_text) IS 'btree support: order of keyed tags';
REVOKE ALL ON FUNCTION steward.encrypted_text_tag_cmp(steward.encrypted_text, steward.encrypted_text) FROM PUBLIC;

CREATE FUNCTION steward.encrypted_text_tag_cmp(steward.encrypted_text, text) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_text_tag_cmp_plain_text';
COMMENT ON FUNCTION steward.encrypted_text_tag_cmp(steward.encrypted_text, text) IS 'btree support: order of keyed tags';
REVOKE ALL ON FUNCTION steward.encrypted_text_tag_cmp(steward.encrypted_text, text) FROM PUBLIC;

-- It checks rights itself. The executor asks whether its user may call it when
-- a long IN list is hashed. STABLE, though the hash secret does not change: no
-- generated column and no plan may keep a hash.
CREATE FUNCTION steward.encrypted_text_hash(steward.encrypted_text) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'steward_text_hash';
COMMENT ON FUNCTION steward.encrypted_text_hash(steward.encrypted_text) IS 'hash support: keyed hash of the plaintext; needs the right to search or decrypt';

CREATE FUNCTION steward.encrypted_text_hash_extended(steward.encrypted_text, bigint) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'steward_text_hash_extended';
COMMENT ON FUNCTION steward.encrypted_text_hash_extended(steward.encrypted_text, bigint) IS 'hash support: keyed hash of the plaintext; needs the right to search or decrypt';
REVOKE ALL ON FUNCTION steward.encrypted_text_hash_extended(steward.encrypted_text, bigint) FROM PUBLIC;

CREATE FUNCTION steward.plain_text_hash(text) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_text_hash_plain_text';
COMMENT ON FUNCTION steward.plain_text_hash(text) IS 'hash support: keyed hash of a text, as that of an encrypted one';
REVOKE ALL ON FUNCTION steward.plain_text_hash(text) FROM PUBLIC;

CREATE FUNCTION steward.plain_text_hash_extended(text, bigint) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_text_hash_extended_plain_text';
COMMENT ON FUNCTION steward.plain_text_hash_extended(text, bigint) IS 'hash support: keyed hash of a text, as that of an encrypted one';
REVOKE ALL ON FUNCTION steward.plain_text_hash_extended(text, bigint) FROM PUBLIC;

CREATE OPERATOR FAMILY steward.encrypted_text_ops USING btree;
COMMENT ON OPERATOR FAMILY steward.encrypted_text_ops USING btree IS 'plaintext order of encrypted texts, for sorting';
CREATE OPERATOR CLASS steward.encrypted_text_ops DEFAULT FOR TYPE steward.encrypted_text USING btree FAMILY steward.encrypted_text_ops AS
    OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
    FUNCTION 1 steward.encrypted_text_cmp(steward.encrypted_text, steward.encrypted_text);
COMMENT ON OPERATOR CLASS steward.encrypted_text_ops USING btree IS 'plaintext order of encrypted texts: for ORDER BY and DISTINCT, not for indexes';

-- Equality alone: with ordering operators ORDER BY could sort by tags, which
-- tells equal values apart from others without the right to search.
CREATE OPERATOR FAMILY steward.encrypted_unique_ops USING btree;
COMMENT ON OPERATOR FAMILY steward.encrypted_unique_ops USING btree IS 'keyed tags of encrypted values, for unique indexes';
CREATE OPERATOR CLASS steward.encrypted_unique_ops FOR TYPE steward.encrypted_text USING btree FAMILY steward.encrypted_unique_ops AS
    OPERATOR 3 pg_catalog.=,
    FUNCTION 1 steward.encrypted_text_tag_cmp(steward.encrypted_text, steward.encrypted_text);
COMMENT ON OPERATOR CLASS steward.encrypted_unique_ops USING btree IS 'keyed tags of encrypted texts: for unique indexes and point lookups';
ALTER OPERATOR FAMILY steward.encrypted_unique_ops USING btree ADD
    OPERATOR 3 pg_catalog.= (steward.encrypted_text, text),
    FUNCTION 1 (steward.encrypted_text, text) steward.encrypted_text_tag_cmp(steward.encrypted_text, text);

CREATE OPERATOR FAMILY steward.encrypted_text_ops USING hash;
COMMENT ON OPERATOR FAMILY steward.encrypted_text_ops USING hash IS 'keyed hashes of encrypted texts and of texts';
CREATE OPERATOR CLASS steward.encrypted_text_ops DEFAULT FOR TYPE steward.encrypted_text USING hash FAMILY steward.encrypted_text_ops AS
    OPERATOR 1 pg_catalog.=,
    FUNCTION 1 steward.encrypted_text_hash(steward.encrypted_text),
    FUNCTION 2 steward.encrypted_text_hash_extended(steward.encrypted_text, bigint);
COMMENT ON OPERATOR CLASS steward.encrypted_text_ops USING hash IS 'keyed hashes of encrypted texts: for hash joins and aggregation, not for indexes';
ALTER OPERATOR FAMILY steward.encrypted_text_ops USING hash ADD
    OPERATOR 1 pg_catalog.= (steward.encrypted_text, text),
    OPERATOR 1 pg_catalog.= (text, steward.encrypted_text),
    FUNCTION 1 (text, text) steward.plain_text_hash(text),
    FUNCTION 2 (text, text) steward.plain_text_hash_extended(text, bigint);

-- Last, so that it does not watch its own making.
CREATE FUNCTION steward.guard_ddl() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_guard_ddl';
COMMENT ON FUNCTION steward.guard_ddl() IS 'event trigger: refuses DDL that would leave encrypted values without a key, or in the catalogs';
REVOKE ALL ON FUNCTION steward.guard_ddl() FROM PUBLIC;
CREATE FUNCTION steward.guard_concurrent_index() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_guard_concurrent_index';
COMMENT ON FUNCTION steward.guard_concurrent_index() IS 'event trigger: refuses, before it begins, CREATE INDEX CONCURRENTLY that the guard would refuse';
REVOKE ALL ON FUNCTION steward.guard_concurrent_index() FROM PUBLIC;
CREATE EVENT TRIGGER steward_guard_ddl ON ddl_command_end EXECUTE FUNCTION steward.guard_ddl();
ALTER EVENT TRIGGER steward_guard_ddl ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER steward_guard_ddl IS 'refuses DDL that would leave encrypted values without a key, or in the catalogs';
CREATE EVENT TRIGGER steward_guard_concurrent_index ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION steward.guard_concurrent_index();
ALTER EVENT TRIGGER steward_guard_concurrent_index ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER steward_guard_concurrent_index IS 'refuses, before it begins, CREATE INDEX CONCURRENTLY that the guard would refuse';
