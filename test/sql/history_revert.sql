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

-- A child made under a key that is carried back with its parent's, before its own turn.
INSERT INTO parent VALUES (20, 'a'), (21, 'b');
INSERT INTO keyed VALUES (20, 1), (21, 2);
BEGIN;
UPDATE parent SET id = 22 WHERE id = 20;
INSERT INTO keyed VALUES (22, 7);
UPDATE keyed SET parent = 22 WHERE parent = 21;
UPDATE parent SET v = 'c' WHERE id = 22;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'keyed');
-- Columns that one may read and change suffice.
CREATE ROLE undone_columns;
GRANT USAGE ON SCHEMA undone, steward TO undone_columns;
GRANT SELECT (id, v), UPDATE (id, v), DELETE ON parent TO undone_columns;
GRANT SELECT (parent, n), UPDATE (parent, n), DELETE ON keyed TO undone_columns;
GRANT EXECUTE ON FUNCTION steward.revert TO undone_columns;
SET ROLE undone_columns;
CALL try_reverting(:'x', 'parent', 'keyed');
RESET ROLE;
SELECT count(*) FROM steward.revert(:'x', true);
SELECT rows_of('keyed');

-- A deferrable foreign key: a row refers to its parent before that is there.
CREATE TABLE later (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE under (id integer PRIMARY KEY, later integer REFERENCES later ON DELETE CASCADE);
SELECT steward.enable_audit('later');
INSERT INTO later VALUES (1, NULL);
INSERT INTO under VALUES (1, 1);
BEGIN;
UPDATE later SET parent = 30;
INSERT INTO parent VALUES (30, 'new');
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'later', 'under');

-- A foreign key to one partition.
CREATE TABLE whole (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (100);
CREATE TABLE of_part (id integer PRIMARY KEY, part integer REFERENCES part ON DELETE CASCADE);
CREATE TABLE below_part (id integer PRIMARY KEY, of_part integer REFERENCES of_part ON DELETE CASCADE);
SELECT FROM unnest(ARRAY['whole', 'of_part']::regclass[]) AS r, LATERAL steward.enable_audit(r);
INSERT INTO of_part VALUES (1, NULL);
INSERT INTO below_part VALUES (1, 1);
BEGIN;
INSERT INTO whole VALUES (7, 'new');
UPDATE of_part SET part = 7;
UPDATE whole SET v = 'newer';
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'whole', 'of_part', 'below_part');

-- One that cannot be deleted before its child is given back, nor after: its code is in
-- the way of the row that the child goes back to. What refers to the child is not lost.
CREATE TABLE coded (id integer PRIMARY KEY, code text UNIQUE);
CREATE TABLE of_coded (id integer PRIMARY KEY, coded integer REFERENCES coded ON DELETE CASCADE);
CREATE TABLE below_coded (id integer PRIMARY KEY, of_coded integer REFERENCES of_coded ON DELETE CASCADE);
SELECT FROM unnest(ARRAY['coded', 'of_coded']::regclass[]) AS r, LATERAL steward.enable_audit(r);
INSERT INTO coded VALUES (2, 'x');
INSERT INTO of_coded VALUES (1, 2);
INSERT INTO below_coded VALUES (1, 1);
BEGIN;
INSERT INTO coded VALUES (9, 'new');
UPDATE of_coded SET coded = 9;
DELETE FROM coded WHERE id = 2;
UPDATE coded SET code = 'x' WHERE id = 9;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'coded', 'of_coded', 'below_coded');
SELECT rows_of('below_coded');
-- Without anything that might be lost it can.
DROP TABLE below_coded;
CALL try_reverting(:'x', 'coded', 'of_coded');

-- A child that a foreign key moves to another partition before its turn is not forgotten there.
CREATE TABLE spread (parent integer REFERENCES parent ON UPDATE CASCADE, n integer, PRIMARY KEY (parent, n)) PARTITION BY RANGE (parent);
CREATE TABLE spread_low PARTITION OF spread FOR VALUES FROM (0) TO (50);
CREATE TABLE spread_high PARTITION OF spread FOR VALUES FROM (50) TO (100);
SELECT steward.enable_audit('spread');
INSERT INTO parent VALUES (40, 'a');
INSERT INTO spread VALUES (40, 1);
BEGIN;
UPDATE parent SET id = 50 WHERE id = 40;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'spread');
SELECT count(*) FROM steward.revert(:'x', true);
BEGIN;
UPDATE parent SET id = 50 WHERE id = 40;
INSERT INTO spread VALUES (50, 7);
UPDATE parent SET v = 'b' WHERE id = 50;
SELECT pg_current_xact_id() AS x \gset
COMMIT;
CALL try_reverting(:'x', 'parent', 'spread');

-- A row that a trigger keeps from being deleted stays, and is told of.
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
INSERT INTO parent VALUES (8, 'kept');
SELECT xid AS x FROM steward.history('parent', '{"id": 8}') \gset
CREATE TRIGGER keep BEFORE DELETE ON parent FOR EACH ROW EXECUTE FUNCTION keep();
SELECT count(*) FROM steward.revert(:'x', true);

DROP OWNED BY undone_columns;
DROP ROLE undone_columns;
DROP SCHEMA undone CASCADE;
