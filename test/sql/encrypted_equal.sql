-- What is equal though it was written differently is equal in every place that
-- looks for it: predicates, groups, unique indexes, foreign keys, other sessions.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA eequal;
SET search_path = eequal;
SET timezone = 'UTC';
SELECT steward.create_key('eequal');
SELECT steward.create_key('eequal_other');
RESET client_min_messages;

CREATE TABLE t (id integer, n steward.encrypted_numeric('eequal/n'), j steward.encrypted_jsonb('eequal/j'), ts steward.encrypted_timestamptz('eequal/ts'), i steward.encrypted_bigint('eequal/i'), d steward.encrypted_date('eequal/d'), b steward.encrypted_bytea('eequal/b'));
INSERT INTO t VALUES
    (1, 1, '{"b": 1, "aa": [1.0, 2], "a": null}', '2020-06-01 12:00+00', 10, '2020-06-01', '\x61'),
    (2, 1.00, '{"a": null, "b": 1.00, "aa": [1, 2.000]}', '2020-06-01 14:00+02', '0010', 'June 1, 2020', 'a'),
    (3, '1e0', '{"b": 7, "b": 1.0, "aa": [1, 2], "a": null}', '2020-06-01 17:30 Asia/Kolkata', ' 10 ', '20200601', 'a'),
    (4, 1.001, '{"b": 1, "aa": [2, 1], "a": null}', '2020-06-01 12:00:00.000001+00', 11, '2020-06-02', 'A'),
    (5, -1, '["1", "1.0"]', 'infinity', -10, '-infinity', '');
-- they come back as they were stored
SELECT id, n::numeric, j::jsonb, ts::timestamptz, i::bigint, d::date, b::bytea FROM t ORDER BY id;
SELECT count(DISTINCT n) AS n, count(DISTINCT j) AS j, count(DISTINCT ts) AS ts, count(DISTINCT i) AS i, count(DISTINCT d) AS d, count(DISTINCT b) AS b FROM t;
-- a literal, a parameter, and each type of number
SELECT array_agg(id ORDER BY id) FROM t WHERE n = 1;
SELECT array_agg(id ORDER BY id) FROM t WHERE n = 1.0000 AND 1::bigint = n AND n = '1.0' AND n <> 1.001 AND n IN (1, 2, 3) AND n = ANY (ARRAY[0, 1]::numeric[]) AND n BETWEEN '0.5' AND '1.0005';
SELECT array_agg(id ORDER BY id) FROM t WHERE i = 10 AND 10.0 = i AND i = 10::smallint AND i = 10::bigint AND i IN (9, 10) AND i <> 10.5 AND i <> 99999999999999999999 AND NOT i = -99999999999999999999 AND i <> 'NaN'::numeric;
SELECT array_agg(id ORDER BY id) FROM t WHERE d = '2020-06-01' AND d = date '2020-06-01';
SELECT array_agg(id ORDER BY id) FROM t WHERE ts = '2020-06-01 12:00 UTC' AND ts = timestamptz '2020-06-01 13:00+01' AND ts = timestamp '2020-06-01 12:00';
SELECT array_agg(id ORDER BY id) FROM t WHERE ts = date '2020-06-01';
SELECT array_agg(id ORDER BY id) FROM t WHERE j = '{"a":null,"b":1.0,"aa":[1,2]}' AND j = jsonb '{"a":null,"b":1.0,"aa":[1,2]}' AND jsonb '{"a":null,"b":1.0,"aa":[1,2]}' = j;
SELECT array_agg(id ORDER BY id) FROM t WHERE b = 'a' AND b = '\x61'::bytea;
PREPARE p (bigint, numeric, date, timestamptz) AS SELECT array_agg(id ORDER BY id) FROM t WHERE i = $1 AND n = $2 AND d = $3 AND ts = $4;
EXECUTE p (10, 1.0, '2020-06-01', '2020-06-01 12:00+00');
-- what no type converts is an error, not a silent false
SELECT count(*) FROM t WHERE i = 10::double precision;
SELECT count(*) FROM t WHERE i = '10'::text;
SELECT count(*) FROM t WHERE d = timestamp '2020-06-01';
SELECT count(*) FROM t WHERE n < 5;
SELECT count(*) FROM t WHERE i = 'ten';
SELECT count(*) FROM t WHERE i = '99999999999999999999';
SELECT count(*) FROM t WHERE i = n;

-- unique indexes: what is equal is there already
CREATE UNIQUE INDEX ON t (n steward.encrypted_numeric_unique_ops);
DELETE FROM t WHERE id IN (2, 3);
CREATE UNIQUE INDEX ON t (n steward.encrypted_numeric_unique_ops);
CREATE UNIQUE INDEX ON t (j steward.encrypted_jsonb_unique_ops);
CREATE UNIQUE INDEX ON t (ts steward.encrypted_timestamptz_unique_ops);
CREATE UNIQUE INDEX ON t (i steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX CONCURRENTLY t_d_idx ON t (d steward.encrypted_date_unique_ops);
CREATE UNIQUE INDEX ON t (b steward.encrypted_bytea_unique_ops);
CREATE UNIQUE INDEX ON t (n steward.encrypted_bigint_unique_ops);
CREATE UNIQUE INDEX ON t (id, d steward.encrypted_date_ops);
\set SHOW_CONTEXT never
INSERT INTO t (id, n) VALUES (10, 1.000);
INSERT INTO t (id, j) VALUES (10, '{"aa": [1.0, 2.0], "a": null, "b": 1.0}');
INSERT INTO t (id, ts) VALUES (10, '2020-06-01 07:00-05');
INSERT INTO t (id, i) VALUES (10, 10);
INSERT INTO t (id, d) VALUES (10, date '2020-06-01');
INSERT INTO t (id, b) VALUES (10, 'a');
INSERT INTO t (id, n) VALUES (11, 1.000) ON CONFLICT (n) DO UPDATE SET n = excluded.n, id = excluded.id;
SELECT id, n::numeric FROM t WHERE n = 1;
INSERT INTO t (id, i) VALUES (12, 11) ON CONFLICT (i) DO NOTHING RETURNING id;
-- found by the index
SET enable_seqscan = off;
EXPLAIN (COSTS off) SELECT id FROM t WHERE i = 10;
EXPLAIN (COSTS off) SELECT id FROM t WHERE i = 10.0;
EXPLAIN (COSTS off) SELECT id FROM t WHERE n = 1.0;
SELECT (SELECT id FROM t WHERE i = 10) AS i4, (SELECT id FROM t WHERE i = 10::int2) AS i2, (SELECT id FROM t WHERE i = 10::int8) AS i8, (SELECT id FROM t WHERE i = 10.00) AS numeric, (SELECT id FROM t WHERE i = 10.5) AS none, (SELECT id FROM t WHERE i = 1e30) AS large,
       (SELECT id FROM t WHERE n = 1.0) AS n, (SELECT id FROM t WHERE ts = '2020-06-01 12:00+00') AS ts, (SELECT id FROM t WHERE d = date '2020-06-01') AS d, (SELECT id FROM t WHERE b = 'a'::bytea) AS b,
       (SELECT id FROM t WHERE j = jsonb '{"aa": [1, 2], "a": null, "b": 1.0}') AS j;
EXPLAIN (COSTS off) SELECT id FROM t WHERE i = ANY (ARRAY[9, 10, 77, 10, NULL]::bigint[]);
SELECT (SELECT id FROM t WHERE i = ANY (ARRAY[9, 10, 77, 10, NULL]::int4[])) AS i4, (SELECT id FROM t WHERE i = ANY (ARRAY[9, 10, 77]::int2[])) AS i2, (SELECT id FROM t WHERE i = ANY (ARRAY[9, 10, 77]::int8[])) AS i8,
       (SELECT id FROM t WHERE i = ANY (ARRAY[9, 10.00, 10.5, 'NaN']::numeric[])) AS numeric, (SELECT count(*) FROM t WHERE i = ANY (ARRAY[]::int8[])) AS none, (SELECT id FROM t WHERE i = ANY (ARRAY[9, 10]::int2[]) AND i = ANY (ARRAY[10, 77, 5]::int8[])) AS both,
       (SELECT id FROM t WHERE i IN (9, 10, 77)) AS among;
RESET enable_seqscan;

-- foreign keys, also between columns of different keys
CREATE TABLE invoice (total steward.encrypted_numeric('eequal_other/total') REFERENCES t (n), at steward.encrypted_timestamptz('eequal/at') REFERENCES t (ts) ON DELETE CASCADE);
INSERT INTO invoice VALUES (1.0, '2020-06-01 14:00+02');
INSERT INTO invoice VALUES (2.0, NULL);
UPDATE t SET n = 1.00000 WHERE n = 1;
UPDATE t SET n = 3 WHERE n = 1;
SELECT total::numeric, n::numeric FROM invoice JOIN t ON total = n;
UPDATE invoice SET total = NULL;
DELETE FROM t WHERE ts = '2020-06-01 12:00+00';
SELECT count(*) FROM invoice;
-- a plaintext column cannot refer to an encrypted one
CREATE TABLE plain (i bigint REFERENCES t (i));

-- NULL is no value
SELECT count(*) FROM t WHERE n = NULL;
SELECT (NULL::steward.encrypted_bigint = 5) IS NULL AS null, (NULL::steward.encrypted_bigint)::bigint IS NULL AS none;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA eequal CASCADE;
