-- Looking back. README in src/history says how.

CREATE FUNCTION steward.as_of(relation anyelement, at timestamptz) RETURNS SETOF anyelement
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_as_of';
COMMENT ON FUNCTION steward.as_of(anyelement, timestamptz) IS 'the rows that a table had at a time, by its present columns: SELECT * FROM steward.as_of(NULL::customer, now() - interval ''1 day'')';
REVOKE EXECUTE ON FUNCTION steward.as_of(anyelement, timestamptz) FROM PUBLIC;

CREATE FUNCTION steward.as_of_snapshot(relation anyelement, snapshot pg_snapshot) RETURNS SETOF anyelement
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_as_of_snapshot';
COMMENT ON FUNCTION steward.as_of_snapshot(anyelement, pg_snapshot) IS 'the rows of a table that a snapshot shows, which pg_current_snapshot() gave: exact however many transactions ran side by side';
REVOKE EXECUTE ON FUNCTION steward.as_of_snapshot(anyelement, pg_snapshot) FROM PUBLIC;

CREATE FUNCTION steward.diff(relation regclass, old_time timestamptz, new_time timestamptz, OUT key jsonb, OUT old jsonb, OUT new jsonb)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_diff';
COMMENT ON FUNCTION steward.diff(regclass, timestamptz, timestamptz) IS 'the rows of a table that differ between two times: the key, the row at the first and at the second, NULL where there was none';
REVOKE EXECUTE ON FUNCTION steward.diff(regclass, timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION steward.history(relation regclass, key jsonb, OUT life integer, OUT changed_at timestamptz, OUT written_at timestamptz,
        OUT incarnation integer, OUT xid xid8, OUT seq integer, OUT operation text, OUT old_key jsonb, OUT old jsonb, OUT new jsonb,
        OUT changed text[], OUT login_role text, OUT session_role text, OUT effective_role text, OUT client_address inet,
        OUT application text, OUT actor text, OUT purpose text, OUT request_id text, OUT replication_origin text, OUT pid integer)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_history';
COMMENT ON FUNCTION steward.history(regclass, jsonb) IS 'all that happened to the rows that ever had a key, also under other keys that they had, and who did it';
REVOKE EXECUTE ON FUNCTION steward.history(regclass, jsonb) FROM PUBLIC;

CREATE FUNCTION steward.revert(transaction xid8, apply boolean DEFAULT false, OUT step integer, OUT relation regclass, OUT operation text,
        OUT key jsonb, OUT statement text)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_revert';
COMMENT ON FUNCTION steward.revert(xid8, boolean) IS 'the statements that make good what a transaction changed; with apply they are run, as the caller';
REVOKE EXECUTE ON FUNCTION steward.revert(xid8, boolean) FROM PUBLIC;
