-- An error while a plaintext is open leaves none of it in memory.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA memory;
SET search_path = memory;
SELECT steward.create_key('memory');
RESET client_min_messages;
CREATE TABLE t (id integer, c steward.encrypted_text('memory/t.c'));
INSERT INTO t VALUES (1, repeat('a', 1000)), (2, repeat('b', 1000));
-- a third one of the same length that cannot be opened: it was changed in one place
CREATE FUNCTION changed(steward.encrypted_text) RETURNS steward.encrypted_text LANGUAGE sql
    AS $$ SELECT steward.encrypted_text_in(overlay(a placing CASE WHEN substr(a, 80, 1) = 'A' THEN 'B' ELSE 'A' END from 80)::cstring, 0, -1) FROM (SELECT steward.encrypted_text_out($1)::text AS a) AS s $$;
INSERT INTO t SELECT 3, changed(c) FROM t WHERE id = 2;
CREATE FUNCTION in_use() RETURNS bigint LANGUAGE sql
    AS $$ SELECT used_bytes FROM pg_backend_memory_contexts WHERE name = 'pg_steward plaintext' $$;
SELECT a.c = b.c AS equal FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 2;
-- what stays are zeroed blocks for the next short ones
SELECT 'short'::text::steward.encrypted_text = 'other'::text::steward.encrypted_text AS equal;
-- small blocks are kept for the next comparison, zeroed
SELECT a < b AS less FROM (SELECT 'a'::text::steward.encrypted_text('memory/t.c') AS a, 'b'::text::steward.encrypted_text('memory/t.c') AS b OFFSET 0) AS s;
SELECT in_use() AS before \gset
SELECT a.c = b.c AS equal FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 3;
SELECT in_use() - :before AS left_by_equal;
SELECT a.c < b.c AS less FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 3;
SELECT in_use() - :before AS left_by_less;
SELECT c::text FROM t WHERE id = 3;
SELECT steward.encrypted_text_hash(c) FROM t WHERE id = 3;
SELECT in_use() - :before AS left_by_hash;
-- caught by a block with an exception handler: gone before the transaction ends
CREATE FUNCTION caught() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM a.c < b.c FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 3;
    RETURN NULL;
EXCEPTION WHEN data_corrupted THEN
    RETURN in_use();
END
$$;
SELECT caught() - :before AS left_by_caught;
-- ANALYZE goes on when a value cannot be opened
INSERT INTO t SELECT 4, changed('short'::text::steward.encrypted_text('memory/t.c'));
BEGIN;
ANALYZE t;
SELECT in_use() - :before AS left_by_analyze;
COMMIT;
-- sorting many values that do not lie in the row
INSERT INTO t SELECT g, repeat(md5(g::text), 100) FROM generate_series(10, 200) AS g;
SELECT array_agg(id ORDER BY c) = array_agg(id ORDER BY c::text) AS same_order FROM t WHERE id >= 10;
SELECT count(*) FROM t AS a JOIN t AS b ON a.c = b.c WHERE a.id >= 10 AND b.id >= 10;
DROP SCHEMA memory CASCADE;
