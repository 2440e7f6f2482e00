-- Blind indexes: every search by one gives what a sequential scan gives, for every type
-- and every way of asking; constraints; rights.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA blind;
SET search_path = blind;
SELECT steward.create_key('blind');
CREATE ROLE blind_owner;
CREATE ROLE blind_writer;
CREATE ROLE blind_searcher;
CREATE ROLE blind_reader;
GRANT ALL ON SCHEMA blind TO PUBLIC;
SELECT steward.grant_key('blind', 'blind_searcher', 'search');
SELECT steward.grant_key('blind', 'blind_reader', 'decrypt');
RESET client_min_messages;

-- The rows of a query by its index, by a bitmap of it, and by a sequential scan. What
-- comes back are the rows; anything else is an error.
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
CREATE FUNCTION rows_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ids text;
BEGIN
    EXECUTE 'SELECT coalesce(string_agg(id::text, '' '' ORDER BY id), ''none'') FROM (' || query || ') AS q' INTO ids;
    RETURN ids;
END
$$;
CREATE FUNCTION found(relation text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text := format('SELECT id FROM %s WHERE %s', relation, condition);
    by_scan text;
    by_index text;
    by_bitmap text;
BEGIN
    PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
    by_scan := rows_of(query);
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
    by_index := rows_of(query);
    -- of alternatives PostgreSQL makes bitmaps, and nothing of what is never true
    IF plan_of(query) !~ '(^|, )Index Scan|Bitmap Index Scan, Bitmap Index Scan|^$' THEN
        by_index := by_index || ', but by ' || plan_of(query);
    END IF;
    PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'on', true);
    by_bitmap := rows_of(query);
    IF plan_of(query) !~ 'Bitmap Index Scan|^$' THEN
        by_bitmap := by_bitmap || ', but by ' || plan_of(query);
    END IF;
    PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'on', true);
    RETURN CASE WHEN by_scan = by_index AND by_scan = by_bitmap THEN by_scan
        ELSE format('WRONG: scan %s; index %s; bitmap %s', by_scan, by_index, by_bitmap) END;
END
$$;

-- ---- every type, every equality ----

CREATE TABLE t (
    id integer, x steward.encrypted_text('blind/x'), b steward.encrypted_bytea('blind/b'), j steward.encrypted_jsonb('blind/j'), i steward.encrypted_bigint('blind/i'),
    n steward.encrypted_numeric('blind/n'), d steward.encrypted_date('blind/d'), ts steward.encrypted_timestamptz('blind/ts')
);
CREATE INDEX t_x ON t USING blind (x);
CREATE INDEX t_b ON t USING blind (b);
CREATE INDEX t_j ON t USING blind (j);
CREATE INDEX t_i ON t USING blind (i);
CREATE INDEX t_n ON t USING blind (n);
CREATE INDEX t_d ON t USING blind (d);
CREATE INDEX t_ts ON t USING blind (ts);
-- in an empty table
SELECT found('t', $$x = 'one'$$), found('t', 'i IS NULL'), found('t', 'n IN (1, 2)');
INSERT INTO t VALUES
    (1, 'one', '\x01', '{"a": 1.0, "b": [1, null]}', 5, 1.50, '2020-01-01', '2020-01-01 00:00+00'),
    (2, 'two', '\x02', '{"b": [1, null], "a": 1}', 5, 1.5, '2020-01-01', '2020-01-01 01:00+01'),
    (3, '', '', '{}', 0, 0, 'infinity', 'infinity'),
    (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 'one', '\x01', '[]', -9223372036854775808, 'NaN', '-infinity', '-infinity'),
    (6, 'One', '\x0100', '"x"', 9223372036854775807, 'Infinity', '4713-01-01 BC', '4714-11-24 00:00+00 BC'),
    (7, 'one ', '\x00', 'null', -1, '-Infinity', '1970-01-01', '1970-01-01 00:00:00.000001+00'),
    (8, repeat('long ', 3000), decode(repeat('00ff', 9000), 'hex'), to_jsonb(repeat('j', 20000)), 32768, 1e400, '5874897-12-31', '294276-12-31 23:59:59.999999+00'),
    (9, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (10, 'naïve', '\xff', 'true', 2147483648, 0.00000000000000000001, '2020-01-02', '2020-01-01 00:00:00.000001+00');
SELECT v.q, found('t', v.q) FROM (VALUES
    ($$x = 'one'$$), ($$x = 'one'::text$$), ($$'one'::text = x$$), ($$x = 'one'::varchar$$), ($$x = ''$$), ($$x = 'one '::text$$), ($$x = 'ONE'$$), ($$x = 'naïve'$$), ($$x = repeat('long ', 3000)$$),
    ($$x = (SELECT x FROM t WHERE id = 1)$$), ($$x = (SELECT 'one'::text::steward.encrypted_text('blind/other'))$$), ($$x = NULL$$), ($$x = NULL::text$$), ($$x IS NULL$$), ($$x IS NOT NULL$$),
    ($$x IN ('one', 'two')$$), ($$x IN ('one', 'one', 'one'::text)$$), ($$x IN ('', NULL, 'nowhere')$$), ($$x = ANY ('{}'::text[])$$), ($$x = ANY (NULL::text[])$$), ($$x = ANY ('{NULL,NULL}'::text[])$$),
    ($$x = ANY (ARRAY(SELECT x FROM t WHERE id IN (1, 3)))$$), ($$x = ANY (ARRAY(SELECT 'n' || g FROM generate_series(1, 2000) AS g) || 'two'::text)$$), ($$x = ANY ('{one,two,"",One}'::text[]) AND x = 'one'$$),
    ($$x = 'one' AND x = 'two'$$), ($$x = 'one' AND x IS NULL$$), ($$x IS NULL AND id > 4$$), ($$x = 'one' OR x = 'two' OR x IS NULL$$)) AS v (q);
SELECT v.q, found('t', v.q) FROM (VALUES
    ($$b = '\x01'$$), ($$b = '\x01'::bytea$$), ($$b = ''::bytea$$), ($$b = '\x0100'$$), ($$b = decode(repeat('00ff', 9000), 'hex')$$), ($$b IN ('\x00', '\xff')$$), ($$b IS NULL$$),
    ($$j = '{"a": 1, "b": [1, null]}'$$), ($$j = '{"a": 1.000, "b": [1.0, null]}'::jsonb$$), ($$j = '{}'$$), ($$j = 'null'$$), ($$j = '"x"'::jsonb$$), ($$j IN ('[]', 'true', '1')$$), ($$j IS NULL$$)) AS v (q);
SELECT v.q, found('t', v.q) FROM (VALUES
    ('i = 5'), ('i = 5::smallint'), ('i = 5::bigint'), ('i = 5::numeric'), ('i = 5.0'), ('i = 5.5'), ('i = 1e30'), ('i = -9223372036854775808'), ('i = 9223372036854775807'), ('i = 9223372036854775808'),
    ($$i = 'NaN'::numeric$$), ('5 = i'), ('i = 32768'), ('i = 2147483648'), ('i IN (5, 0, -1)'), ('i IN (5, 2147483648)'), ('i = ANY (ARRAY[5.0, 0.5])'), ($$i = ANY ('{5,NULL}'::int2[])$$), ($$i = '5'$$), ('i IS NULL'),
    ('n = 1.5'), ('n = 1.50000'), ('n = 0'), ('n = -0.0'), ('n = 5'), ($$n = 'NaN'$$), ($$n = 'NaN'::numeric$$), ($$n = 'Infinity'$$), ('n = 1e400'), ('n = 0.00000000000000000001'), ('n IN (1.5, 0, NULL)'), ('n IS NULL')) AS v (q);
SELECT v.q, found('t', v.q) FROM (VALUES
    ($$d = '2020-01-01'$$), ($$d = '2020-01-01'::date$$), ($$d = 'infinity'$$), ($$d IN ('-infinity', '1970-01-01')$$), ($$d = '4713-01-01 BC'$$), ($$d = '5874897-12-31'$$), ('d IS NULL'),
    ($$ts = '2020-01-01 00:00+00'$$), ($$ts = '2020-01-01 03:00+03'::timestamptz$$), ($$ts = 'infinity'$$), ($$ts IN ('-infinity', '1970-01-01 00:00+00')$$), ($$ts = '1970-01-01 00:00:00.000001+00'$$), ('ts IS NULL')) AS v (q);
-- what has no index of it looks elsewhere, and what decrypts is no search
SELECT plan_of($$SELECT id FROM t WHERE x <> 'one'$$) = 'Seq Scan' AND plan_of($$SELECT id FROM t WHERE x > 'one'$$) = 'Seq Scan' AND plan_of($$SELECT id FROM t WHERE x::text = 'one'$$) = 'Seq Scan' AS elsewhere;

-- joins, parameters, cursors, and writing by the index
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT string_agg(w.id || '-' || t.id, ' ' ORDER BY w.id, t.id) AS joined FROM (VALUES (1, 'one'), (2, 'two'), (3, NULL), (4, '')) AS w (id, word) JOIN t ON t.x = w.word;
SELECT string_agg(a.id || '-' || b.id, ' ' ORDER BY a.id, b.id) AS joined FROM t AS a JOIN t AS b ON b.i = a.i;
SELECT string_agg(w.id || '-' || coalesce(t.id::text, ''), ' ' ORDER BY w.id, t.id) AS joined FROM (VALUES (1, 5::numeric), (2, 0.5), (3, -1)) AS w (id, n) LEFT JOIN t ON t.i = w.n;
SET plan_cache_mode = force_generic_plan;
PREPARE by_x(text) AS SELECT id FROM t WHERE x = $1 ORDER BY id;
EXECUTE by_x('one');
EXECUTE by_x('none');
EXECUTE by_x(NULL);
PREPARE by_many(bigint[]) AS SELECT id FROM t WHERE i = ANY ($1) ORDER BY id;
EXECUTE by_many('{5,-1,5}');
EXECUTE by_many(NULL);
RESET plan_cache_mode;
SET enable_bitmapscan = off;
DO $$
DECLARE
    c SCROLL CURSOR FOR SELECT id FROM t WHERE x IN ('one', 'two', '');
    one record;
    forwards integer[];
    backwards integer[];
BEGIN
    OPEN c;
    LOOP
        FETCH NEXT FROM c INTO one;
        EXIT WHEN NOT FOUND;
        forwards := forwards || one.id;
    END LOOP;
    LOOP
        FETCH PRIOR FROM c INTO one;
        EXIT WHEN NOT FOUND;
        backwards := one.id || backwards;
    END LOOP;
    RAISE NOTICE '% rows, the same backwards: %', cardinality(forwards), forwards = backwards;
END
$$;
BEGIN;
UPDATE t SET x = 'changed' WHERE x = 'one';
SELECT found('t', $$x = 'one'$$), found('t', $$x = 'changed'$$);
SAVEPOINT s;
UPDATE t SET x = 'again' WHERE x = 'changed' AND id = 1;
SELECT found('t', $$x = 'changed'$$), found('t', $$x = 'again'$$);
ROLLBACK TO s;
DELETE FROM t WHERE x = 'changed' AND id = 5;
SELECT found('t', $$x = 'changed'$$), found('t', $$x = 'again'$$);
SELECT id FROM t WHERE x = 'changed' FOR UPDATE;
ROLLBACK;
SELECT found('t', $$x = 'one'$$), found('t', $$x IN ('changed', 'again')$$);
RESET ALL;
SET search_path = blind;

-- ---- columns together ----

CREATE TABLE m (id integer, c steward.encrypted_text('blind/m.c'), n steward.encrypted_bigint('blind/m.n'), d steward.encrypted_date('blind/m.d'));
INSERT INTO m SELECT g, nullif('c' || g % 3, 'c2'), nullif(g % 4, 3), CASE WHEN g % 5 > 0 THEN '2020-01-01'::date + g % 5 END FROM generate_series(1, 60) AS g;
CREATE INDEX m_all ON m USING blind (c, n, d);
SELECT v.q, found('m', v.q) FROM (VALUES
    ($$c = 'c1'$$), ($$c = 'c1' AND n = 2$$), ($$c = 'c1' AND n = 2 AND d = '2020-01-03'$$), ($$c = 'c0' AND d = '2020-01-02'$$), ($$c IN ('c0', 'c1') AND n IN (0, 1) AND d = '2020-01-02'$$),
    ($$c IS NULL AND n = 1$$), ($$c IS NULL AND n IS NULL AND d IS NULL$$), ($$c = 'c1' AND n IS NULL$$), ($$c = 'c1' AND n IS NOT NULL AND d IS NULL$$), ($$c IS NULL AND n IN (1, 2) AND d = '2020-01-02'::date$$),
    ($$c = 'c9' AND n = 1$$), ($$c = 'c1' AND n = 1.5$$), ($$c = 'c1' AND n = NULL$$), ($$c = NULL AND n = 1$$)) AS v (q);
-- the same value in two columns of one index, or in two indexes
CREATE TABLE twice (id integer, a steward.encrypted_text('blind/twice'), b steward.encrypted_text('blind/twice'));
INSERT INTO twice VALUES (1, 'v', 'v'), (2, 'v', 'w'), (3, 'w', 'v'), (4, NULL, 'v');
CREATE INDEX twice_ab ON twice USING blind (a, b);
SELECT found('twice', $$a = 'v' AND b = 'v'$$), found('twice', $$a = 'v' AND b = 'w'$$), found('twice', $$a = 'w'$$), found('twice', $$a IS NULL AND b = 'v'$$);

-- ---- a part of the rows ----

CREATE TABLE p (id integer, c steward.encrypted_text('blind/p.c'), live boolean);
CREATE INDEX p_live ON p USING blind (c) WHERE live;
INSERT INTO p SELECT g, 'c' || g % 5, g % 2 = 0 FROM generate_series(1, 30) AS g;
SELECT found('p', $$live AND c = 'c1'$$);
UPDATE p SET live = NOT live;
SELECT found('p', $$live AND c = 'c1'$$);
CREATE INDEX p_null ON p USING blind (c) WHERE c IS NOT NULL AND NOT live;
SELECT found('p', $$NOT live AND c = 'c2'$$);

-- ---- tables of other kinds, and what is done to whole tables ----

CREATE TEMP TABLE tmp (id integer, c steward.encrypted_text('blind/tmp'));
CREATE INDEX ON tmp USING blind (c) WITH (fillfactor = 80);
INSERT INTO tmp SELECT g, 'c' || g % 100 FROM generate_series(1, 3000) AS g;
SELECT found('tmp', $$c = 'c7' AND id < 400$$);
CREATE UNLOGGED TABLE ulog (id integer, c steward.encrypted_text('blind/ulog'));
CREATE INDEX ON ulog USING blind (c) WITH (tag_bits = 8);
INSERT INTO ulog SELECT g, 'c' || g % 500 FROM generate_series(1, 3000) AS g;
SELECT found('ulog', $$c = 'c7'$$), found('ulog', $$c IN ('c8', 'none')$$);
ALTER TABLE ulog SET LOGGED;
SELECT found('ulog', $$c = 'c7'$$);
DELETE FROM ulog WHERE id % 2 = 1;
VACUUM ulog;
SELECT found('ulog', $$c = 'c7'$$), found('ulog', $$c = 'c8'$$);
INSERT INTO ulog SELECT g, 'c' || g % 500 FROM generate_series(3001, 4000) AS g;
SELECT found('ulog', $$c = 'c7'$$);
REINDEX TABLE ulog;
REINDEX INDEX CONCURRENTLY ulog_c_idx;
SELECT found('ulog', $$c = 'c7'$$);
VACUUM FULL ulog;
SELECT found('ulog', $$c = 'c8'$$);
TRUNCATE ulog;
SELECT found('ulog', $$c = 'c8'$$);
INSERT INTO ulog VALUES (1, 'c8');
SELECT found('ulog', $$c = 'c8'$$);
CREATE INDEX CONCURRENTLY ON m USING blind (d);
SELECT found('m', $$d = '2020-01-02' AND id < 20$$);
CREATE TABLE parted (id integer, c steward.encrypted_text('blind/parted')) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (10);
CREATE INDEX ON parted USING blind (c);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT g, 'c' || g % 4 FROM generate_series(1, 19) AS g;
SELECT found('parted', $$c = 'c3'$$), found('parted', $$c IN ('c1', 'c2') AND id > 9$$);
CREATE INDEX bad ON m USING blind (c) WITH (tag_bits = 7);
CREATE INDEX bad ON m USING blind (c) WITH (tag_bits = 65);
CREATE INDEX bad ON m USING blind (c) WITH (pages_per_range = 1);

-- ---- keys ----

CREATE TABLE k (id integer, c steward.encrypted_text('blind/k.c'));
CREATE INDEX k_c ON k USING blind (c);
INSERT INTO k SELECT g, 'c' || g % 10 FROM generate_series(1, 40) AS g;
SELECT steward.rotate_key('blind');
INSERT INTO k VALUES (41, 'c1');
SELECT found('k', $$c = 'c1'$$);
CALL steward.reencrypt('k');
SELECT found('k', $$c = 'c1'$$);
SELECT steward.create_key('blind_other');
ALTER TABLE k ALTER COLUMN c TYPE steward.encrypted_text('blind_other/k.c');
INSERT INTO k VALUES (42, 'c1');
SELECT found('k', $$c = 'c1'$$);
ALTER TABLE k ADD COLUMN more text DEFAULT 'x';
ALTER TABLE k RENAME COLUMN c TO cc;
SELECT found('k', $$cc = 'c1'$$);

-- ---- erased values: found by no search, in nobody's way ----

CREATE TABLE e (id integer, who text, c steward.encrypted_text('blind/e.c'));
CREATE INDEX ON e USING blind (c);
SELECT steward.bind_subject('e', 'blind', 'who');
INSERT INTO e VALUES (1, 'ann', 'same'), (2, 'ben', 'same'), (3, 'cy', 'other'), (4, 'ben', NULL);
SELECT found('e', $$c = 'same'$$);
SET client_min_messages = error;
SELECT steward.shred_subject('blind', 'ben');
RESET client_min_messages;
SELECT found('e', $$c = 'same'$$), found('e', 'c IS NULL'), found('e', 'c IS NOT NULL');
CREATE INDEX e_later ON e USING blind (c);
DROP INDEX e_c_idx;
SELECT found('e', $$c = 'same'$$), found('e', 'c IS NULL'), found('e', $$c IN ('same', 'other')$$);
SELECT found('e', $$c = (SELECT c FROM blind.e WHERE id = 2)$$);
VACUUM FULL e;
SELECT found('e', $$c = 'same'$$);
UPDATE e SET id = id WHERE id = 3;
SELECT found('e', $$c = 'other'$$);

-- ---- EXCLUDE ----

CREATE TABLE u (id integer, c steward.encrypted_text('blind/u.c'), n steward.encrypted_bigint('blind/u.n'), CONSTRAINT u_c EXCLUDE USING blind (c WITH =));
GRANT ALL ON u TO blind_writer;
INSERT INTO u VALUES (1, 'one'), (2, 'two'), (3, NULL), (4, NULL), (5, ''), (6, 'One');
INSERT INTO u VALUES (7, 'one');
INSERT INTO u VALUES (7, '');
INSERT INTO u VALUES (7, 'seven'), (8, 'seven');
INSERT INTO u VALUES (7, 'seven'), (8, 'eight');
UPDATE u SET c = 'one' WHERE id = 2;
UPDATE u SET c = 'one' WHERE id = 1;
UPDATE u SET c = c::text || '!' WHERE c IS NOT NULL;
SELECT string_agg(c::text, ' ' ORDER BY id) FROM u;
-- whoever may write needs no right to search
SET ROLE blind_writer;
INSERT INTO u VALUES (9, 'nine');
INSERT INTO u VALUES (10, 'nine');
INSERT INTO u VALUES (10, 'nine') ON CONFLICT DO NOTHING;
INSERT INTO u VALUES (10, 'nine') ON CONFLICT ON CONSTRAINT u_c DO NOTHING;
INSERT INTO u VALUES (10, 'nine') ON CONFLICT (c) DO NOTHING;
INSERT INTO u VALUES (10, 'nine') ON CONFLICT ON CONSTRAINT u_c DO UPDATE SET id = 10;
UPDATE u SET c = 'nine' WHERE id = 8;
RESET ROLE;
SELECT count(*) FROM u;
-- what is gone, or was never there, is in nobody's way
BEGIN;
DELETE FROM u WHERE id = 9;
INSERT INTO u VALUES (11, 'nine');
SAVEPOINT s;
INSERT INTO u VALUES (12, 'twelve');
ROLLBACK TO s;
INSERT INTO u VALUES (12, 'twelve');
INSERT INTO u VALUES (13, 'twelve');
ROLLBACK;
INSERT INTO u VALUES (13, 'twelve');
-- checked at the end, where that is wanted
CREATE TABLE later (id integer, c steward.encrypted_text('blind/later'), EXCLUDE USING blind (c WITH =) DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO later VALUES (1, 'a'), (2, 'a');
UPDATE later SET c = 'b' WHERE id = 2;
COMMIT;
BEGIN;
INSERT INTO later VALUES (3, 'a');
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
BEGIN;
UPDATE later SET c = CASE id WHEN 1 THEN 'b' ELSE 'a' END;
COMMIT;
BEGIN;
INSERT INTO later VALUES (3, 'a');
COMMIT;
SELECT string_agg(id || c::text, ' ' ORDER BY id) FROM later;
-- of two columns, and of some rows
CREATE TABLE pair (id integer, c steward.encrypted_text('blind/pair.c'), n steward.encrypted_bigint('blind/pair.n'), live boolean, EXCLUDE USING blind (c WITH =, n WITH =) WHERE (live));
INSERT INTO pair VALUES (1, 'a', 1, true), (2, 'a', 2, true), (3, 'b', 1, true), (4, 'a', 1, false), (5, 'a', NULL, true), (6, 'a', NULL, true), (7, NULL, 1, true), (8, NULL, 1, true);
INSERT INTO pair VALUES (9, 'a', 1, true);
UPDATE pair SET live = true WHERE id = 4;
INSERT INTO pair VALUES (9, 'b', 2, true);
-- over rows that are there
INSERT INTO later VALUES (5, 'five'), (6, 'six');
ALTER TABLE m ADD EXCLUDE USING blind (c WITH =);
ALTER TABLE later ADD CONSTRAINT later_too EXCLUDE USING blind (c WITH =);
INSERT INTO later VALUES (7, 'six');
-- a new key version and a rewrite leave it as it is
SELECT steward.rotate_key('blind');
CALL steward.reencrypt('u');
INSERT INTO u VALUES (14, 'twelve');
VACUUM FULL u;
REINDEX TABLE u;
INSERT INTO u VALUES (14, 'twelve');
SELECT found('u', $$c = 'twelve'$$), found('u', $$c IN ('one!', 'nine')$$), found('u', 'c IS NULL');

-- ---- rights: those who search need one, those who write do not ----

CREATE TABLE r (id integer, c steward.encrypted_text('blind/r.c'));
CREATE INDEX r_c ON r USING blind (c);
CREATE TABLE r_empty (id integer, c steward.encrypted_text('blind/r.c'));
CREATE INDEX ON r_empty USING blind (c);
GRANT SELECT, INSERT, UPDATE, DELETE ON r, r_empty TO blind_writer, blind_searcher, blind_reader;
SET ROLE blind_writer;
SET enable_seqscan = off;
INSERT INTO r SELECT g, 'c' || g FROM generate_series(1, 20) AS g;
UPDATE r SET id = id WHERE id = 3;
DELETE FROM r WHERE id = 20;
SELECT count(*) FROM r WHERE c = 'c3';
SELECT count(*) FROM r WHERE c IN ('c3', 'c4');
SELECT count(*) FROM r WHERE c = 'nowhere'::text;
SELECT count(*) FROM r_empty WHERE c = 'c3';
SET enable_bitmapscan = off;
SELECT count(*) FROM r WHERE c = 'c3';
SELECT count(*) FROM r_empty WHERE c = 'c3';
SELECT count(*) FROM r AS a JOIN r AS b ON a.c = b.c;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM r WHERE c = 'c3';
FETCH c;
ROLLBACK;
UPDATE r SET id = 0 WHERE c = 'c3';
DELETE FROM r WHERE c = 'c3';
RESET ROLE;
SET ROLE blind_searcher;
SELECT id FROM r WHERE c = 'c3';
SELECT id FROM r WHERE c IN ('c3', 'c4') ORDER BY id;
SELECT c::text FROM r WHERE c = 'c3';
RESET ROLE;
SET ROLE blind_reader;
SELECT c::text FROM r WHERE c = 'c3';
PREPARE by_c(text) AS SELECT id FROM r WHERE c = $1;
EXECUTE by_c('c3');
RESET ROLE;
SELECT steward.revoke_key('blind', 'blind_reader', 'decrypt');
SET ROLE blind_reader;
EXECUTE by_c('c3');
EXECUTE by_c('nowhere');
RESET ROLE;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- what compares nothing needs no right, whatever the planner takes for it
CREATE TABLE r_more (id integer, a steward.encrypted_text('blind/r.a'), b steward.encrypted_text('blind/r.b'));
INSERT INTO r_more SELECT g, nullif('a' || g % 4, 'a0'), 'b' || g FROM generate_series(1, 20) AS g;
CREATE INDEX ON r_more USING blind (a, b);
CREATE INDEX ON r_more USING blind (b) WHERE id > 15;
GRANT SELECT ON r_more TO blind_writer;
SET ROLE blind_writer;
SET enable_seqscan = off;
SELECT count(*) FROM r WHERE c IS NULL;
SELECT count(*) FROM r WHERE c IS NOT NULL;
SELECT id FROM r_more WHERE a IS NULL ORDER BY id;
SELECT id FROM r_more WHERE id > 15 ORDER BY id;
SELECT id FROM r_more WHERE a IS NULL AND a = 'a1';
RESET enable_seqscan;
RESET ROLE;
-- a definer searches with its own right
CREATE FUNCTION lookup(word text) RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = blind, pg_temp SET enable_seqscan = off AS 'SELECT id FROM r WHERE c = word';
ALTER FUNCTION lookup OWNER TO blind_searcher;
SET ROLE blind_writer;
SELECT lookup('c5');
RESET ROLE;

-- ---- without the right, no error tells what is there, nor does one with it ----

SELECT id FROM t WHERE x = steward.encrypt_text('one', 'blind/x') ORDER BY id;
SELECT id FROM t WHERE x = 'stw1:broken';
SELECT id FROM t WHERE i = 'not a number';

-- ---- what is logged: one record a row, beside the table's ----

CREATE TABLE logged (x steward.encrypted_text('blind/x'));
CREATE INDEX ON logged USING blind (x);
INSERT INTO logged SELECT 'first ' || g FROM generate_series(1, 100) AS g;
CREATE FUNCTION records(command text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE line text; found integer;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || command LOOP
        found := COALESCE(found, substring(line FROM 'WAL: records=(\d+)')::integer);
    END LOOP;
    RETURN found;
END
$$;
SELECT records($$INSERT INTO logged SELECT 'more ' || g FROM generate_series(1, 100) AS g$$) BETWEEN 200 AND 210 AS one_a_row;

-- ---- in a database of another encoding, searches are by the same bytes ----

\set home :DBNAME
CREATE DATABASE blind_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
\c blind_latin1
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
SELECT steward.create_key('latin1');
CREATE TABLE t (id integer, x steward.encrypted_text('latin1/x'), j steward.encrypted_jsonb('latin1/j'));
INSERT INTO t VALUES (1, 'Grüße', '{"ü": "ß", "ab": 1.0}'), (2, 'Grusse', '{"u": "ss"}'), (3, '', '{}');
CREATE INDEX ON t USING blind (x);
CREATE INDEX ON t USING blind (j);
INSERT INTO t VALUES (4, 'Grüße', '{"ab": 1, "ü": "ß"}');
SET enable_seqscan = off;
SELECT id FROM t WHERE x = 'Grüße' ORDER BY id;
SELECT id FROM t WHERE x = ANY ('{Grüße,""}'::text[]) ORDER BY id;
SELECT id FROM t WHERE j = '{"ü": "ß", "ab": 1.00}'::jsonb ORDER BY id;
\c :home
DROP DATABASE blind_latin1;

RESET search_path;
SET client_min_messages = error;
DROP SCHEMA blind CASCADE;
DROP OWNED BY blind_owner, blind_writer, blind_searcher, blind_reader;
DROP ROLE blind_owner, blind_writer, blind_searcher, blind_reader;
-- erasures are of the whole database: leave none for other tests
CALL steward.finish_erasure();
DELETE FROM steward.subject_key WHERE kind = 'blind';
