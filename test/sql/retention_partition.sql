-- Retention: the action drop_partition.
\set VERBOSITY default
SET client_min_messages = warning;
SET timezone = 'UTC';

CREATE TABLE visit (id int, at timestamptz NOT NULL, who text) PARTITION BY RANGE (at);
CREATE INDEX visit_at_idx ON visit (at);
CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM (MINVALUE) TO ('2001-01-01');
CREATE TABLE visit_2001 PARTITION OF visit FOR VALUES FROM ('2001-01-01') TO ('2002-01-01') PARTITION BY LIST (who);
CREATE TABLE visit_2001_a PARTITION OF visit_2001 FOR VALUES IN ('a');
CREATE TABLE visit_2001_rest PARTITION OF visit_2001 DEFAULT;
CREATE TABLE visit_2002 PARTITION OF visit FOR VALUES FROM ('2002-01-01') TO ('2003-01-01');
CREATE TABLE visit_now PARTITION OF visit FOR VALUES FROM ('2003-01-01') TO (MAXVALUE);
INSERT INTO visit SELECT n, '2000-06-01', 'o' FROM generate_series(1, 10) AS n;
INSERT INTO visit SELECT n, '2001-06-01', CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END FROM generate_series(11, 30) AS n;
INSERT INTO visit SELECT n, '2002-06-01', 'c' FROM generate_series(31, 35) AS n;
INSERT INTO visit VALUES (36, '2004-01-01', 'old, but with newer ones'), (37, now(), 'new');

-- What has no partitions with an age is refused.
CREATE TABLE plain (id int, at timestamptz);
CREATE TABLE listed (id int, at date) PARTITION BY LIST (at);
CREATE TABLE by_id (id int, at date) PARTITION BY RANGE (id, at);
CREATE TABLE by_day (id int, at timestamp) PARTITION BY RANGE ((at::date));
CREATE TABLE referred (at date PRIMARY KEY) PARTITION BY RANGE (at);
CREATE TABLE refers (at date REFERENCES referred);
CREATE OPERATOR CLASS backwards FOR TYPE date USING btree AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 date_cmp(date, date);
CREATE TABLE reversed (at date) PARTITION BY RANGE (at backwards);
SELECT steward.create_policy('p', 'plain', 'at', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'listed', 'at', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'by_id', 'at', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'by_day', 'at', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'by_day', 'at::date', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'reversed', 'at', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'referred', 'at', '1 year', 'drop_partition');
SELECT steward.create_policy('p', 'visit', 'at', '1 year', 'drop_partition', filter => 'id > 3');
SELECT steward.create_policy('p', 'visit', 'at', '1 year', 'drop_partition', children => '{}');
DROP TABLE refers;
SELECT steward.create_policy('p', 'referred', 'at', '1 year', 'drop_partition');
SELECT steward.drop_policy('p');
DROP TABLE plain, listed, by_id, by_day, reversed, referred;
DROP OPERATOR FAMILY backwards USING btree;

-- What would go, and goes: whole partitions, with all below them.
SELECT steward.create_policy('visits', 'visit', 'at', '20 years', 'drop_partition', time_zone => 'UTC');
SELECT relation, action, rows, held, restricted, oldest, newest, problem FROM steward.preview_policy('visits');
CALL steward.run_policy('visits');
SELECT relid FROM pg_partition_tree('visit') ORDER BY relid::text;
SELECT to_regclass('visit_2001'), to_regclass('visit_2001_a'), count(*) FROM visit;
SELECT action, rows, children, bytes > 0 AS bytes, batches, skipped, held, restricted, state, sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM steward.policy_detached;
-- Each partition has left a receipt, of its name and the number of its rows.
SELECT max(id) AS run FROM steward.policy_run \gset
SELECT p.name, p.rows, count(b.batch) AS receipts
  FROM (VALUES ('public.visit_old', 10), ('public.visit_2001', 20), ('public.visit_2002', 5), ('public.visit_2002', 6)) AS p (name, rows)
  LEFT JOIN steward.policy_run_batch AS b ON b.run = :run AND b.rows = p.rows
        AND b.root = steward.receipt_root(ARRAY[steward.receipt_leaf(:run, p.name, ARRAY[p.rows::text])])
 GROUP BY p.name, p.rows ORDER BY p.name, p.rows;
SELECT * FROM steward.verify_receipt(:run);

-- Nothing is left to do.
CALL steward.run_policy('visits');
SELECT rows, batches, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- In a transaction block: with a rollback all of it is back.
CREATE TABLE visit_2000 PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
INSERT INTO visit VALUES (1, '2000-06-01', 'o');
BEGIN;
CALL steward.run_policy('visits');
SELECT to_regclass('visit_2000');
ROLLBACK;
SELECT count(*) FROM visit_2000;

-- With a default partition, which stays, and its rows.
CREATE TABLE visit_default PARTITION OF visit DEFAULT;
INSERT INTO visit VALUES (2, '1999-06-01', 'd');
CALL steward.run_policy('visits');
SELECT relid FROM pg_partition_tree('visit') ORDER BY relid::text;
SELECT rows, batches, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
DROP TABLE visit_default;

-- Rows of age -infinity never expire: only a partition without a lower bound has them.
CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM (MINVALUE) TO ('2001-01-01');
INSERT INTO visit VALUES (3, '-infinity', 'always'), (4, '2000-01-01', 'old');
SELECT relation, rows, held, problem FROM steward.preview_policy('visits');
CALL steward.run_policy('visits');
SELECT rows, skipped, held, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
DELETE FROM visit WHERE id = 3;
CALL steward.run_policy('visits');
SELECT rows, skipped, held, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- A hold keeps a partition whole, and others not.
CREATE TABLE visit_2000 PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
CREATE TABLE visit_2001 PARTITION OF visit FOR VALUES FROM ('2001-01-01') TO ('2002-01-01');
CREATE TABLE visit_2002 PARTITION OF visit FOR VALUES FROM ('2002-01-01') TO ('2003-01-01');
INSERT INTO visit SELECT n, '2000-06-01', 'o' FROM generate_series(1, 10) AS n;
INSERT INTO visit SELECT n, '2001-06-01', 'o' FROM generate_series(11, 15) AS n;
SELECT steward.place_hold('visit', 'id = 7', 'a case') AS hold \gset
SELECT steward.place_hold('visit_2002', 'id = 7', 'of a partition') AS hold2 \gset
SELECT relation, rows, held, problem FROM steward.preview_policy('visits');
CALL steward.run_policy('visits');
SELECT rows, skipped, held, batches, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT relid FROM pg_partition_tree('visit') ORDER BY relid::text;
SELECT steward.release_hold(:hold, 'over'), steward.release_hold(:hold2, 'over');
CALL steward.run_policy('visits');
SELECT rows, skipped, held, batches, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- What depends on a partition keeps it, attached, and fails the run.
CREATE TABLE visit_2000 PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
INSERT INTO visit VALUES (1, '2000-06-01', 'o');
CREATE VIEW over_partition AS SELECT id FROM visit_2000;
CALL steward.run_policy('visits');
SELECT rows, state, sqlstate FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM visit WHERE at < '2001-01-01';
SELECT indexrelid::regclass::text ~ '^visit_2000_at_idx' AS index, inhparent::regclass
  FROM pg_index LEFT JOIN pg_inherits ON inhrelid = indexrelid WHERE indrelid = 'visit_2000'::regclass;
SELECT count(*) FROM steward.policy_detached;
DROP VIEW over_partition;

-- What an interrupted run detached is attached again when the policy changes or goes; what somebody
-- detached is his.
INSERT INTO steward.policy_detached (relation, policy, bounds, endless)
VALUES ('visit_2000', 'visits', $$FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')$$, false);
ALTER TABLE visit DETACH PARTITION visit_2000;
CALL steward.run_policy('visits');
SELECT count(*) AS of_somebody FROM visit_2000;
SELECT count(*) AS remembered FROM steward.policy_detached;
INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
VALUES ('visit_2000', 'visits', $$FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')$$, false, now());
SELECT steward.alter_policy('visits', keep => '1000 years');
SELECT count(*) AS attached FROM visit WHERE at < '2001-01-01';
ALTER TABLE visit DETACH PARTITION visit_2000;
INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
VALUES ('visit_2000', 'visits', $$FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')$$, false, now());
SELECT steward.drop_policy('visits');
SELECT count(*) AS attached FROM visit WHERE at < '2001-01-01';
SELECT count(*) AS remembered FROM steward.policy_detached;

-- A run that finds what was detached goes on with it.
SELECT steward.create_policy('visits', 'visit', 'at', '20 years', 'drop_partition', time_zone => 'UTC');
ALTER TABLE visit DETACH PARTITION visit_2000;
INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
VALUES ('visit_2000', 'visits', $$FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')$$, false, now());
CALL steward.run_policy('visits');
SELECT to_regclass('visit_2000'), rows, batches, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;

-- What is detached and not dropped yet is bound by the holds of the table that it was a partition of, whoever gets it.
CREATE TABLE visit_2000 PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
INSERT INTO visit VALUES (1, '2000-06-01', 'o');
BEGIN;
INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
VALUES ('visit_2000', 'visits', $$FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')$$, false, now());
ALTER TABLE visit DETACH PARTITION visit_2000;
COMMIT;
SELECT steward.place_hold('visit', 'id = 1', 'a case') AS hold \gset
\set VERBOSITY sqlstate
TRUNCATE visit_2000;
DROP TABLE visit_2000;
ALTER TABLE visit_2000 DROP COLUMN id;
\set VERBOSITY default
CREATE ROLE retention_partition_friend;
ALTER TABLE visit_2000 OWNER TO retention_partition_friend;
CALL steward.run_policy('visits');
SELECT skipped, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT steward.drop_policy('visits');
\set VERBOSITY sqlstate
DROP TABLE visit_2000;
\set VERBOSITY default
ALTER TABLE visit_2000 OWNER TO CURRENT_USER;
DROP ROLE retention_partition_friend;
CALL steward.run_policy('visits');
SELECT rows, held, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT count(*) AS attached FROM visit WHERE at < '2001-01-01';
-- A hold that keeps no row of it keeps it not.
UPDATE visit SET id = 2 WHERE id = 1;
BEGIN;
INSERT INTO steward.policy_detached (relation, policy, bounds, endless, detached_at)
VALUES ('visit_2000', 'visits', $$FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')$$, false, now());
ALTER TABLE visit DETACH PARTITION visit_2000;
COMMIT;
CALL steward.run_policy('visits');
SELECT to_regclass('visit_2000'), rows, held, state FROM steward.policy_run ORDER BY id DESC LIMIT 1;
SELECT steward.release_hold(:hold, 'over');

-- An owner who may not log in; of his table of dates, with a key of two columns, the bound itself counts.
SELECT steward.drop_policy('visits');
DROP TABLE visit;
CREATE ROLE retention_partition_owner;
CREATE TABLE visit (id int, at date, who text) PARTITION BY RANGE (at, who);
CREATE TABLE visit_a PARTITION OF visit FOR VALUES FROM ('2001-01-01', 'a') TO ('2001-02-01', 'b');
CREATE TABLE visit_b PARTITION OF visit FOR VALUES FROM ('2001-02-01', 'b') TO ('2001-03-01', 'b');
CREATE TABLE visit_c PARTITION OF visit FOR VALUES FROM ('2001-03-01', 'b') TO ('2001-04-01', MINVALUE);
INSERT INTO visit VALUES (1, '2001-02-01', 'a'), (2, '2001-03-01', 'a'), (3, '2001-03-31', 'x');
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{visit,visit_a,visit_b,visit_c}'::text[] LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO retention_partition_owner', name);
    END LOOP;
END
$$;
SELECT steward.create_policy('visits', 'visit', 'at', '1 day', 'drop_partition', time_zone => 'UTC');
-- As if it were a day on which rows before 1 March have expired: those of 1 March have not.
UPDATE steward.policy_definition SET keep = age(now()::date, '2001-03-01') WHERE name = 'visits';
SELECT relation, rows FROM steward.preview_policy('visits');
CALL steward.run_policy('visits');
SELECT relid FROM pg_partition_tree('visit') ORDER BY relid::text;
-- Up to the end of the last, whose bound leaves out 1 April.
UPDATE steward.policy_definition SET keep = age(now()::date, '2001-04-01') WHERE name = 'visits';
SELECT relation, rows FROM steward.preview_policy('visits');
CALL steward.run_policy('visits');
SELECT relid FROM pg_partition_tree('visit') ORDER BY relid::text;

SELECT steward.drop_policy('visits');
DROP TABLE visit;

-- What an owner has put into the key runs as him, whoever calls, and cannot become anybody else.
CREATE TABLE who (role name, session name, became boolean);
GRANT ALL ON who TO PUBLIC;
CREATE FUNCTION compare(a text, b text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    became boolean := true;
BEGIN
    BEGIN
        EXECUTE 'SET SESSION AUTHORIZATION DEFAULT';
        EXECUTE 'RESET ROLE';
    EXCEPTION WHEN OTHERS THEN
        became := false;
    END;
    EXECUTE 'INSERT INTO public.who VALUES (current_user, session_user, $1)' USING became AND current_user <> session_user;
    RETURN pg_catalog.bttextcmp(a, b);
END
$$;
CREATE OPERATOR CLASS owners FOR TYPE text USING btree AS
    OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>, FUNCTION 1 compare(text, text);
CREATE TABLE visit (id int, at date, who text) PARTITION BY RANGE (at, who owners);
CREATE TABLE visit_a PARTITION OF visit FOR VALUES FROM ('2001-01-01', 'a') TO ('2001-02-01', 'b');
CREATE TABLE visit_b PARTITION OF visit FOR VALUES FROM ('2001-02-01', 'b') TO ('2001-02-01', 'd');
CREATE TABLE visit_c PARTITION OF visit FOR VALUES FROM ('2001-02-01', 'd') TO ('2001-03-01', 'b');
INSERT INTO visit VALUES (1, '2001-01-02', 'a'), (2, '2001-02-01', 'c');
ALTER TABLE visit OWNER TO retention_partition_owner;
ALTER TABLE visit_a OWNER TO retention_partition_owner;
ALTER TABLE visit_b OWNER TO retention_partition_owner;
ALTER TABLE visit_c OWNER TO retention_partition_owner;
CREATE VIEW over_partition AS SELECT id FROM visit_c;
\c -
SET client_min_messages = warning;
SET timezone = 'UTC';
TRUNCATE who;
SELECT steward.create_policy('visits', 'visit', 'at', '1 year', 'drop_partition', time_zone => 'UTC');
SELECT relation, rows FROM steward.preview_policy('visits');
CALL steward.run_policy('visits');
ALTER ROLE retention_partition_owner LOGIN;
CALL steward.run_policy('visits');
SELECT role, became, count(*) > 0 AS called FROM who GROUP BY 1, 2;
DROP VIEW over_partition;
SELECT steward.drop_policy('visits');
DROP TABLE visit, who;
DROP FUNCTION compare CASCADE;

-- Of an audited table the trail has the command. A partition that came back is audited, as it was.
SELECT clock_timestamp() AS begun \gset
CREATE TABLE visit (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE visit_a PARTITION OF visit FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');
CREATE TABLE visit_b PARTITION OF visit FOR VALUES FROM ('2001-02-01') TO ('2001-03-01');
SELECT steward.enable_audit('visit');
INSERT INTO visit VALUES (1, '2001-01-02'), (2, '2001-02-03');
SELECT steward.create_policy('visits', 'visit', 'at', '1 year', 'drop_partition', time_zone => 'UTC');
CREATE VIEW over_partition AS SELECT id FROM visit_b;
CALL steward.run_policy('visits');
UPDATE visit SET id = 3;
SELECT event, command, identity, effective_role = current_user AS owner FROM steward.ddl_trail
 WHERE identity IN ('public.visit_a', 'public.visit_b') AND object_type = 'table' AND event = 'drop' AND changed_at > :'begun';
SELECT operation, relation, root, key, old, new FROM steward.audit_trail WHERE root = 'public.visit' AND changed_at > :'begun' ORDER BY changed_at, xid, seq;
DROP VIEW over_partition;
SELECT steward.disable_audit('visit');
SELECT steward.drop_policy('visits');
DROP TABLE visit;
DROP ROLE retention_partition_owner;
DELETE FROM steward.policy_run_log;
DELETE FROM steward.hold;
