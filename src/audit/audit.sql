-- The audit floor. README in src/audit has the formats.

CREATE FUNCTION steward.audit_guard() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_guard';
COMMENT ON FUNCTION steward.audit_guard() IS 'refuses to change or remove what the audit tables hold';
REVOKE EXECUTE ON FUNCTION steward.audit_guard() FROM PUBLIC;

CREATE FUNCTION steward.audit_row() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_row';
COMMENT ON FUNCTION steward.audit_row() IS 'records a changed row; attached by steward.enable_audit()';
-- Whoever makes or attaches a partition of an audited table needs to execute it. A
-- trigger of its own the event trigger lets only those make who may execute
-- steward.enable_audit().

CREATE FUNCTION steward.audit_truncate() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_truncate';
COMMENT ON FUNCTION steward.audit_truncate() IS 'records a TRUNCATE; attached by steward.enable_audit()';
REVOKE EXECUTE ON FUNCTION steward.audit_truncate() FROM PUBLIC;

-- Statement triggers stop every statement, also one that would find no row; row
-- triggers stop logical replication, which runs no statement.
CREATE FUNCTION steward.audit_protect(relation regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE pg_catalog.format('CREATE TRIGGER steward_audit_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION steward.audit_guard()', relation);
    EXECUTE pg_catalog.format('CREATE TRIGGER steward_audit_guard_row BEFORE UPDATE OR DELETE ON %s
        FOR EACH ROW EXECUTE FUNCTION steward.audit_guard()', relation);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER steward_audit_guard', relation);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER steward_audit_guard_row', relation);
    EXECUTE pg_catalog.format('COMMENT ON TRIGGER steward_audit_guard ON %s IS %L', relation, 'keeps the table append-only');
    EXECUTE pg_catalog.format('COMMENT ON TRIGGER steward_audit_guard_row ON %s IS %L', relation, 'keeps the table append-only under replication');
END
$$;
COMMENT ON FUNCTION steward.audit_protect(regclass) IS 'makes an audit table append-only';
REVOKE EXECUTE ON FUNCTION steward.audit_protect(regclass) FROM PUBLIC;

CREATE SEQUENCE steward.audit_incarnation_id AS integer;
COMMENT ON SEQUENCE steward.audit_incarnation_id IS 'ids of steward.audit_incarnation';

CREATE TABLE steward.audit_incarnation (
    id                integer PRIMARY KEY,
    installation      uuid NOT NULL,
    system_identifier bigint NOT NULL,
    timeline          integer NOT NULL,
    database          oid NOT NULL,
    started_at        timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE steward.audit_incarnation IS 'the lives of this database: each restore, copy or promotion starts one';
COMMENT ON COLUMN steward.audit_incarnation.id IS 'the incarnation; stands in every record';
COMMENT ON COLUMN steward.audit_incarnation.installation IS 'random identity, made with the incarnation';
COMMENT ON COLUMN steward.audit_incarnation.system_identifier IS 'of the cluster';
COMMENT ON COLUMN steward.audit_incarnation.timeline IS 'of the write-ahead log';
COMMENT ON COLUMN steward.audit_incarnation.database IS 'oid of the database';
COMMENT ON COLUMN steward.audit_incarnation.started_at IS 'when it was first written in';

CREATE SEQUENCE steward.audit_schema_id AS integer;
COMMENT ON SEQUENCE steward.audit_schema_id IS 'ids of steward.audit_schema';

CREATE TABLE steward.audit_schema (
    id          integer PRIMARY KEY,
    kind        "char" NOT NULL,
    relation    oid NOT NULL,
    schema_name text NOT NULL,
    table_name  text NOT NULL,
    root        oid NOT NULL,
    root_schema text NOT NULL,
    root_name   text NOT NULL,
    encoding    text NOT NULL,
    attnums     smallint[] NOT NULL,
    names       text[] NOT NULL,
    types       text[] NOT NULL,
    typmods     integer[] NOT NULL,
    codecs      text[] NOT NULL,
    key         smallint[] NOT NULL,
    created_at  timestamptz NOT NULL
) USING heap;
CREATE INDEX audit_schema_relation_id_idx ON steward.audit_schema (relation, id);
COMMENT ON TABLE steward.audit_schema IS 'what an audited table looked like when records were made';
COMMENT ON COLUMN steward.audit_schema.id IS 'the schema version; stands in every record';
COMMENT ON COLUMN steward.audit_schema.kind IS 'r: of a table; c: of a composite type that columns of tables use';
COMMENT ON COLUMN steward.audit_schema.relation IS 'oid of the table, or of the relation of the type, in the incarnation of the record';
COMMENT ON COLUMN steward.audit_schema.schema_name IS 'schema of the table or type at that time';
COMMENT ON COLUMN steward.audit_schema.table_name IS 'name of the table or type at that time';
COMMENT ON COLUMN steward.audit_schema.root IS 'of a partition, oid of the table at the top; else as relation';
COMMENT ON COLUMN steward.audit_schema.root_schema IS 'schema of that at that time';
COMMENT ON COLUMN steward.audit_schema.root_name IS 'name of that at that time';
COMMENT ON COLUMN steward.audit_schema.encoding IS 'encoding of the database: of texts in the payload';
COMMENT ON COLUMN steward.audit_schema.attnums IS 'numbers of the recorded columns or of the attributes';
COMMENT ON COLUMN steward.audit_schema.names IS 'their names';
COMMENT ON COLUMN steward.audit_schema.types IS 'their types, with schema';
COMMENT ON COLUMN steward.audit_schema.typmods IS 'their type modifiers';
COMMENT ON COLUMN steward.audit_schema.codecs IS 'how their values are encoded';
COMMENT ON COLUMN steward.audit_schema.key IS 'which of them, counted from 1, identify a row';
COMMENT ON COLUMN steward.audit_schema.created_at IS 'when this version was first seen';

CREATE TABLE steward.audit_context (
    xid                xid8 NOT NULL,
    number             integer NOT NULL,
    incarnation        integer NOT NULL,
    recorded_at        timestamptz NOT NULL,
    pid                integer NOT NULL,
    login_role         text NOT NULL,
    session_role       text NOT NULL,
    effective_role     text NOT NULL,
    client_address     inet,
    application        text NOT NULL,
    actor              text,
    purpose            text,
    request_id         text,
    context_key        text,
    replication_origin text,
    query_id           bigint,
    segment            integer NOT NULL
) USING heap;
CREATE INDEX audit_context_xid_number_idx ON steward.audit_context (xid, number);
COMMENT ON TABLE steward.audit_context IS 'who made changes, and from where';
COMMENT ON COLUMN steward.audit_context.xid IS 'the top-level transaction that wrote it; later ones of the session may refer to it';
COMMENT ON COLUMN steward.audit_context.number IS 'counts the contexts of the transaction';
COMMENT ON COLUMN steward.audit_context.incarnation IS 'the incarnation it belongs to';
COMMENT ON COLUMN steward.audit_context.recorded_at IS 'when it was written';
COMMENT ON COLUMN steward.audit_context.pid IS 'process of the session';
COMMENT ON COLUMN steward.audit_context.login_role IS 'role that logged in';
COMMENT ON COLUMN steward.audit_context.session_role IS 'session_user';
COMMENT ON COLUMN steward.audit_context.effective_role IS 'current_user';
COMMENT ON COLUMN steward.audit_context.client_address IS 'where the client is';
COMMENT ON COLUMN steward.audit_context.application IS 'application_name';
COMMENT ON COLUMN steward.audit_context.actor IS 'on whose behalf, as the application says';
COMMENT ON COLUMN steward.audit_context.purpose IS 'why, as the application says';
COMMENT ON COLUMN steward.audit_context.request_id IS 'the request that the application served';
COMMENT ON COLUMN steward.audit_context.context_key IS 'the context key that proved actor, purpose and request id; none: they are a claim';
COMMENT ON COLUMN steward.audit_context.replication_origin IS 'where a replicated change came from';
COMMENT ON COLUMN steward.audit_context.query_id IS 'the statement, as pg_stat_statements numbers it; see steward.audit_query_id';
COMMENT ON COLUMN steward.audit_context.segment IS 'the segment whose records refer to it: audit_segment.number; it is pruned with that';

CREATE TABLE steward.audit_segment (
    number    integer PRIMARY KEY,
    name      text NOT NULL,
    opened_at timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE steward.audit_segment IS 'the segments of the audit log; the newest is written to';
COMMENT ON COLUMN steward.audit_segment.number IS 'counts the segments';
COMMENT ON COLUMN steward.audit_segment.name IS 'table that holds the segment';
COMMENT ON COLUMN steward.audit_segment.opened_at IS 'when writing to it began';

CREATE TABLE steward.audit_log (
    segment     integer NOT NULL,
    written_at  timestamptz NOT NULL,
    xid         xid8 NOT NULL,
    incarnation integer NOT NULL,
    first_seq   integer NOT NULL,
    records     integer NOT NULL,
    batch       bytea NOT NULL
) PARTITION BY LIST (segment);
COMMENT ON TABLE steward.audit_log IS 'every change of the audited tables; read it through steward.audit_trail';
COMMENT ON COLUMN steward.audit_log.segment IS 'the segment: audit_segment.number';
COMMENT ON COLUMN steward.audit_log.written_at IS 'when the batch was written';
COMMENT ON COLUMN steward.audit_log.xid IS 'the top-level transaction that made the changes';
COMMENT ON COLUMN steward.audit_log.incarnation IS 'the life of the database: audit_incarnation.id';
COMMENT ON COLUMN steward.audit_log.first_seq IS 'number of its first record within the transaction';
COMMENT ON COLUMN steward.audit_log.records IS 'how many records it holds';
COMMENT ON COLUMN steward.audit_log.batch IS 'the records, in order; steward.audit_records() reads them';

REVOKE ALL ON steward.audit_incarnation, steward.audit_schema, steward.audit_context, steward.audit_segment, steward.audit_log FROM PUBLIC;
SELECT steward.audit_protect('steward.audit_incarnation');
SELECT steward.audit_protect('steward.audit_schema');
SELECT steward.audit_protect('steward.audit_context');
SELECT steward.audit_protect('steward.audit_segment');

-- The parent holds no rows: a statement on it is stopped here, one on a segment
-- by the segment's own triggers.
CREATE TRIGGER steward_audit_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON steward.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION steward.audit_guard();
ALTER TABLE steward.audit_log ENABLE ALWAYS TRIGGER steward_audit_guard;
COMMENT ON TRIGGER steward_audit_guard ON steward.audit_log IS 'keeps the log append-only';

-- Segments are no members of the extension, so a dump holds them by itself.
SELECT pg_catalog.pg_extension_config_dump('steward.audit_incarnation', '');
SELECT pg_catalog.pg_extension_config_dump('steward.audit_incarnation_id', '');
SELECT pg_catalog.pg_extension_config_dump('steward.audit_schema', '');
SELECT pg_catalog.pg_extension_config_dump('steward.audit_schema_id', '');
SELECT pg_catalog.pg_extension_config_dump('steward.audit_context', '');
SELECT pg_catalog.pg_extension_config_dump('steward.audit_segment', '');

CREATE FUNCTION steward.disable_audit(relation regclass) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_disable_audit';
COMMENT ON FUNCTION steward.disable_audit(regclass) IS 'stops recording the changes of a table; that it stopped is recorded';
REVOKE EXECUTE ON FUNCTION steward.disable_audit(regclass) FROM PUBLIC;

CREATE FUNCTION steward.audit_decode(schema_version integer, operation "char", payload bytea, OUT key jsonb, OUT old jsonb, OUT new jsonb)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'steward_audit_decode';
COMMENT ON FUNCTION steward.audit_decode(integer, "char", bytea) IS 'shows the payload of an audit record as jsonb: the key, the old and the new values; NULLs for an event, which is about no row';

CREATE FUNCTION steward.audit_image(row_type anyelement, schema_version integer, operation "char", payload bytea, old boolean DEFAULT false, same_database boolean DEFAULT false) RETURNS anyelement
    LANGUAGE c STABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'steward_audit_image';
COMMENT ON FUNCTION steward.audit_image(anyelement, integer, "char", bytea, boolean, boolean) IS 'gives the new or old values of an audit record as a row of a table as it is now, bit for bit where the types are the same; columns by name, or by number in the database where the record was made';

CREATE FUNCTION steward.audit_image_of_parts(row_type anyelement, schema_version integer, operation "char", parts bytea[], old boolean DEFAULT false, same_database boolean DEFAULT false) RETURNS anyelement
    LANGUAGE c STABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'steward_audit_image';
COMMENT ON FUNCTION steward.audit_image_of_parts(anyelement, integer, "char", bytea[], boolean, boolean) IS 'audit_image() of a record of several parts: its payload, and those of the records & that follow it';
-- They make ciphertext of whatever bytes they are given, which else needs "load".
REVOKE EXECUTE ON FUNCTION steward.audit_image(anyelement, integer, "char", bytea, boolean, boolean),
    steward.audit_image_of_parts(anyelement, integer, "char", bytea[], boolean, boolean) FROM PUBLIC;

CREATE FUNCTION steward.audit_event(payload bytea) RETURNS jsonb
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'steward_audit_event_details';
COMMENT ON FUNCTION steward.audit_event(bytea) IS 'shows the payload of an event, which is a record without a table';

CREATE FUNCTION steward.audit_records(batch bytea, first_seq integer, xid xid8, OUT seq integer, OUT changed_at timestamptz,
        OUT context_xid xid8, OUT context integer, OUT schema_version integer, OUT op "char", OUT payload bytea,
        OUT transaction_started_at timestamptz)
    RETURNS SETOF record LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10 ROWS 10 AS 'MODULE_PATHNAME', 'steward_audit_records';
COMMENT ON FUNCTION steward.audit_records(bytea, integer, xid8) IS 'the records of a batch of the audit log';

CREATE FUNCTION steward.audit_pending(OUT seq integer, OUT changed_at timestamptz, OUT context_xid xid8, OUT context integer,
        OUT schema_version integer, OUT op "char", OUT payload bytea, OUT transaction_started_at timestamptz)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'steward_audit_pending';
COMMENT ON FUNCTION steward.audit_pending() IS 'the records of this transaction that are not in the audit log yet';
REVOKE EXECUTE ON FUNCTION steward.audit_pending() FROM PUBLIC;

CREATE VIEW steward.audit_record AS
    SELECT l.segment,
           l.written_at,
           l.incarnation,
           l.xid,
           r.seq,
           r.changed_at,
           r.op,
           r.schema_version,
           r.context_xid,
           r.context,
           r.payload,
           r.transaction_started_at
    FROM steward.audit_log AS l
    CROSS JOIN LATERAL steward.audit_records(l.batch, l.first_seq, l.xid) AS r;
COMMENT ON VIEW steward.audit_record IS 'the audit log, a row for each record';
COMMENT ON COLUMN steward.audit_record.segment IS 'the segment that holds it';
COMMENT ON COLUMN steward.audit_record.written_at IS 'when its batch was written';
COMMENT ON COLUMN steward.audit_record.incarnation IS 'the life of the database: audit_incarnation.id';
COMMENT ON COLUMN steward.audit_record.xid IS 'the top-level transaction';
COMMENT ON COLUMN steward.audit_record.seq IS 'order within the transaction';
COMMENT ON COLUMN steward.audit_record.changed_at IS 'when it was made';
COMMENT ON COLUMN steward.audit_record.op IS 'I insert, U update, D delete, T truncate, E enabled, X disabled, W rewritten, & the next part of a record; of events C command, R read, S of pg_steward itself, L ledger';
COMMENT ON COLUMN steward.audit_record.schema_version IS 'what the table looked like: audit_schema.id; 0 for an event';
COMMENT ON COLUMN steward.audit_record.context_xid IS 'the context in force: audit_context.xid';
COMMENT ON COLUMN steward.audit_record.context IS 'the context in force: audit_context.number';
COMMENT ON COLUMN steward.audit_record.payload IS 'key, old and new values; steward.audit_decode() reads it, or steward.audit_event()';
COMMENT ON COLUMN steward.audit_record.transaction_started_at IS 'when the transaction began';
REVOKE ALL ON steward.audit_record FROM PUBLIC;

CREATE FUNCTION steward.audit_readable(relation oid, incarnation integer) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'steward_audit_readable';
COMMENT ON FUNCTION steward.audit_readable(oid, integer) IS 'may the current user read records of a table: of one that he may read all of; of one that is gone, with the rights of pg_read_all_data';

CREATE VIEW steward.audit_trail WITH (security_barrier) AS
    SELECT r.written_at,
           r.changed_at,
           r.incarnation,
           r.xid,
           r.seq,
           pg_catalog.format('%I.%I', s.schema_name, s.table_name) AS relation,
           pg_catalog.format('%I.%I', s.root_schema, s.root_name) AS root,
           CASE r.op
               WHEN 'I' THEN 'INSERT'
               WHEN 'U' THEN 'UPDATE'
               WHEN 'D' THEN 'DELETE'
               WHEN 'T' THEN 'TRUNCATE'
               WHEN 'E' THEN 'ENABLE'
               WHEN 'X' THEN 'DISABLE'
               WHEN 'W' THEN 'REWRITE'
               WHEN '&' THEN 'PART'
               ELSE r.op::text
           END AS operation,
           d.key,
           d.old,
           d.new,
           c.login_role,
           c.session_role,
           c.effective_role,
           c.client_address,
           c.application,
           c.actor,
           c.purpose,
           c.request_id,
           c.context_key IS NOT NULL AS authenticated,
           c.replication_origin,
           r.transaction_started_at,
           c.pid,
           c.query_id
    FROM steward.audit_record AS r
    LEFT JOIN steward.audit_schema AS s ON s.id OPERATOR(pg_catalog.=) r.schema_version
    LEFT JOIN steward.audit_context AS c
        ON c.xid OPERATOR(pg_catalog.=) r.context_xid
        AND c.number OPERATOR(pg_catalog.=) r.context
        AND c.incarnation OPERATOR(pg_catalog.=) r.incarnation
    CROSS JOIN LATERAL steward.audit_decode(r.schema_version, r.op, r.payload) AS d
    WHERE r.schema_version OPERATOR(pg_catalog.>) 0
      AND coalesce(steward.audit_readable(s.root, r.incarnation) OR steward.audit_readable(s.relation, r.incarnation), true);
COMMENT ON VIEW steward.audit_trail IS 'the audit log, readable: what changed, when, and who did it; of the tables that the reader may read';
COMMENT ON COLUMN steward.audit_trail.written_at IS 'when the record was written: shortly before the commit, or earlier';
COMMENT ON COLUMN steward.audit_trail.changed_at IS 'when the change was made';
COMMENT ON COLUMN steward.audit_trail.incarnation IS 'the life of the database';
COMMENT ON COLUMN steward.audit_trail.xid IS 'the transaction';
COMMENT ON COLUMN steward.audit_trail.seq IS 'order within the transaction';
COMMENT ON COLUMN steward.audit_trail.relation IS 'the table, as it was called then';
COMMENT ON COLUMN steward.audit_trail.root IS 'of a partition, the partitioned table at the top; else the table';
COMMENT ON COLUMN steward.audit_trail.operation IS 'what happened';
COMMENT ON COLUMN steward.audit_trail.key IS 'key of the row before the change';
COMMENT ON COLUMN steward.audit_trail.old IS 'values before: of changed columns, or of the row';
COMMENT ON COLUMN steward.audit_trail.new IS 'values after: of changed columns, or of the row';
COMMENT ON COLUMN steward.audit_trail.login_role IS 'role that logged in';
COMMENT ON COLUMN steward.audit_trail.session_role IS 'session_user';
COMMENT ON COLUMN steward.audit_trail.effective_role IS 'current_user';
COMMENT ON COLUMN steward.audit_trail.client_address IS 'where the client was';
COMMENT ON COLUMN steward.audit_trail.application IS 'application_name';
COMMENT ON COLUMN steward.audit_trail.actor IS 'on whose behalf';
COMMENT ON COLUMN steward.audit_trail.purpose IS 'why';
COMMENT ON COLUMN steward.audit_trail.request_id IS 'the request that was served';
COMMENT ON COLUMN steward.audit_trail.authenticated IS 'did a context key prove actor, purpose and request id? Otherwise they are a claim';
COMMENT ON COLUMN steward.audit_trail.replication_origin IS 'where a replicated change came from';
COMMENT ON COLUMN steward.audit_trail.transaction_started_at IS 'when the transaction began';
COMMENT ON COLUMN steward.audit_trail.pid IS 'process of the session';
COMMENT ON COLUMN steward.audit_trail.query_id IS 'the statement, as pg_stat_statements numbers it; see steward.audit_query_id';
REVOKE ALL ON steward.audit_trail FROM PUBLIC;
