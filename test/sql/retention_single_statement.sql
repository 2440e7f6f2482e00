--
-- Rows that go with all that refers to them by one statement: the shapes of tables for which that is done, or
-- not, what a run counts of them, and what it costs.
--
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE VIEW rz_run AS
    SELECT rows, children, bytes > 0 AS bytes, held, restricted, skipped, state,
           (SELECT count(*) FROM steward.verify_receipt(id)) AS findings
      FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- Partitions whose columns are in another order, and a child that refers twice to them, by two columns each.
CREATE TABLE rz_parent (gone int, kind text, id int, seen date, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
ALTER TABLE rz_parent DROP COLUMN gone;
CREATE TABLE rz_parent_a (seen date, id int NOT NULL, kind text NOT NULL);
ALTER TABLE rz_parent ATTACH PARTITION rz_parent_a FOR VALUES IN ('a');
CREATE TABLE rz_parent_b PARTITION OF rz_parent FOR VALUES IN ('b');
INSERT INTO rz_parent SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, i, CASE WHEN i % 10 < 8 THEN date '2001-01-01' ELSE current_date END
  FROM generate_series(1, 1000) AS i;
CREATE TABLE rz_child (gone int, first_kind text, first int, second int, second_kind text, note text,
    FOREIGN KEY (first, first_kind) REFERENCES rz_parent ON DELETE CASCADE,
    CONSTRAINT second FOREIGN KEY (second, second_kind) REFERENCES rz_parent);
ALTER TABLE rz_child DROP COLUMN gone;
INSERT INTO rz_child SELECT p.kind, p.id, q.id, q.kind, 'note ' || p.id
  FROM rz_parent AS p LEFT JOIN rz_parent AS q ON q.id = p.id * 7 % 1000 + 1 AND p.id % 3 > 0;
INSERT INTO rz_child SELECT kind, id, id, kind FROM rz_parent;
INSERT INTO rz_child SELECT * FROM rz_child WHERE first % 5 = 0;
CREATE TABLE rz_expected AS
    SELECT count(*) AS children FROM rz_child AS c
     WHERE EXISTS (SELECT FROM rz_parent WHERE (id, kind) = (c.first, c.first_kind) AND seen < '2002-01-01')
        OR EXISTS (SELECT FROM rz_parent WHERE (id, kind) = (c.second, c.second_kind) AND seen < '2002-01-01');
SELECT steward.create_policy('twice', 'rz_parent', 'seen', '1 year', children => '{"rz_child": "cascade"}');
CALL steward.run_policy('twice');
SELECT * FROM rz_run;
SELECT (SELECT children FROM rz_run) = children AS exact FROM rz_expected;
SELECT count(*) FROM rz_child AS c
 WHERE NOT EXISTS (SELECT FROM rz_parent WHERE (id, kind) = (c.first, c.first_kind))
    OR second IS NOT NULL AND NOT EXISTS (SELECT FROM rz_parent WHERE (id, kind) = (c.second, c.second_kind));
DROP TABLE rz_parent, rz_child CASCADE;

-- Many children each, of which one of a hundred parents' is held: the others go.
CREATE TABLE rz_parent (id int PRIMARY KEY, seen date);
CREATE TABLE rz_child (id int PRIMARY KEY, parent int REFERENCES rz_parent ON DELETE CASCADE, note text);
CREATE INDEX ON rz_child (parent);
INSERT INTO rz_parent SELECT i, '2001-01-01' FROM generate_series(1, 500) AS i;
INSERT INTO rz_child SELECT i, i / 40 + 1, 'note ' || i FROM generate_series(0, 19999) AS i;
SELECT steward.create_policy('many', 'rz_parent', 'seen', '1 year', children => '{"rz_child": "cascade"}');
SELECT steward.place_hold('rz_child', 'id % 4000 = 5', 'a court') > 0 AS held;
CALL steward.run_policy('many');
SELECT * FROM rz_run;
SELECT string_agg(id::text, ' ' ORDER BY id) AS parents, (SELECT count(*) FROM rz_child) AS children FROM rz_parent;
SELECT steward.release_hold(id, 'over') FROM steward.active_hold;
CALL steward.run_policy('many');
SELECT * FROM rz_run;

-- A child with a trigger that could keep rows, with children of its own, or in partitions, goes the long way, to the same end.
CREATE FUNCTION rz_pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE FUNCTION rz_keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE rz_grandchild (child int REFERENCES rz_child ON DELETE CASCADE);
CREATE TABLE rz_part (parent int REFERENCES rz_parent) PARTITION BY RANGE (parent);
CREATE TABLE rz_part_1 PARTITION OF rz_part FOR VALUES FROM (0) TO (10);
CREATE TABLE rz_part_2 PARTITION OF rz_part FOR VALUES FROM (10) TO (1000);
INSERT INTO rz_parent SELECT i, '2001-01-01' FROM generate_series(1, 20) AS i;
INSERT INTO rz_child SELECT i, i, 'note' FROM generate_series(1, 20) AS i;
INSERT INTO rz_grandchild SELECT i FROM generate_series(1, 10) AS i;
INSERT INTO rz_part SELECT i FROM generate_series(5, 14) AS i;
SELECT steward.alter_policy('many', children => '{"rz_child": "cascade", "rz_part": "cascade", "rz_grandchild": "cascade"}');
CALL steward.run_policy('many');
SELECT * FROM rz_run;
DROP TABLE rz_grandchild, rz_part;
SELECT steward.alter_policy('many', children => '{"rz_child": "cascade"}');
CREATE TRIGGER pass BEFORE DELETE ON rz_child FOR EACH ROW EXECUTE FUNCTION rz_pass();
INSERT INTO rz_parent SELECT i, '2001-01-01' FROM generate_series(1, 20) AS i;
INSERT INTO rz_child SELECT i, i, 'note' FROM generate_series(1, 20) AS i;
CALL steward.run_policy('many');
SELECT * FROM rz_run;
DROP TRIGGER pass ON rz_child;
CREATE TRIGGER keep BEFORE DELETE ON rz_child FOR EACH ROW EXECUTE FUNCTION rz_keep();
INSERT INTO rz_parent VALUES (1, '2001-01-01');
INSERT INTO rz_child VALUES (1, 1, 'note');
CALL steward.run_policy('many');
SELECT (SELECT count(*) FROM rz_parent) AS parents, (SELECT count(*) FROM rz_child) AS children;
DROP TRIGGER keep ON rz_child;

-- Moved to an archive, with children that are deleted.
CREATE TABLE rz_archive (LIKE rz_parent);
SELECT steward.alter_policy('many', action => 'archive', archive => 'rz_archive');
CALL steward.run_policy('many');
SELECT * FROM rz_run;
SELECT id, (SELECT count(*) FROM rz_child) AS children FROM rz_archive;
SELECT steward.drop_policy('many');

-- A trigger that keeps rows has each twice in a run, and those that go once.
CREATE TABLE rz_kept (id int PRIMARY KEY, seen date);
INSERT INTO rz_kept SELECT i, '2001-01-01' FROM generate_series(1, 100) AS i;
CREATE SEQUENCE rz_fired;
CREATE FUNCTION rz_keep_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('public.rz_fired');
    IF OLD.id % 10 = 0 THEN
        RETURN NULL;
    END IF;
    RETURN OLD;
END$$;
CREATE TRIGGER keep BEFORE DELETE ON rz_kept FOR EACH ROW EXECUTE FUNCTION rz_keep_some();
SELECT steward.create_policy('kept', 'rz_kept', 'seen', '1 year');
CALL steward.run_policy('kept');
SELECT * FROM rz_run;
SELECT last_value AS fired FROM rz_fired;
SELECT steward.drop_policy('kept');

-- What a batch allocates is gone with it. The context of SPI in that of the portal lives as long as the run.
CREATE TABLE rz_memory (id int GENERATED ALWAYS AS IDENTITY, bytes bigint);
CREATE FUNCTION rz_look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.rz_memory (bytes) SELECT total_bytes FROM pg_backend_memory_contexts
     WHERE name = 'SPI Proc' ORDER BY level DESC LIMIT 1;
    RETURN NULL;
END$$;
INSERT INTO rz_parent SELECT i, '2001-01-01' FROM generate_series(1, 3000) AS i;
INSERT INTO rz_child SELECT i, i, 'note' FROM generate_series(1, 3000) AS i;
CREATE TRIGGER pass BEFORE DELETE ON rz_child FOR EACH ROW EXECUTE FUNCTION rz_pass();
CREATE TRIGGER look AFTER DELETE ON rz_parent FOR EACH STATEMENT EXECUTE FUNCTION rz_look();
SELECT steward.create_policy('memory', 'rz_parent', 'seen', '1 year', children => '{"rz_child": "cascade"}');
CALL steward.run_policy('memory');
SELECT count(*) > 5 AS several, max(bytes) - min(bytes) < 65536 AS gone FROM rz_memory;
SELECT rows, children, state FROM steward.policy_run WHERE policy = 'memory';

SELECT steward.drop_policy(name) FROM steward.policy WHERE name IN ('memory', 'twice');
DROP TABLE rz_parent, rz_child, rz_archive, rz_kept, rz_memory, rz_expected;
DROP VIEW rz_run;
DROP SEQUENCE rz_fired;
DROP FUNCTION rz_pass, rz_keep, rz_keep_some, rz_look;
DELETE FROM steward.policy_run_log;
