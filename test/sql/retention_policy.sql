--
-- Defining retention policies: expressions, changing, pausing, what people see of them.
--
SET timezone = 'UTC';
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE rp_case (id int PRIMARY KEY, opened timestamptz, closed timestamptz, day text, status text, "Odd one" date);
INSERT INTO rp_case SELECT n, now() - n * interval '1 year', CASE WHEN n % 2 = 0 THEN now() - n * interval '6 months' END,
    '2001-01-01', CASE WHEN n < 8 THEN 'closed' ELSE 'disputed' END, '2001-01-01' FROM generate_series(1, 10) AS n;

-- Age and filter are expressions; they are kept as the server writes them.
SELECT steward.create_policy('cases', 'rp_case', 'COALESCE(closed, opened)', '3 years', filter => 'status <> ''disputed''');
SELECT age, filter FROM steward.policy;
SELECT steward.alter_policy('cases', age => 'greatest(closed, opened + ''1 day''::interval)');
SELECT age FROM steward.policy;
CALL steward.run_policy('cases');
SELECT string_agg(id::text, ' ' ORDER BY id) FROM rp_case;
SELECT steward.alter_policy('cases', filter => '');
SELECT age, filter FROM steward.policy;
CALL steward.run_policy('cases');
SELECT string_agg(id::text, ' ' ORDER BY id) FROM rp_case;
-- The session's settings do not change what they mean.
INSERT INTO rp_case (id, day, status) VALUES (20, '02/03/2001', NULL), (21, NULL, NULL);
SELECT steward.alter_policy('cases', age => '"Odd one"');
SELECT steward.alter_policy('cases', age => 'Odd one', filter => 'opened < ''02/03/2030''');
SELECT age, filter FROM steward.policy;
SET datestyle = 'ISO, DMY';
SET timezone = 'Asia/Tokyo';
CALL steward.run_policy('cases');
RESET datestyle;
SET timezone = 'UTC';
SELECT string_agg(id::text, ' ' ORDER BY id) FROM rp_case;

-- Refused.
SELECT steward.create_policy('x', 'rp_case', 'opened', '1 year', filter => 'status');
SELECT steward.create_policy('x', 'rp_case', 'opened', '1 year', filter => 'random() < 0.5');
SELECT steward.create_policy('x', 'rp_case', 'opened', '1 year', filter => 'EXISTS (SELECT 1)');
SELECT steward.create_policy('x', 'rp_case', 'opened', '1 year', filter => 'missing = 1');
SELECT steward.create_policy('x', 'rp_case', 'opened); DELETE FROM rp_case; SELECT (1', '1 year');
SELECT steward.create_policy('x', 'rp_case', 'clock_timestamp()', '1 year');
SELECT steward.create_policy('x', 'rp_case', 'max(opened)', '1 year');
SELECT steward.create_policy('x', 'rp_case', 'opened', '1 year', 'explode');
SELECT steward.create_policy('x', 'rp_case', 'opened', '1 year', 'delete', columns => '{}');
SELECT steward.create_policy('x', 'rp_case', 'opened', '1 year', archive => 'rp_case');
SELECT steward.alter_policy('missing', keep => '1 day');
SELECT steward.alter_policy(NULL);
SELECT steward.alter_policy('cases', keep => '-1 day');
SELECT steward.alter_policy('cases', time_zone => 'Mars/Olympus');
SELECT steward.alter_policy('cases', age => 'status');

-- Only what is given changes; who changed it is kept.
SELECT age, filter, keep, time_zone, changed_by IS NULL AS unchanged FROM steward.policy_definition;
SELECT steward.alter_policy('cases', keep => '5 years', time_zone => 'Europe/Berlin', filter => '');
SELECT age, filter, keep, time_zone, changed_by = current_user AS by_us, changed_at IS NOT NULL AS at FROM steward.policy;

-- A schedule says when it runs next; changing something else does not move that.
SELECT next_run IS NULL AS never FROM steward.policy;
SELECT steward.alter_policy('cases', schedule => '30 3 * * *');
SELECT schedule, (next_run AT TIME ZONE 'Europe/Berlin')::time AS at, next_run > now() AND next_run <= now() + interval '25 hours' AS soon FROM steward.policy;
-- Not for the worker to see.
BEGIN;
UPDATE steward.policy_state SET next_run = '2001-01-01';
SELECT steward.alter_policy('cases', keep => '6 years');
SELECT next_run FROM steward.policy;
ROLLBACK;
SELECT steward.alter_policy('cases', time_zone => 'Asia/Tokyo');
SELECT (next_run AT TIME ZONE 'Asia/Tokyo')::time AS at FROM steward.policy;
SELECT steward.alter_policy('cases', schedule => '61 3 * * *');
SELECT steward.alter_policy('cases', schedule => '6 hours');
SELECT schedule, next_run > now() + interval '5 hours' AS later FROM steward.policy;
SELECT steward.alter_policy('cases', schedule => '');
SELECT schedule, next_run FROM steward.policy;

-- A paused policy does not run.
SELECT steward.pause_policy('cases');
SELECT steward.pause_policy('cases');
SELECT paused_at IS NOT NULL AS paused, paused_by = current_user AS by_us FROM steward.policy;
CALL steward.run_policy('cases');
SELECT count(*) FROM steward.policy_run WHERE policy = 'cases';
SELECT steward.resume_policy('cases');
SELECT steward.resume_policy('cases');
SELECT paused_at, paused_by FROM steward.policy;
CALL steward.run_policy('cases');
SELECT steward.pause_policy('missing');
SELECT steward.resume_policy(NULL);
-- So does resuming one that is in quarantine.
UPDATE steward.policy_state SET quarantined_at = now(), failures = 5, retry_at = now();
SELECT steward.resume_policy('cases');
SELECT failures, retry_at, quarantined_at FROM steward.policy;

-- Whoever is granted the views sees the policies of his own tables.
CREATE ROLE regress_rp_owner;
CREATE ROLE regress_rp_member IN ROLE regress_rp_owner;
CREATE ROLE regress_rp_other;
CREATE TABLE rp_owned (at date);
INSERT INTO rp_owned VALUES ('2001-01-01');
ALTER TABLE rp_owned OWNER TO regress_rp_owner;
SELECT steward.create_policy('owned', 'rp_owned', 'at', '1 day');
CALL steward.run_policy('owned');
CREATE TABLE rp_gone (at date);
SELECT steward.create_policy('gone', 'rp_gone', 'at', '1 day');
CALL steward.run_policy('gone');
DROP TABLE rp_gone;
GRANT USAGE ON SCHEMA steward TO regress_rp_owner, regress_rp_other;
GRANT SELECT ON steward.policy, steward.policy_run, steward.policy_progress TO regress_rp_owner, regress_rp_other;
SELECT name FROM steward.policy ORDER BY name;
SET ROLE regress_rp_member;
SELECT name, cutoff < now() AS cutoff FROM steward.policy;
SELECT policy, rows, state FROM steward.policy_run;
SELECT count(*) FROM steward.policy_progress;
SET ROLE regress_rp_other;
SELECT name FROM steward.policy;
SELECT policy FROM steward.policy_run;
-- The owner changes his own policy and no other.
RESET ROLE;
GRANT EXECUTE ON FUNCTION steward.alter_policy, steward.pause_policy, steward.resume_policy TO regress_rp_owner, regress_rp_other;
SET ROLE regress_rp_owner;
SELECT steward.pause_policy('owned');
SELECT steward.resume_policy('owned');
SELECT steward.alter_policy('owned', keep => '2 days');
SELECT steward.alter_policy('cases', keep => '2 days');
SELECT steward.pause_policy('gone');
SET ROLE regress_rp_other;
SELECT steward.alter_policy('owned', keep => '2 days');
SELECT steward.pause_policy('owned');
SELECT steward.resume_policy('owned');
RESET ROLE;
SELECT steward.alter_policy('gone', keep => '2 days');
CALL steward.run_policy('gone');
-- An expression must not be a way for somebody else to act as the owner.
CREATE FUNCTION rp_at() RETURNS date LANGUAGE sql IMMUTABLE AS $$SELECT date '2001-01-01'$$;
ALTER FUNCTION rp_at OWNER TO regress_rp_other;
SELECT steward.alter_policy('owned', age => 'least(at, rp_at())');

SELECT steward.drop_policy(name) FROM steward.policy;
SELECT (SELECT count(*) FROM steward.policy_definition) + (SELECT count(*) FROM steward.policy_state) AS "left";
REVOKE EXECUTE ON FUNCTION steward.alter_policy, steward.pause_policy, steward.resume_policy FROM regress_rp_owner, regress_rp_other;
REVOKE SELECT ON steward.policy, steward.policy_run, steward.policy_progress FROM regress_rp_owner, regress_rp_other;
REVOKE USAGE ON SCHEMA steward FROM regress_rp_owner, regress_rp_other;
DROP FUNCTION rp_at;
DROP TABLE rp_case, rp_owned;
DROP ROLE regress_rp_member, regress_rp_owner, regress_rp_other;
