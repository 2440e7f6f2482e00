-- Last, so that it does not watch its own making.
CREATE FUNCTION steward.guard_ddl() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_guard_ddl';
COMMENT ON FUNCTION steward.guard_ddl() IS 'event trigger: refuses DDL that would leave encrypted values without a key, or in the catalogs';
REVOKE ALL ON FUNCTION steward.guard_ddl() FROM PUBLIC;
CREATE FUNCTION steward.guard_ddl_start() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'steward_guard_ddl_start';
COMMENT ON FUNCTION steward.guard_ddl_start() IS 'event trigger: loads the library, which looks at indexes and foreign keys before they are made';
REVOKE ALL ON FUNCTION steward.guard_ddl_start() FROM PUBLIC;
CREATE EVENT TRIGGER steward_guard_ddl ON ddl_command_end EXECUTE FUNCTION steward.guard_ddl();
ALTER EVENT TRIGGER steward_guard_ddl ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER steward_guard_ddl IS 'refuses DDL that would leave encrypted values without a key, or in the catalogs';
CREATE EVENT TRIGGER steward_guard_ddl_start ON ddl_command_start EXECUTE FUNCTION steward.guard_ddl_start();
ALTER EVENT TRIGGER steward_guard_ddl_start ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER steward_guard_ddl_start IS 'loads the library, which looks at indexes and foreign keys before they are made';
