-- Access audit of encrypted columns: what was decrypted is counted, and no
-- plaintext is recorded.
CREATE SCHEMA sealed;
SET search_path = sealed, public;
SELECT steward.create_key('accessed');
CREATE ROLE access_clerk;
SELECT steward.grant_key('accessed', 'access_clerk', 'decrypt');
GRANT USAGE ON SCHEMA sealed TO access_clerk;
CREATE TABLE mark (at timestamptz);
INSERT INTO mark VALUES (clock_timestamp());
CREATE VIEW news AS
    SELECT t.relation, t.columns, t.outcome, t.rows_read AS read, t.keys, t.keys_left_off AS more, t.effective_role AS role, d.key, d.bound, d.count
    FROM steward.access_trail AS t
    LEFT JOIN LATERAL (SELECT e->>'key' AS key, e ? 'subject' AS bound, sum((e->>'count')::int) AS count FROM jsonb_array_elements(t.decrypts) AS e GROUP BY 1, 2) AS d ON true
    WHERE t.read_at > (SELECT at FROM mark) ORDER BY t.read_at, t.session, t.statement, t.relation, d.key;
\set report 'SELECT FROM steward.import_access(); TABLE news; UPDATE mark SET at = clock_timestamp();'

CREATE TABLE client (id integer PRIMARY KEY, ssn steward.encrypted_text('accessed/client.ssn'), born steward.encrypted_date('accessed/client.born'));
INSERT INTO client SELECT g, 'canary-' || g, date '2000-01-01' + g FROM generate_series(1, 4) AS g;
GRANT SELECT ON client TO access_clerk;
SELECT steward.audit_access('client', '{ssn}');
UPDATE mark SET at = clock_timestamp();

SET ROLE access_clerk;
SELECT ssn::text FROM client WHERE id = 1;
SELECT count(ssn) FROM client;
SELECT ssn::text, born::date FROM client WHERE id < 3;
SELECT steward.decrypt(ssn) FROM client WHERE id = 4;
-- compared, not handed out
SELECT id FROM client WHERE ssn = 'canary-2'::text;
-- outside of an audited read: as much as the transaction did
SELECT born::date FROM client WHERE id = 1;
BEGIN;
SELECT born::date FROM client WHERE id = 1;
SELECT born::date FROM client WHERE id = 2;
ROLLBACK;
RESET ROLE;
SELECT steward.revoke_key('accessed', 'access_clerk', 'decrypt');
SET ROLE access_clerk;
SELECT ssn::text FROM client WHERE id = 1;
RESET ROLE;
:report

-- bound to subjects: each is told apart
CREATE TABLE bound (id integer PRIMARY KEY, name steward.encrypted_text('accessed/bound.name'));
SELECT steward.bind_subject('bound', 'client', 'id');
INSERT INTO bound SELECT g, 'canary-' || g FROM generate_series(1, 3) AS g;
SELECT steward.audit_access('bound');
UPDATE mark SET at = clock_timestamp();
SELECT name::text FROM bound ORDER BY id;
SELECT name::text FROM bound ORDER BY id;
:report
SELECT count(DISTINCT e->>'subject') AS subjects, count(*) AS entries
FROM steward.access_trail AS t, jsonb_array_elements(t.decrypts) AS e WHERE t.relation = 'sealed.bound';

-- an encrypted key is recorded as it is stored
CREATE TABLE sealed_key (code steward.encrypted_text('accessed/sealed_key.code') NOT NULL, v integer);
CREATE UNIQUE INDEX sealed_key_code ON sealed_key (code steward.encrypted_unique_ops);
ALTER TABLE sealed_key REPLICA IDENTITY USING INDEX sealed_key_code;
INSERT INTO sealed_key VALUES ('canary-key', 1);
SELECT steward.audit_access('sealed_key');
SELECT v FROM sealed_key;
SELECT FROM steward.import_access();
SELECT keys->0->>'code' LIKE 'stw1:%' AS armour FROM steward.access_trail WHERE relation = 'sealed.sealed_key';
UPDATE mark SET at = clock_timestamp();

-- parallel workers name rows and count what they decrypt for their leader
CREATE TABLE many (id integer PRIMARY KEY, ssn steward.encrypted_text('accessed/many.ssn')) WITH (parallel_workers = 2, autovacuum_enabled = off);
INSERT INTO many SELECT g, 'canary-' || g FROM generate_series(1, 60) AS g;
ANALYZE many;
CREATE FUNCTION looks(integer) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN (SELECT ssn::text FROM sealed.many WHERE id = $1); END';
CREATE TABLE numbers (n integer) WITH (parallel_workers = 2);
INSERT INTO numbers SELECT generate_series(1, 5);
ANALYZE numbers;
SELECT steward.audit_access('many');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS off) SELECT max(length(ssn::text)) FROM many WHERE id > 10;
UPDATE mark SET at = clock_timestamp();
SELECT max(length(ssn::text)) FROM many WHERE id > 10;
SELECT count(*) FROM many WHERE id <= 3;
SET parallel_leader_participation = on;
SELECT FROM steward.import_access();
SELECT relation, outcome, rows_returned, rows_read, jsonb_array_length(keys) AS keys, keys @> '[{"id": 11}, {"id": 60}]' AS ends, keys_left_off AS more,
       (SELECT sum((e->>'count')::int) FROM jsonb_array_elements(decrypts) AS e) AS decrypted
FROM steward.access_trail WHERE read_at > (SELECT at FROM mark) ORDER BY read_at;
UPDATE mark SET at = clock_timestamp();
-- what a function reads in a worker is a read of its own
SELECT count(looks(n)) FROM numbers;
SELECT FROM steward.import_access();
SELECT keys, outcome, (SELECT sum((e->>'count')::int) FROM jsonb_array_elements(decrypts) AS e) AS decrypted
FROM steward.access_trail WHERE read_at > (SELECT at FROM mark) ORDER BY keys::text;
UPDATE mark SET at = clock_timestamp();
-- Nor does it take what workers do for another read: the leader, which is in the
-- middle of one parallel plan, starts another for each row.
CREATE FUNCTION looks_apart() RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN (SELECT max(length(ssn::text)) FROM sealed.many WHERE id > 50); END';
SET max_parallel_workers_per_gather = 1;
SELECT count(looks_apart()) FROM many WHERE id <= 4;
SELECT FROM steward.import_access();
SELECT rows_read, jsonb_array_length(keys) AS keys, outcome, (SELECT sum((e->>'count')::int) FROM jsonb_array_elements(decrypts) AS e) AS decrypted, count(*)
FROM steward.access_trail WHERE read_at > (SELECT at FROM mark) GROUP BY 1, 2, 3, 4 ORDER BY 1;
RESET ALL;
SET search_path = sealed, public;

-- in a session that has read nothing audited, and rolls back
\c -
SET search_path = sealed, public;
BEGIN;
SELECT born::date FROM client WHERE id = 3;
ROLLBACK;
SELECT FROM steward.import_access();
SELECT outcome, decrypts->0->>'key' AS key, decrypts->0->>'count' AS count, session_role = current_user AS who
FROM steward.access_trail WHERE read_at > (SELECT at FROM mark) AND relation IS NULL ORDER BY read_at DESC LIMIT 1;

-- no plaintext in the log
SELECT count(*) AS plaintexts FROM steward.audit_record AS r WHERE r.op = 'R' AND steward.audit_event(r.payload)::text ~ 'canary';

SELECT count(steward.stop_audit_access(relation)) FROM steward.access_rule;
SET client_min_messages = warning;
DROP SCHEMA sealed CASCADE;
DROP ROLE access_clerk;
