-- The access floor. README in src/access says how reads get here.

CREATE TABLE steward.access_rule (
    relation   regclass PRIMARY KEY,
    relid      oid,
    columns    name[] CHECK (pg_catalog.cardinality(columns) > 0),
    numbers    smallint[],
    created_by name NOT NULL,
    created_at timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE steward.access_rule IS 'relations whose reads are audited; written by steward.audit_access()';
COMMENT ON COLUMN steward.access_rule.relation IS 'the relation; its partitions and children follow';
COMMENT ON COLUMN steward.access_rule.relid IS 'the same as a number: another one means that the row was restored';
COMMENT ON COLUMN steward.access_rule.columns IS 'audited columns; NULL: all';
COMMENT ON COLUMN steward.access_rule.numbers IS 'their numbers, which a rename leaves as they are';
COMMENT ON COLUMN steward.access_rule.created_by IS 'who set it last';
COMMENT ON COLUMN steward.access_rule.created_at IS 'when';
REVOKE ALL ON steward.access_rule FROM PUBLIC;

CREATE FUNCTION steward.access_rule_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_access_rule_changed';
COMMENT ON FUNCTION steward.access_rule_changed() IS 'trigger: tells every session to read the rules of access audit again';
REVOKE ALL ON FUNCTION steward.access_rule_changed() FROM PUBLIC;

CREATE TRIGGER access_rule_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON steward.access_rule
    FOR EACH STATEMENT EXECUTE FUNCTION steward.access_rule_changed();
ALTER TABLE steward.access_rule ENABLE ALWAYS TRIGGER access_rule_changed;
COMMENT ON TRIGGER access_rule_changed ON steward.access_rule IS 'makes sessions read the rules again';

-- A rule whose relation is gone would be dumped as a bare number, which another
-- relation may have in the database it is restored into.
SELECT pg_catalog.pg_extension_config_dump('steward.access_rule',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)');

CREATE FUNCTION steward.audit_access(relation regclass, columns name[] DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_access';
COMMENT ON FUNCTION steward.audit_access(regclass, name[]) IS 'records every read of these columns, or of all, from now on';
REVOKE EXECUTE ON FUNCTION steward.audit_access(regclass, name[]) FROM PUBLIC;

CREATE FUNCTION steward.stop_audit_access(relation regclass) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_stop_audit_access';
COMMENT ON FUNCTION steward.stop_audit_access(regclass) IS 'stops recording the reads of a relation; that it stopped is recorded';
REVOKE EXECUTE ON FUNCTION steward.stop_audit_access(regclass) FROM PUBLIC;

CREATE TABLE steward.access_label (
    label      text COLLATE "C" PRIMARY KEY,
    created_by name NOT NULL,
    created_at timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE steward.access_label IS 'classification labels whose columns are audited when they are read; written by steward.audit_access_label()';
COMMENT ON COLUMN steward.access_label.label IS 'the label, as SECURITY LABEL FOR pg_steward gives it to columns';
COMMENT ON COLUMN steward.access_label.created_by IS 'who set it';
COMMENT ON COLUMN steward.access_label.created_at IS 'when';
REVOKE ALL ON steward.access_label FROM PUBLIC;

CREATE TRIGGER access_label_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON steward.access_label
    FOR EACH STATEMENT EXECUTE FUNCTION steward.access_rule_changed();
ALTER TABLE steward.access_label ENABLE ALWAYS TRIGGER access_label_changed;
COMMENT ON TRIGGER access_label_changed ON steward.access_label IS 'makes sessions read the rules again';
SELECT pg_catalog.pg_extension_config_dump('steward.access_label', '');

CREATE FUNCTION steward.audit_access_label(label text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_access_label';
COMMENT ON FUNCTION steward.audit_access_label(text) IS 'records every read of columns that have this classification label, or get it, from now on';
REVOKE EXECUTE ON FUNCTION steward.audit_access_label(text) FROM PUBLIC;

CREATE FUNCTION steward.stop_audit_access_label(label text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_stop_audit_access_label';
COMMENT ON FUNCTION steward.stop_audit_access_label(text) IS 'stops recording the reads of columns for their label; that it stopped is recorded';
REVOKE EXECUTE ON FUNCTION steward.stop_audit_access_label(text) FROM PUBLIC;

CREATE TABLE steward.access_spool (
    file        text COLLATE "C" PRIMARY KEY,
    node        text NOT NULL,
    "position"  bigint NOT NULL,
    complete    boolean NOT NULL,
    imported_at timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE steward.access_spool IS 'how far spool files were imported; a file that is gone has no row';
COMMENT ON COLUMN steward.access_spool.file IS 'name of the file';
COMMENT ON COLUMN steward.access_spool.node IS 'number of the data directory that has it';
COMMENT ON COLUMN steward.access_spool."position" IS 'where the next record begins';
COMMENT ON COLUMN steward.access_spool.complete IS 'no more will come';
COMMENT ON COLUMN steward.access_spool.imported_at IS 'when this was written';
REVOKE ALL ON steward.access_spool FROM PUBLIC;

CREATE FUNCTION steward.import_access(most bigint DEFAULT NULL) RETURNS bigint
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_import_access';
COMMENT ON FUNCTION steward.import_access(bigint) IS 'brings recorded reads from the spool files into the audit log, at most so many; says how many';
REVOKE EXECUTE ON FUNCTION steward.import_access(bigint) FROM PUBLIC;

-- A read and its end are one record when they were imported together, else two;
-- what parallel workers did of it are records of their own.
CREATE FUNCTION steward.access_items(list jsonb) RETURNS SETOF jsonb
    LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 1 AS 'MODULE_PATHNAME', 'steward_access_items';
COMMENT ON FUNCTION steward.access_items(jsonb) IS 'the elements of a list in a record of a read';

CREATE VIEW steward.access_trail AS
    WITH event AS NOT MATERIALIZED (
        SELECT r.incarnation, r.written_at AS imported_at, d.details,
               d.details OPERATOR(pg_catalog.->>) 'kind' AS kind,
               d.details OPERATOR(pg_catalog.->>) 'session' AS session,
               d.details OPERATOR(pg_catalog.->>) 'statement' AS statement
        FROM steward.audit_record AS r
        CROSS JOIN LATERAL steward.audit_event(r.payload) AS d (details)
        WHERE r.op OPERATOR(pg_catalog.=) 'R'
    ), apart AS MATERIALIZED (
        SELECT * FROM event AS e WHERE e.kind OPERATOR(pg_catalog.=) ANY ('{end,part}')
    ), ending AS (
        SELECT e.session, e.statement, (pg_catalog.array_agg(e.details))[1] AS details
        FROM apart AS e WHERE e.kind OPERATOR(pg_catalog.=) 'end' GROUP BY 1, 2
    ), part AS (
        SELECT e.details OPERATOR(pg_catalog.->>) 'of_session' AS session, e.statement,
               t.relation OPERATOR(pg_catalog.->>) 'relation' AS relation,
               pg_catalog.sum((t.relation OPERATOR(pg_catalog.->>) 'rows')::bigint)::bigint AS rows,
               pg_catalog.jsonb_agg(t.relation OPERATOR(pg_catalog.->) 'keys') AS keys,
               pg_catalog.bool_or(t.relation OPERATOR(pg_catalog.?) 'keys_left_off') AS keys_left_off,
               pg_catalog.jsonb_agg(e.details OPERATOR(pg_catalog.->) 'decrypts') AS decrypts
        FROM apart AS e
        CROSS JOIN LATERAL steward.access_items(e.details OPERATOR(pg_catalog.->) 'relations') AS t (relation)
        WHERE e.kind OPERATOR(pg_catalog.=) 'part'
        GROUP BY 1, 2, 3
    ), whole AS (
        SELECT e.*, e.details OPERATOR(pg_catalog.->) 'end' AS ending
        FROM event AS e WHERE e.kind OPERATOR(pg_catalog.=) 'decrypts' OR (e.kind OPERATOR(pg_catalog.=) 'read' AND e.details OPERATOR(pg_catalog.?) 'end')
        UNION ALL
        SELECT e.*, n.details
        FROM event AS e
        LEFT JOIN ending AS n ON n.session OPERATOR(pg_catalog.=) e.session AND n.statement OPERATOR(pg_catalog.=) e.statement
        WHERE e.kind OPERATOR(pg_catalog.=) 'read' AND NOT e.details OPERATOR(pg_catalog.?) 'end'
    )
    SELECT (b.details OPERATOR(pg_catalog.->>) 'at')::timestamptz AS read_at,
           t.relation OPERATOR(pg_catalog.->>) 'relation' AS relation,
           CASE WHEN t.relation IS NOT NULL THEN ARRAY(SELECT pg_catalog.jsonb_array_elements_text(t.relation OPERATOR(pg_catalog.->) 'columns')) END AS columns,
           b.details OPERATOR(pg_catalog.->>) 'command' AS command,
           CASE WHEN b.kind OPERATOR(pg_catalog.=) 'decrypts' THEN 'decrypted' ELSE coalesce(b.ending OPERATOR(pg_catalog.->>) 'outcome', 'unknown') END AS outcome,
           b.ending OPERATOR(pg_catalog.->>) 'sqlstate' AS sqlstate,
           (b.ending OPERATOR(pg_catalog.->>) 'rows')::bigint AS rows_returned,
           CASE WHEN s.relation OPERATOR(pg_catalog.?) 'rows' OR p.rows IS NOT NULL
                THEN coalesce((s.relation OPERATOR(pg_catalog.->>) 'rows')::bigint, 0) OPERATOR(pg_catalog.+) coalesce(p.rows, 0) END AS rows_read,
           CASE WHEN p.keys IS NULL THEN s.relation OPERATOR(pg_catalog.->) 'keys'
                ELSE coalesce(s.relation OPERATOR(pg_catalog.->) 'keys', '[]') OPERATOR(pg_catalog.||)
                     (SELECT coalesce(pg_catalog.jsonb_agg(k.key), '[]') FROM pg_catalog.jsonb_path_query(p.keys, '$[*][*]') AS k (key)) END AS keys,
           coalesce(s.relation OPERATOR(pg_catalog.?) 'keys_left_off' OR p.keys_left_off, false) AS keys_left_off,
           CASE WHEN b.kind OPERATOR(pg_catalog.=) 'decrypts' THEN b.details OPERATOR(pg_catalog.->) 'decrypts'
                WHEN p.decrypts IS NULL OR p.decrypts OPERATOR(pg_catalog.=) '[null]' THEN b.ending OPERATOR(pg_catalog.->) 'decrypts'
                ELSE coalesce(b.ending OPERATOR(pg_catalog.->) 'decrypts', '[]') OPERATOR(pg_catalog.||)
                     (SELECT coalesce(pg_catalog.jsonb_agg(k.key), '[]') FROM pg_catalog.jsonb_path_query(p.decrypts, '$[*][*]') AS k (key)) END AS decrypts,
           (b.ending OPERATOR(pg_catalog.->>) 'microseconds')::bigint OPERATOR(pg_catalog.*) interval '1 microsecond' AS duration,
           b.details OPERATOR(pg_catalog.->>) 'login_role' AS login_role,
           b.details OPERATOR(pg_catalog.->>) 'session_role' AS session_role,
           b.details OPERATOR(pg_catalog.->>) 'effective_role' AS effective_role,
           (b.details OPERATOR(pg_catalog.->>) 'client_address')::inet AS client_address,
           b.details OPERATOR(pg_catalog.->>) 'application' AS application,
           b.details OPERATOR(pg_catalog.->>) 'actor' AS actor,
           b.details OPERATOR(pg_catalog.->>) 'purpose' AS purpose,
           b.details OPERATOR(pg_catalog.->>) 'request_id' AS request_id,
           (b.details OPERATOR(pg_catalog.->>) 'authenticated')::boolean AS authenticated,
           (b.details OPERATOR(pg_catalog.->>) 'pid')::integer AS pid,
           b.session,
           b.statement::bigint AS statement,
           (b.details OPERATOR(pg_catalog.->>) 'query_id')::bigint AS query_id,
           (b.details OPERATOR(pg_catalog.->>) 'xid')::xid8 AS xid,
           b.details OPERATOR(pg_catalog.->>) 'vxid' AS virtual_transaction,
           (b.details OPERATOR(pg_catalog.->>) 'standby')::boolean AS standby,
           b.details OPERATOR(pg_catalog.->>) 'system_identifier' AS system_identifier,
           (b.details OPERATOR(pg_catalog.->>) 'timeline')::integer AS timeline,
           b.incarnation,
           b.imported_at
    FROM whole AS b
    LEFT JOIN LATERAL steward.access_items(b.details OPERATOR(pg_catalog.->) 'relations') AS t (relation) ON true
    LEFT JOIN LATERAL (
        SELECT e.relation FROM steward.access_items(b.ending OPERATOR(pg_catalog.->) 'relations') AS e (relation)
        WHERE (e.relation OPERATOR(pg_catalog.->>) 'relation') OPERATOR(pg_catalog.=) (t.relation OPERATOR(pg_catalog.->>) 'relation') LIMIT 1) AS s ON true
    LEFT JOIN part AS p
        ON b.ending OPERATOR(pg_catalog.?) 'parallel'
        AND p.session OPERATOR(pg_catalog.=) b.session AND p.statement OPERATOR(pg_catalog.=) b.statement
        AND p.relation OPERATOR(pg_catalog.=) (t.relation OPERATOR(pg_catalog.->>) 'relation');
COMMENT ON VIEW steward.access_trail IS 'who read audited relations: a row for each relation that a statement read, and for decryptions outside of such statements';
COMMENT ON COLUMN steward.access_trail.read_at IS 'when the read began';
COMMENT ON COLUMN steward.access_trail.relation IS 'what was read, as it was called then; NULL for decryptions outside of audited reads';
COMMENT ON COLUMN steward.access_trail.columns IS 'audited columns that the statement names';
COMMENT ON COLUMN steward.access_trail.command IS 'SELECT, INSERT, UPDATE, DELETE, MERGE or COPY';
COMMENT ON COLUMN steward.access_trail.outcome IS 'completed, error, denied, aborted (by a rollback), session ended, unknown (no end was recorded yet, or the server crashed), or decrypted';
COMMENT ON COLUMN steward.access_trail.sqlstate IS 'the error, if it ended with one';
COMMENT ON COLUMN steward.access_trail.rows_returned IS 'rows that the statement gave or changed';
COMMENT ON COLUMN steward.access_trail.rows_read IS 'rows of the relation that passed the conditions of its scans; NULL when not known, as for COPY';
COMMENT ON COLUMN steward.access_trail.keys IS 'primary keys of rows read, each once, up to steward.access_audit_rows; NULL when not known';
COMMENT ON COLUMN steward.access_trail.keys_left_off IS 'more rows were read than keys are shown';
COMMENT ON COLUMN steward.access_trail.decrypts IS 'decrypted values: key, subject if bound to one, count; of the whole statement';
COMMENT ON COLUMN steward.access_trail.duration IS 'from beginning to end';
COMMENT ON COLUMN steward.access_trail.login_role IS 'role that logged in';
COMMENT ON COLUMN steward.access_trail.session_role IS 'session_user';
COMMENT ON COLUMN steward.access_trail.effective_role IS 'current_user';
COMMENT ON COLUMN steward.access_trail.client_address IS 'where the client was';
COMMENT ON COLUMN steward.access_trail.application IS 'application_name';
COMMENT ON COLUMN steward.access_trail.actor IS 'on whose behalf';
COMMENT ON COLUMN steward.access_trail.purpose IS 'why';
COMMENT ON COLUMN steward.access_trail.request_id IS 'the request that was served';
COMMENT ON COLUMN steward.access_trail.authenticated IS 'actor, purpose and request were authenticated by a MAC: see steward.set_context()';
COMMENT ON COLUMN steward.access_trail.pid IS 'process of the session';
COMMENT ON COLUMN steward.access_trail.session IS 'identifies the session';
COMMENT ON COLUMN steward.access_trail.statement IS 'numbers the reads of the session';
COMMENT ON COLUMN steward.access_trail.query_id IS 'as pg_stat_statements has it, with compute_query_id';
COMMENT ON COLUMN steward.access_trail.xid IS 'the transaction, if it had a number when the read began';
COMMENT ON COLUMN steward.access_trail.virtual_transaction IS 'the transaction, as pg_locks has it';
COMMENT ON COLUMN steward.access_trail.standby IS 'it was read on a standby';
COMMENT ON COLUMN steward.access_trail.system_identifier IS 'the cluster it was read on';
COMMENT ON COLUMN steward.access_trail.timeline IS 'its timeline then';
COMMENT ON COLUMN steward.access_trail.incarnation IS 'the life of the database that it was imported in';
COMMENT ON COLUMN steward.access_trail.imported_at IS 'when it came into the audit log';
REVOKE ALL ON steward.access_trail FROM PUBLIC;
