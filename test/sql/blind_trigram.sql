-- Blind indexes for patterns: every search by one gives what the plaintext gives.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA btrigram;
SET search_path = btrigram;
SELECT steward.create_key('btrigram');
CREATE ROLE btrigram_searcher;
CREATE ROLE btrigram_reader;
GRANT ALL ON SCHEMA btrigram TO PUBLIC;
SELECT steward.grant_key('btrigram', 'btrigram_searcher', 'search');
SELECT steward.grant_key('btrigram', 'btrigram_reader', 'decrypt');
RESET client_min_messages;

-- The column has a twin in plaintext; one index has short tags, so that rows are found by chance too.
CREATE TABLE t (id integer, x steward.encrypted_text('btrigram/x'), p text);
CREATE INDEX t_x ON t USING blind (x steward.blind_trigram_ops) WITH (tag_bits = 12);

CREATE FUNCTION some_word() RETURNS text LANGUAGE sql AS $$
SELECT CASE (random() * 6)::integer
    WHEN 0 THEN (ARRAY['', 'a', 'ab', '%', '_', '\', 'a-b', 'Ünner', 'ÄÖ', 'straße', 'ΣΑΣ', 'İstanbul', '日本語', 'a1b2', '  ', 'x@y.example'])[1 + floor(random() * 16)::integer]
    WHEN 1 THEN (ARRAY['Love', 'lace', 'LOVE', 'ada', 'Turing', 'hopper', 'grace'])[1 + floor(random() * 7)::integer]
    ELSE substr('abcabcabdabeaabbcc', 1 + floor(random() * 14)::integer, 1 + floor(random() * 5)::integer) END
$$;
CREATE FUNCTION some_text() RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN random() < 0.05 THEN NULL ELSE some_word() || CASE WHEN random() < 0.6 THEN (ARRAY[' ', '', '-', '.', '  '])[1 + floor(random() * 5)::integer] || some_word() ELSE '' END || CASE WHEN random() < 0.3 THEN ' ' || some_word() ELSE '' END END
$$;
CREATE PROCEDURE fill(first integer, last integer) LANGUAGE sql AS $$
INSERT INTO t SELECT g, p, p FROM (SELECT g, some_text() AS p FROM generate_series(first, last) AS g OFFSET 0) AS v
$$;
CALL fill(1, 1500);
REINDEX TABLE t;
CALL fill(1501, 3000);
INSERT INTO t SELECT id, p, p FROM (VALUES (3001, ''), (3002, NULL), (3003, repeat('long ', 30000) || 'needle'), (3004, repeat('z', 100000)),
    (3005, (SELECT string_agg(md5(g::text), ' ') FROM generate_series(1, 3000) AS g))) AS v (id, p);
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
-- What a condition on x finds: by the plaintext, by the index, by a bitmap of it.
CREATE FUNCTION found(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text := 'SELECT count(*) || '' '' || coalesce(sum(id), 0) FROM t WHERE ';
    by_plain text;
    by_index text;
    by_bitmap text;
BEGIN
    EXECUTE query || regexp_replace(condition, '\mx (?=I?LIKE|IS|COLLATE)', 'p ', 'g') INTO by_plain;
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

-- ---- random patterns ----

CREATE FUNCTION some_pattern() RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN random() < 0.7 THEN '%' ELSE '' END || replace(some_word(), '\', '\\') || CASE (random() * 5)::integer WHEN 0 THEN '_' WHEN 1 THEN ' ' WHEN 2 THEN '%' || replace(some_word(), '\', '\\') ELSE '' END || CASE WHEN random() < 0.7 THEN '%' ELSE '' END
$$;
CREATE FUNCTION random_condition() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    condition text;
BEGIN
    FOR i IN 1 .. 1 + floor(random() * 2.3)::integer LOOP
        condition := concat_ws(' AND ', condition, 'x ' || CASE WHEN random() < 0.5 THEN 'LIKE ' ELSE 'ILIKE ' END || CASE WHEN random() < 0.8 THEN quote_literal(some_pattern())
            ELSE format('ANY (ARRAY[%L, %L, %L])', some_pattern(), some_pattern(), CASE WHEN random() < 0.8 THEN some_pattern() END) END);
    END LOOP;
    RETURN condition;
END
$$;
CREATE PROCEDURE try(many integer) LANGUAGE plpgsql AS $$
DECLARE
    rows_found bigint := 0;
BEGIN
    FOR i IN 1 .. many LOOP
        rows_found := rows_found + split_part(found(random_condition()), ' ', 1)::bigint;
    END LOOP;
    IF rows_found < many THEN
        RAISE EXCEPTION '% rows only', rows_found;
    END IF;
END
$$;
CALL try(400);

-- ---- certain patterns ----

SELECT count(*) FROM (VALUES
    ($$x LIKE ''$$), ($$x LIKE '%'$$), ($$x LIKE '%%'$$), ($$x LIKE '_'$$), ($$x LIKE 'a'$$), ($$x LIKE 'ab'$$), ($$x LIKE '%ab%'$$), ($$x LIKE '%abc%'$$), ($$x LIKE 'abc%'$$), ($$x LIKE '%abc'$$), ($$x LIKE '%abc %'$$), ($$x LIKE '% abc%'$$), ($$x LIKE 'Love lace'$$), ($$x ILIKE 'LOVE%LACE'$$),
    ($$x LIKE '%needle'$$), ($$x LIKE '%zzzz%'$$), ($$x LIKE '%\%%'$$), ($$x LIKE '%\_%'$$), ($$x LIKE '%\\%'$$), ($$x ILIKE '%STRASSE%'$$), ($$x ILIKE '%σας%'$$), ($$x ILIKE '%ünner%'$$), ($$x LIKE '%日本%'$$), ($$x LIKE '%x@y.ex%'$$), ($$x LIKE '%nowhere%'$$),
    ($$x LIKE NULL$$), ($$x LIKE NULL::text$$), ($$x IS NULL$$), ($$x IS NOT NULL$$), ($$x IS NULL AND x LIKE '%abc%'$$), ($$x IS NOT NULL AND x LIKE '%abc%'$$), ($$x LIKE '%love%' AND x LIKE '%lace%'$$), ($$x LIKE '%love%' AND x ILIKE '%nowhere%'$$), ($$x LIKE '%a%' AND x LIKE '%Turing%'$$),
    ($$x LIKE ANY ('{}'::text[])$$), ($$x LIKE ANY (NULL::text[])$$), ($$x LIKE ANY (ARRAY['%abc%', NULL])$$), ($$x LIKE ANY (ARRAY['%abc%', '%a%'])$$), ($$x LIKE ANY (ARRAY['%Love%', '%Turing%']) AND x LIKE '%lace%'$$), ($$x LIKE ANY (ARRAY['%Love%', '%Turing%']) AND x LIKE ANY (ARRAY['%e%', '%lace%'])$$),
    ($$x LIKE '%abc%' OR x ILIKE '%GRACE%'$$), ($$x LIKE '%' || repeat('long ', 2000) || '%'$$), ($$x LIKE '%3c59dc048e8850243be8079a5c74d079%'$$), ($$x LIKE '%ab!%%' ESCAPE '!'$$)
  ) AS v (condition), found(v.condition);
-- a pattern that ends in its escape is an error, or none where no text is like it so far
SELECT id FROM t WHERE x LIKE 'abc\';
SET enable_seqscan = off;
SELECT id FROM t WHERE x LIKE 'abc\';
-- other collations
SELECT found($$x LIKE '%abc%' COLLATE "C"$$) <> '0 0' AS found, found($$x ILIKE '%ABC%' COLLATE "C"$$) <> '0 0' AS found;
-- parameters
SET plan_cache_mode = force_generic_plan;
PREPARE like_it(text) AS SELECT count(*) FROM t WHERE x LIKE $1;
EXPLAIN (COSTS OFF) EXECUTE like_it('%abc%');
EXECUTE like_it('%needle%');
EXECUTE like_it(NULL);
EXECUTE like_it('%nowhere%');
RESET plan_cache_mode;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) FROM (VALUES ('%needle%'), ('%long long%'), (NULL), ('%zzz')) AS v (pattern) JOIN t ON t.x LIKE v.pattern;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_seqscan;

-- ---- rows that change ----

UPDATE t SET x = p WHERE id % 3 = 0 AND id < 3000;
UPDATE t SET x = v.b, p = v.b FROM (SELECT id AS a, some_text() AS b FROM t WHERE id % 7 = 0 OFFSET 0) AS v WHERE v.a = id;
DELETE FROM t WHERE id % 5 = 0;
BEGIN;
UPDATE t SET x = 'abc', p = 'abc' WHERE id < 100;
SELECT found($$x LIKE '%abc%'$$) <> '0 0' AS found;
ROLLBACK;
CALL try(60);
VACUUM t;
CALL try(60);
REINDEX INDEX CONCURRENTLY t_x;
VACUUM FULL t;
CALL try(60);
DROP INDEX t_x;
CREATE INDEX t_x ON t USING blind (x steward.blind_trigram_ops);
CALL try(60);
CREATE INDEX t_part ON t USING blind (x steward.blind_trigram_ops) WHERE id > 1000;
SELECT found($$x LIKE '%abc%' AND id > 1000$$) <> '0 0' AS found;

-- ---- erased values ----

CREATE TABLE e (id integer, who text, x steward.encrypted_text('btrigram/e.x'));
CREATE INDEX ON e USING blind (x steward.blind_trigram_ops);
SELECT steward.bind_subject('e', 'btrigram', 'who');
INSERT INTO e VALUES (1, 'ann', 'lovelace'), (2, 'ben', 'lovelace'), (3, 'cy', 'turing'), (4, 'ben', NULL);
SET enable_seqscan = off;
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x LIKE '%love%';
SET client_min_messages = error;
SELECT steward.shred_subject('btrigram', 'ben');
RESET client_min_messages;
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x LIKE '%love%';
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x LIKE '%';
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x IS NOT NULL;
REINDEX TABLE e;
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x LIKE '%love%';
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x LIKE '%';
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x IS NOT NULL;
SELECT plan_of($$SELECT id FROM e WHERE x LIKE '%love%'$$), plan_of('SELECT id FROM e WHERE x IS NOT NULL');

-- ---- rights ----

GRANT SELECT, INSERT ON t, e TO PUBLIC;
SET ROLE btrigram_reader;
SELECT string_agg(id::text, ' ' ORDER BY id) FROM e WHERE x LIKE '%love%';
SET ROLE btrigram_searcher;
SELECT plan_of($$SELECT id FROM e WHERE x LIKE '%love%'$$), plan_of('SELECT id FROM e WHERE x IS NOT NULL');
SELECT id FROM e WHERE x LIKE '%love%';
SELECT count(*) FROM e WHERE x IS NOT NULL;
INSERT INTO t VALUES (5000, 'written', 'written');
RESET ROLE;
SELECT found($$x LIKE 'writ%'$$);
RESET enable_seqscan;

-- ---- what there is not ----

CREATE INDEX bad ON t USING blind (x steward.blind_trigram_ops, x);
CREATE TABLE bad (x steward.encrypted_text('btrigram/bad'), EXCLUDE USING blind (x steward.blind_trigram_ops WITH =));
SET enable_seqscan = off;
SELECT plan_of($$SELECT id FROM t WHERE x NOT LIKE '%abc%'$$), plan_of($$SELECT id FROM t WHERE x = 'abc'$$);

SET client_min_messages = error;
RESET search_path;
DROP SCHEMA btrigram CASCADE;
CALL steward.finish_erasure();
DELETE FROM steward.subject_key WHERE kind = 'btrigram';
DROP OWNED BY btrigram_searcher, btrigram_reader;
DROP ROLE btrigram_searcher, btrigram_reader;
