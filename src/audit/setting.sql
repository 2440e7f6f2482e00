-- What is recorded of audited tables.

CREATE FUNCTION steward.audit_column() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_column';
COMMENT ON FUNCTION steward.audit_column() IS 'marks how a column is recorded, by a trigger that never fires; attached by steward.enable_audit()';
REVOKE EXECUTE ON FUNCTION steward.audit_column() FROM PUBLIC;

CREATE FUNCTION steward.enable_audit(relation regclass, include name[] DEFAULT NULL, exclude name[] DEFAULT NULL,
        redact jsonb DEFAULT NULL, condition text DEFAULT NULL, log_unchanged boolean DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_enable_audit';
COMMENT ON FUNCTION steward.enable_audit(regclass, name[], name[], jsonb, text, boolean) IS 'records every change of a table from now on, or what is chosen: columns, redacted columns, rows; null leaves a choice as it is';
REVOKE EXECUTE ON FUNCTION steward.enable_audit(regclass, name[], name[], jsonb, text, boolean) FROM PUBLIC;

CREATE FUNCTION steward.audit_setting_of(relation oid) RETURNS jsonb
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_audit_setting_of';
COMMENT ON FUNCTION steward.audit_setting_of(oid) IS 'what is recorded of a table';

CREATE FUNCTION steward.audit_reveal(value jsonb) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 30 AS 'MODULE_PATHNAME', 'steward_audit_reveal';
COMMENT ON FUNCTION steward.audit_reveal(jsonb) IS 'the text of a value that the trail shows encrypted, for roles with the right to decrypt; null when its subject was erased, or for any other value';

CREATE VIEW steward.audit_setting AS
    SELECT t.tgrelid::pg_catalog.regclass AS relation, steward.audit_setting_of(t.tgrelid) AS setting
    FROM (SELECT DISTINCT g.tgrelid FROM pg_catalog.pg_trigger AS g
           WHERE g.tgfoid OPERATOR(pg_catalog.=) 'steward.audit_row'::pg_catalog.regproc) AS t;
COMMENT ON VIEW steward.audit_setting IS 'the audited tables, and what is recorded of them';
COMMENT ON COLUMN steward.audit_setting.relation IS 'the table';
COMMENT ON COLUMN steward.audit_setting.setting IS 'what was chosen; an empty choice of columns means all';
REVOKE ALL ON steward.audit_setting FROM PUBLIC;

-- Its REFERENCES privilege is what exempts a role: see exempt.c.
CREATE TABLE steward.audit_exemption (
    role        regrole PRIMARY KEY,
    reason      text NOT NULL,
    exempted_by name NOT NULL DEFAULT SESSION_USER,
    exempted_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE steward.audit_exemption IS 'roles whose changes are not recorded; written by exempt_role and audit_role';
COMMENT ON COLUMN steward.audit_exemption.role IS 'the role, as which a session began';
COMMENT ON COLUMN steward.audit_exemption.reason IS 'why';
COMMENT ON COLUMN steward.audit_exemption.exempted_by IS 'who said so';
COMMENT ON COLUMN steward.audit_exemption.exempted_at IS 'when';
REVOKE ALL ON steward.audit_exemption FROM PUBLIC;
REVOKE REFERENCES ON steward.audit_exemption FROM CURRENT_USER; -- who owns it is not exempt
SELECT pg_catalog.pg_extension_config_dump('steward.audit_exemption', '');

CREATE FUNCTION steward.exempt_role(role regrole, reason text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_exempt_role';
COMMENT ON FUNCTION steward.exempt_role(regrole, text) IS 'stops recording the changes of sessions of a role; that it stopped is recorded';
REVOKE EXECUTE ON FUNCTION steward.exempt_role(regrole, text) FROM PUBLIC;

CREATE FUNCTION steward.audit_role(role regrole) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_audit_role';
COMMENT ON FUNCTION steward.audit_role(regrole) IS 'records the changes of a role again';
REVOKE EXECUTE ON FUNCTION steward.audit_role(regrole) FROM PUBLIC;

CREATE VIEW steward.audit_exempt AS
    SELECT a.grantee::pg_catalog.regrole AS role, e.reason, e.exempted_by, e.exempted_at
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
    LEFT JOIN steward.audit_exemption AS e ON e.role::pg_catalog.oid OPERATOR(pg_catalog.=) a.grantee
    WHERE c.oid OPERATOR(pg_catalog.=) 'steward.audit_exemption'::pg_catalog.regclass
      AND a.privilege_type OPERATOR(pg_catalog.=) 'REFERENCES';
COMMENT ON VIEW steward.audit_exempt IS 'the roles whose changes are not recorded, now';
COMMENT ON COLUMN steward.audit_exempt.role IS 'the role, as which a session began';
COMMENT ON COLUMN steward.audit_exempt.reason IS 'why; none: the privilege was granted by hand';
COMMENT ON COLUMN steward.audit_exempt.exempted_by IS 'who said so';
COMMENT ON COLUMN steward.audit_exempt.exempted_at IS 'when';
REVOKE ALL ON steward.audit_exempt FROM PUBLIC;
