-- Casts between plaintext types and encrypted ones, see types.sql. To encrypt is
-- an assignment, from what the plaintext type takes by assignment; to decrypt must
-- be asked for.

DO $casts$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT * FROM (VALUES
        ('text', 'text', 'text'),
        ('text', 'character', 'bpchar'),
        ('text', 'name', 'name'),
        ('bytea', 'bytea', 'bytea'),
        ('jsonb', 'jsonb', 'jsonb'),
        ('jsonb', 'json', 'json'),
        ('bigint', 'bigint', 'int8'),
        ('bigint', 'integer', 'int4'),
        ('bigint', 'smallint', 'int2'),
        ('bigint', 'numeric', 'numeric'),
        ('numeric', 'numeric', 'numeric'),
        ('numeric', 'bigint', 'int8'),
        ('numeric', 'integer', 'int4'),
        ('numeric', 'smallint', 'int2'),
        ('numeric', 'double precision', 'float8'),
        ('numeric', 'real', 'float4'),
        ('date', 'date', 'date'),
        ('date', 'timestamp', 'timestamp'),
        ('date', 'timestamptz', 'timestamptz'),
        ('timestamptz', 'timestamptz', 'timestamptz'),
        ('timestamptz', 'timestamp', 'timestamp'),
        ('timestamptz', 'date', 'date')
    ) AS v (type, source, symbol) LOOP
        EXECUTE pg_catalog.replace(pg_catalog.replace(pg_catalog.replace($template$

CREATE FUNCTION steward.encrypted_<type>(plaintext <source>, typmod integer, explicit boolean) RETURNS steward.encrypted_<type>
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 40 AS 'MODULE_PATHNAME', 'steward_<type>_from_<symbol>';
COMMENT ON FUNCTION steward.encrypted_<type>(<source>, integer, boolean) IS 'cast from <source>: encrypts';

CREATE CAST (<source> AS steward.encrypted_<type>) WITH FUNCTION steward.encrypted_<type>(<source>, integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (<source> AS steward.encrypted_<type>) IS 'encrypts';

        $template$, '<type>', c.type), '<source>', c.source), '<symbol>', c.symbol);
    END LOOP;
END
$casts$;

CREATE CAST (varchar AS steward.encrypted_text) WITH FUNCTION steward.encrypted_text(text, integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (varchar AS steward.encrypted_text) IS 'encrypts';

CREATE CAST (steward.encrypted_text AS text) WITH FUNCTION steward.decrypt(steward.encrypted_text);
COMMENT ON CAST (steward.encrypted_text AS text) IS 'decrypts';
CREATE CAST (steward.encrypted_text AS varchar) WITH FUNCTION steward.decrypt(steward.encrypted_text);
COMMENT ON CAST (steward.encrypted_text AS varchar) IS 'decrypts';
CREATE CAST (steward.encrypted_text AS character) WITH FUNCTION steward.decrypt(steward.encrypted_text);
COMMENT ON CAST (steward.encrypted_text AS character) IS 'decrypts';

-- Without the casts to types of characters PostgreSQL would make one of its own,
-- through the output function, and ssn::text would silently be armour.
DO $casts$
DECLARE
    plain text;
BEGIN
    FOREACH plain IN ARRAY ARRAY['bytea', 'jsonb', 'bigint', 'numeric', 'date', 'timestamptz'] LOOP
        EXECUTE pg_catalog.replace($template$

CREATE FUNCTION steward.decrypt_as_text(value steward.encrypted_<type>) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_<type>_decrypt_as_text';
COMMENT ON FUNCTION steward.decrypt_as_text(steward.encrypted_<type>) IS 'the plaintext as text, for roles with the right to decrypt';

CREATE CAST (steward.encrypted_<type> AS <type>) WITH FUNCTION steward.decrypt(steward.encrypted_<type>);
COMMENT ON CAST (steward.encrypted_<type> AS <type>) IS 'decrypts';
CREATE CAST (steward.encrypted_<type> AS text) WITH FUNCTION steward.decrypt_as_text(steward.encrypted_<type>);
COMMENT ON CAST (steward.encrypted_<type> AS text) IS 'decrypts';
CREATE CAST (steward.encrypted_<type> AS varchar) WITH FUNCTION steward.decrypt_as_text(steward.encrypted_<type>);
COMMENT ON CAST (steward.encrypted_<type> AS varchar) IS 'decrypts';
CREATE CAST (steward.encrypted_<type> AS character) WITH FUNCTION steward.decrypt_as_text(steward.encrypted_<type>);
COMMENT ON CAST (steward.encrypted_<type> AS character) IS 'decrypts';

        $template$, '<type>', plain);
    END LOOP;
END
$casts$;
