-- Commands that change definitions and rights.

CREATE FUNCTION steward.audit_ddl_command() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_ddl_command';
COMMENT ON FUNCTION steward.audit_ddl_command() IS 'records what a command made or changed';
CREATE FUNCTION steward.audit_ddl_drop() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_ddl_drop';
COMMENT ON FUNCTION steward.audit_ddl_drop() IS 'records what a command dropped';
CREATE FUNCTION steward.audit_ddl_rewrite() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_ddl_rewrite';
COMMENT ON FUNCTION steward.audit_ddl_rewrite() IS 'records that ALTER TABLE rewrote the rows of a table';
REVOKE EXECUTE ON FUNCTION steward.audit_ddl_command(), steward.audit_ddl_drop(), steward.audit_ddl_rewrite() FROM PUBLIC;

CREATE EVENT TRIGGER steward_ddl_command ON ddl_command_end EXECUTE FUNCTION steward.audit_ddl_command();
COMMENT ON EVENT TRIGGER steward_ddl_command IS 'records what commands make and change';
ALTER EVENT TRIGGER steward_ddl_command ENABLE ALWAYS;
CREATE EVENT TRIGGER steward_ddl_drop ON sql_drop EXECUTE FUNCTION steward.audit_ddl_drop();
COMMENT ON EVENT TRIGGER steward_ddl_drop IS 'records what commands drop';
ALTER EVENT TRIGGER steward_ddl_drop ENABLE ALWAYS;
CREATE EVENT TRIGGER steward_ddl_rewrite ON table_rewrite EXECUTE FUNCTION steward.audit_ddl_rewrite();
COMMENT ON EVENT TRIGGER steward_ddl_rewrite IS 'records that commands rewrite tables';
ALTER EVENT TRIGGER steward_ddl_rewrite ENABLE ALWAYS;

CREATE VIEW steward.ddl_trail WITH (security_barrier) AS
    SELECT r.written_at,
           r.changed_at,
           r.incarnation,
           r.xid,
           r.seq,
           e OPERATOR(pg_catalog.->>) 'event' AS event,
           e OPERATOR(pg_catalog.->>) 'command' AS command,
           e OPERATOR(pg_catalog.->>) 'object_type' AS object_type,
           e OPERATOR(pg_catalog.->>) 'identity' AS identity,
           e OPERATOR(pg_catalog.->>) 'schema' AS schema_name,
           e OPERATOR(pg_catalog.->>) 'class' AS class,
           coalesce((e OPERATOR(pg_catalog.->) 'in_extension')::pg_catalog.bool, false) AS in_extension,
           e OPERATOR(pg_catalog.->) 'details' AS details,
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
    LEFT JOIN steward.audit_context AS c
        ON c.xid OPERATOR(pg_catalog.=) r.context_xid
        AND c.number OPERATOR(pg_catalog.=) r.context
        AND c.incarnation OPERATOR(pg_catalog.=) r.incarnation
    CROSS JOIN LATERAL steward.audit_event(r.payload) AS e
    WHERE r.op OPERATOR(pg_catalog.=) 'C';
COMMENT ON VIEW steward.ddl_trail IS 'commands that changed definitions and rights, readable: what was done to what, when, and who did it';
COMMENT ON COLUMN steward.ddl_trail.written_at IS 'when the record was written: shortly before the commit, or earlier';
COMMENT ON COLUMN steward.ddl_trail.changed_at IS 'when the command did its work, or began';
COMMENT ON COLUMN steward.ddl_trail.incarnation IS 'the life of the database';
COMMENT ON COLUMN steward.ddl_trail.xid IS 'the transaction';
COMMENT ON COLUMN steward.ddl_trail.seq IS 'order within the transaction';
COMMENT ON COLUMN steward.ddl_trail.event IS 'command and drop: what a command made or changed, and dropped; rewrite: it rewrote a table; shared: a command on what is no object of this database; catalog: a system catalog was changed by hand';
COMMENT ON COLUMN steward.ddl_trail.command IS 'the command, without its text';
COMMENT ON COLUMN steward.ddl_trail.object_type IS 'kind of the object';
COMMENT ON COLUMN steward.ddl_trail.identity IS 'the object, with its schema, as it was called after the command, or before a drop';
COMMENT ON COLUMN steward.ddl_trail.schema_name IS 'its schema';
COMMENT ON COLUMN steward.ddl_trail.class IS 'the catalog that holds it';
COMMENT ON COLUMN steward.ddl_trail.in_extension IS 'did the script of an extension do it?';
COMMENT ON COLUMN steward.ddl_trail.details IS 'what was done, but for values and constants';
COMMENT ON COLUMN steward.ddl_trail.login_role IS 'role that logged in';
COMMENT ON COLUMN steward.ddl_trail.session_role IS 'session_user';
COMMENT ON COLUMN steward.ddl_trail.effective_role IS 'current_user';
COMMENT ON COLUMN steward.ddl_trail.client_address IS 'where the client was';
COMMENT ON COLUMN steward.ddl_trail.application IS 'application_name';
COMMENT ON COLUMN steward.ddl_trail.actor IS 'on whose behalf';
COMMENT ON COLUMN steward.ddl_trail.purpose IS 'why';
COMMENT ON COLUMN steward.ddl_trail.request_id IS 'the request that was served';
COMMENT ON COLUMN steward.ddl_trail.authenticated IS 'did a context key prove actor, purpose and request id? Otherwise they are a claim';
COMMENT ON COLUMN steward.ddl_trail.replication_origin IS 'where a replicated change came from';
COMMENT ON COLUMN steward.ddl_trail.transaction_started_at IS 'when the transaction began';
COMMENT ON COLUMN steward.ddl_trail.pid IS 'process of the session';
COMMENT ON COLUMN steward.ddl_trail.query_id IS 'the statement, as pg_stat_statements numbers it; see steward.audit_query_id';
REVOKE ALL ON steward.ddl_trail FROM PUBLIC;

CREATE VIEW steward.event_trail WITH (security_barrier) AS
    SELECT r.written_at,
           r.changed_at,
           r.incarnation,
           r.xid,
           r.seq,
           e OPERATOR(pg_catalog.->>) 'event' AS event,
           e OPERATOR(pg_catalog.->) 'details' AS details,
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
    LEFT JOIN steward.audit_context AS c
        ON c.xid OPERATOR(pg_catalog.=) r.context_xid
        AND c.number OPERATOR(pg_catalog.=) r.context
        AND c.incarnation OPERATOR(pg_catalog.=) r.incarnation
    CROSS JOIN LATERAL steward.audit_event(r.payload) AS e
    WHERE r.op OPERATOR(pg_catalog.=) 'S';
COMMENT ON VIEW steward.event_trail IS 'what the functions of pg_steward did, readable: keys, rights, columns, policies, settings of the audit';
COMMENT ON COLUMN steward.event_trail.written_at IS 'when the record was written: shortly before the commit, or earlier';
COMMENT ON COLUMN steward.event_trail.changed_at IS 'when the function did its work';
COMMENT ON COLUMN steward.event_trail.incarnation IS 'the life of the database';
COMMENT ON COLUMN steward.event_trail.xid IS 'the transaction';
COMMENT ON COLUMN steward.event_trail.seq IS 'order within the transaction';
COMMENT ON COLUMN steward.event_trail.event IS 'what was done: mostly the name of the function';
COMMENT ON COLUMN steward.event_trail.details IS 'to what: names, kinds, counts; never a key or a value';
COMMENT ON COLUMN steward.event_trail.login_role IS 'role that logged in';
COMMENT ON COLUMN steward.event_trail.session_role IS 'session_user';
COMMENT ON COLUMN steward.event_trail.effective_role IS 'current_user';
COMMENT ON COLUMN steward.event_trail.client_address IS 'where the client was';
COMMENT ON COLUMN steward.event_trail.application IS 'application_name';
COMMENT ON COLUMN steward.event_trail.actor IS 'on whose behalf';
COMMENT ON COLUMN steward.event_trail.purpose IS 'why';
COMMENT ON COLUMN steward.event_trail.request_id IS 'the request that was served';
COMMENT ON COLUMN steward.event_trail.authenticated IS 'did a context key prove actor, purpose and request id? Otherwise they are a claim';
COMMENT ON COLUMN steward.event_trail.replication_origin IS 'where a replicated change came from';
COMMENT ON COLUMN steward.event_trail.transaction_started_at IS 'when the transaction began';
COMMENT ON COLUMN steward.event_trail.pid IS 'process of the session';
COMMENT ON COLUMN steward.event_trail.query_id IS 'the statement, as pg_stat_statements numbers it; see steward.audit_query_id';
REVOKE ALL ON steward.event_trail FROM PUBLIC;
