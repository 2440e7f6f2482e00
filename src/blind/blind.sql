-- The access method blind and its operator classes, see README. The types' own
-- template is that of types_compare.sql.
--
-- Support functions hand out plaintext, to C alone: their arguments are internal, so
-- no statement can call them. They check no right, for whoever may INSERT has them
-- called; the access method asks who searches.
CREATE FUNCTION steward.blind_handler(internal) RETURNS index_am_handler
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_blind_handler';
COMMENT ON FUNCTION steward.blind_handler(internal) IS 'handler of the access method blind';
REVOKE ALL ON FUNCTION steward.blind_handler(internal) FROM PUBLIC;

CREATE ACCESS METHOD blind TYPE INDEX HANDLER steward.blind_handler;
COMMENT ON ACCESS METHOD blind IS 'searches of encrypted columns, by short keyed tags of their values';

-- What equality has for RESTRICT. It was made before there was an index to look into.
CREATE FUNCTION steward.blind_eqsel(internal, oid, internal, integer) RETURNS double precision
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_blind_eqsel';
COMMENT ON FUNCTION steward.blind_eqsel(internal, oid, internal, integer) IS 'how many rows equal a constant, by a blind index';
REVOKE ALL ON FUNCTION steward.blind_eqsel(internal, oid, internal, integer) FROM PUBLIC;
CREATE FUNCTION steward.blind_neqsel(internal, oid, internal, integer) RETURNS double precision
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_blind_neqsel';
COMMENT ON FUNCTION steward.blind_neqsel(internal, oid, internal, integer) IS 'how many rows differ from a constant, by a blind index';
REVOKE ALL ON FUNCTION steward.blind_neqsel(internal, oid, internal, integer) FROM PUBLIC;

CREATE FUNCTION steward.blind_rangesel(internal, oid, internal, integer) RETURNS double precision
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_blind_rangesel';
COMMENT ON FUNCTION steward.blind_rangesel(internal, oid, internal, integer) IS 'how many rows are in a range, by a blind index for ranges';
REVOKE ALL ON FUNCTION steward.blind_rangesel(internal, oid, internal, integer) FROM PUBLIC;
CREATE FUNCTION steward.blind_likesel(internal, oid, internal, integer) RETURNS double precision
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_blind_likesel';
COMMENT ON FUNCTION steward.blind_likesel(internal, oid, internal, integer) IS 'how many rows may match a pattern, by a blind index for patterns';
REVOKE ALL ON FUNCTION steward.blind_likesel(internal, oid, internal, integer) FROM PUBLIC;

DO $classes$
DECLARE
    plain text;
BEGIN
    FOREACH plain IN ARRAY ARRAY['text', 'bytea', 'jsonb', 'bigint', 'numeric', 'date', 'timestamptz'] LOOP
        EXECUTE pg_catalog.replace($template$

CREATE FUNCTION steward.encrypted_<type>_canonical(internal, internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_canonical';
COMMENT ON FUNCTION steward.encrypted_<type>_canonical(internal, internal) IS 'blind support: canonical bytes of an encrypted value';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_canonical(internal, internal) FROM PUBLIC;

CREATE OPERATOR FAMILY steward.encrypted_<type>_ops USING blind;
COMMENT ON OPERATOR FAMILY steward.encrypted_<type>_ops USING blind IS 'equality of encrypted values, and of plaintexts with them';
CREATE OPERATOR CLASS steward.encrypted_<type>_ops DEFAULT FOR TYPE steward.encrypted_<type> USING blind FAMILY steward.encrypted_<type>_ops AS
    OPERATOR 1 pg_catalog.=,
    FUNCTION 1 steward.encrypted_<type>_canonical(internal, internal);
COMMENT ON OPERATOR CLASS steward.encrypted_<type>_ops USING blind IS 'equality of encrypted values: =, IN, IS NULL, and EXCLUDE';

ALTER OPERATOR pg_catalog.= (steward.encrypted_<type>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_eqsel);
ALTER OPERATOR pg_catalog.<> (steward.encrypted_<type>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_neqsel);

        $template$, '<type>', plain);
    END LOOP;
END
$classes$;

-- With plaintexts, as types_compare.sql has their operators.
DO $classes$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT * FROM (VALUES
        ('text', 'text', 'text'),
        ('bytea', 'bytea', 'bytea'),
        ('jsonb', 'jsonb', 'jsonb'),
        ('bigint', 'bigint', 'int8'),
        ('bigint', 'integer', 'int4'),
        ('bigint', 'smallint', 'int2'),
        ('bigint', 'numeric', 'numeric'),
        ('numeric', 'numeric', 'numeric'),
        ('date', 'date', 'date'),
        ('timestamptz', 'timestamptz', 'timestamptz')
    ) AS v (type, plain, symbol) LOOP
        EXECUTE pg_catalog.replace(pg_catalog.replace(pg_catalog.replace($template$

CREATE FUNCTION steward.encrypted_<type>_canonical_<symbol>(internal, internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_<type>_canonical_<symbol>';
COMMENT ON FUNCTION steward.encrypted_<type>_canonical_<symbol>(internal, internal) IS 'blind support: canonical bytes of a plaintext, as those of an encrypted value';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_canonical_<symbol>(internal, internal) FROM PUBLIC;

ALTER OPERATOR FAMILY steward.encrypted_<type>_ops USING blind ADD
    OPERATOR 1 pg_catalog.= (steward.encrypted_<type>, <plain>),
    FUNCTION 1 (steward.encrypted_<type>, <plain>) steward.encrypted_<type>_canonical_<symbol>(internal, internal);

ALTER OPERATOR pg_catalog.= (steward.encrypted_<type>, <plain>) SET (RESTRICT = steward.blind_eqsel);
ALTER OPERATOR pg_catalog.= (<plain>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_eqsel);
ALTER OPERATOR pg_catalog.<> (steward.encrypted_<type>, <plain>) SET (RESTRICT = steward.blind_neqsel);
ALTER OPERATOR pg_catalog.<> (<plain>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_neqsel);

        $template$, '<type>', o.type), '<plain>', o.plain), '<symbol>', o.symbol);
    END LOOP;
END
$classes$;

-- ---- several tags a value ----

-- Ranges: each value has a tag for each of the intervals that it lies in.
DO $classes$
DECLARE
    plain text;
BEGIN
    FOREACH plain IN ARRAY ARRAY['bigint', 'numeric', 'date', 'timestamptz'] LOOP
        EXECUTE pg_catalog.replace($template$

CREATE FUNCTION steward.encrypted_<type>_range_tags(internal, internal, internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_range_tags';
COMMENT ON FUNCTION steward.encrypted_<type>_range_tags(internal, internal, internal) IS 'blind support: the intervals that a value lies in';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_range_tags(internal, internal, internal) FROM PUBLIC;
CREATE FUNCTION steward.encrypted_<type>_range_query(internal, internal, internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_range_query';
COMMENT ON FUNCTION steward.encrypted_<type>_range_query(internal, internal, internal) IS 'blind support: the intervals that fill a range';
REVOKE ALL ON FUNCTION steward.encrypted_<type>_range_query(internal, internal, internal) FROM PUBLIC;

CREATE OPERATOR FAMILY steward.blind_<type>_range_ops USING blind;
COMMENT ON OPERATOR FAMILY steward.blind_<type>_range_ops USING blind IS 'ranges of encrypted values, with bounds encrypted or not';
CREATE OPERATOR CLASS steward.blind_<type>_range_ops FOR TYPE steward.encrypted_<type> USING blind FAMILY steward.blind_<type>_range_ops AS
    OPERATOR 1 pg_catalog.=, OPERATOR 2 pg_catalog.<, OPERATOR 3 pg_catalog.<=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
    FUNCTION 1 steward.encrypted_<type>_canonical(internal, internal),
    FUNCTION 3 steward.encrypted_<type>_range_tags(internal, internal, internal),
    FUNCTION 4 steward.encrypted_<type>_range_query(internal, internal, internal);
COMMENT ON OPERATOR CLASS steward.blind_<type>_range_ops USING blind IS 'ranges of encrypted values: =, <, <=, >=, >, BETWEEN; tells their order, blurred; needs the right to decrypt';

ALTER OPERATOR pg_catalog.< (steward.encrypted_<type>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.<= (steward.encrypted_<type>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.>= (steward.encrypted_<type>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.> (steward.encrypted_<type>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);

        $template$, '<type>', plain);
    END LOOP;
END
$classes$;

DO $classes$
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
    ) AS v (type, plain, symbol) LOOP
        EXECUTE pg_catalog.replace(pg_catalog.replace(pg_catalog.replace($template$

ALTER OPERATOR FAMILY steward.blind_<type>_range_ops USING blind ADD
    OPERATOR 1 pg_catalog.= (steward.encrypted_<type>, <plain>),
    OPERATOR 2 pg_catalog.< (steward.encrypted_<type>, <plain>),
    OPERATOR 3 pg_catalog.<= (steward.encrypted_<type>, <plain>),
    OPERATOR 4 pg_catalog.>= (steward.encrypted_<type>, <plain>),
    OPERATOR 5 pg_catalog.> (steward.encrypted_<type>, <plain>),
    FUNCTION 1 (steward.encrypted_<type>, <plain>) steward.encrypted_<type>_canonical_<symbol>(internal, internal);

ALTER OPERATOR pg_catalog.< (steward.encrypted_<type>, <plain>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.<= (steward.encrypted_<type>, <plain>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.>= (steward.encrypted_<type>, <plain>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.> (steward.encrypted_<type>, <plain>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.< (<plain>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.<= (<plain>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.>= (<plain>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);
ALTER OPERATOR pg_catalog.> (<plain>, steward.encrypted_<type>) SET (RESTRICT = steward.blind_rangesel);

        $template$, '<type>', o.type), '<plain>', o.plain), '<symbol>', o.symbol);
    END LOOP;
END
$classes$;

-- Patterns: each text has a tag for each of its trigrams.
CREATE FUNCTION steward.encrypted_text_trigram_tags(internal, internal, internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'steward_text_trigram_tags';
COMMENT ON FUNCTION steward.encrypted_text_trigram_tags(internal, internal, internal) IS 'blind support: the trigrams of a text';
REVOKE ALL ON FUNCTION steward.encrypted_text_trigram_tags(internal, internal, internal) FROM PUBLIC;
CREATE FUNCTION steward.encrypted_text_trigram_query(internal, internal, internal) RETURNS void
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'steward_text_trigram_query';
COMMENT ON FUNCTION steward.encrypted_text_trigram_query(internal, internal, internal) IS 'blind support: the trigrams that patterns ask for';
REVOKE ALL ON FUNCTION steward.encrypted_text_trigram_query(internal, internal, internal) FROM PUBLIC;

CREATE OPERATOR FAMILY steward.blind_trigram_ops USING blind;
COMMENT ON OPERATOR FAMILY steward.blind_trigram_ops USING blind IS 'patterns of encrypted texts';
CREATE OPERATOR CLASS steward.blind_trigram_ops FOR TYPE steward.encrypted_text USING blind FAMILY steward.blind_trigram_ops AS
    OPERATOR 6 pg_catalog.~~ (steward.encrypted_text, text), OPERATOR 7 pg_catalog.~~* (steward.encrypted_text, text),
    FUNCTION 1 steward.encrypted_text_canonical(internal, internal),
    FUNCTION 3 steward.encrypted_text_trigram_tags(internal, internal, internal),
    FUNCTION 4 steward.encrypted_text_trigram_query(internal, internal, internal);
COMMENT ON OPERATOR CLASS steward.blind_trigram_ops USING blind IS 'patterns of encrypted texts: LIKE and ILIKE; tells much of the texts; needs the right to decrypt';
ALTER OPERATOR pg_catalog.~~ (steward.encrypted_text, text) SET (RESTRICT = steward.blind_likesel);
ALTER OPERATOR pg_catalog.~~* (steward.encrypted_text, text) SET (RESTRICT = steward.blind_likesel);
