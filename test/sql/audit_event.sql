-- What pg_steward's own functions did, in the audit trail: names, kinds and counts.
-- In a database of its own: keys stay, and erasures are of all subjects.
SET client_min_messages = warning;
SELECT current_database() AS here \gset
CREATE DATABASE event_own;
\c event_own
SET client_min_messages = warning;
CREATE EXTENSION pg_steward;
CREATE SCHEMA own;
SET search_path = own;
CREATE TABLE begun (id integer PRIMARY KEY);
SELECT steward.enable_audit('begun');
SELECT clock_timestamp() AS since \gset
CREATE ROLE regress_event_reader;

SELECT steward.create_key('event_pii');
SELECT steward.create_key('event_pii');
CREATE TABLE register (t steward.encrypted_text('event_pii/path'));
SELECT steward.grant_key('event_pii', 'regress_event_reader', 'decrypt');
SELECT steward.revoke_key('event_pii', 'regress_event_reader', 'decrypt');
CREATE TABLE patient (id integer PRIMARY KEY, name text, made_at timestamptz DEFAULT now() - interval '1 year');
INSERT INTO patient VALUES (17, 'secret plaintext');
SELECT steward.encrypt_column('patient', 'name', 'event_pii');
SELECT steward.rotate_key('event_pii');
SELECT steward.rotate_index_secret('event_pii');
CALL steward.reencrypt('patient');
SELECT steward.destroy_key_version('event_pii', 1);
SELECT steward.bind_subject('patient', 'patient', 'id');
UPDATE patient SET name = 'secret plaintext';
SELECT steward.shred_subject('patient', '17');
SELECT steward.shred_subject('patient', '17');
SELECT steward.shred_subject('patient', 'secret-subject-4711');
CALL steward.finish_erasure();
SELECT steward.unbind_subject('patient');
SELECT steward.create_decrypted_view('patient');
DROP VIEW patient_decrypted;
ALTER TABLE patient ADD COLUMN note text;
SELECT steward.encrypt_column('patient', 'note', 'event_pii');
SELECT steward.decrypt_column('patient', 'note');
CALL steward.encrypt_column_online('patient', 'note', 'event_pii');
CALL steward.decrypt_column_online('patient', 'note');
SELECT steward.create_policy('event policy', 'patient', 'made_at', '30 days');
CALL steward.run_policy('event policy');
SELECT steward.drop_policy('event policy');
CALL steward.rotate_root_key();
BEGIN;
SELECT steward.create_key('event_undone');
ROLLBACK;

SELECT event, regexp_replace(regexp_replace(details::text, '[0-9a-f]{32,}', 'uuid', 'g'),
                             '"(run|cutoff|rewrapped|remaining|subjects|root)": ("[^"]*"|[0-9]+)', '"\1": …', 'g') AS details
  FROM steward.event_trail WHERE changed_at > :'since' ORDER BY changed_at, xid, seq;

-- The uuid leads to the subject's row as long as it is there, the id does not.
SELECT s.kind, e.details->'had_secret' AS had_secret
  FROM steward.event_trail AS e JOIN steward.subject_key AS s ON s.subject = (e.details->>'subject')::uuid
 WHERE e.event = 'shred_subject' AND e.changed_at > :'since' ORDER BY e.changed_at;
SELECT count(*) FROM steward.audit_record WHERE op IN ('C', 'S') AND convert_from(payload, 'UTF8') ~ 'secret[- ]|4711';
SELECT bool_and(session_role = session_user AND application LIKE 'pg_regress%' AND xid IS NOT NULL) AS who FROM steward.event_trail WHERE changed_at > :'since';

\c :here
DROP DATABASE event_own;
DROP ROLE regress_event_reader;
