CREATE TABLE steward.policy (
    name text PRIMARY KEY CHECK (name <> ''),
    relation regclass NOT NULL,
    age text NOT NULL,
    keep interval NOT NULL,
    action text NOT NULL,
    time_zone text NOT NULL,
    created_by name NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON steward.policy FROM PUBLIC;
COMMENT ON TABLE steward.policy IS 'retention policies: which rows of which table expire, and what happens to them';
COMMENT ON COLUMN steward.policy.age IS 'column that says how old a row is: a date, timestamp or timestamptz';
COMMENT ON COLUMN steward.policy.keep IS 'how long a row is kept, counted in the calendar of time_zone';
COMMENT ON COLUMN steward.policy.action IS 'what happens to expired rows: delete';
COMMENT ON COLUMN steward.policy.name IS 'name of the policy';
COMMENT ON COLUMN steward.policy.relation IS 'table it is for';
COMMENT ON COLUMN steward.policy.time_zone IS 'whose calendar counts';
COMMENT ON COLUMN steward.policy.created_by IS 'who made it';
COMMENT ON COLUMN steward.policy.created_at IS 'when it was made';

CREATE TABLE steward.policy_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy text NOT NULL,
    relation regclass NOT NULL,
    cutoff timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    rows bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'complete', 'incomplete', 'failed', 'interrupted')),
    sqlstate text
);
CREATE INDEX ON steward.policy_run (policy) WHERE state = 'running';
REVOKE ALL ON steward.policy_run FROM PUBLIC;
COMMENT ON TABLE steward.policy_run IS 'what each run of a retention policy did; a batch and its counters commit together';
COMMENT ON COLUMN steward.policy_run.cutoff IS 'rows older than this had expired when the run began';
COMMENT ON COLUMN steward.policy_run.rows IS 'rows deleted, and committed';
COMMENT ON COLUMN steward.policy_run.skipped IS 'expired rows that were left because somebody held a lock on them or a trigger kept them';
COMMENT ON SEQUENCE steward.policy_run_id_seq IS 'numbers of steward.policy_run';
COMMENT ON COLUMN steward.policy_run.id IS 'number of the run';
COMMENT ON COLUMN steward.policy_run.policy IS 'name of the policy';
COMMENT ON COLUMN steward.policy_run.relation IS 'table that it was for';
COMMENT ON COLUMN steward.policy_run.started_at IS 'when the run began';
COMMENT ON COLUMN steward.policy_run.finished_at IS 'when it ended';
COMMENT ON COLUMN steward.policy_run.batches IS 'how many batches deleted something';
COMMENT ON COLUMN steward.policy_run.sqlstate IS 'the error that ended it';
COMMENT ON COLUMN steward.policy_run.state IS 'complete only when no expired row was left; running without a session means that the server stopped, and the next run says interrupted';

-- A policy whose table is gone would be dumped as a bare number, which another
-- table may have in the database it is restored into.
SELECT pg_catalog.pg_extension_config_dump('steward.policy',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_run',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_run_id_seq', '');

-- Years, months and days are counted in the calendar of the zone, the rest of
-- an interval is time that really passes.
CREATE FUNCTION steward.policy_cutoff(keep interval, time_zone text, moment timestamptz DEFAULT now())
RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.timezone(time_zone, pg_catalog.timezone(time_zone, moment)
        OPERATOR(pg_catalog.-) pg_catalog.make_interval(
            years => extract(year FROM keep)::int,
            months => extract(month FROM keep)::int,
            days => extract(day FROM keep)::int))
    OPERATOR(pg_catalog.-) pg_catalog.make_interval(
        hours => extract(hour FROM keep)::int,
        mins => extract(minute FROM keep)::int,
        secs => extract(second FROM keep)::double precision);
COMMENT ON FUNCTION steward.policy_cutoff IS 'the moment before which a row has expired, when rows are kept for an interval in the calendar of a time zone';

CREATE FUNCTION steward.create_policy(name text, relation regclass, age text, keep interval,
    action text DEFAULT 'delete', time_zone text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_create_policy';
COMMENT ON FUNCTION steward.create_policy IS 'says how long the rows of a table are kept, and what happens then';
REVOKE EXECUTE ON FUNCTION steward.create_policy FROM PUBLIC;

CREATE FUNCTION steward.drop_policy(name text)
RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_drop_policy';
COMMENT ON FUNCTION steward.drop_policy IS 'ends a retention policy; the history of its runs stays';
REVOKE EXECUTE ON FUNCTION steward.drop_policy FROM PUBLIC;

CREATE PROCEDURE steward.run_policy(name text, INOUT deleted bigint DEFAULT NULL)
LANGUAGE C AS 'MODULE_PATHNAME', 'steward_run_policy';
COMMENT ON PROCEDURE steward.run_policy IS 'deletes the rows that have expired under a policy, in batches, each with its own commit where that is possible';
REVOKE EXECUTE ON PROCEDURE steward.run_policy FROM PUBLIC;

CREATE FUNCTION steward.next_runs(schedule text, time_zone text DEFAULT NULL,
    after timestamptz DEFAULT now(), count integer DEFAULT 5)
RETURNS SETOF timestamptz
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_next_runs';
COMMENT ON FUNCTION steward.next_runs IS 'when a policy with a schedule would run next: times after a moment, from which an interval is counted; without a time zone in the session''s';
