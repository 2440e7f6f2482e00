-- Every built-in type, its arrays, types made of them and types without a codec: recorded alike under any setting, read
-- back bit for bit. A type that comes with a later server and has no sample here is listed below.
CREATE SCHEMA audited;
SET search_path = audited, public;
-- With parallel workers an error may hide what it quotes.
SET max_parallel_workers_per_gather = 0;
SET client_min_messages = warning;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION cube;
CREATE EXTENSION seg;
CREATE EXTENSION isn;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'Very "happy", \ ''or not''', U&'\00e9');
CREATE TYPE address AS (street text, "No." integer, moods mood[]);
CREATE TYPE person AS (name text, home address, tags jsonb, valid daterange, born timestamptz, worth numeric[]);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN integers AS integer[];
CREATE DOMAIN someone AS person;
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE momentrange AS RANGE (subtype = timestamptz);
-- A type without send and receive whose output obeys TimeZone and DateStyle; one whose delimiter in arrays is no comma.
CREATE TYPE moment;
CREATE FUNCTION moment_in(cstring, oid, integer) RETURNS moment LANGUAGE internal IMMUTABLE STRICT AS 'timestamptz_in';
CREATE FUNCTION moment_out(moment) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'timestamptz_out';
CREATE TYPE moment (INPUT = moment_in, OUTPUT = moment_out, LIKE = timestamptz, DELIMITER = '|');
CREATE TYPE figure;
CREATE FUNCTION figure_in(cstring) RETURNS figure LANGUAGE internal IMMUTABLE STRICT AS 'float8in';
CREATE FUNCTION figure_out(figure) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'float8out';
CREATE TYPE figure (INPUT = figure_in, OUTPUT = figure_out, LIKE = float8);
RESET client_min_messages;

CREATE TABLE sample (type regtype, literal text);
INSERT INTO sample VALUES
    ('aclitem', 'postgres=arwd/postgres'), ('aclitem', '=r/postgres'), ('bit', '1'), ('bit', '0'), ('varbit', ''), ('varbit', '101010101'), ('varbit', repeat('1', 300)),
    ('bool', 'true'), ('bool', 'false'), ('box', '(1,2),(-3.25,-0)'), ('box', '(Infinity,NaN),(0.1,0.30000000000000004)'), ('bpchar', 'x  '), ('bpchar', ''), ('bytea', '\x'), ('bytea', '\x00ff5c'),
    ('"char"', 'a'), ('"char"', ''), ('cid', '4294967295'), ('cidr', '10.0.0.0/8'), ('cidr', '::/0'), ('circle', '<(1,0.1),1e-300>'),
    ('date', '-infinity'), ('date', 'infinity'), ('date', '2024-02-29'), ('date', '4713-01-01 BC'), ('daterange', '[2024-02-29,)'), ('daterange', 'empty'), ('daterange', '(,2000-01-01)'),
    ('datemultirange', '{}'), ('datemultirange', '{[2000-01-01,2000-02-01),[2001-01-01,infinity)}'), ('float4', '-0'), ('float4', 'NaN'), ('float4', '1.17549435e-38'), ('float4', '0.1'),
    ('float8', '-0'), ('float8', '-Infinity'), ('float8', '0.30000000000000004'), ('float8', '4.9e-324'), ('inet', '10.1.2.3/8'), ('inet', '2001:db8::1'), ('inet', '0.0.0.0/0'),
    ('int2', '-32768'), ('int2', '7'), ('int4', '2147483647'), ('int4', '-2147483648'), ('int4', '-1'), ('int8', '-9223372036854775808'), ('int8', '9223372036854775807'), ('int8', '64'),
    ('int2vector', '1 2 3'), ('int2vector', ''), ('oidvector', '4294967295 0'), ('int4range', '[1,9)'), ('int4range', 'empty'), ('int4range', '(,)'), ('int4multirange', '{[1,2),[5,)}'),
    ('int8range', '[9000000000,9000000001)'), ('int8multirange', '{(,0)}'), ('interval', '1 mon -1 day 00:00:01.000001'), ('interval', '-178000000 years'), ('interval', '0'),
    ('json', ' {"b" : 1, "a":[ ] } '), ('json', 'null'), ('json', '"\u0000"'), ('jsonb', '{"b": [1, 1.50, "x\"", null]}'), ('jsonb', '[]'), ('jsonb', 'null'), ('jsonb', '"text"'),
    ('jsonpath', '$.a[*] ? (@ > 1 && exists (@.b))'), ('jsonpath', 'strict $'), ('line', '{1,-2.5,0.1}'), ('lseg', '[(1,2),(0.1,-0)]'), ('macaddr', '01:23:45:67:89:ab'), ('macaddr8', '01:23:45:67:89:ab:cd:ef'),
    ('money', '-12345.67'), ('money', '0.01'), ('money', '-92233720368547758.08'), ('name', 'a name'), ('name', repeat('n', 63)), ('name', ''),
    ('numeric', 'NaN'), ('numeric', '-Infinity'), ('numeric', '0.00'), ('numeric', '-1.10'), ('numeric', '10000'), ('numeric', '1e-20'), ('numeric', '12345678901234567890.123456789'), ('numeric', '1e500'),
    ('numrange', '(1.50,2]'), ('nummultirange', '{[1.0,2.00),(3,4]}'), ('oid', '4294967295'), ('path', '[(1,2),(0.1,-0)]'), ('path', '((1,1))'), ('pg_lsn', 'FFFFFFFF/FFFFFFFF'), ('pg_lsn', '0/0'),
    ('pg_snapshot', '1:20:3,5'), ('txid_snapshot', '1:20:3,5'), ('point', '(0.1,-0)'), ('point', '(NaN,Infinity)'), ('polygon', '((1,2),(0.1,-0),(-7,1e300))'), ('refcursor', 'a cursor'),
    ('regclass', 'pg_class'), ('regclass', 'audited.sample'), ('regclass', '-'), ('regclass', '4294967295'), ('regclass', 'audited."Odd ""name"""'), ('regcollation', '"C"'), ('regconfig', 'simple'), ('regdictionary', 'simple'),
    ('regnamespace', 'audited'), ('regnamespace', '"select"'), ('regoper', '!!'), ('regoper', '0'), ('regoperator', '+(integer,integer)'), ('regoperator', '-(none,integer)'), ('regoperator', '0'), ('regproc', 'version'), ('regproc', 'audited.moment_in'),
    ('regprocedure', 'lower(text)'), ('regprocedure', 'version()'), ('regprocedure', 'audited.moment_in(cstring,oid,integer)'), ('regrole', 'postgres'), ('regrole', '1234567'), ('regtype', 'integer[]'), ('regtype', 'audited.mood'), ('regtype', '"char"'),
    ('text', ''), ('text', E'line\nfeed \\ "quote" \u00e9\U0001F600,{}[]()'), ('text', 'NULL'), ('text', repeat('long ', 600)), ('tid', '(4294967295,65535)'), ('time', '24:00'), ('time', '12:34:56.789'), ('timetz', '00:00:00+15:59'),
    ('timestamp', '-infinity'), ('timestamp', '4713-01-01 00:00:00 BC'), ('timestamp', '2024-02-29 12:34:56.789'), ('timestamptz', 'infinity'), ('timestamptz', '2024-02-29 12:34:56.789+05:30'),
    ('tsrange', '["2020-01-01 00:00",infinity]'), ('tsmultirange', '{["2020-01-01 00:00","2020-01-02 00:00")}'), ('tstzrange', '(,"2020-01-01 00:00+02"]'), ('tstzmultirange', '{["2020-01-01 00:00+02",)}'),
    ('tsquery', '''a b'' & !c | d <-> e:*A'), ('tsquery', ''), ('tsquery', '''a'' & ( ''b'' & ''c'' )'), ('tsquery', '''a'' <-> ( ''b'' <3> ( ''c'' | ''d'' ) ) | ''it''''s \\'''),
    ('tsquery', '!( ''a'':ABCD | !!''b'':*B ) & !''c'''), ('tsvector', '''a b'':1A,2 c:3'), ('tsvector', ''), ('uuid', '01234567-89ab-cdef-0123-456789abcdef'), ('varchar', 'x  '), ('varchar', ''),
    ('xid', '4294967295'), ('xid8', '18446744073709551615'), ('xml', '<a b="&lt;">é</a>'), ('xml', 'text <b/>'),
    ('mood', 'sad'), ('mood', 'Very "happy", \ ''or not'''), ('mood', U&'\00e9'), ('address', '("Main St, ""5""",7,"{sad,NULL,ok}")'), ('address', '(,,)'), ('address', '("",,{})'),
    ('person', '(Ada,"(x,1,)","{""a"": [1]}","[2000-01-01,)","2000-01-01 00:00+02","{1.0,NULL,NaN}")'), ('person', '(,,,,,)'), ('positive', '7'), ('integers', '[-1:0]={1,NULL}'), ('integers', '{{1},{2}}'),
    ('someone', '(Bob,,,empty,,)'), ('textrange', '[a,"b,""c")'), ('textrange', '["",)'), ('textrange', '(null,)'), ('momentrange', '["2020-01-01 00:00+02","2020-01-02 00:00+02")'),
    ('moment', '2024-02-29 12:34:56.789+05:30'), ('figure', '0.30000000000000004'), ('citext', 'CaSe'), ('hstore', '"a b"=>"1", c=>NULL'), ('ltree', 'a.b.c'), ('cube', '(0.1,0.2),(3,4)'), ('seg', '1.50 .. 2'), ('isbn13', '978-0-393-04002-9');
CREATE TABLE "Odd ""name""" (x integer);
CREATE SCHEMA "select";
-- Types that are built in, can be read and have no sample.
SELECT typname FROM pg_type AS t WHERE typtype IN ('b', 'r', 'm') AND typnamespace = 'pg_catalog'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_type AS a WHERE a.typarray = t.oid) AND typarray <> 0 AND typname <> 'gtsvector'
    AND NOT EXISTS (SELECT FROM sample AS s WHERE s.type = t.oid);

-- A table with a column for each type and for its array, and random rows of samples.
SELECT count(DISTINCT type) >= 80 AS many FROM sample;
SELECT format('CREATE TABLE source (id integer PRIMARY KEY, %s)', string_agg(format('c%1$s %2$s, a%1$s %2$s[]', i, type), ', ' ORDER BY i))
    FROM (SELECT type, row_number() OVER (ORDER BY type::text COLLATE "C") AS i FROM sample GROUP BY type) AS t \gexec
CREATE FUNCTION random_value(of regtype) RETURNS text LANGUAGE sql VOLATILE AS
    $$ SELECT literal FROM sample WHERE type = of AND random() > 0.15 ORDER BY random() LIMIT 1 $$;
CREATE FUNCTION random_array(of regtype) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    dims integer := (random() * 2)::integer;
    delimiter text := (SELECT typdelim FROM pg_type WHERE oid = of);
    rows text[] := '{}';
    value text;
    elements text;
BEGIN
    IF dims = 0 THEN
        RETURN CASE WHEN random() < 0.5 THEN '{}' END;
    END IF;
    FOR i IN 1 .. CASE dims WHEN 1 THEN 1 ELSE 2 END LOOP
        elements := '';
        FOR j IN 1 .. 3 LOOP
            value := random_value(of);
            elements := concat(elements, CASE WHEN j > 1 THEN delimiter END,
                               coalesce('"' || replace(replace(value, '\', '\\'), '"', '\"') || '"', 'NULL'));
        END LOOP;
        rows := rows || ('{' || elements || '}');
    END LOOP;
    IF dims = 1 THEN
        RETURN CASE WHEN random() < 0.5 THEN '[-1:1]=' ELSE '' END || rows[1];
    END IF;
    RETURN CASE WHEN random() < 0.5 THEN '[0:1][5:7]=' ELSE '' END || '{' || array_to_string(rows, delimiter) || '}';
END
$$;
CREATE PROCEDURE fill(rows integer) LANGUAGE plpgsql AS $$
DECLARE
    list text;
BEGIN
    FOR i IN 1 .. rows LOOP
        SELECT string_agg(format('%L::%s, %L::%s[]', random_value(type), type, random_array(type), type), ', ' ORDER BY type::text COLLATE "C")
            INTO list FROM (SELECT DISTINCT type FROM sample) AS t;
        EXECUTE format('INSERT INTO source SELECT %s, %s', i, list);
    END LOOP;
END
$$;
\if :{?seed}
\else
\set seed 0.25
\endif
SELECT setseed(:seed);
SET client_min_messages = warning;
CALL fill(40);
-- Expanded objects and values that are stored compressed or out of line.
CREATE TABLE target (LIKE source);
SELECT steward.enable_audit('target');
CREATE TABLE recorded (setting text, id integer, op "char", schema_version integer, payload bytea);
CREATE PROCEDURE keep_record(setting text) LANGUAGE plpgsql AS $$
DECLARE
    writer xid8 := pg_current_xact_id();
BEGIN
    -- From an empty file, in which rows come to lie alike each time.
    TRUNCATE audited.target;
    INSERT INTO audited.target TABLE audited.source;
    UPDATE audited.target AS t SET id = -t.id;
    UPDATE audited.target AS t SET id = -t.id;
    DELETE FROM audited.target;
    COMMIT;
    INSERT INTO audited.recorded SELECT setting, row_number() OVER (ORDER BY l.seq), l.op, l.schema_version, l.payload
        FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version AND s.table_name = 'target'
        WHERE l.xid = writer AND l.op IN ('I', 'U', 'D');
END
$$;
CALL keep_record('default');
SET client_encoding = 'LATIN1';
CALL keep_record('LATIN1');
SET client_encoding = 'SJIS';
CALL keep_record('SJIS');
SET client_encoding = 'SQL_ASCII';
CALL keep_record('SQL_ASCII');
SET client_encoding = 'UTF8';
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kolkata';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SET lc_monetary = 'C.UTF-8';
SET quote_all_identifiers = on;
SET xmlbinary = hex;
SET xmloption = document;
SET search_path = pg_catalog, audited;
CALL audited.keep_record('settings');
SET search_path = audited, public;
SELECT r.setting, count(*), count(*) FILTER (WHERE r.payload IS DISTINCT FROM d.payload OR r.schema_version <> d.schema_version) AS different
    FROM recorded AS r LEFT JOIN recorded AS d USING (id, op) WHERE d.setting = 'default' GROUP BY 1 ORDER BY 1;

-- Shown alike, and read back bit for bit, under these settings and the usual ones.
CREATE TABLE seen AS SELECT r.id, d.new FROM recorded AS r, steward.audit_decode(r.schema_version, r.op, r.payload) AS d WHERE r.setting = 'default' AND r.op = 'I';
SELECT count(*) FILTER (WHERE s.* *= i.*) AS identical, count(*) FILTER (WHERE NOT s.* *= i.*) AS different
    FROM recorded AS r, steward.audit_image(NULL::source, r.schema_version, r.op, r.payload) AS i JOIN source AS s USING (id) WHERE r.setting = 'default' AND r.op = 'I';
RESET datestyle; RESET intervalstyle; RESET timezone; RESET bytea_output; RESET extra_float_digits; RESET lc_monetary; RESET quote_all_identifiers; RESET xmlbinary; RESET xmloption;
SELECT count(*) FILTER (WHERE d.new::text = s.new::text) AS same, count(*) FILTER (WHERE d.new::text <> s.new::text) AS different
    FROM recorded AS r, steward.audit_decode(r.schema_version, r.op, r.payload) AS d, seen AS s WHERE s.id = r.id AND r.setting = 'default' AND r.op = 'I';
SELECT count(*) FILTER (WHERE s.* *= i.*) AS identical, count(*) FILTER (WHERE NOT s.* *= i.*) AS different
    FROM recorded AS r, steward.audit_image(NULL::source, r.schema_version, r.op, r.payload) AS i JOIN source AS s USING (id) WHERE r.setting = 'default' AND r.op = 'I';
SELECT count(*) FILTER (WHERE s.* *= i.*) AS identical, count(*) FILTER (WHERE NOT s.* *= i.*) AS different
    FROM recorded AS r, steward.audit_image(NULL::source, r.schema_version, r.op, r.payload, true) AS i JOIN source AS s USING (id) WHERE r.setting = 'default' AND r.op = 'D';
-- The jsonb is read by the types' input functions. Not so: json, which is shown as jsonb, and jsonb that is null.
CREATE TABLE populated AS SELECT i.* FROM seen, jsonb_populate_record(NULL::source, seen.new) AS i;
CREATE FUNCTION differing() RETURNS TABLE (type regtype) LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT attname, atttypid FROM pg_attribute WHERE attrelid = 'source'::regclass AND attnum > 1 LOOP
        RETURN QUERY EXECUTE format('SELECT DISTINCT $1::regtype FROM populated AS i JOIN source AS s USING (id)
            WHERE NOT record_image_eq(ROW(s.%1$I), ROW(i.%1$I))', c.attname) USING c.atttypid;
    END LOOP;
END
$$;
SELECT * FROM differing();

-- Types without input are recorded and shown; composites and others in an expanded form or compressed inside are made flat.
CREATE TABLE odd (id integer PRIMARY KEY, t pg_node_tree, n pg_ndistinct, d pg_dependencies, m pg_mcv_list);
CREATE TABLE flat (id integer PRIMARY KEY, a integer[], p person, pp person[]);
SELECT steward.enable_audit('odd'), steward.enable_audit('flat');
CREATE TABLE measured (a integer DEFAULT 7, b integer);
INSERT INTO measured SELECT i % 3, i % 3 FROM generate_series(1, 300) AS i;
CREATE STATISTICS measures (ndistinct, dependencies, mcv) ON a, b FROM measured;
ANALYZE measured;
INSERT INTO odd (id, t) SELECT 1, adbin FROM pg_attrdef WHERE adrelid = 'measured'::regclass;
INSERT INTO odd (id, n, d, m) SELECT 2, stxdndistinct, stxddependencies, stxdmcv FROM pg_statistic_ext_data JOIN pg_statistic_ext ON oid = stxoid WHERE stxname = 'measures';
SELECT key, new->>'t' LIKE '{CONST%' AS t, new->'n' AS n, new->'d' AS d, left(new->>'m', 2) AS m FROM steward.audit_trail WHERE relation = 'audited.odd' AND operation = 'INSERT' ORDER BY xid, seq;
DO $$
DECLARE
    a integer[] := array_fill(7, ARRAY[5000]);
    p person;
BEGIN
    a[2] := NULL;
    p.name := repeat('compressed ', 10000);
    p.tags := to_jsonb(repeat('tag ', 10000));
    INSERT INTO flat (id, a, p, pp) VALUES (3, a, p, ARRAY[p, p]);
    UPDATE flat SET a[1] = 8, pp[2].name = 'x' WHERE id = 3;
    UPDATE flat SET id = 4 WHERE id = 3;
END
$$;
SELECT l.op, (i.a = o.a) AS a, i.p *= o.p AS p, record_image_eq(ROW(i.pp), ROW(o.pp)) AS pp, octet_length(l.payload) > 100000 AS long
    FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version, steward.audit_image(NULL::flat, l.schema_version, l.op, l.payload) AS i JOIN flat AS o ON o.id = 4
    WHERE s.table_name = 'flat' AND l.op IN ('I', 'U') ORDER BY l.xid, l.seq;

-- Read into a table whose columns have other types, names and order now.
CREATE TYPE shape AS (a integer, b text, c mood);
CREATE TABLE early (id integer PRIMARY KEY, n integer, t text, v varchar(10), s shape, ss shape[], m mood, d integers, r int4range, f regproc, o regoper, gone text, b bigint);
SELECT steward.enable_audit('early');
INSERT INTO early VALUES (1, 7, '42', 'abc', '(1,x,sad)', '{"(2,y,ok)",NULL}', 'ok', '{1,2}', '[1,5)', 'version', '!!', 'gone', 123456789012);
CREATE TABLE late (gone_not integer, b numeric(20, 2), t integer, n text, id bigint, v varchar(5), s shape, ss shape[], m text, d bigint[], r numrange, f regproc, o regoper, extra text DEFAULT 'x');
ALTER TYPE shape RENAME ATTRIBUTE b TO "B";
ALTER TYPE shape DROP ATTRIBUTE c;
ALTER TYPE shape ADD ATTRIBUTE d integer;
SELECT i.* FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version, steward.audit_image(NULL::late, l.schema_version, l.op, l.payload) AS i
    WHERE s.table_name = 'early' AND s.kind = 'r' AND l.op = 'I' \gx
-- By name; by number in the same database, which follows a rename.
ALTER TABLE early RENAME COLUMN t TO renamed;
ALTER TABLE early ADD COLUMN t text;
ALTER TABLE early DROP COLUMN b;
ALTER TABLE early ADD COLUMN b text;
SELECT by_number, i.t, i.renamed, i.b, i.s, i.ss FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version, unnest('{f,t}'::boolean[]) AS by_number,
    steward.audit_image(NULL::early, l.schema_version, l.op, l.payload, false, by_number) AS i WHERE s.table_name = 'early' AND s.kind = 'r' AND l.op = 'I' ORDER BY 1;
-- What cannot become the type is an error of that type.
CREATE TABLE strict (t integer, v integer);
SELECT steward.audit_image(NULL::strict, l.schema_version, l.op, l.payload) FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version WHERE s.table_name = 'early' AND s.kind = 'r' AND l.op = 'I';
SELECT steward.audit_image(NULL::integer, 1, 'I', '\x01'), 1;
SELECT steward.audit_image(NULL::strict, NULL, 'I', '\x01') IS NULL AS nothing;
-- No old row of an INSERT, no new row of a DELETE.
SELECT count(i.id) FROM recorded AS r, steward.audit_image(NULL::source, r.schema_version, r.op, r.payload, r.op = 'I') AS i WHERE r.op IN ('I', 'D');

\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA "select";
DROP SCHEMA audited CASCADE;
