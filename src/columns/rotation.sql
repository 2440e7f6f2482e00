-- Moving values to the newest version of their key, and destroying versions that
-- nothing is under any more.

-- How many values were under which version when a table was last read through.
-- Names tables by oid, which another database has not: not dumped.
CREATE TABLE steward.value_count (
    relation oid NOT NULL,
    key_id integer NOT NULL,
    key_tag bigint NOT NULL,
    values bigint NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (relation, key_id, key_tag)
);
COMMENT ON TABLE steward.value_count IS 'how many values of a table were under which key version when it was last read through';
COMMENT ON COLUMN steward.value_count.relation IS 'the table, partition or materialized view';
COMMENT ON COLUMN steward.value_count.key_id IS 'the named key';
COMMENT ON COLUMN steward.value_count.key_tag IS 'the version';
COMMENT ON COLUMN steward.value_count.values IS 'values that a snapshot showed';
COMMENT ON COLUMN steward.value_count.counted_at IS 'when';

CREATE TABLE steward.reencryption (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation oid NOT NULL,
    name text NOT NULL,
    called_by name NOT NULL,
    state text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'complete', 'incomplete', 'interrupted')),
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    blocks_total bigint NOT NULL DEFAULT 0,
    blocks_done bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    values bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    remaining bigint
);
CREATE INDEX ON steward.reencryption (relation) WHERE state = 'running';
COMMENT ON TABLE steward.reencryption IS 'what each call of steward.reencrypt did; a batch and its counters commit together';
COMMENT ON COLUMN steward.reencryption.id IS 'number of the run';
COMMENT ON COLUMN steward.reencryption.relation IS 'the table, in the database that ran it';
COMMENT ON COLUMN steward.reencryption.name IS 'its name at that time';
COMMENT ON COLUMN steward.reencryption.called_by IS 'who called it';
COMMENT ON COLUMN steward.reencryption.state IS 'complete only after a look that found nothing left; running without a session means that the session or server ended, and the next run says interrupted';
COMMENT ON COLUMN steward.reencryption.started_at IS 'when it began';
COMMENT ON COLUMN steward.reencryption.finished_at IS 'when it ended';
COMMENT ON COLUMN steward.reencryption.blocks_total IS 'blocks of 8 kB to go through, of all partitions';
COMMENT ON COLUMN steward.reencryption.blocks_done IS 'of these, gone through';
COMMENT ON COLUMN steward.reencryption.rows IS 'rows changed, and committed';
COMMENT ON COLUMN steward.reencryption.values IS 'values moved to the newest version in them';
COMMENT ON COLUMN steward.reencryption.batches IS 'transactions that changed something';
COMMENT ON COLUMN steward.reencryption.remaining IS 'values left under an older version: locked all the time, or not to be opened';
COMMENT ON SEQUENCE steward.reencryption_id_seq IS 'numbers of steward.reencryption';

SELECT pg_catalog.pg_extension_config_dump('steward.reencryption', '');
SELECT pg_catalog.pg_extension_config_dump('steward.reencryption_id_seq', '');

CREATE TABLE steward.key_destruction (
    key_id integer NOT NULL,
    version integer NOT NULL,
    destroyed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    destroyed_by name NOT NULL DEFAULT SESSION_USER,
    forced boolean NOT NULL,
    values_left bigint NOT NULL,
    PRIMARY KEY (key_id, version)
);
COMMENT ON TABLE steward.key_destruction IS 'key versions that were destroyed';
COMMENT ON COLUMN steward.key_destruction.key_id IS 'the named key';
COMMENT ON COLUMN steward.key_destruction.version IS 'its version';
COMMENT ON COLUMN steward.key_destruction.destroyed_at IS 'when';
COMMENT ON COLUMN steward.key_destruction.destroyed_by IS 'by whom';
COMMENT ON COLUMN steward.key_destruction.forced IS 'was it forced, so that values may have been lost?';
COMMENT ON COLUMN steward.key_destruction.values_left IS 'values that were found under it and can no longer be read';

SELECT pg_catalog.pg_extension_config_dump('steward.key_destruction', '');

CREATE PROCEDURE steward.reencrypt(relation regclass, pause integer DEFAULT 0,
    INOUT rows bigint DEFAULT NULL, INOUT remaining bigint DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_reencrypt';
COMMENT ON PROCEDURE steward.reencrypt(regclass, integer, bigint, bigint) IS 'moves the values of a table to the newest version of their key, in batches with a commit each; for the table''s owner';
REVOKE ALL ON PROCEDURE steward.reencrypt(regclass, integer, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION steward.destroy_key_version(key text, version integer, force boolean DEFAULT false) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_destroy_key_version';
COMMENT ON FUNCTION steward.destroy_key_version(text, integer, boolean) IS 'destroys an old version of a key, which no value must be under any more unless forced';
REVOKE ALL ON FUNCTION steward.destroy_key_version(text, integer, boolean) FROM PUBLIC;

CREATE FUNCTION steward.current_root() RETURNS bytea
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'steward_current_root';
COMMENT ON FUNCTION steward.current_root() IS 'name of the root key that wraps what is made now; null when the server has none';
REVOKE ALL ON FUNCTION steward.current_root() FROM PUBLIC;

CREATE VIEW steward.key_status AS
SELECT k.path AS key, v.version, pg_catalog.lpad(pg_catalog.to_hex(v.key_tag), 8, '0') AS key_tag,
       CASE WHEN v.destroyed_at IS NOT NULL THEN 'destroyed'
            WHEN v.version OPERATOR(pg_catalog.=) pg_catalog.max(v.version) OVER (PARTITION BY v.key_id) THEN 'current'
            ELSE 'old' END AS state,
       pg_catalog.encode(v.root_id, 'hex') AS root,
       v.root_id OPERATOR(pg_catalog.=) (SELECT steward.current_root()) AS root_is_current,
       v.created_at, v.destroyed_at, c.values, c.counted_at
  FROM steward.key_version AS v
  JOIN steward.key AS k ON k.key_id OPERATOR(pg_catalog.=) v.key_id
  LEFT JOIN LATERAL (
       SELECT pg_catalog.sum(n.values)::bigint AS values, pg_catalog.min(n.counted_at) AS counted_at
         FROM steward.value_count AS n
        WHERE n.key_id OPERATOR(pg_catalog.=) v.key_id AND n.key_tag OPERATOR(pg_catalog.=) v.key_tag
          AND EXISTS (SELECT FROM pg_catalog.pg_class AS r WHERE r.oid OPERATOR(pg_catalog.=) n.relation)) AS c ON true;
COMMENT ON VIEW steward.key_status IS 'versions of keys: their state, the root that wraps them, the values under them when they were counted last';
COMMENT ON COLUMN steward.key_status.key IS 'name of the key';
COMMENT ON COLUMN steward.key_status.version IS 'number of the version';
COMMENT ON COLUMN steward.key_status.key_tag IS 'its short name, as messages and the first bytes of values have it, in hexadecimal digits';
COMMENT ON COLUMN steward.key_status.state IS 'current (seals new values), old (opens what is under it) or destroyed';
COMMENT ON COLUMN steward.key_status.root IS 'id of the root key that wraps it, as pg_steward_keygen --check prints it';
COMMENT ON COLUMN steward.key_status.root_is_current IS 'is that the newest root key of the keyring? null without a keyring';
COMMENT ON COLUMN steward.key_status.created_at IS 'when it was made';
COMMENT ON COLUMN steward.key_status.destroyed_at IS 'when it was destroyed';
COMMENT ON COLUMN steward.key_status.values IS 'values under it in the tables that were counted; null when none has been counted yet';
COMMENT ON COLUMN steward.key_status.counted_at IS 'when the one of these tables was counted whose count is oldest';

CREATE VIEW steward.reencryption_progress AS
SELECT r.id, r.relation::regclass AS relation, r.called_by, l.pid, r.started_at,
       r.blocks_total, r.blocks_done, r.rows, r.values, r.batches
  FROM steward.reencryption AS r
  JOIN pg_catalog.pg_locks AS l ON l.locktype OPERATOR(pg_catalog.=) 'object'
       AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
       AND l.classid OPERATOR(pg_catalog.=) 'steward.reencryption'::regclass
       AND l.objid OPERATOR(pg_catalog.=) r.relation AND l.granted
 WHERE r.state OPERATOR(pg_catalog.=) 'running';
COMMENT ON VIEW steward.reencryption_progress IS 'how far the calls of steward.reencrypt that run now have come';
COMMENT ON COLUMN steward.reencryption_progress.id IS 'number of the run, as in steward.reencryption';
COMMENT ON COLUMN steward.reencryption_progress.relation IS 'the table';
COMMENT ON COLUMN steward.reencryption_progress.called_by IS 'who called it';
COMMENT ON COLUMN steward.reencryption_progress.pid IS 'the session that runs it';
COMMENT ON COLUMN steward.reencryption_progress.started_at IS 'when it began';
COMMENT ON COLUMN steward.reencryption_progress.blocks_total IS 'blocks of 8 kB to go through, of all partitions';
COMMENT ON COLUMN steward.reencryption_progress.blocks_done IS 'of these, gone through';
COMMENT ON COLUMN steward.reencryption_progress.rows IS 'rows changed so far';
COMMENT ON COLUMN steward.reencryption_progress.values IS 'values moved so far';
COMMENT ON COLUMN steward.reencryption_progress.batches IS 'transactions that changed something';
