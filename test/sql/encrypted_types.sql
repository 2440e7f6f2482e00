-- Values of every encrypted type: in and out, as they were stored.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA etypes;
SET search_path = etypes;
SET timezone = 'UTC';
SELECT steward.create_key('etypes');
CREATE FUNCTION key_of(armour text) RETURNS text LANGUAGE sql STRICT
    AS $$ SELECT CASE id WHEN 0 THEN 'transient' ELSE coalesce((SELECT path FROM steward.key WHERE key_id = id), 'unregistered') END
            FROM (SELECT ('x' || encode(substr(decode(rpad(translate(substr(armour, 6), '-_', '+/'), (length(armour) - 2) / 4 * 4, '='), 'base64'), 5, 4), 'hex'))::bit(32)::int AS id) AS s $$;
RESET client_min_messages;

-- one column of each type, and beside it the same as plaintext
CREATE TABLE t (
    id integer PRIMARY KEY,
    x text, b bytea, j jsonb, i bigint, n numeric, d date, ts timestamptz,
    ex steward.encrypted_text('etypes/x'), eb steward.encrypted_bytea('etypes/b'), ej steward.encrypted_jsonb('etypes/j'), ei steward.encrypted_bigint('etypes/i'),
    en steward.encrypted_numeric('etypes/n'), ed steward.encrypted_date('etypes/d'), ets steward.encrypted_timestamptz('etypes/ts')
);
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute WHERE attrelid = 't'::regclass AND attname LIKE 'e%' ORDER BY attnum;

INSERT INTO t (id, x, b, j, i, n, d, ts)
    SELECT id, x, b::bytea, j::jsonb, i::bigint, n::numeric, d::date, ts::timestamptz FROM (VALUES
        (1, '', '', 'null', '0', '0', '2000-01-01', '2000-01-01 00:00+00'),
        (2, 'a', '\x00', '[]', '-1', '0.000', '1999-12-31', '1999-12-31 23:59:59.999999+00'),
        (3, 'Grüße', '\xff00ff', '{}', '9223372036854775807', '1.00', 'infinity', 'infinity'),
        (4, ' x ', '\x5c78', '{"b": 1.50, "a": [1, null, true, "\u00e9\n\"q\""], "aa": {"c": -0.0, "d": 1e3}}', '-9223372036854775808', '-1.00', '-infinity', '-infinity'),
        (5, 'NaN', '\x4e614e', '"NaN"', '5', 'NaN', '4713-01-01 BC', '4714-11-24 00:00:00+00 BC'),
        (6, 'inf', '\x69', '-12345678901234567890.1234567890', '10000', 'Infinity', '5874897-12-31', '294276-12-31 23:59:59.999999+00'),
        (7, repeat('x', 3000), '\x' || repeat('00ff', 3000), repeat('[', 500) || repeat(']', 500), '12345', '-Infinity', '2024-02-29', '2024-02-29 12:00:00+05:30'),
        (8, 'stw1', '\x73747731', 'false', '-10000', '123456789012345678901234567890.123456789012345678901234567890', '0001-01-01', '2024-10-27 02:30:00 Europe/Berlin'),
        (9, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        (10, 'ten', '\x0a', '[0.00010000, 10000, 100.0]', '99990000', '0.00010000', '2000-01-02', '2000-01-01 00:00:00.000001+00'),
        (11, 'e', '\x0b', '"\u0001\t\\"', '1', '1e1000', '2000-01-03', 'epoch'),
        (12, 'f', '\x0c', '1e-300', '2', '-1e-1000', '2000-01-04', '2000-01-05 00:00+00')
    ) AS v (id, x, b, j, i, n, d, ts);

-- in by assignment from the plaintext type
UPDATE t SET ex = x, eb = b, ej = j, ei = i, en = n, ed = d, ets = ts;
CREATE VIEW differing AS
    SELECT id FROM t
     WHERE ex::text IS DISTINCT FROM x OR eb::bytea IS DISTINCT FROM b OR ej::jsonb::text IS DISTINCT FROM j::text OR ei::bigint IS DISTINCT FROM i
        OR en::numeric::text IS DISTINCT FROM n::text OR ed::date IS DISTINCT FROM d OR ets::timestamptz IS DISTINCT FROM ts;
SELECT count(*) AS rows, (SELECT count(*) FROM differing) AS differing FROM t;
-- out as text: as the plaintext type itself prints it, under any setting of the session
CREATE VIEW printed_otherwise AS
    SELECT id FROM t
     WHERE eb::text IS DISTINCT FROM b::text OR ej::text IS DISTINCT FROM j::text OR ei::text IS DISTINCT FROM i::text OR en::text IS DISTINCT FROM n::text
        OR ed::text IS DISTINCT FROM d::text OR ets::text IS DISTINCT FROM ts::text OR ei::varchar IS DISTINCT FROM i::varchar OR ed::char(40) IS DISTINCT FROM d::char(40);
SELECT count(*) FROM printed_otherwise;
BEGIN;
SET LOCAL datestyle = 'SQL, DMY';
SET LOCAL timezone = 'Etc/GMT-5';
SET LOCAL bytea_output = 'escape';
SELECT count(*) FROM printed_otherwise;
-- in by input, under those settings
UPDATE t SET ex = NULL, eb = NULL, ej = NULL, ei = NULL, en = NULL, ed = NULL, ets = NULL;
DO $$
DECLARE
    r t;
BEGIN
    FOR r IN SELECT * FROM t LOOP
        EXECUTE format('UPDATE t SET ex = %L, eb = %L, ej = %L, ei = %L, en = %L, ed = %L, ets = %L WHERE id = %s', r.x, r.b, r.j, r.i, r.n, r.d, r.ts, r.id);
    END LOOP;
END
$$;
SELECT count(*) AS rows, (SELECT count(*) FROM differing) AS differing FROM t;
COMMIT;
SELECT count(*) AS rows, (SELECT count(*) FROM differing) AS differing FROM t;
-- by encrypt_…() and decrypt()
SELECT bool_and(steward.decrypt(steward.encrypt_text(x, 'etypes/f')) = x AND steward.decrypt(steward.encrypt_bytea(b, 'etypes/f')) = b AND steward.decrypt(steward.encrypt_jsonb(j, 'etypes/f'))::text = j::text
       AND steward.decrypt(steward.encrypt_bigint(i, 'etypes/f')) = i AND steward.decrypt(steward.encrypt_numeric(n, 'etypes/f'))::text = n::text
       AND steward.decrypt(steward.encrypt_date(d, 'etypes/f')) = d AND steward.decrypt(steward.encrypt_timestamptz(ts, 'etypes/f')) = ts) AS all_same FROM t WHERE id <> 9;
-- ciphertext: under the column's key, different each time, of no other length than the plaintext bytes give
SELECT key_of(steward.encrypted_bytea_out(eb)::text) AS b, key_of(steward.encrypted_jsonb_out(ej)::text) AS j, key_of(steward.encrypted_bigint_out(ei)::text) AS i, key_of(steward.encrypted_numeric_out(en)::text) AS n,
       key_of(steward.encrypted_date_out(ed)::text) AS d, key_of(steward.encrypted_timestamptz_out(ets)::text) AS ts, count(*) FROM t GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 7;
SELECT bool_and(octet_length(steward.encrypted_bigint_send(ei)) = 76 AND octet_length(steward.encrypted_date_send(ed)) = 72 AND octet_length(steward.encrypted_timestamptz_send(ets)) = 76
       AND octet_length(steward.encrypted_bytea_send(eb)) = 68 + octet_length(b) AND octet_length(steward.encrypted_jsonb_send(ej)) = 68 + octet_length(j::text)) AS lengths FROM t;
SELECT id, octet_length(steward.encrypted_numeric_send(en)) - 68 AS numeric_bytes FROM t WHERE en IS NOT NULL ORDER BY id;

-- what is assigned
CREATE TABLE assigned (n integer, i steward.encrypted_bigint('etypes/i'), m steward.encrypted_numeric('etypes/n'), d steward.encrypted_date('etypes/d'), ts steward.encrypted_timestamptz('etypes/ts'), j steward.encrypted_jsonb('etypes/j'));
INSERT INTO assigned VALUES (1, 1::smallint, 1::smallint, timestamp '2020-02-03 04:05', timestamp '2020-02-03 04:05', json '{"b":1,  "a":2, "b":3}');
INSERT INTO assigned VALUES (2, 2, 2, timestamptz '2020-02-03 04:05+00', date '2020-02-03', '[1]'::jsonb);
INSERT INTO assigned VALUES (3, 3::bigint, 3::bigint, date '2020-02-03', timestamptz '2020-02-03 04:05+00', NULL);
INSERT INTO assigned VALUES (4, 4.5, 4.5::double precision, NULL, NULL, NULL), (5, -4.5, 4.25::real, NULL, NULL, NULL);
SELECT n, i::bigint, m::numeric, d::date, ts::timestamptz, j::jsonb FROM assigned ORDER BY n;
INSERT INTO assigned (i) VALUES (9223372036854775808);
INSERT INTO assigned (i) VALUES ('NaN'::numeric);
INSERT INTO assigned (i) VALUES (1.5::double precision);
INSERT INTO assigned (i) VALUES ('5'::text);
INSERT INTO assigned (d) VALUES (5);
INSERT INTO assigned (ts) VALUES (timestamp 'infinity');
INSERT INTO assigned (j) VALUES (json '"\u0000"');
INSERT INTO assigned (i) SELECT ei FROM t WHERE id = 3;
INSERT INTO assigned (m) SELECT ei FROM t WHERE id = 3;
SELECT ei::integer FROM t;
SELECT ei::numeric FROM t;
SELECT ed::timestamptz FROM t;
SELECT (ei::bigint)::integer FROM t WHERE id = 3;

-- all places that hold a value: arrays, domains, composites, variables, other keys
CREATE DOMAIN amount AS steward.encrypted_numeric('etypes/amount');
CREATE TYPE pair AS (i steward.encrypted_bigint('etypes/pair.i'), d steward.encrypted_date('etypes/pair.d'));
CREATE TABLE holder (a steward.encrypted_bigint('etypes/a')[], m amount, p pair, ma amount[], ts steward.encrypted_timestamptz('etypes/other'));
INSERT INTO holder VALUES ('{1,2,NULL}', 1.50, '(7,2020-02-29)', '{1.0,2.00}', '2020-01-01 00:00+00');
INSERT INTO holder SELECT ARRAY[ei, ei], en, ROW(ei, ed)::pair, ARRAY[en]::amount[], ets FROM t WHERE id = 3;
DO $$
DECLARE
    i steward.encrypted_bigint := 11;
    m amount := 1.10;
    r record;
BEGIN
    SELECT 12::bigint::steward.encrypted_bigint AS i, date '2020-01-01'::steward.encrypted_date AS d INTO r;
    INSERT INTO holder (a, m, p) VALUES (ARRAY[i, i], m, ROW(r.i, r.d)::pair);
END
$$;
SELECT a::bigint[], m::numeric, (p).i::bigint, (p).d::date, ma::numeric[], ts::timestamptz FROM holder ORDER BY m::numeric NULLS LAST;
SELECT DISTINCT (SELECT string_agg(DISTINCT key_of(steward.encrypted_bigint_out(e)::text), ',') FROM unnest(a) AS e) AS a, key_of(steward.encrypted_numeric_out(m)::text) AS m, key_of(steward.encrypted_bigint_out((p).i)::text) AS i,
       key_of(steward.encrypted_date_out((p).d)::text) AS d FROM holder;
SELECT a = ARRAY[1, 2, NULL]::steward.encrypted_bigint[] AS arrays FROM holder WHERE m = 1.5;
-- a parameter of a record is checked for its key, for each type
CREATE FUNCTION two_keys() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    FOR k IN 1..2 LOOP
        IF k = 1 THEN SELECT ei AS v, ed AS w FROM t WHERE id = 3 INTO r;
        ELSE SELECT (p).i AS v, (p).d AS w FROM holder WHERE m = 1.5 INTO r;
        END IF;
        INSERT INTO t (id, ei) VALUES (100, r.v);
    END LOOP;
END
$$;
SELECT two_keys();
DROP FUNCTION two_keys();

-- COPY, text and binary
\set file `mktemp -d` '/etypes'
COPY t (id, ex, eb, ej, ei, en, ed, ets) TO :'file';
CREATE TABLE back (LIKE t);
COPY back (id, ex, eb, ej, ei, en, ed, ets) FROM :'file';
COPY t (id, ex, eb, ej, ei, en, ed, ets) TO :'file' (FORMAT binary);
COPY back (id, ex, eb, ej, ei, en, ed, ets) FROM :'file' (FORMAT binary);
SELECT count(*), bool_and(o.ex::text IS NOT DISTINCT FROM t.x AND o.eb::bytea IS NOT DISTINCT FROM t.b AND o.ej::text IS NOT DISTINCT FROM t.j::text AND o.ei::bigint IS NOT DISTINCT FROM t.i AND o.en::text IS NOT DISTINCT FROM t.n::text
       AND o.ed::date IS NOT DISTINCT FROM t.d AND o.ets::timestamptz IS NOT DISTINCT FROM t.ts) AS same FROM back AS o JOIN t USING (id);
-- plaintext comes in by COPY in text form
COPY back (id, eb, ej, ei, en, ed, ets) FROM stdin;
50	\\x0102	{"a":1.0}	 42 	 4.20 	1 Feb 2020	2020-02-01 00:00 America/New_York
\.
SELECT eb::bytea, ej::jsonb, ei::bigint, en::numeric, ed::date, ets::timestamptz FROM back WHERE id = 50;
COPY (SELECT i FROM t WHERE id = 3) TO :'file' (FORMAT binary);
COPY back (ei) FROM :'file' (FORMAT binary);
\setenv FILE :file
\! rm -r "$(dirname "$FILE")"

-- ciphertext of one type is none of another, whichever way it comes in
CREATE FUNCTION try_load(type text, armour text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT steward.%I_in($1::cstring, 0, -1)', type) USING armour;
    RETURN 'loaded';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION armours() RETURNS TABLE (kind text, armour text) LANGUAGE sql AS $$
    SELECT a.kind, a.armour FROM (SELECT * FROM t WHERE id = 3) AS t,
    LATERAL (VALUES ('encrypted_text', steward.encrypted_text_out(ex)::text), ('encrypted_bytea', steward.encrypted_bytea_out(eb)::text), ('encrypted_jsonb', steward.encrypted_jsonb_out(ej)::text),
                    ('encrypted_bigint', steward.encrypted_bigint_out(ei)::text), ('encrypted_numeric', steward.encrypted_numeric_out(en)::text), ('encrypted_date', steward.encrypted_date_out(ed)::text),
                    ('encrypted_timestamptz', steward.encrypted_timestamptz_out(ets)::text)) AS a (kind, armour) $$;
SELECT try_load(into_type.kind, armours.armour) AS result, count(*), bool_and(into_type.kind = armours.kind) AS own_type FROM armours(), armours() AS into_type GROUP BY 1 ORDER BY 1;
-- relabelled, it is one by its structure, and does not open
CREATE TABLE relabelled (ts steward.encrypted_timestamptz('etypes/i'));
INSERT INTO relabelled
SELECT steward.encrypted_timestamptz_in(('stw1:' || rtrim(translate(encode(set_byte(decode(rpad(translate(substr(armour, 6), '-_', '+/'), (length(armour) - 2) / 4 * 4, '='), 'base64'), 2, 7), 'base64'), E'+/\n', '-_'), '='))::cstring, 0, -1)
  FROM armours() WHERE kind = 'encrypted_bigint';
SELECT ts::timestamptz FROM relabelled;

-- the guard knows all of them
DO $$
DECLARE
    type text;
    command text;
BEGIN
    FOREACH type IN ARRAY ARRAY['bytea', 'jsonb', 'bigint', 'numeric', 'date', 'timestamptz'] LOOP
        FOREACH command IN ARRAY ARRAY[
            'CREATE TABLE refused (v steward.encrypted_%1$s)',
            'CREATE TABLE refused (v steward.encrypted_%1$s[])',
            'CREATE DOMAIN refused AS steward.encrypted_%1$s',
            'CREATE TABLE refused (v steward.encrypted_%1$s(''etypes/r'') PRIMARY KEY)',
            'CREATE TABLE refused (v steward.encrypted_%1$s(''etypes/r'')) PARTITION BY HASH (v)',
            'CREATE TABLE refused (v steward.encrypted_%1$s(''etypes/r''), CHECK (v = NULL::%1$s))',
            'CREATE VIEW refused AS SELECT %2$L::steward.encrypted_%1$s AS v',
            'CREATE TABLE refused (v steward.encrypted_%1$s(''etypes/r'')); CREATE INDEX ON refused (v)',
            'CREATE TABLE refused (v steward.encrypted_%1$s(''etypes/r'')); CREATE INDEX ON refused USING hash (v)',
            'CREATE TABLE refused (a int, v steward.encrypted_%1$s(''etypes/r'')); CREATE STATISTICS s ON a, v FROM refused'] LOOP
            BEGIN
                EXECUTE format(command, type, CASE type WHEN 'bytea' THEN '' WHEN 'jsonb' THEN '{}' WHEN 'date' THEN '2020-01-01' WHEN 'timestamptz' THEN '2020-01-01' ELSE '1' END);
                RAISE WARNING '%: not refused: %', type, command;
            EXCEPTION WHEN feature_not_supported OR invalid_table_definition THEN
                NULL;
            END;
        END LOOP;
    END LOOP;
END
$$;
\set VERBOSITY default
CREATE TABLE refused (v steward.encrypted_bigint[]);
CREATE TABLE refused (v steward.encrypted_date('etypes/r') PRIMARY KEY);
\set VERBOSITY terse

-- statistics: how many, never which
CREATE TABLE counted (n integer, i steward.encrypted_bigint('etypes/s.i'), m steward.encrypted_numeric('etypes/s.m'), a steward.encrypted_bigint('etypes/s.a')[]);
INSERT INTO counted SELECT k, k % 10, ((k % 5)::text || CASE WHEN k % 2 = 0 THEN '.0' ELSE '.00' END)::numeric, ARRAY[k % 3] FROM generate_series(1, 1000) AS k;
ANALYZE counted;
SELECT attname, n_distinct, most_common_vals IS NULL AND most_common_freqs IS NULL AND histogram_bounds IS NULL AND correlation IS NULL AND most_common_elems IS NULL AS nothing_else
  FROM pg_stats WHERE schemaname = 'etypes' AND tablename = 'counted' AND attname <> 'n' ORDER BY 1;

-- rights are those of the key, for each type
CREATE ROLE etypes_user;
GRANT USAGE ON SCHEMA etypes TO etypes_user;
GRANT SELECT, INSERT ON t TO etypes_user;
SET ROLE etypes_user;
INSERT INTO etypes.t (id, eb, ej, ei, en, ed, ets) VALUES (60, '', '{}', 1, 1, '2020-01-01', '2020-01-01');
SELECT eb::bytea FROM t;
SELECT ej::text FROM t;
SELECT steward.decrypt(ei) FROM t;
SELECT count(*) FROM t WHERE ei = 5;
SELECT count(*) FROM t WHERE en = 5;
SELECT en FROM t ORDER BY en;
SELECT DISTINCT ed FROM t;
RESET ROLE;
SELECT steward.grant_key('etypes', 'etypes_user', 'search');
SET ROLE etypes_user;
SELECT count(*) FROM t WHERE ei = 5 OR en = 1 OR ed = date '2020-01-01' OR ets = timestamptz '2020-01-01 00:00+00' OR ej = '{}' OR eb = '';
SELECT en FROM t ORDER BY en;
SELECT ets::timestamptz FROM t;
DO $$ BEGIN EXECUTE format('INSERT INTO etypes.t (id, ei) VALUES (61, %L)', (SELECT steward.encrypted_bigint_out(ei)::text FROM etypes.t WHERE id = 3)); END $$;
RESET ROLE;
SELECT steward.revoke_key('etypes', 'etypes_user', 'search');

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA etypes CASCADE;
DROP OWNED BY etypes_user;
DROP ROLE etypes_user;
