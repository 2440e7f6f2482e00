-- Who read audited relations: the surface, and every way of reading.
CREATE SCHEMA reading;
SET search_path = reading, public;
CREATE ROLE access_owner;
CREATE ROLE access_reader;
CREATE ROLE access_stranger;
GRANT CREATE, USAGE ON SCHEMA reading TO access_owner;
GRANT USAGE ON SCHEMA reading TO access_reader, access_stranger;

-- What was read since the last call: import, then the trail beyond a mark.
CREATE TABLE mark (at timestamptz);
INSERT INTO mark VALUES (clock_timestamp());
CREATE FUNCTION imported() RETURNS void LANGUAGE sql AS 'SELECT steward.import_access()';
CREATE VIEW news AS
    SELECT relation, columns, command, outcome, sqlstate, rows_returned AS rows, rows_read AS read, keys, effective_role AS role
    FROM steward.access_trail WHERE read_at > (SELECT at FROM mark) AND relation IS NOT NULL ORDER BY read_at, session, statement, relation;
\set report 'SELECT FROM imported(); TABLE news; UPDATE mark SET at = clock_timestamp();'

CREATE TABLE person (id integer PRIMARY KEY, name text, ssn text);
INSERT INTO person SELECT g, 'name ' || g, 'ssn ' || g FROM generate_series(1, 5) AS g;
CREATE TABLE plain (id integer PRIMARY KEY, v text);
INSERT INTO plain VALUES (1, 'one'), (2, 'two');
ANALYZE person, plain;
ALTER TABLE person OWNER TO access_owner;

-- ---- who may say what is audited ----

SET ROLE access_owner;
SELECT steward.audit_access('person');
RESET ROLE;
GRANT USAGE ON SCHEMA steward TO access_owner, access_stranger;
GRANT EXECUTE ON FUNCTION steward.audit_access(regclass, name[]), steward.stop_audit_access(regclass) TO access_owner, access_stranger;
SET ROLE access_stranger;
SELECT steward.audit_access('person');
SELECT steward.stop_audit_access('person');
RESET ROLE;
SELECT steward.audit_access(NULL);
SELECT steward.stop_audit_access(NULL);
SELECT steward.audit_access('person', '{}');
SELECT steward.audit_access('person', '{name,NULL}');
SELECT steward.audit_access('person', '{name,nose}');
SELECT steward.audit_access('person', '{ctid}');
SELECT steward.audit_access('pg_class');
SELECT steward.audit_access('steward.key');
SELECT steward.audit_access('person_pkey');
CREATE TEMP TABLE fleeting (id integer);
SELECT steward.audit_access('fleeting');
SELECT steward.stop_audit_access('person');
BEGIN READ ONLY;
SELECT steward.audit_access('person');
ROLLBACK;
BEGIN READ ONLY;
SELECT steward.import_access();
ROLLBACK;
SELECT steward.import_access(0);
SET steward.access_audit = 'maybe';
SET ROLE access_stranger;
SET steward.access_audit = off;
SET steward.access_audit_rows = 0;
SELECT steward.import_access();
TABLE steward.access_rule;
TABLE steward.access_trail;
RESET ROLE;

SET ROLE access_owner;
SELECT steward.audit_access('person', '{ssn,name,ssn}');
SELECT steward.audit_access('person', '{name,ssn}');
RESET ROLE;
SELECT relation, columns, numbers, created_by FROM steward.access_rule WHERE relation = 'person'::regclass;
SELECT r.op, steward.audit_event(r.payload) AS event FROM steward.audit_record AS r
WHERE r.op = 'S' AND steward.audit_event(r.payload)->>'relation' = 'reading.person' ORDER BY r.xid, r.seq;

-- ---- which columns ----

UPDATE mark SET at = clock_timestamp();
SELECT ssn FROM person WHERE id = 2;
SELECT id FROM person WHERE ssn = 'ssn 3';
SELECT id FROM person WHERE id < 3;
SELECT count(*) FROM person;
SELECT p FROM person AS p WHERE id = 4;
SELECT to_jsonb(p) ->> 'name' AS name FROM person AS p WHERE id = 4;
SELECT v FROM plain;
:report

SELECT steward.audit_access('person');
SELECT count(*) FROM person;
SELECT id FROM person WHERE id = 1;
SELECT FROM person WHERE id = 5;
SELECT ctid FROM person WHERE id = 5;
:report

-- ---- every way of reading ----

-- by a view, as whose owner does not matter; by functions, inlined or not
CREATE VIEW person_name AS SELECT id, name FROM person;
SELECT name FROM person_name WHERE id = 2;
CREATE FUNCTION by_sql(integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM reading.person WHERE id = $1';
CREATE FUNCTION by_plpgsql(integer) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT ssn FROM reading.person WHERE id = $1); END';
CREATE FUNCTION by_rows() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT name FROM reading.person WHERE id > 3';
CREATE FUNCTION by_definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ssn FROM reading.person WHERE id = 1';
SELECT by_sql(1);
SELECT by_plpgsql(2);
SELECT * FROM by_rows();
GRANT EXECUTE ON FUNCTION by_definer() TO access_reader;
SET ROLE access_reader;
SELECT by_definer();
RESET ROLE;
:report

-- prepared statements, with plans made for values and without
PREPARE get AS SELECT ssn FROM person WHERE id = $1;
EXECUTE get(1);
SET plan_cache_mode = force_generic_plan;
EXECUTE get(2);
EXECUTE get(9);
RESET plan_cache_mode;
DEALLOCATE get;
:report

-- cursors: what was fetched, not what could be
BEGIN;
DECLARE c CURSOR FOR SELECT id, ssn FROM person ORDER BY id;
DECLARE never CURSOR FOR SELECT * FROM person;
FETCH 2 FROM c;
FETCH 1 FROM c;
CLOSE c;
DECLARE held CURSOR WITH HOLD FOR SELECT name FROM person WHERE id <= 2;
COMMIT;
FETCH 1 FROM held;
CLOSE held;
BEGIN;
DECLARE d CURSOR FOR SELECT ssn FROM person;
FETCH 1 FROM d;
ROLLBACK;
BEGIN;
SAVEPOINT s;
DECLARE e CURSOR FOR SELECT ssn FROM person;
FETCH 2 FROM e;
ROLLBACK TO s;
SELECT 1 AS goes_on;
COMMIT;
BEGIN;
SAVEPOINT s;
DECLARE f CURSOR FOR SELECT ssn FROM person;
FETCH 1 FROM f;
RELEASE s;
FETCH 1 FROM f;
CLOSE f;
COMMIT;
:report

-- EXPLAIN does not read, EXPLAIN ANALYZE does
EXPLAIN (COSTS off) SELECT * FROM person WHERE id = 3;
DO $$ BEGIN EXECUTE 'EXPLAIN (ANALYZE, COSTS off) SELECT * FROM person WHERE id = 3'; END $$;
:report

-- what goes elsewhere
CREATE TABLE copied AS SELECT * FROM person WHERE id = 1;
SELECT ssn INTO copied_too FROM person WHERE id = 2;
CREATE TABLE copied_none AS SELECT * FROM person WITH NO DATA;
INSERT INTO plain SELECT id + 10, name FROM person WHERE id <= 2;
CREATE MATERIALIZED VIEW person_view AS SELECT id FROM person WHERE id = 5;
REFRESH MATERIALIZED VIEW person_view;
SELECT id FROM person_view;
COPY person TO '/dev/null';
COPY person (id, name) TO '/dev/null';
COPY (SELECT ssn FROM person WHERE id = 4) TO '/dev/null';
COPY plain TO '/dev/null';
:report

-- changes that read
UPDATE person SET name = 'x';
UPDATE person SET name = 'y' WHERE ssn = 'ssn 1';
UPDATE person SET name = 'z' WHERE id = 2 RETURNING ssn;
UPDATE person SET name = name || '!' WHERE false;
INSERT INTO person VALUES (6, 'six', 'ssn 6');
INSERT INTO person VALUES (7, 'seven', 'ssn 7') RETURNING id;
INSERT INTO person VALUES (7, 'seven', 'ssn 7') ON CONFLICT (id) DO NOTHING;
DELETE FROM person WHERE id = 7;
WITH gone AS (DELETE FROM person WHERE ssn = 'ssn 6' RETURNING name) SELECT 1 AS one;
MERGE INTO plain USING person ON plain.id = person.id WHEN MATCHED THEN UPDATE SET v = person.ssn;
SELECT id FROM person WHERE id = 1 FOR UPDATE;
BEGIN;
DECLARE g CURSOR FOR SELECT * FROM plain;
FETCH 1 FROM g;
COMMIT;
:report

-- more than once in a statement, sub-selects, joins, no rows
SELECT a.name, (SELECT b.ssn FROM person AS b WHERE b.id = a.id) AS ssn FROM person AS a WHERE a.id = 3;
SELECT plain.v FROM plain JOIN person USING (id) WHERE person.id = 2;
SELECT 1 AS one WHERE EXISTS (SELECT FROM person WHERE name = 'nobody');
SELECT name FROM person WHERE id IN (1, 2) LIMIT 1;
:report

-- nothing of the sort
ANALYZE person;
VACUUM person;
CREATE INDEX person_ssn ON person (ssn);
SELECT count(*) FROM pg_class WHERE relname = 'person';
SELECT reltuples FROM pg_class WHERE oid = 'person'::regclass;
:report

-- index-only scans and bitmaps name rows; an index without the key counts them
SET enable_seqscan = off;
SET enable_indexscan = off;
VACUUM person;
SELECT id FROM person WHERE id = 4;
SELECT ssn FROM person WHERE ssn = 'ssn 4';
SET enable_indexonlyscan = off;
SELECT ssn FROM person WHERE ssn = 'ssn 5';
RESET enable_seqscan;
RESET enable_indexscan;
RESET enable_indexonlyscan;
SELECT ssn FROM person WHERE ctid = '(0,3)';
:report
DROP INDEX person_ssn;

-- ---- errors and refusals ----

SELECT 1 / (id - 3) AS quotient FROM person ORDER BY id;
DO $$
BEGIN
    PERFORM 1 / (id - 2) FROM reading.person;
EXCEPTION WHEN division_by_zero THEN
    PERFORM name FROM reading.person WHERE id = 5;
END
$$;
SET ROLE access_reader;
SELECT ssn FROM person;
SELECT ssn FROM person JOIN plain USING (id);
SELECT name FROM person_name;
COPY person TO STDOUT;
COPY person (ssn) TO STDOUT;
COPY (SELECT name FROM person) TO STDOUT;
UPDATE person SET name = 'x' WHERE ssn = 'ssn 1';
PREPARE refused AS SELECT ssn FROM person;
EXECUTE refused;
DEALLOCATE refused;
EXPLAIN SELECT ssn FROM person;
RESET ROLE;
:report

-- a part of the columns: the refused ones are named
GRANT SELECT (id, name) ON person TO access_reader;
SET ROLE access_reader;
SELECT id, name FROM person WHERE id = 1;
SELECT ssn FROM person WHERE id = 1;
RESET ROLE;
:report

-- ---- row security ----

GRANT SELECT ON person TO access_reader;
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
CREATE POLICY two ON person FOR SELECT USING (id <= 2);
SET ROLE access_reader;
SELECT id FROM person ORDER BY id;
COPY person (id) TO STDOUT;
RESET ROLE;
:report
ALTER TABLE person DISABLE ROW LEVEL SECURITY;

-- ---- foreign keys: PostgreSQL's own checks are nobody's reads ----

CREATE TABLE visit (id integer PRIMARY KEY, person integer REFERENCES person ON DELETE CASCADE ON UPDATE CASCADE);
SELECT steward.audit_access('visit');
UPDATE mark SET at = clock_timestamp();
INSERT INTO visit VALUES (1, 1), (2, 2), (3, 4);
INSERT INTO visit VALUES (9, 99);
-- what a trigger reads meanwhile is
CREATE FUNCTION snoop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ssn FROM reading.person WHERE id = 1;
    RETURN OLD;
END
$$;
CREATE TRIGGER snoop BEFORE DELETE ON visit FOR EACH ROW EXECUTE FUNCTION snoop();
DELETE FROM person WHERE id = 4;
:report
-- also where neither side of the key is audited
CREATE TABLE side (id integer PRIMARY KEY);
CREATE TABLE side_item (id integer REFERENCES side ON DELETE CASCADE);
CREATE TRIGGER snoop BEFORE DELETE ON side_item FOR EACH ROW EXECUTE FUNCTION snoop();
INSERT INTO side VALUES (1);
INSERT INTO side_item VALUES (1);
DELETE FROM side;
:report
-- nor is it lost how deep it is
CREATE FUNCTION deeper() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT ssn FROM reading.person WHERE id = 2); END';
CREATE OR REPLACE FUNCTION snoop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM reading.deeper() FROM reading.person WHERE id = 1;
    RETURN OLD;
END
$$;
INSERT INTO side VALUES (1);
INSERT INTO side_item VALUES (1);
DELETE FROM side;
:report
-- what the planner of a check runs is, and what its start runs
CREATE TYPE letter AS ENUM ('a', 'b');
CREATE FUNCTION number_of(letter) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM ssn FROM reading.person WHERE id = 3; RETURN 1; END';
CREATE CAST (letter AS integer) WITH FUNCTION number_of(letter) AS IMPLICIT;
CREATE TABLE lettered (l letter REFERENCES side);
INSERT INTO side VALUES (1);
INSERT INTO lettered VALUES ('a');
SELECT FROM imported();
SELECT keys, count(*) FROM news GROUP BY keys;
CREATE TABLE split (id integer PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1);
CREATE TABLE split_2 PARTITION OF split FOR VALUES IN (2);
INSERT INTO split VALUES (1);
ALTER FUNCTION number_of STABLE;
CREATE TABLE lettered_too (l letter REFERENCES split);
UPDATE mark SET at = clock_timestamp();
CREATE SEQUENCE calls;
CREATE OR REPLACE FUNCTION number_of(letter) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM nextval('reading.calls');
    PERFORM ssn FROM reading.person WHERE id = 3;
    RETURN 1;
END
$$;
INSERT INTO lettered_too VALUES ('a');
SELECT FROM imported();
SELECT count(*) = (SELECT last_value FROM calls) AS all FROM news;
DROP CAST (letter AS integer);
DROP TABLE visit, lettered, lettered_too, split, side_item, side;

-- ---- errors that show a row which was not read ----

CREATE TABLE quiet (id integer PRIMARY KEY, name text NOT NULL, part integer, ssn text, during int4range DEFAULT '[0,1)',
    CHECK (part < 10), UNIQUE (part, ssn), EXCLUDE USING gist (during WITH &&));
INSERT INTO quiet VALUES (1, 'one', 1, 's1', '[1,2)'), (2, 'two', 2, 's1', '[2,3)'), (3, 'three', 3, 's3', '[3,4)');
SELECT steward.audit_access('quiet', '{ssn,during}');
CREATE TABLE quiet_item (id integer REFERENCES quiet);
INSERT INTO quiet_item VALUES (3);
UPDATE mark SET at = clock_timestamp();
UPDATE quiet SET name = NULL WHERE id = 2;
UPDATE quiet SET part = 1 WHERE id = 2;
UPDATE quiet SET part = 99 WHERE name = 'three';
INSERT INTO quiet VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = NULL;
INSERT INTO quiet VALUES (9, 'x', 9, 's9', '[3,9)');
DELETE FROM quiet WHERE id = 3;
-- with the reads of the same statement
UPDATE quiet SET name = NULL WHERE ssn = 's3';
-- what shows no row, or the writer's own
UPDATE quiet SET name = 'x' WHERE id = 1;
UPDATE quiet SET part = 1 / 0 WHERE id = 1;
INSERT INTO quiet VALUES (1, 'x');
INSERT INTO quiet VALUES (10, NULL);
SET ROLE access_reader;
UPDATE quiet SET name = NULL;
RESET ROLE;
:report
-- nor does a foreign key of somebody else's show it
CREATE TABLE quiet_top (id integer PRIMARY KEY);
CREATE TABLE quiet_below (id integer PRIMARY KEY, top integer NOT NULL REFERENCES quiet_top ON DELETE SET NULL, ssn text);
INSERT INTO quiet_top VALUES (1);
INSERT INTO quiet_below VALUES (5, 1, 's5');
SELECT steward.audit_access('quiet_below', '{ssn}');
DELETE FROM quiet_top;
:report
DROP TABLE quiet_item, quiet, quiet_below, quiet_top;

-- ---- partitions and children ----

CREATE TABLE part (id integer, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (v text, gone text, region text NOT NULL, id integer NOT NULL);
ALTER TABLE part_b DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
INSERT INTO part VALUES (1, 'a', 'x'), (2, 'b', 'y');
SELECT steward.audit_access('part', '{v}');
UPDATE mark SET at = clock_timestamp();
SELECT v FROM part ORDER BY id;
SELECT v FROM part_b;
SELECT id FROM part_a;
SELECT count(*) FROM part_b;
-- a partition of its own accord, read through its parent
SELECT steward.stop_audit_access('part');
SELECT steward.audit_access('part_b', '{v}');
SELECT v FROM part ORDER BY id;
SELECT id FROM part ORDER BY id;
SELECT v FROM part WHERE region = 'a';
-- also below a UNION ALL, which is a parent too
SELECT v FROM (SELECT v FROM part UNION ALL SELECT v FROM plain) AS u WHERE v = 'y';
-- attached later, detached, and attached again
SELECT steward.stop_audit_access('part_b');
SELECT steward.audit_access('part');
CREATE TABLE part_c (id integer NOT NULL, region text NOT NULL, v text);
INSERT INTO part_c VALUES (3, 'c', 'z');
SELECT v FROM part_c;
ALTER TABLE part ATTACH PARTITION part_c FOR VALUES IN ('c');
SELECT v FROM part_c;
ALTER TABLE part DETACH PARTITION part_c;
SELECT v FROM part_c;
:report
CREATE TABLE elder (id integer PRIMARY KEY, v text);
CREATE TABLE younger (more text) INHERITS (elder);
INSERT INTO elder VALUES (1, 'old');
INSERT INTO younger VALUES (2, 'new', 'm');
SELECT steward.audit_access('elder');
UPDATE mark SET at = clock_timestamp();
SELECT v FROM elder;
SELECT v FROM ONLY elder;
SELECT v, more FROM younger;
:report

-- ---- other kinds of relations ----

CREATE TABLE kinds (id integer PRIMARY KEY, v text);
INSERT INTO kinds VALUES (1, 'v');
CREATE VIEW kinds_view AS SELECT * FROM kinds;
CREATE MATERIALIZED VIEW kinds_kept AS SELECT * FROM kinds;
SELECT steward.audit_access('kinds_view');
SELECT steward.audit_access('kinds_kept', '{v}');
UPDATE mark SET at = clock_timestamp();
SELECT v FROM kinds_view;
SELECT v FROM kinds_kept;
SELECT v FROM kinds;
:report

-- ---- keys ----

CREATE TABLE keyed (a text, b bigint, c numeric, d uuid, e boolean, v text, PRIMARY KEY (a, b, c, d, e));
INSERT INTO keyed VALUES (E'q"\\\n\u00e9', 9007199254740993, 1.50, '00000000-0000-0000-0000-000000000001', true, 'v');
CREATE TABLE unkeyed (v text);
INSERT INTO unkeyed VALUES ('a'), ('b');
CREATE TABLE identified (id integer NOT NULL, v text);
CREATE UNIQUE INDEX identified_id ON identified (id);
ALTER TABLE identified REPLICA IDENTITY USING INDEX identified_id;
INSERT INTO identified VALUES (7, 'x');
SELECT steward.audit_access('keyed');
SELECT steward.audit_access('unkeyed');
SELECT steward.audit_access('identified');
UPDATE mark SET at = clock_timestamp();
SELECT v FROM keyed;
SELECT v FROM unkeyed;
SELECT v FROM identified;
SET steward.access_audit_rows = 2;
SELECT count(*) FROM person;
SELECT count(*) FROM person AS a, person AS b WHERE b.id <= 2 AND a.id <= 2;
SET steward.access_audit_rows = 0;
SELECT count(*) FROM person;
RESET steward.access_audit_rows;
:report

-- every type can be a key
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN small AS integer CHECK (VALUE < 10);
CREATE TABLE odd_keys (m mood, a integer[], r int4range, d small, n name, t timestamptz, c pair, PRIMARY KEY (m, a, r, d, n, t, c));
INSERT INTO odd_keys VALUES ('sad', '{1,NULL}', '[1,3)', 5, 'n', '2020-01-02 03:04:05+00', ROW(1, 'b'));
SELECT steward.audit_access('odd_keys');
UPDATE mark SET at = clock_timestamp();
SET datestyle = 'German';
SELECT count(*) FROM odd_keys;
RESET datestyle;
:report

-- what the application says of its transaction
BEGIN;
SELECT steward.set_context(actor => 'ada', purpose => 'treatment', request_id => 'r1');
SELECT count(*) FROM odd_keys;
COMMIT;
SELECT count(*) FROM odd_keys;
SELECT FROM imported();
SELECT actor, purpose, request_id, authenticated FROM steward.access_trail WHERE read_at > (SELECT at FROM mark) ORDER BY read_at;

-- ---- a column that is computed from an audited one tells of it ----

CREATE TABLE computed (id integer PRIMARY KEY, ssn text, year text,
    digits text GENERATED ALWAYS AS (substr(ssn, 1, 3)) STORED, century text GENERATED ALWAYS AS (substr(year, 1, 2)) STORED);
INSERT INTO computed VALUES (1, '123-4', '1999');
SELECT steward.audit_access('computed', '{ssn}');
UPDATE mark SET at = clock_timestamp();
SELECT digits FROM computed;
SELECT century FROM computed;
:report

-- ---- names change, columns go, tables go ----

SELECT steward.audit_access('person', '{ssn}');
ALTER TABLE person RENAME COLUMN ssn TO number;
SELECT columns FROM steward.access_rule WHERE relation = 'person'::regclass;
ALTER TABLE person RENAME TO human;
UPDATE mark SET at = clock_timestamp();
SELECT number FROM human WHERE id = 1;
BEGIN;
ALTER TABLE human RENAME COLUMN number TO no;
ROLLBACK;
SELECT columns FROM steward.access_rule WHERE relation = 'human'::regclass;
ALTER TABLE human ADD COLUMN ssn text;
SELECT ssn FROM human WHERE id = 1;
SELECT number FROM human WHERE id = 1;
ALTER TABLE human DROP COLUMN number;
SELECT ssn FROM human WHERE id = 1;
:report
SELECT columns, numbers FROM steward.access_rule WHERE relation = 'human'::regclass;
DROP TABLE unkeyed;
SELECT count(*) FROM steward.access_rule AS r WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = r.relation);
-- as a restore does it: the names count where the number is another
UPDATE steward.access_rule SET relid = 1, columns = '{v}', numbers = '{1}' WHERE relation = 'kinds_kept'::regclass;
SELECT v FROM kinds_kept;
SELECT id FROM kinds_kept;
:report

-- ---- by classification ----

CREATE TABLE citizen (id integer PRIMARY KEY, name text, faith text, gone text) PARTITION BY LIST (id);
CREATE TABLE citizen_1 PARTITION OF citizen FOR VALUES IN (1);
INSERT INTO citizen VALUES (1, 'Ada', 'none', '');
ALTER TABLE citizen OWNER TO access_owner;
ALTER TABLE citizen_1 OWNER TO access_owner;
SECURITY LABEL FOR pg_steward ON TABLE citizen IS 'personal';
SECURITY LABEL FOR pg_steward ON COLUMN citizen.name IS 'Not a word';
SECURITY LABEL FOR pg_steward ON COLUMN pg_class.relname IS 'personal';
SECURITY LABEL FOR pg_steward ON COLUMN steward.access_rule.columns IS 'personal';
SECURITY LABEL FOR pg_steward ON COLUMN citizen.name IS 'personal';
SECURITY LABEL FOR pg_steward ON COLUMN citizen.gone IS 'personal';
SECURITY LABEL FOR pg_steward ON COLUMN citizen.faith IS 'sensitive';
SELECT name FROM citizen;
SELECT steward.audit_access_label(NULL);
SELECT steward.audit_access_label('Not a word');
SET ROLE access_owner;
SELECT steward.audit_access_label('personal');
RESET ROLE;
UPDATE mark SET at = clock_timestamp();
SELECT steward.audit_access_label('personal');
SELECT steward.audit_access_label('personal');
SELECT name FROM citizen;
SELECT faith FROM citizen;
SELECT id, name, faith FROM citizen_1;
-- beside a rule of its own, and for what is labelled later
SELECT steward.audit_access('citizen', '{faith}');
SELECT * FROM citizen;
SELECT steward.stop_audit_access('citizen');
ALTER TABLE citizen ADD COLUMN phone text;
SELECT phone FROM citizen;
SET ROLE access_owner;
SECURITY LABEL FOR pg_steward ON COLUMN citizen.phone IS 'personal';
SELECT phone FROM citizen;
ALTER TABLE citizen RENAME COLUMN phone TO telephone;
SELECT telephone FROM citizen;
ALTER TABLE citizen DROP COLUMN gone;
-- taking it away, or another that is not audited, is a stop
RESET ROLE;
REVOKE EXECUTE ON FUNCTION steward.stop_audit_access(regclass), steward.audit_access(regclass, name[]) FROM access_owner;
SET ROLE access_owner;
SECURITY LABEL FOR pg_steward ON COLUMN citizen.telephone IS NULL;
SECURITY LABEL FOR pg_steward ON COLUMN citizen.telephone IS 'sensitive';
SECURITY LABEL FOR pg_steward ON COLUMN citizen.faith IS 'personal';
SECURITY LABEL FOR pg_steward ON COLUMN citizen.faith IS 'confidential';
RESET ROLE;
SECURITY LABEL FOR pg_steward ON COLUMN citizen.telephone IS NULL;
SELECT telephone FROM citizen;
SELECT steward.stop_audit_access_label('personal');
SELECT steward.stop_audit_access_label('personal');
SELECT name FROM citizen;
:report
SELECT steward.audit_event(r.payload) AS event FROM steward.audit_record AS r
WHERE r.op = 'S' AND steward.audit_event(r.payload)->>'label' IS NOT NULL ORDER BY r.xid, r.seq;

-- ---- above and below ----

-- What is inserted through a parent meets rows of a partition that has the rule.
CREATE TABLE tree (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE branch PARTITION OF tree FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE leaf PARTITION OF branch FOR VALUES FROM (0) TO (50);
INSERT INTO tree VALUES (1, 'one');
SELECT steward.audit_access('leaf', '{v}');
INSERT INTO tree VALUES (2, 'two');
INSERT INTO tree VALUES (1, 'none') ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING v;
INSERT INTO tree VALUES (1, 'none') ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING tree.id;
:report
-- A parent that gets a parent, and a partition with a rule that nobody has read yet.
CREATE TABLE grandmother (id integer PRIMARY KEY, v text);
CREATE TABLE mother (id integer PRIMARY KEY, v text);
CREATE TABLE daughter (PRIMARY KEY (id)) INHERITS (mother);
INSERT INTO daughter VALUES (3, 'three');
CREATE TABLE graft (id integer PRIMARY KEY, v text);
INSERT INTO graft VALUES (60, 'sixty');
SELECT steward.audit_access('grandmother'), steward.stop_audit_access('leaf'), steward.audit_access('graft');
SELECT v FROM daughter;
ALTER TABLE mother INHERIT grandmother;
SELECT v FROM daughter;
ALTER TABLE branch ATTACH PARTITION graft FOR VALUES FROM (50) TO (100);
SELECT v FROM tree WHERE id = 60;
:report
-- COPY FROM reads nothing, but an error of it can show what was there.
CREATE TABLE booked (room int4range, guest text, EXCLUDE USING gist (room WITH &&));
INSERT INTO booked VALUES ('[1,5)', 'Ada');
SELECT steward.audit_access('booked');
COPY booked FROM STDIN;
[7,8)	Ben
\.
COPY booked FROM STDIN;
[3,9)	Cleo
\.
SET steward.access_audit = off;
COPY booked FROM STDIN;
[3,9)	Cleo
\.
RESET steward.access_audit;
-- Its WHERE may run a statement before its rights are checked.
CREATE FUNCTION looks(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM FROM reading.plain; RETURN true; END';
COPY booked FROM STDIN WHERE looks('constant');
[4,5)	Dora
\.
SELECT count(*) FROM graft;
:report
-- The row that a parallel worker fails on is named.
CREATE TABLE stubborn (id integer PRIMARY KEY, v text) WITH (parallel_workers = 2);
INSERT INTO stubborn VALUES (8, 'eight');
SELECT steward.audit_access('stubborn');
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;
SET enable_indexscan = off; SET enable_bitmapscan = off;
\set VERBOSITY terse
SELECT v::integer FROM stubborn;
\set VERBOSITY default
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET parallel_leader_participation;
RESET enable_indexscan; RESET enable_bitmapscan;
:report

-- ---- off, and stopped ----

-- That reads go unrecorded is recorded, whichever way the setting came and whatever
-- becomes of the transaction: once, until reads are recorded again.
SET steward.access_audit = off;
SELECT count(*) FROM elder;
SELECT count(*) FROM elder;
RESET steward.access_audit;
SELECT count(*) FROM younger;
BEGIN READ ONLY;
SELECT set_config('steward.access_audit', 'best_effort', true);
SELECT count(*) FROM elder;
SELECT set_config('steward.access_audit', 'off', true);
SELECT count(*) FROM elder;
ROLLBACK;
SELECT count(*) FROM younger;
BEGIN;
SET LOCAL steward.access_audit = off;
SELECT 1 AS nothing_audited;
COPY elder TO STDOUT;
ROLLBACK;
:report
SELECT details->>'setting' AS setting, details->>'value' AS value, details ?& '{at,session_role,login_role,pid,session}' AS who, details ?| '{kind,context,relations}' AS more
  FROM steward.event_trail WHERE event = 'reads_not_recorded' ORDER BY details->>'at';
SELECT steward.stop_audit_access('elder');
SELECT steward.stop_audit_access('elder');
SELECT count(*) FROM elder;
SELECT count(*) FROM younger;
:report
SELECT outcome, count(*) FROM steward.access_trail WHERE relation LIKE 'reading.%' GROUP BY outcome ORDER BY outcome;

SELECT count(steward.stop_audit_access(relation)) FROM steward.access_rule;
SELECT count(*) FROM steward.access_rule;
SET client_min_messages = warning;
DROP SCHEMA reading CASCADE;
DROP OWNED BY access_owner, access_reader, access_stranger;
DROP ROLE access_owner, access_reader, access_stranger;
