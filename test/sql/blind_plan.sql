-- What the planner does with a blind index, beside a twin of the table in plaintext with
-- ordinary indexes: the same; and what it tells, and to whom.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA blind_plan;
SET search_path = blind_plan;
SELECT steward.create_key('blind_plan');
CREATE ROLE blind_plan_searcher;
CREATE ROLE blind_plan_nobody;
GRANT USAGE ON SCHEMA blind_plan TO PUBLIC;
SELECT steward.grant_key('blind_plan', 'blind_plan_searcher', 'search');
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;

-- The plan of a query in which T stands for the table: that of the twin, and "the same",
-- or what it is over the encrypted table. Constants are left out, being sealed anew.
CREATE FUNCTION plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    shape text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line !~ '(Cond|Filter|Index Searches|Disabled): ' THEN
            shape := shape || ', ' || regexp_replace(regexp_replace(line, '^[ >-]*', ''), '(clear|sealed)_?', '', 'g');
        END IF;
    END LOOP;
    RETURN substr(shape, 3);
END $$;
CREATE FUNCTION twins(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    clear text := plan(regexp_replace(query, '\mT\M', 'clear', 'g'));
    sealed text := plan(regexp_replace(query, '\mT\M', 'sealed', 'g'));
BEGIN
    RETURN clear || CASE WHEN clear = sealed THEN ': the same' ELSE ' BUT ' || sealed END;
END $$;
CREATE FUNCTION estimate(query text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
-- Is the estimate right within a factor of two?
CREATE FUNCTION fits(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    estimated integer := estimate(query);
    found integer;
BEGIN
    EXECUTE 'SELECT count(*) FROM (' || query || ') AS q' INTO found;
    RETURN CASE WHEN estimated BETWEEN found / 2 AND greatest(found * 2, 2) THEN format('%s found', found)
        ELSE format('%s FOUND, %s ESTIMATED', found, estimated) END;
END $$;

-- b is skewed: of ten rows six are "common", three one of some 15, one is alone
CREATE TABLE clear (id integer PRIMARY KEY, u bigint, b text, a text, n text) WITH (autovacuum_enabled = off);
INSERT INTO clear
SELECT g, g, CASE WHEN g % 10 < 6 THEN 'common' WHEN g % 10 < 9 THEN 'some' || g % 50 ELSE 'rare' || g END, 'a' || g % 400,
       CASE WHEN g % 25 > 0 THEN 'n' || g % 3 END
  FROM generate_series(1, 20000) AS g;
CREATE TABLE sealed (id integer PRIMARY KEY, u steward.encrypted_bigint('blind_plan/t.u'), b steward.encrypted_text('blind_plan/t.b'),
                     a steward.encrypted_text('blind_plan/t.a'), n steward.encrypted_text('blind_plan/t.n')) WITH (autovacuum_enabled = off);
INSERT INTO sealed SELECT * FROM clear;
CREATE INDEX clear_u ON clear (u);
CREATE INDEX sealed_u ON sealed USING blind (u);
CREATE INDEX clear_b ON clear (b);
CREATE INDEX sealed_b ON sealed USING blind (b);
CREATE INDEX clear_n ON clear (n);
CREATE INDEX sealed_n ON sealed USING blind (n);
-- before ANALYZE, too
SELECT fits($$SELECT * FROM sealed WHERE b = 'common'$$), fits($$SELECT * FROM sealed WHERE u = 7$$);
VACUUM ANALYZE clear;
VACUUM ANALYZE sealed;

-- equality: with one row, with some, with most of all, with none
SELECT twins($$SELECT * FROM T WHERE u = 77$$);
SELECT twins($$SELECT * FROM T WHERE 77 = u$$);
SELECT twins($$SELECT * FROM T WHERE b = 'some7'$$);
SELECT twins($$SELECT * FROM T WHERE b = 'rare9'$$);
SELECT twins($$SELECT * FROM T WHERE b = 'none'$$);
SELECT twins($$SELECT * FROM T WHERE b = 'common'$$);
SELECT twins($$SELECT * FROM T WHERE b <> 'common'$$);
SELECT twins($$SELECT * FROM T WHERE n = 'n1'$$);
-- lists, and NULL
SELECT twins($$SELECT * FROM T WHERE b IN ('rare9', 'rare19', 'rare29')$$);
SELECT twins($$SELECT * FROM T WHERE b IN ('rare9', 'common')$$);
SELECT twins($$SELECT * FROM T WHERE u = ANY ('{1,2,3,4,5,6,7,8,9,10,11,12}'::bigint[])$$);
SELECT twins($$SELECT * FROM T WHERE n IS NULL$$);
SELECT twins($$SELECT * FROM T WHERE n IS NOT NULL$$);
SELECT twins($$SELECT * FROM T WHERE b = 'rare9' AND n IS NOT NULL$$);
SELECT twins($$SELECT * FROM T WHERE b = 'common' AND u = 5$$);
-- a few of the rows
SELECT twins($$SELECT * FROM T WHERE b = 'common' LIMIT 1$$);
SELECT twins($$SELECT * FROM T WHERE b = 'rare9' LIMIT 1$$);
SELECT twins($$SELECT * FROM T WHERE u = 5 ORDER BY id$$);
-- joins
SELECT twins($$SELECT * FROM T AS x JOIN T AS y USING (u) WHERE x.id < 10$$);
SELECT twins($$SELECT * FROM T AS x JOIN T AS y USING (u)$$);
SELECT twins($$SELECT * FROM T WHERE u IN (SELECT g FROM generate_series(1::bigint, 3) AS g)$$);
SELECT twins($$UPDATE T SET n = NULL WHERE u = 5$$);

-- how many rows: of constants, lists of them, their opposite; nothing is known of others
SELECT fits($$SELECT * FROM sealed WHERE b = 'common'$$), fits($$SELECT * FROM sealed WHERE 'common' = b$$),
       fits($$SELECT * FROM sealed WHERE b = 'common'::text$$), fits($$SELECT * FROM sealed WHERE b = 'com' || 'mon'$$);
SELECT fits($$SELECT * FROM sealed WHERE b = 'some7'$$), fits($$SELECT * FROM sealed WHERE b = 'rare9'$$),
       fits($$SELECT * FROM sealed WHERE b = 'none'$$), fits($$SELECT * FROM sealed WHERE b = NULL$$);
SELECT fits($$SELECT * FROM sealed WHERE b IN ('some7', 'some8', 'some16')$$), fits($$SELECT * FROM sealed WHERE b IN ('none', 'common')$$),
       fits($$SELECT * FROM sealed WHERE b = ANY ('{common,some7}'::text[])$$), fits($$SELECT * FROM sealed WHERE b = ANY ('{}'::text[])$$);
SELECT fits($$SELECT * FROM sealed WHERE b <> 'common'$$), fits($$SELECT * FROM sealed WHERE 'rare9' <> b$$),
       fits($$SELECT * FROM sealed WHERE n <> 'n1'$$), fits($$SELECT * FROM sealed WHERE n = 'n1'$$);
SELECT fits($$SELECT * FROM sealed WHERE u = 5$$), fits($$SELECT * FROM sealed WHERE u = 5::smallint$$), fits($$SELECT * FROM sealed WHERE u = 5.5$$),
       fits($$SELECT * FROM sealed WHERE u = 9223372036854775807$$);
SELECT fits($$SELECT x.id FROM (SELECT * FROM sealed WHERE b = 'common' OFFSET 0) AS x$$) AS "inside another query",
       estimate($$SELECT * FROM sealed WHERE b = (SELECT 'common')$$) < 1000 AS "not known";
PREPARE by_b(text) AS SELECT * FROM sealed WHERE b = $1;
SET plan_cache_mode = force_custom_plan;
SELECT estimate($$EXECUTE by_b('common')$$) > 6000 AS custom;
SET plan_cache_mode = force_generic_plan;
SELECT estimate($$EXECUTE by_b('common')$$) < 1000 AS generic;
RESET plan_cache_mode;

-- several columns: what is searched must bound the first ones
CREATE INDEX clear_ua ON clear (u, a);
CREATE INDEX sealed_ua ON sealed USING blind (u, a);
SELECT twins($$SELECT * FROM T WHERE a = 'a7'$$);
SELECT twins($$SELECT * FROM T WHERE a IS NULL$$);
DROP INDEX clear_u, sealed_u, clear_ua, sealed_ua;
CREATE INDEX clear_ba ON clear (b, a);
CREATE INDEX sealed_ba ON sealed USING blind (b, a);
DROP INDEX clear_b, sealed_b;
SELECT twins($$SELECT * FROM T WHERE b = 'common' AND a = 'a1'$$);
SELECT twins($$SELECT * FROM T WHERE b IN ('some7', 'common') AND a IN ('a1', 'a7')$$);
SELECT twins($$SELECT * FROM T WHERE b = 'rare9'$$);
SELECT twins($$SELECT * FROM T WHERE b = 'common'$$);
-- the first column of several tells, too
SELECT fits($$SELECT * FROM sealed WHERE b = 'common'$$), fits($$SELECT * FROM sealed WHERE b = 'rare9'$$);
DROP INDEX clear_ba, sealed_ba;

-- an index of some rows
CREATE INDEX clear_part ON clear (b) WHERE id > 19000;
CREATE INDEX sealed_part ON sealed USING blind (b) WHERE id > 19000;
SELECT twins($$SELECT * FROM T WHERE b = 'rare19999' AND id > 19000$$);
SELECT plan($$SELECT * FROM sealed WHERE b = 'rare19999'$$);
SELECT estimate($$SELECT * FROM sealed WHERE b = 'common'$$) < 1000 AS "it does not tell of all";
DROP INDEX clear_part, sealed_part;

-- short tags find others too: pages of these are paid for, and they are no rows of the result
CREATE INDEX short ON sealed USING blind (u) WITH (tag_bits = 8);
SELECT estimate($$SELECT * FROM sealed WHERE u = 5$$) < 60 AS "a few rows", plan($$SELECT * FROM sealed WHERE u = 5$$);
CREATE INDEX long ON sealed USING blind (u);
SELECT plan($$SELECT * FROM sealed WHERE u = 5$$) AS "the longer ones";
DROP INDEX short, long;

-- ranges: both ends together, also with more that is said of the column
CREATE INDEX clear_u ON clear (u);
CREATE INDEX sealed_u ON sealed USING blind (u steward.blind_bigint_range_ops);
SELECT twins($$SELECT * FROM T WHERE u = 77$$);
SELECT twins($$SELECT * FROM T WHERE u BETWEEN 500 AND 700$$);
SELECT twins($$SELECT * FROM T WHERE u > 19900$$);
SELECT twins($$SELECT * FROM T WHERE u < 18000$$);
SELECT twins($$SELECT * FROM T WHERE 100 > u AND 50 <= u$$);
SELECT twins($$SELECT * FROM T WHERE u IS NOT NULL$$);
SELECT fits('SELECT * FROM sealed WHERE u BETWEEN 500 AND 510'), fits('SELECT * FROM sealed WHERE u BETWEEN 5000 AND 15000'), fits('SELECT * FROM sealed WHERE u > 19000'), fits('SELECT * FROM sealed WHERE u <= 0'),
       fits('SELECT * FROM sealed WHERE u >= 5 AND u < 1000 AND u > 400'), fits('SELECT * FROM sealed WHERE u BETWEEN 9 AND 5'), fits('SELECT * FROM sealed WHERE u < NULL::bigint'), fits('SELECT * FROM sealed WHERE 99.5 < u AND u < 199.5');
-- what is not known is taken for what it is elsewhere: a two-hundredth, a third
SELECT estimate('SELECT * FROM sealed WHERE u BETWEEN (SELECT 5) AND (SELECT 6)') AS both_ends, estimate('SELECT * FROM sealed WHERE u > (SELECT 5)') AS one_end,
       estimate('SELECT * FROM generate_series(1, 1) AS g JOIN sealed ON u >= g AND u < g + 10') AS of_a_join;
SELECT estimate('SELECT * FROM (SELECT * FROM sealed WHERE u > 10 OFFSET 0) AS s') > 19000 AS alone, estimate('SELECT * FROM generate_series(1, 1) AS g JOIN sealed ON u > 10 AND u < g') > 1000 AS beside_a_join;
DROP INDEX sealed_u;
SELECT estimate('SELECT * FROM sealed WHERE u BETWEEN 5 AND 19000') AS both_ends, estimate('SELECT * FROM sealed WHERE u > 5') AS one_end, estimate('SELECT * FROM sealed WHERE u > 5 AND u > 6') AS same_end;
DROP INDEX clear_u;
-- patterns: as many rows as have the rarest of their trigrams; too short ones read the table
CREATE INDEX sealed_like ON sealed USING blind (b steward.blind_trigram_ops);
-- what a scan costs does not depend on who counted last: a build counts entries, ANALYZE rows
CREATE FUNCTION cost(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan #>> '{0,Plan,Plans,0,Total Cost}';
END $$;
SET enable_seqscan = off;
SET enable_indexscan = off;
SELECT cost($$SELECT FROM sealed WHERE b LIKE '%common%'$$) AS built \gset
ANALYZE sealed;
SELECT abs(cost($$SELECT FROM sealed WHERE b LIKE '%common%'$$) / :built - 1) < 0.002 AS alike;
RESET enable_seqscan;
RESET enable_indexscan;
SELECT fits($$SELECT * FROM sealed WHERE b LIKE '%common%'$$), fits($$SELECT * FROM sealed WHERE b ILIKE 'SOME%'$$), fits($$SELECT * FROM sealed WHERE b LIKE '%nowhere%'$$), fits($$SELECT * FROM sealed WHERE b LIKE NULL::text$$);
SELECT plan($$SELECT * FROM sealed WHERE b LIKE '%common%'$$), plan($$SELECT * FROM sealed WHERE b LIKE '%ome49%'$$), plan($$SELECT * FROM sealed WHERE b LIKE '%o%'$$), plan($$SELECT * FROM sealed WHERE b LIKE '%'$$), plan($$SELECT * FROM sealed WHERE b NOT LIKE '%ome49%'$$);
DROP INDEX sealed_like;

-- an index so large that its leaves are counted by their parents
CREATE TABLE many (b steward.encrypted_bigint('blind_plan/t.b')) WITH (autovacuum_enabled = off);
INSERT INTO many SELECT CASE WHEN g % 5 > 0 THEN 1 ELSE g END FROM generate_series(1, 60000) AS g;
CREATE INDEX ON many USING blind (b);
SELECT fits('SELECT * FROM many WHERE b = 1'), fits('SELECT * FROM many WHERE b = 5'), fits('SELECT * FROM many WHERE b = 2');
INSERT INTO many SELECT CASE WHEN g % 5 > 0 THEN 1 ELSE g END FROM generate_series(1, 30000) AS g;
SELECT fits('SELECT * FROM many WHERE b = 1');

-- one that grew beyond what was known of it
CREATE TABLE grown (b steward.encrypted_bigint('blind_plan/t.b')) WITH (autovacuum_enabled = off);
CREATE INDEX ON grown USING blind (b);
INSERT INTO grown VALUES (1);
SELECT fits('SELECT * FROM grown WHERE b = 1');
INSERT INTO grown SELECT 1 FROM generate_series(1, 30000);
SELECT fits('SELECT * FROM grown WHERE b = 1');

-- rows that went
CREATE INDEX clear_b ON clear (b);
CREATE INDEX sealed_b ON sealed USING blind (b);
DELETE FROM clear WHERE id % 10 < 6 AND id > 100;
DELETE FROM sealed WHERE id % 10 < 6 AND id > 100;
VACUUM ANALYZE clear;
VACUUM ANALYZE sealed;
SELECT fits($$SELECT * FROM sealed WHERE b = 'common'$$), fits($$SELECT * FROM sealed WHERE b = 'some7'$$), fits($$SELECT * FROM sealed WHERE b = 'rare9'$$);
SELECT twins($$SELECT * FROM T WHERE b = 'common'$$);

-- no table to speak of
CREATE TABLE empty (id integer, b steward.encrypted_text('blind_plan/t.b'));
CREATE INDEX ON empty USING blind (b);
SELECT estimate($$SELECT * FROM empty WHERE b = 'x'$$);
VACUUM ANALYZE empty;
SELECT estimate($$SELECT * FROM empty WHERE b = 'x'$$), count(*) FROM empty WHERE b = 'x';
INSERT INTO empty VALUES (1, 'x'), (2, 'y'), (3, NULL);
VACUUM ANALYZE empty;
SELECT plan($$SELECT * FROM empty WHERE b = 'x'$$) AS small, fits($$SELECT * FROM empty WHERE b = 'x'$$);

-- partitions
CREATE TABLE parted (b steward.encrypted_text('blind_plan/t.b'), id integer) PARTITION BY RANGE (id);
CREATE TABLE parted_1 (id integer, b steward.encrypted_text('blind_plan/t.b'));
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (5000);
CREATE INDEX ON parted USING blind (b);
INSERT INTO parted SELECT CASE WHEN g % 10 < 6 THEN 'common' ELSE 'rare' || g END, g FROM generate_series(1, 4000) AS g;
ANALYZE parted;
SELECT fits($$SELECT * FROM parted WHERE b = 'common'$$), fits($$SELECT * FROM parted WHERE b = 'rare9'$$), fits($$SELECT * FROM parted_1 WHERE b = 'common'$$);

-- Estimates tell whether a value is there: to those who may search, and read all rows.
GRANT SELECT ON ALL TABLES IN SCHEMA blind_plan TO blind_plan_searcher, blind_plan_nobody;
REVOKE SELECT ON parted_1, parted_2 FROM blind_plan_searcher;
CREATE INDEX sealed_u ON sealed USING blind (u);
CREATE INDEX sealed_two ON sealed USING blind (n, b);
CREATE INDEX sealed_part ON sealed USING blind (b) WHERE id < 50;
-- Is it the same for each constant?
CREATE FUNCTION tells(relation text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN estimate(format('SELECT * FROM %s WHERE b = %L', relation, 'some7')) = estimate(format('SELECT * FROM %s WHERE b = %L', relation, 'none'))
                 AND estimate(format('SELECT * FROM %s WHERE b <> %L', relation, 'common')) = estimate(format('SELECT * FROM %s WHERE b <> %L', relation, 'none'))
        THEN 'nothing' ELSE 'what is there' END $$;
-- without the right no plan has the index, so that what needs no right works
SET ROLE blind_plan_nobody;
SELECT tells('sealed'), tells('parted');
SELECT plan($$SELECT * FROM sealed WHERE b = 'rare9'$$), plan($$SELECT * FROM sealed WHERE u = 5$$), plan($$SELECT * FROM sealed WHERE n IS NULL$$);
SET enable_seqscan = off;
SELECT plan($$SELECT * FROM sealed WHERE b = 'rare9'$$), plan($$SELECT * FROM sealed WHERE n IS NULL$$), plan($$SELECT * FROM sealed WHERE id < 50 AND b IS NULL$$);
SELECT count(*) FROM sealed WHERE n IS NULL;
SELECT count(*) FROM sealed WHERE b IS NULL AND id < 50;
SELECT count(*) FROM sealed WHERE b IS NOT NULL;
SELECT count(*) FROM sealed WHERE b = 'rare9';
RESET enable_seqscan;
RESET ROLE;
SET ROLE blind_plan_searcher;
SELECT tells('sealed'), tells('parted'), plan($$SELECT * FROM sealed WHERE b = 'rare9'$$);
RESET ROLE;
-- a plan is of the role that it was made for, and of its rights
PREPARE known AS SELECT * FROM sealed WHERE b = 'rare9';
SET plan_cache_mode = force_generic_plan;
SELECT plan('EXECUTE known'), estimate('EXECUTE known');
SET ROLE blind_plan_nobody;
SELECT plan('EXECUTE known'), estimate('EXECUTE known') > 1 AS usual;
RESET ROLE;
SELECT steward.grant_key('blind_plan', 'blind_plan_nobody', 'search');
SET ROLE blind_plan_nobody;
SELECT plan('EXECUTE known'), estimate('EXECUTE known');
RESET ROLE;
SELECT steward.revoke_key('blind_plan', 'blind_plan_nobody', 'search');
RESET plan_cache_mode;
-- a value under another key is looked up like any
SET client_min_messages = warning;
SELECT steward.create_key('blind_plan_other');
RESET client_min_messages;
CREATE TABLE other (v steward.encrypted_text('blind_plan_other/o.v'));
INSERT INTO other VALUES ('some7'), ('none');
SELECT v AS some7 FROM other OFFSET 0 LIMIT 1 \gset
SELECT v AS none FROM other OFFSET 1 LIMIT 1 \gset
SELECT estimate(format('SELECT * FROM sealed WHERE b = %L', :'some7')) > 50 * estimate(format('SELECT * FROM sealed WHERE b = %L', :'none')) AS told;
-- rows that a policy or a view hides
ALTER TABLE sealed ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON sealed USING (id < 3);
SET ROLE blind_plan_searcher;
SELECT tells('sealed');
RESET ROLE;
ALTER TABLE sealed DISABLE ROW LEVEL SECURITY;
ALTER TABLE parted ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON parted USING (id < 3);
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM sealed WHERE id < 3;
CREATE VIEW open AS SELECT * FROM sealed;
GRANT SELECT ON barrier, open TO blind_plan_searcher;
REVOKE SELECT ON sealed FROM blind_plan_searcher;
SET ROLE blind_plan_searcher;
SELECT tells('parted'), tells('barrier'), tells('open');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA blind_plan CASCADE;
DROP OWNED BY blind_plan_searcher, blind_plan_nobody;
DROP ROLE blind_plan_searcher, blind_plan_nobody;
