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
