--
-- Retention policies: what they delete, and what they refuse.
--
SET timezone = 'Europe/Berlin';
SET client_min_messages = warning;
\set SHOW_CONTEXT never

-- An ordinary table, each type of age, NULL and both infinities.
CREATE TABLE rt_session (id int PRIMARY KEY, seen timestamptz, seen_local timestamp, seen_day date);
CREATE FUNCTION rt_fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE rt_session;
    INSERT INTO rt_session
    SELECT n, now() - n * interval '1 day', localtimestamp - n * interval '1 day', current_date - n
    FROM generate_series(0, 99) AS n;
    INSERT INTO rt_session VALUES (100, NULL, NULL, NULL), (101, 'infinity', 'infinity', 'infinity'),
        (102, '-infinity', '-infinity', '-infinity');
$$;
SELECT rt_fill();
SELECT steward.create_policy('seen', 'rt_session', 'seen', '30 days 1 hour');
SELECT steward.create_policy('local', 'rt_session', 'seen_local', '30 days 1 hour');
SELECT steward.create_policy('day', 'rt_session', 'seen_day', '30 days');
SELECT name, relation, age, keep, action, time_zone, created_by = current_user AS by_us FROM steward.policy ORDER BY name;

CALL steward.run_policy('seen');
SELECT count(*), max(id) FILTER (WHERE id < 100) FROM rt_session;
SELECT rt_fill();
CALL steward.run_policy('local');
SELECT count(*), max(id) FILTER (WHERE id < 100) FROM rt_session;
-- A day is over only when its last hour has been kept for 30 days.
SELECT rt_fill();
CALL steward.run_policy('day');
SELECT count(*), max(id) FILTER (WHERE id < 100) FROM rt_session;
CALL steward.run_policy('day');
SELECT policy, relation, rows, batches, skipped, state, sqlstate, finished_at >= started_at AS ended
FROM steward.policy_run ORDER BY id;

-- The same rows go when an index gives them in the order of their age.
CREATE INDEX ON rt_session (seen);
CREATE INDEX ON rt_session (seen_local DESC);
CREATE INDEX ON rt_session (seen_day) WHERE seen_day IS NOT NULL;
SELECT rt_fill();
CALL steward.run_policy('seen');
SELECT count(*), max(id) FILTER (WHERE id < 100) FROM rt_session;
SELECT rt_fill();
CALL steward.run_policy('local');
SELECT count(*), max(id) FILTER (WHERE id < 100) FROM rt_session;
SELECT rt_fill();
CALL steward.run_policy('day');
SELECT count(*), max(id) FILTER (WHERE id < 100) FROM rt_session;

-- More rows than one piece or one batch holds, many of them of one age.
CREATE TABLE rt_many (day date, filler text);
INSERT INTO rt_many SELECT CASE WHEN n % 3 = 0 THEN current_date ELSE date '2001-01-01' + n % 2 END, 'x'
FROM generate_series(1, 150000) AS n;
SELECT steward.create_policy('many', 'rt_many', 'day', '1 year');
CALL steward.run_policy('many');
SELECT count(*), min(day) = current_date AS all_new FROM rt_many;
INSERT INTO rt_many SELECT CASE WHEN n % 3 = 0 THEN current_date ELSE date '2001-01-01' + n % 2 END, 'x'
FROM generate_series(1, 150000) AS n;
CREATE INDEX ON rt_many (day);
CALL steward.run_policy('many');
SELECT count(*), min(day) = current_date AS all_new FROM rt_many;
SELECT rows, batches > 3 AS several, state FROM steward.policy_run WHERE policy = 'many' ORDER BY id;

-- Partitions, sub-partitions, another order of columns, names to quote.
CREATE TABLE "rt Part" (id int, "When" timestamptz) PARTITION BY RANGE (id);
CREATE TABLE rt_part1 PARTITION OF "rt Part" FOR VALUES FROM (0) TO (100);
CREATE TABLE rt_part2 PARTITION OF "rt Part" FOR VALUES FROM (100) TO (200) PARTITION BY LIST (id);
CREATE TABLE "rt ""2a""" ("When" timestamptz, dropped int, id int);
ALTER TABLE "rt ""2a""" DROP COLUMN dropped;
ALTER TABLE rt_part2 ATTACH PARTITION "rt ""2a""" DEFAULT;
INSERT INTO "rt Part" SELECT n, now() - n * interval '1 day' FROM generate_series(0, 199) AS n;
SELECT steward.create_policy('parts', '"rt Part"', 'When', '50 days 1 hour');
CALL steward.run_policy('parts');
SELECT tableoid::regclass, count(*), max(id) FROM "rt Part" GROUP BY 1 ORDER BY 1;
INSERT INTO "rt Part" SELECT n, now() - n * interval '1 day' FROM generate_series(51, 199) AS n;
-- A policy of one partition leaves the others alone.
SELECT steward.create_policy('part2', 'rt_part2', 'When', '50 days 1 hour');
CALL steward.run_policy('part2');
SELECT tableoid::regclass, count(*), max(id) FROM "rt Part" GROUP BY 1 ORDER BY 1;

-- Inheritance.
CREATE TABLE rt_parent (id int, at date);
CREATE TABLE rt_child (more text) INHERITS (rt_parent);
INSERT INTO rt_parent VALUES (1, '2001-01-01'), (2, current_date);
INSERT INTO rt_child VALUES (3, '2001-01-01', 'x'), (4, current_date, 'x');
SELECT steward.create_policy('parent', 'rt_parent', 'at', '1 mon');
CALL steward.run_policy('parent');
SELECT id FROM rt_parent ORDER BY id;

-- A generated column says how old a row is as well as any other.
CREATE TABLE rt_generated (at timestamp, day date GENERATED ALWAYS AS (at::date) STORED);
INSERT INTO rt_generated VALUES ('2001-01-01'), (localtimestamp), (NULL);
SELECT steward.create_policy('generated', 'rt_generated', 'day', '1 mon');
CALL steward.run_policy('generated');
SELECT count(*), min(day) > '2001-01-01' AS fresh FROM rt_generated;

-- In a transaction block, a run is part of it.
SELECT rt_fill();
BEGIN;
CALL steward.run_policy('seen');
SELECT count(*) FROM rt_session;
SELECT state, rows FROM steward.policy_run ORDER BY id DESC LIMIT 1;
ROLLBACK;
SELECT count(*) FROM rt_session;
CREATE FUNCTION rt_run(what text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    CALL steward.run_policy(what, gone);
    RETURN gone;
END
$$;
SELECT rt_run('seen');
DO $$
DECLARE
    gone bigint;
BEGIN
    CALL steward.run_policy('day', gone);
    RAISE WARNING 'deleted %', gone;
    ROLLBACK;
END
$$;
SELECT count(*) FROM rt_session;
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL steward.run_policy('seen');
ROLLBACK;
BEGIN READ ONLY;
CALL steward.run_policy('seen');
ROLLBACK;
SET default_transaction_isolation = 'serializable';
SELECT rt_fill();
CALL steward.run_policy('seen');
RESET default_transaction_isolation;
SELECT count(*) FROM rt_session;

-- The calendar: the end of a month, a leap year, days of 23 and 25 hours.
SELECT steward.policy_cutoff('1 mon', 'UTC', '2026-03-31 12:00+00') AT TIME ZONE 'UTC' AS month_end,
    steward.policy_cutoff('1 year', 'UTC', '2024-02-29 12:00+00') AT TIME ZONE 'UTC' AS leap_year;
SELECT steward.policy_cutoff('1 day', 'Europe/Berlin', '2026-03-29 12:00 Europe/Berlin') AS day_of_23_hours,
    steward.policy_cutoff('24 hours', 'Europe/Berlin', '2026-03-29 12:00 Europe/Berlin') AS hours_24;
SELECT steward.policy_cutoff('1 day', 'Europe/Berlin', '2026-10-25 12:00 Europe/Berlin') AS day_of_25_hours,
    steward.policy_cutoff('24 hours', 'Europe/Berlin', '2026-10-25 12:00 Europe/Berlin') AS hours_24;
SELECT steward.policy_cutoff('1 day', 'Europe/Berlin', '2026-03-30 02:30 Europe/Berlin') AS hour_that_never_was,
    steward.policy_cutoff('1 day', 'America/New_York', '2026-03-30 02:30 Europe/Berlin') AS elsewhere,
    steward.policy_cutoff('1 year 2 mons 3 days 04:05:06.789', 'Asia/Kolkata', '2026-11-21 10:00+05:30') AS long;

-- Refused, at definition.
CREATE VIEW rt_view AS SELECT * FROM rt_session;
CREATE MATERIALIZED VIEW rt_matview AS SELECT * FROM rt_session;
CREATE TEMP TABLE rt_temp (at date);
CREATE SEQUENCE rt_sequence;
CREATE FOREIGN DATA WRAPPER rt_wrapper;
CREATE SERVER rt_server FOREIGN DATA WRAPPER rt_wrapper;
CREATE FOREIGN TABLE rt_foreign (at date) SERVER rt_server;
CREATE TABLE rt_odd (id int PRIMARY KEY, name text, gone date, clock time, days date[]);
ALTER TABLE rt_odd DROP COLUMN gone;
SELECT steward.create_policy('x', 1::regclass, 'seen', '1 day');
SELECT steward.create_policy('x', 'rt_view', 'seen', '1 day');
SELECT steward.create_policy('x', 'rt_matview', 'seen', '1 day');
SELECT steward.create_policy('x', 'rt_temp', 'at', '1 day');
SELECT steward.create_policy('x', 'rt_sequence', 'at', '1 day');
SELECT steward.create_policy('x', 'rt_foreign', 'at', '1 day');
SELECT steward.create_policy('x', 'rt_session_pkey', 'id', '1 day');
SELECT steward.create_policy('x', 'pg_catalog.pg_class', 'at', '1 day');
SELECT steward.create_policy('x', 'information_schema.sql_features', 'at', '1 day');
SELECT steward.create_policy('x', 'steward.policy_run_log', 'started_at', '1 day');
SELECT steward.create_policy('x', 'rt_missing', 'at', '1 day');
SELECT steward.create_policy('x', 'rt_odd', 'at', '1 day');
SELECT steward.create_policy('x', 'rt_odd', 'gone', '1 day');
SELECT steward.create_policy('x', 'rt_odd', 'xmin', '1 day');
SELECT steward.create_policy('x', 'rt_odd', 'id', '1 day');
SELECT steward.create_policy('x', 'rt_odd', 'name', '1 day');
SELECT steward.create_policy('x', 'rt_odd', 'clock', '1 day');
SELECT steward.create_policy('x', 'rt_odd', 'days', '1 day');
SELECT steward.create_policy('x', 'rt_session', 'seen', '-1 day');
SELECT steward.create_policy('x', 'rt_session', 'seen', '0');
SELECT steward.create_policy('x', 'rt_session', 'seen', '1 mon -1 day');
SELECT steward.create_policy('x', 'rt_session', 'seen', '1 day -1 hour');
SELECT steward.create_policy('x', 'rt_session', 'seen', '20000 years');
SELECT steward.create_policy('x', 'rt_session', 'seen', '1 day', 'explode');
SELECT steward.create_policy('x', 'rt_session', 'seen', '1 day', time_zone => 'Mars/Olympus');
SELECT steward.create_policy('', 'rt_session', 'seen', '1 day');
SELECT steward.create_policy(NULL, 'rt_session', 'seen', '1 day');
SELECT steward.create_policy('x', NULL, 'seen', '1 day');
SELECT steward.create_policy('x', 'rt_session', NULL, '1 day');
SELECT steward.create_policy('x', 'rt_session', 'seen', NULL);
SELECT steward.create_policy('x', 'rt_session', 'seen', '1 day', NULL);
SELECT steward.create_policy('seen', 'rt_session', 'seen', '1 day');
SELECT steward.drop_policy('missing');
SELECT steward.drop_policy(NULL);
CALL steward.run_policy('missing');
CALL steward.run_policy(NULL);
-- A foreign table below, and a child of somebody else.
CREATE FOREIGN TABLE rt_part_foreign PARTITION OF "rt Part" FOR VALUES FROM (200) TO (300) SERVER rt_server;
SELECT steward.create_policy('x', '"rt Part"', 'When', '1 day');
CALL steward.run_policy('parts');
SELECT state, sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 1;
DROP FOREIGN TABLE rt_part_foreign;

-- Foreign keys: what would change other tables is refused, now and later.
CREATE TABLE rt_order (id int, session int REFERENCES rt_session ON DELETE CASCADE);
SELECT steward.create_policy('x', 'rt_session', 'seen', '1 day');
CALL steward.run_policy('seen');
ALTER TABLE rt_order DROP CONSTRAINT rt_order_session_fkey,
    ADD CONSTRAINT rt_order_null FOREIGN KEY (session) REFERENCES rt_session ON DELETE SET NULL;
CALL steward.run_policy('seen');
ALTER TABLE rt_order DROP CONSTRAINT rt_order_null,
    ADD CONSTRAINT rt_order_default FOREIGN KEY (session) REFERENCES rt_session ON DELETE SET DEFAULT;
CALL steward.run_policy('seen');
ALTER TABLE rt_order DROP CONSTRAINT rt_order_default,
    ADD CONSTRAINT rt_order_plain FOREIGN KEY (session) REFERENCES rt_session;
INSERT INTO rt_session VALUES (200, '2001-01-01'), (201, '2001-01-01');
INSERT INTO rt_order VALUES (1, 200);
CALL steward.run_policy('seen');
ALTER TABLE rt_order DROP CONSTRAINT rt_order_plain,
    ADD CONSTRAINT rt_order_later FOREIGN KEY (session) REFERENCES rt_session DEFERRABLE INITIALLY DEFERRED;
CALL steward.run_policy('seen');
SELECT id FROM rt_session WHERE id >= 200 ORDER BY id;
DELETE FROM rt_order;
CALL steward.run_policy('seen');
SELECT rows, skipped, state, sqlstate FROM steward.policy_run WHERE policy = 'seen' ORDER BY id DESC LIMIT 6;

-- What changes after the definition.
ALTER TABLE rt_session RENAME TO rt_visit;
CREATE TABLE rt_session (id int, seen timestamptz);
INSERT INTO rt_session VALUES (1, '2001-01-01');
INSERT INTO rt_visit VALUES (1001, '2001-01-01');
CALL steward.run_policy('seen');
ALTER TABLE rt_visit RENAME COLUMN seen TO last_seen;
CALL steward.run_policy('seen');
ALTER TABLE rt_visit RENAME COLUMN last_seen TO seen;
DROP VIEW rt_view;
DROP MATERIALIZED VIEW rt_matview;
ALTER TABLE rt_visit ALTER COLUMN seen TYPE text;
CALL steward.run_policy('seen');
DROP TABLE rt_visit CASCADE;
CALL steward.run_policy('seen');
SELECT * FROM rt_session;
SELECT steward.drop_policy(name) FROM steward.policy WHERE name IN ('seen', 'local', 'day');
SELECT name FROM steward.policy ORDER BY name;

-- Nobody but the owner of the table, and only with the right to execute.
CREATE ROLE regress_rt_owner;
CREATE ROLE regress_rt_other;
CREATE TABLE rt_owned (id int, at date);
INSERT INTO rt_owned VALUES (1, '2001-01-01'), (2, '2002-01-01');
ALTER TABLE rt_owned OWNER TO regress_rt_owner;
SET ROLE regress_rt_owner;
SELECT steward.create_policy('owned', 'rt_owned', 'at', '1 day');
CALL steward.run_policy('owned');
SELECT * FROM steward.policy;
SELECT * FROM steward.policy_run;
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.create_policy, steward.drop_policy TO regress_rt_owner, regress_rt_other;
GRANT EXECUTE ON PROCEDURE steward.run_policy TO regress_rt_owner, regress_rt_other;
SET ROLE regress_rt_other;
SELECT steward.create_policy('owned', 'rt_owned', 'at', '1 day');
SET ROLE regress_rt_owner;
SELECT steward.create_policy('owned', 'rt_owned', 'at', '1 day');
SET ROLE regress_rt_other;
CALL steward.run_policy('owned');
SELECT steward.drop_policy('owned');
SET ROLE regress_rt_owner;
CALL steward.run_policy('owned');
SELECT * FROM rt_owned;
RESET ROLE;
-- Row security that the owner forces upon itself would hide rows.
ALTER TABLE rt_owned ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
INSERT INTO rt_owned VALUES (1, '2001-01-01');
CALL steward.run_policy('owned');
ALTER TABLE rt_owned NO FORCE ROW LEVEL SECURITY;
CALL steward.run_policy('owned');
-- A child with another owner.
CREATE TABLE rt_owned_child () INHERITS (rt_owned);
CALL steward.run_policy('owned');
DROP TABLE rt_owned_child;
SET ROLE regress_rt_owner;
SELECT steward.drop_policy('owned');
RESET ROLE;

-- In a block with an EXCEPTION clause a run has no transactions of its own.
INSERT INTO rt_owned VALUES (2, '2001-01-01');
SELECT steward.create_policy('block', 'rt_owned', 'at', '1 day');
DO $$
DECLARE
    deleted bigint;
BEGIN
    BEGIN
        CALL steward.run_policy('block', deleted);
        RAISE EXCEPTION 'deleted %', deleted;
    EXCEPTION WHEN raise_exception THEN
        RAISE WARNING '%', SQLERRM;
    END;
    PERFORM FROM rt_owned WHERE id = 2;
    RAISE WARNING 'back: %', FOUND;
    CALL steward.run_policy('block', deleted);
    RAISE WARNING 'deleted %', deleted;
END
$$;
SELECT rows, state FROM steward.policy_run WHERE policy = 'block';

SELECT steward.drop_policy(name) FROM steward.policy;
DROP TABLE rt_owned, rt_session, rt_many, "rt Part", rt_parent, rt_child, rt_odd, rt_order, rt_generated;
DROP FOREIGN DATA WRAPPER rt_wrapper CASCADE;
DROP SEQUENCE rt_sequence;
DROP FUNCTION rt_fill, rt_run;
REVOKE EXECUTE ON FUNCTION steward.create_policy, steward.drop_policy FROM regress_rt_owner, regress_rt_other;
REVOKE EXECUTE ON PROCEDURE steward.run_policy FROM regress_rt_owner, regress_rt_other;
DROP ROLE regress_rt_owner, regress_rt_other;
