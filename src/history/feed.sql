-- Feeding the sealed records to another system.

CREATE FUNCTION steward.feed_leaves(after bigint, max integer, of_incarnation integer, OUT incarnation integer, OUT leaf bigint, OUT xid xid8, OUT seq integer)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_feed_leaves';
COMMENT ON FUNCTION steward.feed_leaves(bigint, integer, integer) IS 'which records lie in the leaves of a log; part of audit_feed()';
REVOKE EXECUTE ON FUNCTION steward.feed_leaves(bigint, integer, integer) FROM PUBLIC;

CREATE FUNCTION steward.feed_lines(after bigint, max integer, of_incarnation integer, OUT leaf bigint, OUT line text)
    RETURNS SETOF record LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    SELECT f.leaf,
           json_build_object(
               'leaf', f.leaf, 'incarnation', f.incarnation, 'xid', f.xid::text, 'seq', f.seq,
               'operation', CASE r.op WHEN 'I' THEN 'INSERT' WHEN 'U' THEN 'UPDATE' WHEN 'D' THEN 'DELETE' WHEN 'T' THEN 'TRUNCATE'
                   WHEN 'E' THEN 'ENABLE' WHEN 'X' THEN 'DISABLE' WHEN 'W' THEN 'REWRITE' WHEN '&' THEN 'PART' WHEN 'C' THEN 'COMMAND'
                   WHEN 'R' THEN 'READ' WHEN 'S' THEN 'STEWARD' WHEN 'L' THEN 'LEDGER' ELSE coalesce(r.op::text, 'OPENING') END,
               'changed_at', to_json(r.changed_at AT TIME ZONE 'UTC') #>> '{}' || 'Z',
               'written_at', to_json(r.written_at AT TIME ZONE 'UTC') #>> '{}' || 'Z',
               'relation', quote_ident(s.schema_name) || '.' || quote_ident(s.table_name), 'key', d.key, 'old', d.old, 'new', d.new,
               'event', CASE WHEN r.schema_version = 0 THEN steward.audit_event(r.payload) END,
               'login_role', c.login_role, 'session_role', c.session_role, 'effective_role', c.effective_role,
               'client_address', host(c.client_address), 'application', c.application, 'pid', c.pid, 'actor', c.actor,
               'purpose', c.purpose, 'request_id', c.request_id, 'replication_origin', c.replication_origin)::text
      FROM steward.feed_leaves(after, max, of_incarnation) AS f
      LEFT JOIN LATERAL (SELECT l.written_at, l.batch, l.first_seq FROM steward.audit_log AS l
                          WHERE l.xid = f.xid AND l.incarnation = f.incarnation AND l.first_seq <= f.seq
                          ORDER BY l.first_seq DESC LIMIT 1) AS b ON true
      LEFT JOIN LATERAL (SELECT b.written_at, o.* FROM steward.audit_records(b.batch, b.first_seq, f.xid) AS o WHERE o.seq = f.seq) AS r ON true
      LEFT JOIN steward.audit_schema AS s ON s.id = r.schema_version AND r.schema_version > 0
      LEFT JOIN LATERAL steward.audit_decode(s.id, r.op, r.payload) AS d ON true
      LEFT JOIN steward.audit_context AS c ON c.xid = r.context_xid AND c.number = r.context AND c.incarnation = f.incarnation
     ORDER BY f.leaf
$$;
COMMENT ON FUNCTION steward.feed_lines(bigint, integer, integer) IS 'sealed records as JSON; part of audit_feed()';
REVOKE EXECUTE ON FUNCTION steward.feed_lines(bigint, integer, integer) FROM PUBLIC;

CREATE FUNCTION steward.audit_feed(after bigint DEFAULT NULL, max integer DEFAULT 1000, incarnation integer DEFAULT NULL, OUT leaf bigint, OUT line text)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'steward_audit_feed';
COMMENT ON FUNCTION steward.audit_feed(bigint, integer, integer) IS 'sealed records as lines of JSON, in the order of the ledger: those after a leaf, which is where to go on; of the present incarnation, or a given one';
REVOKE EXECUTE ON FUNCTION steward.audit_feed(bigint, integer, integer) FROM PUBLIC;
