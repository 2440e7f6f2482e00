-- Reverting under foreign keys: a parent that the transaction made and changed again is
-- deleted after what it made refer to it, and rows that keys moved are found.
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE SCHEMA undone;
SET search_path = undone;

CREATE FUNCTION rows_of(relation regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(r::text, '' '' ORDER BY r::text) FROM %s AS r', relation) INTO result;
    RETURN result;
END
$$;
-- What a transaction left, and what its reverting did; it is rolled back by its error.
CREATE PROCEDURE try_reverting(of_transaction xid8, VARIADIC relations regclass[]) LANGUAGE plpgsql AS $$
DECLARE
    before text[] := ARRAY(SELECT rows_of(r) FROM unnest(relations) AS r);
    step record;
BEGIN
    FOR step IN SELECT r.statement FROM steward.revert(of_transaction, true) AS r ORDER BY r.step LOOP
        RAISE WARNING '%', step.statement;
    END LOOP;
    RAISE WARNING 'before: %', before;
    RAISE WARNING 'after:  %', ARRAY(SELECT rows_of(r) FROM unnest(relations) AS r);
    RAISE EXCEPTION 'undone' USING ERRCODE = 'Y0001';
EXCEPTION WHEN SQLSTATE 'Y0001' THEN
    NULL;
END
$$;

CREATE TABLE parent (id integer PRIMARY KEY, v text);
CREATE TABLE reset (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE SET DEFAULT);
CREATE TABLE carried (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE below (id integer PRIMARY KEY, carried integer REFERENCES carried ON DELETE CASCADE);
CREATE TABLE keyed (parent integer REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE, n integer, PRIMARY KEY (parent, n));
SELECT FROM unnest(ARRAY['parent', 'reset', 'carried', 'below', 'keyed']::regclass[]) AS r, LATERAL steward.enable_audit(r);
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
INSERT INTO carried VALUES (1, 1);
INSERT INTO below VALUES (1, 1);
INSERT INTO keyed VALUES (2, 1);

-- The parent's last change came after its child.
BEGIN;
INSERT INTO parent VALUES (9, 'new');
INSERT INTO reset VALUES (9, 9);
UPDATE parent SET v = 'newer' WHERE id = 9;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'reset');
SELECT count(*) FROM steward.revert(:'x', true);

-- A row that was there refers to it: it is not deleted, nor what refers to that.
BEGIN;
INSERT INTO parent VALUES (9, 'new');
UPDATE carried SET parent = 9 WHERE id = 1;
UPDATE parent SET v = 'newer' WHERE id = 9;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'carried', 'below');
SELECT count(*) FROM steward.revert(:'x', true);
SELECT rows_of('carried'), rows_of('below');

-- New rows whose key another's change carried on.
BEGIN;
INSERT INTO keyed VALUES (2, 7);
INSERT INTO carried VALUES (7, 2);
UPDATE parent SET id = 3 WHERE id = 2;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'carried', 'keyed');
SELECT count(*) FROM steward.revert(:'x', true);

-- A key that was carried on twice, by what was made and by what was there.
BEGIN;
INSERT INTO parent VALUES (9, 'new');
UPDATE keyed SET parent = 9 WHERE parent = 2;
UPDATE parent SET id = 10 WHERE id = 9;
UPDATE parent SET id = 5 WHERE id = 2;
UPDATE keyed SET parent = 5 WHERE parent = 10;
UPDATE parent SET id = 6 WHERE id = 5;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'keyed');
SELECT count(*) FROM steward.revert(:'x', true);
SELECT rows_of('parent'), rows_of('keyed');

-- A row that a trigger keeps from being deleted stays, and is told of.
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
INSERT INTO parent VALUES (8, 'kept');
SELECT xid AS x FROM steward.history('parent', '{"id": 8}') \gset
CREATE TRIGGER keep BEFORE DELETE ON parent FOR EACH ROW EXECUTE FUNCTION keep();
SELECT count(*) FROM steward.revert(:'x', true);

DROP SCHEMA undone CASCADE;
