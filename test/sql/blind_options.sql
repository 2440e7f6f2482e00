-- Blind indexes: options that are out of range, changed, or of no use to the index; what
-- indexes of other access methods can do and these cannot; scans that PostgreSQL must not make of them.
SET client_min_messages = warning;
CREATE SCHEMA blind_options;
SET search_path = blind_options;
SELECT steward.create_key('blind_options');
RESET client_min_messages;
CREATE TABLE t (gone integer, id integer, c steward.encrypted_text('blind_options/t.c'), n steward.encrypted_bigint('blind_options/t.n'));
ALTER TABLE t DROP COLUMN gone;
INSERT INTO t SELECT g, 'c' || g % 100, g FROM generate_series(1, 3000) AS g;

-- ---- values ----

\set VERBOSITY terse
CREATE INDEX bad ON t USING blind (c) WITH (fillfactor = 54);
CREATE INDEX bad ON t USING blind (c) WITH (fillfactor = 101);
CREATE INDEX bad ON t USING blind (c) WITH (fillfactor = 0);
CREATE INDEX bad ON t USING blind (c) WITH (tag_bits = 0);
CREATE INDEX bad ON t USING blind (c) WITH (tag_bits = -8);
CREATE INDEX bad ON t USING blind (c) WITH (tag_bits = 99999999999);
CREATE INDEX bad ON t USING blind (c) WITH (tag_bits = 'many');
CREATE INDEX bad ON t USING blind (c) WITH (tag_bits);
CREATE INDEX bad ON t USING blind (n steward.blind_bigint_range_ops) WITH (range_tags = 0);
CREATE INDEX bad ON t USING blind (c) WITH (tag_bits = 8, tag_bits = 9);
CREATE INDEX bad ON t USING blind (c) WITH (deduplicate_items = off);
CREATE INDEX bad ON t USING blind (c) WITH (toast.fillfactor = 80);
CREATE INDEX bad ON t USING blind (c steward.encrypted_text_ops (tag_bits = 8));
CREATE INDEX bad ON t USING blind (n steward.blind_bigint_range_ops (range_tags = 8));
-- ---- what is for other access methods ----
CREATE INDEX bad ON t USING blind (c) INCLUDE (n);
CREATE INDEX bad ON t USING blind (c DESC);
CREATE INDEX bad ON t USING blind (c NULLS FIRST);
CREATE INDEX bad ON t USING blind (c COLLATE "C");
CREATE INDEX bad ON t USING blind (id);
CREATE INDEX bad ON t USING blind (ctid);
SELECT to_regclass('bad') IS NULL AS nothing_stayed;

-- ---- options of no use are told, for the index might be thought to tell less ----

\set VERBOSITY default
ALTER TABLE t ADD CONSTRAINT t_once EXCLUDE USING blind (n WITH =) WITH (tag_bits = 10, fillfactor = 70);
SELECT bits, exact FROM steward.blind_metapage('t_once');
REINDEX INDEX t_once;
ALTER INDEX t_once RESET (tag_bits);
REINDEX INDEX t_once;
ALTER TABLE t DROP CONSTRAINT t_once;
CREATE INDEX t_equal ON t USING blind (c) WITH (range_tags = 12);
CREATE INDEX t_trigram ON t USING blind (c steward.blind_trigram_ops) WITH (range_tags = 5);
DROP INDEX t_equal, t_trigram;
-- one told once, also where there is an init fork
CREATE UNLOGGED TABLE passing (c steward.encrypted_text('blind_options/passing'), CONSTRAINT passing_once EXCLUDE USING blind (c WITH =) WITH (tag_bits = 8));
DROP TABLE passing;

-- ---- changes are for the next build ----

\set VERBOSITY terse
CREATE FUNCTION found() RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    RETURN concat_ws(' ', (SELECT count(*) FROM t WHERE c = 'c7'), (SELECT count(*) FROM t WHERE n BETWEEN 100 AND 209), (SELECT count(*) FROM t WHERE c LIKE '%c77%'));
END
$$;
CREATE INDEX t_c ON t USING blind (c);
CREATE INDEX t_n ON t USING blind (n steward.blind_bigint_range_ops);
CREATE INDEX t_x ON t USING blind (c steward.blind_trigram_ops);
CREATE VIEW built AS
SELECT i, bits, exact, multi, range_tags FROM unnest('{t_c,t_n,t_x}'::regclass[]) AS i, steward.blind_metapage(i);
SELECT * FROM built;
SELECT found();
ALTER INDEX t_c SET (tag_bits = 8, fillfactor = 100);
ALTER INDEX t_n SET (range_tags = 34, tag_bits = 64);
ALTER INDEX t_x SET (tag_bits = 20, fillfactor = 55);
ALTER INDEX t_c SET (tag_bits = 65);
ALTER INDEX t_n SET (range_tags = 3);
ALTER INDEX t_x SET (fillfactor = 54);
ALTER INDEX t_x SET (pages_per_range = 5);
SELECT i, bits, range_tags FROM built;
SELECT found();
INSERT INTO t VALUES (3001, 'c7', 200), (3002, 'c77', 210);
SELECT found();
REINDEX TABLE t;
SELECT i, bits, range_tags FROM built;
SELECT found();
DELETE FROM t WHERE id > 3000;
ALTER INDEX t_c RESET (tag_bits, fillfactor);
ALTER INDEX t_n RESET (range_tags, tag_bits);
ALTER INDEX t_x RESET (tag_bits, fillfactor);
SELECT i, bits, range_tags FROM built;
SELECT found();
VACUUM FULL t;
SELECT * FROM built;
SELECT found();
SELECT count(steward.blind_index_check(i, true)) FROM built;

-- ---- no scan without the rows, none in order, none backwards ----

VACUUM ANALYZE t;
CREATE FUNCTION plan(query text) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    line text;
    nodes text[];
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        nodes := nodes || substring(line FROM 'Sort$|Unique$|Merge Join|(?:Bitmap Index|Index Only|Index|Seq) Scan(?: Backward)?');
    END LOOP;
    RETURN array_to_string(array_remove(nodes, NULL), ', ');
END
$$;
SELECT v.query, plan(v.query) FROM (VALUES
    ($$SELECT c FROM t WHERE c = 'c7'$$), ($$SELECT count(*) FROM t WHERE c = 'c7'$$), ($$SELECT 1 FROM t WHERE c IS NULL$$), ($$SELECT count(*) FROM t WHERE c IS NOT NULL$$), ($$SELECT count(*) FROM t$$),
    ($$SELECT c FROM t WHERE c = 'c7' ORDER BY c$$), ($$SELECT n FROM t WHERE n > 2990 ORDER BY n$$), ($$SELECT n FROM t WHERE n > 2990 ORDER BY n DESC LIMIT 1$$)
  ) AS v (query);
SET enable_bitmapscan = off;
SELECT v.query, plan(v.query) FROM (VALUES
    ($$SELECT c FROM t WHERE c = 'c7'$$), ($$SELECT count(*) FROM t WHERE c = 'c7'$$), ($$SELECT count(*) FROM t WHERE c IS NOT NULL$$), ($$SELECT n FROM t WHERE n > 2990 ORDER BY n$$)) AS v (query);
SELECT count(*), count(c), min(c::text), max(c::text) FROM t WHERE c = 'c7';
SELECT array_agg(n::bigint ORDER BY n::bigint) FROM t WHERE n > 2990;
RESET enable_bitmapscan;
SELECT amname, pg_indexam_has_property(oid, 'can_order') AS can_order, pg_indexam_has_property(oid, 'can_multi_col') AS can_multi_col, pg_indexam_has_property(oid, 'can_exclude') AS can_exclude, pg_indexam_has_property(oid, 'can_include') AS can_include FROM pg_am WHERE amname = 'blind';
SELECT p, pg_index_has_property('t_n', p) FROM unnest('{clusterable,index_scan,bitmap_scan,backward_scan}'::text[]) AS p;
SELECT p, pg_index_column_has_property('t_n', 1, p) FROM unnest('{asc,orderable,distance_orderable,returnable,search_array,search_nulls}'::text[]) AS p;
CLUSTER t USING t_c;
ALTER TABLE t REPLICA IDENTITY USING INDEX t_c;
ALTER TABLE t ADD UNIQUE USING INDEX t_c;

SET client_min_messages = warning;
DROP SCHEMA blind_options CASCADE;
