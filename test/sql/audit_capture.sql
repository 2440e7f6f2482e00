-- Everything that changes a row is recorded, once, in order, and only if it stays.
CREATE SCHEMA audited;
SET search_path = audited, public;
CREATE FUNCTION trail(VARIADIC tables text[]) RETURNS TABLE (relation text, operation text, key jsonb, old jsonb, new jsonb)
    LANGUAGE sql AS $$
    SELECT relation, operation, key, old, new FROM steward.audit_trail
    WHERE relation = ANY (SELECT 'audited.' || t FROM unnest(tables) AS t) AND operation <> 'ENABLE' ORDER BY xid, seq
$$;

-- Savepoints: what is rolled back leaves nothing, what is released stays.
CREATE TABLE steps (id integer PRIMARY KEY);
SELECT steward.enable_audit('steps');
BEGIN;
INSERT INTO steps VALUES (1);
SAVEPOINT a;
INSERT INTO steps VALUES (2);
SAVEPOINT b;
INSERT INTO steps VALUES (3);
RELEASE b;
INSERT INTO steps VALUES (4);
SAVEPOINT c;
INSERT INTO steps VALUES (5);
ROLLBACK TO c;
INSERT INTO steps VALUES (6);
SAVEPOINT d;
INSERT INTO steps VALUES (7);
RELEASE d;
ROLLBACK TO c;
INSERT INTO steps VALUES (8);
RELEASE a;
SAVEPOINT e;
INSERT INTO steps VALUES (9);
ROLLBACK TO e;
INSERT INTO steps VALUES (10);
COMMIT;
BEGIN;
INSERT INTO steps VALUES (11);
ROLLBACK;
SELECT key FROM trail('steps');
SELECT count(DISTINCT seq) = count(*) AS numbers_unique, max(seq) > count(*) AS numbers_not_reused FROM steward.audit_trail WHERE relation = 'audited.steps' AND operation = 'INSERT';
SELECT array_agg(id ORDER BY id) FROM steps;

-- A first capture rolled back takes its context and its schema version along.
CREATE TABLE fresh (id integer PRIMARY KEY);
SELECT steward.enable_audit('fresh');
BEGIN;
SAVEPOINT a;
ALTER TABLE fresh ADD COLUMN extra text;
INSERT INTO fresh VALUES (1, 'gone');
ROLLBACK TO a;
INSERT INTO fresh VALUES (2);
ALTER TABLE fresh ADD COLUMN extra integer DEFAULT 7;
INSERT INTO fresh VALUES (3);
COMMIT;
BEGIN;
ALTER TABLE fresh ADD COLUMN more text DEFAULT 'm';
UPDATE fresh SET id = id + 10;
ROLLBACK;
UPDATE fresh SET extra = extra + 1;
SELECT * FROM trail('fresh');
SELECT count(*) AS without_context FROM steward.audit_trail WHERE effective_role IS NULL;

-- A schema version found again after a rollback to a savepoint is still not
-- committed: the rollback of all takes it along, and the next record needs it.
CREATE TABLE again (id integer PRIMARY KEY);
SELECT steward.enable_audit('again');
ALTER TABLE again ADD COLUMN extra text;
BEGIN;
INSERT INTO again VALUES (1, 'gone');
SAVEPOINT a;
ALTER TABLE again ADD COLUMN more text;
INSERT INTO again VALUES (2, 'gone', 'gone');
ROLLBACK TO a;
SAVEPOINT b;
INSERT INTO again VALUES (3, 'gone');
RELEASE b;
ROLLBACK;
INSERT INTO again VALUES (4, 'stays');
SELECT * FROM trail('again');

-- Exception blocks in PL/pgSQL are subtransactions.
DO $$
BEGIN
    FOR i IN 20..29 LOOP
        BEGIN
            INSERT INTO steps VALUES (i);
            IF i % 3 = 0 THEN
                RAISE EXCEPTION 'no';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            INSERT INTO steps VALUES (i + 100);
        END;
    END LOOP;
END
$$;
SELECT array_agg(key->'id' ORDER BY n) FROM trail('steps') WITH ORDINALITY AS t (relation, operation, key, old, new, n) WHERE (key->>'id')::int >= 20;

-- A statement that fails halfway leaves nothing.
INSERT INTO steps VALUES (200), (201), (200);
SELECT count(*) FROM trail('steps') WHERE (key->>'id')::int >= 200;

-- COPY, ON CONFLICT, MERGE, UPDATE FROM, WITH.
CREATE TABLE items (id integer PRIMARY KEY, n integer, label text);
SELECT steward.enable_audit('items');
COPY items FROM stdin;
1	10	one
2	\N	\N
3	30	
\.
INSERT INTO items VALUES (1, 11, 'again'), (4, 40, 'four') ON CONFLICT (id) DO UPDATE SET n = excluded.n;
INSERT INTO items VALUES (1, 12, 'never') ON CONFLICT DO NOTHING;
MERGE INTO items AS i USING (VALUES (2, 22), (3, 0), (5, 50)) AS v (id, n) ON i.id = v.id
    WHEN MATCHED AND v.n = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET n = v.n
    WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.n, 'merged');
UPDATE items AS i SET label = 'joined' FROM (VALUES (5)) AS v (id) WHERE v.id = i.id;
WITH gone AS (DELETE FROM items WHERE id = 5 RETURNING *) INSERT INTO items SELECT id + 1, n, label FROM gone;
SELECT * FROM trail('items');

-- Cascades, also of an update of a key; the tables' own triggers.
CREATE TABLE parent (id integer PRIMARY KEY);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE);
CREATE TABLE orphan (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE SET NULL);
SELECT steward.enable_audit('parent'), steward.enable_audit('child'), steward.enable_audit('orphan');
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (10, 1), (11, 1), (20, 2);
INSERT INTO orphan VALUES (100, 1);
UPDATE parent SET id = 3 WHERE id = 2;
DELETE FROM orphan WHERE parent = 2;
DELETE FROM parent WHERE id = 1;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO child VALUES (30, 4);
INSERT INTO parent VALUES (4);
COMMIT;
TRUNCATE parent CASCADE;
SELECT * FROM trail('parent', 'child', 'orphan');

CREATE TABLE touched (id integer PRIMARY KEY, v text, twice text GENERATED ALWAYS AS (v || v) STORED, rev integer DEFAULT 0);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE touched SET rev = rev + 1 WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER "A first?" AFTER INSERT ON touched FOR EACH ROW EXECUTE FUNCTION again();
SELECT steward.enable_audit('touched');
INSERT INTO touched (id, v) VALUES (1, 'a');
CREATE CONSTRAINT TRIGGER later AFTER UPDATE OF v ON touched DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again();
UPDATE touched SET v = 'b';
SELECT * FROM trail('touched');

-- Tables without a key keep the whole old row; a replica identity is a key.
CREATE TABLE keyless (a integer, b text);
CREATE TABLE identified (a integer NOT NULL, b text);
CREATE UNIQUE INDEX identified_a ON identified (a);
ALTER TABLE identified REPLICA IDENTITY USING INDEX identified_a;
CREATE TABLE nothing ();
SELECT steward.enable_audit('keyless'), steward.enable_audit('identified'), steward.enable_audit('nothing');
INSERT INTO keyless VALUES (1, NULL), (1, NULL), (NULL, NULL);
UPDATE keyless SET b = 'x' WHERE a = 1;
DELETE FROM keyless WHERE a IS NULL;
INSERT INTO identified VALUES (1, 'i');
UPDATE identified SET b = 'j';
INSERT INTO nothing DEFAULT VALUES;
DELETE FROM nothing;
ALTER TABLE identified REPLICA IDENTITY DEFAULT;
UPDATE identified SET b = 'k';
SELECT * FROM trail('keyless', 'identified', 'nothing');

-- Columns come, go and change their names and types between changes.
CREATE TABLE moving (id integer PRIMARY KEY, a text, b integer);
SELECT steward.enable_audit('moving');
INSERT INTO moving VALUES (1, 'a1', 10);
ALTER TABLE moving ADD COLUMN c timestamp DEFAULT '2020-01-01 00:00';
UPDATE moving SET b = 11;
ALTER TABLE moving DROP COLUMN a;
UPDATE moving SET b = 12;
ALTER TABLE moving RENAME COLUMN b TO renamed;
ALTER TABLE moving ALTER COLUMN renamed TYPE text;
UPDATE moving SET renamed = 'thirteen';
ALTER TABLE moving RENAME TO moved;
DELETE FROM moved;
ALTER SCHEMA audited RENAME TO audited_renamed;
SET search_path = audited_renamed, public;
INSERT INTO moved VALUES (2, 'two');
ALTER SCHEMA audited_renamed RENAME TO audited;
SET search_path = audited, public;
DROP TABLE moved;
SELECT relation, operation, key, old, new FROM steward.audit_trail WHERE relation LIKE 'audited%.mov%' ORDER BY xid, seq;

-- Columns and attributes that are added later are recorded, whatever their type.
CREATE TYPE part AS (a integer);
CREATE TABLE grown (id integer PRIMARY KEY, c part);
SELECT steward.enable_audit('grown');
ALTER TABLE grown ADD COLUMN p point;
INSERT INTO grown VALUES (1, '(1)', '(0,0)');
ALTER TYPE part ADD ATTRIBUTE b text;
INSERT INTO grown VALUES (2, '(2,two)', '(0,0)');
ALTER TYPE part RENAME ATTRIBUTE a TO first;
INSERT INTO grown VALUES (3, '(3,three)', NULL);
UPDATE grown SET c.b = 'one' WHERE id = 1;
ALTER TYPE part DROP ATTRIBUTE first;
UPDATE grown SET c.b = 'eins' WHERE id = 1;
SELECT * FROM trail('grown');
-- Rolled back with the attribute.
BEGIN;
ALTER TYPE part ADD ATTRIBUTE d integer;
INSERT INTO grown VALUES (4, '(b,4)');
ROLLBACK;
INSERT INTO grown VALUES (4, '(b)');
BEGIN;
SAVEPOINT a;
ALTER TYPE part ADD ATTRIBUTE e integer;
INSERT INTO grown VALUES (5, '(b,5)');
ROLLBACK TO a;
ALTER TYPE part ADD ATTRIBUTE f text;
INSERT INTO grown VALUES (5, '(b,five)');
COMMIT;
SELECT key, new FROM steward.audit_trail WHERE relation = 'audited.grown' AND (key->>'id')::integer > 3 ORDER BY xid, seq;
SELECT array_agg(DISTINCT kind ORDER BY kind) FROM steward.audit_schema WHERE table_name IN ('grown', 'part');

-- Row security, replica mode and serializable transactions change nothing.
CREATE TABLE secured (id integer PRIMARY KEY, v text);
SELECT steward.enable_audit('secured');
CREATE ROLE audit_writer;
CREATE ROLE audit_definer;
GRANT USAGE, CREATE ON SCHEMA audited TO audit_writer, audit_definer;
GRANT ALL ON secured TO audit_writer, audit_definer;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON secured USING (id < 100);
SET session_replication_role = replica;
INSERT INTO secured VALUES (1, 'replica');
RESET session_replication_role;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO secured VALUES (2, 'serializable');
COMMIT;
SET ROLE audit_writer;
INSERT INTO secured VALUES (3, 'writer');
INSERT INTO secured VALUES (300, 'refused');
UPDATE secured SET v = 'both';
RESET ROLE;
SELECT * FROM trail('secured');

-- Who: contexts follow the role and the application.
CREATE FUNCTION as_definer(i integer) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = audited AS $$ INSERT INTO secured VALUES (i, 'definer') $$;
ALTER FUNCTION as_definer(integer) OWNER TO audit_definer;
SET application_name = 'first';
BEGIN;
SET LOCAL ROLE audit_writer;
INSERT INTO secured VALUES (10, 'before');
SELECT as_definer(11);
INSERT INTO secured VALUES (12, 'after');
SELECT count(as_definer(i)) FROM generate_series(13, 16) AS i;
SAVEPOINT s;
SET LOCAL application_name = 'second';
INSERT INTO secured VALUES (20, 'app');
ROLLBACK TO s;
SET LOCAL application_name = 'second';
INSERT INTO secured VALUES (21, 'app again');
COMMIT;
SET SESSION AUTHORIZATION audit_writer;
INSERT INTO secured VALUES (22, 'session');
RESET SESSION AUTHORIZATION;
ALTER ROLE audit_writer RENAME TO audit_writer_renamed;
INSERT INTO secured VALUES (23, 'me');
SELECT key->'id' AS id, login_role = current_user AS login, session_role = current_user AS session, replace(effective_role, current_user, 'me') AS effective, application,
    client_address IS NULL OR client_address <<= '127.0.0.0/8' OR client_address = '::1' AS local
    FROM steward.audit_trail WHERE relation = 'audited.secured' AND (key->>'id')::int >= 10 AND operation = 'INSERT' ORDER BY xid, seq;
-- Two roles and two applications in one transaction: four contexts, one rolled back.
SELECT count(*) FROM steward.audit_context AS c WHERE c.xid = (SELECT xid FROM steward.audit_trail WHERE relation = 'audited.secured' AND key = '{"id": 10}');

-- A replication origin is recorded.
SELECT pg_replication_origin_create('audit test') IS NOT NULL;
SELECT pg_replication_origin_session_setup('audit test');
INSERT INTO secured VALUES (24, 'origin');
SELECT pg_replication_origin_session_reset();
SELECT pg_replication_origin_drop('audit test');
SELECT key, replication_origin FROM steward.audit_trail WHERE relation = 'audited.secured' AND replication_origin IS NOT NULL;

-- Large values: an unchanged one is not stored again.
CREATE TABLE large (id integer PRIMARY KEY, big text, n integer);
ALTER TABLE large ALTER COLUMN big SET STORAGE EXTERNAL;
SELECT steward.enable_audit('large');
INSERT INTO large VALUES (1, repeat('0123456789', 1024 * 1024), 1);
SELECT pg_stat_force_next_flush();
SELECT toast_blks_hit + toast_blks_read AS touched FROM pg_statio_user_tables WHERE relid = 'large'::regclass \gset
UPDATE large SET n = 2;
-- nor even read
SELECT pg_stat_force_next_flush();
SELECT toast_blks_hit + toast_blks_read - :touched < 100 AS not_read FROM pg_statio_user_tables WHERE relid = 'large'::regclass;
UPDATE large SET big = big || 'x';
DELETE FROM large;
SELECT operation, length(old->>'big') AS old, length(new->>'big') AS new, old->'n' AS old_n FROM trail('large');
SELECT l.op, octet_length(l.payload) FROM steward.audit_record AS l JOIN steward.audit_schema AS s ON s.id = l.schema_version WHERE s.table_name = 'large' AND l.op <> 'E' ORDER BY l.xid, l.seq;

-- A wide table: more columns than one bitmap byte, dropped ones between.
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE wide (' || string_agg(format('c%s integer', i), ', ') || ', PRIMARY KEY (c1, c150))' FROM generate_series(1, 200) AS i);
    EXECUTE (SELECT string_agg(format('ALTER TABLE wide DROP COLUMN c%s', i), '; ') FROM generate_series(2, 140, 3) AS i);
END
$$;
SELECT steward.enable_audit('wide');
INSERT INTO wide (c1, c150, c200) VALUES (1, 2, 3);
UPDATE wide SET c9 = 9, c199 = 199, c200 = NULL;
SELECT operation, key, old, jsonb_strip_nulls(new) FROM trail('wide');

-- What a transaction keeps is bounded by the buffer, however many rows and savepoints.
SET steward.audit_buffer_size = '64kB';
CREATE TABLE many (id integer PRIMARY KEY, v text);
SELECT steward.enable_audit('many');
BEGIN;
INSERT INTO many SELECT i, 'warm up' FROM generate_series(1, 100) AS i;
DO $$ BEGIN FOR i IN 101..200 LOOP BEGIN INSERT INTO many VALUES (i, 'warm up'); EXCEPTION WHEN OTHERS THEN RAISE; END; END LOOP; END $$;
SELECT sum(used_bytes) AS used_before FROM pg_backend_memory_contexts \gset
INSERT INTO many SELECT i, 'bulk' FROM generate_series(1001, 21000) AS i;
UPDATE many SET v = 'changed' WHERE id > 1000;
SELECT sum(used_bytes) - :used_before < 400000 AS bounded FROM pg_backend_memory_contexts;
DO $$ BEGIN FOR i IN 30001..31000 LOOP BEGIN INSERT INTO many VALUES (i, 'sub'); EXCEPTION WHEN OTHERS THEN RAISE; END; END LOOP; END $$;
SELECT sum(used_bytes) - :used_before < 600000 AS bounded FROM pg_backend_memory_contexts;
COMMIT;
SELECT operation, count(*) FROM trail('many') GROUP BY 1 ORDER BY 1;

-- The log in the way of its own transaction: DDL on it, and dropping it all.
BEGIN;
INSERT INTO steps VALUES (300);
CREATE INDEX extra ON steward.audit_log_1 (records);
INSERT INTO steps VALUES (301);
REINDEX TABLE steward.audit_log_1;
INSERT INTO steps VALUES (302);
SET LOCAL client_min_messages = error;
DROP EXTENSION pg_steward CASCADE;
INSERT INTO steps VALUES (303);
ROLLBACK;
INSERT INTO steps VALUES (304);
SELECT key FROM trail('steps') WHERE (key->>'id')::int >= 300;

\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA audited CASCADE;
DROP ROLE audit_writer_renamed, audit_definer;
