-- Nobody makes the trail unreadable or the writer crash.
CREATE SCHEMA altered;
SET search_path = altered, public;
CREATE TABLE notes (id integer PRIMARY KEY, document json);
SELECT steward.enable_audit('notes');
-- Records are written at once, so that what stands in their way shows.
SET steward.audit_buffer_size = 0;

-- json that jsonb refuses is shown as its text; what is no json at all is not.
INSERT INTO notes VALUES (1, '{"a": "\u0000"}'), (2, '{"a": 1e999999}'), (3, '"\ud800"'), (4, '{"a": [1, null]}');
UPDATE notes SET document = '{}' WHERE id = 1;
SELECT key, old, new FROM steward.audit_trail WHERE relation = 'altered.notes' AND operation <> 'ENABLE' ORDER BY xid, seq;
SELECT steward.audit_decode(l.schema_version, 'I', '\x01030202' || '{]'::bytea)
FROM steward.audit_record AS l WHERE l.op = 'E' ORDER BY l.written_at DESC LIMIT 1;

-- The audit of a parent says that it does not reach the children.
CREATE TABLE parent (id integer);
CREATE TABLE child () INHERITS (parent);
SELECT steward.enable_audit('parent');
SELECT steward.enable_audit('child');
INSERT INTO child VALUES (1);
UPDATE parent SET id = 2;
SELECT relation, operation, new FROM steward.audit_trail WHERE relation IN ('altered.parent', 'altered.child') ORDER BY xid, seq;

-- A type that is renamed makes another version.
CREATE DOMAIN amount AS integer;
CREATE TABLE paid (sum amount);
SELECT steward.enable_audit('paid');
INSERT INTO paid VALUES (1);
ALTER DOMAIN amount RENAME TO cents;
INSERT INTO paid VALUES (2);
SELECT s.types, steward.audit_decode(s.id, l.op, l.payload)
FROM steward.audit_schema AS s, steward.audit_record AS l
WHERE s.table_name = 'paid' AND l.schema_version = s.id AND l.op = 'I' ORDER BY s.id;

-- Direct insertion cannot serve such indexes; it says so, and the change fails.
SET client_min_messages = warning;
-- Else the DDL itself would fail, for want of its own record. That commands go
-- unrecorded is recorded, with the first of a transaction.
SET steward.audit_ddl = off;
BEGIN;
CREATE INDEX ON steward.audit_log (abs(first_seq));
SAVEPOINT a;
INSERT INTO notes VALUES (5, NULL);
ROLLBACK;
BEGIN;
CREATE INDEX ON steward.audit_log (first_seq) WHERE first_seq = 1;
INSERT INTO notes VALUES (5, NULL);
ROLLBACK;
BEGIN;
CREATE TABLE first ();
ALTER TABLE steward.audit_log_1 ADD UNIQUE (xid, first_seq, incarnation) DEFERRABLE;
INSERT INTO notes VALUES (5, NULL);
ROLLBACK;
BEGIN;
CREATE INDEX ON steward.audit_schema (lower(table_name));
ALTER TABLE notes ADD COLUMN extra text;
INSERT INTO notes VALUES (5, NULL, NULL);
ROLLBACK;

-- Nor columns it does not know, until they are dropped again.
BEGIN;
CREATE TABLE first ();
ALTER TABLE steward.audit_log ADD COLUMN extra text;
SAVEPOINT a;
INSERT INTO notes VALUES (5, NULL);
ROLLBACK TO a;
ALTER TABLE steward.audit_log DROP COLUMN extra;
INSERT INTO notes VALUES (5, NULL);
SELECT operation, key FROM steward.audit_trail WHERE relation = 'altered.notes' ORDER BY xid, seq;
ROLLBACK;
BEGIN;
ALTER TABLE steward.audit_context ADD COLUMN extra integer NOT NULL DEFAULT 1;
SET LOCAL application_name = 'another';
INSERT INTO notes VALUES (5, NULL);
ROLLBACK;

RESET steward.audit_ddl;
DROP SCHEMA altered CASCADE;
