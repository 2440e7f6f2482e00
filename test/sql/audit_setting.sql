-- What is recorded: columns, redacted values, rows, roles; and that settings follow.
\set SHOW_CONTEXT never
SELECT pg_snapshot_xmax(pg_current_snapshot()) AS start \gset
CREATE SCHEMA chosen;
SET search_path = chosen, public;
SELECT steward.create_key('chosen');
CREATE VIEW trail AS SELECT relation, operation, key, old, new, xid, seq FROM steward.audit_trail WHERE relation LIKE 'chosen.%';
CREATE TABLE person (id integer PRIMARY KEY, name text, email text, note text, visits integer);

-- Excluded columns are not recorded, nor are updates that change nothing else.
SELECT steward.enable_audit('person', exclude => '{note}');
INSERT INTO person VALUES (1, 'Ada', 'ada@example.org', 'canary-excluded', 1);
UPDATE person SET note = 'canary-excluded-2' WHERE id = 1;
UPDATE person SET note = 'canary-excluded-3', visits = 2 WHERE id = 1;
-- A column that is added is recorded.
ALTER TABLE person ADD COLUMN added integer DEFAULT 7;
UPDATE person SET added = 8 WHERE id = 1;
SELECT operation, key, old, new FROM trail ORDER BY xid, seq;

-- A call without choices repairs, and changes no choice.
DROP TRIGGER "00_steward_audit_row" ON person;
SELECT steward.enable_audit('person');
SELECT setting FROM steward.audit_setting WHERE relation = 'person'::regclass;
SELECT steward.enable_audit('person');

-- Only the included columns and the key; one that is added is not recorded.
SELECT steward.enable_audit('person', include => '{visits}');
ALTER TABLE person ADD COLUMN later integer;
UPDATE person SET later = 1, email = 'canary-included' WHERE id = 1;
UPDATE person SET later = 2, visits = 3 WHERE id = 1;
DELETE FROM person;
SELECT operation, key, old, new FROM trail WHERE operation <> 'ENABLE' ORDER BY xid DESC, seq LIMIT 2;
SELECT setting FROM steward.audit_setting WHERE relation = 'person'::regclass;

-- Updates that change nothing, if asked for.
INSERT INTO person VALUES (2, 'Ben', 'ben@example.org', 'x', 1);
UPDATE person SET name = name;
SELECT steward.enable_audit('person', include => '{}', log_unchanged => true);
UPDATE person SET name = name;
SELECT operation, key, old, new FROM trail ORDER BY xid DESC, seq LIMIT 1;
SELECT steward.enable_audit('person', log_unchanged => false);
UPDATE person SET name = name;
SELECT operation FROM trail ORDER BY xid DESC, seq LIMIT 1;

-- Redacted: that it changed is recorded, the value is not, or not in clear.
CREATE TABLE patient (id integer PRIMARY KEY, name text, diagnosis text, born date, doses numeric[], file jsonb, ward text);
SELECT steward.enable_audit('patient', redact => '{"name": "hash", "diagnosis": "omit", "born": {"encrypt": "chosen"}, "doses": {"encrypt": "chosen"}, "file": {"encrypt": "chosen"}}');
INSERT INTO patient VALUES
    (1, 'canary-hash', 'canary-omit', '1970-01-02', '{1.5,NULL}', '{"a": "canary-json"}', 'canary-control'),
    (2, 'canary-hash', 'canary-omit', 'infinity', '{}', 'null', 'ward'),
    (3, 'canary-other', NULL, NULL, NULL, NULL, NULL);
UPDATE patient SET diagnosis = 'canary-omit-2', name = 'canary-other' WHERE id = 1;
UPDATE patient SET born = '1980-12-31' WHERE id = 1;
SELECT operation, key, new->'diagnosis' AS diagnosis, new->'name' = (SELECT new->'name' FROM trail WHERE relation = 'chosen.patient' AND key = '{"id": 3}') AS as_other,
    new->'name' = (SELECT new->'name' FROM trail WHERE relation = 'chosen.patient' AND key = '{"id": 2}') AS as_hash, new->'ward' AS ward
    FROM trail WHERE relation = 'chosen.patient' AND operation <> 'ENABLE' ORDER BY xid, seq;
SELECT operation, new ?& '{name,diagnosis,born}' AS whole, steward.audit_reveal(old->'born') AS was, steward.audit_reveal(new->'born') AS born,
    steward.audit_reveal(new->'doses') AS doses, steward.audit_reveal(new->'file') AS file, steward.audit_reveal(new->'ward') AS no_ciphertext
    FROM trail WHERE relation = 'chosen.patient' AND operation <> 'ENABLE' ORDER BY xid, seq;
SELECT codecs FROM steward.audit_schema WHERE table_name = 'patient';
-- The same value twice is another ciphertext.
SELECT count(DISTINCT new->'born') FROM trail WHERE relation = 'chosen.patient' AND new->>'born' LIKE 'stw1:%';

-- Nothing of it is in the log's files, though what is recorded in clear is.
CHECKPOINT;
CREATE FUNCTION in_log(needle text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    part record;
    found boolean := false;
BEGIN
    FOR part IN SELECT c.oid, c.reltoastrelid FROM pg_class AS c JOIN pg_inherits AS i ON i.inhrelid = c.oid WHERE i.inhparent = 'steward.audit_log'::regclass LOOP
        found := found OR position(needle::bytea IN pg_read_binary_file(pg_relation_filepath(part.oid))) > 0;
        IF part.reltoastrelid <> 0 THEN
            found := found OR position(needle::bytea IN pg_read_binary_file(pg_relation_filepath(part.reltoastrelid))) > 0;
        END IF;
    END LOOP;
    RETURN found;
END
$$;
SELECT needle, in_log(needle) FROM unnest('{canary-control,canary-excluded,canary-included,canary-hash,canary-other,canary-omit,canary-json}'::text[]) AS needle;

-- The right on the key is needed to read it.
CREATE ROLE chosen_reader;
GRANT USAGE ON SCHEMA chosen TO chosen_reader;
GRANT SELECT ON trail, patient TO chosen_reader;
SET ROLE chosen_reader;
SELECT steward.audit_reveal(new->'born') FROM trail WHERE new ? 'born' ORDER BY xid, seq LIMIT 1;
RESET ROLE;
SELECT steward.grant_key('chosen', 'chosen_reader', 'decrypt');
SET ROLE chosen_reader;
SELECT steward.audit_reveal(new->'born') FROM trail WHERE new ? 'born' ORDER BY xid, seq LIMIT 1;
RESET ROLE;
SELECT steward.revoke_key('chosen', 'chosen_reader', 'decrypt');

-- A bound table: the ciphertext is the subject's, and goes with it. What is deleted
-- afterwards has nothing left to encrypt it for.
CREATE TABLE visit (id integer PRIMARY KEY, customer text NOT NULL, ssn steward.encrypted_text('chosen/visit.ssn'), reason text);
SELECT steward.bind_subject('visit', 'chosen customer', 'customer');
SELECT steward.enable_audit('visit', redact => '{"reason": {"encrypt": "chosen"}}');
INSERT INTO visit VALUES (1, 'c1', 's1', 'canary-reason'), (2, 'c2', 's2', 'canary-reason-2');
SELECT key, steward.audit_reveal(new->'reason') AS reason FROM trail WHERE relation = 'chosen.visit' AND operation = 'INSERT' ORDER BY xid, seq;
SELECT steward.shred_subject('chosen customer', 'c1');
SELECT key, steward.audit_reveal(new->'reason') AS reason, steward.audit_reveal(new->'ssn') AS ssn FROM trail
    WHERE relation = 'chosen.visit' AND operation = 'INSERT' ORDER BY xid, seq;
DELETE FROM visit;
SELECT key, old->'reason' AS shown, steward.audit_reveal(old->'reason') AS reason FROM trail WHERE relation = 'chosen.visit' AND operation = 'DELETE' AND key = '{"id": 1}';
SELECT key, steward.audit_reveal(old->'reason') AS reason FROM trail WHERE relation = 'chosen.visit' AND operation = 'DELETE' AND key = '{"id": 2}';
CHECKPOINT;
SELECT in_log('canary-reason');

-- Rows: an update is recorded when the old or the new row is meant.
CREATE TABLE document (id integer PRIMARY KEY, state text, size integer);
CREATE FUNCTION is_final(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1 = 'final' $$;
SELECT steward.enable_audit('document', condition => 'chosen.is_final(state) OR size > 1000 OR size < 0');
INSERT INTO document VALUES (1, 'draft', 1), (2, 'final', 1), (3, 'draft', 5000), (4, NULL, NULL);
UPDATE document SET size = 2 WHERE id = 1;
UPDATE document SET state = 'final' WHERE id = 1;
UPDATE document SET state = 'draft' WHERE id = 2;
UPDATE document SET size = 3 WHERE id = 2;
DELETE FROM document;
TRUNCATE document;
SELECT operation, key FROM trail WHERE relation = 'chosen.document' ORDER BY xid, seq;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'document'::regclass ORDER BY tgname;
DROP TRIGGER "00_steward_audit_row_insert" ON document;
DROP TRIGGER "00_steward_audit_row_delete" ON document;
ALTER TABLE document RENAME COLUMN state TO status;
SELECT steward.enable_audit('document');
SELECT setting FROM steward.audit_setting WHERE relation = 'document'::regclass;
INSERT INTO document VALUES (5, 'draft', 1), (6, 'final', 1);
SELECT operation, key FROM trail WHERE relation = 'chosen.document' ORDER BY xid DESC, seq LIMIT 1;
-- It is the writer's: an error is the writer's error, and so is a right that is missing.
CREATE ROLE chosen_writer;
GRANT USAGE ON SCHEMA chosen TO chosen_writer;
GRANT ALL ON document TO chosen_writer;
REVOKE EXECUTE ON FUNCTION is_final(text) FROM PUBLIC;
SET ROLE chosen_writer;
INSERT INTO document VALUES (7, 'final', 1);
RESET ROLE;
GRANT EXECUTE ON FUNCTION is_final(text) TO PUBLIC;
SELECT steward.enable_audit('document', condition => '1 / size > 0');
INSERT INTO document VALUES (8, 'final', 0);
SELECT steward.enable_audit('document', condition => '');
SELECT setting FROM steward.audit_setting WHERE relation = 'document'::regclass;
INSERT INTO document VALUES (8, 'final', 0);

-- The names in a setting follow the columns.
ALTER TABLE patient RENAME COLUMN name TO full_name;
ALTER TABLE patient RENAME COLUMN ward TO name;
SELECT setting FROM steward.audit_setting WHERE relation = 'patient'::regclass;
INSERT INTO patient (id, full_name, name) VALUES (9, 'canary-renamed', 'station');
SELECT new->'full_name' ? 'hash' AS hashed, new->'name' AS name FROM trail WHERE relation = 'chosen.patient' ORDER BY xid DESC LIMIT 1;
-- PostgreSQL asks before a column goes that a setting names.
ALTER TABLE patient DROP COLUMN full_name;
ALTER TABLE patient DROP COLUMN full_name CASCADE;
SELECT setting FROM steward.audit_setting WHERE relation = 'patient'::regclass;
INSERT INTO patient (id, born) VALUES (10, '2000-01-01');
SELECT steward.audit_reveal(new->'born') FROM trail WHERE relation = 'chosen.patient' ORDER BY xid DESC LIMIT 1;

-- Partitions are recorded as the whole is, with columns of other numbers.
CREATE TABLE event (day integer, id integer, secret text, note text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
CREATE TABLE event_1 (note text, gone integer, secret text, id integer NOT NULL, day integer NOT NULL);
ALTER TABLE event_1 DROP COLUMN gone;
ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM (1) TO (10);
SELECT steward.enable_audit('event', redact => '{"secret": "omit"}', exclude => '{note}', condition => 'id <> 13');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
INSERT INTO event VALUES (1, 1, 'canary-part', 'canary-part'), (1, 13, 'canary-part', 'canary-part'), (11, 1, 'canary-part', 'canary-part'), (11, 13, 'canary-part', 'canary-part');
INSERT INTO event_1 VALUES ('canary-part', 'canary-part', 2, 1);
SELECT relation, operation, key, new FROM trail WHERE relation LIKE 'chosen.event%' AND operation = 'INSERT' ORDER BY xid, seq;
SELECT relation, setting FROM steward.audit_setting WHERE relation::text LIKE 'event%' ORDER BY relation::text;
SELECT steward.enable_audit('event_1', redact => '{}');
SELECT steward.enable_audit('event');
SELECT steward.enable_audit('event', exclude => '{}', condition => '');
INSERT INTO event VALUES (2, 13, 'canary-part', 'public now');
SELECT relation, operation, key, new FROM trail WHERE relation LIKE 'chosen.event%' ORDER BY xid DESC, seq LIMIT 1;
-- One that is detached keeps the choice of columns.
ALTER TABLE event DETACH PARTITION event_1;
INSERT INTO event_1 VALUES ('detached', 'canary-part', 4, 4);
SELECT operation, key, new FROM trail WHERE relation LIKE 'chosen.event%' ORDER BY xid DESC, seq LIMIT 1;
CHECKPOINT;
SELECT in_log('canary-part');
SELECT steward.disable_audit('event');
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('event'::regclass, 'event_2'::regclass) AND tgname LIKE '%steward%';

-- Roles that are not recorded: by who logged in and the session's role, not by
-- current_user.
SELECT steward.exempt_role('chosen_writer', 'loads what others record');
SELECT role, reason, exempted_by, exempted_at > now() - interval '1 hour' AS lately FROM steward.audit_exempt;
SET ROLE chosen_writer;
INSERT INTO document VALUES (20, 'set role', 1);
RESET ROLE;
SET SESSION AUTHORIZATION chosen_writer;
INSERT INTO document VALUES (25, 'set session authorization', 1);
RESET SESSION AUTHORIZATION;
ALTER ROLE chosen_writer LOGIN;
ALTER ROLE chosen_writer SET search_path = chosen;
ALTER ROLE chosen_writer SET steward.require_context = actor;
SELECT current_user AS me \gset
\c - chosen_writer
INSERT INTO document VALUES (21, 'exempt', 1);
DELETE FROM document WHERE id = 21;
\c - :me
SET search_path = chosen, public;
\set SHOW_CONTEXT never
ALTER ROLE chosen_writer RESET steward.require_context;
SELECT operation, key FROM trail WHERE relation = 'chosen.document' AND key->>'id' IN ('20', '21', '25') ORDER BY xid, seq;
DROP ROLE chosen_writer;
BEGIN;
SELECT steward.audit_role('chosen_writer');
ROLLBACK;
\c - chosen_writer
INSERT INTO document VALUES (23, 'exempt again', 1);
\c - :me
SET search_path = chosen, public;
SELECT steward.audit_role('chosen_writer');
SELECT steward.audit_role('chosen_writer');
\c - chosen_writer
INSERT INTO document VALUES (24, 'recorded', 1);
SELECT steward.exempt_role('chosen_writer', 'mine');
TABLE steward.audit_exemption;
\c - :me
SET search_path = chosen, public;
SELECT operation, key FROM trail WHERE relation = 'chosen.document' AND key->>'id' IN ('23', '24') ORDER BY xid, seq;
SELECT count(*) FROM steward.audit_exempt;
SELECT steward.exempt_role('chosen_writer', '');
SELECT steward.exempt_role('chosen_writer', NULL);
SELECT steward.exempt_role(NULL, 'why');
SELECT steward.exempt_role(4294967290::oid::regrole, 'why');

-- What is hidden stays hidden when it becomes a key later, or is that of a partition:
-- then there is no key, and old rows are recorded whole.
CREATE TABLE hidden (id integer PRIMARY KEY, ssn text NOT NULL UNIQUE, mail text NOT NULL UNIQUE, v text);
SELECT steward.enable_audit('hidden', redact => '{"ssn": "omit"}', exclude => '{mail}');
ALTER TABLE hidden DROP CONSTRAINT hidden_pkey;
ALTER TABLE hidden ADD PRIMARY KEY (ssn);
INSERT INTO hidden VALUES (1, 'canary-key', 'canary-key', 'control');
UPDATE hidden SET v = 'b';
ALTER TABLE hidden DROP CONSTRAINT hidden_pkey, REPLICA IDENTITY USING INDEX hidden_mail_key;
DELETE FROM hidden;
-- With a key that is hidden, another is found.
ALTER TABLE hidden ADD PRIMARY KEY (ssn), ADD UNIQUE (id), ALTER COLUMN id SET NOT NULL;
ALTER TABLE hidden REPLICA IDENTITY USING INDEX hidden_id_key;
INSERT INTO hidden VALUES (2, 'canary-key', 'canary-key', 'control');
UPDATE hidden SET v = 'c';
SELECT operation, key, old, new FROM trail WHERE relation = 'chosen.hidden' AND operation <> 'ENABLE' ORDER BY xid, seq;
-- Rows that move between partitions, of which each has a key and columns of its own
CREATE TABLE moving (id integer, ssn text, secret text, part text) PARTITION BY LIST (part);
SELECT steward.enable_audit('moving', redact => '{"ssn": "hash", "secret": {"encrypt": "chosen"}}');
CREATE TABLE moving_a (gone integer, part text, secret text, ssn text PRIMARY KEY, id integer);
ALTER TABLE moving_a DROP COLUMN gone;
ALTER TABLE moving ATTACH PARTITION moving_a FOR VALUES IN ('a');
CREATE TABLE moving_b PARTITION OF moving (PRIMARY KEY (id)) FOR VALUES IN ('b');
CREATE TABLE moving_c PARTITION OF moving (PRIMARY KEY (secret)) FOR VALUES IN ('c');
INSERT INTO moving VALUES (1, 'canary-move', 'canary-move', 'a'), (2, 'canary-move-2', 'canary-move-2', 'b');
UPDATE moving SET part = 'b' WHERE id = 1;
UPDATE moving SET part = 'c', ssn = 'canary-moved', secret = 'canary-moved' WHERE id = 1;
SET steward.audit_buffer_size = 0; -- DELETE and INSERT
UPDATE moving SET part = 'a' WHERE id = 1;
RESET steward.audit_buffer_size;
DELETE FROM moving;
SELECT t.operation, t.relation, t.key, o.state AS old, n.state AS new, steward.audit_reveal(t.old->'secret') AS was, steward.audit_reveal(t.new->'secret') AS is,
       t.old->'ssn' = lag(coalesce(t.new, t.old)->'ssn') OVER (ORDER BY xid, seq) AS same_hash
  FROM trail AS t
  CROSS JOIN LATERAL (SELECT string_agg(j.key || CASE WHEN jsonb_typeof(j.value) = 'object' THEN '#' WHEN j.value #>> '{}' LIKE 'stw1:%' THEN '*' ELSE '=' || (j.value #>> '{}') END, ' ' ORDER BY j.key) AS state FROM jsonb_each(t.old) AS j) AS o
  CROSS JOIN LATERAL (SELECT string_agg(j.key || CASE WHEN jsonb_typeof(j.value) = 'object' THEN '#' WHEN j.value #>> '{}' LIKE 'stw1:%' THEN '*' ELSE '=' || (j.value #>> '{}') END, ' ' ORDER BY j.key) AS state FROM jsonb_each(t.new) AS j) AS n
 WHERE t.relation LIKE 'chosen.moving%' AND t.operation <> 'ENABLE' ORDER BY xid, seq;
CHECKPOINT;
SELECT needle, in_log(needle) FROM unnest('{canary-key,canary-move}'::text[]) AS needle;

-- Every change of a setting is an event.
SELECT event, details FROM steward.event_trail WHERE details->>'relation' LIKE 'chosen.%' AND event = 'enable_audit' ORDER BY xid, seq LIMIT 3;
SELECT event, details FROM steward.event_trail WHERE xid >= :'start' AND event IN ('exempt_role', 'audit_role') ORDER BY xid, seq;

-- Refused.
\set VERBOSITY default
SELECT steward.enable_audit('person', exclude => '{nothing}');
SELECT steward.enable_audit('person', include => '{nothing}');
SELECT steward.enable_audit('person', exclude => '{ctid}');
SELECT steward.enable_audit('person', exclude => '{id}');
SELECT steward.enable_audit('person', exclude => '{note,note}');
SELECT steward.enable_audit('person', exclude => '{NULL}');
SELECT steward.enable_audit('person', exclude => '{note}', include => '{name}');
SELECT steward.enable_audit('person', redact => '{"nothing": "omit"}');
SELECT steward.enable_audit('person', redact => '{"id": "omit"}');
SELECT steward.enable_audit('person', redact => '{"name": "blur"}');
SELECT steward.enable_audit('person', redact => '{"name": {"encrypt": "no-such-key"}}');
SELECT steward.enable_audit('person', redact => '{"name": {"encrypt": 7}}');
SELECT steward.enable_audit('person', redact => '{"name": {"encrypt": "chosen", "more": 1}}');
SELECT steward.enable_audit('person', redact => '["name"]');
SELECT steward.enable_audit('person', redact => '{"name": null}');
SELECT steward.enable_audit('person', redact => '{"note": "omit"}', exclude => '{note}');
SELECT steward.enable_audit('person', redact => '{"note": "omit"}', include => '{name}');
SELECT steward.enable_audit('visit', redact => '{"ssn": "hash"}');
SELECT steward.enable_audit('person', condition => 'visits');
SELECT steward.enable_audit('person', condition => 'nothing > 1');
SELECT steward.enable_audit('person', condition => 'true) OR (true');
SELECT steward.enable_audit('person', condition => 'true; DROP TABLE person');
SELECT steward.enable_audit('person', condition => 'visits > 1 FROM person');
SELECT steward.enable_audit('person', condition => 'visits > 1 AS x');
SELECT steward.enable_audit('person', condition => '*');
SELECT steward.enable_audit('person', condition => 'EXISTS (SELECT FROM person)');
SELECT steward.enable_audit('person', condition => 'count(*) > 1');
SELECT setting FROM steward.audit_setting WHERE relation = 'person'::regclass;
CREATE TRIGGER mine AFTER UPDATE OF note ON person FOR EACH STATEMENT EXECUTE FUNCTION steward.audit_column('nonsense');
UPDATE person SET visits = 9;
DROP TRIGGER mine ON person;

\set VERBOSITY terse
SET client_min_messages = error;
DROP SCHEMA chosen CASCADE;
DELETE FROM steward.subject_key WHERE kind = 'chosen customer';
DROP ROLE chosen_reader, chosen_writer;
