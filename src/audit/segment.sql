-- Segments of the audit log: switching, closing, their key index, dropping.

CREATE TABLE steward.audit_segment_closed (
    number           integer PRIMARY KEY,
    closed_at        timestamptz NOT NULL,
    incarnation      integer,
    batches          bigint NOT NULL,
    records          bigint NOT NULL,
    first_written_at timestamptz,
    last_written_at  timestamptz,
    last_xid         xid8
) USING heap;
COMMENT ON TABLE steward.audit_segment_closed IS 'the segments of the audit log that are complete and have their key index';
COMMENT ON COLUMN steward.audit_segment_closed.number IS 'the segment: audit_segment.number';
COMMENT ON COLUMN steward.audit_segment_closed.closed_at IS 'when its last writer was known to have ended';
COMMENT ON COLUMN steward.audit_segment_closed.incarnation IS 'the life of the database then: audit_incarnation.id';
COMMENT ON COLUMN steward.audit_segment_closed.batches IS 'how many rows it holds';
COMMENT ON COLUMN steward.audit_segment_closed.records IS 'how many records';
COMMENT ON COLUMN steward.audit_segment_closed.first_written_at IS 'when its first batch was written';
COMMENT ON COLUMN steward.audit_segment_closed.last_written_at IS 'when its last batch was written';
COMMENT ON COLUMN steward.audit_segment_closed.last_xid IS 'the newest transaction that wrote to it';
REVOKE ALL ON steward.audit_segment_closed FROM PUBLIC;
SELECT steward.audit_protect('steward.audit_segment_closed');
SELECT pg_catalog.pg_extension_config_dump('steward.audit_segment_closed', '');

-- Immutable as far as an index needs: schema versions are only ever added, and of
-- one that is missing the result says so.
CREATE FUNCTION steward.audit_keys(batch bytea, first_seq integer, xid xid8) RETURNS bigint[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 AS 'MODULE_PATHNAME', 'steward_audit_keys';
COMMENT ON FUNCTION steward.audit_keys(bytea, integer, xid8) IS 'hashes of the tables and keys that a batch of the audit log is about: what closed segments are indexed by';

CREATE FUNCTION steward.audit_key_hash(relation oid, key jsonb DEFAULT NULL) RETURNS bigint[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_audit_key_hash';
COMMENT ON FUNCTION steward.audit_key_hash(oid, jsonb) IS 'what to search steward.audit_keys() for with &&: batches about a row of a table, or without a key about the table; some others may be found too';

CREATE PROCEDURE steward.switch_segment(patience interval DEFAULT '1 minute', INOUT segment bigint DEFAULT NULL, INOUT unclosed bigint DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_switch_segment';
COMMENT ON PROCEDURE steward.switch_segment(interval, bigint, bigint) IS 'begins a new segment of the audit log, and closes those before it that no transaction writes any more';
REVOKE EXECUTE ON PROCEDURE steward.switch_segment(interval, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION steward.audit_segment_guard() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_segment_guard';
COMMENT ON FUNCTION steward.audit_segment_guard() IS 'refuses to drop a segment of the audit log';
REVOKE EXECUTE ON FUNCTION steward.audit_segment_guard() FROM PUBLIC;
CREATE EVENT TRIGGER steward_audit_append_only ON sql_drop EXECUTE FUNCTION steward.audit_segment_guard();
ALTER EVENT TRIGGER steward_audit_append_only ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER steward_audit_append_only IS 'refuses to drop a segment of the audit log';
