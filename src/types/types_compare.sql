-- Operators of the encrypted types and the classes that group them, see types.sql.
--
-- Functions of operators check rights, so everybody may execute them. "=" is
-- LEAKPROOF: its errors are constant. It is not MERGES, for it belongs to two btree
-- families, and a merge join may sort by either; one of them must not be sorted by.
-- Hash joins serve instead. Support functions are called by index and hash
-- machinery; nobody calls them directly. Those that hash check rights themselves;
-- the executor asks whether its user may call the short one when a long IN list is
-- hashed. They are STABLE, though the hash secret does not change: no generated
-- column and no plan may keep a hash. The class for unique indexes has equality
-- alone: with ordering operators ORDER BY could sort by tags, which tells equal
-- values apart from others without the right to search.

-- PostgreSQL calls this when a session first opens such an index: it loads the
-- library, which then watches over what the index is used for.
CREATE FUNCTION steward.encrypted_unique_options(internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_unique_options';
COMMENT ON FUNCTION steward.encrypted_unique_options(internal) IS 'options of the classes for unique indexes, of which there are none; loads the library';
REVOKE ALL ON FUNCTION steward.encrypted_unique_options(internal) FROM PUBLIC;

DO $operators$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT * FROM (VALUES
        ('text', 'encrypted_unique_ops'),
        ('bytea', 'encrypted_bytea_unique_ops'),
        ('jsonb', 'encrypted_jsonb_unique_ops'),
        ('bigint', 'encrypted_bigint_unique_ops'),
        ('numeric', 'encrypted_numeric_unique_ops'),
        ('date', 'encrypted_date_unique_ops'),
        ('timestamptz', 'encrypted_timestamptz_unique_ops')
    ) AS v (type, unique_ops) LOOP
        EXECUTE pg_catalog.replace(pg_catalog.replace($template$

CREATE FUNCTION steward.encrypted_<type>_eq(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_eq';
COMMENT ON FUNCTION steward.encrypted_<type>_eq(steward.encrypted_<type>, steward.encrypted_<type>) IS '= of encrypted values, by plaintext';
CREATE FUNCTION steward.encrypted_<type>_ne(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_ne';
COMMENT ON FUNCTION steward.encrypted_<type>_ne(steward.encrypted_<type>, steward.encrypted_<type>) IS '<> of encrypted values, by plaintext';
CREATE FUNCTION steward.encrypted_<type>_lt(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_lt';
COMMENT ON FUNCTION steward.encrypted_<type>_lt(steward.encrypted_<type>, steward.encrypted_<type>) IS '< of encrypted values, by plaintext';
CREATE FUNCTION steward.encrypted_<type>_le(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_le';
COMMENT ON FUNCTION steward.encrypted_<type>_le(steward.encrypted_<type>, steward.encrypted_<type>) IS '<= of encrypted values, by plaintext';
CREATE FUNCTION steward.encrypted_<type>_ge(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_ge';
COMMENT ON FUNCTION steward.encrypted_<type>_ge(steward.encrypted_<type>, steward.encrypted_<type>) IS '>= of encrypted values, by plaintext';
CREATE FUNCTION steward.encrypted_<type>_gt(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_gt';
COMMENT ON FUNCTION steward.encrypted_<type>_gt(steward.encrypted_<type>, steward.encrypted_<type>) IS '> of encrypted values, by plaintext';

CREATE OPERATOR pg_catalog.= (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
COMMENT ON OPERATOR pg_catalog.= (steward.encrypted_<type>, steward.encrypted_<type>) IS 'same plaintext; needs the right to search or decrypt';
CREATE OPERATOR pg_catalog.<> (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR pg_catalog.<> (steward.encrypted_<type>, steward.encrypted_<type>) IS 'another plaintext; needs the right to search or decrypt';
CREATE OPERATOR pg_catalog.< (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_lt,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR pg_catalog.< (steward.encrypted_<type>, steward.encrypted_<type>) IS 'plaintext order; needs the right to decrypt';
CREATE OPERATOR pg_catalog.<= (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_le,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR pg_catalog.<= (steward.encrypted_<type>, steward.encrypted_<type>) IS 'plaintext order; needs the right to decrypt';
CREATE OPERATOR pg_catalog.>= (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_ge,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR pg_catalog.>= (steward.encrypted_<type>, steward.encrypted_<type>) IS 'plaintext order; needs the right to decrypt';
CREATE OPERATOR pg_catalog.> (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_gt,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR pg_catalog.> (steward.encrypted_<type>, steward.encrypted_<type>) IS 'plaintext order; needs the right to decrypt';

CREATE FUNCTION steward.encrypted_<type>_cmp(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_cmp';
COMMENT ON FUNCTION steward.encrypted_<type>_cmp(steward.encrypted_<type>, steward.encrypted_<type>) IS 'btree support: plaintext order; needs the right to decrypt';

CREATE FUNCTION steward.encrypted_<type>_sort_support(internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_<type>_sort_support';
COMMENT ON FUNCTION steward.encrypted_<type>_sort_support(internal) IS 'btree support: sorts by plaintext, each value opened once; needs the right to decrypt';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_sort_support(internal) FROM PUBLIC;

CREATE FUNCTION steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, steward.encrypted_<type>) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_tag_cmp';
COMMENT ON FUNCTION steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, steward.encrypted_<type>) IS 'btree support: order of keyed tags';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, steward.encrypted_<type>) FROM PUBLIC;

CREATE FUNCTION steward.encrypted_<type>_hash(steward.encrypted_<type>) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'steward_<type>_hash';
COMMENT ON FUNCTION steward.encrypted_<type>_hash(steward.encrypted_<type>) IS 'hash support: keyed hash of the plaintext; needs the right to search or decrypt';

CREATE FUNCTION steward.encrypted_<type>_hash_extended(steward.encrypted_<type>, bigint) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'steward_<type>_hash_extended';
COMMENT ON FUNCTION steward.encrypted_<type>_hash_extended(steward.encrypted_<type>, bigint) IS 'hash support: keyed hash of the plaintext; needs the right to search or decrypt';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_hash_extended(steward.encrypted_<type>, bigint) FROM PUBLIC;

CREATE OPERATOR FAMILY steward.encrypted_<type>_ops USING btree;
COMMENT ON OPERATOR FAMILY steward.encrypted_<type>_ops USING btree IS 'plaintext order of encrypted values, for sorting';
CREATE OPERATOR CLASS steward.encrypted_<type>_ops DEFAULT FOR TYPE steward.encrypted_<type> USING btree FAMILY steward.encrypted_<type>_ops AS
    OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
    FUNCTION 1 steward.encrypted_<type>_cmp(steward.encrypted_<type>, steward.encrypted_<type>),
    FUNCTION 2 steward.encrypted_<type>_sort_support(internal);
COMMENT ON OPERATOR CLASS steward.encrypted_<type>_ops USING btree IS 'plaintext order of encrypted values: for ORDER BY and DISTINCT, not for indexes';

CREATE OPERATOR FAMILY steward.<unique_ops> USING btree;
COMMENT ON OPERATOR FAMILY steward.<unique_ops> USING btree IS 'keyed tags of encrypted values, for unique indexes';
CREATE OPERATOR CLASS steward.<unique_ops> FOR TYPE steward.encrypted_<type> USING btree FAMILY steward.<unique_ops> AS
    OPERATOR 3 pg_catalog.=,
    FUNCTION 1 steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, steward.encrypted_<type>),
    FUNCTION 5 (steward.encrypted_<type>, steward.encrypted_<type>) steward.encrypted_unique_options(internal);
COMMENT ON OPERATOR CLASS steward.<unique_ops> USING btree IS 'keyed tags of encrypted values: for unique indexes and point lookups';

CREATE OPERATOR FAMILY steward.encrypted_<type>_ops USING hash;
COMMENT ON OPERATOR FAMILY steward.encrypted_<type>_ops USING hash IS 'keyed hashes of encrypted values and of plaintexts';
CREATE OPERATOR CLASS steward.encrypted_<type>_ops DEFAULT FOR TYPE steward.encrypted_<type> USING hash FAMILY steward.encrypted_<type>_ops AS
    OPERATOR 1 pg_catalog.=,
    FUNCTION 1 steward.encrypted_<type>_hash(steward.encrypted_<type>),
    FUNCTION 2 steward.encrypted_<type>_hash_extended(steward.encrypted_<type>, bigint);
COMMENT ON OPERATOR CLASS steward.encrypted_<type>_ops USING hash IS 'keyed hashes of encrypted values: for hash joins and aggregation, not for indexes';

        $template$, '<type>', o.type), '<unique_ops>', o.unique_ops);
    END LOOP;
END
$operators$;

-- Equality with plaintexts. PostgreSQL writes a number as what it fits in, so a
-- bigint is compared with each of these types.
--
-- Each hash family has an equality of plaintexts, too: a hash table over the
-- plaintexts of a subquery, for IN and NOT IN, cannot be made without it. It is an
-- operator of our own. PostgreSQL's "=" must be in no family of ours, or ordinary
-- hash joins might hash by our keys; and that of text would follow a collation that
-- takes different texts for equal.
DO $operators$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT * FROM (VALUES
        ('text', 'byteaeq'),
        ('bytea', 'byteaeq'),
        ('jsonb', 'jsonb_eq'),
        ('bigint', 'int8eq'),
        ('integer', 'int4eq'),
        ('smallint', 'int2eq'),
        ('numeric', 'numeric_eq'),
        ('date', 'date_eq'),
        ('timestamptz', 'timestamp_eq')
    ) AS v (plain, symbol) LOOP
        EXECUTE pg_catalog.replace(pg_catalog.replace($template$

CREATE FUNCTION steward.plain_eq(<plain>, <plain>) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS '<symbol>';
COMMENT ON FUNCTION steward.plain_eq(<plain>, <plain>) IS 'are two plaintexts the same (used by the operator ==)';
CREATE OPERATOR steward.== (
    LEFTARG = <plain>, RIGHTARG = <plain>, FUNCTION = steward.plain_eq,
    COMMUTATOR = OPERATOR(steward.==), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
COMMENT ON OPERATOR steward.== (<plain>, <plain>) IS 'the same plaintext: for hash tables of plaintexts that encrypted values are looked for in';

        $template$, '<plain>', o.plain), '<symbol>', o.symbol);
    END LOOP;
END
$operators$;

DO $operators$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT * FROM (VALUES
        ('text', 'text', 'text', 'encrypted_unique_ops'),
        ('bytea', 'bytea', 'bytea', 'encrypted_bytea_unique_ops'),
        ('jsonb', 'jsonb', 'jsonb', 'encrypted_jsonb_unique_ops'),
        ('bigint', 'bigint', 'int8', 'encrypted_bigint_unique_ops'),
        ('bigint', 'integer', 'int4', 'encrypted_bigint_unique_ops'),
        ('bigint', 'smallint', 'int2', 'encrypted_bigint_unique_ops'),
        ('bigint', 'numeric', 'numeric', 'encrypted_bigint_unique_ops'),
        ('numeric', 'numeric', 'numeric', 'encrypted_numeric_unique_ops'),
        ('date', 'date', 'date', 'encrypted_date_unique_ops'),
        ('timestamptz', 'timestamptz', 'timestamptz', 'encrypted_timestamptz_unique_ops')
    ) AS v (type, plain, symbol, unique_ops) LOOP
        EXECUTE pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace($template$

CREATE FUNCTION steward.encrypted_<type>_eq(steward.encrypted_<type>, <plain>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_eq_plain_<symbol>';
COMMENT ON FUNCTION steward.encrypted_<type>_eq(steward.encrypted_<type>, <plain>) IS '= of an encrypted value and a plaintext';
CREATE FUNCTION steward.encrypted_<type>_eq(<plain>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_plain_<symbol>_eq';
COMMENT ON FUNCTION steward.encrypted_<type>_eq(<plain>, steward.encrypted_<type>) IS '= of a plaintext and an encrypted value';
CREATE FUNCTION steward.encrypted_<type>_ne(steward.encrypted_<type>, <plain>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_ne_plain_<symbol>';
COMMENT ON FUNCTION steward.encrypted_<type>_ne(steward.encrypted_<type>, <plain>) IS '<> of an encrypted value and a plaintext';
CREATE FUNCTION steward.encrypted_<type>_ne(<plain>, steward.encrypted_<type>) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_plain_<symbol>_ne';
COMMENT ON FUNCTION steward.encrypted_<type>_ne(<plain>, steward.encrypted_<type>) IS '<> of a plaintext and an encrypted value';

CREATE OPERATOR pg_catalog.= (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = <plain>, FUNCTION = steward.encrypted_<type>_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
COMMENT ON OPERATOR pg_catalog.= (steward.encrypted_<type>, <plain>) IS 'same plaintext; needs the right to search or decrypt';
CREATE OPERATOR pg_catalog.<> (
    LEFTARG = steward.encrypted_<type>, RIGHTARG = <plain>, FUNCTION = steward.encrypted_<type>_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR pg_catalog.<> (steward.encrypted_<type>, <plain>) IS 'another plaintext; needs the right to search or decrypt';
CREATE OPERATOR pg_catalog.= (
    LEFTARG = <plain>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
COMMENT ON OPERATOR pg_catalog.= (<plain>, steward.encrypted_<type>) IS 'same plaintext; needs the right to search or decrypt';
CREATE OPERATOR pg_catalog.<> (
    LEFTARG = <plain>, RIGHTARG = steward.encrypted_<type>, FUNCTION = steward.encrypted_<type>_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR pg_catalog.<> (<plain>, steward.encrypted_<type>) IS 'another plaintext; needs the right to search or decrypt';

CREATE FUNCTION steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, <plain>) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_tag_cmp_plain_<symbol>';
COMMENT ON FUNCTION steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, <plain>) IS 'btree support: order of keyed tags';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, <plain>) FROM PUBLIC;
CREATE FUNCTION steward.encrypted_<type>_tag_cmp(<plain>, <plain>) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_plain_<symbol>_tag_cmp';
COMMENT ON FUNCTION steward.encrypted_<type>_tag_cmp(<plain>, <plain>) IS 'btree support: order of the keyed tags of two plaintexts, for a search among several';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_tag_cmp(<plain>, <plain>) FROM PUBLIC;

CREATE FUNCTION steward.plain_<type>_hash(<plain>) RETURNS integer
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_<type>_hash_plain_<symbol>';
COMMENT ON FUNCTION steward.plain_<type>_hash(<plain>) IS 'hash support: keyed hash of a plaintext, as that of an encrypted one';
REVOKE ALL ON FUNCTION steward.plain_<type>_hash(<plain>) FROM PUBLIC;

CREATE FUNCTION steward.plain_<type>_hash_extended(<plain>, bigint) RETURNS bigint
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_<type>_hash_extended_plain_<symbol>';
COMMENT ON FUNCTION steward.plain_<type>_hash_extended(<plain>, bigint) IS 'hash support: keyed hash of a plaintext, as that of an encrypted one';
REVOKE ALL ON FUNCTION steward.plain_<type>_hash_extended(<plain>, bigint) FROM PUBLIC;

ALTER OPERATOR FAMILY steward.<unique_ops> USING btree ADD
    OPERATOR 3 pg_catalog.= (steward.encrypted_<type>, <plain>),
    FUNCTION 1 (steward.encrypted_<type>, <plain>) steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>, <plain>),
    FUNCTION 1 (<plain>, <plain>) steward.encrypted_<type>_tag_cmp(<plain>, <plain>);
ALTER OPERATOR FAMILY steward.encrypted_<type>_ops USING hash ADD
    OPERATOR 1 pg_catalog.= (steward.encrypted_<type>, <plain>),
    OPERATOR 1 pg_catalog.= (<plain>, steward.encrypted_<type>),
    OPERATOR 1 steward.== (<plain>, <plain>),
    FUNCTION 1 (<plain>, <plain>) steward.plain_<type>_hash(<plain>),
    FUNCTION 2 (<plain>, <plain>) steward.plain_<type>_hash_extended(<plain>, bigint);

        $template$, '<type>', o.type), '<plain>', o.plain), '<symbol>', o.symbol), '<unique_ops>', o.unique_ops);
    END LOOP;
END
$operators$;

-- Order next to plaintexts, of types whose order is no matter of a collation.
DO $operators$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT * FROM (VALUES
        ('bigint', 'bigint', 'int8'),
        ('bigint', 'integer', 'int4'),
        ('bigint', 'smallint', 'int2'),
        ('bigint', 'numeric', 'numeric'),
        ('numeric', 'numeric', 'numeric'),
        ('date', 'date', 'date'),
        ('timestamptz', 'timestamptz', 'timestamptz')
    ) AS v (type, plain, symbol), (VALUES
        ('<', 'lt', '>', '>='),
        ('<=', 'le', '>=', '>'),
        ('>=', 'ge', '<=', '<'),
        ('>', 'gt', '<', '<=')
    ) AS w (operator, name, commutator, negator) LOOP
        EXECUTE pg_catalog.format($template$

CREATE FUNCTION steward.encrypted_%1$s_%5$s(steward.encrypted_%1$s, %2$s) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_%1$s_%5$s_plain_%3$s';
COMMENT ON FUNCTION steward.encrypted_%1$s_%5$s(steward.encrypted_%1$s, %2$s) IS '%4$s of an encrypted value and a plaintext';
CREATE FUNCTION steward.encrypted_%1$s_%5$s(%2$s, steward.encrypted_%1$s) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_%1$s_plain_%3$s_%5$s';
COMMENT ON FUNCTION steward.encrypted_%1$s_%5$s(%2$s, steward.encrypted_%1$s) IS '%4$s of a plaintext and an encrypted value';

CREATE OPERATOR pg_catalog.%4$s (
    LEFTARG = steward.encrypted_%1$s, RIGHTARG = %2$s, FUNCTION = steward.encrypted_%1$s_%5$s,
    COMMUTATOR = OPERATOR(pg_catalog.%6$s), NEGATOR = OPERATOR(pg_catalog.%7$s), RESTRICT = scalar%5$ssel, JOIN = scalar%5$sjoinsel);
COMMENT ON OPERATOR pg_catalog.%4$s (steward.encrypted_%1$s, %2$s) IS 'plaintext order; needs the right to decrypt';
CREATE OPERATOR pg_catalog.%4$s (
    LEFTARG = %2$s, RIGHTARG = steward.encrypted_%1$s, FUNCTION = steward.encrypted_%1$s_%5$s,
    COMMUTATOR = OPERATOR(pg_catalog.%6$s), NEGATOR = OPERATOR(pg_catalog.%7$s), RESTRICT = scalar%5$ssel, JOIN = scalar%5$sjoinsel);
COMMENT ON OPERATOR pg_catalog.%4$s (%2$s, steward.encrypted_%1$s) IS 'plaintext order; needs the right to decrypt';

        $template$, o.type, o.plain, o.symbol, o.operator, o.name, o.commutator, o.negator);
    END LOOP;
END
$operators$;
