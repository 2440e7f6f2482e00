-- Values of an erased subject, for every encrypted type: NULL when read, equal to
-- none but themselves, last in order, and in the way of nobody else.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA eerased;
SET search_path = eerased;
SELECT steward.create_key('eerased');
RESET client_min_messages;
CREATE TABLE t (
    who text, x steward.encrypted_text('eerased/x'), b steward.encrypted_bytea('eerased/b'), j steward.encrypted_jsonb('eerased/j'), i steward.encrypted_bigint('eerased/i'),
    n steward.encrypted_numeric('eerased/n'), d steward.encrypted_date('eerased/d'), ts steward.encrypted_timestamptz('eerased/ts')
);
SELECT steward.bind_subject('t', 'eerased', 'who');
INSERT INTO t SELECT who, 'same', '\x00', '{"a": 1.0}', 5, 1.50, '2020-01-01', '2020-01-01 00:00+00' FROM unnest(ARRAY['ann', 'ben', 'cy']) AS who;
INSERT INTO t VALUES ('ann', 'other', '\x01', '{"a": 2}', 6, 2.5, '2021-01-01', '2021-01-01 00:00+00'), ('ben', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT count(*) AS bound_values_are_longer FROM t WHERE octet_length(steward.encrypted_bigint_send(i)) = 92 AND octet_length(steward.encrypted_date_send(d)) = 88;
SELECT count(DISTINCT x) AS x, count(DISTINCT b) AS b, count(DISTINCT j) AS j, count(DISTINCT i) AS i, count(DISTINCT n) AS n, count(DISTINCT d) AS d, count(DISTINCT ts) AS ts FROM t;
SET client_min_messages = error;
SELECT steward.shred_subject('eerased', 'ben');
RESET client_min_messages;
SELECT who, x::text, b::bytea, j::jsonb, i::bigint, n::numeric, d::date = '2020-01-01' AS d, ts::timestamptz = '2020-01-01 00:00+00' AS ts FROM t WHERE who <> 'ann' ORDER BY who, x::text;
SELECT b::text IS NULL AS b, j::text IS NULL AS j, i::text IS NULL AS i, n::varchar IS NULL AS n, d::char(20) IS NULL AS d, ts::text IS NULL AS ts, i IS NULL AS stored FROM t WHERE who = 'ben' ORDER BY stored;
-- equal to nothing, and to itself
SELECT string_agg(DISTINCT who, ',') AS x FROM t WHERE x = 'same' AND b = '\x00' AND j = '{"a": 1}' AND i = 5 AND n = 1.5 AND d = '2020-01-01' AND ts = '2020-01-01 00:00+00';
SELECT count(*) AS pairs, bool_and(a.b = b.b AND a.j = b.j AND a.i = b.i AND a.n = b.n AND a.d = b.d AND a.ts = b.ts) AS same FROM t AS a JOIN t AS b ON a.x = b.x WHERE a.who <> 'ann' OR b.who <> 'ann';
SELECT bool_and(i = i AND n = n AND j = j AND b = b AND d = d AND ts = ts) AS itself, bool_or(i <> i OR n <> n OR j <> j) AS not_itself FROM t WHERE who = 'ben' AND i IS NOT NULL;
SELECT bool_or(a.i = b.i OR a.n = b.n OR a.j = b.j OR a.b = b.b OR a.d = b.d OR a.ts = b.ts) AS others, bool_and(a.i <> b.i AND a.n <> b.n AND a.j <> b.j) AS differ FROM t AS a, t AS b WHERE a.who = 'ben' AND a.i IS NOT NULL AND b.who <> 'ben';
SELECT count(DISTINCT x) AS x, count(DISTINCT b) AS b, count(DISTINCT j) AS j, count(DISTINCT i) AS i, count(DISTINCT n) AS n, count(DISTINCT d) AS d, count(DISTINCT ts) AS ts FROM t;
SELECT count(*) FROM (SELECT n FROM t GROUP BY n) AS s;
-- last, before NULL
SELECT array_agg(who ORDER BY i, who) AS i, array_agg(who ORDER BY n, who) AS n, array_agg(who ORDER BY j, who) AS j FROM t;
SELECT array_agg(who ORDER BY b, who) AS b, array_agg(who ORDER BY d, who) AS d, array_agg(who ORDER BY ts DESC, who) AS ts FROM t;
-- it moves nowhere else, and hinders neither ANALYZE nor a rewrite
CREATE TABLE elsewhere (n steward.encrypted_numeric('eerased/elsewhere'));
INSERT INTO elsewhere SELECT n FROM t WHERE who = 'ben';
SELECT count(*), count(n) FROM elsewhere;
ANALYZE t;
VACUUM FULL t;
SELECT count(i), count(i::bigint) FROM t;

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA eerased CASCADE;
-- erasures are of the whole database: leave none for other tests
CALL steward.finish_erasure();
DELETE FROM steward.subject_key WHERE kind = 'eerased';
