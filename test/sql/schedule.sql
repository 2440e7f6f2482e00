--
-- Schedules in the server's time zones. Clocks are tested more closely in test/unit.
--
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO';
\set VERBOSITY default
\set SHOW_CONTEXT never

-- Clocks are put forward, and back; an interval of days keeps its local time.
SELECT * FROM steward.next_runs('30 2 * * *', 'Europe/Berlin', '2024-03-29 12:00', 4);
SELECT * FROM steward.next_runs('30 2 * * *', 'Europe/Berlin', '2024-10-26 12:00', 2);
SELECT * FROM steward.next_runs('*/30 * * * *', 'Europe/Berlin', '2024-10-27 01:40', 4);
SELECT * FROM steward.next_runs('1 day', 'Europe/Berlin', '2024-03-29 02:30', 4);
SELECT * FROM steward.next_runs('24 hours', 'Europe/Berlin', '2024-03-29 02:30', 4);
SELECT * FROM steward.next_runs('1 month', 'UTC', '2024-01-31 12:00Z', 4);

-- Without a zone, in the session's; without a schedule there is no run; fractions of a second count.
SELECT r AT TIME ZONE 'UTC' FROM steward.next_runs('0 12 * * *', NULL, '2024-07-01') AS r LIMIT 1;
SET timezone = 'Asia/Kathmandu';
SELECT r AT TIME ZONE 'UTC' FROM steward.next_runs('0 12 * * *', after => '2024-07-01') AS r LIMIT 1;
SET timezone = 'UTC';
SELECT count(*) FROM steward.next_runs(NULL);
SELECT count(*) FROM steward.next_runs('@daily', count => 0);
SELECT count(*), min(r) > now() AS later FROM steward.next_runs('@daily') AS r;
SELECT * FROM steward.next_runs('@daily', 'UTC', '2024-01-01 00:00:00.000001', 1);
SELECT * FROM steward.next_runs('@daily', 'UTC', '2023-12-31 23:59:59.999999', 1);
SELECT * FROM steward.next_runs('6 hours', 'UTC', '1969-12-31 23:59:59.5', 2);

-- Each row is made when it is asked for.
SELECT steward.next_runs('1 second', 'UTC', '2024-01-01', 2147483647) LIMIT 2;

-- From the beginning of time to its end.
SELECT * FROM steward.next_runs('0 0 1 1 *', 'Pacific/Kiritimati', '4714-11-24 00:00Z BC', 2);
SELECT * FROM steward.next_runs('@daily', 'America/New_York', '294276-12-30 12:00Z');
SELECT * FROM steward.next_runs('100 years', 'America/New_York', '294276-12-30 12:00Z');

-- What the server's own conversions say of each minute: something runs when clocks come to show
-- more multiples of a length than they had.
CREATE TABLE sc_window (zone text, day date);
INSERT INTO sc_window VALUES ('UTC', '2024-02-28'), ('Europe/Berlin', '2024-03-30'), ('Europe/Berlin', '2024-10-26'),
    ('Europe/Dublin', '2024-03-30'), ('America/New_York', '2024-03-09'), ('America/New_York', '2024-11-02'),
    ('America/St_Johns', '2006-04-01'), ('America/St_Johns', '2006-10-28'), ('Australia/Lord_Howe', '2024-04-06'),
    ('Australia/Lord_Howe', '2024-10-05'), ('America/Sao_Paulo', '2016-10-15'), ('America/Sao_Paulo', '2017-02-18'),
    ('Africa/Casablanca', '2024-03-09'), ('Africa/Casablanca', '2024-04-13'), ('Pacific/Apia', '2011-12-29'),
    ('Antarctica/Troll', '2024-03-30'), ('Antarctica/Troll', '2024-10-26'), ('Asia/Kathmandu', '1985-12-31'),
    ('Pacific/Kwajalein', '1993-08-20'), ('Europe/Berlin', '2437-10-24'), ('Europe/Berlin', '2900-03-26'),
    ('Asia/Manila', '1978-03-21'), ('CET-1CEST-2,M3.5.0,M10.5.0/3', '2024-03-30'), ('<-03>3', '2024-03-30');
CREATE TABLE sc_schedule (schedule text, every int, shift int);
INSERT INTO sc_schedule VALUES ('* * * * *', 60, 0), ('*/20 * * * *', 1200, 0), ('@hourly', 3600, 0), ('30 * * * *', 3600, 1800),
    ('@daily', 86400, 0), ('30 2 * * *', 86400, 9000), ('45 1 * * *', 86400, 6300), ('30 23 * * *', 86400, 84600);
WITH clock AS (
    SELECT w.zone, w.day, m.at,
        max(extract(epoch FROM m.at AT TIME ZONE w.zone)::bigint) OVER (PARTITION BY w.zone, w.day ORDER BY m.at) AS shown
    FROM sc_window AS w, generate_series(w.day::timestamptz - interval '3 hours', w.day::timestamptz + interval '2 days', '1 minute') AS m (at)
), expected AS (
    SELECT * FROM (
        SELECT c.zone, c.day, s.schedule, c.at, (c.shown - s.shift) / s.every
            > lag((c.shown - s.shift) / s.every) OVER (PARTITION BY c.zone, c.day, s.schedule ORDER BY c.at) AS runs
        FROM clock AS c, sc_schedule AS s) AS e
    WHERE e.runs AND e.at >= e.day AND e.at < e.day + 2
), got AS (
    SELECT w.zone, w.day, s.schedule, r AS at
    FROM sc_window AS w, sc_schedule AS s, steward.next_runs(s.schedule, w.zone, w.day - interval '1 second', 2 * 1440) AS r
    WHERE r < w.day + 2
), counted AS (SELECT (SELECT count(*) FROM expected) AS expected, (SELECT count(*) FROM got) AS got)
SELECT expected = got AS as_many, expected > 24 * 2 * 1440 - 1440 * 3 AS many,
    (SELECT count(*) FROM (TABLE got EXCEPT SELECT zone, day, schedule, at FROM expected) AS x) AS wrong,
    (SELECT count(*) FROM (SELECT zone, day, schedule, at FROM expected EXCEPT TABLE got) AS x) AS missing
FROM counted;

-- What is wrong with a schedule, and where.
SELECT steward.next_runs('30 24 * * *');
SELECT steward.next_runs('0 0 30 2 *');
SELECT steward.next_runs('0 0 * * monday');
SELECT steward.next_runs('0 0 0 * * *');
SELECT steward.next_runs('@nightly');
SELECT steward.next_runs('1 fortnight');
SELECT steward.next_runs('');
SELECT steward.next_runs('jeden Tag um fünf');
SELECT steward.next_runs('@daily', 'Europe/Neverland');
SELECT steward.next_runs('@daily', 'right/UTC');
SELECT steward.next_runs('@daily', 'UTC', NULL);
SELECT steward.next_runs('@daily', 'UTC', 'infinity');
SELECT steward.next_runs('@daily', 'UTC', '-infinity');
SELECT steward.next_runs('@daily', 'UTC', now(), NULL);
SELECT steward.next_runs('@daily', 'UTC', now(), -1);

-- It tells nothing of the database: everybody may ask.
CREATE ROLE sc_somebody;
SET ROLE sc_somebody;
SELECT count(*) FROM steward.next_runs('@daily');
RESET ROLE;
DROP ROLE sc_somebody;
DROP TABLE sc_window, sc_schedule;
