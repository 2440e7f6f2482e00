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
    ), kind (name, function, bits) AS (
        VALUES ('INSERT', 'steward.audit_row'::regproc, 5), ('UPDATE', 'steward.audit_row'::regproc, 17), ('DELETE', 'steward.audit_row'::regproc, 9),
               ('TRUNCATE', 'steward.audit_truncate'::regproc, 32)
    ), event AS (
        SELECT DISTINCT m.relid, e.name, t.oid AS trigger, t.tgname, t.tgenabled, t.tgqual IS NOT NULL OR t.tgattr <> '' AS conditional
          FROM member AS m
          CROSS JOIN kind AS e
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
    SELECT t.tgrelid::regclass, 'gap', 'recorded more than once', format('%s, by %s', e.name, string_agg(quote_ident(t.tgname), ', ' ORDER BY t.tgname))
      FROM kind AS e JOIN pg_trigger AS t ON t.tgfoid = e.function AND t.tgtype & e.bits = e.bits AND t.tgenabled <> 'D'
     GROUP BY t.tgrelid, e.name HAVING count(*) > 1
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
        SELECT r.xid, r.changed_at, e.event->>'event' AS event, e.event->>'identity' AS identity, e.event->>'command' AS command, e.event->>'object_type' AS object_type,
               e.event->>'event' = 'drop' AND e.event#>'{details,as_part}' IS NULL AS dropped, e.event->'details' AS details,
               coalesce((e.event->'in_extension')::boolean, false) AS in_extension, e.event#>>'{details,enabled}' AS enabled,
               a.action->>'action' AS action, a.action->>'name' AS name,
               EXISTS (SELECT FROM steward.audit_record AS o WHERE o.xid = r.xid AND o.incarnation = r.incarnation AND o.op IN ('E', 'X')) AS by_us
          FROM steward.audit_record AS r
          CROSS JOIN LATERAL steward.audit_event(r.payload) AS e (event)
          LEFT JOIN LATERAL jsonb_array_elements(e.event#>'{details,actions}') AS a (action) ON true
         WHERE r.op = 'C'
    ), switch AS (
        -- When the audit of a table began or ended, under each of the table's names.
        SELECT DISTINCT s.relation, format('%I.%I', n.schema_name, n.table_name) AS name, r.op, r.changed_at
          FROM steward.audit_record AS r
          JOIN steward.audit_schema AS s ON s.id = r.schema_version
          JOIN steward.audit_schema AS n ON n.relation = s.relation AND n.kind = 'r'
         WHERE r.op IN ('E', 'X')
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
                OR EXISTS (SELECT FROM steward.audit_schema AS s WHERE format('%I.%I', s.schema_name, s.table_name) = c.identity)
                OR EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = to_regclass(c.identity) AND t.tgfoid IN ('steward.audit_row'::regproc, 'steward.audit_truncate'::regproc)))))
    UNION ALL
    SELECT NULL, 'past gap', 'trigger was dropped', format('%s, %s, transaction %s', c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.dropped AND c.object_type = 'trigger' AND NOT c.by_us
       AND (starts_with(c.identity, '"00_steward_audit_') OR starts_with(c.identity, 'steward_audit_guard'))
    UNION ALL
    SELECT to_regclass(c.identity), 'past gap', 'table was unlogged', format('%s on %s, %s, transaction %s', c.action, c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.action = 'SET UNLOGGED'
       AND EXISTS (SELECT FROM switch AS s
                    WHERE s.name = c.identity AND s.op = 'E' AND s.changed_at <= c.changed_at
                      AND NOT EXISTS (SELECT FROM switch AS x WHERE x.relation = s.relation AND x.op = 'X' AND x.changed_at BETWEEN s.changed_at AND c.changed_at))
    UNION ALL
    SELECT NULL, 'past gap', 'event trigger was disabled or dropped', format('%s %s, %s, transaction %s', c.command, c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.object_type = 'event trigger' AND starts_with(c.identity, 'steward_') AND (c.dropped OR c.command = 'DROP EVENT TRIGGER' OR c.enabled <> 'always')
    UNION ALL
    SELECT NULL, 'past gap', 'catalog was changed by hand', format('%s %s, %s, transaction %s', c.command, c.identity, c.changed_at, c.xid)
      FROM command AS c
     WHERE c.event = 'catalog' AND NOT c.in_extension
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

-- The second witness: what a logical slot has, transaction by transaction, against the
-- log. README says what is compared.
CREATE FUNCTION steward.coverage_of_slot(slot name, plugin name, OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH decoded AS MATERIALIZED (
        SELECT row_number() OVER () AS place, c.xid, c.data
          FROM pg_logical_slot_peek_changes(slot, CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_flush_lsn() END, NULL) AS c
    ), epoch AS (
        SELECT x.next / 4294967296 AS epoch, x.next % 4294967296 AS next FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS x
    ), named AS MATERIALIZED (
        -- The oids of names that test_decoding shows.
        SELECT DISTINCT ON (s.schema_name, s.table_name) format('%I.%I', s.schema_name, s.table_name) AS name, s.relation
          FROM steward.audit_schema AS s WHERE s.kind = 'r' ORDER BY s.schema_name, s.table_name, s.id DESC
    ), witnessed AS MATERIALIZED (
        SELECT d.place, w.part[1]::xid8 AS xid, w.part[2]::oid AS relation, w.part[3] AS action, w.part[4]::bigint AS rows
          FROM decoded AS d CROSS JOIN LATERAL (SELECT string_to_array(d.data, ' ')) AS w (part)
         WHERE plugin = 'pg_steward'
        UNION ALL
        SELECT d.place, ((e.epoch - CASE WHEN d.xid::text::bigint > e.next THEN 1 ELSE 0 END) * 4294967296 + d.xid::text::bigint)::text::xid8, coalesce(n.relation, to_regclass(t.name[1])), left(w.part[2], 1), 1
          FROM decoded AS d
          CROSS JOIN epoch AS e
          CROSS JOIN LATERAL regexp_match(d.data, '^table ((?:"(?:[^"]|"")+"|[^".:, ]+)\.(?:"(?:[^"]|"")+"|[^".:, ]+)(?:, (?:"(?:[^"]|"")+"|[^".:, ]+)\.(?:"(?:[^"]|"")+"|[^".:, ]+))*): (INSERT|UPDATE|DELETE|TRUNCATE):') AS w (part)
          CROSS JOIN LATERAL regexp_matches(w.part[1], '(?:"(?:[^"]|"")+"|[^".:, ]+)\.(?:"(?:[^"]|"")+"|[^".:, ]+)', 'g') AS t (name)
          LEFT JOIN named AS n ON n.name = t.name[1]
         WHERE plugin = 'test_decoding'
    ), transaction AS MATERIALIZED (
        SELECT w.xid, min(w.place) AS place FROM witnessed AS w WHERE pg_visible_in_snapshot(w.xid, pg_current_snapshot()) GROUP BY w.xid
    ), record AS MATERIALIZED (
        SELECT r.xid, s.relation, r.op, count(*) AS rows, max(r.changed_at) AS changed_at
          FROM steward.audit_record AS r
          JOIN steward.audit_schema AS s ON s.id = r.schema_version
          JOIN steward.audit_incarnation AS i ON i.id = r.incarnation
         WHERE (r.op IN ('E', 'X') OR (r.op IN ('I', 'U', 'D', 'T') AND r.xid >= (SELECT min(t.xid) FROM transaction AS t)))
           AND i.system_identifier = (SELECT c.system_identifier FROM pg_control_system() AS c)
           AND i.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
         GROUP BY r.xid, s.relation, r.op
    ), switch AS MATERIALIZED (
        -- When the audit of a table began or ended: in the slot, before it, or after.
        SELECT r.xid, r.relation, r.op, r.changed_at,
               coalesce(t.place, CASE WHEN r.xid > (SELECT max(o.xid) FROM transaction AS o) THEN 9223372036854775807 ELSE 0 END) AS place
          FROM record AS r LEFT JOIN transaction AS t USING (xid) WHERE r.op IN ('E', 'X')
    ), root AS MATERIALIZED (
        -- What was a partition, and of which table.
        SELECT s.relation, s.root FROM steward.audit_schema AS s WHERE s.kind = 'r' AND s.root <> s.relation
        UNION
        SELECT w.relation, pg_partition_root(w.relation) FROM (SELECT DISTINCT o.relation FROM witnessed AS o WHERE o.relation IS NOT NULL) AS w
         WHERE pg_partition_root(w.relation) <> w.relation
    ), whole AS MATERIALIZED (
        -- Partitioned tables: a row that moves is recorded as theirs.
        SELECT r.root AS relation FROM root AS r UNION SELECT c.oid FROM pg_class AS c WHERE c.relkind = 'p'
    ), chosen AS MATERIALIZED (
        -- Tables of which, now or once, some rows or columns are not recorded.
        SELECT s.relation, bool_or(e.setting ? 'condition') AS rows, bool_or(e.setting ?| '{exclude,only_included}') AS columns
          FROM (SELECT DISTINCT o.relation, format('%I.%I', o.schema_name, o.table_name) AS name, format('%I.%I', o.root_schema, o.root_name) AS root
                  FROM steward.audit_schema AS o WHERE o.kind = 'r') AS s
          JOIN (SELECT d.event#>>'{details,relation}' AS name, c.setting
                  FROM steward.audit_record AS r
                  CROSS JOIN LATERAL steward.audit_event(r.payload) AS d (event)
                  CROSS JOIN LATERAL (VALUES (d.event#>'{details,before}'), (d.event#>'{details,after}')) AS c (setting)
                 WHERE r.op = 'S' AND d.event->>'event' = 'enable_audit'
                UNION ALL
                SELECT format('%I.%I', n.nspname, c.relname), v.setting
                  FROM steward.audit_setting AS v JOIN pg_class AS c ON c.oid = v.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace) AS e
            ON e.name IN (s.name, s.root)
         GROUP BY s.relation
    ), told AS (
        SELECT w.xid, w.relation,
               coalesce(sum(w.rows) FILTER (WHERE w.action = 'I'), 0) AS inserted, coalesce(sum(w.rows) FILTER (WHERE w.action = 'D'), 0) AS deleted,
               coalesce(sum(w.rows) FILTER (WHERE w.action IN ('U', 'C', 'N')), 0) AS updated, coalesce(sum(w.rows) FILTER (WHERE w.action = 'C'), 0) AS changed,
               coalesce(sum(w.rows) FILTER (WHERE w.action = 'N'), 0) AS unchanged, bool_or(w.action = 'T') AS truncated
          FROM witnessed AS w WHERE w.relation IS NOT NULL GROUP BY w.xid, w.relation
    ), logged AS (
        SELECT r.xid, r.relation,
               coalesce(sum(r.rows) FILTER (WHERE r.op = 'I'), 0) AS inserted, coalesce(sum(r.rows) FILTER (WHERE r.op = 'D'), 0) AS deleted,
               coalesce(sum(r.rows) FILTER (WHERE r.op = 'U'), 0) AS updated, bool_or(r.op = 'T') AS truncated
          FROM record AS r WHERE r.op IN ('I', 'U', 'D', 'T') GROUP BY r.xid, r.relation
    ), moved AS (
        SELECT l.xid, sum(l.updated) AS rows FROM logged AS l WHERE l.relation IN (SELECT h.relation FROM whole AS h) GROUP BY l.xid
    ), pair AS MATERIALIZED (
        SELECT x.xid, x.relation, coalesce(m.rows, 0) AS moved,
               coalesce(t.inserted, 0) AS t_inserted, coalesce(t.deleted, 0) AS t_deleted, coalesce(t.updated, 0) AS t_updated, coalesce(t.changed, 0) AS t_changed,
               coalesce(t.unchanged, 0) AS t_unchanged, coalesce(t.truncated, false) AS t_truncated,
               coalesce(l.inserted, 0) AS l_inserted, coalesce(l.deleted, 0) AS l_deleted, coalesce(l.updated, 0) AS l_updated, coalesce(l.truncated, false) AS l_truncated,
               coalesce(c.rows, false) AS some_rows, coalesce(c.columns, false) AS some_columns,
               -- It may have been attached later: only its own switch would tell.
               e.own IS NULL AND e.has_own AS perhaps_before,
               EXISTS (SELECT FROM record AS o WHERE o.xid = x.xid) AS recorded
          FROM (SELECT t.xid, t.relation FROM told AS t UNION SELECT l.xid, l.relation FROM logged AS l) AS x
          JOIN transaction AS a ON a.xid = x.xid
          LEFT JOIN told AS t ON t.xid = x.xid AND t.relation = x.relation
          LEFT JOIN logged AS l ON l.xid = x.xid AND l.relation = x.relation
          LEFT JOIN moved AS m ON m.xid = x.xid
          LEFT JOIN chosen AS c ON c.relation = x.relation
          CROSS JOIN LATERAL (
              SELECT (array_agg(s.op ORDER BY s.place DESC, s.changed_at DESC) FILTER (WHERE s.place < a.place AND s.relation = x.relation))[1] AS own,
                     coalesce(bool_or(s.relation = x.relation), false) AS has_own,
                     (array_agg(s.op ORDER BY s.place DESC, s.changed_at DESC) FILTER (WHERE s.place < a.place AND s.relation <> x.relation))[1] AS of_root,
                     coalesce(bool_or(s.xid = x.xid), false) AS now
                FROM switch AS s WHERE s.relation = x.relation OR s.relation IN (SELECT r.root FROM root AS r WHERE r.relation = x.relation)) AS e
         WHERE x.relation NOT IN (SELECT h.relation FROM whole AS h) AND NOT e.now AND coalesce(e.own, e.of_root) = 'E'
    ), difference AS (
        SELECT p.relation, p.xid, 'gap' AS severity, 'change without a record' AS finding, greatest(p.t_inserted - p.l_inserted - p.moved, 0) AS inserted,
               CASE WHEN p.some_columns THEN 0 ELSE greatest(p.t_changed - p.l_updated, 0) END AS updated, greatest(p.t_deleted - p.l_deleted - p.moved, 0) AS deleted,
               CASE WHEN p.t_truncated AND NOT p.l_truncated THEN 1 ELSE 0 END AS truncated, p.some_rows, p.perhaps_before, p.recorded
          FROM pair AS p
        UNION ALL
        SELECT p.relation, p.xid, 'hint', 'updates without records, unless they changed nothing that is recorded', 0,
               p.t_updated - p.t_unchanged - p.l_updated - CASE WHEN p.some_columns THEN 0 ELSE greatest(p.t_changed - p.l_updated, 0) END, 0, 0, p.some_rows, p.perhaps_before, p.recorded
          FROM pair AS p WHERE p.t_updated - p.t_unchanged > p.l_updated
        UNION ALL
        SELECT p.relation, p.xid, 'gap', 'record without a change', greatest(p.l_inserted - p.t_inserted, 0), greatest(p.l_updated - p.t_updated, 0), greatest(p.l_deleted - p.t_deleted, 0),
               CASE WHEN p.l_truncated AND NOT p.t_truncated THEN 1 ELSE 0 END, false, false, true
          FROM pair AS p
        UNION ALL
        -- A row that moves leaves one partition and comes to another.
        SELECT NULL, p.xid, 'gap', 'change without a record', greatest(sum(p.t_inserted - p.l_inserted) - max(p.moved), 0), 0, greatest(sum(p.t_deleted - p.l_deleted) - max(p.moved), 0), 0,
               bool_or(p.some_rows), bool_or(p.perhaps_before), true
          FROM pair AS p WHERE p.moved > 0 GROUP BY p.xid
    ), judged AS (
        SELECT d.relation, d.xid, d.inserted, d.updated, d.deleted, d.truncated, CASE WHEN w.perhaps IS NULL THEN d.severity ELSE 'hint' END AS severity, concat_ws(', or ', d.finding, w.perhaps) AS finding
          FROM difference AS d
          CROSS JOIN LATERAL (SELECT CASE WHEN d.severity = 'hint' THEN NULL WHEN d.perhaps_before THEN 'made before it became a partition' WHEN d.some_rows THEN 'of a row that a condition leaves out'
                                          WHEN NOT d.recorded AND EXISTS (SELECT FROM steward.audit_exempt) THEN 'by an exempt role' END) AS w (perhaps)
         WHERE d.inserted > 0 OR d.updated > 0 OR d.deleted > 0 OR d.truncated > 0
    )
    -- Committed by the write-ahead log, but not for others: whoever advances the slot past them loses them.
    SELECT NULL::regclass, 'hint', 'transactions not compared yet', format('%s, the first %s; do not advance the slot', count(DISTINCT w.xid), (array_agg(w.xid ORDER BY w.xid))[1])
      FROM witnessed AS w WHERE NOT pg_visible_in_snapshot(w.xid, pg_current_snapshot()) HAVING count(*) > 0
    UNION ALL
    SELECT j.relation::regclass, j.severity, j.finding,
           concat_ws(', ', CASE WHEN sum(j.inserted) > 0 THEN sum(j.inserted) || ' INSERT' END, CASE WHEN sum(j.updated) > 0 THEN sum(j.updated) || ' UPDATE' END,
                     CASE WHEN sum(j.deleted) > 0 THEN sum(j.deleted) || ' DELETE' END, CASE WHEN sum(j.truncated) > 0 THEN sum(j.truncated) || ' TRUNCATE' END,
                     CASE WHEN count(*) = 1 THEN format('transaction %s', min(j.xid::text)) ELSE format('%s transactions, the first %s', count(*), (array_agg(j.xid ORDER BY j.xid))[1]) END)
      FROM judged AS j GROUP BY j.relation, j.severity, j.finding
$$;
COMMENT ON FUNCTION steward.coverage_of_slot(name, name) IS 'committed changes in a logical slot that the log lacks, and records without a change; part of audit_coverage()';

-- A hint from PostgreSQL's counters, since a baseline.
CREATE TABLE steward.coverage_baseline (
    relation regclass PRIMARY KEY,
    changes  bigint NOT NULL,
    snapshot pg_snapshot NOT NULL,
    taken_at timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE steward.coverage_baseline IS 'how many changes PostgreSQL had counted of each audited table, for audit_coverage(); written by take_coverage_baseline()';
COMMENT ON COLUMN steward.coverage_baseline.relation IS 'the table';
COMMENT ON COLUMN steward.coverage_baseline.changes IS 'inserted, updated and deleted rows, those of transactions that failed among them';
COMMENT ON COLUMN steward.coverage_baseline.snapshot IS 'which transactions had ended';
COMMENT ON COLUMN steward.coverage_baseline.taken_at IS 'when';
REVOKE ALL ON steward.coverage_baseline FROM PUBLIC;

CREATE FUNCTION steward.counted_changes(relation oid) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_stat_get_tuples_inserted(relation) + pg_stat_get_tuples_updated(relation) + pg_stat_get_tuples_deleted(relation)
$$;
COMMENT ON FUNCTION steward.counted_changes(oid) IS 'changes of rows that PostgreSQL has counted; part of audit_coverage()';

CREATE FUNCTION steward.take_coverage_baseline() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_take_coverage_baseline';
COMMENT ON FUNCTION steward.take_coverage_baseline() IS 'lets audit_coverage() compare the counters of PostgreSQL with the log from now on; returns the number of tables';
REVOKE EXECUTE ON FUNCTION steward.take_coverage_baseline() FROM PUBLIC;

CREATE FUNCTION steward.coverage_of_activity(OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH recorded AS (
        SELECT s.relation, b.relation IS NULL AS moved, count(*) AS changes
          FROM steward.audit_record AS r
          JOIN steward.audit_schema AS s ON s.id = r.schema_version
          LEFT JOIN steward.coverage_baseline AS b ON b.relation::oid = s.relation
         WHERE r.op IN ('I', 'U', 'D') AND r.xid >= (SELECT min(pg_snapshot_xmin(o.snapshot)::text::bigint)::text::xid8 FROM steward.coverage_baseline AS o)
           AND (b.relation IS NULL OR NOT pg_visible_in_snapshot(r.xid, b.snapshot))
         GROUP BY 1, 2
    ), compared AS (
        SELECT b.relation, b.taken_at, steward.counted_changes(b.relation) - b.changes AS counted,
               coalesce((SELECT r.changes FROM recorded AS r WHERE r.relation = b.relation::oid), 0)
               -- A row that moves counts in two partitions, which ones is not known.
               + coalesce((SELECT sum(2 * r.changes) FROM recorded AS r WHERE r.moved AND r.relation = pg_partition_root(b.relation)::oid), 0) AS recorded
          FROM steward.coverage_baseline AS b JOIN pg_class AS c ON c.oid = b.relation AND c.relkind = 'r'
         WHERE EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = b.relation AND t.tgfoid = 'steward.audit_row'::regproc)
    )
    SELECT c.relation, 'hint', 'far more changes counted than recorded',
           format('%s counted, %s recorded since %s; failed transactions and updates that change nothing are counted too', c.counted, c.recorded, c.taken_at)
      FROM compared AS c WHERE c.counted > 2 * c.recorded + 1000
    UNION ALL
    SELECT c.relation, 'hint', 'counters were reset since the baseline', format('nothing can be said since %s; call steward.take_coverage_baseline()', c.taken_at)
      FROM compared AS c WHERE c.counted < 0
$$;
COMMENT ON FUNCTION steward.coverage_of_activity() IS 'counters of PostgreSQL that are far from the log, since a baseline; part of audit_coverage()';

REVOKE EXECUTE ON FUNCTION steward.coverage_of_tables(), steward.coverage_of_extension(), steward.coverage_of_log(), steward.coverage_of_past(),
    steward.coverage_of_slot(name, name), steward.coverage_of_activity(), steward.counted_changes(oid) FROM PUBLIC;

CREATE FUNCTION steward.audit_coverage(slot name DEFAULT NULL, OUT relation regclass, OUT severity text, OUT finding text, OUT detail text)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 AS 'MODULE_PATHNAME', 'steward_audit_coverage';
COMMENT ON FUNCTION steward.audit_coverage(name) IS 'what is not recorded, or was not: one row a finding, none when all is covered; with a logical slot, compared with what that has';
REVOKE EXECUTE ON FUNCTION steward.audit_coverage(name) FROM PUBLIC;
