--
-- What policies and the audit trail know of holds.
--
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA hold_policy;
SET search_path = hold_policy, public;
SET TimeZone = 'Europe/Berlin';
CREATE TABLE item (id int PRIMARY KEY, at date, who text, wide text) PARTITION BY RANGE (id);
CREATE TABLE low (wide text, gone int, at date, who text, id int NOT NULL);
ALTER TABLE low DROP COLUMN gone;
ALTER TABLE item ATTACH PARTITION low FOR VALUES FROM (0) TO (1000);
CREATE TABLE high PARTITION OF item FOR VALUES FROM (1000) TO (2000);
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE item;
    INSERT INTO item SELECT n, '2001-01-01', CASE n % 4 WHEN 0 THEN NULL ELSE 'who ' || n % 4 END, repeat('x', 5000) FROM generate_series(0, 1999) AS n
$$;
SELECT steward.create_policy('held items', 'item', 'at', '1 year');
ALTER SEQUENCE steward.hold_id_seq RESTART 7000;
CREATE FUNCTION release() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(steward.release_hold(id, 'tested')) FROM steward.active_hold
$$;
CREATE VIEW outcome AS
    SELECT r.state, r.rows, r.skipped, r.sqlstate, (SELECT count(*) FROM item) AS left, (SELECT string_agg(DISTINCT coalesce(who, '-'), ',') FROM item) AS whose
      FROM steward.policy_run AS r ORDER BY r.id DESC LIMIT 1;

-- By predicate over the whole tree, with NULLs, which hold nothing.
SELECT fill();
SELECT steward.place_hold('item', 'who = ''who 1'' OR id < 2', 'case');
CALL steward.run_policy('held items');
SELECT *, release() FROM outcome;
-- On one leaf, where columns have other numbers; two holds together.
SELECT fill();
SELECT steward.place_hold('low', 'who IN (''who 2'', ''who 3'')', 'case'), steward.place_hold('low', 'id % 10 = 0', 'case');
CALL steward.run_policy('held items');
SELECT *, release() FROM outcome;
-- With an index on the age, candidates come in another way.
CREATE INDEX ON item (at);
SELECT fill();
SELECT steward.place_hold('item', 'who = ''who 1''', 'case');
CALL steward.run_policy('held items');
SELECT *, release() FROM outcome;
DROP INDEX item_at_idx;
-- All rows; a predicate without columns.
SELECT fill();
SELECT steward.place_hold('high', NULL, 'case');
CALL steward.run_policy('held items');
SELECT *, release() FROM outcome;
SELECT fill();
SELECT steward.place_hold('item', 'current_date > ''2000-01-01''', 'case');
CALL steward.run_policy('held items');
SELECT *, release() FROM outcome;
-- Rows for which the predicate fails are kept, the others go.
SELECT fill();
SELECT steward.place_hold('item', '1 / (id % 5) > 7', 'case');
CALL steward.run_policy('held items');
SELECT state, rows, (SELECT count(*) FROM item WHERE id % 5 = 0) AS kept, release() FROM outcome;
-- A broken hold keeps everything, and says why.
SELECT fill();
CREATE FUNCTION judge(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = ''who 1''';
SELECT steward.place_hold('item', 'judge(who)', 'case');
DROP FUNCTION judge;
SELECT problem FROM steward.active_hold;
CALL steward.run_policy('held items');
SELECT *, release() FROM outcome;
-- Released: the next run takes what was held. In a transaction of somebody else's too.
BEGIN;
SELECT steward.place_hold('item', 'who = ''who 2''', 'case');
CALL steward.run_policy('held items');
ROLLBACK;
SELECT count(*) FROM item;
CALL steward.run_policy('held items');
SELECT *, release() FROM outcome;
-- A predicate's calendar is that of its placing, also for the run.
INSERT INTO item VALUES (1, '2001-01-01', 'x', '2020-02-04 23:30:00+00'), (2, '2001-01-01', 'x', '2020-02-05 23:30:00+00');
SELECT steward.place_hold('item', 'wide::timestamptz::date = ''2020-02-05''', 'case');
SET TimeZone = 'America/Los_Angeles';
CALL steward.run_policy('held items');
SELECT id, release() FROM item;

-- Events: what was placed, released and overridden.
SELECT steward.enable_audit('item');
SELECT steward.place_hold('item', 'id = 2', 'case 12') AS hold \gset
SET steward.override_hold = on;
TRUNCATE item;
ALTER TABLE item RENAME COLUMN id TO number;
ALTER TABLE item RENAME COLUMN number TO id;
RESET steward.override_hold;
SELECT steward.release_hold(:hold, 'settled');
SELECT event, details FROM steward.event_trail WHERE event IN ('place_hold', 'release_hold', 'override_hold') AND (details ->> 'hold')::bigint = :hold ORDER BY xid, seq;
SELECT steward.disable_audit('item');

SELECT steward.drop_policy('held items');
DELETE FROM steward.hold;
DELETE FROM steward.policy_run_log WHERE policy = 'held items';
RESET search_path;
DROP SCHEMA hold_policy CASCADE;
