-- The schema must be ours alone: in one that somebody else made before, its
-- owner could replace our objects.
DO $$
DECLARE
    home pg_catalog.pg_namespace;
BEGIN
    SELECT n.* INTO home FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'steward';
    IF home.nspowner OPERATOR(pg_catalog.<>) (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER) THEN
        RAISE EXCEPTION 'schema "steward" belongs to another role'
            USING ERRCODE = 'insufficient_privilege', HINT = 'Drop or rename that schema, then run CREATE EXTENSION again.';
    END IF;
END
$$;

COMMENT ON SCHEMA steward IS 'pg_steward: encryption, audit and retention for personal data';
GRANT USAGE ON SCHEMA steward TO PUBLIC;
