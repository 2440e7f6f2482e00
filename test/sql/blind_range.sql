-- Blind indexes for ranges: every search by one gives what the plaintext gives.
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA brange;
SET search_path = brange;
SELECT steward.create_key('brange');
CREATE ROLE brange_searcher;
CREATE ROLE brange_reader;
GRANT ALL ON SCHEMA brange TO PUBLIC;
SELECT steward.grant_key('brange', 'brange_searcher', 'search');
SELECT steward.grant_key('brange', 'brange_reader', 'decrypt');
RESET client_min_messages;

-- Each column has a twin in plaintext; short tags, so that rows are found by chance too.
CREATE TABLE t (
    id integer, i steward.encrypted_bigint('brange/i'), n steward.encrypted_numeric('brange/n'), d steward.encrypted_date('brange/d'), ts steward.encrypted_timestamptz('brange/ts'),
    pi bigint, pn numeric, pd date, pts timestamptz
);
CREATE INDEX t_i ON t USING blind (i steward.blind_bigint_range_ops) WITH (tag_bits = 16);
CREATE INDEX t_n ON t USING blind (n steward.blind_numeric_range_ops) WITH (range_tags = 34);
CREATE INDEX t_d ON t USING blind (d steward.blind_date_range_ops) WITH (range_tags = 4, tag_bits = 8);
CREATE INDEX t_ts ON t USING blind (ts steward.blind_timestamptz_range_ops);

-- Values in clusters, at edges, and everywhere.
CREATE FUNCTION some_bigint() RETURNS bigint LANGUAGE sql AS $$
SELECT CASE (random() * 9)::integer
    WHEN 0 THEN NULL WHEN 1 THEN (ARRAY[-9223372036854775808, 9223372036854775807, 0, 1, -1, 99, 100, -1000, 999999999999])[1 + floor(random() * 9)::integer]
    WHEN 2 THEN ((random() * 2 - 1) * 9.2e18)::bigint WHEN 3 THEN ((random() * 2 - 1) * 1e6)::bigint
    ELSE (random() * 100 - 50)::bigint END
$$;
CREATE FUNCTION some_numeric() RETURNS numeric LANGUAGE sql AS $$
SELECT CASE (random() * 9)::integer
    WHEN 0 THEN NULL WHEN 1 THEN (ARRAY['NaN', 'Infinity', '-Infinity', '0', '1e-25', '-1e-25', '1e45', '-1e400', '0.00000000000000000000000000000001', '1234567890123456789012345678901.5', '1234567890123456789012345678901.6'])[1 + floor(random() * 11)::integer]::numeric
    WHEN 2 THEN ((random() * 2 - 1) * 1e20)::numeric WHEN 3 THEN (random() * 2 - 1)::numeric / 1000000
    WHEN 4 THEN round((random() * 100)::numeric, 1) ELSE round((random() * 2000 - 1000)::numeric, 2) END
$$;
CREATE FUNCTION some_date() RETURNS date LANGUAGE sql AS $$
SELECT CASE (random() * 9)::integer
    WHEN 0 THEN NULL WHEN 1 THEN (ARRAY['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '2000-02-29', '1999-12-31', '9999-12-31', '10000-01-01', '12000-06-01', '0001-01-01', '0001-12-31 BC'])[1 + floor(random() * 11)::integer]::date
    WHEN 2 THEN date '1900-01-01' + floor(random() * 73000)::integer
    ELSE date '1980-01-01' + floor(random() * 800)::integer END
$$;
CREATE FUNCTION some_time() RETURNS timestamptz LANGUAGE sql AS $$
SELECT CASE (random() * 9)::integer
    WHEN 0 THEN NULL WHEN 1 THEN (ARRAY['infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999', '2000-01-01', '1999-12-31 23:59:59.999999', '12000-01-01', '13000-01-01 00:00:00.000001'])[1 + floor(random() * 8)::integer]::timestamptz
    WHEN 2 THEN timestamptz '1900-01-01' + random() * interval '200 years'
    WHEN 3 THEN timestamptz '2020-02-28' + random() * interval '3 days'
    ELSE timestamptz '2020-03-01' + random() * interval '2 hours' END
$$;

-- A half of the rows comes before the indexes are built anew.
CREATE PROCEDURE fill(first integer, last integer) LANGUAGE sql AS $$
INSERT INTO t SELECT g, pi, pn, pd, pts, pi, pn, pd, pts FROM (SELECT g, some_bigint() AS pi, some_numeric() AS pn, some_date() AS pd, some_time() AS pts FROM generate_series(first, last) AS g OFFSET 0) AS v
$$;
CALL fill(1, 1500);
REINDEX TABLE t;
CALL fill(1501, 3000);
ANALYZE t;

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    scans text[];
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        scans := scans || substring(line FROM 'Bitmap Index Scan|Index Only Scan|Index Scan|Seq Scan');
    END LOOP;
    RETURN array_to_string(array_remove(scans, NULL), ', ');
END
$$;
CREATE FUNCTION answer(query text, wanted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    -- of alternatives PostgreSQL makes bitmaps, and nothing of what is never true
    IF plan_of(query) !~ (wanted || '|^$') THEN
        RAISE EXCEPTION 'by %: %', plan_of(query), query;
    END IF;
    EXECUTE query INTO result;
    RETURN result;
END
$$;
-- What a condition finds: by the plaintext, by the index, by a bitmap of it.
CREATE FUNCTION found(condition text, plain_condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text := 'SELECT count(*) || '' '' || coalesce(sum(id), 0) FROM t WHERE ';
    by_plain text;
    by_index text;
    by_bitmap text;
BEGIN
    EXECUTE query || plain_condition INTO by_plain;
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true), set_config('enable_bitmapscan', 'off', true);
    by_index := answer(query || condition, '(^|, )Index Scan|(Bitmap Index Scan, )+Bitmap Index Scan');
    PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'on', true);
    by_bitmap := answer(query || condition, 'Bitmap Index Scan');
    PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'on', true);
    IF by_plain <> by_index OR by_plain <> by_bitmap THEN
        RAISE EXCEPTION 'plaintext %, index %, bitmap %: %', by_plain, by_index, by_bitmap, condition;
    END IF;
    RETURN by_plain;
END
$$;

-- ---- random ranges ----

CREATE FUNCTION bound(name text) RETURNS text LANGUAGE sql AS $$
SELECT CASE name WHEN 'i' THEN some_bigint()::text WHEN 'n' THEN some_numeric()::text WHEN 'd' THEN some_date()::text ELSE some_time()::text END
$$;
CREATE FUNCTION random_condition(name text, plain text, OUT condition text, OUT plain_condition text) LANGUAGE plpgsql AS $$
DECLARE
    operators text[] := ARRAY['<', '<=', '=', '>=', '>'];
    chosen text;
    value text;
    literal text;
BEGIN
    FOR i IN 1 .. 1 + floor(random() * 3)::integer LOOP
        chosen := operators[1 + floor(random() * 5)::integer];
        value := quote_nullable(bound(name));
        -- an untyped literal, or one with the plaintext's type; a bigint also next to other numbers
        literal := CASE WHEN random() < 0.5 THEN value ELSE value || '::' || plain END;
        IF name = 'i' AND random() < 0.3 THEN
            literal := quote_nullable(some_numeric()) || '::numeric';
            value := literal;
        END IF;
        IF random() < 0.2 THEN
            condition := concat_ws(' AND ', condition, format('%s %s %s', literal, CASE chosen WHEN '<' THEN '>' WHEN '<=' THEN '>=' WHEN '>=' THEN '<=' WHEN '>' THEN '<' ELSE '=' END, name));
        ELSE
            condition := concat_ws(' AND ', condition, format('%s %s %s', name, chosen, literal));
        END IF;
        plain_condition := concat_ws(' AND ', plain_condition, format('p%s %s %s', name, chosen, value));
    END LOOP;
END
$$;
CREATE PROCEDURE try(many integer) LANGUAGE plpgsql AS $$
DECLARE
    c record;
    rows_found bigint := 0;
BEGIN
    FOR i IN 1 .. many LOOP
        SELECT * INTO c FROM (VALUES ('i', 'bigint'), ('n', 'numeric'), ('d', 'date'), ('ts', 'timestamptz')) AS v (name, plain), random_condition(v.name, v.plain) OFFSET i % 4 LIMIT 1;
        rows_found := rows_found + split_part(found(c.condition, c.plain_condition), ' ', 1)::bigint;
    END LOOP;
    IF rows_found < many THEN
        RAISE EXCEPTION '% rows only', rows_found;
    END IF;
END
$$;
CALL try(500);

-- ---- what is said of a column otherwise ----

SELECT count(*) FROM (VALUES
    ('i IS NULL', 'pi IS NULL'), ('i IS NOT NULL', 'pi IS NOT NULL'), ('i IS NULL AND i > 5', 'pi IS NULL AND pi > 5'), ('i IS NOT NULL AND i > 5', 'pi > 5'), ('i IS NULL AND i IS NOT NULL', 'false'), ('i > NULL', 'false'), ('i > NULL::bigint', 'false'),
    ('i BETWEEN 5 AND 4', 'false'), ('i BETWEEN -5 AND 5', 'pi BETWEEN -5 AND 5'), ('i BETWEEN -5::smallint AND 5::bigint', 'pi BETWEEN -5 AND 5'), ('i BETWEEN 4.5 AND 7.5', 'pi BETWEEN 4.5 AND 7.5'), ('i > 1e30', 'pi > 1e30'), ('i < 1e30', 'pi < 1e30'),
    ($$i >= 'NaN'::numeric$$, 'false'), ($$i < 'NaN'::numeric$$, 'pi IS NOT NULL'), ('i > -1e30', 'pi IS NOT NULL'), ('i = 0.5', 'false'), ('i > -9223372036854775808.5', 'pi IS NOT NULL'), ('i >= 9223372036854775807', 'pi = 9223372036854775807'), ('i > 9223372036854775806.5', 'pi = 9223372036854775807'), ('i > 9223372036854775807.5', 'false'),
    ('i IN (1, 2, 3, 1)', 'pi IN (1, 2, 3)'), ('i = ANY (ARRAY[1.5, 2, NULL])', 'pi = 2'), ('i > ANY (ARRAY[40, 10, NULL])', 'pi > 10'), ('i < ANY (ARRAY[-40, 10]) AND i >= ANY (ARRAY[-20, 0])', 'pi < 10 AND pi >= -20'), ($$i = ANY ('{}'::bigint[])$$, 'false'), ('i = ANY (NULL::bigint[])', 'false'),
    ('i = ANY (ARRAY(SELECT g FROM generate_series(-3000, 3000) AS g)) AND i <> 7', 'pi BETWEEN -3000 AND 3000 AND pi <> 7'),
    ($$d BETWEEN '1980-01-01' AND '1980-12-31'$$, $$pd BETWEEN '1980-01-01' AND '1980-12-31'$$), ($$d > '-infinity'$$, $$pd > '-infinity'$$), ($$d >= 'infinity'$$, $$pd = 'infinity'$$), ($$d > 'infinity'$$, 'false'), ($$d < '-infinity'$$, 'false'), ($$d <= '10000-01-01'$$, $$pd <= '10000-01-01'$$), ($$d > '11000-01-01'$$, $$pd > '11000-01-01'$$),
    ($$n > 'Infinity'$$, $$pn = 'NaN'$$), ($$n = 'NaN'$$, $$pn = 'NaN'$$), ($$n < 'NaN'$$, $$pn < 'NaN'$$), ('n > 1234567890123456789012345678901.5', 'pn > 1234567890123456789012345678901.5'), ('n <= 1234567890123456789012345678901.55', 'pn <= 1234567890123456789012345678901.55'), ('n = 0', 'pn = 0'), ('n > 0', 'pn > 0'),
    ($$ts >= '2020-02-29' AND ts < '2020-03-01'$$, $$pts >= '2020-02-29' AND pts < '2020-03-01'$$), ($$ts > '12500-01-01'$$, $$pts > '12500-01-01'$$), ($$ts = '2000-01-01 01:00+01'$$, $$pts = '2000-01-01 00:00'$$),
    ('i < (SELECT i FROM t WHERE pi IS NOT NULL AND pi BETWEEN -10 AND 10 ORDER BY id LIMIT 1)', 'pi < (SELECT pi FROM t WHERE pi BETWEEN -10 AND 10 ORDER BY id LIMIT 1)')
  ) AS v (condition, plain), found(v.condition, v.plain);

-- parameters, joins, cursors
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
PREPARE born(date, date) AS SELECT count(*) FROM t WHERE d BETWEEN $1 AND $2;
EXPLAIN (COSTS OFF) EXECUTE born('1980-01-01', '1980-12-31');
CREATE TEMP TABLE born AS EXECUTE born('1980-01-01', '1980-12-31');
SELECT count = (SELECT count(*) FROM t WHERE pd BETWEEN '1980-01-01' AND '1980-12-31') AS same FROM born;
EXECUTE born(NULL, '1980-12-31');
RESET plan_cache_mode;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT sum(v.low * c) = (SELECT sum(v.low) FROM (VALUES (-20), (-10), (0), (10)) AS v (low) JOIN t ON t.pi >= v.low AND t.pi < v.low + 10) AS same
  FROM (VALUES (-20), (-10), (0), (10)) AS v (low), LATERAL (SELECT count(*) AS c FROM t WHERE t.i >= v.low AND t.i < v.low + 10) AS l;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_seqscan;

-- ---- rows that change ----

UPDATE t SET i = pi, n = v.b, pn = v.b FROM (SELECT id AS a, some_numeric() AS b FROM t WHERE id % 7 = 0 OFFSET 0) AS v WHERE v.a = id;
DELETE FROM t WHERE id % 5 = 0;
BEGIN;
UPDATE t SET i = 5, pi = 5;
SELECT found('i >= 5', 'pi >= 5') = found('i < 6', 'pi < 6') AS same;
ROLLBACK;
CALL try(80);
VACUUM t;
-- what is counted is entries, of which a row has several
SELECT reltuples > 2 * (SELECT count(*) FROM t) AS entries FROM pg_class WHERE relname = 't_d';
CALL try(80);
REINDEX INDEX CONCURRENTLY t_d;
VACUUM FULL t;
CALL try(80);
-- another number of tags is for the next build
ALTER INDEX t_ts SET (range_tags = 20);
INSERT INTO t (id, ts, pts) VALUES (4000, '2020-02-29', '2020-02-29');
CALL try(40);
REINDEX INDEX t_ts;
CALL try(40);
CREATE INDEX CONCURRENTLY t_part ON t USING blind (i steward.blind_bigint_range_ops) WHERE id > 100;
SELECT found('i > 20 AND id > 100', 'pi > 20 AND id > 100') <> '0 0' AS found;
-- all of a part of the rows, NULLs too
CREATE INDEX t_all ON t USING blind (i steward.blind_bigint_range_ops) WHERE id BETWEEN 101 AND 200;
SELECT found('i IS NOT NULL AND id BETWEEN 101 AND 200', 'pi IS NOT NULL AND id BETWEEN 101 AND 200') <> '0 0' AS found;

-- ---- erased values: found by no range, and as they are by IS NOT NULL ----

CREATE TABLE e (id integer, who text, d steward.encrypted_date('brange/e.d'));
CREATE INDEX ON e USING blind (d steward.blind_date_range_ops);
SELECT steward.bind_subject('e', 'brange', 'who');
INSERT INTO e VALUES (1, 'ann', '1980-01-01'), (2, 'ben', '1980-06-01'), (3, 'cy', '2000-01-01'), (4, 'ben', NULL);
CREATE FUNCTION in_e(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text := 'SELECT string_agg(id::text, '' '' ORDER BY id) FROM e WHERE ' || condition;
    by_scan text;
    by_index text;
    by_bitmap text;
BEGIN
    PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
    by_scan := answer(query, '^(Seq Scan, )?Seq Scan$');
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
    by_index := answer(query, '(^|, )Index Scan');
    PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'on', true);
    by_bitmap := answer(query, 'Bitmap Index Scan');
    PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'on', true);
    RETURN CASE WHEN by_scan IS NOT DISTINCT FROM by_index AND by_scan IS NOT DISTINCT FROM by_bitmap THEN by_scan ELSE format('WRONG: scan %s; index %s; bitmap %s', by_scan, by_index, by_bitmap) END;
END
$$;
SELECT in_e($$d < '1990-01-01'$$), in_e($$d > '1900-01-01'$$), in_e('d IS NOT NULL'), in_e('d IS NULL');
SET client_min_messages = error;
SELECT steward.shred_subject('brange', 'ben');
RESET client_min_messages;
SELECT in_e($$d < '1990-01-01'$$), in_e($$d > '1900-01-01'$$), in_e($$d >= '-infinity'$$), in_e('d IS NOT NULL'), in_e('d IS NULL'), in_e($$d = (SELECT d FROM e WHERE id = 2)$$), in_e($$d >= (SELECT d FROM e WHERE id = 2)$$), in_e($$d = ANY (ARRAY(SELECT d FROM e WHERE id < 3))$$);
REINDEX TABLE e;
SELECT in_e($$d < '1990-01-01'$$), in_e($$d > '1900-01-01'$$), in_e($$d >= '-infinity'$$), in_e('d IS NOT NULL'), in_e('d IS NULL');
SELECT d < '1990-01-01' AS lt, d >= '1990-01-01'::date AS ge, '1990-01-01'::date > d AS gt, d <= d AS le FROM e WHERE id IN (2, 3) ORDER BY id;

-- ---- rights ----

GRANT SELECT, INSERT ON t, e TO PUBLIC;
SET ROLE brange_reader;
SELECT in_e($$d < '1990-01-01'$$);
-- equality needs less than the index, which is not used then
SET ROLE brange_searcher;
SET enable_seqscan = off;
SELECT plan_of($$SELECT id FROM e WHERE d = '1980-01-01'$$), plan_of($$SELECT id FROM e WHERE d > '1980-01-01'$$), plan_of('SELECT id FROM e WHERE d IS NULL');
SELECT id FROM e WHERE d = '1980-01-01';
SELECT id FROM e WHERE d > '1980-01-01';
SELECT id FROM e WHERE d > '1980-01-01'::date;
SELECT id FROM e WHERE '1980-01-01'::date > d;
RESET ROLE;
CREATE ROLE brange_writer;
SET ROLE brange_writer;
INSERT INTO t (id, d, pd) VALUES (5000, '1980-01-01', '1980-01-01');
SELECT count(*) FROM t WHERE d > '1980-01-01';
RESET ROLE;
RESET enable_seqscan;
-- a plan that was made for somebody with the right
SET plan_cache_mode = force_generic_plan;
PREPARE mine AS SELECT count(*) FROM e WHERE d IS NOT NULL;
SET enable_seqscan = off;
SELECT plan_of('EXECUTE mine');
SET ROLE brange_searcher;
SELECT plan_of('EXECUTE mine');
RESET ROLE;
RESET plan_cache_mode;
RESET enable_seqscan;

-- ---- what there is not ----

CREATE INDEX bad ON t USING blind (i steward.blind_bigint_range_ops, d);
CREATE INDEX bad ON t USING blind (d, i steward.blind_bigint_range_ops);
\set VERBOSITY default
ALTER TABLE t ADD EXCLUDE USING blind (d steward.blind_date_range_ops WITH =);
CREATE TABLE u (d steward.encrypted_date('brange/u'), EXCLUDE USING blind (d steward.blind_date_range_ops WITH =));
\set VERBOSITY terse
CREATE INDEX bad ON t USING blind (i steward.blind_bigint_range_ops) WITH (range_tags = 3);
CREATE INDEX bad ON t USING blind (i steward.blind_bigint_range_ops) WITH (range_tags = 35);
CREATE INDEX bad ON t USING blind (d steward.blind_bigint_range_ops);
SELECT id FROM t WHERE d > 5;
SELECT id FROM t WHERE d > timestamp '2020-01-01';

SET client_min_messages = error;
RESET search_path;
DROP SCHEMA brange CASCADE;
CALL steward.finish_erasure() \gset
DELETE FROM steward.subject_key WHERE kind = 'brange';
DROP OWNED BY brange_searcher, brange_reader, brange_writer;
DROP ROLE brange_searcher, brange_reader, brange_writer;
