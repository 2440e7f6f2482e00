-- Checking blind indexes and looking into them: clean ones of several shapes, what is
-- said of them, who may ask, and retiring old index secrets. Damage is in
-- test/t/blind_check.pl.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE blind_check_user;
CREATE ROLE blind_check_owner;
CREATE SCHEMA blind_check;
GRANT ALL ON SCHEMA blind_check TO PUBLIC;
SET search_path = blind_check;
SELECT steward.create_key('blind_check');
SELECT steward.create_key('blind_check_other');
RESET client_min_messages;

-- ---------------------------------------------------------- clean indexes --
CREATE TABLE v (id integer, a steward.encrypted_text('blind_check/v.a'), b steward.encrypted_bigint('blind_check/v.b'));
CREATE INDEX v_a ON v USING blind (a);
CREATE INDEX v_ab ON v USING blind (a, b) WITH (tag_bits = 12);
CREATE INDEX v_part ON v USING blind (b) WHERE id % 2 = 0;
ALTER TABLE v ADD CONSTRAINT v_excl EXCLUDE USING blind (a WITH =, b WITH =);
SELECT steward.blind_index_check('v_a'), steward.blind_index_check('v_a', true), steward.blind_index_check('v_ab', true),
       steward.blind_index_check('v_part', true), steward.blind_index_check('v_excl', true);
INSERT INTO v VALUES (1, 'one', 1);
SELECT steward.blind_index_check('v_a', true), steward.blind_index_check('v_ab', true), steward.blind_index_check('v_part', true), steward.blind_index_check('v_excl', true);
-- mostly NULL, some often, some once; grown row by row
INSERT INTO v SELECT g, CASE WHEN g % 3 = 0 THEN 'v' || g % 7 WHEN g % 100 = 1 THEN 'v' || g END, CASE WHEN g % 5 > 0 THEN g END FROM generate_series(2, 6000) AS g;
DELETE FROM v WHERE id % 11 = 0;
UPDATE v SET a = 'w' || id % 20 WHERE id % 13 = 0;
SELECT steward.blind_index_check('v_a', true), steward.blind_index_check('v_ab', true), steward.blind_index_check('v_part', true), steward.blind_index_check('v_excl', true);
VACUUM v;
SELECT steward.blind_index_check('v_a', true), steward.blind_index_check('v_ab', true), steward.blind_index_check('v_part', true), steward.blind_index_check('v_excl', true);
REINDEX TABLE v;
SELECT steward.blind_index_check('v_a', true), steward.blind_index_check('v_ab', true), steward.blind_index_check('v_part', true), steward.blind_index_check('v_excl', true);
-- a plan that needs no column at all; its text says on 18 that the scan is disabled
CREATE FUNCTION scan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan #>> '{0,Plan,Plans,0,Node Type}';
END $$;
SET enable_seqscan = off;
SELECT scan_of('SELECT count(*) FROM v WHERE id % 2 = 0');
SELECT count(*) FROM v WHERE id % 2 = 0;
RESET enable_seqscan;
-- more than one leaf under one root
SELECT level, root > 1 AS moved FROM steward.blind_metapage('v_excl');
-- rows of this transaction, and of one that was rolled back inside
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO v SELECT g, 'mine', g FROM generate_series(10001, 10100) AS g;
SAVEPOINT inside;
INSERT INTO v SELECT g, 'gone', g FROM generate_series(20001, 20100) AS g;
ROLLBACK TO inside;
SELECT steward.blind_index_check('v_a', true), steward.blind_index_check('v_excl', true);
COMMIT;
SELECT steward.blind_index_check('v_a', true), steward.blind_index_check('v_excl', true);
-- temporary, unlogged, of a partition
CREATE TEMPORARY TABLE passing (e steward.encrypted_text('blind_check/passing'));
CREATE INDEX passing_e ON passing USING blind (e);
INSERT INTO passing SELECT (g % 10)::text FROM generate_series(1, 500) AS g;
CREATE UNLOGGED TABLE careless (e steward.encrypted_text('blind_check/careless'));
CREATE INDEX careless_e ON careless USING blind (e);
INSERT INTO careless SELECT g::text FROM generate_series(1, 500) AS g;
CREATE TABLE parted (n integer, e steward.encrypted_text('blind_check/parted')) PARTITION BY LIST (n);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE INDEX parted_e ON parted USING blind (e);
INSERT INTO parted SELECT 1, g::text FROM generate_series(1, 500) AS g;
SELECT steward.blind_index_check('passing_e', true), steward.blind_index_check('careless_e', true), steward.blind_index_check('parted_1_e_idx', true);
-- of many entries a row, of which pg_class does not know after ANALYZE, one is missed
CREATE TABLE wordy (id integer, e steward.encrypted_text('blind_check/wordy')) WITH (autovacuum_enabled = off);
INSERT INTO wordy SELECT g, string_agg(md5(g::text || h), ' ') FROM generate_series(1, 7000) AS g, generate_series(1, 10) AS h GROUP BY g;
CREATE INDEX wordy_e ON wordy USING blind (e steward.blind_trigram_ops);
ANALYZE wordy;
SELECT steward.blind_index_check('wordy_e', true);
UPDATE pg_index SET indisready = false WHERE indexrelid = 'wordy_e'::regclass;
INSERT INTO wordy VALUES (0, NULL);
UPDATE pg_index SET indisready = true WHERE indexrelid = 'wordy_e'::regclass;
CREATE FUNCTION times_found(index text, times integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    found integer := 0;
BEGIN
    FOR i IN 1 .. times LOOP
        BEGIN
            PERFORM steward.blind_index_check(index::regclass, true);
        EXCEPTION WHEN index_corrupted THEN
            found := found + 1;
        END;
    END LOOP;
    RETURN found;
END $$;
-- by chance it may go unnoticed once
SELECT times_found('wordy_e', 5) >= 4 AS found;
DROP TABLE wordy;

-- ---------------------------------------------------------------- refusals --
SELECT steward.blind_index_check(NULL);
SELECT steward.blind_index_check('v_a', NULL);
SELECT steward.blind_index_check('v');
SELECT steward.blind_index_check('pg_class_oid_index');
SELECT steward.blind_index_check(0);
\set VERBOSITY default
SELECT steward.blind_index_check('parted_e');
\set VERBOSITY terse
SELECT steward.blind_metapage('v');
SELECT steward.blind_metapage(NULL);
SELECT steward.blind_page_stats('pg_class_oid_index', 0);
SELECT steward.blind_page_stats('v_a', -1);
SELECT steward.blind_page_stats('v_a', 1000000);
SELECT steward.blind_page_stats('v_a', NULL);
SELECT steward.leakage_report('v');
SELECT steward.leakage_report(NULL);
CREATE TABLE twice (e steward.encrypted_text('blind_check/twice'));
INSERT INTO twice VALUES ('x'), ('x');
CREATE INDEX CONCURRENTLY twice_e ON twice USING blind (e);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'twice_e'::regclass;
SELECT steward.blind_index_check('twice_e');
SELECT version FROM steward.blind_metapage('twice_e');
DROP TABLE twice;
-- nobody but whom it is granted
SET ROLE blind_check_user;
SELECT steward.blind_index_check('v_a');
SELECT steward.blind_metapage('v_a');
SELECT steward.blind_page_stats('v_a', 1);
SELECT * FROM steward.blind_index_secrets();
SELECT steward.retire_index_secrets('blind_check');
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.blind_index_check(regclass, boolean) TO blind_check_user;
SET ROLE blind_check_user;
-- it shows nothing, so it asks for no right on the key
SELECT steward.blind_index_check('v_a', true);
RESET ROLE;
REVOKE EXECUTE ON FUNCTION steward.blind_index_check(regclass, boolean) FROM blind_check_user;

-- ---------------------------------------------------------------- looking --
CREATE TABLE seen (e steward.encrypted_text('blind_check/seen'), f steward.encrypted_bigint('blind_check_other/seen'));
INSERT INTO seen SELECT (g % 4)::text, g FROM generate_series(1, 1000) AS g;
INSERT INTO seen SELECT NULL, NULL FROM generate_series(1, 10);
CREATE INDEX seen_e ON seen USING blind (e);
CREATE INDEX seen_ef ON seen USING blind (e, f) WITH (tag_bits = 30);
-- the check does look at all: as many entries as rows
SET client_min_messages = debug1;
SELECT steward.blind_index_check('seen_e', true), steward.blind_index_check('seen_ef');
RESET client_min_messages;
SELECT * FROM steward.blind_metapage('seen_e');
SELECT * FROM steward.blind_metapage('seen_ef');
SELECT bits, exact FROM steward.blind_metapage('v_excl');
SELECT type, level, flags, right_link, children, packed_entries, packed_bytes > 0 AS packed, list_segments, run_segments > 0 AS runs, tail_entries, hinted_entries, free_bytes > 0 AS free FROM steward.blind_page_stats('seen_e', 1);
SELECT packed_entries, list_segments > 0 AS lists FROM steward.blind_page_stats('seen_ef', 1);
SELECT type, level FROM steward.blind_page_stats('seen_e', 0);
INSERT INTO seen VALUES ('new', 1), ('new', 2);
SELECT packed_entries, tail_entries FROM steward.blind_page_stats('seen_e', 1);
-- the pages of an index together are all of its entries
SELECT type, level, count(*) > 0 AS some, sum(packed_entries + tail_entries) >= (SELECT count(*) FROM v) AS all_entries, sum(children) AS children
  FROM generate_series(0, pg_relation_size('v_excl') / current_setting('block_size')::bigint - 1) AS block, steward.blind_page_stats('v_excl', block)
 WHERE type <> 'inner' GROUP BY type, level ORDER BY level NULLS FIRST;

-- ----------------------------------------------------------------- leakage --
SELECT aspect, value FROM steward.leakage_report('seen_e');
SELECT aspect, value FROM steward.leakage_report('seen_ef');
SELECT aspect, value FROM steward.leakage_report('v_excl') WHERE aspect ~ 'tag bits|decide';
SELECT bool_and(length(meaning) > 20) AS in_words FROM steward.leakage_report('v_excl');
CREATE TABLE nothing (e steward.encrypted_text('blind_check/nothing'));
CREATE INDEX nothing_e ON nothing USING blind (e);
SELECT aspect, value FROM steward.leakage_report('nothing_e') WHERE value IS NOT NULL;
-- several tags a value
CREATE TABLE parts (t steward.encrypted_text('blind_check/parts.t'), n steward.encrypted_bigint('blind_check/parts.n'));
CREATE INDEX parts_t ON parts USING blind (t steward.blind_trigram_ops);
CREATE INDEX parts_n ON parts USING blind (n steward.blind_bigint_range_ops);
INSERT INTO parts SELECT 'abc' || g % 10, g FROM generate_series(1, 1000) AS g;
INSERT INTO parts VALUES (NULL, NULL), ('', 0);
SELECT steward.blind_index_check('parts_t', true), steward.blind_index_check('parts_n', true);
REINDEX TABLE parts;
SELECT steward.blind_index_check('parts_t', true), steward.blind_index_check('parts_n', true);
SELECT aspect, value FROM steward.leakage_report('parts_t') WHERE value IS NOT NULL;
SELECT aspect, value FROM steward.leakage_report('parts_n') WHERE aspect ~ '^tags';
-- as a search by them needs the right to decrypt
ALTER TABLE parts OWNER TO blind_check_owner;
SELECT steward.grant_key('blind_check', 'blind_check_owner', 'search');
SET ROLE blind_check_owner;
SELECT count(*) FROM steward.leakage_report('parts_t');
RESET ROLE;
SELECT steward.revoke_key('blind_check', 'blind_check_owner', 'search');
-- the owner, with the right to search under all keys
ALTER TABLE seen OWNER TO blind_check_owner;
SET ROLE blind_check_user;
SELECT count(*) FROM steward.leakage_report('seen_ef');
SET ROLE blind_check_owner;
SELECT count(*) FROM steward.leakage_report('seen_ef');
RESET ROLE;
SELECT steward.grant_key('blind_check', 'blind_check_owner', 'search');
SET ROLE blind_check_owner;
SELECT count(*) > 10 AS told FROM steward.leakage_report('seen_e');
SELECT count(*) FROM steward.leakage_report('seen_ef');
RESET ROLE;
SELECT steward.grant_key('blind_check_other', 'blind_check_owner', 'decrypt');
SELECT steward.grant_key('blind_check', 'blind_check_user', 'search');
GRANT pg_read_all_stats TO blind_check_user;
SET ROLE blind_check_owner;
SELECT count(*) > 10 AS told FROM steward.leakage_report('seen_ef');
SET ROLE blind_check_user;
SELECT count(*) > 10 AS told FROM steward.leakage_report('seen_e');
RESET ROLE;

-- --------------------------------------------------------------- retiring --
CREATE VIEW uses AS
SELECT u.index, u.column, u.key, u.generation, u.newest FROM steward.blind_index_secrets() AS u WHERE u.key LIKE 'blind_check%' ORDER BY 1, 2;
SELECT * FROM uses WHERE index = 'seen_ef'::regclass;
SELECT count(*), bool_and(generation = 1 AND newest = 1) AS same FROM uses;
SELECT steward.retire_index_secrets('blind_check');
SELECT steward.rotate_index_secret('blind_check');
SELECT steward.rotate_index_secret('blind_check');
SELECT * FROM uses WHERE index = 'seen_ef'::regclass;
-- 2 is of no use to any, 1 is
SELECT steward.retire_index_secrets('blind_check');
SELECT generation FROM steward.key_secret JOIN steward.key USING (key_id) WHERE path = 'blind_check' AND kind = 2 ORDER BY 1;
REINDEX SCHEMA blind_check;
REINDEX INDEX passing_e;
SELECT DISTINCT generation, newest FROM uses WHERE key LIKE 'blind_check/%';
SELECT steward.retire_index_secrets('blind_check');
SELECT generation FROM steward.key_secret JOIN steward.key USING (key_id) WHERE path = 'blind_check' AND kind = 2 ORDER BY 1;
SELECT steward.retire_index_secrets('blind_check');
-- the other key's is another
SELECT generation FROM steward.key_secret JOIN steward.key USING (key_id) WHERE path = 'blind_check_other' AND kind = 2 ORDER BY 1;
SELECT steward.blind_index_check('v_a', true), steward.blind_index_check('seen_ef', true);
SELECT count(*) FROM seen WHERE e = '1'::text;
-- rotated in this transaction: others build by the former one still
BEGIN;
SELECT steward.rotate_index_secret('blind_check');
\set VERBOSITY default
SELECT steward.retire_index_secrets('blind_check');
\set VERBOSITY terse
ROLLBACK;
-- an index that is not valid has its entries all the same
SELECT steward.rotate_index_secret('blind_check');
REINDEX SCHEMA blind_check;
CREATE INDEX late ON nothing USING blind (e);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'late'::regclass;
SELECT steward.rotate_index_secret('blind_check');
DO $$
DECLARE i regclass;
BEGIN
    FOR i IN SELECT DISTINCT u.index FROM blind_check.uses AS u WHERE u.index <> 'blind_check.late'::regclass LOOP
        EXECUTE 'REINDEX INDEX ' || i;
    END LOOP;
END
$$;
SELECT steward.retire_index_secrets('blind_check');
DROP INDEX late;
SELECT steward.retire_index_secrets('blind_check');
SELECT steward.retire_index_secrets('blind_check/v.a');
SELECT steward.retire_index_secrets('blind_check_unknown');
SELECT steward.retire_index_secrets(NULL);
BEGIN READ ONLY;
SELECT steward.retire_index_secrets('blind_check');
ROLLBACK;

-- ------------------------------------------------------------------- clean --
SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA blind_check CASCADE;
DROP TABLE pg_temp.passing;
SELECT steward.revoke_key('blind_check', 'blind_check_owner', 'search');
SELECT steward.revoke_key('blind_check', 'blind_check_user', 'search');
SELECT steward.revoke_key('blind_check_other', 'blind_check_owner', 'decrypt');
DELETE FROM steward.key_version AS v USING steward.key AS k WHERE v.key_id = k.key_id AND k.path LIKE 'blind_check%';
DELETE FROM steward.key_secret AS s USING steward.key AS k WHERE s.kind = 2 AND s.key_id = k.key_id AND k.path LIKE 'blind_check%';
DELETE FROM steward.key WHERE path LIKE 'blind_check%';
REVOKE pg_read_all_stats FROM blind_check_user;
DROP ROLE blind_check_user, blind_check_owner;
