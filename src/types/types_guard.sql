-- Last, so that it does not watch its own making.
CREATE FUNCTION steward.guard_ddl() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_guard_ddl';
COMMENT ON FUNCTION steward.guard_ddl() IS 'event trigger: refuses DDL that would leave encrypted values without a key, or in the catalogs';
REVOKE ALL ON FUNCTION steward.guard_ddl() FROM PUBLIC;
CREATE FUNCTION steward.guard_concurrent_index() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_guard_concurrent_index';
COMMENT ON FUNCTION steward.guard_concurrent_index() IS 'event trigger: refuses, before it begins, CREATE INDEX that the guard would refuse';
REVOKE ALL ON FUNCTION steward.guard_concurrent_index() FROM PUBLIC;
CREATE EVENT TRIGGER steward_guard_ddl ON ddl_command_end EXECUTE FUNCTION steward.guard_ddl();
ALTER EVENT TRIGGER steward_guard_ddl ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER steward_guard_ddl IS 'refuses DDL that would leave encrypted values without a key, or in the catalogs';
CREATE EVENT TRIGGER steward_guard_concurrent_index ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION steward.guard_concurrent_index();
ALTER EVENT TRIGGER steward_guard_concurrent_index ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER steward_guard_concurrent_index IS 'refuses, before it begins, CREATE INDEX that the guard would refuse';
