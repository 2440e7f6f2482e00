-- finish_erasure and blind indexes: nothing is found that was not, and nothing is lost.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA blind_erase;
SET search_path = blind_erase;
SELECT steward.create_key('blind_erase');
CREATE EXTENSION IF NOT EXISTS pageinspect;

-- Entries of the only leaf of an index with tags of 5 bytes a column: packed, and in its tail.
CREATE FUNCTION entries(index text, columns integer DEFAULT 1) RETURNS integer LANGUAGE sql AS $$
SELECT get_byte(page, 26) + (lower - get_byte(page, 24) - 256 * get_byte(page, 25)) / (5 * columns + 6)
  FROM (SELECT get_raw_page(index, 1) AS page) AS p, LATERAL page_header(page) $$;
-- What is in its hole: nothing but zeros may be.
CREATE FUNCTION hole_is_empty(index text) RETURNS boolean LANGUAGE sql AS $$
SELECT bool_and(substr(page, lower + 1, upper - lower) = decode(repeat('00', upper - lower), 'hex'))
  FROM generate_series(1, pg_relation_size(index::regclass) / 8192 - 1) AS block,
       LATERAL (SELECT get_raw_page(index, block::integer) AS page) AS p,
       LATERAL page_header(page) $$;

CREATE TABLE t (id integer, who integer, a steward.encrypted_text('blind_erase/a'), n steward.encrypted_bigint('blind_erase/n'));
SELECT steward.bind_subject('t', 'blind_erase', 'who');
CREATE INDEX t_a ON t USING blind (a);
CREATE INDEX t_an ON t USING blind (a, n);
CREATE INDEX t_part ON t USING blind (n) WHERE id > 3;
INSERT INTO t VALUES (1, 1, 'one', 1), (2, 1, NULL, NULL), (3, 2, 'two', 2), (4, 1, 'one', 4), (5, 2, 'two', NULL);

-- nothing happens without an erasure
CALL steward.finish_erasure();
SELECT entries('t_a'), entries('t_an', 2), entries('t_part');

SELECT steward.shred_subject('blind_erase', '1');
-- the entries are other ones, as many: those of the partial index are of its rows only
CALL steward.finish_erasure();
SELECT entries('t_a'), entries('t_an', 2), entries('t_part');
SELECT hole_is_empty('t_a'), hole_is_empty('t_an'), hole_is_empty('t_part');
SET enable_seqscan = off;
SELECT id FROM t WHERE a = 'one';
SELECT id FROM t WHERE a = 'two' ORDER BY id;
SELECT id FROM t WHERE a IS NULL;
SELECT id FROM t WHERE a = (SELECT a FROM t WHERE id = 4);
SELECT id FROM t WHERE a = 'two' AND n = 2;
SELECT id FROM t WHERE n = 4 AND id > 3;
SELECT id FROM t WHERE n IS NULL AND id > 3;
RESET enable_seqscan;

-- what a row was before, what was deleted, and what was undone
UPDATE t SET a = 'zwei' WHERE id = 3;
BEGIN;
INSERT INTO t VALUES (6, 2, 'undone', 6);
ROLLBACK;
DELETE FROM t WHERE id = 5;
SELECT steward.shred_subject('blind_erase', '2');
SELECT steward.shred_subject('blind_erase', 'nobody');
CALL steward.finish_erasure();
SELECT entries('t_a'), entries('t_an', 2), entries('t_part');
SELECT count(*) FROM t WHERE a = ANY ('{two,zwei,undone}'::text[]);
VACUUM t;
SELECT count(*) FROM t;
SELECT hole_is_empty('t_a'), hole_is_empty('t_an');
-- again: there is nothing to do
SELECT get_raw_page('t_a', 1) AS page \gset
UPDATE steward.subject_key SET final_at = NULL WHERE kind = 'blind_erase';
CALL steward.finish_erasure();
SELECT get_raw_page('t_a', 1) = :'page' AS same;

-- a temporary table of one's own, a materialized view, no rows, no index
CREATE TEMPORARY TABLE mine (who integer, a steward.encrypted_text('blind_erase/a'));
SELECT steward.bind_subject('mine', 'blind_erase', 'who');
CREATE INDEX mine_a ON mine USING blind (a);
INSERT INTO mine VALUES (3, 'mine'), (4, 'others');
CREATE TABLE source (who integer, a steward.encrypted_text('blind_erase/a'));
SELECT steward.bind_subject('source', 'blind_erase', 'who');
INSERT INTO source VALUES (3, 'mine');
CREATE MATERIALIZED VIEW seen AS SELECT who, a FROM source;
CREATE INDEX seen_a ON seen USING blind (a);
CREATE TABLE empty (a steward.encrypted_text('blind_erase/a'));
CREATE INDEX ON empty USING blind (a);
SELECT get_raw_page('seen_a', 1) AS seen \gset
SELECT steward.shred_subject('blind_erase', '3');
CALL steward.finish_erasure();
SELECT get_raw_page('seen_a', 1) = :'seen' AS same;
SET enable_seqscan = off;
SELECT who FROM mine WHERE a IN ('mine', 'others');
SELECT count(*) FROM seen WHERE a = 'mine';
RESET enable_seqscan;

-- an EXCLUDE constraint over copies of bound values
CREATE TABLE copied (a steward.encrypted_text('blind_erase/a'), EXCLUDE USING blind (a WITH =));
INSERT INTO copied SELECT a FROM mine WHERE who = 4;
SELECT steward.shred_subject('blind_erase', '4');
CALL steward.finish_erasure();
INSERT INTO copied VALUES ('others');
INSERT INTO copied VALUES ('others');
INSERT INTO copied SELECT a FROM mine WHERE who = 4;

-- several entries a value: all but presence go; NULLs and others keep theirs
CREATE TABLE m (id integer, who integer, n steward.encrypted_bigint('blind_erase/n'), x steward.encrypted_text('blind_erase/a'));
SELECT steward.bind_subject('m', 'blind_erase', 'who');
CREATE INDEX m_n ON m USING blind (n steward.blind_bigint_range_ops);
CREATE INDEX m_part ON m USING blind (n steward.blind_bigint_range_ops) WHERE id <> 2;
CREATE INDEX m_x ON m USING blind (x steward.blind_trigram_ops);
INSERT INTO m VALUES (1, 5, 42, 'alpha'), (2, 6, 42, 'alpha beta'), (3, 5, NULL, NULL);
SELECT entries('m_n'), entries('m_part'), entries('m_x');
SELECT steward.shred_subject('blind_erase', '5');
CALL steward.finish_erasure();
SELECT entries('m_n'), entries('m_part'), entries('m_x');
SELECT hole_is_empty('m_n'), hole_is_empty('m_part'), hole_is_empty('m_x');
SET enable_seqscan = off;
SELECT id FROM m WHERE n BETWEEN 40 AND 50;
SELECT id FROM m WHERE n IS NOT NULL ORDER BY id;
SELECT id FROM m WHERE n IS NULL;
SELECT id FROM m WHERE n IS NOT NULL AND id <> 2;
SELECT id FROM m WHERE x LIKE '%lph%';
SELECT id FROM m WHERE x IS NULL;
RESET enable_seqscan;

-- where tags decide: the value of an erased row is free, and others' are taken
CREATE TABLE u (a steward.encrypted_text('blind_erase/a'), n steward.encrypted_bigint('blind_erase/n'));
DO $$
BEGIN
    IF current_setting('server_version_num')::integer < 180000 THEN
        ALTER TABLE u ADD EXCLUDE USING blind (a WITH =);
        ALTER TABLE u ADD EXCLUDE USING blind (a WITH =, n WITH =);
    ELSE
        EXECUTE 'CREATE UNIQUE INDEX ON u USING blind (a)';
        EXECUTE 'CREATE UNIQUE INDEX ON u USING blind (a, n)';
    END IF;
END
$$;
CREATE FUNCTION taken(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO u VALUES (value, 1);
    RETURN false;
EXCEPTION WHEN unique_violation OR exclusion_violation THEN
    RETURN true;
END
$$;
CREATE TABLE bound (who integer, a steward.encrypted_text('blind_erase/a'), n steward.encrypted_bigint('blind_erase/n'));
SELECT steward.bind_subject('bound', 'blind_erase', 'who');
INSERT INTO bound VALUES (7, 'seven', 1), (8, 'eight', 1), (7, NULL, 1);
INSERT INTO u SELECT a, n FROM bound;
SELECT taken('seven'), taken('eight'), taken(NULL);
SELECT steward.shred_subject('blind_erase', '7');
CALL steward.finish_erasure();
SELECT taken('seven'), taken('seven'), taken('eight');
SELECT count(*) FROM u;

-- all of them are in order; what is left of a build that failed is no damage
UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'm_part'::regclass;
SELECT steward.shred_subject('blind_erase', '6');
CALL steward.finish_erasure();
SELECT pg_relation_size('m_part');
SET client_min_messages = notice;
SELECT steward.blind_index_check('m_part', true);
SELECT steward.blind_metapage('m_part');
SELECT steward.blind_page_stats('m_part', 1);
SELECT steward.leakage_report('m_part');
SELECT generation FROM steward.blind_index_secrets() WHERE index = 'm_part'::regclass;
SELECT count(steward.blind_index_check(c.oid, true))
  FROM pg_class AS c WHERE relnamespace = 'blind_erase'::regnamespace AND relam = (SELECT oid FROM pg_am WHERE amname = 'blind') AND relname <> 'm_part';
SET client_min_messages = warning;

RESET search_path;
SET client_min_messages = error;
DROP SCHEMA blind_erase CASCADE;
DROP TABLE mine;
DROP EXTENSION IF EXISTS pageinspect;
CALL steward.finish_erasure();
DELETE FROM steward.subject_key WHERE kind = 'blind_erase';
