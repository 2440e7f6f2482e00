-- Values that no column gave a key: reencrypt seals them under their column's at last.
\set VERBOSITY default
SELECT steward.create_key('transient');
CREATE SCHEMA transient;
SET search_path = transient;
-- The columns are told to have no key while the values are written, which only a
-- superuser can do.
SET steward.allow_unkeyed_ddl = on;
CREATE TYPE pair AS (x integer, e steward.encrypted_text);
CREATE TABLE t (id integer, c steward.encrypted_text, a steward.encrypted_bigint[], p pair, unkeyed steward.encrypted_text);
CREATE TABLE person (id integer, c steward.encrypted_text, a steward.encrypted_bigint[]);
RESET steward.allow_unkeyed_ddl;
INSERT INTO t VALUES (1, 'one', '{1,NULL,2}', ROW(1, 'in a row'), NULL), (2, NULL, NULL, NULL, NULL);
INSERT INTO person VALUES (1, 'somebody', '{7}');
CREATE TABLE keyed (id integer, c steward.encrypted_text('transient/c'), a steward.encrypted_bigint('transient/a')[], e steward.encrypted_text('transient/e'));
UPDATE pg_attribute AS x SET atttypmod = k.atttypmod FROM pg_attribute AS k
 WHERE k.attrelid = 'keyed'::regclass AND k.attname = x.attname
   AND x.attrelid IN ('t'::regclass, 'person'::regclass, (SELECT typrelid FROM pg_type WHERE oid = 'pair'::regtype)) AND x.attname IN ('c', 'a', 'e');
INSERT INTO t VALUES (3, 'three', '{3}', ROW(3, 'a good row'), NULL);
CREATE FUNCTION findings(relation regclass) RETURNS TABLE ("column" text, id integer, part text, finding text) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH "column" IN ARRAY ARRAY['c', 'a', 'p'] LOOP
        IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = "column") THEN
            RETURN QUERY EXECUTE format('SELECT %L, t.id, v.part, v.finding FROM steward.verify_column(%L, %L) AS v JOIN %s AS t ON t.ctid = v.row_id', "column", relation, "column", relation);
        END IF;
    END LOOP;
END
$$;
SELECT * FROM findings('t') ORDER BY 1, 2, 3;
SELECT DISTINCT detail FROM steward.verify_column('t', 'c');
CALL steward.reencrypt('t');
SELECT * FROM findings('t');
SELECT id, c::text, a::bigint[], (p).x, (p).e::text FROM t ORDER BY id;
CALL steward.reencrypt('t');
-- bound to the subject of their row too
SELECT steward.bind_subject('person', 'transient_person', 'id');
SELECT * FROM findings('person') ORDER BY 1, 2, 3, 4;
CALL steward.reencrypt('person');
SELECT * FROM findings('person');
-- by the trigger that binds too
INSERT INTO person VALUES (2, 'two'::steward.encrypted_text, '{8}'::steward.encrypted_bigint[]);
SELECT * FROM findings('person');
SELECT id, c::text, a::bigint[] FROM person ORDER BY id;
-- what only looks like one, or was sealed under a root that is gone, keeps no other from being moved
SET steward.allow_unkeyed_ddl = on;
CREATE CAST (bytea AS steward.encrypted_text) WITHOUT FUNCTION;
RESET steward.allow_unkeyed_ddl;
UPDATE pg_attribute SET atttypmod = -1 WHERE attrelid = 't'::regclass AND attname = 'c';
INSERT INTO t SELECT 6, overlay(decode(rpad(translate(substr(a, 6), '-_', '+/'), (length(a) - 2) / 4 * 4, '='), 'base64') PLACING '\x00000000' FROM 5)::steward.encrypted_text
  FROM (SELECT format('%s', c) FROM t WHERE id = 1) AS s(a);
INSERT INTO t VALUES (7, 'seven');
UPDATE pg_attribute AS x SET atttypmod = k.atttypmod FROM pg_attribute AS k
 WHERE k.attrelid = 'keyed'::regclass AND k.attname = 'c' AND x.attrelid = 't'::regclass AND x.attname = 'c';
DROP CAST (bytea AS steward.encrypted_text);
SELECT * FROM findings('t') ORDER BY 1, 2, 3, 4;
CALL steward.reencrypt('t');
SELECT * FROM findings('t') ORDER BY 1, 2, 3, 4;
DELETE FROM t WHERE id = 6;
-- a column that names no key has none to give
INSERT INTO t VALUES (4, 'four', NULL, NULL, 'for ever');
CALL steward.reencrypt('t');
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA transient CASCADE;
