-- Equality, hashing and order of encrypted values are those of their plaintexts,
-- however much of them a process remembers, and forgets.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA equality;
SET search_path = equality;
SELECT steward.create_key('equality');
-- texts of many lengths, with empty ones, duplicates and nulls
CREATE TABLE w AS SELECT g AS id, CASE WHEN g % 97 <> 0 THEN left(repeat(md5((g % 15000)::text), 40), (g % 15000 * 7919) % (CASE g % 50 WHEN 0 THEN 1200 ELSE 60 END)) END AS plain FROM generate_series(1, 20000) AS g;
CREATE TABLE t (id integer, c steward.encrypted_text('equality/t.c'));
INSERT INTO t SELECT id, plain FROM w ORDER BY hashint4(id);
ANALYZE;
-- sorted in memory, from temporary files, backwards, the first ones alone, merged
CREATE FUNCTION same_order(direction text, few text DEFAULT '') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    ours text;
    theirs text;
BEGIN
    EXECUTE format('SELECT md5(string_agg(id::text, '','')) FROM (SELECT id FROM t ORDER BY c %s, id %s) AS s', direction, few) INTO ours;
    EXECUTE format('SELECT md5(string_agg(id::text, '','')) FROM (SELECT id FROM w ORDER BY plain %s, id %s) AS s', direction, few) INTO theirs;
    RETURN ours = theirs;
END
$$;
SELECT memory, same_order('ASC') AS ascending, same_order('DESC NULLS LAST') AS descending, same_order('ASC', 'LIMIT 100') AS few
FROM (VALUES ('64kB'), ('1MB'), ('64MB')) AS v (memory), LATERAL set_config('work_mem', memory, false);
RESET work_mem;
SELECT array_agg(c::text ORDER BY c) = array_agg(plain ORDER BY plain) AS same FROM w JOIN t USING (id) WHERE plain IS NOT NULL;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT same_order('ASC') AS merged_from_workers;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- joined, aggregated, made distinct, with more values than are remembered
CREATE FUNCTION same_count(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    ours bigint;
    theirs bigint;
BEGIN
    EXECUTE replace(replace(query, '<t>', 't'), '<v>', 'c') INTO ours;
    EXECUTE replace(replace(query, '<t>', 'w'), '<v>', 'plain') INTO theirs;
    IF ours <> theirs THEN
        RAISE WARNING '% instead of %: %', ours, theirs, query;
    END IF;
    RETURN ours = theirs;
END
$$;
SELECT memory, same_count('SELECT count(*) FROM <t> AS a JOIN <t> AS b ON a.<v> = b.<v>') AS joined,
    same_count('SELECT count(*) FROM <t> AS a JOIN w ON a.<v> = w.plain') AS joined_with_plaintext,
    same_count('SELECT count(DISTINCT <v>) FROM <t>') AS different,
    same_count('SELECT count(*) FROM (SELECT FROM <t> GROUP BY <v> HAVING count(*) > 1) AS s') AS grouped,
    same_count('SELECT count(DISTINCT (<v>)) FILTER (WHERE id % 2 = 0) FROM <t>') AS different_even
FROM (VALUES ('64kB'), ('1MB'), ('64MB')) AS v (memory), LATERAL set_config('work_mem', memory, false);
RESET work_mem;
-- looked for in a subquery's plaintexts, by a hash table of them and by a join
SELECT same_count('SELECT count(*) FROM <t> WHERE <v> IN (SELECT plain FROM w WHERE id < 5000)') AS among_plaintexts,
    same_count('SELECT count(*) FROM <t> WHERE <v> NOT IN (SELECT plain FROM w WHERE id < 5000 AND plain IS NOT NULL)') AS not_among_plaintexts,
    same_count('SELECT count(*) FROM w WHERE plain NOT IN (SELECT <v> FROM <t> WHERE id < 5000 AND <v> IS NOT NULL)') AS plaintexts_not_among,
    same_count('SELECT count(*) FROM <t> WHERE <v> IN (SELECT plain FROM w WHERE id < 50) OR id < 5') AS among_plaintexts_or_not;
SET enable_hashjoin = off;
SELECT count(*) AS nested_loop FROM t AS a JOIN t AS b ON a.c = b.c WHERE a.id <= 60 AND b.id BETWEEN 15001 AND 15060;
SET enable_hashagg = off;
SELECT same_count('SELECT count(*) FROM (SELECT FROM <t> GROUP BY <v>) AS s') AS grouped_by_sorting;
RESET enable_hashagg;
RESET enable_hashjoin;
-- found by an index
CREATE TABLE u (id integer, c steward.encrypted_text('equality/u.c'));
INSERT INTO u SELECT min(id), plain FROM w WHERE plain IS NOT NULL GROUP BY plain;
CREATE UNIQUE INDEX ON u (c steward.encrypted_unique_ops);
SET enable_seqscan = off;
SELECT count(*) = (SELECT count(DISTINCT plain) FROM w) AS all_found, bool_and(found = id) AS right_ones
FROM (SELECT min(id) AS id, plain, (SELECT id FROM u WHERE u.c = plain) AS found FROM w WHERE plain IS NOT NULL GROUP BY plain) AS s;
SELECT count(*) AS not_there FROM generate_series(1, 1000) AS g JOIN u ON u.c = 'no' || g;
RESET enable_seqscan;
-- the other types
CREATE TABLE n (id integer, big steward.encrypted_bigint('equality/n.big'), num steward.encrypted_numeric('equality/n.num'), plain_big bigint, plain_num numeric);
INSERT INTO n SELECT g, v, v / 1000.0, v, round(v / 1000.0, g % 5 + 3) FROM (SELECT g, (g * 7919::bigint % 1013 - 500) * 1000000007 AS v FROM generate_series(1, 3000) AS g) AS s;
SELECT array_agg(id ORDER BY big, id) = array_agg(id ORDER BY plain_big, id) AS bigint_order, array_agg(id ORDER BY num, id) = array_agg(id ORDER BY plain_num, id) AS numeric_order,
    count(DISTINCT big) = count(DISTINCT plain_big) AS bigint_different, count(DISTINCT num) = count(DISTINCT plain_num) AS numeric_different FROM n;

-- an altered value is not taken for the one that is remembered
CREATE TABLE altered (c steward.encrypted_text('equality/t.c'));
CREATE FUNCTION changed(steward.encrypted_text, place integer) RETURNS steward.encrypted_text LANGUAGE sql
    AS $$ SELECT steward.encrypted_text_in(overlay(a placing CASE WHEN substr(a, place, 1) = 'A' THEN 'B' ELSE 'A' END from place)::cstring, 0, -1) FROM (SELECT steward.encrypted_text_out($1)::text AS a) AS s $$;
CREATE TABLE one AS SELECT c FROM t WHERE id = 1;
INSERT INTO one SELECT c::text::steward.encrypted_text('equality/t.c') FROM one;
SELECT count(*) AS remembered FROM one AS a JOIN one AS b ON a.c = b.c;
CREATE FUNCTION compare_altered(place integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT string_agg((changed(a.c, place) = b.c)::text, ',') FROM one AS a, one AS b);
EXCEPTION WHEN data_corrupted OR undefined_object OR invalid_text_representation THEN
    RETURN SQLERRM;
END
$$;
-- salt, commitment, ciphertext, its authentication
SELECT compare_altered(30), compare_altered(60), compare_altered(85), compare_altered(105);
SELECT count(*) AS remembered FROM one AS a JOIN one AS b ON a.c = b.c;

-- keys that were rolled back open nothing, and nothing that they opened is known
CREATE FUNCTION rolled_back() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    x steward.encrypted_text;
    y steward.encrypted_text;
BEGIN
    BEGIN
        PERFORM steward.create_key('equality_gone');
        x := steward.encrypt_text('same', 'equality_gone/x');
        y := steward.encrypt_text('same', 'equality_gone/x');
        IF x = y AND steward.encrypted_text_hash(x) = steward.encrypted_text_hash(y) AND x = y THEN
            RAISE EXCEPTION 'equal';
        END IF;
    EXCEPTION WHEN raise_exception THEN
        RAISE WARNING '%', SQLERRM;
    END;
    RETURN x = y;
END
$$;
SELECT rolled_back();

-- values that are bound to a subject are in no unique index
CREATE TABLE person (id integer PRIMARY KEY, c steward.encrypted_text('equality/u.c'));
SELECT steward.bind_subject('person', 'equality', 'id');
INSERT INTO person VALUES (1, 'bound'), (2, 'bound'), (3, 'other');
SELECT count(*) AS equal FROM person AS a JOIN person AS b ON a.c = b.c;
INSERT INTO u SELECT id, c FROM person;
\set VERBOSITY default
CREATE UNIQUE INDEX ON person (c steward.encrypted_unique_ops);
\set VERBOSITY terse
-- after an erasure what was equal is not, and sorts last
BEGIN;
SELECT count(*) AS equal FROM person AS a JOIN person AS b ON a.c = b.c;
SELECT array_agg(id ORDER BY c, id) FROM person;
SELECT steward.shred_subject('equality', '1');
SELECT count(*) AS equal FROM person AS a JOIN person AS b ON a.c = b.c;
SELECT array_agg(id ORDER BY c, id) FROM person;
ROLLBACK;
SELECT count(*) AS equal FROM person AS a JOIN person AS b ON a.c = b.c;
SELECT array_agg(id ORDER BY c, id) FROM person;

-- the same for every plain type that is compared with; no other is equal to a 3
CREATE TABLE kinds (i steward.encrypted_bigint('equality/kinds.i'), n steward.encrypted_numeric('equality/kinds.n'), b steward.encrypted_bytea('equality/kinds.b'), j steward.encrypted_jsonb('equality/kinds.j'), d steward.encrypted_date('equality/kinds.d'), s steward.encrypted_timestamptz('equality/kinds.s'));
INSERT INTO kinds SELECT g, g::numeric, g::text::bytea, to_jsonb(g), date '2000-01-01' + g, timestamptz '2000-01-01' + g * interval '1 day' FROM generate_series(1, 9) AS g;
CREATE TABLE plains AS SELECT g::smallint AS i2, g::integer AS i4, g::bigint AS i8, g + 0.00 AS n, g::text::bytea AS b, to_jsonb(g + 0.0) AS j, date '2000-01-01' + g AS d, timestamptz '2000-01-01' + g * interval '1 day' AS s FROM generate_series(1, 5) AS g;
INSERT INTO plains (i2, i4, i8, n, b, j, d, s) VALUES (1, 1, 1, 'NaN', '', '1', 'infinity', 'infinity'), (1, 1, 1, 1e30, '', '"1"', '-infinity', '-infinity'), (1, 1, 1, 3.5, '', '{}', '2000-01-02', '2000-01-02');
ANALYZE kinds;
ANALYZE plains;
SELECT count(*) FILTER (WHERE i NOT IN (SELECT i2 FROM plains)) AS i2, count(*) FILTER (WHERE i NOT IN (SELECT i4 FROM plains)) AS i4, count(*) FILTER (WHERE i NOT IN (SELECT i8 FROM plains)) AS i8,
    count(*) FILTER (WHERE i NOT IN (SELECT plains.n FROM plains)) AS i_n, count(*) FILTER (WHERE kinds.n NOT IN (SELECT plains.n FROM plains)) AS n, count(*) FILTER (WHERE b NOT IN (SELECT plains.b FROM plains)) AS b,
    count(*) FILTER (WHERE j NOT IN (SELECT plains.j FROM plains)) AS j, count(*) FILTER (WHERE d NOT IN (SELECT plains.d FROM plains)) AS d, count(*) FILTER (WHERE s NOT IN (SELECT plains.s FROM plains)) AS s
FROM kinds;
-- a collation that takes different texts for the same does not count, however joined
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE spelt AS SELECT v::text COLLATE caseless AS v FROM (VALUES ('1'), ('A'), ('a')) AS v (v);
CREATE TABLE few (c steward.encrypted_text('equality/few.c'));
INSERT INTO few VALUES ('A'), ('a');
ANALYZE spelt;
ANALYZE few;
SET enable_hashjoin = off;
SELECT count(*) AS found, (SELECT count(*) FROM few WHERE c NOT IN (SELECT v FROM spelt)) AS not_found FROM few WHERE c IN (SELECT v FROM spelt);
RESET enable_hashjoin;

-- rights: to sort needs decrypt, to join search
RESET search_path;
CREATE ROLE equality_user;
GRANT USAGE ON SCHEMA equality TO equality_user;
GRANT SELECT ON ALL TABLES IN SCHEMA equality TO equality_user;
SET ROLE equality_user;
SELECT count(*) FROM (SELECT c FROM equality.u ORDER BY c OFFSET 0) AS s;
SELECT count(*) FROM equality.u AS a JOIN equality.u AS b ON a.c = b.c;
RESET ROLE;
SELECT steward.grant_key('equality', 'equality_user', 'search');
SET ROLE equality_user;
SELECT count(*) FROM (SELECT c FROM equality.u ORDER BY c OFFSET 0) AS s;
SELECT count(*) = (SELECT count(*) FROM equality.u) AS joined FROM equality.u AS a JOIN equality.u AS b ON a.c = b.c;
RESET ROLE;
SELECT steward.grant_key('equality', 'equality_user', 'decrypt');
SET ROLE equality_user;
SELECT count(*) = (SELECT count(*) FROM equality.u) AS sorted FROM (SELECT c FROM equality.u ORDER BY c OFFSET 0) AS s;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA equality CASCADE;
DELETE FROM steward.subject_key WHERE kind = 'equality';
DROP OWNED BY equality_user;
DROP ROLE equality_user;
