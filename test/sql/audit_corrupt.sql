-- A damaged record is an error or a wrong value; it is never a crash.
CREATE SCHEMA audited;
SET search_path = audited, public;
CREATE TABLE frail (
    id integer PRIMARY KEY, c_bool boolean, c_float8 double precision, c_numeric numeric, c_text text, c_name name, c_char "char",
    c_bytea bytea, c_date date, c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval,
    c_uuid uuid, c_json json, c_jsonb jsonb, c_inet inet, c_cidr cidr, c_macaddr macaddr);
SELECT steward.enable_audit('frail');
INSERT INTO frail VALUES (1, true, 1.5, 12345.678, 'text', 'name', 'c', '\x0102', '2000-01-02', '01:02:03', '01:02:03+04', '2000-01-02 03:04:05', '2000-01-02 03:04:05+00',
    '1 mon 2 days 3 seconds', '01234567-89ab-cdef-0123-456789abcdef', '{"a": [1]}', '{"b": [2]}', '10.0.0.1/8', '2001:db8::/32', '01:23:45:67:89:ab');
UPDATE frail SET c_text = 'other', c_numeric = NULL, c_jsonb = '[]', c_bool = NULL, c_date = 'infinity';
DELETE FROM frail;
CREATE TABLE sample AS SELECT l.op, l.schema_version, l.payload FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version
    WHERE s.table_name = 'frail' AND l.op IN ('I', 'U', 'D');

CREATE FUNCTION try(schema_version integer, op "char", payload bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    SELECT d::text INTO ignored FROM steward.audit_decode(schema_version, op, payload) AS d;
    RETURN 'decoded';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;

-- Cut anywhere: always refused. One byte more: refused.
SELECT op, try(schema_version, op, substr(payload, 1, n)), count(*) > 10 AS many FROM sample, generate_series(0, octet_length(payload) - 1) AS n GROUP BY 1, 2 ORDER BY 1;
SELECT op, try(schema_version, op, payload || '\x00'::bytea) FROM sample ORDER BY 1;
-- Every byte set to every value.
SELECT try(schema_version, op, set_byte(payload, n, v)) AS answer, count(*) > 1000 AS many
    FROM sample, LATERAL generate_series(0, octet_length(payload) - 1) AS n, generate_series(0, 255) AS v GROUP BY 1 ORDER BY 1;
-- Bytes that lie about lengths, formats, operations and schema versions.
SELECT try(schema_version, op, set_byte(payload, 0, 0)), try(schema_version, op, set_byte(payload, 0, 2)), try(schema_version, op, '') FROM sample WHERE op = 'I';
SELECT o, try(schema_version, o::"char", payload) FROM sample, unnest(ARRAY['U', 'D', 'T', 'E', 'X', 'Q', '']) AS o WHERE op = 'I' ORDER BY o;
SELECT try(0, op, payload), try(-1, op, payload), try(2147483647, op, payload) FROM sample WHERE op = 'I';
SELECT steward.audit_decode(schema_version, op, substr(payload, 1, 9)) FROM sample WHERE op = 'I';
SELECT steward.audit_decode(0, 'I', '\x01');
SELECT steward.audit_decode(NULL, 'I', '\x01');

-- A value of one codec under the schema version of another, random bytes.
CREATE TABLE one_text (t text);
CREATE TABLE one_numeric (t numeric);
CREATE TABLE one_json (t json);
CREATE TABLE one_inet (t inet);
SELECT steward.enable_audit('one_text'), steward.enable_audit('one_numeric'), steward.enable_audit('one_json'), steward.enable_audit('one_inet');
CREATE TABLE versions AS SELECT s.id, s.table_name FROM steward.audit_schema AS s WHERE s.table_name LIKE 'one\_%';
SELECT v.table_name, x.what, try(v.id, 'I', '\x0101'::bytea || x.bytes) FROM versions AS v, (VALUES
    ('a length of five bytes', '\x8080808000'::bytea), ('a length above 4 GB', '\xffffffff7f'), ('a length with a useless byte', '\x8000'),
    ('4 GB - 1', '\xffffffff0f'), ('1 GB', '\x8080808004'), ('invalid UTF-8', '\x02c328'), ('a zero byte', '\x03610062'),
    ('nothing', '\x'), ('an empty value', '\x00'), ('a numeric of too many digits', '\x08ffff000000000000'),
    ('a numeric with a bad sign', '\x080000000012340000'), ('a numeric with a bad digit', '\x0a000100000000000027ff'),
    ('a mask too wide', '\x06042101020304'), ('an address family', '\x06050801020304')) AS x (what, bytes)
    ORDER BY x.what COLLATE "C", v.table_name COLLATE "C";
-- Values of a fixed width that no column can hold, and bits for columns that are not there.
CREATE TABLE one_bool (t boolean);
CREATE TABLE one_date (t date);
CREATE TABLE one_time (t time);
CREATE TABLE one_timetz (t timetz);
CREATE TABLE one_timestamp (t timestamp);
SELECT steward.enable_audit('one_bool'), steward.enable_audit('one_date'), steward.enable_audit('one_time'), steward.enable_audit('one_timetz'), steward.enable_audit('one_timestamp');
SELECT s.table_name, x.what, try(s.id, 'I', x.payload) FROM steward.audit_schema AS s JOIN (VALUES
    ('one_bool', 'two', '\x010102'::bytea), ('one_bool', 'true', '\x010101'), ('one_bool', 'another column', '\x010301'), ('one_bool', 'another column, NULL', '\x0102'),
    ('one_date', 'infinity', '\x01017fffffff'), ('one_date', 'too late', '\x01017ffffffe'), ('one_date', 'too early', '\x010180000001'),
    ('one_time', 'midnight', '\x0101000000141dd76000'), ('one_time', 'after it', '\x0101000000141dd76001'), ('one_time', 'negative', '\x0101ffffffffffffffff'),
    ('one_timetz', 'widest zone', '\x010100000000000000000000e0ff'), ('one_timetz', 'too wide', '\x010100000000000000000000e100'), ('one_timetz', 'too wide', '\x01010000000000000000ffff1f00'),
    ('one_timestamp', 'infinity', '\x01017fffffffffffffff'), ('one_timestamp', 'too late', '\x01017ffffffffffffffe'), ('one_timestamp', 'too early', '\x01018000000000000001'))
    AS x (table_name, what, payload) USING (table_name) ORDER BY s.table_name COLLATE "C", x.what COLLATE "C", x.payload;

SELECT setseed(0.5);
SELECT v.table_name, count(*) FILTER (WHERE try NOT IN ('decoded', 'XX001')) AS other
    FROM versions AS v, LATERAL (SELECT try(v.id, 'I', '\x0101'::bytea || decode(string_agg(lpad(to_hex((random() * 255)::int), 2, '0'), ''), 'hex'))
        FROM generate_series(1, 500) AS i, generate_series(1, 12) AS b GROUP BY i) AS t (try) GROUP BY 1 ORDER BY 1;

-- A schema version that is itself damaged.
BEGIN;
INSERT INTO steward.audit_schema SELECT 1000000, relation, schema_name, table_name, root, root_schema, root_name, encoding, attnums, names, types, typmods, ARRAY['nonsense'], key, now() FROM steward.audit_schema WHERE table_name = 'one_text';
INSERT INTO steward.audit_schema SELECT 1000001, relation, schema_name, table_name, root, root_schema, root_name, 'KLINGON', attnums, names, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000002, relation, schema_name, table_name, root, root_schema, root_name, encoding, attnums, names || 'x'::text, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000003, relation, schema_name, table_name, root, root_schema, root_name, encoding, attnums, names, types, typmods, codecs, '{7}', now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000004, relation, schema_name, table_name, root, root_schema, root_name, 'LATIN1', attnums, names, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000005, relation, schema_name, table_name, root, root_schema, root_name, encoding, ARRAY[NULL]::smallint[], names, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
SELECT n, try(n, 'I', '\x010103e9e8e7') FROM generate_series(1000000, 1000005) AS n;
-- Text of a database with another encoding is converted.
SELECT (steward.audit_decode(1000004, 'I', '\x010103e9e8e7')).new->>'t' = U&'\00e9\00e8\00e7' AS converted;
ROLLBACK;

\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA audited CASCADE;
