-- history, as_of, diff, revert: surface, rights and errors.
\set SHOW_CONTEXT never
-- A database of its own: what other tests exempted and recorded would show here.
\set main :DBNAME
CREATE DATABASE regress_history;
\c regress_history
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
RESET client_min_messages;
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE SCHEMA past;
SET search_path = past, public;
CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL, balance numeric(10, 2) DEFAULT 0);
INSERT INTO customer VALUES (1, 'Ada', 10), (2, 'Ben', 20), (3, 'Cy', 30);

-- Never audited.
SELECT * FROM steward.as_of(NULL::customer, now());
SELECT * FROM steward.history('customer', '{"id": 1}');

SELECT steward.enable_audit('customer');
SELECT clock_timestamp() AS t0, pg_current_snapshot() AS s0 \gset
UPDATE customer SET balance = 11 WHERE id = 1;
DELETE FROM customer WHERE id = 2;
INSERT INTO customer VALUES (4, 'Di', NULL);
UPDATE customer SET id = 5, name = 'Cyd' WHERE id = 3;
SELECT clock_timestamp() AS t1 \gset

-- The rows that were there before, and those that came and went.
SELECT * FROM steward.as_of(NULL::customer, :'t0') ORDER BY id;
SELECT * FROM steward.as_of(NULL::customer, :'t1') ORDER BY id;
SELECT * FROM steward.as_of_snapshot(NULL::customer, :'s0') ORDER BY id;
SELECT * FROM steward.diff('customer', :'t0', :'t1') ORDER BY key;
SELECT * FROM steward.diff('customer', :'t1', :'t1');

-- Columns are those of today.
ALTER TABLE customer ADD COLUMN since integer DEFAULT 7;
ALTER TABLE customer RENAME name TO called;
ALTER TABLE customer DROP COLUMN balance;
ALTER TABLE customer RENAME TO client;
UPDATE client SET since = 8;
SELECT * FROM steward.as_of(NULL::client, :'t0') ORDER BY id;

-- The life of a row, under all keys it had; another row had one of them later.
INSERT INTO client VALUES (3, 'Eve', 1);
SELECT life, operation, old_key, old, new, changed, session_role = current_user AS me FROM steward.history('client', '{"id": 5}');
SELECT life, operation, old_key, old, new FROM steward.history('client', '{"id": 3}');
SELECT count(*) FROM steward.history('client', '{"id": 77}');
SELECT * FROM steward.history('client', '{"id": 1, "called": "Ada"}');
SELECT * FROM steward.history('client', '{"id": null}');
SELECT * FROM steward.history('client', '"id"');
SELECT * FROM steward.history('client', '{"id": "x"}');

-- A transaction sees its own changes, also those of a parent of the subtransaction.
BEGIN;
INSERT INTO client VALUES (50, 'Own', 1);
SAVEPOINT a;
DELETE FROM client WHERE id = 1;
SELECT id FROM steward.as_of(NULL::client, clock_timestamp()) ORDER BY id;
SELECT id FROM steward.as_of(NULL::client, now()) ORDER BY id;
SELECT operation FROM steward.history('client', '{"id": 50}');
ROLLBACK TO a;
SELECT id FROM steward.as_of(NULL::client, clock_timestamp()) ORDER BY id;
ROLLBACK;

-- NULL in jsonb is not NULL; arrays and enums come back as they were.
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE kinds (id integer PRIMARY KEY, j jsonb, a text[], m mood, r int4range, b bytea, f float8);
INSERT INTO kinds VALUES (1, 'null', '{a,NULL,"c d"}', 'glad', '[1,5)', '\x00ff', 0.1), (2, NULL, '{}', 'sad', 'empty', '', 'NaN');
SELECT steward.enable_audit('kinds');
SELECT clock_timestamp() AS k0 \gset
UPDATE kinds SET j = '1', a = NULL, m = NULL, r = NULL, b = NULL, f = 2;
SELECT *, j IS NULL AS no_j FROM steward.as_of(NULL::kinds, :'k0') ORDER BY id;

-- Without a key rows are told by their values.
CREATE TABLE keyless (a integer, b text);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL);
SELECT steward.enable_audit('keyless');
SELECT clock_timestamp() AS n0 \gset
UPDATE keyless SET b = 'y' WHERE ctid = (SELECT min(ctid) FROM keyless);
DELETE FROM keyless WHERE b IS NULL;
SELECT * FROM steward.as_of(NULL::keyless, :'n0') ORDER BY a, b;
SELECT * FROM steward.diff('keyless', :'n0', clock_timestamp()) ORDER BY old, new;
SELECT * FROM steward.history('keyless', '{"a": 1}');

-- TRUNCATE: what is not in the trail is not known; what came later is.
TRUNCATE client;
INSERT INTO client VALUES (1, 'after', 1), (2, 'truncate', 1);
SELECT clock_timestamp() AS t2 \gset
UPDATE client SET called = 'changed' WHERE id = 2;
TRUNCATE client;
SELECT * FROM steward.as_of(NULL::client, :'t2') ORDER BY id;
\set VERBOSITY terse
SELECT * FROM steward.as_of(NULL::client, :'t1');
SELECT * FROM steward.as_of(NULL::client, '-infinity');
\echo :LAST_ERROR_SQLSTATE

-- On the way forward: what ADD COLUMN gave to old rows is known until the table is written anew.
CREATE TABLE added (id integer PRIMARY KEY);
SELECT steward.enable_audit('added');
TRUNCATE added;
INSERT INTO added VALUES (1);
ALTER TABLE added ADD COLUMN v integer DEFAULT 5;
SELECT clock_timestamp() AS a0 \gset
TRUNCATE added;
SELECT * FROM steward.as_of(NULL::added, :'a0');
VACUUM FULL added;
SELECT * FROM steward.as_of(NULL::added, :'a0');

-- A type that changed: by its own conversion, and by an expression.
CREATE TABLE typed (id integer PRIMARY KEY, v integer);
INSERT INTO typed VALUES (1, 1), (2, 2);
SELECT steward.enable_audit('typed');
SELECT clock_timestamp() AS v0 \gset
UPDATE typed SET v = 10 WHERE id = 1;
ALTER TABLE typed ALTER v TYPE bigint;
UPDATE typed SET v = 100 WHERE id = 1;
SELECT *, pg_typeof(v) FROM steward.as_of(NULL::typed, :'v0') ORDER BY id;
ALTER TABLE typed ALTER v TYPE integer USING v + 1;
SELECT * FROM steward.as_of(NULL::typed, :'v0');

-- It goes forward from where the audit began, when there were no rows.
CREATE TABLE begun (id integer PRIMARY KEY);
SELECT steward.enable_audit('begun');
INSERT INTO begun VALUES (1), (2);
SELECT clock_timestamp() AS b0 \gset
TRUNCATE begun;
SELECT * FROM steward.as_of(NULL::begun, :'b0') ORDER BY id;
-- What the transaction itself had inserted counts as rows, also in a partition.
CREATE TABLE begun_with (id integer PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE begun_with_1 PARTITION OF begun_with DEFAULT;
BEGIN;
INSERT INTO begun_with VALUES (1);
SELECT steward.enable_audit('begun_with');
COMMIT;
SELECT clock_timestamp() AS b1 \gset
TRUNCATE begun_with;
CREATE PROCEDURE say_why(query text) LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE query;
    RAISE EXCEPTION 'it is known';
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '%', regexp_replace(detail, '\d{4}-\S+ \S+ \S+|\d\d+', 'N', 'g');
END
$$;
CALL say_why(format('SELECT FROM steward.as_of(NULL::begun_with, %L)', :'b1'));
-- Before the audit, whether the table had rows then or not.
CALL say_why($$SELECT FROM steward.as_of(NULL::begun_with, '2020-01-01')$$);
-- Not where changes after that were not recorded, though before the time asked for.
CREATE TABLE unseen (id integer PRIMARY KEY);
SELECT steward.enable_audit('unseen');
INSERT INTO unseen VALUES (1);
ALTER TABLE unseen DISABLE TRIGGER "00_steward_audit_row";
INSERT INTO unseen VALUES (2);
ALTER TABLE unseen ENABLE ALWAYS TRIGGER "00_steward_audit_row";
SELECT clock_timestamp() AS u0 \gset
TRUNCATE unseen;
CALL say_why(format('SELECT FROM steward.as_of(NULL::unseen, %L)', :'u0'));
-- Nor while a role was exempt, though it is no longer and was before the time.
CREATE ROLE past_importer;
GRANT USAGE ON SCHEMA past TO past_importer;
CREATE TABLE imported (id integer PRIMARY KEY);
GRANT INSERT ON imported TO past_importer;
SELECT steward.enable_audit('imported');
SELECT steward.exempt_role('past_importer', 'test');
SELECT clock_timestamp() AS i0 \gset
SET SESSION AUTHORIZATION past_importer;
INSERT INTO imported VALUES (1);
RESET SESSION AUTHORIZATION;
SELECT steward.audit_role('past_importer');
CALL say_why(format('SELECT FROM steward.as_of(NULL::imported, %L)', :'i0'));
SELECT steward.exempt_role('past_importer', 'test');
SELECT clock_timestamp() AS i1 \gset
DROP OWNED BY past_importer;
CALL say_why(format('SELECT FROM steward.as_of(NULL::imported, %L)', :'i1'));
-- By hand, as the right that stands for the exemption.
SELECT clock_timestamp() AS i2 \gset
GRANT REFERENCES ON steward.audit_exemption TO past_importer;
SELECT clock_timestamp() AS i3 \gset
CALL say_why(format('SELECT FROM steward.as_of(NULL::imported, %L)', :'i2'));
REVOKE REFERENCES ON steward.audit_exemption FROM past_importer;
CALL say_why(format('SELECT FROM steward.as_of(NULL::imported, %L)', :'i2'));
CALL say_why(format('SELECT FROM steward.as_of(NULL::imported, %L)', :'i3'));
SELECT count(*) FROM steward.as_of(NULL::imported, clock_timestamp());
DROP ROLE past_importer;

-- Changes that were not recorded are noticed, though the triggers are as they were.
CREATE TABLE gap (id integer PRIMARY KEY, v integer);
SELECT steward.enable_audit('gap');
SELECT clock_timestamp() AS g0 \gset
INSERT INTO gap VALUES (1, 1);
ALTER TABLE gap DISABLE TRIGGER "00_steward_audit_row";
UPDATE gap SET v = 2;
ALTER TABLE gap ENABLE ALWAYS TRIGGER "00_steward_audit_row";
SELECT * FROM steward.as_of(NULL::gap, :'g0');
\echo :LAST_ERROR_SQLSTATE
-- Also without a record of the command.
CREATE TABLE hidden (id integer PRIMARY KEY, v integer);
SELECT steward.enable_audit('hidden');
SELECT clock_timestamp() AS h0 \gset
INSERT INTO hidden VALUES (1, 1);
SET steward.audit_ddl = off;
ALTER TABLE hidden DISABLE TRIGGER "00_steward_audit_row";
UPDATE hidden SET v = 2;
ALTER TABLE hidden ENABLE ALWAYS TRIGGER "00_steward_audit_row";
RESET steward.audit_ddl;
SELECT * FROM steward.as_of(NULL::hidden, :'h0');
\echo :LAST_ERROR_SQLSTATE

-- Partitions: rows that move, new ones, and what goes with one.
CREATE TABLE part (id integer, region text, v integer, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (v integer, junk integer, region text NOT NULL, id integer NOT NULL);
ALTER TABLE part_b DROP COLUMN junk;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
INSERT INTO part VALUES (1, 'a', 1), (2, 'b', 2), (3, 'a', 3);
SELECT steward.enable_audit('part');
SELECT clock_timestamp() AS p0 \gset
UPDATE part SET region = 'b' WHERE id = 1;
UPDATE part SET v = v + 1;
CREATE TABLE part_c PARTITION OF part FOR VALUES IN ('c');
INSERT INTO part VALUES (5, 'c', 5);
SELECT * FROM steward.as_of(NULL::part, :'p0') ORDER BY id;
SELECT operation, old_key, old, new FROM steward.history('part', '{"id": 1, "region": "b"}');
SELECT * FROM steward.as_of(NULL::part_a, :'p0');
ALTER TABLE part DETACH PARTITION part_c;
SELECT * FROM steward.as_of(NULL::part, :'p0');

-- Settings that leave something out.
CREATE TABLE chosen (id integer PRIMARY KEY, v integer, w integer);
SELECT steward.enable_audit('chosen', exclude => '{w}');
SELECT * FROM steward.as_of(NULL::chosen, clock_timestamp());

-- Values are recorded by label: after one was renamed, or two were exchanged, the rows
-- before are not known, and no other is shown in place of one.
CREATE TYPE light AS ENUM ('red', 'green');
CREATE TYPE lights AS (l light[], n integer);
CREATE TABLE signal (id integer PRIMARY KEY, s lights);
INSERT INTO signal VALUES (1, '("{red}",1)'), (2, '("{green}",1)');
SELECT steward.enable_audit('signal');
SELECT clock_timestamp() AS e0 \gset
UPDATE signal SET s.n = 2;
ALTER TYPE light RENAME VALUE 'red' TO 'blue';
CALL say_why(format('SELECT FROM steward.as_of(NULL::signal, %L)', :'e0'));
SELECT i.* FROM steward.audit_record AS r JOIN steward.audit_schema AS s ON s.id = r.schema_version AND s.table_name = 'signal'
 CROSS JOIN LATERAL steward.audit_image(NULL::signal, r.schema_version, r.op, r.payload, old => true) AS i WHERE r.op = 'U';
SELECT old->'s'->'l' AS old FROM steward.history('signal', '{"id": 1}');
SELECT clock_timestamp() AS e1 \gset
UPDATE signal SET s.n = 3;
SELECT * FROM steward.as_of(NULL::signal, :'e1') ORDER BY id;
ALTER TYPE light RENAME VALUE 'green' TO 'other';
ALTER TYPE light RENAME VALUE 'blue' TO 'green';
ALTER TYPE light RENAME VALUE 'other' TO 'blue';
CALL say_why(format('SELECT FROM steward.as_of(NULL::signal, %L)', :'e1'));
SELECT max(xid::text::bigint) AS q FROM steward.history('signal', '{"id": 1}') \gset
CALL say_why(format('SELECT FROM steward.revert(%L)', :'q'));
ALTER TYPE light ADD VALUE 'yellow';
SELECT details FROM steward.ddl_trail WHERE command = 'ALTER TYPE' AND identity = 'past.light' ORDER BY changed_at, xid, seq;

-- An owner's casts and checks do not run as who looks back.
CREATE ROLE past_owner;
GRANT USAGE, CREATE ON SCHEMA past TO past_owner;
GRANT USAGE ON SCHEMA steward TO past_owner;
SET ROLE past_owner;
CREATE TYPE shade AS ENUM ('dark', 'light');
CREATE TYPE pair AS (a shade, b integer);
CREATE FUNCTION run_as(shade) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'cast as %', current_user; RETURN '1'; END $$;
CREATE FUNCTION run_as(pair) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'cast as %', current_user; RETURN '1'; END $$;
CREATE CAST (shade AS json) WITH FUNCTION run_as(shade);
CREATE CAST (pair AS json) WITH FUNCTION run_as(pair);
CREATE FUNCTION check_as(integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'check as %', current_user; RETURN true; END $$;
CREATE DOMAIN checked AS integer CHECK (check_as(VALUE));
CREATE TABLE trap (id checked PRIMARY KEY, s shade, t shade[], p pair);
RESET ROLE;
SELECT steward.enable_audit('trap');
SELECT clock_timestamp() AS w0 \gset
SET ROLE past_owner;
INSERT INTO trap VALUES (1, 'dark', '{light}', '(dark,1)');
RESET ROLE;
SELECT * FROM steward.as_of(NULL::trap, clock_timestamp());
SELECT * FROM steward.diff('trap', :'w0', clock_timestamp());
SELECT new FROM steward.history('trap', '{"id": 1}');
SELECT r.key, r.statement FROM (SELECT xid FROM steward.history('trap', '{"id": 1}')) AS h, steward.revert(h.xid) AS r;

-- What may be asked for.
SELECT * FROM steward.as_of(1, now());
SELECT * FROM steward.as_of(NULL::client, NULL);
SELECT * FROM steward.diff(NULL, now(), now());
SELECT * FROM steward.revert(NULL);
SELECT * FROM steward.revert('1', NULL);
SELECT * FROM steward.history('client', NULL);
CREATE VIEW a_view AS SELECT 1 AS id;
SELECT * FROM steward.history('a_view', '{"id": 1}');
SELECT * FROM steward.history(4294967295::oid, '{"id": 1}');

-- Who may ask: EXECUTE, SELECT on all of the table, and no row security.
CREATE ROLE past_reader;
GRANT USAGE ON SCHEMA past, steward TO past_reader;
SET ROLE past_reader;
SELECT * FROM steward.history('typed', '{"id": 1}');
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.history(regclass, jsonb), steward.as_of(anyelement, timestamptz), steward.revert(xid8, boolean) TO past_reader;
SET ROLE past_reader;
SELECT * FROM steward.history('typed', '{"id": 1}');
RESET ROLE;
GRANT SELECT (id) ON typed TO past_reader;
SET ROLE past_reader;
SELECT * FROM steward.history('typed', '{"id": 1}');
RESET ROLE;
GRANT SELECT (v) ON typed TO past_reader;
SET ROLE past_reader;
SELECT count(*) FROM steward.history('typed', '{"id": 1}');
RESET ROLE;
ALTER TABLE typed ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON typed USING (true);
SET ROLE past_reader;
SELECT * FROM steward.history('typed', '{"id": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM steward.as_of(NULL::typed, now());
RESET ROLE;
ALTER TABLE typed DISABLE ROW LEVEL SECURITY;

-- The trail shows the tables that the reader may read; what is gone, to who may read everything.
CREATE TABLE gone (id integer PRIMARY KEY);
SELECT steward.enable_audit('gone');
INSERT INTO gone VALUES (1);
DROP TABLE gone;
GRANT SELECT ON steward.audit_trail TO past_reader;
SET ROLE past_reader;
SELECT DISTINCT relation FROM steward.audit_trail WHERE relation LIKE 'past.%' ORDER BY 1;
RESET ROLE;
GRANT pg_read_all_data TO past_reader;
SET ROLE past_reader;
SELECT DISTINCT relation FROM steward.audit_trail WHERE relation IN ('past.typed', 'past.gone', 'past.gap') ORDER BY 1;
RESET ROLE;
REVOKE pg_read_all_data FROM past_reader;

-- Reverting: a preview, then the deed, which is recorded and can be reverted itself.
CREATE TABLE parent (id integer PRIMARY KEY, name text, twice integer GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE child (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent integer REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, at timestamptz, f float8);
INSERT INTO parent VALUES (1, 'one'), (2, 'two'), (9, 'nine');
INSERT INTO child (parent, at, f) VALUES (1, '2020-01-01', 0.1), (1, NULL, 'NaN'), (2, '2020-02-02 03:04:05.678901', 1e300);
SELECT steward.enable_audit('parent'), steward.enable_audit('child');
SELECT clock_timestamp() AS r0 \gset
BEGIN;
SELECT pg_current_xact_id() AS x \gset
DELETE FROM parent WHERE id = 1;
UPDATE parent SET id = 20 WHERE id = 2;
UPDATE parent SET name = 'it''s' WHERE id = 20;
INSERT INTO parent VALUES (2, 'new'), (4, 'four');
INSERT INTO child (parent) VALUES (4);
DELETE FROM parent WHERE id = 9;
INSERT INTO parent VALUES (9, 'again');
INSERT INTO parent VALUES (77, 'fleeting');
DELETE FROM parent WHERE id = 77;
COMMIT;
SET extra_float_digits = 0;
SET datestyle = 'German';
SELECT step, relation, operation, key, statement FROM steward.revert(:'x') ORDER BY step;
SELECT count(*) FROM steward.revert(:'x', true);
RESET extra_float_digits;
SET datestyle = 'ISO';
SELECT * FROM parent ORDER BY id;
SELECT * FROM child ORDER BY id;
SELECT * FROM steward.diff('child', :'r0', clock_timestamp());
-- Not twice: the reverting transaction changed the rows later.
SELECT set_config('past.x', :'x', false) IS NOT NULL AS set;
CREATE PROCEDURE try_revert(xid text) LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM steward.revert(xid::xid8);
    RAISE EXCEPTION 'reverted';
EXCEPTION WHEN object_not_in_prerequisite_state OR undefined_object OR null_value_not_allowed THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '% %', regexp_replace(SQLERRM, '\d\d+', 'N'), regexp_replace(detail, '\d\d+', 'N');
END
$$;
CALL try_revert(:'x');
CALL try_revert('3');
CALL try_revert(NULL);
BEGIN;
SELECT pg_current_xact_id() AS y \gset
TRUNCATE child;
CALL try_revert(:'y');
COMMIT;
CALL try_revert(:'y');

-- A key that moved on to where another was: the foreign key carries the second change
-- back to the row that the first was for.
CREATE TABLE above (id integer PRIMARY KEY);
CREATE TABLE below (id integer PRIMARY KEY, above integer REFERENCES above ON UPDATE CASCADE);
INSERT INTO above VALUES (16), (6);
INSERT INTO below VALUES (1, 16), (2, 6);
SELECT steward.enable_audit('above'), steward.enable_audit('below');
BEGIN;
SELECT pg_current_xact_id() AS w \gset
UPDATE above SET id = id + 10;
COMMIT;
SELECT count(*) FROM steward.revert(:'w', true);
SELECT * FROM above ORDER BY id;
SELECT * FROM below ORDER BY id;

-- Only with the caller's own rights, and not against a trigger.
CREATE TABLE stamped (id integer PRIMARY KEY, v integer, changes integer DEFAULT 0);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changes := OLD.changes + 1; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
INSERT INTO stamped VALUES (1, 1);
SELECT steward.enable_audit('stamped');
BEGIN;
SELECT pg_current_xact_id() AS z \gset
UPDATE stamped SET v = 2;
COMMIT;
GRANT SELECT ON stamped TO past_reader;
SET ROLE past_reader;
SELECT statement FROM steward.revert(:'z');
SELECT statement FROM steward.revert(:'z', true);
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT statement FROM steward.revert(:'z', true);
\echo :LAST_ERROR_SQLSTATE
BEGIN;
ALTER TABLE stamped DISABLE TRIGGER stamp;
SELECT statement FROM steward.revert(:'z', true);
ALTER TABLE stamped ENABLE TRIGGER stamp;
COMMIT;
SELECT * FROM stamped;
BEGIN READ ONLY;
SELECT statement FROM steward.revert(:'z', true);
ROLLBACK;

-- Without a key the whole row tells which one an UPDATE found: also by the columns that it
-- left alone, and that were not there yet when the audit began.
CREATE TABLE bare (a integer);
INSERT INTO bare VALUES (2), (0);
SELECT pg_current_xact_id() AS running \gset
SELECT steward.enable_audit('bare');
SELECT format('%s:%s:%s', :'running', pg_snapshot_xmax(pg_current_snapshot()), :'running') AS before \gset
ALTER TABLE bare ADD COLUMN c integer DEFAULT 8;
UPDATE bare SET c = 3 WHERE a = 2;
UPDATE bare SET a = 2 WHERE a = 0;
SELECT * FROM bare;
SELECT * FROM steward.as_of_snapshot(NULL::bare, :'before') ORDER BY a;

SET client_min_messages = warning;
DROP SCHEMA past CASCADE;
DROP OWNED BY past_reader, past_owner;
\c :main
DROP DATABASE regress_history;
DROP ROLE past_reader, past_owner;
