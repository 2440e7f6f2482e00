-- Is everything covered? Each function reports one kind of finding; README says
-- what the severities mean.

CREATE FUNCTION steward.coverage_of_tables(OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    -- What is audited: by its triggers, or by what the log says last.
    WITH logged AS (
        SELECT DISTINCT ON (s.relation) s.relation, r.op, r.changed_at
          FROM steward.audit_record AS r
          JOIN steward.audit_schema AS s ON s.id = r.schema_version
          JOIN steward.audit_incarnation AS i ON i.id = r.incarnation
         WHERE r.op IN ('E', 'X')
           AND i.system_identifier = (SELECT c.system_identifier FROM pg_control_system() AS c)
           AND i.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
         ORDER BY s.relation, r.changed_at DESC, r.xid DESC, r.seq DESC
    ), audited AS (
        SELECT t.tgrelid AS relid FROM pg_trigger AS t WHERE t.tgfoid IN ('steward.audit_row'::regproc, 'steward.audit_truncate'::regproc)
        UNION
        SELECT l.relation FROM logged AS l WHERE l.op = 'E'
    ), member AS (
        SELECT c.oid AS relid, c.relkind, c.relpersistence
          FROM audited AS a
          CROSS JOIN LATERAL (SELECT a.relid UNION SELECT p.relid FROM pg_partition_tree(a.relid) AS p) AS m
          JOIN pg_class AS c ON c.oid = m.relid
    ), event AS (
        SELECT DISTINCT m.relid, e.name, t.oid AS trigger, t.tgname, t.tgenabled, t.tgqual IS NOT NULL OR t.tgattr <> '' AS conditional
          FROM member AS m
          CROSS JOIN (VALUES ('INSERT', 'steward.audit_row'::regproc, 5), ('UPDATE', 'steward.audit_row'::regproc, 17),
                             ('DELETE', 'steward.audit_row'::regproc, 9), ('TRUNCATE', 'steward.audit_truncate'::regproc, 32)) AS e (name, function, bits)
          LEFT JOIN pg_trigger AS t
            ON t.tgrelid = m.relid AND t.tgfoid = e.function AND t.tgtype & e.bits = e.bits AND t.tgtype & 66 = 0 AND NOT t.tgdeferrable
         WHERE m.relkind IN ('r', 'p')
    )
    SELECT e.relid::regclass, 'gap', 'trigger missing', format('%s is not recorded', e.name)
      FROM event AS e GROUP BY e.relid, e.name HAVING count(e.trigger) = 0
    UNION ALL
    SELECT e.relid::regclass, 'gap',
           CASE WHEN every(e.tgenabled = 'D') THEN 'trigger disabled' ELSE 'trigger does not fire always' END,
           format('%s is not recorded%s', e.name,
                  CASE WHEN every(e.tgenabled = 'D') THEN '' ELSE ' under session_replication_role = replica, or else only there' END)
      FROM event AS e GROUP BY e.relid, e.name HAVING count(e.trigger) > 0 AND NOT bool_or(e.tgenabled = 'A')
    UNION ALL
    SELECT e.relid::regclass, 'choice', 'trigger has a condition', format('%s is recorded for some rows or columns alone', e.name)
      FROM event AS e WHERE e.tgenabled = 'A' GROUP BY e.relid, e.name HAVING every(e.conditional)
    UNION ALL
    SELECT m.relid::regclass, 'gap', 'not a permanent table', 'its rows can come and go without records'
      FROM member AS m WHERE m.relkind NOT IN ('r', 'p') OR m.relpersistence <> 'p'
$$;
COMMENT ON FUNCTION steward.coverage_of_tables() IS 'audit triggers that are missing or do not fire; part of audit_coverage()';

CREATE FUNCTION steward.coverage_of_extension(OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    SELECT NULL::regclass, 'gap', CASE WHEN count(t.oid) = 0 THEN 'event trigger missing' ELSE 'event trigger disabled' END, e.function::text
      FROM (VALUES ('steward.audit_ddl_command'::regproc, 'ddl_command_end'), ('steward.audit_ddl_drop'::regproc, 'sql_drop'),
                   ('steward.audit_ddl_rewrite'::regproc, 'table_rewrite'), ('steward.audit_segment_guard'::regproc, 'sql_drop')) AS e (function, event)
      LEFT JOIN pg_event_trigger AS t ON t.evtfoid = e.function AND t.evtevent = e.event
     GROUP BY e.function HAVING NOT coalesce(bool_or(t.evtenabled = 'A' AND t.evttags IS NULL), false)
    UNION ALL
    SELECT NULL, CASE WHEN s.value = 'best_effort' THEN 'choice' ELSE 'gap' END,
           CASE WHEN s.value = 'best_effort' THEN 'reads may go unrecorded' ELSE 'setting switches records off' END, format('%s = %s %s', s.name, s.value, s.place)
      FROM (SELECT w.name, lower(current_setting(w.name, true)) AS value, 'in this session' AS place
              FROM (VALUES ('event_triggers'), ('steward.access_audit'), ('steward.audit_ddl')) AS w (name)
            UNION ALL
            SELECT split_part(c.setting, '=', 1), lower(split_part(c.setting, '=', 2)),
                   format('for database %s, role %s', coalesce(d.datname, 'any'), coalesce(a.rolname, 'any'))
              FROM pg_db_role_setting AS r
              CROSS JOIN LATERAL unnest(r.setconfig) AS c (setting)
              LEFT JOIN pg_database AS d ON d.oid = r.setdatabase
              LEFT JOIN pg_roles AS a ON a.oid = r.setrole
             WHERE (r.setdatabase = 0 OR d.datname = current_database())) AS s
     WHERE (s.name IN ('event_triggers', 'steward.audit_ddl') AND s.value IN ('off', 'of', 'false', 'fals', 'fal', 'fa', 'f', 'no', 'n', '0'))
        OR (s.name = 'steward.access_audit' AND s.value IN ('off', 'best_effort') AND EXISTS (SELECT FROM steward.access_rule))
    UNION ALL
    SELECT NULL, 'hint', 'ledger is sealed by hand', format('%s = 0', w.name)
      FROM (VALUES ('steward.max_workers'), ('steward.seal_interval')) AS w (name) WHERE current_setting(w.name, true) = '0'
    UNION ALL
    -- What a trigger or an event trigger of ours calls.
    SELECT NULL, 'gap', 'function changed', p.oid::regprocedure::text
      FROM pg_proc AS p
     WHERE p.pronamespace = 'steward'::regnamespace AND p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
       AND EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
       AND (p.prolang <> (SELECT l.oid FROM pg_language AS l WHERE l.lanname = 'c') OR p.prosrc <> 'steward_' || p.proname
            OR p.probin <> (SELECT o.probin FROM pg_proc AS o WHERE o.oid = 'steward.audit_decode'::regproc) OR p.proconfig IS NOT NULL)
    UNION ALL
    SELECT NULL, 'choice', 'role exempt', concat('changes by sessions of ', e.role, ' are not recorded: ', e.reason) FROM steward.audit_exempt AS e
    UNION ALL
    SELECT NULL, 'hint', 'library not preloaded', 'commands on roles, databases and settings are recorded only where shared_preload_libraries or session_preload_libraries has pg_steward'
     WHERE concat(',', replace(current_setting('shared_preload_libraries'), ' ', ''), ',', replace(current_setting('session_preload_libraries'), ' ', ''), ',') NOT LIKE '%,pg\_steward,%'
$$;
COMMENT ON FUNCTION steward.coverage_of_extension() IS 'parts of the extension that are missing, changed or switched off; part of audit_coverage()';

CREATE FUNCTION steward.coverage_of_log(OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH segment AS (
        SELECT s.number, s.name, to_regclass(format('steward.%I', s.name)) AS relid FROM steward.audit_segment AS s
    ), log AS (
        SELECT i.inhrelid AS relid FROM pg_inherits AS i WHERE i.inhparent = 'steward.audit_log'::regclass
        UNION
        SELECT s.relid FROM segment AS s WHERE s.relid IS NOT NULL
    ), guarded AS (
        SELECT l.relid FROM log AS l
        UNION ALL SELECT 'steward.audit_log'::regclass
        UNION ALL
        SELECT c.oid FROM pg_class AS c
         WHERE c.relnamespace = 'steward'::regnamespace AND c.relkind = 'r'
           AND c.relname IN ('audit_incarnation', 'audit_schema', 'audit_context', 'audit_segment', 'audit_segment_closed', 'ledger_block', 'ledger_tile',
                             'ledger_opening', 'ledger_checkpoint', 'ledger_key', 'ledger_fork', 'ledger_prune', 'ledger_pruned_leaf')
    )
    SELECT g.relid::regclass, 'gap', CASE WHEN t.oid IS NULL THEN 'guard missing' ELSE 'guard disabled' END, w.name
      FROM guarded AS g
      CROSS JOIN (VALUES ('steward_audit_guard', 58), ('steward_audit_guard_row', 27)) AS w (name, type)
      LEFT JOIN pg_trigger AS t ON t.tgrelid = g.relid AND t.tgname = w.name AND t.tgfoid = 'steward.audit_guard'::regproc
       AND t.tgtype = w.type AND t.tgqual IS NULL
     WHERE (t.oid IS NULL OR t.tgenabled <> 'A') AND NOT (g.relid = 'steward.audit_log'::regclass AND w.type = 27)
    UNION ALL
    SELECT l.relid::regclass, 'gap', 'segment altered', format('it has a column or type that the log has not, or lacks one: %s', a.attname)
      FROM log AS l
      JOIN pg_attribute AS a ON a.attrelid = l.relid AND a.attnum > 0
      LEFT JOIN pg_attribute AS o ON o.attrelid = 'steward.audit_log'::regclass AND o.attname = a.attname AND o.atttypid = a.atttypid AND o.attnum = a.attnum AND NOT o.attisdropped
     WHERE o.attrelid IS NULL OR a.attisdropped
    UNION ALL
    SELECT l.relid::regclass, 'gap', 'segment altered', format('it has an index of others: %s', i.indexrelid::regclass)
      FROM log AS l
      JOIN pg_index AS i ON i.indrelid = l.relid
      JOIN pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_class AS r ON r.oid = l.relid
     WHERE c.relname NOT IN (r.relname || '_xid_idx', r.relname || '_written_at_idx', r.relname || '_keys_idx')
    UNION ALL
    SELECT l.relid::regclass, 'gap', 'segment altered', format('it has a trigger of others: %s', t.tgname)
      FROM log AS l JOIN pg_trigger AS t ON t.tgrelid = l.relid WHERE t.tgfoid <> 'steward.audit_guard'::regproc
    UNION ALL
    SELECT l.relid::regclass, 'gap', 'segment altered', 'it has rules or row security'
      FROM log AS l JOIN pg_class AS c ON c.oid = l.relid WHERE c.relhasrules OR c.relrowsecurity
    UNION ALL
    SELECT s.relid, 'gap', 'segment detached', s.name
      FROM segment AS s WHERE s.relid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = s.relid AND i.inhparent = 'steward.audit_log'::regclass)
    UNION ALL
    -- Of what was pruned there are certificates, which verify_ledger() compares.
    SELECT NULL, 'gap', 'segment missing', s.name FROM segment AS s WHERE s.relid IS NULL AND NOT EXISTS (SELECT FROM steward.ledger_prune)
    UNION ALL
    SELECT l.relid::regclass, 'gap', 'segment unknown', 'it is in the log and not in audit_segment'
      FROM log AS l WHERE NOT EXISTS (SELECT FROM segment AS s WHERE s.relid = l.relid)
$$;
COMMENT ON FUNCTION steward.coverage_of_log() IS 'what was done to the tables of the log; part of audit_coverage()';

CREATE FUNCTION steward.coverage_of_past(OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH command AS (
        SELECT r.xid, r.changed_at, e.event->>'identity' AS identity, e.event->>'command' AS command, e.event->>'object_type' AS object_type,
               e.event->>'event' = 'drop' AND e.event#>'{details,as_part}' IS NULL AS dropped, e.event->'details' AS details,
               coalesce((e.event->'in_extension')::boolean, false) AS in_extension, e.event#>>'{details,enabled}' AS enabled,
               a.action->>'action' AS action, a.action->>'name' AS name,
               EXISTS (SELECT FROM steward.audit_record AS o WHERE o.xid = r.xid AND o.incarnation = r.incarnation AND o.op IN ('E', 'X')) AS by_us
          FROM steward.audit_record AS r
          CROSS JOIN LATERAL steward.audit_event(r.payload) AS e (event)
          LEFT JOIN LATERAL jsonb_array_elements(e.event#>'{details,actions}') AS a (action) ON true
         WHERE r.op = 'C'
    ), unrecorded AS (
        SELECT r.xid, r.changed_at, split_part(e.event->>'event', '_', 1) AS what, e.event#>>'{details,setting}' AS setting, e.event#>>'{details,at}' AS at,
               e.event#>>'{details,session_role}' AS role
          FROM steward.audit_record AS r
          CROSS JOIN LATERAL steward.audit_event(r.payload) AS e (event)
         WHERE r.op = 'S' AND (e.event->>'event' = 'commands_not_recorded' OR (e.event->>'event' = 'reads_not_recorded' AND e.event#>>'{details,value}' = 'off'))
    )
    SELECT to_regclass(c.identity), 'past gap', 'trigger was disabled or weakened', format('%s%s on %s, %s, transaction %s', c.action, ' ' || c.name, c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.action ~ '^(DISABLE|ENABLE|ENABLE REPLICA) TRIGGER' AND NOT c.by_us
       AND (starts_with(c.name, '00_steward_audit_') OR starts_with(c.name, 'steward_audit_guard')
            OR (c.name IS NULL AND (starts_with(c.identity, 'steward.')
                OR EXISTS (SELECT FROM steward.audit_schema AS s WHERE format('%I.%I', s.schema_name, s.table_name) = c.identity))))
    UNION ALL
    SELECT NULL, 'past gap', 'trigger was dropped', format('%s, %s, transaction %s', c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.dropped AND c.object_type = 'trigger' AND NOT c.by_us
       AND (starts_with(c.identity, '"00_steward_audit_') OR starts_with(c.identity, 'steward_audit_guard'))
    UNION ALL
    SELECT NULL, 'past gap', 'event trigger was disabled or dropped', format('%s %s, %s, transaction %s', c.command, c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.object_type = 'event trigger' AND starts_with(c.identity, 'steward_') AND (c.dropped OR c.command = 'DROP EVENT TRIGGER' OR c.enabled <> 'always')
    UNION ALL
    SELECT NULL, 'past gap', 'function was replaced', format('%s, %s, transaction %s', c.identity, min(c.changed_at), c.xid)
      FROM command AS c
     WHERE c.object_type = 'function' AND c.command = 'CREATE FUNCTION' AND starts_with(c.identity, 'steward.') AND c.details @> '{"replace": true}' AND NOT c.in_extension
     GROUP BY c.identity, c.xid
    UNION ALL
    SELECT NULL, 'past gap', 'records were switched off', format('%s %s = %s%s, %s, transaction %s', c.command, c.details->>'setting', c.details->>'value', ' for ' || c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.details->>'setting' IN ('event_triggers', 'steward.access_audit', 'steward.audit_ddl')
       AND lower(c.details->>'value') IN ('off', 'of', 'false', 'fals', 'fal', 'fa', 'f', 'no', 'n', '0')
    UNION ALL
    SELECT NULL, 'past gap', format('%s were not recorded', u.what),
           CASE WHEN u.what = 'reads' THEN format('%s, from %s on by sessions of %s', u.setting, u.at, u.role) ELSE format('%s, %s, transaction %s', u.setting, u.changed_at, u.xid) END
      FROM unrecorded AS u
$$;
COMMENT ON FUNCTION steward.coverage_of_past() IS 'commands on record that switched records off for a while; part of audit_coverage()';

REVOKE EXECUTE ON FUNCTION steward.coverage_of_tables(), steward.coverage_of_extension(), steward.coverage_of_log(), steward.coverage_of_past() FROM PUBLIC;

CREATE FUNCTION steward.audit_coverage(OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 AS 'MODULE_PATHNAME', 'steward_audit_coverage';
COMMENT ON FUNCTION steward.audit_coverage() IS 'what is not recorded, or was not: one row a finding, none when all is covered';
REVOKE EXECUTE ON FUNCTION steward.audit_coverage() FROM PUBLIC;
