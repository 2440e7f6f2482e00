-- Looking back. README in src/history says how.

CREATE FUNCTION steward.as_of(relation anyelement, at timestamptz) RETURNS SETOF anyelement
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_as_of';
COMMENT ON FUNCTION steward.as_of(anyelement, timestamptz) IS 'the rows that a table had at a time, by its present columns: SELECT * FROM steward.as_of(NULL::customer, now() - interval ''1 day'')';
REVOKE EXECUTE ON FUNCTION steward.as_of(anyelement, timestamptz) FROM PUBLIC;

CREATE FUNCTION steward.as_of_snapshot(relation anyelement, snapshot pg_snapshot) RETURNS SETOF anyelement
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_as_of_snapshot';
COMMENT ON FUNCTION steward.as_of_snapshot(anyelement, pg_snapshot) IS 'the rows of a table that a snapshot shows, which pg_current_snapshot() gave: exact however many transactions ran side by side';
REVOKE EXECUTE ON FUNCTION steward.as_of_snapshot(anyelement, pg_snapshot) FROM PUBLIC;
