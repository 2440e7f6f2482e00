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
SELECT steward.audit_decode(0, op::"char", '\x017b7d') AS event FROM unnest('{C,R,S,L}'::text[]) AS op;
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
    ('nothing', '\x'), ('an empty value', '\x00'), ('a numeric with a bad sign', '\x020300'), ('a numeric with a bad digit', '\x04000090ce00'), ('a numeric that ends in 0', '\x0400000100'),
    ('a numeric that begins with 0', '\x0400000001'), ('a special numeric that is none', '\x010e'), ('a special numeric with digits', '\x03020001'),
    ('a negative zero', '\x020100'), ('a scale too wide', '\x0480800800'), ('infinity', '\x0106'), ('one', '\x03000001'),
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
    ('one_date', 'infinity', '\x0101feffffff0f'), ('one_date', 'too late', '\x0101fcffffff0f'), ('one_date', 'too early', '\x0101fdffffff0f'),
    ('one_time', 'midnight', '\x01018080bbdd8305'), ('one_time', 'after it', '\x01018280bbdd8305'), ('one_time', 'negative', '\x010101'),
    ('one_timetz', 'widest zone', '\x010100000000000000000000e0ff'), ('one_timetz', 'too wide', '\x010100000000000000000000e100'), ('one_timetz', 'too wide', '\x01010000000000000000ffff1f00'),
    ('one_timestamp', 'infinity', '\x01017fffffffffffffff'), ('one_timestamp', 'too late', '\x01017ffffffffffffffe'), ('one_timestamp', 'too early', '\x01018000000000000001'))
    AS x (table_name, what, payload) USING (table_name) ORDER BY s.table_name COLLATE "C", x.what COLLATE "C", x.payload;

SELECT setseed(0.5);
SELECT v.table_name, count(*) FILTER (WHERE try NOT IN ('decoded', 'XX001')) AS other
    FROM versions AS v, LATERAL (SELECT try(v.id, 'I', '\x0101'::bytea || decode(string_agg(lpad(to_hex((random() * 255)::int), 2, '0'), ''), 'hex'))
        FROM generate_series(1, 500) AS i, generate_series(1, 12) AS b GROUP BY i) AS t (try) GROUP BY 1 ORDER BY 1;

-- Containers: every bit of several payloads flipped, every byte set to extremes, cut anywhere.
CREATE FUNCTION changed(byte integer) RETURNS SETOF integer LANGUAGE sql AS $$ SELECT byte # (1 << i) FROM generate_series(0, 7) AS i UNION SELECT unnest('{0,127,128,255}'::integer[]) $$;
CREATE TYPE shade AS ENUM ('light', 'dark');
CREATE TYPE inner_type AS (a integer[], s shade);
CREATE TYPE outer_type AS (i inner_type, r numrange, t text);
CREATE TABLE nested (id integer PRIMARY KEY, a integer[], b text[], o outer_type, oo outer_type[], r int4range, m datemultirange,
    v varbit, p path, g polygon, c regclass, s tsvector, j jsonb[], x xid8);
SELECT steward.enable_audit('nested');
INSERT INTO nested VALUES (1, '[5:6][0:1]={{1,NULL},{3,4}}', '{a,b}', ROW(ROW('{1,2}', 'dark'), '[1.5,2)', 't'), ARRAY[ROW(ROW('{}', NULL), 'empty', NULL)::outer_type, NULL],
    '[1,9)', '{[2000-01-01,2000-01-03),[2001-01-01,)}', '10101', '[(1,2),(3,4)]', '((0,0),(1,1),(2,0))', 'pg_class', 'a:1 b:2A', '{"[1]","{}"}', '9');
UPDATE nested SET a = '{{{{{{7}}}}}}', b = '{}', o = NULL, oo[2] = ROW(NULL, NULL, 'x'), r = '(,)', m = '{}', v = '', p = '((1,1))', j = NULL;
CREATE TABLE nested_sample AS SELECT l.op, l.schema_version, l.payload FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version
    WHERE s.table_name = 'nested' AND l.op IN ('I', 'U');
SELECT op, try(schema_version, op, payload) FROM nested_sample ORDER BY 1;
SELECT op, try(schema_version, op, substr(payload, 1, n)), count(*) > 10 AS many FROM nested_sample, generate_series(0, octet_length(payload) - 1) AS n GROUP BY 1, 2 ORDER BY 1;
SELECT op, try(schema_version, op, payload || '\x00'::bytea) FROM nested_sample ORDER BY 1;
SELECT try(schema_version, op, set_byte(payload, n, v)) AS answer, count(*) > 1000 AS many
    FROM nested_sample, LATERAL generate_series(0, octet_length(payload) - 1) AS n, LATERAL changed(get_byte(payload, n)) AS v GROUP BY 1 ORDER BY 1;
-- The same bytes as rows: an error of some kind, or a row.
CREATE FUNCTION try_image(schema_version integer, op "char", payload bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ignored text;
BEGIN
    ignored := steward.audit_image(NULL::nested, schema_version, op, payload)::text;
    RETURN 'decoded';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN left(SQLSTATE, 2) IN ('22', '3F', '42') THEN 'refused by a type' ELSE SQLSTATE END;
END
$$;
SELECT try_image(schema_version, op, set_byte(payload, n, v)) AS answer, count(*) > 0 AS some
    FROM nested_sample, LATERAL generate_series(0, octet_length(payload) - 1) AS n, LATERAL changed(get_byte(payload, n)) AS v GROUP BY 1 ORDER BY 1;

-- Arrays that lie: about dimensions, bounds, NULLs and how many elements there are.
CREATE TABLE one_array (t integer[]);
CREATE TABLE one_range (t int4range);
CREATE TABLE one_multirange (t int4multirange);
CREATE TABLE one_bit (t varbit);
CREATE TABLE one_polygon (t polygon);
CREATE TABLE one_path (t path);
CREATE TABLE one_nothing (t outer_type);
SELECT steward.enable_audit(t) FROM unnest('{one_array,one_range,one_multirange,one_bit,one_polygon,one_path,one_nothing}'::regclass[]) AS t;
SELECT s.table_name, x.what, try(s.id, 'I', '\x0101'::bytea || x.bytes) FROM steward.audit_schema AS s JOIN (VALUES
    ('one_array', 'empty', '\x0100'::bytea), ('one_array', 'empty with flags', '\x0120'), ('one_array', 'one', '\x03010102'), ('one_array', 'bounds', '\x0411010802'),
    ('one_array', 'bounds that are 1', '\x0411010202'), ('one_array', 'a NULL', '\x0421020104'), ('one_array', 'no NULL', '\x042101010402'), ('one_array', 'seven dimensions', '\x0907010101010101010a'),
    ('one_array', 'unknown flag', '\x0341010200'), ('one_array', 'no length', '\x020100'), ('one_array', '4 billion', '\x0601ffffffff0f'), ('one_array', '4 billion NULLs', '\x0721ffffffff0f00'),
    ('one_array', 'a product too large', '\x0a06ffff03ffff03ffff03'), ('one_array', 'overflowing bounds', '\x08110200feffffff0f'), ('one_array', 'last bound', '\x081101feffffff0f02'), ('one_array', 'no element', '\x020101'),
    ('one_range', 'empty', '\x0101'), ('one_range', 'empty with bound', '\x020102'), ('one_range', 'empty and more', '\x0103'), ('one_range', 'all', '\x0118'), ('one_range', 'infinite inclusive', '\x011a'),
    ('one_range', 'no flag', '\x00'), ('one_range', 'unknown flag', '\x0138'), ('one_range', 'one bound', '\x021202'),
    ('one_multirange', 'none', '\x0100'), ('one_multirange', 'one', '\x03010118'), ('one_multirange', 'many', '\x05ffffffff0f'), ('one_multirange', 'none and more', '\x020000'),
    ('one_bit', 'none', '\x0100'), ('one_bit', 'one', '\x020180'), ('one_bit', 'one and more', '\x0201c0'), ('one_bit', 'too many', '\x020980'), ('one_bit', '2 billion', '\x06ffffffff0780'),
    ('one_polygon', 'no point', '\x00'), ('one_polygon', 'half a point', '\x080000000000000000'), ('one_path', 'no point', '\x0100'), ('one_path', 'nothing', '\x00'),
    ('one_path', 'half open', '\x110200000000000000000000000000000000'), ('one_path', 'open', '\x110000000000000000000000000000000000'),
    ('one_nothing', 'nothing', '\x00'), ('one_nothing', 'all NULL', '\x0100'), ('one_nothing', 'more attributes', '\x0108'))
    AS x (table_name, what, bytes) USING (table_name) WHERE s.kind = 'r' ORDER BY s.table_name COLLATE "C", x.what COLLATE "C";
-- A record of several parts: what is in a missing one is not shown, and parts do not pretend.
CREATE TABLE two_columns (id integer PRIMARY KEY, t text);
SELECT steward.enable_audit('two_columns');
SELECT x.op, x.payload, try(s.id, x.op::"char", x.payload), CASE WHEN try(s.id, x.op::"char", x.payload) = 'decoded' THEN steward.audit_decode(s.id, x.op::"char", x.payload) END
    FROM steward.audit_schema AS s, (VALUES ('I', '\x010302016b'::bytea), ('I', '\x0203024a'), ('I', '\x020302'), ('I', '\x0203'), ('I', '\x020302016b'), ('I', '\x03030201'), ('&', '\x01016b'), ('&', '\x04'), ('&', ''), ('T', '\x02'))
    AS x (op, payload) WHERE s.table_name = 'two_columns' ORDER BY x.op, x.payload;
CREATE FUNCTION try_parts(op "char", parts bytea[], old boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN steward.audit_image_of_parts(NULL::two_columns, (SELECT id FROM steward.audit_schema WHERE table_name = 'two_columns'), op, parts, old)::text;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
SELECT x.op, x.parts, try_parts(x.op::"char", x.parts, false) AS new, try_parts(x.op::"char", x.parts, true) AS old FROM (VALUES ('I', ARRAY['\x010302016b']::bytea[]), ('I', '{"\\x020302","\\x01016b"}'), ('I', '{"\\x0203","\\x0202","\\x01016b"}'),
    ('I', '{"\\x0203","\\x02","\\x0202","\\x01016b"}'), ('I', '{"\\x020302","\\x02016b"}'), ('I', '{"\\x020302","\\x01016b00"}'), ('I', '{"\\x020302","\\x01016b","\\x01"}'), ('I', '{"\\x010302","\\x01016b"}'),
    ('I', '{"\\x020302","\\x010061"}'), ('I', '{"\\x02030201","\\x016b"}'), ('I', '{"\\x020302",NULL}'), ('I', '{}'), ('D', '{"\\x020302","\\x01016b"}'),
    ('U', '{"\\x02020702","\\x02016b","\\x01026c6c"}'), ('U', '{"\\x02020702","\\x02016b"}'), ('T', '{"\\x01","\\x01"}')) AS x (op, parts);

-- A schema version that is itself damaged.
BEGIN;
INSERT INTO steward.audit_schema SELECT 1000000, kind, relation, schema_name, table_name, root, root_schema, root_name, encoding, attnums, names, types, typmods, ARRAY['nonsense'], key, now() FROM steward.audit_schema WHERE table_name = 'one_text';
INSERT INTO steward.audit_schema SELECT 1000001, kind, relation, schema_name, table_name, root, root_schema, root_name, 'KLINGON', attnums, names, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000002, kind, relation, schema_name, table_name, root, root_schema, root_name, encoding, attnums, names || 'x'::text, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000003, kind, relation, schema_name, table_name, root, root_schema, root_name, encoding, attnums, names, types, typmods, codecs, '{7}', now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000004, kind, relation, schema_name, table_name, root, root_schema, root_name, 'LATIN1', attnums, names, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
INSERT INTO steward.audit_schema SELECT 1000005, kind, relation, schema_name, table_name, root, root_schema, root_name, encoding, ARRAY[NULL]::smallint[], names, types, typmods, codecs, key, now() FROM steward.audit_schema WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
-- Codecs that are none, composites that are missing, tables, the version itself or a later one.
INSERT INTO steward.audit_schema SELECT 1000010 + n, kind, relation, schema_name, table_name, root, root_schema, root_name, encoding, attnums, names, types, typmods, ARRAY[codec], key, now() FROM steward.audit_schema,
    unnest(ARRAY['', 'array', 'array(', 'array(text', 'array()', 'array(text))', 'array;(text)', 'arrays(text)', 'range(nonsense)', 'multirange(vint4)', 'composite:', 'composite:0', 'composite:99999999999',
    'composite:1000023', 'composite:1000025', 'composite:999999', format('composite:%s', (SELECT id FROM versions WHERE table_name = 'one_text')), 'text ', repeat('array(', 100000)])
    WITH ORDINALITY AS c (codec, n) WHERE id = (SELECT id FROM versions WHERE table_name = 'one_text');
SELECT id, left(regexp_replace(codecs[1], ':[0-9]{1,5}$', ':that of a table'), 30) AS codec, try(id, 'I', '\x010103e9e8e7'), try(id, 'I', '\x0100') FROM steward.audit_schema WHERE id > 1000010 ORDER BY id;
SELECT n, try(n, 'I', '\x010103e9e8e7') FROM generate_series(1000000, 1000005) AS n;
-- Text of a database with another encoding is converted.
SELECT (steward.audit_decode(1000004, 'I', '\x010103e9e8e7')).new->>'t' = U&'\00e9\00e8\00e7' AS converted;
ROLLBACK;

\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA audited CASCADE;
