-- Views that give plaintext to those who may decrypt, and NULL to others.
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT steward.create_key('dview');
SELECT steward.create_key('dview_health');
CREATE ROLE dview_owner;
CREATE ROLE dview_app;
CREATE ROLE dview_clerk;
CREATE ROLE dview_nobody;
CREATE SCHEMA dview;
CREATE SCHEMA "dview Quoted";
GRANT ALL ON SCHEMA dview, "dview Quoted" TO dview_owner;
GRANT USAGE ON SCHEMA dview, "dview Quoted" TO PUBLIC;
SELECT steward.grant_key('dview', 'dview_app', 'decrypt');
SELECT steward.grant_key('dview_health', 'dview_app', 'decrypt');
SELECT steward.grant_key('dview', 'dview_clerk', 'decrypt');
SET search_path = dview;
SET ROLE dview_owner;
CREATE DOMAIN iban AS steward.encrypted_text('dview/iban');
CREATE DOMAIN aliases AS steward.encrypted_text('dview/aliases')[];
CREATE TABLE patient (
    id integer PRIMARY KEY, gone text, name text NOT NULL, "E-Mail" steward.encrypted_text('dview/email'),
    ill steward.encrypted_text('dview_health/ill'), also steward.encrypted_text('dview/also')[], account iban, aliases aliases, ibans iban[],
    seen numeric(6,2) DEFAULT 1);
ALTER TABLE patient DROP COLUMN gone;
COMMENT ON COLUMN patient.name IS 'the patient''s "name"';
COMMENT ON COLUMN patient."E-Mail" IS 'where to write';
INSERT INTO patient VALUES
    (1, 'Ada', 'ada@x', 'flu', '{a,NULL,""}', 'DE1', '{{p,q},{r,s}}', '{DE2,NULL}'),
    (2, 'Ben', 'ben@x', '', '{}', NULL, '[5:6]={v,w}', NULL);

-- who may
SELECT steward.create_decrypted_view('patient');
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.create_decrypted_view TO dview_owner, dview_app;
SET ROLE dview_app;
SELECT steward.create_decrypted_view('patient');
SET ROLE dview_owner;
SELECT steward.create_decrypted_view(NULL);
SELECT steward.create_decrypted_view(0);
SELECT steward.create_decrypted_view('patient');
GRANT SELECT ON patient TO PUBLIC;
RESET ROLE;
SELECT relname, relowner::regrole, reloptions, relacl IS NULL AS granted_to_nobody, obj_description(oid) FROM pg_class WHERE oid = 'patient_decrypted'::regclass;
SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'patient_decrypted'::regclass ORDER BY attnum;

-- plaintext for those who may, NULL for others, by the key of each column
SET ROLE dview_app;
SELECT * FROM patient_decrypted;
SET ROLE dview_owner;
GRANT SELECT ON patient_decrypted TO dview_app, dview_clerk, dview_nobody;
SELECT * FROM patient_decrypted ORDER BY id;
SET ROLE dview_app;
SELECT * FROM patient_decrypted ORDER BY id;
SET ROLE dview_clerk;
SELECT * FROM patient_decrypted ORDER BY id;
SELECT id FROM patient_decrypted WHERE ill IS NULL ORDER BY id;
SELECT id FROM patient_decrypted WHERE "E-Mail" = 'ada@x' OR ill = 'flu';
SET ROLE dview_nobody;
SELECT * FROM patient_decrypted ORDER BY id;
SELECT * FROM patient_decrypted ORDER BY ill, "E-Mail", id;
SELECT DISTINCT "E-Mail", ill, also FROM patient_decrypted;
-- rights that come and go, within a statement's life too
PREPARE p AS SELECT "E-Mail" FROM patient_decrypted WHERE id = 1;
EXECUTE p;
RESET ROLE;
SELECT steward.grant_key('dview', 'dview_nobody', 'decrypt');
SET ROLE dview_nobody;
EXECUTE p;
BEGIN;
DECLARE cur CURSOR FOR SELECT "E-Mail" FROM patient_decrypted;
FETCH 1 FROM cur;
RESET ROLE;
SELECT steward.revoke_key('dview', 'dview_nobody', 'decrypt');
SET ROLE dview_nobody;
FETCH 1 FROM cur;
ROLLBACK;
-- the right to search gives nothing here
RESET ROLE;
SELECT steward.revoke_key('dview', 'dview_nobody', 'decrypt');
SELECT steward.grant_key('dview', 'dview_nobody', 'search');
SET ROLE dview_nobody;
EXECUTE p;
DEALLOCATE p;

-- the table's grants and row security count for whoever reads the view
SET ROLE dview_owner;
REVOKE SELECT ON patient FROM PUBLIC;
GRANT SELECT ON patient TO dview_app;
ALTER TABLE patient ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON patient USING (id = 1);
SET ROLE dview_clerk;
SELECT id FROM patient_decrypted;
SET ROLE dview_app;
SELECT id, "E-Mail" FROM patient_decrypted;
SET ROLE dview_owner;
ALTER TABLE patient DISABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON patient, patient_decrypted TO dview_app;

-- columns that are not encrypted can be written, the others in the table itself
SET ROLE dview_app;
INSERT INTO patient_decrypted (id, name) VALUES (3, 'Cy');
UPDATE patient_decrypted SET name = 'Cyd' WHERE id = 3;
UPDATE patient_decrypted SET "E-Mail" = 'c@x' WHERE id = 3;
INSERT INTO patient_decrypted (id, name, ill) VALUES (4, 'Di', 'cold');
UPDATE patient SET "E-Mail" = 'c@x' WHERE id = 3;
SELECT id, name, "E-Mail" FROM patient_decrypted WHERE id = 3;
DELETE FROM patient_decrypted WHERE id = 3;

-- a damaged value raises for who may decrypt; others see NULL
RESET ROLE;
SET steward.allow_unkeyed_ddl = on;
CREATE TABLE damaged (id integer, c steward.encrypted_text);
CREATE CAST (bytea AS steward.encrypted_text) WITHOUT FUNCTION;
RESET steward.allow_unkeyed_ddl;
INSERT INTO damaged SELECT 1, 'whole'::steward.encrypted_text('dview/damaged');
INSERT INTO damaged SELECT 2, set_byte(b, length(b) - 1, 255 - get_byte(b, length(b) - 1))::steward.encrypted_text
  FROM damaged, decode(rpad(translate(substr(format('%s', c), 6), '-_', '+/'), (length(format('%s', c)) - 2) / 4 * 4, '='), 'base64') AS b;
SELECT steward.create_decrypted_view('damaged');
GRANT SELECT ON damaged, damaged_decrypted TO dview_app, dview_nobody;
SET ROLE dview_app;
SELECT c FROM damaged_decrypted WHERE id = 1;
SELECT c FROM damaged_decrypted WHERE id = 2;
SET ROLE dview_nobody;
SELECT * FROM damaged_decrypted;
RESET ROLE;
DROP CAST (bytea AS steward.encrypted_text);
DROP TABLE damaged CASCADE;

-- a value that came into a column of another key is read by nobody: neither of a
-- scalar, a domain, nor in an array
SET steward.allow_unkeyed_ddl = on;
CREATE TABLE moved (id integer, c steward.encrypted_text, d iban, a steward.encrypted_text[], t text);
RESET steward.allow_unkeyed_ddl;
INSERT INTO moved SELECT 1, "E-Mail", 'DE1', ARRAY["E-Mail", NULL], 'x' FROM patient WHERE id = 1;
SELECT c::text, d::text, a::text[] FROM moved;
UPDATE pg_attribute SET atttypmod = (SELECT key_id FROM steward.key WHERE path = 'dview/also') WHERE attrelid = 'moved'::regclass AND attname IN ('c', 'a');
UPDATE pg_type SET typtypmod = (SELECT key_id FROM steward.key WHERE path = 'dview/also') WHERE oid = 'iban'::regtype;
\c -
SET search_path = dview;
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT c::text FROM moved;
SELECT d::text FROM moved;
SELECT a::text[] FROM moved;
SELECT steward.decrypt(c) FROM moved;
SELECT steward.create_decrypted_view('moved');
SELECT c FROM moved_decrypted;
SELECT d FROM moved_decrypted;
SELECT a FROM moved_decrypted;
SELECT t FROM moved_decrypted;
GRANT SELECT ON moved, moved_decrypted TO dview_nobody;
SET ROLE dview_nobody;
SELECT c, d, a, t FROM moved_decrypted;
RESET ROLE;
UPDATE pg_type SET typtypmod = (SELECT key_id FROM steward.key WHERE path = 'dview/iban') WHERE oid = 'iban'::regtype;
\c -
SET search_path = dview;
SET client_min_messages = warning;
\set VERBOSITY terse
DROP TABLE moved CASCADE;

-- every type comes back as its own
SET ROLE dview_owner;
CREATE TABLE every (
    id integer, a steward.encrypted_text('dview/every.a'), b steward.encrypted_bytea('dview/every.b'), c steward.encrypted_jsonb('dview/every.c'), d steward.encrypted_bigint('dview/every.d'),
    e steward.encrypted_numeric('dview/every.e'), f steward.encrypted_date('dview/every.f'), g steward.encrypted_timestamptz('dview_health/every.g'),
    aa steward.encrypted_text('dview/every.a')[], bb steward.encrypted_bytea('dview/every.b')[], cc steward.encrypted_jsonb('dview/every.c')[], dd steward.encrypted_bigint('dview/every.d')[],
    ee steward.encrypted_numeric('dview/every.e')[], ff steward.encrypted_date('dview/every.f')[], gg steward.encrypted_timestamptz('dview_health/every.g')[]);
INSERT INTO every VALUES (1, 'text', '\x0102', '{"a": 1.00}', -7, 1.50, '2020-02-29', '2020-02-29 12:00+00',
    '{t,NULL}', ARRAY['\x01', NULL]::bytea[], ARRAY['1', '[]']::jsonb[], '{1,2}', '{1.0,NULL,2.00}', '{2020-02-29,infinity}', '{2020-02-29 12:00+00,-infinity}');
SELECT steward.create_decrypted_view('every');
GRANT SELECT ON every, every_decrypted TO dview_app, dview_clerk, dview_nobody;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'every_decrypted'::regclass ORDER BY attnum;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET ROLE dview_app;
SELECT id, a, b, c, d, e, f, g FROM every_decrypted;
SELECT aa, bb, cc, dd, ee, ff, gg FROM every_decrypted;
SET ROLE dview_clerk;
SELECT g IS NULL AND gg IS NULL AS not_these, num_nulls(a, b, c, d, e, f, aa, bb, cc, dd, ee, ff) AS others FROM every_decrypted;
SET ROLE dview_nobody;
SELECT num_nulls(a, b, c, d, e, f, g, aa, bb, cc, dd, ee, ff, gg) FROM every_decrypted;
RESET timezone;
RESET datestyle;
RESET ROLE;

-- after changes of the table: again
SET ROLE dview_owner;
SELECT steward.create_decrypted_view('patient');
ALTER TABLE patient ADD COLUMN phone steward.encrypted_text('dview/phone');
ALTER TABLE patient RENAME COLUMN name TO seen_;
ALTER TABLE patient RENAME COLUMN seen TO name;
ALTER TABLE patient RENAME COLUMN seen_ TO seen;
COMMENT ON COLUMN patient.phone IS 'new';
UPDATE patient SET phone = '555' WHERE id = 1;
SELECT steward.create_decrypted_view('patient');
SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'patient_decrypted'::regclass ORDER BY attnum;
SET ROLE dview_app;
SELECT id, seen, name, phone FROM patient_decrypted ORDER BY id;
-- options that somebody took away come back
SET ROLE dview_owner;
ALTER VIEW patient_decrypted RESET (security_invoker, security_barrier);
SELECT steward.create_decrypted_view('patient');
SELECT reloptions FROM pg_class WHERE oid = 'patient_decrypted'::regclass;
-- a dropped column takes the view along, and says so
ALTER TABLE patient DROP COLUMN ill;
ALTER TABLE patient DROP COLUMN ill CASCADE;
SELECT steward.create_decrypted_view('patient');
SELECT id, seen FROM patient_decrypted ORDER BY id;

-- a column that was encrypted, or no longer is, since: the view keeps what it has
COMMENT ON COLUMN patient.seen IS 'seen, as it was';
GRANT SELECT, UPDATE ON patient, patient_decrypted TO dview_app WITH GRANT OPTION;
GRANT SELECT (id, seen) ON patient_decrypted TO dview_nobody;
COMMENT ON VIEW patient_decrypted IS 'ours';
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.encrypt_column, steward.decrypt_column TO dview_owner;
SELECT steward.grant_key('dview', 'dview_owner', 'decrypt');
SET client_min_messages = error;
SET ROLE dview_owner;
SELECT steward.encrypt_column('patient', 'seen', 'dview/seen');
SELECT steward.create_decrypted_view('patient');
SELECT attname, format_type(atttypid, atttypmod), attacl, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'patient_decrypted'::regclass ORDER BY attnum;
SELECT obj_description(oid), reloptions, has_table_privilege('dview_app', oid, 'SELECT WITH GRANT OPTION') AS app_grants, has_table_privilege('dview_app', oid, 'INSERT') AS app_inserts FROM pg_class WHERE oid = 'patient_decrypted'::regclass;
SET ROLE dview_app;
SELECT id, seen FROM patient_decrypted ORDER BY id;
SET ROLE dview_owner;
DROP VIEW patient_decrypted;
SELECT steward.decrypt_column('patient', 'seen');
SELECT steward.create_decrypted_view('patient');
SELECT id, seen FROM patient_decrypted ORDER BY id;
SET ROLE dview_owner;
SET client_min_messages = warning;

-- other names; what is not ours is left alone
SELECT steward.create_decrypted_view('patient', 'Patient "plain"');
SELECT id FROM "Patient ""plain""" ORDER BY id;
SELECT steward.create_decrypted_view('patient', 'patient');
SELECT steward.create_decrypted_view('patient', 'iban');
SELECT steward.create_decrypted_view('patient', '');
SELECT steward.create_decrypted_view('patient', repeat('x', 64));
CREATE VIEW v1 AS SELECT id, seen FROM patient WHERE id = 1;
CREATE VIEW v2 AS SELECT id, upper(seen) AS seen FROM patient;
CREATE VIEW v3 AS SELECT p.id FROM patient AS p, patient AS q;
CREATE VIEW v4 AS SELECT DISTINCT id FROM patient;
CREATE VIEW v5 AS SELECT id FROM patient LIMIT 1;
CREATE VIEW v6 AS SELECT 1 AS id;
CREATE VIEW v7 AS SELECT id FROM patient UNION ALL SELECT 1;
CREATE VIEW v8 AS SELECT id, id AS id2 FROM patient;
CREATE VIEW v9 AS SELECT id FROM ONLY patient;
DO $$
BEGIN
    FOR i IN 1..9 LOOP
        BEGIN
            PERFORM steward.create_decrypted_view('patient', 'v' || i);
            RAISE WARNING 'v% was replaced', i;
        EXCEPTION WHEN duplicate_table THEN
            NULL;
        END;
    END LOOP;
END
$$;
-- but a view of ours is one whoever made it
CREATE VIEW v10 AS SELECT seen, steward.decrypt_or_null("E-Mail") AS mail FROM patient;
SELECT steward.create_decrypted_view('patient', 'v10');
SELECT attname FROM pg_attribute WHERE attrelid = 'v10'::regclass ORDER BY attnum;
RESET ROLE;
CREATE VIEW v11 AS SELECT id FROM patient;
SET ROLE dview_owner;
SELECT steward.create_decrypted_view('patient', 'v11');

-- what has no use for such a view
CREATE TABLE clear (id integer);
SELECT steward.create_decrypted_view('clear');
SELECT steward.create_decrypted_view('patient_decrypted');
SELECT steward.create_decrypted_view('patient_pkey');
CREATE TEMP TABLE passing (c steward.encrypted_text('dview/c'));
SELECT steward.create_decrypted_view('passing');

-- partitions, heirs, foreign names
CREATE TABLE "dview Quoted"."a.""b" (id integer, "c d" steward.encrypted_text('dview/cd')) PARTITION BY RANGE (id);
CREATE TABLE "dview Quoted".one PARTITION OF "dview Quoted"."a.""b" FOR VALUES FROM (0) TO (10);
CREATE TABLE "dview Quoted".two ("c d" steward.encrypted_text('dview/cd'), x integer, id integer);
ALTER TABLE "dview Quoted".two DROP COLUMN x;
ALTER TABLE "dview Quoted"."a.""b" ATTACH PARTITION "dview Quoted".two FOR VALUES FROM (10) TO (20);
INSERT INTO "dview Quoted"."a.""b" VALUES (1, 'one'), (11, 'eleven');
SELECT steward.create_decrypted_view('"dview Quoted"."a.""b"');
SELECT steward.create_decrypted_view('"dview Quoted".two');
RESET ROLE;
SELECT * FROM "dview Quoted"."a.""b_decrypted" ORDER BY id;
SELECT * FROM "dview Quoted".two_decrypted;
-- a name too long for the suffix
SET ROLE dview_owner;
CREATE TABLE long_name_long_name_long_name_long_name_long_name_long_name_12 (c steward.encrypted_text('dview/c'));
SELECT steward.create_decrypted_view('long_name_long_name_long_name_long_name_long_name_long_name_12');
SELECT steward.create_decrypted_view('long_name_long_name_long_name_long_name_long_name_long_name_12', 'short');
-- a schema where the owner of the table may make nothing
RESET ROLE;
REVOKE CREATE ON SCHEMA dview FROM dview_owner;
SELECT steward.create_decrypted_view('patient', 'no_room');
GRANT CREATE ON SCHEMA dview TO dview_owner;
-- a hostile search_path of the caller means nothing
CREATE SCHEMA dview_evil;
CREATE TABLE dview_evil.patient (stolen text);
CREATE FUNCTION dview_evil.decrypt_or_null(steward.encrypted_text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
SET search_path = dview_evil, dview;
SELECT steward.create_decrypted_view('dview.patient', 'sober');
SELECT id, "E-Mail" FROM dview.sober ORDER BY id;

-- decrypt_or_null is decryption to the guard: arrays too
CREATE TABLE dview.guarded (c steward.encrypted_text('dview/g'), a steward.encrypted_text('dview/g')[]);
CREATE STATISTICS dview.s ON (steward.decrypt_or_null(a)), (steward.decrypt_or_null(c)) FROM dview.guarded;
CREATE INDEX ON dview.guarded (steward.decrypt_or_null(a));
ALTER TABLE dview.guarded ADD CHECK (steward.decrypt_or_null(a) IS NULL);
ALTER TABLE dview.guarded ADD COLUMN kept text GENERATED ALWAYS AS (steward.decrypt_or_null(c)) STORED;

RESET search_path;
DROP SCHEMA dview, "dview Quoted", dview_evil CASCADE;
REVOKE EXECUTE ON FUNCTION steward.encrypt_column, steward.decrypt_column FROM dview_owner;
REVOKE EXECUTE ON FUNCTION steward.create_decrypted_view FROM dview_owner, dview_app;
DROP OWNED BY dview_owner, dview_app, dview_clerk, dview_nobody;
DROP ROLE dview_owner, dview_app, dview_clerk, dview_nobody;
DELETE FROM steward.key_grant WHERE key_id IN (SELECT key_id FROM steward.key WHERE path LIKE 'dview%');
