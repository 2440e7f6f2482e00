-- Turning a plaintext column into an encrypted one, and back.

CREATE TABLE steward.column_conversion (
    relation regclass PRIMARY KEY,
    "column" name NOT NULL,
    shadow name NOT NULL,
    direction text NOT NULL CHECK (direction IN ('encrypt', 'decrypt')),
    key_id integer NOT NULL,
    phase text NOT NULL DEFAULT 'filling'
        CHECK (phase IN ('filling', 'waiting for indexes', 'verifying', 'swapping')),
    next_block bigint NOT NULL DEFAULT 0,
    rows_done bigint NOT NULL DEFAULT 0,
    rows_total bigint NOT NULL,
    started_by name NOT NULL DEFAULT SESSION_USER,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
REVOKE ALL ON steward.column_conversion FROM PUBLIC;
COMMENT ON TABLE steward.column_conversion IS 'online conversions of columns that have begun and not ended; a batch and its counters commit together';
COMMENT ON COLUMN steward.column_conversion.relation IS 'the table';
COMMENT ON COLUMN steward.column_conversion."column" IS 'the column, as it was called when the conversion began';
COMMENT ON COLUMN steward.column_conversion.shadow IS 'the column that is to take its place, likewise';
COMMENT ON COLUMN steward.column_conversion.direction IS 'encrypt or decrypt';
COMMENT ON COLUMN steward.column_conversion.key_id IS 'the key that encrypts the column, or has encrypted it';
COMMENT ON COLUMN steward.column_conversion.phase IS 'what is done now, or was when the session that did it ended';
COMMENT ON COLUMN steward.column_conversion.next_block IS 'blocks of the table before this one are done in this phase';
COMMENT ON COLUMN steward.column_conversion.rows_done IS 'rows of the shadow column that were filled, and committed';
COMMENT ON COLUMN steward.column_conversion.rows_total IS 'rows of the table when it began, as the planner estimates';
COMMENT ON COLUMN steward.column_conversion.started_by IS 'who began it';
COMMENT ON COLUMN steward.column_conversion.started_at IS 'when it was begun';
COMMENT ON COLUMN steward.column_conversion.updated_at IS 'when it last came on';
SELECT pg_catalog.pg_extension_config_dump('steward.column_conversion',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)');

-- Whoever is granted SELECT sees the conversions of tables that are his own.
CREATE VIEW steward.column_progress WITH (security_barrier) AS
SELECT v.relation, v."column", v.direction, v.phase, v.rows_done, v.rows_total,
       b.pid, v.started_by, v.started_at, v.updated_at
  FROM steward.column_conversion AS v
  JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) v.relation
  LEFT JOIN LATERAL (
       SELECT l.pid
         FROM pg_catalog.pg_locks AS l
        WHERE l.locktype OPERATOR(pg_catalog.=) 'object' AND l.granted
          AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
                WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
          AND l.classid OPERATOR(pg_catalog.=) 'steward.column_conversion'::pg_catalog.regclass::pg_catalog.oid
          AND l.objid OPERATOR(pg_catalog.=) v.relation
        LIMIT 1) AS b ON true
 WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');
REVOKE ALL ON steward.column_progress FROM PUBLIC;
COMMENT ON VIEW steward.column_progress IS 'how far online conversions of columns are, of tables that the current user owns';
COMMENT ON COLUMN steward.column_progress.relation IS 'the table';
COMMENT ON COLUMN steward.column_progress."column" IS 'the column';
COMMENT ON COLUMN steward.column_progress.direction IS 'encrypt or decrypt';
COMMENT ON COLUMN steward.column_progress.phase IS 'filling, waiting for indexes, verifying or swapping';
COMMENT ON COLUMN steward.column_progress.rows_done IS 'rows that were filled so far';
COMMENT ON COLUMN steward.column_progress.rows_total IS 'rows of the table when it began, as the planner estimates';
COMMENT ON COLUMN steward.column_progress.pid IS 'the session that works on it; NULL when none does: call the procedure again';
COMMENT ON COLUMN steward.column_progress.started_by IS 'who began it';
COMMENT ON COLUMN steward.column_progress.started_at IS 'when it was begun';
COMMENT ON COLUMN steward.column_progress.updated_at IS 'when it last came on';

CREATE FUNCTION steward.encrypt_column(relation regclass, "column" name, key text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_encrypt_column';
COMMENT ON FUNCTION steward.encrypt_column(regclass, name, text) IS 'encrypts a column of a table at once: one rewrite under one lock';
REVOKE ALL ON FUNCTION steward.encrypt_column(regclass, name, text) FROM PUBLIC;

CREATE FUNCTION steward.decrypt_column(relation regclass, "column" name, type text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_decrypt_column';
COMMENT ON FUNCTION steward.decrypt_column(regclass, name, text) IS 'makes an encrypted column a plaintext one at once: one rewrite under one lock';
REVOKE ALL ON FUNCTION steward.decrypt_column(regclass, name, text) FROM PUBLIC;

CREATE PROCEDURE steward.encrypt_column_online(relation regclass, "column" name, key text,
    batch_size integer DEFAULT 1000, patience interval DEFAULT '1 minute', build_indexes boolean DEFAULT false,
    INOUT state text DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_encrypt_column_online';
COMMENT ON PROCEDURE steward.encrypt_column_online(regclass, name, text, integer, interval, boolean, text) IS 'encrypts a column while the table is in use, in many transactions; called again it goes on where it was';
REVOKE ALL ON PROCEDURE steward.encrypt_column_online(regclass, name, text, integer, interval, boolean, text) FROM PUBLIC;

CREATE PROCEDURE steward.decrypt_column_online(relation regclass, "column" name, type text DEFAULT NULL,
    batch_size integer DEFAULT 1000, patience interval DEFAULT '1 minute', build_indexes boolean DEFAULT false,
    INOUT state text DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_decrypt_column_online';
COMMENT ON PROCEDURE steward.decrypt_column_online(regclass, name, text, integer, interval, boolean, text) IS 'makes an encrypted column a plaintext one while the table is in use, in many transactions; called again it goes on where it was';
REVOKE ALL ON PROCEDURE steward.decrypt_column_online(regclass, name, text, integer, interval, boolean, text) FROM PUBLIC;

CREATE FUNCTION steward.abort_column_conversion(relation regclass, patience interval DEFAULT '1 minute') RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_abort_column_conversion';
COMMENT ON FUNCTION steward.abort_column_conversion(regclass, interval) IS 'gives up an online conversion that has begun: the column stays what it was';
REVOKE ALL ON FUNCTION steward.abort_column_conversion(regclass, interval) FROM PUBLIC;

CREATE FUNCTION steward.column_step() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_column_step';
COMMENT ON FUNCTION steward.column_step() IS 'trigger: keeps the shadow column of an online conversion in step';
REVOKE ALL ON FUNCTION steward.column_step() FROM PUBLIC;
