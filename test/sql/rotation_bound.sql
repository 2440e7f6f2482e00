-- Rotation and re-encryption of tables that are bound to subjects.
\set VERBOSITY default
SET client_min_messages = error;
SELECT steward.create_key('rotbound');
CREATE TABLE rotbound (id integer, v steward.encrypted_text('rotbound/v'), list steward.encrypted_text('rotbound/list')[],
                       doubled steward.encrypted_text('rotbound/v') GENERATED ALWAYS AS (v) STORED);
INSERT INTO rotbound SELECT n, 'v' || n, ARRAY['l' || n, NULL, 'm' || n]::steward.encrypted_text('rotbound/list')[] FROM generate_series(1, 5) AS n;
INSERT INTO rotbound VALUES (NULL, 'nobody', NULL);
SELECT steward.bind_subject('rotbound', 'rotbound_customer', 'id');
INSERT INTO rotbound VALUES (6, 'v6', NULL);
RESET client_min_messages;

CREATE FUNCTION flags(value steward.encrypted_text) RETURNS integer LANGUAGE sql AS
    $$ SELECT get_byte(steward.encrypted_text_send(value), 3) $$;
CREATE VIEW rotbound_seen AS
SELECT id, v::text, flags(v) AS bound, list::text[], flags(list[1]) AS first, flags(list[3]) AS last, doubled::text, flags(doubled) AS copy
  FROM rotbound ORDER BY id;
SELECT * FROM rotbound_seen;

-- Values that were there before get bound; those of a row without a key do not.
-- Row 1 cannot be bound any more, row 6 reads as null: neither keeps the others
-- from being moved.
SET client_min_messages = error;
SELECT steward.shred_subject('rotbound_customer', '6'), steward.shred_subject('rotbound_customer', '1');
RESET client_min_messages;
CALL steward.reencrypt('rotbound');
SELECT * FROM rotbound_seen;
CALL steward.reencrypt('rotbound');
SELECT state, rows, values, remaining FROM steward.reencryption ORDER BY id;

-- A new version: all are moved, bound to whom they were bound.
CREATE TABLE subjects_before AS SELECT id, substr(steward.encrypted_text_send(v), 13, 16) AS subject FROM rotbound WHERE flags(v) = 1;
SELECT steward.rotate_key('rotbound');
CALL steward.reencrypt('rotbound');
SELECT * FROM rotbound_seen;
SELECT count(*) AS same_subject FROM rotbound JOIN subjects_before USING (id) WHERE substr(steward.encrypted_text_send(v), 13, 16) = subject;
DELETE FROM rotbound WHERE id = 1;
CALL steward.reencrypt('rotbound');
SELECT version, state, values FROM steward.key_status WHERE key = 'rotbound' ORDER BY version;

-- An erased value is under version 1 for ever, and needs it no more: no root, no
-- version, it is null.
SELECT substr(steward.encrypted_text_send(v), 9, 4) = int4send((key_tag & 4294967295)::bit(32)::integer) AS old_version
  FROM rotbound, steward.key_version AS k JOIN steward.key USING (key_id) WHERE path = 'rotbound' AND version = 1 AND id = 6;
SELECT steward.destroy_key_version('rotbound', 1);
SELECT * FROM rotbound_seen;

-- A copy in a generated column is erased with its source.
SET client_min_messages = error;
SELECT steward.shred_subject('rotbound_customer', '2');
RESET client_min_messages;
SELECT * FROM rotbound_seen WHERE id = 2;

-- What cannot be opened for want of its subject or its key is left and counted.
CREATE TABLE subject_row AS SELECT s.* FROM steward.subject_key AS s WHERE s.kind = 'rotbound_customer' AND s.erased_at IS NULL;
CREATE TABLE version_row AS SELECT v.key_id, v.version, v.wrapped FROM steward.key_version AS v JOIN steward.key AS k USING (key_id) WHERE k.path = 'rotbound' AND v.wrapped IS NOT NULL;
SELECT steward.rotate_key('rotbound');
UPDATE steward.key_version AS v SET wrapped = overlay(v.wrapped PLACING '\x00000000'::bytea FROM 60) FROM version_row AS r WHERE v.key_id = r.key_id AND v.version = r.version;
CALL steward.reencrypt('rotbound');
UPDATE steward.key_version AS v SET wrapped = r.wrapped FROM version_row AS r WHERE v.key_id = r.key_id AND v.version = r.version;
UPDATE steward.subject_key AS s SET wrapped = overlay(s.wrapped PLACING '\x00000000'::bytea FROM 60) WHERE s.kind = 'rotbound_customer' AND s.erased_at IS NULL;
CALL steward.reencrypt('rotbound');
DELETE FROM steward.subject_key AS s WHERE s.kind = 'rotbound_customer' AND s.erased_at IS NULL;
CALL steward.reencrypt('rotbound');
INSERT INTO steward.subject_key SELECT * FROM subject_row;
CALL steward.reencrypt('rotbound');
SELECT finding FROM steward.verify_column('rotbound', 'v');
DROP TABLE subject_row, version_row;

-- With the trigger disabled nothing is bound, only moved.
ALTER TABLE rotbound DISABLE TRIGGER ALL;
INSERT INTO rotbound VALUES (7, 'v7', NULL);
SELECT steward.rotate_key('rotbound');
CALL steward.reencrypt('rotbound');
SELECT * FROM rotbound_seen WHERE id = 7;
ALTER TABLE rotbound ENABLE TRIGGER ALL;
SELECT steward.unbind_subject('rotbound');
SELECT steward.bind_subject('rotbound', 'rotbound_customer', 'id');
CALL steward.reencrypt('rotbound');
SELECT * FROM rotbound_seen WHERE id = 7;

DROP VIEW rotbound_seen;
DROP TABLE rotbound, subjects_before;
DROP FUNCTION flags;
DELETE FROM steward.subject_key WHERE kind = 'rotbound_customer';
DELETE FROM steward.key_version AS v USING steward.key AS k WHERE v.key_id = k.key_id AND k.path LIKE 'rotbound%';
DELETE FROM steward.key_secret AS s USING steward.key AS k WHERE s.kind = 2 AND s.key_id = k.key_id AND k.path LIKE 'rotbound%';
DELETE FROM steward.key WHERE path LIKE 'rotbound%';
DELETE FROM steward.reencryption;
DELETE FROM steward.key_destruction;
