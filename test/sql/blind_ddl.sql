-- What is done to tables with blind indexes of every class: typed, inherited and partitioned
-- tables, dropped columns, another key, rewrites, constraints. Indexes stay right, or an error
-- says what to do.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA bddl;
SET search_path = bddl;
SELECT steward.create_key('bddl');
SELECT steward.create_key('bddl_other');
RESET client_min_messages;

-- All blind indexes here, checked with their rows; what is wrong.
CREATE FUNCTION faults() RETURNS TABLE (index regclass, fault text) LANGUAGE plpgsql AS $$
BEGIN
    FOR index IN SELECT c.oid FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam AND a.amname = 'blind' WHERE c.relkind = 'i' AND c.relnamespace = 'bddl'::regnamespace ORDER BY c.relname LOOP
        BEGIN
            PERFORM steward.blind_index_check(index, true);
        EXCEPTION WHEN OTHERS THEN
            fault := SQLERRM;
            RETURN NEXT;
        END;
    END LOOP;
END
$$;
-- Counts by indexes of what each table here has of rows 5 to 14.
CREATE FUNCTION counts(relation text) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    c bigint;
    n bigint;
    x bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s WHERE c = ANY (ARRAY(SELECT ''c'' || g FROM generate_series(5, 14) AS g))', relation) INTO c;
    EXECUTE format('SELECT count(*) FROM %s WHERE n BETWEEN 5 AND 14', relation) INTO n;
    EXECUTE format('SELECT count(*) FROM %s WHERE x LIKE ''%%word000_''', relation) INTO x;
    RETURN concat_ws(' ', c, n, x);
END
$$;
CREATE PROCEDURE fill(relation text, first integer, last integer) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %s (id, c, n, x) SELECT g, ''c'' || g, g, ''a word'' || lpad(g::text, 4, ''0'') FROM generate_series(%s, %s) AS g', relation, first, last);
END
$$;
CREATE PROCEDURE make_indexes(relation text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE INDEX %1$s_c ON %1$s USING blind (c)', relation);
    EXECUTE format('CREATE INDEX %1$s_n ON %1$s USING blind (n steward.blind_bigint_range_ops) WITH (range_tags = 8)', relation);
    EXECUTE format('CREATE INDEX %1$s_x ON %1$s USING blind (x steward.blind_trigram_ops)', relation);
END
$$;

-- ---- dropped columns before the indexed ones, added ones, rewrites, another order ----

CREATE TABLE a (one text, id integer, c steward.encrypted_text('bddl/a.c'), two text, n steward.encrypted_bigint('bddl/a.n'), x steward.encrypted_text('bddl/a.x'));
ALTER TABLE a DROP COLUMN one;
CALL make_indexes('a');
CREATE INDEX a_all ON a USING blind (n, c, x) WITH (tag_bits = 20);
CALL fill('a', 1, 1000);
ALTER TABLE a DROP COLUMN two;
ALTER TABLE a ADD COLUMN three integer DEFAULT 3;
ALTER TABLE a ADD COLUMN four double precision DEFAULT random();
SELECT counts('a');
CREATE INDEX a_id ON a (id);
CLUSTER a USING a_id;
ALTER TABLE a ALTER COLUMN id TYPE bigint;
ALTER TABLE a RENAME TO b;
ALTER TABLE b RENAME COLUMN c TO cc;
ALTER TABLE b RENAME COLUMN cc TO c;
ALTER INDEX a_c RENAME TO b_c;
ALTER TABLE b SET UNLOGGED;
CALL fill('b', 1001, 1100);
ALTER TABLE b SET LOGGED;
CREATE SCHEMA bddl_more;
ALTER TABLE b SET SCHEMA bddl_more;
ALTER TABLE bddl_more.b SET SCHEMA bddl;
DROP SCHEMA bddl_more;
VACUUM FULL b;
SELECT counts('b');
SELECT * FROM faults();

-- ---- another key, or another type, builds anew ----

ALTER TABLE b ALTER COLUMN c TYPE steward.encrypted_text('bddl_other/b.c'), ALTER COLUMN n TYPE steward.encrypted_bigint('bddl_other/b.n');
SELECT index, "column", key FROM steward.blind_index_secrets() WHERE index::text LIKE '%b\_c' OR index::text LIKE '%a\_all' ORDER BY 1, 2;
CALL fill('b', 2001, 2010);
SELECT counts('b');
SELECT * FROM faults();
-- of a class for another type there is no index; nothing is lost by trying
ALTER TABLE b ALTER COLUMN n TYPE steward.encrypted_numeric('bddl/b.n') USING (n::bigint)::numeric;
SELECT counts('b');
DROP INDEX a_n, a_all;
ALTER TABLE b ALTER COLUMN n TYPE steward.encrypted_numeric('bddl/b.n') USING (n::bigint)::numeric;
CREATE INDEX b_n ON b USING blind (n steward.blind_numeric_range_ops);
SELECT counts('b');
-- a column goes with its indexes
ALTER TABLE b DROP COLUMN x;
SELECT to_regclass('a_x') IS NULL AS gone;
-- a key cannot go while it is in use, nor can its version
SELECT steward.rotate_key('bddl');
SELECT steward.destroy_key_version('bddl', 1);

-- ---- typed tables and heirs ----

CREATE TYPE row_type AS (id integer, c steward.encrypted_text('bddl/r.c'), n steward.encrypted_bigint('bddl/r.n'), x steward.encrypted_text('bddl/r.x'));
CREATE TABLE typed OF row_type;
CALL make_indexes('typed');
CALL fill('typed', 1, 100);
SELECT counts('typed');
CREATE TABLE parent (id integer, c steward.encrypted_text('bddl/p.c'), n steward.encrypted_bigint('bddl/p.n'), x steward.encrypted_text('bddl/p.x'));
CREATE TABLE heir (more text) INHERITS (parent);
CALL make_indexes('parent');
CALL make_indexes('heir');
CALL fill('parent', 1, 100);
CALL fill('heir', 1, 100);
SELECT counts('parent'), counts('ONLY parent'), counts('heir');
ALTER TABLE parent ALTER COLUMN c TYPE steward.encrypted_text('bddl_other/p.c');
SELECT counts('parent'), counts('ONLY parent'), counts('heir');
CREATE TABLE alike (LIKE parent INCLUDING ALL);
SELECT count(*) FROM pg_index WHERE indrelid = 'alike'::regclass;

-- ---- partitions with columns in another order ----

CREATE TABLE parts (id integer, c steward.encrypted_text('bddl/s.c'), n steward.encrypted_bigint('bddl/s.n'), x steward.encrypted_text('bddl/s.x')) PARTITION BY RANGE (id);
CREATE TABLE part_1 (gone integer, x steward.encrypted_text('bddl/s.x'), n steward.encrypted_bigint('bddl/s.n'), id integer, c steward.encrypted_text('bddl/s.c'));
ALTER TABLE part_1 DROP COLUMN gone;
CALL make_indexes('part_1');
CALL fill('part_1', 1, 9);
CREATE INDEX parts_c ON ONLY parts USING blind (c);
CREATE INDEX parts_n ON parts USING blind (n steward.blind_bigint_range_ops);
ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES FROM (1) TO (10);
SELECT inhrelid::regclass AS of_partition, inhparent::regclass AS of_table FROM pg_inherits WHERE inhparent IN ('parts_c'::regclass, 'parts_n'::regclass) ORDER BY 2, 1;
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (100);
CREATE INDEX part_2_x ON part_2 USING blind (x steward.blind_trigram_ops);
CALL fill('parts', 10, 99);
SELECT counts('parts'), counts('part_1'), counts('part_2');
UPDATE parts SET id = id + 50 WHERE n BETWEEN 8 AND 9;
SELECT counts('parts'), counts('part_1'), counts('part_2');
ALTER TABLE parts DETACH PARTITION part_1;
SELECT counts('parts'), counts('part_1');
CREATE TABLE part_3 (id integer, c steward.encrypted_text('bddl_other/s.c'), n steward.encrypted_bigint('bddl/s.n'), x steward.encrypted_text('bddl/s.x'));
ALTER TABLE parts ATTACH PARTITION part_3 FOR VALUES FROM (1) TO (10);
SELECT * FROM faults();

-- ---- what only a unique index can do, and what an exclusion constraint does ----

CREATE TABLE once (id integer, c steward.encrypted_text('bddl/once.c'), CONSTRAINT once_c EXCLUDE USING blind (c WITH =));
INSERT INTO once VALUES (1, 'a'), (2, 'b');
INSERT INTO once VALUES (3, 'a') ON CONFLICT DO NOTHING;
INSERT INTO once VALUES (3, 'a') ON CONFLICT ON CONSTRAINT once_c DO NOTHING;
INSERT INTO once VALUES (3, 'a') ON CONFLICT (c) DO NOTHING;
INSERT INTO once VALUES (3, 'a') ON CONFLICT ON CONSTRAINT once_c DO UPDATE SET id = 3;
CREATE TABLE refers (c steward.encrypted_text('bddl/once.c') REFERENCES once (c));
ALTER TABLE once REPLICA IDENTITY USING INDEX once_c;
ALTER TABLE once ADD PRIMARY KEY USING INDEX once_c;
REINDEX INDEX CONCURRENTLY once_c;
MERGE INTO once USING (VALUES (9, 'a'::text), (10, 'j')) AS v (id, c) ON once.c = v.c WHEN MATCHED THEN UPDATE SET id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.c);
SELECT string_agg(id || c::text, ' ' ORDER BY id) FROM once;
CREATE TABLE mixed (id integer, c steward.encrypted_text('bddl/once.c'), EXCLUDE USING blind (id WITH =, c WITH =));
ALTER TABLE once ADD CONSTRAINT later UNIQUE (c) DEFERRABLE;
DROP INDEX once_c;
ALTER TABLE once DROP CONSTRAINT once_c;
INSERT INTO once VALUES (3, 'a');

SET client_min_messages = warning;
DROP SCHEMA bddl CASCADE;
