-- Attacks on blind indexes by those without rights: searches by plans made for others, indexes
-- and operators of one's own, estimates, reports; and what a right to search does not give
-- where the class tells more than equality.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA brights;
SET search_path = brights;
SELECT steward.create_key('brights');
CREATE ROLE brights_owner;
CREATE ROLE brights_searcher;
CREATE ROLE brights_reader;
CREATE ROLE brights_nobody;
GRANT ALL ON SCHEMA brights TO PUBLIC;
SELECT steward.grant_key('brights', 'brights_searcher', 'search');
SELECT steward.grant_key('brights', 'brights_reader', 'decrypt');
CREATE TABLE t (id integer, c steward.encrypted_text('brights/c'), n steward.encrypted_bigint('brights/n'), x steward.encrypted_text('brights/x'));
INSERT INTO t SELECT g, 'c' || g % 10, g, 'word' || g FROM generate_series(1, 2000) AS g;
CREATE INDEX t_c ON t USING blind (c);
CREATE INDEX t_n ON t USING blind (n steward.blind_bigint_range_ops);
CREATE INDEX t_x ON t USING blind (x steward.blind_trigram_ops);
VACUUM ANALYZE t;
GRANT SELECT ON t TO PUBLIC;
RESET client_min_messages;

CREATE FUNCTION plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    scans text[];
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        scans := scans || substring(line FROM '(?:Bitmap Index|Index Only|Index|Seq) Scan');
    END LOOP;
    RETURN array_to_string(array_remove(scans, NULL), ', ');
END $$;
-- What a role gets by a statement: rows, or the error.
CREATE FUNCTION try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE command INTO result;
    RETURN coalesce(result, 'null');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- ---- searches, by whatever plan ----

CREATE TABLE queries (query text);
INSERT INTO queries VALUES
    ($$SELECT count(*) FROM t WHERE c = 'c7'$$), ($$SELECT count(*) FROM t WHERE c = 'nowhere'::text$$), ($$SELECT count(*) FROM t WHERE c = ANY ('{c1,c2}'::text[])$$),
    ('SELECT count(*) FROM t WHERE n = 7'), ('SELECT count(*) FROM t WHERE n BETWEEN 5 AND 9'), ('SELECT count(*) FROM t WHERE n > 9999'),
    ($$SELECT count(*) FROM t WHERE x LIKE '%word7%'$$), ($$SELECT count(*) FROM t WHERE x ILIKE '%nowhere%'$$), ($$SELECT count(*) FROM t WHERE x LIKE ANY (ARRAY['%word7%', '%rd99%'])$$),
    ('SELECT count(*) FROM t WHERE c IS NULL'), ('SELECT count(*) FROM t WHERE n IS NOT NULL'), ('SELECT count(*) FROM t WHERE x IS NOT NULL'),
    ($$SELECT count(*) FROM t WHERE n IS NOT NULL AND x LIKE '%'$$);
GRANT SELECT ON queries TO PUBLIC;
SET enable_seqscan = off;
SET ROLE brights_nobody;
SELECT query, plan(query), try(query) FROM queries;
SET enable_bitmapscan = off;
SELECT query, plan(query) FROM queries WHERE plan(query) <> 'Seq Scan';
SET ROLE brights_searcher;
SELECT query, plan(query), try(query) FROM queries;
RESET enable_bitmapscan;
SELECT query, plan(query) FROM queries WHERE plan(query) <> 'Seq Scan';
SET ROLE brights_reader;
SELECT query, plan(query), try(query) FROM queries;
RESET ROLE;

-- a plan of somebody with the right, run by somebody with less: a cursor keeps its plan
BEGIN;
DECLARE by_c NO SCROLL CURSOR FOR SELECT id FROM t WHERE c = 'c7';
DECLARE again_c NO SCROLL CURSOR FOR SELECT id FROM t WHERE c = 'c7';
DECLARE by_n NO SCROLL CURSOR FOR SELECT id FROM t WHERE n BETWEEN 5 AND 9;
DECLARE by_x NO SCROLL CURSOR FOR SELECT id FROM t WHERE x LIKE '%word77%';
DECLARE join_n NO SCROLL CURSOR FOR SELECT v.low, t.id FROM (VALUES (5), (10), (15)) AS v (low), LATERAL (SELECT id FROM t WHERE n >= v.low AND n < v.low + 2 OFFSET 0) AS t;
SAVEPOINT s;
SET ROLE brights_nobody;
FETCH by_c;
ROLLBACK TO s;
SET ROLE brights_searcher;
FETCH by_n;
ROLLBACK TO s;
SET ROLE brights_searcher;
FETCH by_x;
ROLLBACK TO s;
SET ROLE brights_searcher;
FETCH again_c;
RESET ROLE;
-- what was begun by right is searched on by right alone
FETCH join_n;
SET ROLE brights_searcher;
FETCH ALL join_n;
ROLLBACK;
SET plan_cache_mode = force_generic_plan;
PREPARE known(bigint) AS SELECT count(*) FROM t WHERE n > $1;
SELECT plan('EXECUTE known(1990)');
EXECUTE known(1990);
SET ROLE brights_searcher;
SELECT plan('EXECUTE known(1990)');
EXECUTE known(1990);
RESET ROLE;
RESET plan_cache_mode;
RESET enable_seqscan;

-- ---- estimates ----

-- An estimate for each of two constants, one of which is there.
CREATE FUNCTION estimates(condition text, VARIADIC constants text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text[];
    plan json;
    constant text;
BEGIN
    FOREACH constant IN ARRAY constants LOOP
        EXECUTE 'EXPLAIN (FORMAT JSON) SELECT * FROM brights.' || replace(condition, '?', quote_literal(constant)) INTO plan;
        found := found || (plan -> 0 -> 'Plan' ->> 'Plan Rows');
    END LOOP;
    RETURN CASE WHEN found[1] = ALL (found) THEN 'the same' ELSE 'different' END;
END $$;
CREATE VIEW inner_t AS SELECT * FROM t OFFSET 0;
GRANT SELECT ON inner_t TO PUBLIC;
-- classes of several tags are asked for whom has the right to decrypt
SELECT estimates('t WHERE n = ?', '7', '99999'), estimates('t WHERE n < ?', '7', '99999') AS with_right, estimates('t WHERE n BETWEEN 5 AND ?', '7', '99999') AS with_right, estimates('t WHERE x LIKE ?', '%word7%', '%nowhere%') AS with_right;
SELECT estimates('t WHERE c = ?', 'c7', 'nowhere') AS with_right;
SET ROLE brights_nobody;
SELECT estimates('t WHERE n < ?', '7', '99999'), estimates('t WHERE n BETWEEN 5 AND ?', '7', '99999'), estimates('t WHERE x ILIKE ?', '%word7%', '%nowhere%');
SET ROLE brights_searcher;
SELECT estimates('t WHERE n < ?', '7', '99999'), estimates('t WHERE n BETWEEN 5 AND ?', '7', '99999'), estimates('t WHERE x ILIKE ?', '%word7%', '%nowhere%');
SELECT estimates('t WHERE c = ?', 'c7', 'nowhere') AS with_right;
SET ROLE brights_nobody;
SELECT estimates('t WHERE c = ?', 'c7', 'nowhere'), estimates('t WHERE c <> ?', 'c7', 'nowhere'), estimates('t WHERE c = ANY (ARRAY[?]::text[])', 'c7', 'nowhere'), estimates('t AS a JOIN brights.t AS b USING (c) WHERE a.c = ?', 'c7', 'nowhere');
SELECT estimates('inner_t WHERE c = ?', 'c7', 'nowhere');
-- nor by an operator of one's own, or by calling what estimates
CREATE FUNCTION mine(steward.encrypted_text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR brights.=== (FUNCTION = mine, LEFTARG = steward.encrypted_text, RIGHTARG = text, RESTRICT = steward.blind_eqsel);
CREATE OPERATOR brights.=== (FUNCTION = mine, LEFTARG = steward.encrypted_text, RIGHTARG = text, RESTRICT = eqsel);
SELECT estimates('t WHERE c OPERATOR(brights.===) ?', 'c7', 'nowhere');
SELECT steward.blind_eqsel(NULL, 0, NULL, 0);
SELECT steward.blind_neqsel(NULL, 0, NULL, 0);
RESET ROLE;
-- but equality, whose errors are constant, no operator of an index gets before the condition of a policy or of a view
SELECT DISTINCT p.oprname AS leakproof FROM pg_amop AS o JOIN pg_operator AS p ON p.oid = o.amopopr JOIN pg_proc AS f ON f.oid = p.oprcode JOIN pg_am AS m ON m.oid = o.amopmethod WHERE m.amname = 'blind' AND f.proleakproof;
CREATE TABLE hidden AS SELECT id, c FROM t;
ALTER TABLE hidden ALTER c TYPE steward.encrypted_text('brights/c');
CREATE INDEX hidden_c ON hidden USING blind (c);
ANALYZE hidden;
GRANT SELECT ON hidden TO PUBLIC;
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON hidden USING (id < 0);
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t WHERE id < 0;
GRANT SELECT ON barrier TO PUBLIC;
REVOKE SELECT ON t FROM PUBLIC;
SET ROLE brights_searcher;
SET enable_seqscan = off;
SELECT estimates('hidden WHERE c = ?', 'c7', 'nowhere'), estimates('barrier WHERE c = ?', 'c7', 'nowhere');
SELECT count(*) FROM hidden WHERE c = 'c7';
SET ROLE brights_reader;
SELECT estimates('barrier WHERE n < ?', '7', '99999'), estimates('barrier WHERE x LIKE ?', '%word7%', '%nowhere%');
SET ROLE brights_searcher;
SELECT count(*) FROM barrier WHERE c = 'c7';
RESET enable_seqscan;
RESET ROLE;
GRANT SELECT ON t TO PUBLIC;

-- ---- a hostile owner ----

-- who owns a table may index it, and learns nothing by that
CREATE TABLE theirs AS SELECT id, c, n FROM t;
ALTER TABLE theirs ALTER c TYPE steward.encrypted_text('brights/c'), ALTER n TYPE steward.encrypted_bigint('brights/n');
ALTER TABLE theirs OWNER TO brights_owner;
SET ROLE brights_owner;
CREATE INDEX theirs_c ON theirs USING blind (c) WITH (tag_bits = 8);
CREATE INDEX theirs_n ON theirs USING blind (n steward.blind_bigint_range_ops);
CREATE INDEX theirs_bad ON theirs USING blind (c) WHERE c = 'c7'::steward.encrypted_text;
CREATE INDEX theirs_bad ON theirs USING blind (c) WHERE c::text = 'c7';
ALTER TABLE theirs ADD EXCLUDE USING blind (c WITH =);
CREATE OPERATOR CLASS own FOR TYPE steward.encrypted_text USING blind AS OPERATOR 1 =, FUNCTION 1 steward.encrypted_text_canonical(internal, internal);
-- who they are is what the condition of a partial index runs as, whoever checks the index
CREATE FUNCTION spy(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE NOTICE ''spied as %'', current_user; RETURN true; END';
CREATE TABLE few (id integer, c steward.encrypted_text('brights/c'));
INSERT INTO few VALUES (1, 'one');
CREATE INDEX few_spy ON few USING blind (c) WHERE spy(id);
RESET ROLE;
SELECT steward.blind_index_check('few_spy', true);
REINDEX INDEX few_spy;
SET ROLE brights_owner;
SELECT count(*) FROM steward.leakage_report('theirs_c');
SELECT steward.blind_page_stats('theirs_c', 1);
SELECT steward.blind_metapage('theirs_c');
SELECT steward.blind_index_check('theirs_c', true);
SELECT count(*) FROM steward.blind_index_secrets();
RESET ROLE;
SET ROLE brights_searcher;
SELECT count(*) FROM steward.leakage_report('theirs_c');
RESET ROLE;
SELECT steward.grant_key('brights', 'brights_owner', 'search');
SET ROLE brights_owner;
SELECT count(*) > 10 AS told FROM steward.leakage_report('theirs_c');
SELECT count(*) FROM steward.leakage_report('theirs_n');
RESET ROLE;
-- support functions and the handler are nobody's to call
SELECT count(*) AS callable FROM pg_proc AS p WHERE pronamespace = 'steward'::regnamespace AND proname ~ '_canonical|_range_tags|_range_query|_trigram_|blind_handler|blind_n?eqsel' AND has_function_privilege('brights_nobody', p.oid, 'EXECUTE');

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA brights CASCADE;
DROP OWNED BY brights_owner, brights_searcher, brights_reader, brights_nobody;
DROP ROLE brights_owner, brights_searcher, brights_reader, brights_nobody;
