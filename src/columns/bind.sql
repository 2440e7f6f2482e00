-- Binding the encrypted values of a table to the subjects of its rows.

-- A binding is this trigger and nothing else: it is dumped, restored, renamed and
-- cloned to partitions with its table.
CREATE FUNCTION steward.bind_row() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_bind_row';
COMMENT ON FUNCTION steward.bind_row() IS 'trigger: binds the encrypted values of a row to its subject; attached by steward.bind_subject()';
-- Whoever attaches a partition to a bound table needs to execute it; a binding of
-- its own the guard lets only those make who may execute steward.bind_subject().

CREATE FUNCTION steward.bind_subject(relation regclass, kind text, "column" name) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_bind_subject';
COMMENT ON FUNCTION steward.bind_subject(regclass, text, name) IS 'binds the encrypted values of each row to its subject, whose key is the value of the column; for the table''s owner';
REVOKE ALL ON FUNCTION steward.bind_subject(regclass, text, name) FROM PUBLIC;

CREATE FUNCTION steward.unbind_subject(relation regclass) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'steward_unbind_subject';
COMMENT ON FUNCTION steward.unbind_subject(regclass) IS 'binds no more values of the table; those that are bound stay so';
REVOKE ALL ON FUNCTION steward.unbind_subject(regclass) FROM PUBLIC;

CREATE VIEW steward.subject_binding AS
SELECT t.tgrelid::pg_catalog.regclass AS relation,
       pg_catalog.convert_from(pg_catalog.substring(t.tgargs, 1, z.first - 1), pg_catalog.getdatabaseencoding()) AS kind,
       pg_catalog.convert_from(pg_catalog.substring(t.tgargs, z.first + 1, pg_catalog.octet_length(t.tgargs) - z.first - 1), pg_catalog.getdatabaseencoding())::pg_catalog.name AS "column",
       t.tgenabled OPERATOR(pg_catalog.=) ANY ('{O,A}'::pg_catalog."char"[]) AS enabled
  FROM pg_catalog.pg_trigger AS t,
       LATERAL (SELECT pg_catalog.position(t.tgargs, '\x00') AS first) AS z
 WHERE t.tgfoid OPERATOR(pg_catalog.=) 'steward.bind_row'::pg_catalog.regproc
   AND (t.tgparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR t.tgenabled OPERATOR(pg_catalog.<>) ALL ('{O,A}'::pg_catalog."char"[]))
   AND t.tgnargs OPERATOR(pg_catalog.=) 2;
COMMENT ON VIEW steward.subject_binding IS 'tables whose encrypted values are bound to subjects; partitions follow their table, and are shown where their trigger is disabled';
COMMENT ON COLUMN steward.subject_binding.relation IS 'the table';
COMMENT ON COLUMN steward.subject_binding.kind IS 'what its subjects are';
COMMENT ON COLUMN steward.subject_binding."column" IS 'the column whose value is the key of a row''s subject';
COMMENT ON COLUMN steward.subject_binding.enabled IS 'false when somebody disabled the trigger, or has it fire on replicas only: what is written then is not bound';
