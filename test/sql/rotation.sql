-- New versions of keys, moving values to them, and destroying old versions.
\set VERBOSITY default
CREATE ROLE rotation_owner;
CREATE ROLE rotation_other;
CREATE SCHEMA rotation AUTHORIZATION rotation_owner;
SET search_path = rotation;
GRANT USAGE ON SCHEMA rotation TO rotation_other;
GRANT EXECUTE ON PROCEDURE steward.reencrypt TO rotation_owner;

-- Which version is a value under?
CREATE FUNCTION version_of(armour text) RETURNS integer LANGUAGE sql AS $$
    SELECT version FROM steward.key_version
     WHERE key_tag = ('x' || encode(substr(decode(rpad(translate(substr(armour, 6, 24), '-_', '+/'), 24, '='), 'base64'), 9, 4), 'hex'))::bit(32)::bigint
$$;
CREATE FUNCTION armour(value steward.encrypted_text) RETURNS text LANGUAGE sql AS
    $$ SELECT textin(steward.encrypted_text_out(value)) $$;

-- ------------------------------------------------------------- rotate_key --

SELECT steward.create_key('rotation');
CREATE TABLE rotated (id integer, v steward.encrypted_text('rotation/rotated.v'));
PREPARE add(integer) AS INSERT INTO rotated VALUES ($1, 'value ' || $1);
EXECUTE add(1);
SELECT steward.rotate_key('rotation');
EXECUTE add(2);
INSERT INTO rotated VALUES (3, 'value 3');
SELECT id, v::text, version_of(armour(v)) FROM rotated ORDER BY id;
BEGIN;
SELECT steward.rotate_key('rotation');
EXECUTE add(4);
SELECT id, v::text, version_of(armour(v)) FROM rotated ORDER BY id;
ROLLBACK;
EXECUTE add(5);
SELECT id, v::text, version_of(armour(v)) FROM rotated ORDER BY id;
SELECT v = 'value 1', v = (SELECT v FROM rotated WHERE id = 2), steward.encrypt_text('value 1', 'rotation/rotated.v') = v FROM rotated WHERE id = 1;

SELECT steward.rotate_key('rotation/rotated.v');
SELECT steward.rotate_key('rotation_unknown');
SELECT steward.rotate_key('ro tation');
SET ROLE rotation_other;
SELECT steward.rotate_key('rotation');
SELECT steward.destroy_key_version('rotation', 1);
CALL steward.rotate_root_key();
SELECT * FROM steward.key_status;
SELECT * FROM steward.reencryption;
SELECT * FROM steward.key_destruction;
RESET ROLE;

-- -------------------------------------------------------------- reencrypt --

SET ROLE rotation_owner;
CREATE DOMAIN short AS steward.encrypted_text('rotation/short');
CREATE TYPE pair AS (a steward.encrypted_text('rotation/pair.a'), n integer, list steward.encrypted_text('rotation/pair.list')[]);
CREATE TABLE everything (
    id integer PRIMARY KEY,
    gone text,
    gone_too steward.encrypted_text('rotation/gone'),
    one steward.encrypted_text('rotation/one'),
    many steward.encrypted_text('rotation/many')[],
    short short,
    shorts short[],
    pair pair,
    pairs pair[],
    big steward.encrypted_text('rotation/big'),
    note text DEFAULT 'plain'
);
ALTER TABLE everything DROP COLUMN gone, DROP COLUMN gone_too, ADD COLUMN late integer DEFAULT 7, ADD COLUMN empty steward.encrypted_text('rotation/empty');
INSERT INTO everything (id, one, many, short, shorts, pair, pairs, big)
SELECT n, 'one ' || n, ARRAY['a' || n, NULL, 'b' || n]::steward.encrypted_text('rotation/many')[], 's' || n, ARRAY['t' || n]::text[]::short[],
       ROW('pa' || n, n, ARRAY['pl' || n]::steward.encrypted_text('rotation/pair.list')[])::pair,
       ARRAY[ROW('qa' || n, n, NULL)::pair, NULL], CASE WHEN n % 50 = 0 THEN repeat('big', 3000) END
  FROM generate_series(1, 200) AS n;
INSERT INTO everything (id) VALUES (201);
CREATE INDEX everything_note ON everything (note) WHERE one IS NOT NULL;
CREATE TABLE audited (id integer PRIMARY KEY, v steward.encrypted_text('rotation/audited.v'));
INSERT INTO audited VALUES (1, 'audited');
RESET ROLE;
CREATE UNIQUE INDEX everything_one ON everything (one steward.encrypted_unique_ops);

-- Everything that opens, in one line.
CREATE VIEW opened AS
SELECT count(*) AS rows, count(*) FILTER (WHERE one::text = 'one ' || id) AS one,
       count(*) FILTER (WHERE many::text[] = ARRAY['a' || id, NULL, 'b' || id]) AS many,
       count(*) FILTER (WHERE short::text = 's' || id) AS short, count(*) FILTER (WHERE shorts[1]::text = 't' || id) AS shorts,
       count(*) FILTER (WHERE (pair).a::text = 'pa' || id AND (pair).n = id AND (pair).list[1]::text = 'pl' || id) AS pair,
       count(*) FILTER (WHERE pairs[1].a::text = 'qa' || id AND pairs[2] IS NULL) AS pairs,
       count(*) FILTER (WHERE big::text = repeat('big', 3000)) AS big,
       count(*) FILTER (WHERE note = 'plain' AND late = 7 AND empty IS NULL) AS rest
  FROM everything;
SELECT * FROM opened;

-- No trigger of a user fires, no policy hides a row, no rule is asked, whatever
-- the session says.
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired'; END $$;
CREATE TRIGGER fired BEFORE UPDATE ON everything FOR EACH ROW EXECUTE FUNCTION fired();
CREATE TRIGGER always AFTER UPDATE ON everything FOR EACH ROW EXECUTE FUNCTION fired();
ALTER TABLE everything ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER statement BEFORE UPDATE ON everything EXECUTE FUNCTION fired();
CREATE RULE nothing AS ON UPDATE TO everything DO INSTEAD NOTHING;
ALTER TABLE everything ENABLE ROW LEVEL SECURITY;
ALTER TABLE everything FORCE ROW LEVEL SECURITY;
ALTER TABLE everything ADD CHECK (id > 1000) NOT VALID;
SELECT steward.enable_audit('audited');
SELECT count(*) AS records FROM steward.audit_record WHERE schema_version > 0 \gset

-- The owner may, though it may not decrypt.
SELECT steward.rotate_key('rotation');
SET session_replication_role = replica;
SET ROLE rotation_owner;
SELECT count(*) FROM everything;
ALTER TABLE everything NO FORCE ROW LEVEL SECURITY;
SELECT one::text FROM everything WHERE id = 1;
ALTER TABLE everything FORCE ROW LEVEL SECURITY;
CALL steward.reencrypt('everything');
ALTER TABLE everything NO FORCE ROW LEVEL SECURITY;
SELECT one::text FROM everything WHERE id = 1;
RESET ROLE;
RESET session_replication_role;
CALL steward.reencrypt('audited');
SELECT * FROM opened;
SELECT version_of(armour(one)), version_of(armour(many[1])), version_of(armour(many[3])), version_of(armour(short)),
       version_of(armour(shorts[1])), version_of(armour((pair).a)), version_of(armour((pair).list[1])), version_of(armour(pairs[1].a)), version_of(armour(big)), count(*)
  FROM everything GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 10;
SELECT count(*) - :records AS audit_records FROM steward.audit_record WHERE schema_version > 0;
SELECT v::text, version_of(armour(v)) FROM audited;

-- The index finds what it found, and keeps out what it kept out.
SET enable_seqscan = off;
SELECT id FROM everything WHERE one = 'one 77';
RESET enable_seqscan;
ALTER TABLE everything DROP CONSTRAINT everything_id_check;
DROP RULE nothing ON everything;
\set VERBOSITY terse
INSERT INTO everything (id, one) VALUES (300, 'one 77');
\set VERBOSITY default
INSERT INTO everything (id, one) VALUES (300, 'one 77') ON CONFLICT (one) DO NOTHING;

-- Calling it again reads and writes nothing.
SELECT sum(hashtext(ctid::text || xmin::text)) AS state FROM everything \gset
CALL steward.reencrypt('everything', pause => 1);
SELECT sum(hashtext(ctid::text || xmin::text)) = :state AS untouched FROM everything;

SELECT name, called_by = session_user AS called_by, state, finished_at IS NOT NULL AS finished, blocks_done = blocks_total AS whole, rows, values, batches, remaining
  FROM steward.reencryption WHERE relation = 'everything'::regclass ORDER BY id;
SELECT * FROM steward.reencryption_progress;

-- Partitions, inheritance, unlogged and temporary tables.
CREATE TABLE part (id integer, v steward.encrypted_text('rotation/part.v')) PARTITION BY RANGE (id);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE UNLOGGED TABLE part_high (v steward.encrypted_text('rotation/part.v'), id integer);
ALTER TABLE part ATTACH PARTITION part_high FOR VALUES FROM (10) TO (100);
INSERT INTO part SELECT n, 'part ' || n FROM generate_series(1, 20) AS n;
CREATE TABLE heir (more steward.encrypted_text('rotation/heir.more')) INHERITS (rotated);
INSERT INTO heir VALUES (6, 'value 6', 'more');
CREATE TEMPORARY TABLE passing (v steward.encrypted_text('rotation/passing.v'));
INSERT INTO passing VALUES ('passing');
SELECT steward.rotate_key('rotation');
CALL steward.reencrypt('part_low');
SELECT tableoid::regclass, version_of(armour(v)), count(*) FROM part GROUP BY 1, 2 ORDER BY 1;
CALL steward.reencrypt('part');
SELECT tableoid::regclass, version_of(armour(v)), count(*), bool_and(v::text = 'part ' || id) FROM part GROUP BY 1, 2 ORDER BY 1;
CALL steward.reencrypt('rotated');
SELECT id, v::text, version_of(armour(v)) FROM rotated ORDER BY id;
SELECT version_of(armour(more)) FROM heir;
CALL steward.reencrypt('passing');
SELECT v::text, version_of(armour(v)) FROM passing;

-- A value that cannot be opened is left, counted and told of.
SELECT overlay(armour(v) PLACING CASE substr(armour(v), 40, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM 40 FOR 1) AS altered FROM rotated WHERE id = 2 \gset
INSERT INTO rotated VALUES (99, :'altered');
SELECT steward.rotate_key('rotation');
CALL steward.reencrypt('rotated');
SELECT id, version_of(armour(v)) FROM rotated ORDER BY id;
DELETE FROM rotated WHERE id = 99;
CALL steward.reencrypt('rotated');

-- A table that subscribers could not follow, and a foreign one.
SET client_min_messages = error;
CREATE PUBLICATION rotation_pub FOR TABLE rotated;
RESET client_min_messages;
CALL steward.reencrypt('rotated');
DROP PUBLICATION rotation_pub;
CREATE FOREIGN DATA WRAPPER rotation_far;
CREATE SERVER rotation_far FOREIGN DATA WRAPPER rotation_far;
CREATE TABLE far (id integer, v steward.encrypted_text('rotation/far.v')) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE far_part PARTITION OF far FOR VALUES FROM (0) TO (9) SERVER rotation_far;
CALL steward.reencrypt('far');
DROP TABLE far;
DROP SERVER rotation_far;
DROP FOREIGN DATA WRAPPER rotation_far;

-- Who may, and what it refuses.
SET ROLE rotation_other;
CALL steward.reencrypt('everything');
RESET ROLE;
GRANT EXECUTE ON PROCEDURE steward.reencrypt TO rotation_other;
SET ROLE rotation_other;
CALL steward.reencrypt('everything');
RESET ROLE;
CREATE TABLE plain (a text);
CREATE VIEW seen AS SELECT v FROM rotated;
CREATE MATERIALIZED VIEW kept AS SELECT v FROM rotated;
CALL steward.reencrypt('plain');
CALL steward.reencrypt('seen');
CALL steward.reencrypt('kept');
CALL steward.reencrypt(NULL);
CALL steward.reencrypt('rotated', NULL);
CALL steward.reencrypt('rotated', -1);
BEGIN;
CALL steward.reencrypt('rotated');
ROLLBACK;
DO $$ DECLARE rows bigint; remaining bigint; BEGIN CALL steward.reencrypt('rotated', 0, rows, remaining); RAISE NOTICE '% and %', rows, remaining; END $$;
DO $$ DECLARE rows bigint; remaining bigint; BEGIN CALL steward.reencrypt('rotated', 0, rows, remaining); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END $$;
SET default_transaction_read_only = on;
CALL steward.reencrypt('rotated');
CALL steward.rotate_root_key();
SELECT steward.destroy_key_version('rotation', 1);
RESET default_transaction_read_only;
DROP MATERIALIZED VIEW kept;

-- ----------------------------------------------------- destroy_key_version --

SELECT version, state, values FROM steward.key_status WHERE key = 'rotation' ORDER BY version;
SELECT steward.destroy_key_version('rotation', 99);
SELECT steward.destroy_key_version('rotation', 5);
SELECT steward.destroy_key_version('rotation/one', 1);
-- nothing was left under 1 by any of these tables
SELECT steward.destroy_key_version('rotation', 1);
SELECT steward.destroy_key_version('rotation', 1);
-- everything is under 3, the partitions under 4, and an index still has 2
SELECT steward.destroy_key_version('rotation', 2);
SELECT steward.destroy_key_version('rotation', 3);
CALL steward.reencrypt('everything');
CALL steward.reencrypt('audited');
SELECT steward.destroy_key_version('rotation', 3);
REINDEX INDEX everything_one;
SELECT steward.destroy_key_version('rotation', 2);
SELECT steward.destroy_key_version('rotation', 3);
SELECT * FROM opened;

-- Not in the transaction that made the newer version: others do not have it yet.
BEGIN;
SELECT steward.rotate_key('rotation');
SELECT steward.destroy_key_version('rotation', 5);
ROLLBACK;

-- Values in this transaction's own past, in materialized views, in arrays.
CREATE MATERIALIZED VIEW kept AS SELECT v FROM part;
CALL steward.reencrypt('passing');
CALL steward.reencrypt('part');
CALL steward.reencrypt('audited');
SELECT steward.destroy_key_version('rotation', 4);
REFRESH MATERIALIZED VIEW kept;
SELECT steward.rotate_key('rotation');
CREATE TABLE listed (v steward.encrypted_text('rotation/listed.v')[]);
SELECT steward.destroy_key_version('rotation', 4);
CREATE TABLE mine AS SELECT steward.encrypt_text('mine', 'rotation/mine')::steward.encrypted_text('rotation/mine') AS v;
SELECT steward.rotate_key('rotation');
CALL steward.reencrypt('everything');
CALL steward.reencrypt('part');
CALL steward.reencrypt('rotated');
CALL steward.reencrypt('audited');
CALL steward.reencrypt('passing');
REFRESH MATERIALIZED VIEW kept;
REINDEX INDEX everything_one;
BEGIN;
DELETE FROM mine;
SELECT steward.destroy_key_version('rotation', 6);
ROLLBACK;
SELECT steward.destroy_key_version('rotation', 6);
DELETE FROM mine;
SELECT steward.destroy_key_version('rotation', 6);

-- By force. What was under it is gone, and says so.
INSERT INTO listed SELECT ARRAY[v::text]::steward.encrypted_text('rotation/listed.v')[] FROM part WHERE id = 2;
SELECT steward.create_key('rotation_forced');
CREATE TABLE forced (id integer, v steward.encrypted_text('rotation_forced/v'), list steward.encrypted_text('rotation_forced/list')[]);
INSERT INTO forced VALUES (1, 'lost', ARRAY['lost too', NULL]::steward.encrypted_text('rotation_forced/list')[]);
SELECT armour(v) AS lost FROM forced \gset
SELECT steward.rotate_key('rotation_forced');
INSERT INTO forced VALUES (2, 'kept', NULL);
SELECT steward.destroy_key_version('rotation_forced', 1);
SELECT steward.destroy_key_version('rotation_forced', 1, force => true);
\set VERBOSITY terse
SELECT v::text FROM forced WHERE id = 1;
SELECT v = 'lost' FROM forced WHERE id = 1;
INSERT INTO forced VALUES (3, :'lost');
\set VERBOSITY default
SELECT v::text FROM forced WHERE id = 2;
CALL steward.reencrypt('forced');
SELECT k.path, d.version, d.destroyed_by = session_user AS destroyed_by, forced, values_left
  FROM steward.key_destruction AS d JOIN steward.key AS k USING (key_id) WHERE k.path LIKE 'rotation%' ORDER BY 1, 2;
SELECT key, version, state, root IS NULL AS no_root, root_is_current, destroyed_at IS NOT NULL AS destroyed, values
  FROM steward.key_status WHERE key LIKE 'rotation%' ORDER BY key, version;
SELECT wrapped IS NULL AND root_id IS NULL AS gone FROM steward.key_version WHERE destroyed_at IS NOT NULL GROUP BY 1;

-- Numbers are not used again.
SELECT steward.rotate_key('rotation_forced');

RESET search_path;
SET client_min_messages = warning;
SELECT steward.disable_audit('rotation.audited');
DROP SCHEMA rotation CASCADE;
DROP TABLE pg_temp.passing;
REVOKE EXECUTE ON PROCEDURE steward.reencrypt FROM rotation_owner, rotation_other;
DROP ROLE rotation_owner, rotation_other;
DELETE FROM steward.key_version AS v USING steward.key AS k WHERE v.key_id = k.key_id AND k.path LIKE 'rotation%';
DELETE FROM steward.key_secret AS s USING steward.key AS k WHERE s.kind = 2 AND s.key_id = k.key_id AND k.path LIKE 'rotation%';
DELETE FROM steward.key WHERE path LIKE 'rotation%';
DELETE FROM steward.reencryption;
DELETE FROM steward.key_destruction;
