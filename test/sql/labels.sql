-- A value must not pass for one of another key: a type modifier is a label that
-- PostgreSQL believes. Mallory may read ciphertext of both columns, but decrypt
-- none; where one of them is shown to her, the other must not get there.
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT steward.create_key('label');
CREATE ROLE label_mallory;
CREATE SCHEMA label;
GRANT ALL ON SCHEMA label TO label_mallory;
SET search_path = label;
CREATE TABLE person (id integer, ssn steward.encrypted_text('label/ssn'), email steward.encrypted_text('label/email'));
INSERT INTO person VALUES (1, 'topsecret', 'a@b');
CREATE TABLE target (email steward.encrypted_text('label/email'), emails steward.encrypted_text('label/email')[]);
GRANT SELECT, INSERT ON person, target TO label_mallory;
SET ROLE label_mallory;

-- column definition lists of PostgreSQL's own functions that hand on what they get
INSERT INTO target SELECT u.x FROM unnest(ARRAY(SELECT ROW(ssn) FROM person)) AS u(x steward.encrypted_text('label/email'));
INSERT INTO target SELECT u.x FROM person, jsonb_populate_record(ROW(ssn), '{}') AS u(x steward.encrypted_text('label/email'));
INSERT INTO target SELECT u.x FROM person, json_populate_recordset(ROW(ssn), '[{}]') AS u(x steward.encrypted_text('label/email'));
EXPLAIN ANALYZE INSERT INTO target SELECT u.x FROM unnest(ARRAY(SELECT ROW(ssn) FROM person)) AS u(x steward.encrypted_text('label/email'));
CREATE TABLE copied AS SELECT u.x FROM unnest(ARRAY(SELECT ROW(ssn) FROM person)) AS u(x steward.encrypted_text('label/email'));
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT u.x FROM unnest(ARRAY(SELECT ROW(ssn) FROM person)) AS u(x steward.encrypted_text('label/email'));
ROLLBACK;

-- what JSON_VALUE gives in place of a missing value; 15 and 16 do not know it
CREATE FUNCTION stolen() RETURNS steward.encrypted_text LANGUAGE sql AS 'SELECT ssn FROM label.person';
DO $$
BEGIN
    EXECUTE 'INSERT INTO target (email) SELECT JSON_VALUE(jsonb ''{}'', ''$.a'' RETURNING steward.encrypted_text(''label/email'') DEFAULT label.stolen() ON EMPTY)';
    RAISE WARNING 'stored';
EXCEPTION WHEN insufficient_privilege OR syntax_error THEN
    RAISE WARNING 'refused';
END
$$;

-- a record whose field has another key when the statement runs again
CREATE FUNCTION again(statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    v steward.encrypted_text('label/email');
BEGIN
    FOR i IN 1..2 LOOP
        IF i = 1 THEN
            SELECT email AS x, ARRAY[email] AS a INTO r FROM person;
        ELSE
            SELECT ssn AS x, ARRAY[ssn] AS a INTO r FROM person;
        END IF;
        CASE statement
            WHEN 'insert' THEN INSERT INTO target (email) VALUES (r.x);
            WHEN 'query' THEN INSERT INTO target (email) WITH w AS (SELECT r.x) SELECT (SELECT x FROM w);
            WHEN 'array' THEN INSERT INTO target (emails) VALUES (r.a);
            WHEN 'assign' THEN v := r.x; INSERT INTO target (email) VALUES (v);
            WHEN 'create' THEN
                CREATE TABLE made AS SELECT r.x;
                DROP TABLE made;
        END CASE;
    END LOOP;
END
$$;
SELECT again('insert');
SELECT again('query');
SELECT again('array');
SELECT again('assign');
SELECT again('create');
-- rows of one key, and comparisons, are not in the way
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT email, ARRAY[email, NULL] AS emails FROM person, generate_series(1, 7) LOOP
        INSERT INTO target VALUES (r.email, r.emails);
        CREATE TABLE made AS SELECT r.email;
        DROP TABLE made;
    END LOOP;
END
$$;
RESET ROLE;
SELECT count(*), count(DISTINCT email::text) AS emails, min(email::text), min(emails[1]::text) FROM target;
TRUNCATE target;
SELECT steward.encrypted_text_under(ssn, -1) FROM person;
SELECT steward.encrypted_text_under(NULL::steward.encrypted_text, 1) IS NULL AS null_stays;

-- an index serves a comparison with a field of a record
CREATE TABLE many (email steward.encrypted_text('label/email'));
INSERT INTO many SELECT 'm' || i FROM generate_series(1, 100) AS i;
CREATE UNIQUE INDEX ON many (email steward.encrypted_unique_ops);
CREATE FUNCTION plan_of() RETURNS SETOF text LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    r record;
BEGIN
    SELECT email INTO r FROM many LIMIT 1;
    RETURN QUERY EXPLAIN (COSTS OFF) SELECT FROM many WHERE email = r.email;
END
$$;
SELECT count(*) AS index_scans FROM plan_of() AS p(line) WHERE line ~ 'Index.*Scan using many_email_idx';

-- rules, whose values get the modifiers of the relation's columns
SET ROLE label_mallory;
CREATE VIEW seen AS SELECT NULL::steward.encrypted_text('label/email') AS x;
CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO seen DO INSTEAD SELECT coalesce(ssn, email) AS x FROM person;
CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO seen DO INSTEAD SELECT coalesce(ssn, email)::steward.encrypted_text('label/email') AS x FROM person;
SELECT x FROM seen;
CREATE TABLE ruled (x steward.encrypted_text('label/email'));
CREATE RULE r AS ON INSERT TO ruled DO INSTEAD INSERT INTO person DEFAULT VALUES RETURNING coalesce(ssn, email);
CREATE RULE r AS ON INSERT TO ruled DO INSTEAD INSERT INTO person DEFAULT VALUES RETURNING email;

-- ANALYZE does not compare for those who may not search
CREATE TEMP TABLE guess (x steward.encrypted_text('label/ssn'));
INSERT INTO guess SELECT ssn FROM person WHERE id = 1;
INSERT INTO guess VALUES ('topsecret');
ANALYZE guess;
SELECT n_distinct, null_frac FROM pg_stats WHERE tablename = 'guess';
RESET ROLE;
ANALYZE guess;
SELECT n_distinct FROM pg_stats WHERE tablename = 'guess';
SELECT steward.grant_key('label', 'label_mallory', 'search');
SET ROLE label_mallory;
ANALYZE guess;
SELECT n_distinct FROM pg_stats WHERE tablename = 'guess';
RESET ROLE;

-- what a change of a relation changes besides
CREATE TABLE parent (a text);
CREATE TABLE heir () INHERITS (parent);
CREATE TABLE heir_of_heir () INHERITS (heir);
CREATE INDEX ON heir_of_heir (a);
ALTER TABLE parent ALTER a TYPE steward.encrypted_text('label/ssn') USING a::steward.encrypted_text('label/ssn');
CREATE TYPE pair AS (a integer);
CREATE DOMAIN pair_domain AS pair;
CREATE TABLE with_pair (v pair, w pair[], d pair_domain);
CREATE INDEX pair_index ON with_pair (v);
ALTER TYPE pair ADD ATTRIBUTE s steward.encrypted_text('label/ssn');
DROP INDEX pair_index;
ALTER TYPE pair ADD ATTRIBUTE s steward.encrypted_text('label/ssn');
CREATE TABLE row_type (a integer);
CREATE TABLE with_row (v row_type);
ALTER TABLE row_type ADD COLUMN s steward.encrypted_text('label/ssn');
INSERT INTO with_pair SELECT p, ARRAY[p], p FROM (SELECT ROW(1, 'x'::steward.encrypted_text)::pair AS p FROM generate_series(1, 5)) AS p;
INSERT INTO with_row SELECT ROW(1, 'x'::steward.encrypted_text)::row_type FROM generate_series(1, 5);
ANALYZE with_pair;
ANALYZE with_row;
SELECT tablename, attname, n_distinct FROM pg_stats WHERE schemaname = 'label' AND tablename IN ('with_pair', 'with_row');

-- an index over hashes of what an array or a row holds
CREATE INDEX ON person (hash_array(ARRAY[ssn]));
CREATE INDEX ON person (hash_record(ROW(id, ssn)));
CREATE STATISTICS hashes ON (hash_array(ARRAY[ssn])) FROM person;
CREATE INDEX ON person (hash_array(ARRAY[id]));

RESET search_path;
DROP OWNED BY label_mallory;
DROP SCHEMA label CASCADE;
DROP ROLE label_mallory;
