--
-- Retention policies that shred: which subjects expire, whose rows become unreadable, what keeps
-- them, and who may.
--
SET timezone = 'UTC';
SET client_min_messages = error;
\set SHOW_CONTEXT never
\set VERBOSITY terse
SELECT steward.create_key('rs') IS NULL AS made;
CREATE ROLE regress_rs_owner;
CREATE ROLE regress_rs_other;
GRANT EXECUTE ON FUNCTION steward.create_policy, steward.alter_policy, steward.drop_policy, steward.preview_policy TO regress_rs_owner;
GRANT EXECUTE ON PROCEDURE steward.run_policy TO regress_rs_owner;
CREATE SCHEMA rs;
GRANT ALL ON SCHEMA rs TO PUBLIC;
SET search_path = rs, public;

-- Subjects of one kind in four tables: by an integer in a partitioned one, a text, a numeric, and a char(n).
CREATE TABLE visit (gone int, customer int, at date, what steward.encrypted_text('rs/visit.what')) PARTITION BY LIST (customer);
CREATE TABLE visit_odd PARTITION OF visit FOR VALUES IN (1, 3, 5, 7, 9, 11);
CREATE TABLE visit_rest (at date, what steward.encrypted_text('rs/visit.what'), gone int, customer int);
ALTER TABLE visit_rest DROP COLUMN gone;
ALTER TABLE visit DROP COLUMN gone;
ALTER TABLE visit ATTACH PARTITION visit_rest DEFAULT;
CREATE TABLE note (whose text, body steward.encrypted_text('rs/note.body'), other text);
CREATE TABLE sum (whose numeric PRIMARY KEY, body steward.encrypted_text('rs/sum.body'));
CREATE TABLE code (whose char(8), body steward.encrypted_text('rs/code.body'));
CREATE TABLE stranger (id int, body steward.encrypted_text('rs/stranger.body'));
SELECT steward.bind_subject(t::regclass, k, c)
  FROM (VALUES ('visit', 'customer', 'customer'), ('note', 'customer', 'whose'), ('sum', 'customer', 'whose'), ('code', 'customer', 'whose'),
        ('stranger', 'customers', 'id')) AS v (t, k, c);
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE visit, note, sum, code, stranger;
    DELETE FROM steward.subject_key;
    INSERT INTO visit VALUES
        (1, '2001-01-01', 'one'), (1, '2002-01-01', 'one again'),      -- expired
        (2, '2001-01-01', 'two'), (2, current_date, 'two again'),      -- one fresh row
        (3, '2001-01-01', 'three'), (3, NULL, 'three again'),          -- no age
        (4, '2001-01-01', 'four'), (4, 'infinity', 'four again'),      -- for ever
        (5, '-infinity', 'five'),                                      -- and since ever
        (6, '2001-01-01', NULL),                                       -- nothing is encrypted
        (7, '2001-01-01', 'seven'),
        (8, '2003-03-03', 'eight'),
        (NULL, '2001-01-01', NULL);
    INSERT INTO note VALUES ('1', 'note of one', 'x'), ('1', NULL, 'empty'), ('01', 'another', 'x'), ('1 ', 'another', 'x'), ('2', 'note of two', 'x'),
        ('one', 'another', 'x'), ('99999999999999999999', 'another', 'x'), ('8', 'note of eight', 'x');
    INSERT INTO sum VALUES (1.00, 'sum of one'), (8, 'sum of eight'), (7.5, 'another');
    INSERT INTO code VALUES ('1', 'code of one'), ('1x', 'another');
    INSERT INTO stranger VALUES (1, 'a stranger');
$$;
SELECT fill();
CREATE VIEW readable AS
    SELECT 'visit' AS t, customer::text AS k, what::text AS v FROM visit UNION ALL SELECT 'note', whose, body::text FROM note
    UNION ALL SELECT 'sum', whose::text, body::text FROM sum UNION ALL SELECT 'code', whose::text, body::text FROM code
    UNION ALL SELECT 'stranger', id::text, body::text FROM stranger;
CREATE VIEW runs AS SELECT policy, action, rows, children, held, restricted, skipped, batches, state, sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- ---- what expires ----
SELECT steward.create_policy('old customers', 'visit', 'at', '1 year', 'shred', time_zone => 'UTC');
SELECT action, columns, archive FROM steward.policy WHERE name = 'old customers';
SELECT * FROM steward.preview_policy('old customers');
CALL steward.run_policy('old customers');
SELECT * FROM runs;
-- Their receipt: kind and key of each.
SELECT max(id) AS run FROM steward.policy_run \gset
SELECT b.root = steward.receipt_root(ARRAY(SELECT steward.receipt_leaf(:run, 'rs.visit', ARRAY['customer', k]) FROM unnest('{8,7,1}'::text[]) AS k)) AS receipt, b.rows
  FROM steward.policy_run_batch AS b WHERE b.run = :run;
SELECT * FROM steward.verify_receipt(:run);
SELECT t, string_agg(k, ',' ORDER BY k COLLATE "C") FILTER (WHERE v IS NULL) AS unreadable, count(v) AS readable FROM readable GROUP BY t ORDER BY t;
SELECT count(*), count(at) FROM visit;
SELECT count(*) FILTER (WHERE erased_at IS NULL) AS alive, count(erased_at) AS erased FROM steward.subject_key;
SELECT count(*) FROM steward.pending_erasure WHERE kind = 'customer';
-- Once is enough.
SELECT relation, action, rows, held, oldest, problem FROM steward.preview_policy('old customers');
CALL steward.run_policy('old customers');
SELECT rows, batches, state FROM runs;
-- No new value for who was erased; a row without one, and who was not.
INSERT INTO visit VALUES (1, current_date, 'again');
INSERT INTO visit VALUES (1, current_date, NULL), (9, '2001-01-01', 'nine');
CALL steward.run_policy('old customers');
SELECT rows, state FROM runs;

-- ---- filter, age as an expression, another type ----
SELECT fill();
SELECT steward.alter_policy('old customers', filter => 'what IS NOT NULL AND customer <> 8', age => 'coalesce(at, ''1999-09-09'')::timestamp');
SELECT action, rows, oldest, newest FROM steward.preview_policy('old customers') WHERE action = 'shred';
CALL steward.run_policy('old customers');
SELECT rows, state FROM runs;
SELECT DISTINCT customer FROM visit WHERE what::text IS NULL ORDER BY 1;
SELECT steward.alter_policy('old customers', filter => '', age => 'at');

-- ---- in a transaction block ----
SELECT fill();
BEGIN;
CALL steward.run_policy('old customers');
SELECT count(*) FROM visit WHERE what::text IS NULL;
ROLLBACK;
SELECT count(*) FROM visit WHERE what::text IS NULL;
BEGIN;
INSERT INTO visit VALUES (1, current_date, 'in this transaction');
CALL steward.run_policy('old customers');
COMMIT;
SELECT rows, skipped, state FROM runs;
SELECT count(what::text) FROM visit WHERE customer = 1;
BEGIN;
SELECT fill();
CALL steward.run_policy('old customers');
PREPARE TRANSACTION 'shredded';
SELECT fill();

-- ---- holds, in any table of the kind ----
CREATE FUNCTION release() RETURNS bigint LANGUAGE sql AS $$ SELECT count(steward.release_hold(id, 'tested')) FROM steward.active_hold $$;
ALTER SEQUENCE steward.hold_id_seq RESTART 8000;
SELECT steward.place_hold('visit', 'at = ''2002-01-01''', 'case'), steward.place_hold('sum', 'whose = 8', 'case'), steward.place_hold('stranger', NULL, 'case');
SELECT relation, action, rows, held, problem FROM steward.preview_policy('old customers');
CALL steward.run_policy('old customers');
SELECT rows, held, skipped, state FROM runs;
SELECT DISTINCT customer FROM visit WHERE what::text IS NULL AND what IS NOT NULL ORDER BY 1;
-- A predicate that fails holds, for these rows alone; one on a partition, by a column that it has elsewhere.
SELECT release();
SELECT fill();
SELECT steward.place_hold('note', '1 / (length(other) - 1) > 7', 'case'), steward.place_hold('visit_rest', 'at = ''2003-03-03''', 'case');
CALL steward.run_policy('old customers');
SELECT rows, held, state FROM runs;
SELECT release();
CALL steward.run_policy('old customers');
SELECT rows, held, state FROM runs;
-- All rows of a table: only subjects that have one there.
SELECT fill();
SELECT steward.place_hold('code', NULL, 'case');
CALL steward.run_policy('old customers');
SELECT rows, held, state FROM runs;
-- Its holds count though nothing is bound there any more: what was bound is so still.
ALTER TABLE code DISABLE TRIGGER "~~~~steward_bind_subject";
CALL steward.run_policy('old customers');
SELECT rows, held, state FROM runs;
SELECT release();
ALTER TABLE code ENABLE TRIGGER "~~~~steward_bind_subject";

-- ---- many, in batches; also without an index ----
TRUNCATE visit, note;
INSERT INTO visit SELECT n, '2001-01-01', 'visit ' || n FROM generate_series(1000, 1999) AS n;
INSERT INTO note SELECT n, 'note ' || n FROM generate_series(1000, 1999) AS n;
SELECT relation, action, rows, problem FROM steward.preview_policy('old customers');
CALL steward.run_policy('old customers');
SELECT rows, held, skipped, batches > 2 AS batches, state FROM runs;
SELECT count(what::text) FROM visit;
SELECT count(body::text) FROM note;

-- ---- whose rights ----
ALTER TABLE visit OWNER TO regress_rs_owner;
ALTER TABLE visit_odd OWNER TO regress_rs_owner;
ALTER TABLE visit_rest OWNER TO regress_rs_owner;
ALTER TABLE note OWNER TO regress_rs_other;
SELECT fill();
CALL steward.run_policy('old customers');
SELECT rows, state, sqlstate FROM runs;
SELECT count(*) FROM steward.preview_policy('old customers');
SELECT steward.create_policy('by a superuser', 'visit', 'at', '1 year', 'shred');
SET ROLE regress_rs_owner;
SELECT steward.create_policy('by the owner', 'visit', 'at', '1 year', 'shred');
SELECT steward.create_policy('by the owner', 'visit', 'at', '1 year');
SELECT steward.alter_policy('by the owner', action => 'shred');
SELECT steward.shred_subject('customer', '1');
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.shred_subject TO regress_rs_owner;
SET ROLE regress_rs_owner;
SELECT steward.alter_policy('by the owner', action => 'shred');
SELECT steward.drop_policy('by the owner');
SELECT relation, action, rows, held FROM steward.preview_policy('old customers');
-- A hold on another's table is asked as that one.
RESET ROLE;
CREATE FUNCTION seen(whose text) RETURNS bool STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN whose = '8' AND current_user = 'regress_rs_other'; END $$;
ALTER FUNCTION seen OWNER TO regress_rs_other;
SELECT steward.place_hold('note', 'seen(whose)', 'case') > 0 AS placed;
SET ROLE regress_rs_owner;
CALL steward.run_policy('old customers');
RESET ROLE;
SELECT rows, held, state FROM runs;
SELECT release();

-- ---- what is refused ----
CREATE TABLE loose (id int, at date);
SELECT steward.create_policy('p', 'loose', 'at', '1 year', 'shred');
CREATE TABLE parent (id int, at date, body steward.encrypted_text('rs/parent.body'));
CREATE TABLE child () INHERITS (parent);
SELECT steward.bind_subject('parent', 'parent', 'id');
SELECT steward.create_policy('p', 'parent', 'at', '1 year', 'shred');
SELECT steward.bind_subject('child', 'child', 'id');
SELECT steward.create_policy('p', 'parent', 'at', '1 year', 'shred');
SELECT steward.unbind_subject('child');
SELECT steward.bind_subject('child', 'parent', 'id');
SELECT steward.create_policy('p', 'parent', 'at', '1 year', 'shred', children => '{}');
SELECT steward.create_policy('p', 'parent', 'at', '1 year', 'shred', columns => '{"id": "null"}');
SELECT steward.create_policy('p', 'parent', 'at', '1 year', 'shred', archive => 'loose');
SELECT steward.create_policy('parents', 'parent', 'at', '1 year', 'shred');
-- A row in a child that is fresh keeps its subject, and a subject without a secret is none.
INSERT INTO parent VALUES (1, '2001-01-01'), (2, '2001-01-01');
INSERT INTO child VALUES (1, current_date, NULL), (1, '2001-01-01', 'one'), (2, '2001-01-01', 'two'), (3, '2001-01-01', NULL);
SELECT relation, action, rows FROM steward.preview_policy('parents');
CALL steward.run_policy('parents');
SELECT rows, state FROM runs;
SELECT id, body::text FROM child ORDER BY id, 2;
ALTER TABLE child DISABLE TRIGGER "~~~~steward_bind_subject";
CALL steward.run_policy('parents');
ALTER TABLE child ENABLE TRIGGER "~~~~steward_bind_subject";
SELECT steward.unbind_subject('parent');
CALL steward.run_policy('parents');
SELECT rows, state, sqlstate FROM runs;

-- ---- keys of every type, against subjects that are spelt like none of them ----
CREATE DOMAIN small AS int2 CHECK (VALUE > 0);
CREATE TABLE every (who text, at date DEFAULT '2001-01-01', body steward.encrypted_text('rs/every.body'));
CREATE TABLE key_small (k small, body steward.encrypted_text('rs/every.body'));
CREATE TABLE key_big (k int8, body steward.encrypted_text('rs/every.body'));
CREATE TABLE key_numeric (k numeric(30, 3), body steward.encrypted_text('rs/every.body'));
CREATE TABLE key_varchar (k varchar(20), body steward.encrypted_text('rs/every.body'));
CREATE TABLE key_char (k char(40), body steward.encrypted_text('rs/every.body'));
CREATE TABLE key_name (k name, body steward.encrypted_text('rs/every.body'));
CREATE TABLE key_uuid (k uuid, body steward.encrypted_text('rs/every.body'));
SELECT steward.bind_subject('every', 'every', 'who');
SELECT steward.bind_subject(('key_' || t)::regclass, 'every', 'k') FROM unnest('{small,big,numeric,varchar,char,name,uuid}'::text[]) AS t;
INSERT INTO every (who, body) SELECT who, 'body' FROM (VALUES ('1'), ('-1'), ('+1'), ('1.5'), ('1.50'), ('1e3'), ('1000'), ('NaN'), ('Infinity'), (''), (' '), ('x '), ('32768'), ('9223372036854775808'),
    ('0b1e6d8c-0d5c-4b0e-9f0a-2f6d3c1b7a55'), ('0B1E6D8C-0D5C-4B0E-9F0A-2F6D3C1B7A55'), (repeat('9', 200000)), (repeat('n', 70)), ('-'), ('.5'), ('1.')) AS v (who);
INSERT INTO key_small (k) VALUES (1), (1000);
INSERT INTO key_big (k) VALUES (1), (32768), (-1);
INSERT INTO key_numeric (k) VALUES (1), (1.5), (1000), (9223372036854775808), ('NaN');
INSERT INTO key_varchar (k) VALUES ('x '), ('1'), ('');
INSERT INTO key_char (k) VALUES ('1'), ('x'), ('');
INSERT INTO key_name (k) VALUES ('1'), (repeat('n', 70));
INSERT INTO key_uuid (k) VALUES ('0b1e6d8c-0d5c-4b0e-9f0a-2f6d3c1b7a55');
UPDATE key_small SET body = 'body';
UPDATE key_big SET body = 'body';
UPDATE key_numeric SET body = 'body';
UPDATE key_varchar SET body = 'body';
UPDATE key_char SET body = 'body';
UPDATE key_name SET body = 'body';
UPDATE key_uuid SET body = 'body';
SELECT steward.create_policy('every', 'every', 'at', '1 year', 'shred');
SELECT relation, action, rows FROM steward.preview_policy('every') ORDER BY relation::text COLLATE "C", action COLLATE "C";
CALL steward.run_policy('every');
SELECT rows, state FROM runs;
SELECT (SELECT count(body::text) FROM every) AS every, (SELECT count(body::text) FROM key_small) AS small, (SELECT count(body::text) FROM key_big) AS big,
    (SELECT count(body::text) FROM key_numeric) AS numeric, (SELECT count(body::text) FROM key_varchar) AS varchar, (SELECT count(body::text) FROM key_char) AS char, (SELECT count(body::text) FROM key_name) AS name, (SELECT count(body::text) FROM key_uuid) AS uuid;

-- Nobody has a lane any more.
SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'steward.subject_key'::regclass;
SELECT steward.drop_policy(name) FROM steward.policy ORDER BY name;
DROP SCHEMA rs CASCADE;
DELETE FROM steward.hold;
DELETE FROM steward.policy_run_log;
DELETE FROM steward.subject_key;
REVOKE ALL ON FUNCTION steward.create_policy, steward.alter_policy, steward.drop_policy, steward.preview_policy, steward.shred_subject FROM regress_rs_owner;
REVOKE ALL ON PROCEDURE steward.run_policy FROM regress_rs_owner;
DROP ROLE regress_rs_owner;
DROP ROLE regress_rs_other;
