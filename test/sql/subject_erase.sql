-- Secrets of subjects: making, erasing and forging them.
SET client_min_messages = error;
CREATE ROLE erase_clerk;
SELECT steward.create_key('erase');
SELECT steward.grant_key('erase', 'erase_clerk', 'decrypt');
CREATE SCHEMA erase;
GRANT USAGE ON SCHEMA erase TO erase_clerk;
SET search_path = erase, public;
CREATE TABLE person (id text PRIMARY KEY, v steward.encrypted_text('erase/person.v'), w steward.encrypted_text('erase/person.w')[]);
SELECT steward.bind_subject('person', 'person', 'id');
GRANT ALL ON person TO erase_clerk;
CREATE VIEW subjects AS SELECT subject, wrapped, root_id, first_root_id, last_root_id, created_at, erased_at, final_at, key_digest FROM steward.subject_key WHERE kind = 'person';

-- ---- rollback ----
BEGIN;
INSERT INTO person VALUES ('ann', 'rolled back');
SELECT v::text FROM person;
ROLLBACK;
SELECT count(*) FROM subjects;
BEGIN;
SAVEPOINT a;
INSERT INTO person VALUES ('ann', 'rolled back') RETURNING v AS kept \gset
SELECT v::text FROM person;
ROLLBACK TO a;
-- A value under a secret that never was cannot be opened, and cannot come in.
SAVEPOINT b;
SELECT :'kept'::steward.encrypted_text::text;
ROLLBACK TO b;
INSERT INTO person VALUES ('ann', :'kept');
ROLLBACK TO b;
INSERT INTO person VALUES ('ann', 'kept');
SELECT v::text FROM person;
COMMIT;
SELECT v::text FROM person;
SELECT count(*) FROM subjects;
SELECT :'kept'::steward.encrypted_text::text;
DO $$
BEGIN
    FOR i IN 1 .. 3 LOOP
        BEGIN
            INSERT INTO erase.person VALUES ('bob', 'try ' || i);
            IF i < 3 THEN RAISE 'again'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END
$$;
SELECT v::text FROM person WHERE id = 'bob';
SELECT count(*) FROM subjects;
BEGIN READ ONLY;
CREATE TEMPORARY TABLE passing (id text, v steward.encrypted_text('erase/person.v')) ON COMMIT DROP;
ROLLBACK;
CREATE TEMPORARY TABLE passing (id text, v steward.encrypted_text('erase/person.v'));
SELECT steward.bind_subject('passing', 'person', 'id');
BEGIN READ ONLY;
INSERT INTO passing VALUES ('ann', 'a secret that is there');
SAVEPOINT a;
INSERT INTO passing VALUES ('new', 'none can be made');
ROLLBACK TO a;
SELECT steward.shred_subject('person', 'ann');
ROLLBACK;
BEGIN READ ONLY;
SELECT steward.apply_revocations();
ROLLBACK;

-- ---- erasing ----
INSERT INTO person VALUES ('cid', 'c', '{1,2}'), ('dan', 'd', '{3}'), ('eve', 'e', NULL);
SET ROLE erase_clerk;
SELECT steward.shred_subject('person', 'cid');
CALL steward.finish_erasure();
SELECT steward.apply_revocations();
SELECT count(*) FROM steward.subject_key;
SELECT count(*) FROM steward.shred_horizon;
SELECT count(*) FROM steward.pending_erasure;
RESET ROLE;
BEGIN;
SELECT steward.shred_subject('person', 'cid');
SELECT id, v::text, w::text[] FROM person WHERE id IN ('cid', 'dan') ORDER BY id;
ROLLBACK;
SELECT id, v::text, w::text[] FROM person WHERE id IN ('cid', 'dan') ORDER BY id;
BEGIN;
SAVEPOINT a;
SELECT steward.shred_subject('person', 'cid');
SELECT v::text FROM person WHERE id = 'cid';
ROLLBACK TO a;
SELECT v::text FROM person WHERE id = 'cid';
COMMIT;
SELECT v::text FROM person WHERE id = 'cid';
SELECT steward.shred_subject('person', 'cid');
SELECT id, v::text, w::text[], v IS NULL AS value_is_null FROM person ORDER BY id;
-- Once is enough; a key that was never used is erased for the future.
SELECT steward.shred_subject('person', 'cid');
SELECT steward.shred_subject('person', 'zoe');
SELECT steward.shred_subject('person', 'zoe');
SELECT steward.shred_subject('nobody', 'cid');
SELECT steward.shred_subject(NULL, 'cid');
SELECT count(*) AS tombstones, count(first_root_id) AS had_a_secret, count(last_root_id) AS last_root, count(final_at) AS final FROM subjects WHERE erased_at IS NOT NULL;
SELECT count(*) FROM steward.pending_erasure WHERE kind = 'person';
SELECT number, erased_subjects, in_use FROM steward.shred_horizon;
BEGIN;
CALL steward.finish_erasure();
ROLLBACK;
CREATE FUNCTION finish() RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN CALL steward.finish_erasure(n); RETURN n; END $$;
SELECT finish();
CALL steward.finish_erasure();
CALL steward.finish_erasure();
SELECT count(*) FROM steward.pending_erasure;

-- Nothing new is bound to an erased subject; what is there may stay or go.
SET ROLE erase_clerk;
INSERT INTO person VALUES ('zoe', 'z');
UPDATE person SET v = 'new' WHERE id = 'cid';
UPDATE person SET w = ARRAY[w[1], 'new'::steward.encrypted_text] WHERE id = 'cid';
UPDATE person SET w = '{}' WHERE id = 'cid';
INSERT INTO person SELECT 'cid2', v FROM person WHERE id = 'cid';
INSERT INTO person (id) VALUES ('zoe');
UPDATE person SET w = NULL WHERE id = 'cid';
RESET ROLE;
SELECT id, v IS NULL AS v, v::text, v = v AS itself, v <> v AS not_itself, v = 'c'::text AS c FROM person WHERE id IN ('cid', 'dan') ORDER BY id;
SELECT id FROM person WHERE v IS NOT NULL ORDER BY v, id;
SELECT count(DISTINCT v), count(*) FROM person;
SELECT a.id FROM person AS a JOIN person AS b ON a.v = b.v ORDER BY 1;
-- To another column: an erased value becomes NULL.
CREATE TABLE other (v steward.encrypted_text('erase/other.v'));
INSERT INTO other SELECT v FROM person ORDER BY id;
SELECT v IS NULL AS is_null, v::text FROM other ORDER BY 2 NULLS FIRST;
-- It is still bound there.
SELECT steward.shred_subject('person', 'dan');
SELECT v::text FROM other WHERE v IS NOT NULL ORDER BY 1;

-- ---- forgeries: nothing but its own tombstone says that somebody was erased ----
CREATE TEMPORARY TABLE kept AS SELECT * FROM steward.subject_key;
CREATE FUNCTION number(key text) RETURNS uuid LANGUAGE sql AS $$ SELECT encode(substring(decode(rpad(translate(substr(format('%s', v), 6), '-_', '+/'), (length(format('%s', v)) - 5 + 3) / 4 * 4, '='), 'base64'), 13, 16), 'hex')::uuid FROM erase.person WHERE id = key $$;
CREATE FUNCTION put_back() RETURNS void LANGUAGE sql AS $$ UPDATE steward.subject_key AS s SET wrapped = k.wrapped, erased_at = k.erased_at FROM kept AS k WHERE s.subject = k.subject AND (s.wrapped, s.erased_at) IS DISTINCT FROM (k.wrapped, k.erased_at) $$;
-- a tombstone on somebody who is alive
UPDATE steward.subject_key SET erased_at = now() WHERE subject = number('eve');
SELECT v::text FROM person WHERE id = 'eve';
SELECT put_back();
UPDATE steward.subject_key SET erased_at = now(), wrapped = (SELECT wrapped FROM kept WHERE subject = number('cid')) WHERE subject = number('eve');
SELECT v::text FROM person WHERE id = 'eve';
SELECT put_back();
-- the secret of somebody else
UPDATE steward.subject_key SET wrapped = (SELECT wrapped FROM kept WHERE subject = number('ann')) WHERE subject = number('eve');
SELECT v::text FROM person WHERE id = 'eve';
SELECT put_back();
-- a tombstone without its date
UPDATE steward.subject_key SET erased_at = NULL, final_at = NULL WHERE subject = number('cid');
SELECT v::text FROM person WHERE id = 'cid';
SELECT put_back();
SELECT v::text FROM person WHERE id = 'cid';
UPDATE steward.subject_key SET wrapped = set_byte(wrapped, 60, get_byte(wrapped, 60) # 1) WHERE subject IN (number('eve'), number('cid'));
SELECT v::text FROM person WHERE id = 'eve';
SELECT v::text FROM person WHERE id = 'cid';
SELECT put_back();
-- erased_at alone does not hide a secret from shred_subject
UPDATE steward.subject_key SET erased_at = now() WHERE subject = number('eve');
BEGIN;
SELECT steward.shred_subject('person', 'eve');
SELECT v::text FROM person WHERE id = 'eve';
ROLLBACK;
SELECT put_back();
-- nobody at all
BEGIN;
DELETE FROM steward.subject_key WHERE subject = number('eve');
SELECT v::text FROM person WHERE id = 'eve';
ROLLBACK;
BEGIN;
TRUNCATE steward.subject_key;
SELECT v::text FROM person WHERE id = 'eve';
ROLLBACK;
SELECT v::text FROM person WHERE id = 'eve';
-- a header that names another subject
SELECT steward.grant_key('erase', 'erase_clerk', 'load');
SELECT overlay(decode(rpad(translate(substr(format('%s', v), 6), '-_', '+/'), (length(format('%s', v)) - 5 + 3) / 4 * 4, '='), 'base64') PLACING uuid_send(number('ann')) FROM 13) AS moved FROM person WHERE id = 'eve' \gset
SELECT 'stw1:' || rtrim(translate(encode(:'moved'::bytea, 'base64'), E'+/\n', '-_'), '=') AS moved \gset
SET ROLE erase_clerk;
SELECT :'moved'::steward.encrypted_text::text;
UPDATE person SET v = :'moved' WHERE id = 'eve';
UPDATE person SET v = :'moved' WHERE id = 'ann';
SELECT v::text FROM person WHERE id = 'ann';
RESET ROLE;

-- ---- more subjects than the cache holds ----
SET steward.subject_cache_size = 8;
TRUNCATE person;
INSERT INTO person SELECT 'many ' || i, 'value ' || i, ARRAY['w ' || i] FROM generate_series(1, 300) AS i;
CREATE TABLE few (id text, v steward.encrypted_text('erase/person.v'));
SELECT steward.bind_subject('few', 'person', 'id');
INSERT INTO few SELECT 'few ' || i % 5, 'again' FROM generate_series(1, 300) AS i;
SELECT count(*) FILTER (WHERE v::text = replace(id, 'many', 'value') AND (w[1])::text = replace(id, 'many', 'w')) AS many,
       (SELECT count(v::text) FROM few) AS few FROM person;
SELECT count(*) FROM person AS a JOIN person AS b ON a.v = b.v WHERE a.id LIKE 'many%' AND b.id LIKE 'many%';
SELECT bool_and(steward.shred_subject('person', 'many ' || i)) FROM generate_series(1, 300, 3) AS i;
SELECT count(v::text) FROM person WHERE id LIKE 'many%';
SET steward.subject_cache_size = 1000;
SELECT count(v::text) FROM person WHERE id LIKE 'many%';
RESET steward.subject_cache_size;
SET ROLE erase_clerk;
SET steward.subject_cache_size = 100;
RESET ROLE;

-- ---- rows from before the binding ----
CREATE TABLE late (id int, v steward.encrypted_text('erase/late.v'), w steward.encrypted_text('erase/late.w')[]);
INSERT INTO late VALUES (1, 'one', '{1,NULL}'), (2, 'two', '{2}'), (3, NULL, '{}'), (NULL, 'nobody', NULL), (4, 'four', NULL), (5, 'five', NULL);
SELECT steward.bind_subject('late', 'late', 'id');
SELECT steward.shred_subject('late', '2');
SELECT id, v::text FROM late WHERE id = 2;
RESET client_min_messages;
CALL steward.reencrypt('late');
SET client_min_messages = error;
SELECT count(*) FROM steward.subject_key WHERE kind = 'late';
SELECT row_id, part, finding, detail FROM steward.verify_column('late', 'v');
SELECT row_id, part, finding, detail FROM steward.verify_column('late', 'w');
SELECT steward.shred_subject('late', '1');
SELECT id, v::text, w::text[] FROM late ORDER BY id;
SELECT steward.unbind_subject('late');
UPDATE late SET v = (SELECT v FROM late WHERE id = 5) WHERE id = 4;
DELETE FROM steward.subject_key WHERE subject = (SELECT encode(substring(decode(rpad(translate(substr(format('%s', v), 6), '-_', '+/'), (length(format('%s', v)) - 5 + 3) / 4 * 4, '='), 'base64'), 13, 16), 'hex')::uuid FROM late WHERE id = 5);
SELECT steward.bind_subject('late', 'late', 'id');
SELECT count(*) FILTER (WHERE finding = 'other subject') AS other, count(*) FILTER (WHERE finding = 'unknown subject') AS unknown, count(*) FILTER (WHERE finding = 'not bound') AS not_bound, count(*) AS findings FROM steward.verify_column('late', 'v');
CALL steward.reencrypt('late');

-- ---- parallel workers ----
ANALYZE person;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT count(set_config(name, 'on', false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT count(v::text) FROM person WHERE id LIKE 'many%';
SELECT count(set_config(name, 'off', false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');

SELECT steward.shred_subject('person', 'few 1');
SELECT id, count(v::text), count(*) FROM few GROUP BY id ORDER BY id;

DROP SCHEMA erase CASCADE;
DROP TABLE kept, passing;
SELECT steward.revoke_key('erase', 'erase_clerk', 'decrypt');
SELECT steward.revoke_key('erase', 'erase_clerk', 'load');
DROP ROLE erase_clerk;
DELETE FROM steward.subject_key;
