-- What the owner of a bound table, who may not bind one, does to the trigger
-- and to the column with the key; and what steward.subject_binding and
-- verify_column say when values came in that are not bound, or when a superuser
-- made two people change places.
SET client_min_messages = warning;
CREATE ROLE subject_landlord;
SELECT steward.create_key('landlord');
GRANT USAGE ON SCHEMA steward TO subject_landlord;
GRANT SELECT ON steward.subject_binding TO subject_landlord;
GRANT EXECUTE ON FUNCTION steward.verify_column TO subject_landlord;
CREATE SCHEMA landlord AUTHORIZATION subject_landlord;
SET search_path = landlord, public;
SET ROLE subject_landlord;
CREATE TABLE tenant (id int, name steward.encrypted_text('landlord/tenant.name'));
CREATE VIEW found AS SELECT t.id, v.finding FROM steward.verify_column('landlord.tenant', 'name') AS v JOIN landlord.tenant AS t ON t.ctid = v.row_id;
CREATE TABLE flat (id int, place text, name steward.encrypted_text('landlord/flat.name')) PARTITION BY LIST (place);
CREATE TABLE flat_a PARTITION OF flat FOR VALUES IN ('a');
RESET ROLE;

-- Bound and used by others in one transaction.
BEGIN;
SELECT steward.bind_subject('tenant', 'tenant', 'id');
SELECT steward.bind_subject('flat', 'tenant', 'id');
SET LOCAL ROLE subject_landlord;
INSERT INTO tenant VALUES (1, 'one'), (2, 'two');
COMMIT;
SET ROLE subject_landlord;
SELECT * FROM steward.subject_binding WHERE relation = 'tenant'::regclass;

-- Under another name it binds as before.
ALTER TRIGGER "~~~~steward_bind_subject" ON tenant RENAME TO zzz;
INSERT INTO tenant VALUES (3, 'three');
SELECT * FROM found;
CREATE TRIGGER zzzz BEFORE INSERT ON tenant FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TRIGGER zzz ON tenant RENAME TO "~~~~steward_bind_subject";
-- To make a binding, or another one of it, needs the right to bind.
CREATE TRIGGER second BEFORE INSERT OR UPDATE ON tenant FOR EACH ROW EXECUTE FUNCTION steward.bind_row('tenant', 'id');
CREATE OR REPLACE TRIGGER "~~~~steward_bind_subject" BEFORE INSERT OR UPDATE ON tenant FOR EACH ROW EXECUTE FUNCTION steward.bind_row('customer', 'id');
CREATE TRIGGER harmless BEFORE UPDATE ON flat FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE OR REPLACE TRIGGER harmless BEFORE INSERT OR UPDATE ON flat FOR EACH ROW EXECUTE FUNCTION steward.bind_row('customer', 'id');

-- While it does not fire, the view says so, and verify_column what came in.
ALTER TABLE tenant DISABLE TRIGGER "~~~~steward_bind_subject";
INSERT INTO tenant VALUES (4, 'disabled');
SELECT enabled FROM steward.subject_binding WHERE relation = 'tenant'::regclass;
SELECT * FROM found;
ALTER TABLE tenant ENABLE REPLICA TRIGGER "~~~~steward_bind_subject";
INSERT INTO tenant VALUES (5, 'replica');
SELECT enabled FROM steward.subject_binding WHERE relation = 'tenant'::regclass;
SELECT * FROM found;
RESET ROLE;
SET session_replication_role = replica;
INSERT INTO tenant VALUES (6, 'bound by a replica trigger');
RESET session_replication_role;
SET ROLE subject_landlord;
SELECT * FROM found;
ALTER TABLE tenant ENABLE ALWAYS TRIGGER "~~~~steward_bind_subject";
INSERT INTO tenant VALUES (7, 'always');
SELECT enabled FROM steward.subject_binding WHERE relation = 'tenant'::regclass;
ALTER TABLE tenant DISABLE TRIGGER ALL;
SELECT enabled FROM steward.subject_binding WHERE relation = 'tenant'::regclass;
ALTER TABLE tenant DISABLE TRIGGER USER;
ALTER TABLE tenant ENABLE TRIGGER ALL;
INSERT INTO tenant VALUES (8, 'enabled');
SELECT enabled FROM steward.subject_binding WHERE relation = 'tenant'::regclass;
SELECT * FROM found;
-- Written anew, they are bound.
RESET ROLE;
CALL steward.reencrypt('tenant', remaining => NULL);
SET ROLE subject_landlord;
SELECT * FROM found;

-- Of a partition alone.
ALTER TABLE flat_a DISABLE TRIGGER "~~~~steward_bind_subject";
INSERT INTO flat VALUES (1, 'a', 'not bound');
SELECT relation, enabled FROM steward.subject_binding WHERE relation::text LIKE 'flat%' ORDER BY 1;
SELECT found_in, finding FROM steward.verify_column('flat', 'name');
ALTER TRIGGER "~~~~steward_bind_subject" ON flat RENAME TO aaa;
DROP TRIGGER "~~~~steward_bind_subject" ON flat_a;
ALTER TABLE flat ENABLE TRIGGER ALL;
ALTER TABLE flat DISABLE TRIGGER ALL;
CREATE TABLE flat_b PARTITION OF flat FOR VALUES IN ('b');
SELECT relation, enabled FROM steward.subject_binding WHERE relation::text LIKE 'flat%' ORDER BY 1;

-- The column with the key.
ALTER TABLE tenant RENAME COLUMN id TO number;
ALTER TABLE tenant DROP COLUMN id CASCADE;
ALTER TABLE tenant ALTER COLUMN id TYPE bigint;
DROP VIEW found;
ALTER TABLE tenant ALTER COLUMN id TYPE bigint, ALTER COLUMN id SET NOT NULL;
ALTER TABLE tenant ALTER COLUMN id TYPE numeric(8, 2);
ALTER TABLE tenant ALTER COLUMN id TYPE text USING trim_scale(id)::text;
SELECT finding FROM steward.verify_column('tenant', 'name');
UPDATE tenant SET name = 'again' WHERE id = '2';
ALTER TABLE tenant ALTER COLUMN id TYPE bytea USING id::bytea;
-- Keys that come to be spelt otherwise are those of other people: it is found.
ALTER TABLE tenant ALTER COLUMN id TYPE text USING 'T-' || id;
SELECT finding, count(*) FROM steward.verify_column('tenant', 'name') GROUP BY 1;
ALTER TABLE tenant ALTER COLUMN id TYPE int USING substr(id, 3)::int;
SELECT finding, count(*) FROM steward.verify_column('tenant', 'name') GROUP BY 1;

-- ---- two people who change places ----
-- Which row of steward.subject_key is whose, nothing but the row says.
RESET ROLE;
SELECT steward.verify_column('tenant', 'name');
CREATE TABLE was AS SELECT s.subject, s.key_digest, row_number() OVER (ORDER BY s.subject) AS n FROM steward.subject_key AS s WHERE s.kind = 'tenant' LIMIT 2;
CREATE FUNCTION change_places() RETURNS void LANGUAGE sql AS $$
    UPDATE steward.subject_key AS s SET key_digest = decode(repeat('00', 32), 'hex') FROM was WHERE was.n = 1 AND s.subject = was.subject;
    UPDATE steward.subject_key AS s SET key_digest = (SELECT w.key_digest FROM was AS w WHERE w.n = 1) FROM was WHERE was.n = 2 AND s.subject = was.subject;
    UPDATE steward.subject_key AS s SET key_digest = (SELECT w.key_digest FROM was AS w WHERE w.n = 2) FROM was WHERE was.n = 1 AND s.subject = was.subject;
$$;
BEGIN;
SELECT change_places();
SELECT finding, count(*) FROM steward.verify_column('tenant', 'name') GROUP BY 1;
SELECT count(name::text) FROM tenant;
ROLLBACK;
BEGIN;
UPDATE steward.subject_key AS s SET kind = 'moved' FROM was WHERE was.subject = s.subject;
SELECT finding, count(*) FROM steward.verify_column('tenant', 'name') GROUP BY 1;
ROLLBACK;
-- What is wrapped knows whose it is.
BEGIN;
UPDATE steward.subject_key AS s SET wrapped = (SELECT o.wrapped FROM steward.subject_key AS o JOIN was AS w ON w.subject = o.subject WHERE w.n <> was.n) FROM was WHERE s.subject = was.subject;
SELECT finding, count(*) FROM steward.verify_column('tenant', 'name') GROUP BY 1;
ROLLBACK;
SELECT steward.verify_column('tenant', 'name');

-- Whoever owns the table may drop the trigger: then it is bound no longer.
SET ROLE subject_landlord;
DROP TRIGGER "~~~~steward_bind_subject" ON tenant;
INSERT INTO tenant VALUES (9, 'no more');
SELECT count(*) FROM steward.subject_binding WHERE relation = 'tenant'::regclass;
RESET ROLE;
SELECT count(name::text) FROM tenant;
DROP SCHEMA landlord CASCADE;
REVOKE ALL ON SCHEMA steward FROM subject_landlord;
REVOKE ALL ON steward.subject_binding FROM subject_landlord;
REVOKE ALL ON FUNCTION steward.verify_column FROM subject_landlord;
DROP ROLE subject_landlord;
