-- The extension is there, in its own schema, at the version it should have.
SELECT e.extname, e.extversion, n.nspname AS schema, e.extrelocatable
  FROM pg_extension AS e
  JOIN pg_namespace AS n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_steward';

SELECT superuser, trusted, relocatable, schema
  FROM pg_available_extension_versions
 WHERE name = 'pg_steward' AND version = '1.0';

-- The settings are there, each says what it is for, and the prefix is reserved.
SELECT count(*) > 0 AS settings, count(*) FILTER (WHERE short_desc IS NULL OR short_desc = '') AS without_description
  FROM pg_settings WHERE name LIKE 'steward.%';
SET steward.no_such_setting = 1;

-- It stays in the schema that nobody else may own.
ALTER EXTENSION pg_steward SET SCHEMA public;
\set SHOW_CONTEXT never
BEGIN;
DROP EXTENSION pg_steward CASCADE;
ALTER SCHEMA steward OWNER TO pg_database_owner;
CREATE EXTENSION pg_steward;
ROLLBACK;

-- Everything of it has a comment.
SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
  FROM pg_depend AS d
  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'pg_steward' AND d.deptype = 'e'
   AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass,
                     'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_event_trigger'::regclass)
   AND NOT (d.classid = 'pg_type'::regclass
            AND EXISTS (SELECT FROM pg_type AS t WHERE t.oid = d.objid AND (t.typrelid <> 0 OR t.typelem <> 0)))
   AND NOT (d.classid = 'pg_class'::regclass
            AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = d.objid AND c.relkind NOT IN ('r', 'v')))
   AND obj_description(d.objid, d.classid::regclass::name) IS NULL
 ORDER BY 1;
