-- Retention policies: what is called.

CREATE FUNCTION steward.create_policy(name text, relation regclass, age text, keep interval,
    action text DEFAULT 'delete', schedule text DEFAULT NULL, time_zone text DEFAULT NULL, columns jsonb DEFAULT NULL,
    archive regclass DEFAULT NULL, children jsonb DEFAULT NULL, filter text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_create_policy';
COMMENT ON FUNCTION steward.create_policy IS 'says how long the rows of a table are kept, and what happens then';
REVOKE EXECUTE ON FUNCTION steward.create_policy FROM PUBLIC;

CREATE FUNCTION steward.alter_policy(name text, age text DEFAULT NULL, keep interval DEFAULT NULL,
    action text DEFAULT NULL, schedule text DEFAULT NULL, time_zone text DEFAULT NULL, columns jsonb DEFAULT NULL,
    archive regclass DEFAULT NULL, children jsonb DEFAULT NULL, filter text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_alter_policy';
COMMENT ON FUNCTION steward.alter_policy IS 'changes what is given of a retention policy; an empty schedule, filter or list of children takes it away';
REVOKE EXECUTE ON FUNCTION steward.alter_policy FROM PUBLIC;

CREATE FUNCTION steward.drop_policy(name text)
RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_drop_policy';
COMMENT ON FUNCTION steward.drop_policy IS 'ends a retention policy; the history of its runs stays';
REVOKE EXECUTE ON FUNCTION steward.drop_policy FROM PUBLIC;

CREATE FUNCTION steward.pause_policy(name text)
RETURNS boolean
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_pause_policy';
COMMENT ON FUNCTION steward.pause_policy IS 'keeps a retention policy from running, by itself or called; false when it was paused already';
REVOKE EXECUTE ON FUNCTION steward.pause_policy FROM PUBLIC;

CREATE FUNCTION steward.resume_policy(name text)
RETURNS boolean
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_resume_policy';
COMMENT ON FUNCTION steward.resume_policy IS 'lets a retention policy run again that was paused or quarantined; false when it was neither';
REVOKE EXECUTE ON FUNCTION steward.resume_policy FROM PUBLIC;

CREATE FUNCTION steward.is_anonymous(value text, policy text, "column" text)
RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'steward_is_anonymous';
COMMENT ON FUNCTION steward.is_anonymous IS 'is a value a hash or a pseudonym that a retention policy made for a column';

CREATE FUNCTION steward.preview_policy(name text, OUT relation regclass, OUT "constraint" name, OUT refers_to regclass,
    OUT action text, OUT rows bigint, OUT held bigint, OUT restricted bigint, OUT oldest timestamptz, OUT newest timestamptz,
    OUT problem text)
RETURNS SETOF record
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'steward_preview_policy';
COMMENT ON FUNCTION steward.preview_policy IS 'what a run of a retention policy would do now, counted: first to its table, then to each table that refers to it, or, of action shred, whose rows would be unreadable';
REVOKE EXECUTE ON FUNCTION steward.preview_policy FROM PUBLIC;

CREATE PROCEDURE steward.run_policy(name text, INOUT deleted bigint DEFAULT NULL)
LANGUAGE C AS 'MODULE_PATHNAME', 'steward_run_policy';
COMMENT ON PROCEDURE steward.run_policy IS 'deletes the rows that have expired under a policy, in batches, each with its own commit where that is possible';
REVOKE EXECUTE ON PROCEDURE steward.run_policy FROM PUBLIC;

CREATE FUNCTION steward.next_runs(schedule text, time_zone text DEFAULT NULL,
    after timestamptz DEFAULT now(), count integer DEFAULT 5)
RETURNS SETOF timestamptz
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_next_runs';
COMMENT ON FUNCTION steward.next_runs IS 'when a policy with a schedule would run next: times after a moment, from which an interval is counted; without a time zone in the session''s';
