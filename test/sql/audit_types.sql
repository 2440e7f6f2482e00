-- Every supported type: what is stored can be read back to an equal value.
CREATE SCHEMA audited;
SET search_path = audited, public;
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN very_positive AS positive CHECK (VALUE > 10);
CREATE DOMAIN email AS varchar(60);
CREATE DOMAIN "E""mail.Address" AS email;
CREATE TABLE everything (
    id integer PRIMARY KEY,
    c_bool boolean, c_int2 smallint, c_int4 integer, c_int8 bigint, c_oid oid,
    c_float4 real, c_float8 double precision, c_numeric numeric, c_money numeric(10, 2),
    c_text text, c_varchar varchar(40), c_bpchar char(6), c_name name, c_char "char", c_bytea bytea,
    c_date date, c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval,
    c_uuid uuid, c_json json, c_jsonb jsonb, c_inet inet, c_cidr cidr, c_macaddr macaddr,
    c_domain very_positive, c_email email, c_quoted "E""mail.Address"
);
SELECT steward.enable_audit('everything');

INSERT INTO everything (id) VALUES (0);
INSERT INTO everything VALUES (1,
    true, -32768, -2147483648, -9223372036854775808, 4294967295,
    'NaN', '-Infinity', 'NaN', -99999999.99,
    '', '', '', '', '', '',
    '-infinity', '00:00', '00:00:00+15:59', '-infinity', 'infinity', '0',
    '00000000-0000-0000-0000-000000000000', ' {"b" : 1, "a":[ ] } ', '{"b": 1, "a": [1, null, "x", {"y": 1.50}]}', '0.0.0.0/0', '::/0', '00:00:00:00:00:00',
    11, 'a@example.org', '');
INSERT INTO everything VALUES (2,
    false, 32767, 2147483647, 9223372036854775807, 0,
    '-0', '-0', 'Infinity', 0.10,
    E'line\nfeed \\ "quote" \u00e9\U0001F600', 'x  ', 'ab', 'Some Name', 'c', '\x00ff5c',
    '4713-01-01 BC', '24:00', '24:00:00-15:59', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00+00 BC', '-178000000 years',
    'ffffffff-ffff-ffff-ffff-ffffffffffff', '"text"', '"text"', '10.1.2.3/8', '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff',
    2147483647, '', 'b@example.org');
INSERT INTO everything VALUES (3,
    NULL, 0, 0, 0, 1,
    1.17549435e-38, 4.9e-324, '-Infinity', 0.00,
    repeat('long ', 40), NULL, 'abcdef', repeat('n', 63), 'z', decode(repeat('00ff', 100), 'hex'),
    '5874897-12-31', '23:59:59.999999', '12:34:56.000001+05:30', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '1 year -2 mons +3 days -04:05:06.000007',
    '01234567-89ab-cdef-0123-456789abcdef', '[1,2]', '[]', '2001:db8::1', '2001:db8::/32', '01:23:45:67:89:ab',
    12, repeat('e', 60), NULL);
INSERT INTO everything VALUES (4,
    NULL, 1, 1, 1, 1,
    3.4028235e38, 1.7976931348623157e308, 1e-100 + 1e100, 1,
    'x', NULL, NULL, NULL, NULL, NULL,
    '2000-02-29', '12:00', '12:00+00', '1999-12-31 23:59:59', '1999-12-31 23:59:59+00', '-0.000001 seconds',
    NULL, '1.50', '1.50', '::1', '::ffff:10.0.0.0/104', NULL,
    NULL, NULL, 'x');
INSERT INTO everything (id, c_float8, c_numeric, c_interval, c_json, c_jsonb) VALUES
    (5, 0.1, 1.000, '2562047788:00:54.775807', 'true', 'false'),
    (6, 1e15, -0.000, '-2562047788:00:54.775807', '{}', '{}'),
    (7, 123456789.123456789, 1e20, '1 mon -1 day 00:00:01', '1', '"null"');

-- The view says the same whatever the reader's settings are.
CREATE TABLE shown AS SELECT seq, key, new FROM steward.audit_trail WHERE relation = 'audited.everything' AND operation = 'INSERT';
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kolkata';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SELECT count(*) AS settings_matter FROM steward.audit_trail AS a
    WHERE a.relation = 'audited.everything' AND a.operation = 'INSERT'
    AND NOT EXISTS (SELECT FROM shown AS s WHERE s.key = a.key AND s.new::text = a.new::text);

-- Replayed under hostile settings, equal bit for bit (json by value).
CREATE TABLE copy (LIKE everything);
INSERT INTO copy SELECT r.* FROM shown AS s, jsonb_populate_record(NULL::copy, s.new) AS r;
RESET datestyle; RESET intervalstyle; SET timezone = 'UTC'; RESET bytea_output; RESET extra_float_digits;
SELECT e.id, e.c_json::jsonb = c.c_json::jsonb OR e.c_json IS NULL AND c.c_json IS NULL AS json_equal FROM everything AS e JOIN copy AS c USING (id) ORDER BY id;
UPDATE copy AS c SET c_json = e.c_json FROM everything AS e WHERE e.id = c.id;
SELECT e.id, e.* *= c.* AS identical FROM everything AS e JOIN copy AS c USING (id) ORDER BY id;
SELECT jsonb_pretty(new) FROM shown WHERE key = '{"id": 1}';
SELECT jsonb_pretty(new - 'c_text') FROM shown WHERE key = '{"id": 2}';

-- Value to NULL, NULL to value, and equal values that differ in bits.
UPDATE everything SET c_text = NULL, c_numeric = NULL WHERE id = 2;
UPDATE everything SET c_text = '' WHERE id = 2;
UPDATE everything SET c_numeric = 1.0 WHERE id = 2;
UPDATE everything SET c_numeric = 1.00, c_float8 = 0 WHERE id = 2;
UPDATE everything SET c_numeric = 1.00, c_float8 = 0, c_jsonb = '"text"' WHERE id = 2;
SELECT key, old, new FROM steward.audit_trail WHERE relation = 'audited.everything' AND operation = 'UPDATE' ORDER BY xid, seq;

-- The stored form, byte by byte: format, bitmap, values.
CREATE TABLE form (id integer PRIMARY KEY, a text, b smallint, c bytea);
SELECT steward.enable_audit('form');
INSERT INTO form VALUES (258, 'hi', NULL, repeat('x', 200)::bytea);
UPDATE form SET b = -2, c = NULL;
UPDATE form SET id = 259;
DELETE FROM form;
TRUNCATE form;
SELECT l.op, encode(l.payload, 'hex') FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version
    WHERE s.table_name = 'form' AND l.op <> 'E' ORDER BY l.xid, l.seq;
SELECT schema_name, table_name, encoding, attnums, names, types, typmods, codecs, key FROM steward.audit_schema WHERE table_name = 'form';
SELECT names, types, typmods, codecs FROM steward.audit_schema WHERE table_name = 'everything';

-- What only newer servers have: infinite intervals (17), virtual columns (18), which are not stored and so not recorded.
DO $$
DECLARE
    version integer := current_setting('server_version_num');
    seen text;
    expected text := '{"1": {"i": "P1D", "id": 1}}';
BEGIN
    EXECUTE format('CREATE TABLE newer (id integer PRIMARY KEY, %s i interval)',
                   CASE WHEN version >= 180000 THEN 'v integer GENERATED ALWAYS AS (id * 2) VIRTUAL,' END);
    PERFORM set_config('steward.audit_buffer_size', '0', true);
    PERFORM steward.enable_audit('newer');
    INSERT INTO newer (id, i) VALUES (1, '1 day');
    IF version >= 170000 THEN
        INSERT INTO newer (id, i) VALUES (2, 'infinity'), (3, '-infinity');
        expected := '{"1": {"i": "P1D", "id": 1}, "2": {"i": "infinity", "id": 2}, "3": {"i": "-infinity", "id": 3}}';
    END IF;
    SELECT jsonb_object_agg(key->>'id', new)::text INTO seen FROM steward.audit_trail WHERE relation = 'audited.newer' AND operation = 'INSERT';
    ASSERT seen = expected, seen;
    DROP TABLE newer;
END
$$;

\set VERBOSITY terse
DROP SCHEMA audited CASCADE;
