--
-- Receipts of retention runs: what a run destroyed, as hashes that who has the keys can compute
-- again. They are computed here in SQL, from docs/formats.md and keys that are kept before.
--
SET timezone = 'Asia/Tokyo';
SET datestyle = 'German';
SET bytea_output = 'escape';
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE FUNCTION rr_field(t text) RETURNS bytea LANGUAGE sql RETURN int4send(octet_length(convert_to(t, 'UTF8'))) || convert_to(t, 'UTF8');
CREATE FUNCTION rr_leaf(run bigint, action text, name text, VARIADIC key text[]) RETURNS bytea LANGUAGE sql
    RETURN sha256('pg_steward/receipt/1'::bytea || (SELECT salt FROM steward.policy_run_log WHERE id = run) || rr_field(action)
        || rr_field('public') || rr_field(name) || (SELECT string_agg(rr_field(k), '' ORDER BY n) FROM unnest(key) WITH ORDINALITY AS u (k, n)));
-- RFC 6962, over hashes of leaves.
CREATE FUNCTION rr_tree(hashes bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    n int := cardinality(hashes);
    k int := 1;
BEGIN
    IF n = 1 THEN
        RETURN hashes[1];
    END IF;
    WHILE 2 * k < n LOOP
        k := 2 * k;
    END LOOP;
    RETURN sha256('\x01'::bytea || rr_tree(hashes[:k]) || rr_tree(hashes[k + 1:]));
END$$;
CREATE FUNCTION rr_root(leaves bytea[]) RETURNS bytea LANGUAGE sql
    RETURN rr_tree((SELECT array_agg(sha256('\x00'::bytea || l) ORDER BY l) FROM unnest(leaves) AS l));
CREATE FUNCTION rr_run() RETURNS bigint LANGUAGE sql STABLE RETURN (SELECT max(id) FROM steward.policy_run);
-- Everything about the last run that must hold for each.
CREATE VIEW rr_sound AS
    SELECT r.rows, r.children, r.state, r.rows + r.children = (SELECT sum(b.rows) FROM steward.policy_run_batch AS b WHERE b.run = r.id) AS counted,
           r.root = (SELECT rr_tree(array_agg(sha256('\x00'::bytea || int8send(b.batch) || int8send(b.rows) || b.root) ORDER BY b.batch))
                       FROM steward.policy_run_batch AS b WHERE b.run = r.id) AS rooted,
           (SELECT count(*) FROM steward.verify_receipt(r.id)) AS findings
      FROM steward.policy_run AS r WHERE r.id = rr_run();

-- A key of several columns, with instants and characters of all kinds; children with and without a key.
CREATE TABLE rr_visit (gone int, place text, body text, at timestamptz, seen date, PRIMARY KEY (at, place));
ALTER TABLE rr_visit DROP COLUMN gone;
CREATE TABLE rr_note (at timestamptz, place text, n float8, raw bytea, more jsonb, twice float8 GENERATED ALWAYS AS (n * 2) STORED,
    FOREIGN KEY (at, place) REFERENCES rr_visit);
CREATE TABLE rr_photo (at timestamptz, place text, id uuid PRIMARY KEY, CONSTRAINT photo FOREIGN KEY (at, place) REFERENCES rr_visit);
INSERT INTO rr_visit (place, body, at, seen) VALUES
    ('', 'a', '2001-01-01 00:00+00', '2001-01-01'), ('it''s "a\b", {c}', 'b', '2001-06-01 12:00:00.123456+00', '2001-01-01'),
    ('Zürich', 'c', 'infinity', '2001-01-01'), ('kept', 'd', '2001-01-02 00:00 BC', now()), ('bc', 'e', '2001-01-02 00:00 BC', '2001-01-01');
INSERT INTO rr_note SELECT at, place, 1 / 3.0, '\xc3ff00', '{"b": 1, "a": null}' FROM rr_visit;
INSERT INTO rr_note SELECT at, place, 1 / 3.0, '\xc3ff00', '{"b": 1, "a": null}' FROM rr_visit WHERE place = '';
INSERT INTO rr_note (at, place) SELECT at, place FROM rr_visit WHERE place = 'bc';
INSERT INTO rr_photo SELECT at, place, md5(place)::uuid FROM rr_visit;
SELECT steward.create_policy('visits', 'rr_visit', 'seen', '1 year', time_zone => 'Europe/Berlin',
    children => '{"rr_note": "cascade", "rr_photo": "set null"}');
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET bytea_output = 'hex';
CREATE TABLE rr_keys AS
    SELECT 'delete' AS action, 'rr_visit' AS name, ARRAY[place, (at AT TIME ZONE 'UTC')::text] AS key FROM rr_visit WHERE place <> 'kept'
    UNION ALL SELECT 'delete', 'rr_note', ARRAY[ROW(at AT TIME ZONE 'UTC', place, n, raw, more)::text] FROM rr_note WHERE place <> 'kept'
    UNION ALL SELECT 'set null', 'rr_photo', ARRAY[id::text] FROM rr_photo WHERE place <> 'kept';
SET timezone = 'Asia/Tokyo';
SET datestyle = 'German';
SET bytea_output = 'escape';
CALL steward.run_policy('visits');
SELECT * FROM rr_sound;
SELECT place FROM rr_visit;
SELECT action, name, count(*) FROM rr_keys GROUP BY 1, 2 ORDER BY 1, 2;
SELECT b.root = (SELECT rr_root(array_agg(rr_leaf(b.run, action, name, VARIADIC key))) FROM rr_keys) AS by_sql,
       b.root = (SELECT steward.receipt_root(array_agg(steward.receipt_leaf(b.run, 'public.' || name, key, action))) FROM rr_keys) AS by_functions,
       b.root = (SELECT steward.receipt_root(array_agg(steward.receipt_leaf(b.run, 'public.' || name, key, action))) FROM rr_keys WHERE key <> '{"",2001-01-01 00:00:00}') AS one_less,
       b.root = (SELECT steward.receipt_root(array_agg(steward.receipt_leaf(b.run, 'public.' || name, key))) FROM rr_keys) AS other_action,
       b.rows = (SELECT count(*) FROM rr_keys) AS rows
  FROM steward.policy_run_batch AS b WHERE b.run = rr_run();
SELECT count(DISTINCT rr_leaf(rr_run(), action, name, VARIADIC key)) AS distinct_leaves FROM rr_keys;
-- Nobody is shown the salt, and runs have different ones.
SELECT attrelid::regclass FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
 WHERE attname = 'salt' AND relnamespace = 'steward'::regnamespace AND relkind IN ('r', 'v') AND relname LIKE 'policy%';
SELECT count(*) = count(DISTINCT salt) AND bool_and(length(salt) = 32) AS salted FROM steward.policy_run_log WHERE cutoff IS NOT NULL;

-- Many batches; a trigger keeps some rows, which are in no receipt.
CREATE TABLE rr_many (id bigint PRIMARY KEY, seen date);
CREATE FUNCTION rr_keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN CASE WHEN OLD.id % 100 <> 0 THEN OLD END; END$$;
CREATE TRIGGER rr_keep BEFORE DELETE ON rr_many FOR EACH ROW EXECUTE FUNCTION rr_keep();
INSERT INTO rr_many SELECT n, '2001-01-01' FROM generate_series(1, 1000) AS n;
SELECT steward.create_policy('many', 'rr_many', 'seen', '1 year');
CALL steward.run_policy('many');
SELECT * FROM rr_sound;
SELECT count(*) > 1 AS several, min(batch), count(*) = max(batch) AS in_order, count(DISTINCT root) = count(*) AS different FROM steward.policy_run_batch WHERE run = rr_run();
DROP TRIGGER rr_keep ON rr_many;

-- In somebody's transaction, with what he does.
BEGIN;
CALL steward.run_policy('many');
SELECT * FROM rr_sound;
SELECT root = rr_root((SELECT array_agg(rr_leaf(rr_run(), 'delete', 'rr_many', (n * 100)::text)) FROM generate_series(1, 10) AS n)) AS right,
       xid = pg_current_xact_id() AS mine FROM steward.policy_run_batch WHERE run = rr_run();
ROLLBACK;
SELECT count(*) FROM rr_many;
CALL steward.run_policy('many');
CALL steward.run_policy('many');
-- One that had nothing to do.
SELECT root IS NULL AS no_root, batches, (SELECT count(*) FROM steward.verify_receipt(id)) AS findings FROM steward.policy_run WHERE id = rr_run();

-- Overwritten and moved; a partition has its own name, a column of any name is a key.
CREATE TABLE rr_order ("the ""Id""" int, seen timestamptz, who text, PRIMARY KEY (seen, "the ""Id""")) PARTITION BY RANGE (seen);
CREATE TABLE rr_order1 (who text, seen timestamptz NOT NULL, "the ""Id""" int NOT NULL);
ALTER TABLE rr_order ATTACH PARTITION rr_order1 FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
CREATE TABLE rr_order2 PARTITION OF rr_order DEFAULT;
INSERT INTO rr_order SELECT n, '2001-03-01 00:00+00'::timestamptz + n * interval '40 days', 'who ' || n FROM generate_series(1, 20) AS n;
CREATE TABLE rr_past (LIKE rr_order);
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE TABLE rr_orders AS SELECT tableoid::regclass::text AS name, seen::timestamp::text AS at, "the ""Id"""::text AS id FROM rr_order;
SELECT steward.create_policy('orders', 'rr_order', 'seen', '1 year', 'anonymize', columns => '{"who": "null"}');
CALL steward.run_policy('orders');
SELECT * FROM rr_sound;
CREATE FUNCTION rr_orders(run bigint, action text, part text) RETURNS bytea LANGUAGE sql
    RETURN (SELECT rr_root(array_agg(rr_leaf(run, action, name, VARIADIC CASE WHEN name = 'rr_order1' THEN ARRAY[at, id] ELSE ARRAY[id, at] END)))
              FROM rr_orders WHERE name = part);
SELECT batch, rows, root = rr_orders(run, 'anonymize', CASE batch WHEN 1 THEN 'rr_order1' ELSE 'rr_order2' END) AS right
  FROM steward.policy_run_batch WHERE run = rr_run() ORDER BY batch;
SELECT steward.alter_policy('orders', action => 'archive', archive => 'rr_past');
CALL steward.run_policy('orders');
SELECT * FROM rr_sound;
SELECT batch, rows, root = rr_orders(run, 'archive', CASE batch WHEN 1 THEN 'rr_order1' ELSE 'rr_order2' END) AS right
  FROM steward.policy_run_batch WHERE run = rr_run() ORDER BY batch;
SELECT count(*) FROM rr_past;

-- A row whose key is overwritten: the key that it has from now on.
CREATE TABLE rr_alias (name text PRIMARY KEY, seen date);
INSERT INTO rr_alias VALUES ('Ann', '2001-01-01'), ('Bob', now());
SELECT steward.create_key('rr') IS NULL AS made;
SELECT steward.create_policy('alias', 'rr_alias', 'seen', '1 year', 'anonymize', columns => '{"name": "hash"}');
CALL steward.run_policy('alias');
SELECT * FROM rr_sound;
SELECT root = rr_root(ARRAY[(SELECT rr_leaf(run, 'anonymize', 'rr_alias', name) FROM rr_alias WHERE name <> 'Bob')]) AS right FROM steward.policy_run_batch WHERE run = rr_run();

-- What is asked wrongly, and by whom.
SELECT steward.receipt_leaf(rr_run(), 'rr_alias', '{x}');
SELECT steward.receipt_leaf(rr_run(), 'a.b.c', '{x}');
SELECT steward.receipt_leaf(rr_run(), 'public.rr_alias', '{NULL}');
SELECT steward.receipt_leaf(rr_run(), 'public.rr_alias', NULL);
SELECT steward.receipt_leaf(-1, 'public.rr_alias', '{x}');
SELECT * FROM steward.verify_receipt(-1);
SELECT * FROM steward.verify_receipt(NULL);
SELECT steward.receipt_root(ARRAY['\x00'::bytea]);
SELECT steward.receipt_root(ARRAY[NULL::bytea]);
SELECT steward.receipt_root('{}') = sha256('') AS empty, steward.receipt_root(NULL) IS NULL AS none;
CREATE ROLE regress_rr_other;
CREATE ROLE regress_rr_owner;
GRANT EXECUTE ON FUNCTION steward.verify_receipt, steward.receipt_leaf TO regress_rr_other, regress_rr_owner;
GRANT SELECT ON steward.policy_run_batch, steward.policy_run TO regress_rr_other, regress_rr_owner;
ALTER TABLE rr_alias OWNER TO regress_rr_owner;
SELECT rr_run() AS run \gset
SET ROLE regress_rr_other;
SELECT count(*) FROM steward.policy_run_batch;
SELECT * FROM steward.verify_receipt(:run);
SELECT steward.receipt_leaf(:run, 'public.rr_alias', '{x}');
SELECT salt FROM steward.policy_run_log;
SET ROLE regress_rr_owner;
SELECT run = :run AS mine FROM steward.policy_run_batch;
SELECT * FROM steward.verify_receipt(:run);
SELECT length(steward.receipt_leaf(:run, 'public.rr_alias', '{x}'));
SELECT salt FROM steward.policy_run_log;
RESET ROLE;
-- After its table is gone, the owner of the extension can still ask.
DROP TABLE rr_alias;
SELECT * FROM steward.verify_receipt(:run);
SET ROLE regress_rr_owner;
SELECT * FROM steward.verify_receipt(:run);
RESET ROLE;
SELECT steward.drop_policy('alias');

-- What an error was about: names of what there is, and nothing else.
CREATE TABLE rr_strict (id int PRIMARY KEY, seen date, secret text);
CREATE TABLE rr_strict_past (LIKE rr_strict, CONSTRAINT "no x" CHECK (secret <> 'x'));
INSERT INTO rr_strict VALUES (1, '2001-01-01', 'x');
SELECT steward.create_policy('strict', 'rr_strict', 'seen', '1 year', 'archive', archive => 'rr_strict_past');
CALL steward.run_policy('strict');
SELECT sqlstate, error, root IS NULL AS no_root FROM steward.policy_run WHERE id = rr_run();
ALTER TABLE rr_strict_past DROP CONSTRAINT "no x", ALTER COLUMN id SET NOT NULL;
CREATE UNIQUE INDEX rr_strict_unique ON rr_strict_past (id);
INSERT INTO rr_strict_past VALUES (1);
CALL steward.run_policy('strict');
SELECT sqlstate, error FROM steward.policy_run WHERE id = rr_run();
CREATE FUNCTION rr_tell() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    RAISE EXCEPTION USING MESSAGE = OLD.secret, SCHEMA = 'public', TABLE = 'rr_strict', COLUMN = OLD.secret, CONSTRAINT = OLD.secret, DATATYPE = OLD.secret;
END$$;
CREATE TRIGGER rr_tell BEFORE DELETE ON rr_strict FOR EACH ROW EXECUTE FUNCTION rr_tell();
\set VERBOSITY sqlstate
CALL steward.run_policy('strict');
\set VERBOSITY default
SELECT sqlstate, error FROM steward.policy_run WHERE id = rr_run();
SELECT steward.drop_policy(name) FROM steward.policy WHERE name IN ('strict', 'orders', 'many', 'visits');
DROP FUNCTION rr_orders;
DROP VIEW rr_sound;
DROP TABLE rr_strict, rr_strict_past, rr_order, rr_past, rr_orders, rr_many, rr_photo, rr_note, rr_visit, rr_keys;
DROP FUNCTION rr_keep, rr_tell, rr_leaf, rr_tree, rr_field, rr_root, rr_run;
REVOKE EXECUTE ON FUNCTION steward.verify_receipt, steward.receipt_leaf FROM regress_rr_other, regress_rr_owner;
REVOKE SELECT ON steward.policy_run_batch, steward.policy_run FROM regress_rr_other, regress_rr_owner;
DROP ROLE regress_rr_other, regress_rr_owner;
