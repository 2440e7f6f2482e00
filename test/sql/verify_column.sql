-- verify_column: every value that is not as it should be is told, and no other.
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT steward.create_key('verify');
SELECT steward.create_key('verify_other');
CREATE ROLE verify_owner;
CREATE ROLE verify_reader;
CREATE SCHEMA verify;
GRANT ALL ON SCHEMA verify TO PUBLIC;
SET search_path = verify;
SELECT steward.grant_key('verify', 'verify_reader', 'decrypt');

-- the bytes of a value, and a way to store any bytes: the column is told to have
-- no key while they are written, which only a superuser can do
SET steward.allow_unkeyed_ddl = on;
CREATE CAST (bytea AS steward.encrypted_text) WITHOUT FUNCTION;
RESET steward.allow_unkeyed_ddl;
CREATE FUNCTION sealed(v steward.encrypted_text) RETURNS bytea LANGUAGE sql STABLE AS
    $$ SELECT decode(rpad(translate(substr(a, 6), '-_', '+/'), (length(a) - 2) / 4 * 4, '='), 'base64') FROM format('%s', v) AS a $$;
CREATE FUNCTION inject(relation regclass, id integer, expression text, part text DEFAULT 'c') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    label integer;
BEGIN
    SELECT atttypmod INTO label FROM pg_attribute WHERE attrelid = relation AND attname = part;
    UPDATE pg_attribute SET atttypmod = -1 WHERE attrelid = relation AND attname = part;
    EXECUTE format('UPDATE %s SET %I = %s WHERE id = %s', relation, part, expression, id);
    UPDATE pg_attribute SET atttypmod = label WHERE attrelid = relation AND attname = part;
END
$$;
CREATE FUNCTION id_of(relation regclass, row_id tid) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    id integer;
BEGIN
    EXECUTE format('SELECT id FROM %s WHERE ctid = $1', relation) INTO id USING row_id;
    RETURN id;
END
$$;
CREATE FUNCTION check_column(relation regclass, attribute text DEFAULT 'c') RETURNS TABLE (found_in regclass, id integer, part text, finding text, detail text) LANGUAGE sql AS
    $$ SELECT v.found_in, id_of(v.found_in, v.row_id), v.part, v.finding, v.detail FROM steward.verify_column(relation, attribute) AS v ORDER BY 2, 3, 4 $$;

SET ROLE verify_owner;
CREATE TABLE t (id integer PRIMARY KEY, c steward.encrypted_text('verify/c'), d steward.encrypted_text('verify/d'), o steward.encrypted_text('verify_other/o'), n integer);
INSERT INTO t SELECT g, 'c' || g, 'd' || g, 'o' || g FROM generate_series(1, 30) AS g;
INSERT INTO t VALUES (31, NULL), (32, ''), (33, repeat('long', 5000));
RESET ROLE;

-- nothing is wrong
SELECT * FROM check_column('t');
SELECT * FROM check_column('t', 'd');

-- one fault each
CREATE TABLE original AS SELECT id, sealed(c) AS c, sealed(d) AS d, sealed(o) AS o FROM t WHERE id < 31;
SELECT inject('t', 1, $$(SELECT set_byte(c, length(c) - 1, get_byte(c, length(c) - 1) # 1) FROM original WHERE id = 1)::steward.encrypted_text$$);
SELECT inject('t', 2, $$(SELECT set_byte(c, 12, get_byte(c, 12) # 128) FROM original WHERE id = 2)::steward.encrypted_text$$);
SELECT inject('t', 3, $$(SELECT set_byte(c, 36, get_byte(c, 36) # 4) FROM original WHERE id = 3)::steward.encrypted_text$$);
SELECT inject('t', 4, $$(SELECT d FROM original WHERE id = 4)::steward.encrypted_text$$);
SELECT inject('t', 5, $$(SELECT o FROM original WHERE id = 5)::steward.encrypted_text$$);
SELECT inject('t', 6, $$(SELECT substr(c, 1, 4) || substr(d, 5) FROM original WHERE id = 6)::steward.encrypted_text$$);
SELECT inject('t', 7, $$(SELECT substr(c, 1, 8) || substr(d, 9) FROM original WHERE id = 7)::steward.encrypted_text$$);
SELECT inject('t', 8, $$(SELECT set_byte(c, 2, 2) FROM original WHERE id = 8)::steward.encrypted_text$$);
SELECT inject('t', 9, $$(SELECT set_byte(c, 0, 2) FROM original WHERE id = 9)::steward.encrypted_text$$);
SELECT inject('t', 10, $$(SELECT set_byte(c, 1, 2) FROM original WHERE id = 10)::steward.encrypted_text$$);
SELECT inject('t', 11, $$(SELECT set_byte(c, 2, 8) FROM original WHERE id = 11)::steward.encrypted_text$$);
SELECT inject('t', 12, $$(SELECT set_byte(c, 3, 2) FROM original WHERE id = 12)::steward.encrypted_text$$);
SELECT inject('t', 13, $$(SELECT set_byte(c, 4, 128) FROM original WHERE id = 13)::steward.encrypted_text$$);
SELECT inject('t', 14, $$(SELECT substr(c, 1, 67) FROM original WHERE id = 14)::steward.encrypted_text$$);
SELECT inject('t', 15, $$''::bytea::steward.encrypted_text$$);
SELECT inject('t', 16, $$'sixteen'::steward.encrypted_text$$);
SELECT inject('t', 17, $$(SELECT set_byte(set_byte(set_byte(set_byte(c, 4, 0), 5, 0), 6, 0), 7, 0) FROM original WHERE id = 17)::steward.encrypted_text$$);
SELECT inject('t', 18, $$(SELECT set_byte(set_byte(set_byte(set_byte(c, 8, 1), 9, 2), 10, 3), 11, 4) FROM original WHERE id = 18)::steward.encrypted_text$$);
SELECT inject('t', 19, $$(SELECT set_byte(set_byte(set_byte(set_byte(c, 4, 0), 5, 0), 6, 18), 7, 103) FROM original WHERE id = 19)::steward.encrypted_text$$);
SELECT inject('t', 20, $$(SELECT c || '\x00' FROM original WHERE id = 20)::steward.encrypted_text$$);
SELECT inject('t', 21, $$(SELECT substr(c, 1, length(c) - 1) FROM original WHERE id = 21)::steward.encrypted_text$$);
SELECT inject('t', 22, $$(SELECT set_byte(c, 3, 1) FROM original WHERE id = 22)::steward.encrypted_text$$);
SELECT inject('t', 23, $$(SELECT substr(a.c, 1, 12) || substr(b.c, 13, 40) || substr(a.c, 53) FROM original AS a, original AS b WHERE a.id = 23 AND b.id = 24)::steward.encrypted_text$$);
-- what is allowed: a value of another row of the column
SELECT inject('t', 25, $$(SELECT c FROM original WHERE id = 26)::steward.encrypted_text$$);
SELECT inject('t', 26, $$(SELECT c FROM original WHERE id = 25)::steward.encrypted_text$$);
SELECT id, finding, CASE WHEN id = 18 THEN regexp_replace(detail, '[0-9a-f]{8}', 'XXXXXXXX') ELSE detail END AS detail FROM check_column('t');
-- other columns of these rows are sound; the check reads what it says and no more
SELECT count(*) FROM check_column('t', 'd');
-- it agrees with decrypt(), value by value
CREATE FUNCTION decrypts(wanted integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM c::text FROM t WHERE id = wanted;
    RETURN 'yes';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END
$$;
SELECT id, string_agg(finding, ', ' ORDER BY finding) AS findings, decrypts(id)
  FROM t LEFT JOIN check_column('t') USING (id) GROUP BY id HAVING count(finding) > 0 OR decrypts(id) <> 'yes' ORDER BY id;

-- who may run it
SET ROLE verify_reader;
SELECT * FROM steward.verify_column('t', 'c');
SET ROLE verify_owner;
SELECT steward.has_key_privilege('verify', 'decrypt') AS owner_decrypts, count(*) > 20 AS owner_verifies FROM steward.verify_column('t', 'c');
SELECT * FROM steward.verify_column('t', 'n');
SELECT * FROM steward.verify_column('t', 'nowhere');
SELECT * FROM steward.verify_column('t', 'ctid');
SELECT * FROM steward.verify_column('t', NULL);
SELECT * FROM steward.verify_column(NULL, 'c');
SELECT * FROM steward.verify_column(0, 'c');
SELECT * FROM steward.verify_column('t_pkey', 'id');
CREATE VIEW v AS SELECT c FROM t;
SELECT * FROM steward.verify_column('v', 'c');
-- all rows, though a policy hides some from their owner too
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM t;
SELECT count(*) > 20 AS all_rows FROM steward.verify_column('t', 'c');
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
RESET ROLE;
-- only what the snapshot shows, no dead rows
BEGIN;
DELETE FROM t WHERE id <= 24;
SELECT * FROM check_column('t');
ROLLBACK;

-- arrays, domains, composites, and what is inside them
CREATE DOMAIN iban AS steward.encrypted_text('verify/iban');
CREATE TYPE contact AS (label text, "E Mail" steward.encrypted_text('verify/contact'), more steward.encrypted_text('verify/contact')[]);
CREATE TABLE nested (id integer, c steward.encrypted_text('verify/c')[], account iban, accounts iban[], contact contact, contacts contact[]);
INSERT INTO nested VALUES
    (1, '{a,NULL,b}', 'DE1', '{DE2,DE3}', ROW('x', 'x@y', '{p,q}'), ARRAY[ROW('x', 'x@y', '{p,q}')::contact, NULL, ROW(NULL, NULL, NULL)::contact]),
    (2, '{{a,b},{c,d}}', NULL, NULL, NULL, NULL), (3, '{}', 'DE4', '{}', ROW(NULL, NULL, NULL), '{}');
SELECT a, count(v.*) FROM unnest(ARRAY['c', 'account', 'accounts', 'contact', 'contacts']) AS a LEFT JOIN LATERAL steward.verify_column('nested', a) AS v ON true GROUP BY a ORDER BY a;
SELECT inject('nested', 2, $$ARRAY[ARRAY[c[1][1], c[1][2]], ARRAY[(SELECT d FROM original WHERE id = 1)::steward.encrypted_text, c[2][2]]]$$);
SELECT * FROM check_column('nested');
SELECT * FROM check_column('nested', 'contacts');
CREATE TYPE loose AS (c steward.encrypted_text('verify/loose'));
CREATE TABLE loosely (id integer, c loose[]);
UPDATE pg_attribute SET atttypmod = -1 WHERE attrelid = 'loose'::regclass;
INSERT INTO loosely SELECT 1, ARRAY[ROW(c)::loose, ROW(NULL)::loose, ROW('\x0102'::bytea::steward.encrypted_text)::loose] FROM t WHERE id = 30;
UPDATE pg_attribute SET atttypmod = (SELECT key_id FROM steward.key WHERE path = 'verify/loose') WHERE attrelid = 'loose'::regclass;
SELECT * FROM check_column('loosely');

-- every type, and values of one in the column of another under the same key
CREATE TABLE every (id integer, a steward.encrypted_text('verify/every'), b steward.encrypted_bytea('verify/every'), c steward.encrypted_jsonb('verify/every'), d steward.encrypted_bigint('verify/every'),
    e steward.encrypted_numeric('verify/every'), f steward.encrypted_date('verify/every'), g steward.encrypted_timestamptz('verify/every'));
INSERT INTO every SELECT i, 'text', '\x0102', '{"a": 1.00}', -7, 1.50, '2020-02-29', '2020-02-29 12:00+00' FROM generate_series(1, 2) AS i;
CREATE FUNCTION check_every() RETURNS TABLE (attribute text, id integer, finding text) LANGUAGE sql AS
    $$ SELECT a, v.id, v.finding FROM unnest(string_to_array('a b c d e f g', ' ')) AS a, LATERAL check_column('every', a) AS v ORDER BY 1, 2, 3 $$;
SELECT * FROM check_every();
SET steward.allow_unkeyed_ddl = on;
CREATE CAST (steward.encrypted_text AS steward.encrypted_bytea) WITHOUT FUNCTION;
CREATE CAST (steward.encrypted_text AS steward.encrypted_jsonb) WITHOUT FUNCTION;
CREATE CAST (steward.encrypted_text AS steward.encrypted_bigint) WITHOUT FUNCTION;
CREATE CAST (steward.encrypted_text AS steward.encrypted_numeric) WITHOUT FUNCTION;
CREATE CAST (steward.encrypted_text AS steward.encrypted_date) WITHOUT FUNCTION;
CREATE CAST (steward.encrypted_text AS steward.encrypted_timestamptz) WITHOUT FUNCTION;
RESET steward.allow_unkeyed_ddl;
SELECT inject('every', 2, 'a::steward.encrypted_' || t, a) FROM (VALUES ('b', 'bytea'), ('c', 'jsonb'), ('d', 'bigint'), ('e', 'numeric'), ('f', 'date'), ('g', 'timestamptz')) AS v (a, t);
SELECT * FROM check_every();
DROP CAST (steward.encrypted_text AS steward.encrypted_bytea);
DROP CAST (steward.encrypted_text AS steward.encrypted_jsonb);
DROP CAST (steward.encrypted_text AS steward.encrypted_bigint);
DROP CAST (steward.encrypted_text AS steward.encrypted_numeric);
DROP CAST (steward.encrypted_text AS steward.encrypted_date);
DROP CAST (steward.encrypted_text AS steward.encrypted_timestamptz);

-- partitions and heirs, with columns in another order
CREATE TABLE part (id integer, c steward.encrypted_text('verify/part')) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 (x integer, c steward.encrypted_text('verify/part'), id integer);
CREATE TABLE part_3 (c steward.encrypted_text('verify/part'), id integer);
ALTER TABLE part_2 DROP COLUMN x;
INSERT INTO part_2 (id, c) VALUES (11, 'eleven'), (12, 'twelve');
INSERT INTO part_3 (id, c) VALUES (21, 'twenty-one');
SELECT inject('part_2', 12, $$(SELECT d FROM original WHERE id = 2)::steward.encrypted_text$$);
SELECT inject('part_3', 21, $$set_byte(sealed(c), 60, get_byte(sealed(c), 60) # 1)::steward.encrypted_text$$);
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (20);
ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM (20) TO (30);
INSERT INTO part VALUES (1, 'one'), (2, 'two');
SELECT * FROM check_column('part');
SELECT * FROM check_column('part_2');
CREATE TABLE heir (y integer) INHERITS (t);
INSERT INTO heir (id, c) VALUES (100, 'heir');
SELECT inject('heir', 100, $$(SELECT d FROM original WHERE id = 3)::steward.encrypted_text$$);
SELECT * FROM check_column('t') WHERE id = 100;
DROP TABLE heir;

-- a column that names no key, made in a rescue
SET steward.allow_unkeyed_ddl = on;
CREATE TABLE unkeyed (id integer, c steward.encrypted_text);
RESET steward.allow_unkeyed_ddl;
INSERT INTO unkeyed VALUES (1, 'never got a key'), (2, 'this one'::steward.encrypted_text('verify/c')), (3, NULL);
SELECT * FROM check_column('unkeyed');

-- a materialized view holds ciphertext
CREATE MATERIALIZED VIEW kept AS SELECT id, c FROM t WHERE id IN (1, 30);
SELECT * FROM check_column('kept');

-- values bound to subjects: whose they should be
CREATE TABLE person (id integer PRIMARY KEY, c steward.encrypted_text('verify/person.c'), a steward.encrypted_bigint('verify/person.a')[]);
INSERT INTO person VALUES (1, 'before it was bound', '{1}');
SELECT steward.bind_subject('person', 'verify_person', 'id');
INSERT INTO person SELECT g, 'bound ' || g, ARRAY[g, g] FROM generate_series(2, 9) AS g;
ALTER TABLE person DROP CONSTRAINT person_pkey;
ALTER TABLE person ALTER COLUMN id DROP NOT NULL;
SELECT * FROM check_column('person');
SELECT * FROM check_column('person', 'a');
CREATE TABLE original_person AS SELECT id, sealed(c) AS c FROM person;
ALTER TABLE person DISABLE TRIGGER USER;
SELECT inject('person', 2, $$(SELECT c FROM original_person WHERE id = 3)::steward.encrypted_text$$);
SELECT inject('person', 4, $$(SELECT set_byte(c, 70, get_byte(c, 70) # 1) FROM original_person WHERE id = 4)::steward.encrypted_text$$);
SELECT inject('person', 5, $$(SELECT overlay(c PLACING '\x00112233445566778899aabbccddeeff'::bytea FROM 13) FROM original_person WHERE id = 5)::steward.encrypted_text$$);
SELECT inject('person', 6, $$(SELECT overlay(b.c PLACING substr(a.c, 13, 16) FROM 13) FROM original_person AS a, original_person AS b WHERE a.id = 6 AND b.id = 7)::steward.encrypted_text$$);
SELECT inject('person', 8, $$(SELECT c FROM original WHERE id = 8)::steward.encrypted_text$$);
SELECT inject('person', 9, 'ARRAY[a[1], (SELECT b.a[2] FROM person AS b WHERE b.id = 7)]', 'a');
ALTER TABLE person ENABLE TRIGGER USER;
SELECT id, finding, detail FROM check_column('person');
SELECT id, part, finding FROM check_column('person', 'a');
-- who has no subject of his own cannot have values of another
ALTER TABLE person DISABLE TRIGGER USER;
UPDATE person SET id = 70 WHERE id = 7;
ALTER TABLE person ENABLE TRIGGER USER;
SELECT id, finding FROM check_column('person') WHERE id = 70;
UPDATE person SET id = NULL WHERE id = 70;
SELECT count(*) FROM check_column('person') WHERE id IS NULL;
-- a value of an erased subject is as it should be
SET client_min_messages = error;
SELECT steward.shred_subject('verify_person', '3');
SET client_min_messages = warning;
SELECT id, c::text FROM person WHERE id = 3;
SELECT id, finding FROM check_column('person') WHERE id = 3;
-- unbound, nothing is expected of whose they are; what is not anybody's is still told
SELECT steward.unbind_subject('person');
SELECT id, finding FROM check_column('person');
DROP TABLE person;

-- a foreign table is not read, and that is said
CREATE FOREIGN DATA WRAPPER verify_nothing;
CREATE SERVER verify_nowhere FOREIGN DATA WRAPPER verify_nothing;
CREATE FOREIGN TABLE part_4 PARTITION OF part FOR VALUES FROM (30) TO (40) SERVER verify_nowhere;
SELECT count(*) FROM steward.verify_column('part', 'c');
DROP FOREIGN TABLE part_4;
DROP SERVER verify_nowhere;
DROP FOREIGN DATA WRAPPER verify_nothing;

-- versions and keys that are gone
BEGIN;
DELETE FROM steward.key_version WHERE key_id = (SELECT key_id FROM steward.key WHERE path = 'verify_other');
SELECT finding, count(*) FROM check_column('t', 'o') GROUP BY finding;
DELETE FROM steward.key WHERE path LIKE 'verify_other%';
SELECT finding, count(*) FROM check_column('t', 'o') GROUP BY finding;
ROLLBACK;
SELECT count(*) FROM check_column('t', 'o');

-- what cannot be read at all is an error that names the row
SET steward.allow_unkeyed_ddl = on;
SELECT reltoastrelid AS toast, reltoastrelid::regclass AS toast_name FROM pg_class WHERE oid = 't'::regclass \gset
UPDATE pg_class SET relkind = 'r' WHERE oid = :toast;
DELETE FROM :toast_name WHERE chunk_seq = 3;
UPDATE pg_class SET relkind = 't' WHERE oid = :toast;
RESET steward.allow_unkeyed_ddl;
-- Until it is removed, whoever reads the value still finds the chunk; another session's snapshot may keep it for a moment.
\set ECHO none
SELECT 'VACUUM ' || :'toast_name' FROM generate_series(1, 20) \gexec
\set ECHO all
CREATE FUNCTION verify_error() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    context text;
BEGIN
    PERFORM FROM steward.verify_column('verify.t', 'c');
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
    RETURN regexp_replace(message || ' / ' || split_part(context, E'\n', 1), '\d{4,}', 'N', 'g');
END
$$;
SELECT verify_error();
DELETE FROM t WHERE id = 33;

-- a cancel ends it
INSERT INTO t (id, c) SELECT g, repeat('cancel', 100) FROM generate_series(1000, 40000) AS g;
SET statement_timeout = '20ms';
SELECT count(*) FROM steward.verify_column('t', 'c');
RESET statement_timeout;

DROP CAST (bytea AS steward.encrypted_text);
RESET search_path;
DROP SCHEMA verify CASCADE;
DROP OWNED BY verify_owner, verify_reader;
DROP ROLE verify_owner, verify_reader;
DELETE FROM steward.key_grant WHERE key_id IN (SELECT key_id FROM steward.key WHERE path = 'verify');
