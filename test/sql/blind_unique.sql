-- Unique blind indexes, which PostgreSQL has from 18 on. Before, the error says what to
-- take instead; there this test ends with that, see blind_unique_1.out.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA bunique;
SET search_path = bunique;
SELECT steward.create_key('bunique');
CREATE TABLE t (id integer, c steward.encrypted_text('bunique/c'), n steward.encrypted_bigint('bunique/n'));
\set VERBOSITY default
CREATE UNIQUE INDEX t_c ON t USING blind (c);
\set VERBOSITY terse
SELECT current_setting('server_version_num')::integer < 180000 AS without \gset
\if :without
SELECT amname, pg_indexam_has_property(oid, 'can_unique') FROM pg_am WHERE amname = 'blind';
SET client_min_messages = error;
DROP SCHEMA bunique CASCADE;
\quit
\endif
SELECT amname, pg_indexam_has_property(oid, 'can_unique') FROM pg_am WHERE amname = 'blind';

-- What a command comes to; ciphertext is masked.
CREATE FUNCTION try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    relation text;
    constraint_name text;
    done bigint;
BEGIN
    EXECUTE command;
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN 'done ' || done;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, relation = TABLE_NAME, constraint_name = CONSTRAINT_NAME;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, regexp_replace(nullif(detail, ''), 'stw1:[-\w]+', '<armour>', 'g'), nullif(relation || '.' || constraint_name, '.'));
END
$$;
-- The rows by the index, and without it.
CREATE FUNCTION found(relation text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text := format('SELECT coalesce(string_agg(id::text, '' '' ORDER BY id), ''none'') FROM %s WHERE %s', relation, condition);
    by_index text;
    by_table text;
BEGIN
    SET LOCAL enable_seqscan = off;
    EXECUTE query INTO by_index;
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_bitmapscan = off;
    EXECUTE query INTO by_table;
    SET LOCAL enable_indexscan = on;
    SET LOCAL enable_bitmapscan = on;
    RETURN CASE WHEN by_index = by_table THEN by_index ELSE format('index: %s, table: %s', by_index, by_table) END;
END
$$;

-- ---- INSERT and UPDATE ----

INSERT INTO t VALUES (1, 'one', 1), (2, '', 2), (3, NULL, 3), (4, NULL, 4), (5, repeat('long ', 10000), 5);
SELECT try($$INSERT INTO t VALUES (6, 'one', 6)$$);
SELECT try($$INSERT INTO t VALUES (6, '', 6)$$);
SELECT try($$INSERT INTO t VALUES (6, repeat('long ', 10000), 6)$$) ~ '^23505 .* already exists' AS refused;
SELECT try($$INSERT INTO t VALUES (6, 'two', 6), (7, 'two', 7)$$);
SELECT try($$INSERT INTO t SELECT i, NULL, i FROM generate_series(6, 1000) AS i$$);
DELETE FROM t WHERE id >= 6;
-- a value to itself, to another, to one that is taken
SELECT try($$UPDATE t SET c = c WHERE id = 1$$);
SELECT try($$UPDATE t SET c = 'one' WHERE id = 1$$);
SELECT try($$UPDATE t SET id = id WHERE id = 1$$);
SELECT try($$UPDATE t SET c = 'one' WHERE id = 2$$);
SELECT try($$UPDATE t SET c = 'same' WHERE id IN (3, 4)$$);
SELECT try($$UPDATE t SET c = 'uno' WHERE id = 1$$), try($$INSERT INTO t VALUES (6, 'one', 6)$$), try($$UPDATE t SET c = 'one' WHERE id = 1$$);
-- what is gone does not count, and what came to nothing
DELETE FROM t WHERE id = 6;
INSERT INTO t VALUES (6, 'one', 6);
BEGIN;
INSERT INTO t VALUES (7, 'rolled back', 7);
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO t VALUES (7, 'rolled back', 7);
ROLLBACK TO s;
INSERT INTO t VALUES (7, 'rolled back', 7);
DELETE FROM t WHERE id = 7;
INSERT INTO t VALUES (7, 'rolled back', 7);
COMMIT;
SELECT found('t', $$c = 'one'$$), found('t', $$c = 'rolled back'$$), found('t', $$c = ''$$), found('t', $$c IS NULL AND id < 10$$);
-- the error says the value as it is stored, and nothing else does
\set VERBOSITY default
DO $$ BEGIN INSERT INTO bunique.t VALUES (8, 'rolled back', 8); EXCEPTION WHEN unique_violation THEN RAISE WARNING '%', SQLERRM; END $$;
\set VERBOSITY terse
-- whoever may not read the column is not shown it
CREATE ROLE bunique_writer;
GRANT USAGE ON SCHEMA bunique TO bunique_writer;
GRANT INSERT ON t TO bunique_writer;
SET ROLE bunique_writer;
SELECT bunique.try($$INSERT INTO bunique.t VALUES (8, 'one', 8)$$);
-- but needs no right under the key
SELECT bunique.try($$INSERT INTO bunique.t VALUES (8, 'eight', 8)$$);
RESET ROLE;

-- ---- ON CONFLICT ----

INSERT INTO t VALUES (9, 'one', 9) ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO t VALUES (9, 'one', 9) ON CONFLICT (c) DO NOTHING RETURNING id;
INSERT INTO t VALUES (9, 'one', 9) ON CONFLICT (c) DO UPDATE SET n = excluded.n RETURNING id, n::bigint;
INSERT INTO t VALUES (9, 'nine', 9) ON CONFLICT (c) DO UPDATE SET n = 0 RETURNING id, n::bigint;
INSERT INTO t VALUES (10, NULL, 10) ON CONFLICT (c) DO UPDATE SET n = 0 RETURNING id, n::bigint;
INSERT INTO t VALUES (11, 'x', 11), (12, 'x', 12) ON CONFLICT (c) DO NOTHING RETURNING id;
SELECT try($$INSERT INTO bunique.t VALUES (13, 'y', 13), (14, 'y', 14) ON CONFLICT (c) DO UPDATE SET n = 0$$);
SELECT try($$INSERT INTO bunique.t VALUES (13, 'one', 13) ON CONFLICT (n) DO NOTHING$$);
-- another unique index than the one that is named
CREATE UNIQUE INDEX t_id ON t (id) WHERE id < 100;
SELECT try($$INSERT INTO bunique.t VALUES (13, 'one', 13) ON CONFLICT (id) WHERE id < 100 DO NOTHING$$);
SELECT try($$INSERT INTO bunique.t VALUES (1, 'one', 13) ON CONFLICT (id) WHERE id < 100 DO NOTHING$$);
SELECT try($$MERGE INTO bunique.t USING (VALUES ('one'), ('merged')) AS s (c) ON t.c = s.c WHEN MATCHED THEN UPDATE SET n = 77 WHEN NOT MATCHED THEN INSERT VALUES (15, s.c, 15)$$);
GRANT SELECT, UPDATE ON t TO bunique_writer;
SET ROLE bunique_writer;
SELECT bunique.try($$INSERT INTO bunique.t VALUES (16, 'one', 16) ON CONFLICT (c) DO NOTHING$$);
RESET ROLE;
SELECT steward.grant_key('bunique', 'bunique_writer', 'search');
SET ROLE bunique_writer;
SELECT bunique.try($$INSERT INTO bunique.t VALUES (16, 'one', 16) ON CONFLICT (c) DO NOTHING$$);
RESET ROLE;

-- ---- several columns, NULLs, parts of a table, types ----

CREATE TABLE m (id integer, a steward.encrypted_text('bunique/a'), b steward.encrypted_bigint('bunique/b'));
CREATE UNIQUE INDEX m_ab ON m USING blind (a, b);
INSERT INTO m VALUES (1, 'a', 1), (2, 'a', 2), (3, 'b', 1), (4, 'a', NULL), (5, 'a', NULL), (6, NULL, 1), (7, NULL, 1), (8, NULL, NULL), (9, NULL, NULL);
SELECT try($$INSERT INTO m VALUES (10, 'a', 1)$$), try($$INSERT INTO m VALUES (10, 'b', 2)$$);
SELECT try($$UPDATE m SET b = 1 WHERE id = 2$$);
DROP INDEX m_ab;
SELECT try($$CREATE UNIQUE INDEX m_ab ON m USING blind (a, b) NULLS NOT DISTINCT$$) ~ '^23505 . could not create unique index "m_ab" . The rows whose ctid is \(0,\d+\) and \(0,\d+\) have the same key' AS refused;
DELETE FROM m WHERE id IN (5, 7, 9);
CREATE UNIQUE INDEX m_ab ON m USING blind (a, b) NULLS NOT DISTINCT;
SELECT try($$INSERT INTO m VALUES (11, 'a', NULL)$$);
SELECT try($$INSERT INTO m VALUES (11, NULL, 1)$$);
SELECT try($$INSERT INTO m VALUES (11, NULL, NULL)$$);
SELECT try($$INSERT INTO m VALUES (11, NULL, 2)$$);
INSERT INTO m VALUES (12, NULL, NULL) ON CONFLICT (a, b) DO UPDATE SET id = 8 RETURNING id;
CREATE UNIQUE INDEX m_b ON m USING blind (b) WHERE id > 100;
INSERT INTO m VALUES (101, 'p', 7), (20, 'q', 7), (21, 'r', 7);
SELECT try($$INSERT INTO m VALUES (102, 's', 7)$$), try($$UPDATE m SET id = 103 WHERE id = 20$$);
INSERT INTO m VALUES (104, 's', 7) ON CONFLICT (b) WHERE id > 100 DO UPDATE SET id = 101 RETURNING id;
-- the values that the plaintext type takes for equal
CREATE TABLE n (n steward.encrypted_numeric('bunique/n2') , j steward.encrypted_jsonb('bunique/j'), at steward.encrypted_timestamptz('bunique/at'));
CREATE UNIQUE INDEX n_n ON n USING blind (n);
CREATE UNIQUE INDEX n_j ON n USING blind (j);
CREATE UNIQUE INDEX n_at ON n USING blind (at);
INSERT INTO n VALUES (1.0, '{"a": 1, "b": 2}', '2026-01-01 00:00+00'), ('NaN', 'null', 'infinity');
SELECT try($$INSERT INTO n VALUES (1.000, NULL, NULL)$$), try($$INSERT INTO n VALUES ('nan', NULL, NULL)$$);
SELECT try($$INSERT INTO n VALUES (NULL, '{"b": 2.0, "a": 1}', NULL)$$), try($$INSERT INTO n VALUES (NULL, 'null', NULL)$$);
SELECT try($$INSERT INTO n VALUES (NULL, NULL, '2026-01-01 02:00+02')$$), try($$INSERT INTO n VALUES (NULL, NULL, '-infinity')$$);
-- short tags do not make different values the same
CREATE TABLE short (id integer, c steward.encrypted_bigint('bunique/short'));
CREATE UNIQUE INDEX ON short USING blind (c) WITH (tag_bits = 8);
INSERT INTO short SELECT i, i FROM generate_series(1, 5000) AS i;
SELECT try('INSERT INTO short VALUES (0, 4711)'), count(*) FROM short;

-- ---- CREATE INDEX over what is there ----

CREATE TABLE b (id integer, c steward.encrypted_text('bunique/b2'));
INSERT INTO b SELECT i, 'value ' || i FROM generate_series(1, 3000) AS i;
INSERT INTO b VALUES (0, 'value 1500');
SELECT try('CREATE UNIQUE INDEX b_c ON b USING blind (c)') ~ '^23505 . could not create unique index "b_c" . The rows whose ctid is \(\d+,\d+\) and \(\d+,\d+\) have the same key. . b.b_c$' AS refused;
-- the rows are those
CREATE FUNCTION duplicates() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    CREATE UNIQUE INDEX b_c ON b USING blind (c);
    RETURN 'none';
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN (SELECT string_agg(id::text, ' ' ORDER BY id) FROM b WHERE ctid = ANY (ARRAY(SELECT m[1]::tid FROM regexp_matches(detail, '\(\d+,\d+\)', 'g') AS m)));
END
$$;
SELECT duplicates();
-- also after HOT updates, where an entry leads to a row that has moved
VACUUM b;
UPDATE b SET id = -1 WHERE id = 0;
UPDATE b SET id = -2 WHERE id = -1;
SELECT duplicates();
DELETE FROM b WHERE id = -2;
-- rows that are dead but that somebody may see, deleted by this very transaction
BEGIN;
DELETE FROM b WHERE id <= 1000;
INSERT INTO b SELECT i, 'value ' || i FROM generate_series(1, 1000) AS i;
UPDATE b SET c = 'value ' || id WHERE id > 2500;
INSERT INTO b SELECT 10000, NULL FROM generate_series(1, 3000);
SELECT duplicates();
SELECT try($$INSERT INTO b VALUES (0, 'value 1')$$) ~ '^23505' AS refused;
COMMIT;
SELECT try($$INSERT INTO b VALUES (0, 'value 1')$$) ~ '^23505' AS refused, try($$INSERT INTO b VALUES (0, 'value 2999')$$) ~ '^23505' AS refused;
SELECT found('b', $$c = 'value 7'$$), found('b', $$c = 'value 2999'$$), (SELECT count(*) FROM b WHERE c IS NULL);
-- while there is little memory
SET maintenance_work_mem = '1MB';
SET work_mem = '64kB';
INSERT INTO b SELECT 20000, 'more ' || i FROM generate_series(1, 40000) AS i;
REINDEX INDEX b_c;
RESET maintenance_work_mem;
RESET work_mem;
SELECT try($$INSERT INTO b VALUES (0, 'more 39999')$$) ~ '^23505' AS refused;
-- CONCURRENTLY
REINDEX INDEX CONCURRENTLY b_c;
SELECT try($$INSERT INTO b VALUES (0, 'more 1')$$) ~ '^23505' AS refused;
DROP INDEX b_c;
INSERT INTO b VALUES (0, 'more 1');
CREATE UNIQUE INDEX CONCURRENTLY b_c ON b USING blind (c);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'b_c'::regclass;
DELETE FROM b WHERE id = 0;
REINDEX INDEX CONCURRENTLY b_c;
SELECT indisvalid FROM pg_index WHERE indexrelid = 'b_c'::regclass;
SELECT try($$INSERT INTO b VALUES (0, 'more 1')$$) ~ '^23505' AS refused;
-- A run of dead versions over several leaves: they do not count, and a row that is found in the last
-- leaf does. The last one is split while the first is locked.
CREATE TABLE v (id integer, c steward.encrypted_text('bunique/v')) WITH (autovacuum_enabled = off);
BEGIN;
INSERT INTO v SELECT i, 'again' FROM generate_series(1, 23000) AS i;
DELETE FROM v WHERE id < 23000;
CREATE UNIQUE INDEX v_c ON v USING blind (c);
CREATE INDEX ON v (id);
SELECT try($$INSERT INTO v VALUES (0, 'again')$$), try($$UPDATE v SET c = 'again', id = 1$$), found('v', $$c = 'again'$$);
COMMIT;
INSERT INTO v VALUES (2, 'beside');
SELECT pg_relation_size('v_c') / current_setting('block_size')::integer AS blocks \gset
DO $$
BEGIN
    FOR i IN 1..1500 LOOP
        UPDATE bunique.v SET c = 'again' WHERE id = 1;
        IF i % 100 = 0 THEN
            COMMIT;
        END IF;
    END LOOP;
END
$$;
SELECT :blocks >= 3 AS several_leaves, pg_relation_size('v_c') / current_setting('block_size')::integer - :blocks AS splits;
SELECT try($$INSERT INTO v VALUES (3, 'again')$$), try($$UPDATE v SET c = 'again' WHERE id = 2$$), found('v', $$c = 'again'$$);
DELETE FROM v WHERE id = 1;
SELECT try($$INSERT INTO v VALUES (3, 'again')$$), found('v', $$c = 'again'$$);
VACUUM v;
SELECT try($$INSERT INTO v VALUES (4, 'again')$$), found('v', $$c = 'again'$$), found('v', $$c = 'beside'$$);
-- unlogged, temporary, empty
CREATE UNLOGGED TABLE u (id integer, c steward.encrypted_text('bunique/u'));
CREATE UNIQUE INDEX ON u USING blind (c);
INSERT INTO u SELECT i, i::text FROM generate_series(1, 2000) AS i;
DELETE FROM u WHERE id > 1000;
INSERT INTO u SELECT i, i::text FROM generate_series(1001, 2000) AS i;
SELECT try($$INSERT INTO u VALUES (0, '1999')$$), count(*) FROM u;
CREATE TEMPORARY TABLE s (id integer, c steward.encrypted_text('bunique/s')) ON COMMIT DELETE ROWS;
CREATE UNIQUE INDEX ON s USING blind (c);
BEGIN;
INSERT INTO s VALUES (1, 'once');
SELECT try($$INSERT INTO s VALUES (2, 'once')$$);
COMMIT;
INSERT INTO s VALUES (1, 'once');

-- ---- what else takes a unique index ----

CREATE TABLE f (id integer, c steward.encrypted_text('bunique/c') REFERENCES t (c) ON UPDATE CASCADE ON DELETE SET NULL);
INSERT INTO f VALUES (1, 'one'), (2, NULL), (3, '');
SELECT try($$INSERT INTO f VALUES (4, 'missing')$$);
UPDATE t SET c = 'einer' WHERE c = 'one';
DELETE FROM t WHERE c = '';
SELECT id, c::text FROM f ORDER BY id;
SELECT try('ALTER TABLE f DROP CONSTRAINT f_c_fkey, ADD FOREIGN KEY (c) REFERENCES t (c)');
SELECT try('DROP INDEX t_c') ~ '^2BP01' AS refused;
ALTER TABLE f ADD FOREIGN KEY (id) REFERENCES t (n);
-- a plan knows that there is one; a constraint is always a btree's
ALTER TABLE t ADD CONSTRAINT by_index UNIQUE USING INDEX t_c;
ALTER TABLE t ADD CONSTRAINT by_index UNIQUE USING INDEX t_c DEFERRABLE;
DELETE FROM t WHERE c IS NULL;
ALTER TABLE t REPLICA IDENTITY USING INDEX t_c;
ALTER TABLE t ALTER c SET NOT NULL;
ALTER TABLE t REPLICA IDENTITY USING INDEX t_c;
SELECT relreplident FROM pg_class WHERE oid = 't'::regclass;
-- partitions: each by itself
CREATE TABLE p (id integer, c steward.encrypted_text('bunique/p')) PARTITION BY LIST (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE UNIQUE INDEX ON p USING blind (c);
CREATE UNIQUE INDEX ON p1 USING blind (c);
SELECT try($$INSERT INTO p VALUES (1, 'x'), (1, 'x')$$);
-- columns beside the key, an order, several tags a value
CREATE UNIQUE INDEX ON t USING blind (c) INCLUDE (id);
CREATE UNIQUE INDEX ON t USING blind (c DESC);
CREATE UNIQUE INDEX ON t USING blind (c steward.blind_trigram_ops);
-- a new secret: the old index decides until it is built anew
SELECT steward.rotate_index_secret('bunique');
SELECT try($$INSERT INTO t VALUES (30, 'uno', 30)$$);
REINDEX INDEX t_c;
SELECT try($$INSERT INTO t VALUES (30, 'uno', 30)$$), try($$INSERT INTO t VALUES (30, 'tre', 30)$$);

SET client_min_messages = error;
DROP SCHEMA bunique CASCADE;
DROP OWNED BY bunique_writer;
DROP ROLE bunique_writer;
