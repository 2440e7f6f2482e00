-- Building a blind index: what it finds is what a table without it finds, whatever the
-- tags are, in memory and beyond.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA bbuild;
SET search_path = bbuild;
SELECT steward.create_key('bbuild');
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;

-- one: all differ; few: 7 values and NULL; same: a run over more leaves than build looks at together
CREATE TABLE t (id integer, one steward.encrypted_bigint('bbuild/one'), few steward.encrypted_bigint('bbuild/few'), same steward.encrypted_bigint('bbuild/same'));
INSERT INTO t SELECT g, g, nullif(g % 8, 0), 42 FROM generate_series(1, 40000) g;
-- dead rows are between those that live
DELETE FROM t WHERE id % 100 = 1;
UPDATE t SET few = 8 WHERE id % 1000 = 2;

-- How many rows each value is found in: by the index, or by reading the table.
CREATE FUNCTION found(OUT one text, OUT few text, OUT same text) LANGUAGE plpgsql AS $$
DECLARE
    value bigint;
BEGIN
    SELECT count(*) || ' ' || sum(s.id) INTO one FROM generate_series(1, 40100, 2003) g, LATERAL (SELECT id FROM t WHERE t.one = g) s;
    few := '';
    FOR value IN SELECT generate_series(0, 9) LOOP
        few := few || (SELECT count(*) || ' ' || coalesce(sum(id), 0) FROM t WHERE t.few = value) || ', ';
    END LOOP;
    few := few || (SELECT count(*) || ' ' || sum(id) FROM t WHERE t.few IS NULL);
    SELECT count(*) || ' ' || sum(id) INTO same FROM t WHERE t.same = 42;
END
$$;
CREATE TABLE expected AS SELECT * FROM found();
SELECT * FROM expected;

-- in memory
CREATE INDEX t_one ON t USING blind (one);
CREATE INDEX t_few ON t USING blind (few);
CREATE INDEX t_same ON t USING blind (same);
ANALYZE t;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM t WHERE same = 42;
SELECT f = e AS alike FROM found() f, expected e;
-- by several processes, where the server has them (17 on): as many entries, found alike
CREATE TABLE entries AS SELECT relname, reltuples FROM pg_catalog.pg_class WHERE relname IN ('t_one', 't_few', 't_same');
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
SET maintenance_work_mem = '128MB';
REINDEX TABLE t;
SELECT f = e AS alike FROM found() f, expected e;
SELECT e.relname, e.reltuples = c.reltuples AS alike FROM entries e JOIN pg_catalog.pg_class c USING (relname) ORDER BY 1;
CREATE INDEX t_all ON t USING blind (few, same, one) WITH (tag_bits = 64);
SELECT id FROM t WHERE few = 3 AND same = 42 AND one = 19;
DROP INDEX t_all;
CREATE INDEX t_part ON t USING blind (few) WHERE id <= 500;
SELECT reltuples BETWEEN 495 AND 500 AS some FROM pg_catalog.pg_class WHERE relname = 't_part';
DROP INDEX t_part;
CREATE INDEX CONCURRENTLY t_again ON t USING blind (one);
SELECT reltuples BETWEEN 39600 AND 39640 AS all FROM pg_catalog.pg_class WHERE relname = 't_again';
DROP INDEX t_again;
RESET min_parallel_table_scan_size;
RESET max_parallel_maintenance_workers;
-- beyond the memory
SET maintenance_work_mem = '1MB';
REINDEX TABLE t;
SELECT f = e AS alike FROM found() f, expected e;
-- with the least and the most of each storage parameter
SET client_min_messages = warning;
DROP INDEX t_one, t_few, t_same;
RESET client_min_messages;
CREATE INDEX t_one ON t USING blind (one) WITH (tag_bits = 8, fillfactor = 55);
CREATE INDEX t_few ON t USING blind (few) WITH (tag_bits = 8, fillfactor = 100);
CREATE INDEX t_same ON t USING blind (same) WITH (tag_bits = 64, fillfactor = 100);
SELECT f = e AS alike FROM found() f, expected e;
-- a full index takes more
INSERT INTO t SELECT g, g, nullif(g % 8, 0), 42 FROM generate_series(1, 2000) g;
DELETE FROM t WHERE ctid IN (SELECT max(ctid) FROM t GROUP BY id HAVING count(*) > 1);
DELETE FROM t WHERE id % 100 = 1;
SELECT f = e AS alike FROM found() f, expected e;
VACUUM t;
SELECT f = e AS alike FROM found() f, expected e;

-- several columns, of several keys, and 128 bits
DROP INDEX t_one, t_few, t_same;
CREATE INDEX t_all ON t USING blind (few, same, one) WITH (tag_bits = 64);
EXPLAIN (COSTS OFF) SELECT * FROM t WHERE few = 3 AND same = 42 AND one = 19;
SELECT id FROM t WHERE few = 3 AND same = 42 AND one = 19;
SELECT count(*) FROM t WHERE few = 3 AND same = 42 AND one = 20;
SELECT count(*) FROM t WHERE few IS NULL AND same = 42 AND one = 24;
SELECT f.few = e.few AS alike FROM found() f, expected e;
DROP INDEX t_all;

-- one entry a row, of the rows that a partial index is of
CREATE INDEX t_part ON t USING blind (few) WHERE id <= 500;
CREATE INDEX t_none ON t USING blind (few) WHERE id < 0;
SELECT relname, reltuples BETWEEN 495 AND 500 AS some, relpages FROM pg_catalog.pg_class WHERE relname IN ('t_part', 't_none') ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT count(*) FROM t WHERE few = 3 AND id <= 500;
SELECT count(*) FROM t WHERE few = 3 AND id <= 500;
SELECT count(*) FROM t WHERE few = 3 AND id < 0;
DROP INDEX t_part, t_none;

-- concurrently, and anew
CREATE INDEX CONCURRENTLY t_one ON t USING blind (one);
REINDEX INDEX CONCURRENTLY t_one;
SELECT f.one = e.one AS alike FROM found() f, expected e;
DROP INDEX t_one;

-- what does not fit and may not be written to disk is an error, and leaves nothing
SET temp_file_limit = 0;
\set VERBOSITY sqlstate
CREATE INDEX t_one ON t USING blind (one);
\set VERBOSITY terse
RESET temp_file_limit;
SELECT count(*) FROM pg_catalog.pg_ls_tmpdir();
SELECT pg_catalog.to_regclass('t_one');
SET maintenance_work_mem = '64MB';
SET temp_file_limit = 0;
CREATE INDEX t_one ON t USING blind (one);
RESET temp_file_limit;
SELECT f.one = e.one AS alike FROM found() f, expected e;
RESET maintenance_work_mem;

-- a table of few rows, of none, and of none any more
CREATE TABLE small (id integer, v steward.encrypted_text('bbuild/v'));
CREATE INDEX small_v ON small USING blind (v);
SELECT count(*) FROM small WHERE v = '';
INSERT INTO small VALUES (1, ''), (2, NULL), (3, repeat('x', 100000));
REINDEX INDEX small_v;
SELECT id FROM small WHERE v = '';
SELECT id FROM small WHERE v = repeat('x', 100000);
SELECT id FROM small WHERE v IS NULL;
TRUNCATE small;
SELECT count(*) FROM small WHERE v = '';
INSERT INTO small VALUES (4, '');
SELECT id FROM small WHERE v = '';
-- in the transaction that made the table
BEGIN;
TRUNCATE small;
INSERT INTO small SELECT g, g::text FROM generate_series(1, 300) g;
REINDEX TABLE small;
SELECT id FROM small WHERE v = '299';
ROLLBACK;
SELECT id FROM small WHERE v = '';

-- tables without WAL
CREATE TEMPORARY TABLE temporary (id integer, v steward.encrypted_text('bbuild/v'));
INSERT INTO temporary SELECT g, g::text FROM generate_series(1, 1000) g;
CREATE INDEX ON temporary USING blind (v);
SELECT id FROM temporary WHERE v = '777';
CREATE UNLOGGED TABLE unlogged (id integer, v steward.encrypted_text('bbuild/v'));
INSERT INTO unlogged SELECT g, g::text FROM generate_series(1, 1000) g;
CREATE INDEX unlogged_v ON unlogged USING blind (v);
SELECT id FROM unlogged WHERE v = '777';
-- for after a crash: a metapage and an empty leaf
SELECT pg_catalog.pg_relation_size('unlogged_v', 'init') / pg_catalog.current_setting('block_size')::integer AS pages;
ALTER TABLE unlogged SET LOGGED;
SELECT id FROM unlogged WHERE v = '777';

-- rows that exclude each other are found when the index is built
CREATE TABLE exclude (id integer, v steward.encrypted_text('bbuild/v'));
INSERT INTO exclude SELECT g, g::text FROM generate_series(1, 1000) g;
ALTER TABLE exclude ADD CONSTRAINT exclude_v EXCLUDE USING blind (v WITH =);
ALTER TABLE exclude DROP CONSTRAINT exclude_v;
INSERT INTO exclude VALUES (0, '1000');
\set VERBOSITY sqlstate
ALTER TABLE exclude ADD CONSTRAINT exclude_v EXCLUDE USING blind (v WITH =);
\set VERBOSITY terse

SET client_min_messages = warning;
DROP SCHEMA bbuild CASCADE;
