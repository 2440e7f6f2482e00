-- The guard of DDL: encrypted values inside arrays and rows, and inside functions of
-- somebody's. Comparing an array compares what it holds: the order and the frequencies
-- of plaintext would be kept in clear, and a dump could not be restored.
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT steward.create_key('ginside');
CREATE SCHEMA ginside;
SET search_path = ginside;
CREATE TABLE t (id integer, plain text, a steward.encrypted_text('ginside/a'), b steward.encrypted_text('ginside/a'), es steward.encrypted_text('ginside/a')[]);
CREATE TYPE pair AS (x integer, e steward.encrypted_text('ginside/a'));
ALTER TABLE t ADD COLUMN p pair;
INSERT INTO t (id, plain, a, b) VALUES (1, 'x', 'user1', 'user2'), (2, 'y', 'user3', 'user2');
CREATE FUNCTION w2(steward.encrypted_text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE FUNCTION w3(steward.encrypted_text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 = $2; END';
CREATE FUNCTION w4(t) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1.a < $1.b; END';
CREATE FUNCTION w5(steward.encrypted_text[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1[1] < $1[2]; END';
CREATE FUNCTION w6(record) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
CREATE OPERATOR ### (LEFTARG = steward.encrypted_text, RIGHTARG = text, FUNCTION = w3);
CREATE FUNCTION keeps(steward.encrypted_text) RETURNS steward.encrypted_text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';

-- generated columns
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (ARRAY[a] < ARRAY[b]) STORED;
ALTER TABLE t ADD COLUMN g steward.encrypted_text('ginside/a') GENERATED ALWAYS AS (greatest(a, b)) STORED;
ALTER TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (array_position(ARRAY[a], b)) STORED;
ALTER TABLE t ADD COLUMN g steward.encrypted_text[] GENERATED ALWAYS AS (array_remove(ARRAY[a], b)) STORED;
ALTER TABLE t ADD COLUMN g steward.encrypted_text('ginside/a')[] GENERATED ALWAYS AS (array_remove(es, b)) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (ROW(id, a) < ROW(id, b)) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (ARRAY[a] IS DISTINCT FROM ARRAY[b]) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (nullif(ARRAY[a], ARRAY[b]) IS NULL) STORED;
ALTER TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (CASE ARRAY[a] WHEN ARRAY[b] THEN 1 ELSE 2 END) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (p = ANY (ARRAY[ROW(1, b)::pair])) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (record_lt(coalesce(ROW(a), ROW(a)), coalesce(ROW(b), ROW(b)))) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (ARRAY[ROW(a)] < ARRAY[ROW(b)]) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (es && ARRAY[b]) STORED;
ALTER TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (width_bucket(a, ARRAY[b])) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (w2(a, 'user1')) STORED;
ALTER TABLE t ADD COLUMN g boolean GENERATED ALWAYS AS (w3(a, 'user1')) STORED;
CREATE TABLE bad (c steward.encrypted_text('ginside/a'), g boolean GENERATED ALWAYS AS (ARRAY[c] = ARRAY[c]) STORED);

-- indexes
CREATE INDEX bad ON t ((ARRAY[a] < ARRAY[b]));
CREATE INDEX bad ON t ((array_position(ARRAY[a], b)));
CREATE INDEX bad ON t (id) WHERE ARRAY[a] = ARRAY[b];
CREATE INDEX bad ON t (id) WHERE ROW(a, id) < ROW(b, id);
CREATE INDEX bad ON t ((greatest(a, b) IS NULL));
CREATE INDEX bad ON t (w2(a, 'user5'));
CREATE INDEX bad ON t (w3(a, 'user5'));
CREATE INDEX bad ON t ((a ### 'user5'));
CREATE INDEX bad ON t (w4(t));
CREATE INDEX bad ON t (w5(ARRAY[a, b]));
CREATE INDEX bad ON t (w6(ROW(a, b)));
CREATE INDEX bad ON t (id) WHERE w3(a, 'user5');

-- partition keys
CREATE TABLE bad (a steward.encrypted_text('ginside/a'), b steward.encrypted_text('ginside/a')) PARTITION BY LIST ((ARRAY[a] < ARRAY[b]));
CREATE TABLE bad (a steward.encrypted_text('ginside/a')) PARTITION BY LIST (w3(a, 'user5'));

-- checks that are validated
ALTER TABLE t ADD CHECK (ARRAY[a] <> ARRAY[b]);
ALTER TABLE t ADD CHECK (array_position(es, a) IS NULL);
ALTER TABLE t ADD CONSTRAINT good CHECK (ARRAY[a] <> ARRAY[b]) NOT VALID;
ALTER TABLE t DROP CONSTRAINT good;
CREATE DOMAIN bad AS pair CHECK (VALUE <> VALUE);

-- statistics: of nothing that has an encrypted value in it
CREATE TYPE comp2 AS (e steward.encrypted_text('ginside/a'));
CREATE TABLE s (id integer, email steward.encrypted_text('ginside/a'), es steward.encrypted_text('ginside/a')[], es2 steward.encrypted_text('ginside/a')[], x comp2, later text);
CREATE STATISTICS bad ON (ROW(email)::comp2) FROM s;
CREATE STATISTICS bad ON (coalesce(email, email)), (id % 3) FROM s;
CREATE STATISTICS bad ON ((x).e), (id % 2) FROM s;
CREATE STATISTICS bad ON (es[1]), (es2[1]) FROM s;
CREATE STATISTICS bad ON (keeps(email)), (id % 2) FROM s;
CREATE STATISTICS bad ON (w2(email, 'user5')), (id % 2) FROM s;
CREATE STATISTICS bad ON (w3(email, 'user5')) FROM s;
CREATE STATISTICS bad ON (later::steward.encrypted_text('ginside/a')), (id % 2) FROM s;
CREATE STATISTICS bad ON (cardinality(es)), (id % 2) FROM s;
CREATE STATISTICS good ON (id % 2), (upper(later)) FROM s;
DROP STATISTICS good;
-- nor when a column becomes an encrypted one
CREATE STATISTICS later ON (coalesce(later, later)), (id % 2) FROM s;
ALTER TABLE s ALTER COLUMN later TYPE steward.encrypted_text('ginside/a') USING later::steward.encrypted_text('ginside/a');
SELECT steward.encrypt_column('s', 'later', 'ginside/a');
DROP STATISTICS later;
CREATE STATISTICS later ON later, id FROM s;
ALTER TABLE s ALTER COLUMN later TYPE steward.encrypted_text('ginside/a') USING later::steward.encrypted_text('ginside/a');
DROP STATISTICS later;
CREATE TYPE grows AS (n integer);
CREATE TABLE s2 (id integer, v grows);
CREATE STATISTICS later ON (coalesce(v, v)), (id % 2) FROM s2;
ALTER TYPE grows ADD ATTRIBUTE e steward.encrypted_text('ginside/a');
DROP STATISTICS later;
SELECT count(*) AS statistics FROM pg_statistic_ext WHERE stxnamespace = 'ginside'::regnamespace;

-- allowed: what looks at an array or a row from without
ALTER TABLE t ADD CHECK (cardinality(es) < 5 AND array_length(es, 1) < 5 AND array_ndims(es) = 1 AND array_lower(es, 1) = 1 AND array_upper(es, 1) < 5);
ALTER TABLE t ADD CHECK (num_nulls(a, b) < 3 AND num_nonnulls(VARIADIC es) < 5 AND pg_column_size(a) < 5000 AND p IS NOT NULL IS NOT NULL AND (p).x IS DISTINCT FROM 7);
CREATE INDEX ON t ((cardinality(es)));
CREATE INDEX ON t (id) WHERE es IS NOT NULL AND (p).x > 3;
ALTER TABLE t ADD COLUMN copied steward.encrypted_text('ginside/a')[] GENERATED ALWAYS AS (ARRAY[a, b] || es) STORED;
ALTER TABLE t ADD COLUMN parts integer GENERATED ALWAYS AS (array_length(es, 1)) STORED;
CREATE VIEW v AS SELECT id, greatest(a, b) AS g, ARRAY[a] < ARRAY[b] AS lt, w3(a, 'user1') AS w FROM t;
UPDATE t SET es = ARRAY[a];
SELECT id, g::text, lt, w FROM v ORDER BY id;
RESET search_path;
DROP SCHEMA ginside CASCADE;
