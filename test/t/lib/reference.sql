-- The tables of docs/reference.md, as the server tells them. To write the page
-- anew: psql -XqAt -v ON_ERROR_STOP=1 -f test/t/lib/reference.sql > docs/reference.md,
-- in a database that has the extension, with the library preloaded.
\pset format unaligned
\pset tuples_only on
\set ON_ERROR_STOP on
CREATE TEMPORARY VIEW member AS
    SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
     WHERE e.extname = 'pg_steward' AND d.deptype = 'e';

SELECT '# Reference

What the server itself says of every setting, function, view and table: `COMMENT`s, and `pg_settings`. The other
pages say how they go together. The page is compared with a server by a test.

## Settings

| setting | default | changed by | |
|---|---|---|---|';
SELECT format('| `%s` | %s | %s | %s |', name, coalesce('`' || nullif(boot_val, '') || coalesce(' ' || unit, '') || '`', ''),
              CASE context WHEN 'sighup' THEN 'reload' WHEN 'superuser' THEN 'superuser' WHEN 'postmaster' THEN 'restart' ELSE context END,
              concat_ws(' ', short_desc, extra_desc))
  FROM pg_settings WHERE name LIKE 'steward.%' ORDER BY name COLLATE "C";

SELECT '
## Functions and procedures

All in schema `steward`. Those of operators, types and triggers are left out; where one is there for several types, the
first is shown. What everybody may call asks for rights on the key or the table itself.

| call | returns | who may call | |
|---|---|---|---|';
SELECT format('| `%s(%s)` | %s | %s | %s |', proname, regexp_replace(min(pg_get_function_arguments(p.oid)), '::[a-z ]+(\[\])?|steward\.|\mIN ', '', 'g'),
              min(CASE WHEN prokind = 'p' THEN 'a procedure' ELSE replace(pg_get_function_result(p.oid), 'steward.', '') END),
              min(CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody' ELSE 'whom it is granted' END),
              min(obj_description(p.oid, 'pg_proc')))
  FROM pg_proc AS p JOIN member ON classid = 'pg_proc'::regclass AND objid = p.oid
 WHERE prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'cstring'::regtype)
   AND NOT proargtypes::regtype[] && ARRAY['internal'::regtype, 'cstring'::regtype, 'cstring[]'::regtype]
   AND proname !~ '^(encrypted|plain)_'
 GROUP BY proname, pronargs ORDER BY proname COLLATE "C", pronargs;

SELECT '
## Views and tables

Nobody but the owner of the extension may read them until it is granted.

| name | kind | |
|---|---|---|';
SELECT format('| `%s` | %s | %s |', relname, CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END, obj_description(c.oid, 'pg_class'))
  FROM pg_class AS c JOIN member ON classid = 'pg_class'::regclass AND objid = c.oid
 WHERE relkind IN ('r', 'p', 'v') ORDER BY relkind = 'v' DESC, relname COLLATE "C";

SELECT '
## Types

| type | |
|---|---|';
SELECT format('| `%s` | %s |', typname, obj_description(t.oid, 'pg_type'))
  FROM pg_type AS t JOIN member ON classid = 'pg_type'::regclass AND objid = t.oid
 WHERE typtype = 'b' AND typelem = 0 ORDER BY typname COLLATE "C";
