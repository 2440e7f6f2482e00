-- The contract: every object of the extension, who may use it, and its comment.
-- Whatever changes here changes what users build on: say so in the changelog.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;

SELECT plan(15);

-- From 17 on the types of arrays and rows are members as well; they only follow.
CREATE TEMPORARY VIEW member AS
SELECT d.classid, d.objid
  FROM pg_depend AS d
  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'pg_steward' AND d.deptype = 'e'
   AND NOT (d.classid = 'pg_type'::regclass
            AND EXISTS (SELECT FROM pg_type AS t WHERE t.oid = d.objid AND (t.typrelid <> 0 OR t.typcategory = 'A')));

-- ---------------------------------------------------------------- objects --

SELECT set_eq($$
    SELECT p.oid::regprocedure::text, coalesce(pg_get_function_result(p.oid), ''),
           CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'all' ELSE 'granted' END
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
$$, $$ VALUES
    ('steward.audit_decode(integer,"char",bytea)', 'record', 'all'),
    ('steward.audit_guard()', 'trigger', 'granted'),
    ('steward.audit_protect(regclass)', 'void', 'granted'),
    ('steward.audit_row()', 'trigger', 'granted'),
    ('steward.audit_truncate()', 'trigger', 'granted'),
    ('steward.create_key(text)', 'void', 'granted'),
    ('steward.create_policy(text,regclass,text,interval,text,text)', 'void', 'granted'),
    ('steward.decrypt(steward.encrypted_text)', 'text', 'all'),
    ('steward.disable_audit(regclass)', 'void', 'granted'),
    ('steward.drop_policy(text)', 'void', 'granted'),
    ('steward.enable_audit(regclass)', 'void', 'granted'),
    ('steward.encrypt_text(text,text)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text(character,integer,boolean)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text(name,integer,boolean)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text(steward.encrypted_text,integer,boolean)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text(text,integer,boolean)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text_cmp(steward.encrypted_text,steward.encrypted_text)', 'integer', 'all'),
    ('steward.encrypted_text_eq(steward.encrypted_text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_eq(steward.encrypted_text,text)', 'boolean', 'all'),
    ('steward.encrypted_text_eq(text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_ge(steward.encrypted_text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_gt(steward.encrypted_text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_hash(steward.encrypted_text)', 'integer', 'all'),
    ('steward.encrypted_text_hash_extended(steward.encrypted_text,bigint)', 'bigint', 'granted'),
    ('steward.encrypted_text_in(cstring,oid,integer)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text_le(steward.encrypted_text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_lt(steward.encrypted_text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_ne(steward.encrypted_text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_ne(steward.encrypted_text,text)', 'boolean', 'all'),
    ('steward.encrypted_text_ne(text,steward.encrypted_text)', 'boolean', 'all'),
    ('steward.encrypted_text_out(steward.encrypted_text)', 'cstring', 'all'),
    ('steward.encrypted_text_recv(internal,oid,integer)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text_send(steward.encrypted_text)', 'bytea', 'all'),
    ('steward.encrypted_text_tag_cmp(steward.encrypted_text,steward.encrypted_text)', 'integer', 'granted'),
    ('steward.encrypted_text_tag_cmp(steward.encrypted_text,text)', 'integer', 'granted'),
    ('steward.encrypted_text_under(steward.encrypted_text,integer)', 'steward.encrypted_text', 'all'),
    ('steward.encrypted_text_under(steward.encrypted_text[],integer)', 'steward.encrypted_text[]', 'all'),
    ('steward.encrypted_typanalyze(internal)', 'boolean', 'all'),
    ('steward.grant_key(text,regrole,text)', 'void', 'granted'),
    ('steward.guard_concurrent_index()', 'event_trigger', 'granted'),
    ('steward.guard_ddl()', 'event_trigger', 'granted'),
    ('steward.has_key_privilege(regrole,text,text)', 'boolean', 'all'),
    ('steward.key_changed()', 'trigger', 'granted'),
    ('steward.plain_text_hash(text)', 'integer', 'granted'),
    ('steward.plain_text_hash_extended(text,bigint)', 'bigint', 'granted'),
    ('steward.policy_cutoff(interval,text,timestamp with time zone)', 'timestamp with time zone', 'all'),
    ('steward.revoke_key(text,regrole,text)', 'void', 'granted'),
    ('steward.run_policy(text,bigint)', '', 'granted'),
    ('steward.typmod_in(cstring[])', 'integer', 'all'),
    ('steward.typmod_out(integer)', 'cstring', 'all')
$$, 'functions, their results, and whether everybody may call them');

SELECT set_eq($$
    SELECT c.oid::regclass::text, c.relkind::text
      FROM pg_class AS c
      JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
$$, $$ VALUES
    ('steward.audit_context', 'r'),
    ('steward.audit_incarnation', 'r'),
    ('steward.audit_incarnation_id', 'S'),
    ('steward.audit_log', 'p'),
    ('steward.audit_schema', 'r'),
    ('steward.audit_schema_id', 'S'),
    ('steward.audit_segment', 'r'),
    ('steward.audit_trail', 'v'),
    ('steward.key', 'r'),
    ('steward.key_grant', 'r'),
    ('steward.key_grantee', 'r'),
    ('steward.key_secret', 'r'),
    ('steward.key_version', 'r'),
    ('steward.policy', 'r'),
    ('steward.policy_run', 'r'),
    ('steward.policy_run_id_seq', 'S'),
    ('steward.realm', 'r')
$$, 'tables, views and sequences');

SELECT set_eq($$
    SELECT pg_describe_object(m.classid, m.objid, 0)
      FROM member AS m
     WHERE m.classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass)
$$, $$ VALUES
    ('cast from character to steward.encrypted_text'),
    ('cast from character varying to steward.encrypted_text'),
    ('cast from name to steward.encrypted_text'),
    ('cast from steward.encrypted_text to character'),
    ('cast from steward.encrypted_text to character varying'),
    ('cast from steward.encrypted_text to steward.encrypted_text'),
    ('cast from steward.encrypted_text to text'),
    ('cast from text to steward.encrypted_text'),
    ('event trigger steward_guard_concurrent_index'),
    ('event trigger steward_guard_ddl'),
    ('operator <(steward.encrypted_text,steward.encrypted_text)'),
    ('operator <=(steward.encrypted_text,steward.encrypted_text)'),
    ('operator <>(steward.encrypted_text,steward.encrypted_text)'),
    ('operator <>(steward.encrypted_text,text)'),
    ('operator <>(text,steward.encrypted_text)'),
    ('operator =(steward.encrypted_text,steward.encrypted_text)'),
    ('operator =(steward.encrypted_text,text)'),
    ('operator =(text,steward.encrypted_text)'),
    ('operator >(steward.encrypted_text,steward.encrypted_text)'),
    ('operator >=(steward.encrypted_text,steward.encrypted_text)'),
    ('operator class steward.encrypted_text_ops for access method btree'),
    ('operator class steward.encrypted_text_ops for access method hash'),
    ('operator class steward.encrypted_unique_ops for access method btree'),
    ('operator family steward.encrypted_text_ops for access method btree'),
    ('operator family steward.encrypted_text_ops for access method hash'),
    ('operator family steward.encrypted_unique_ops for access method btree'),
    ('type steward.encrypted_text')
$$, 'types, casts, operators, operator classes, event triggers');

SELECT set_eq($$
    SELECT c::regclass::text
      FROM pg_extension AS e, unnest(e.extconfig) AS c
     WHERE e.extname = 'pg_steward'
$$, $$ VALUES
    ('steward.audit_context'),
    ('steward.audit_incarnation'),
    ('steward.audit_incarnation_id'),
    ('steward.audit_schema'),
    ('steward.audit_schema_id'),
    ('steward.audit_segment'),
    ('steward.key'),
    ('steward.key_grant'),
    ('steward.key_secret'),
    ('steward.key_version'),
    ('steward.policy'),
    ('steward.policy_run'),
    ('steward.policy_run_id_seq'),
    ('steward.realm')
$$, 'tables whose rows a dump of the database holds');

SELECT is_empty($$
    SELECT pg_describe_object(m.classid, m.objid, 0)
      FROM member AS m, pg_identify_object(m.classid, m.objid, 0) AS o
     WHERE o.schema <> 'steward' AND m.classid <> 'pg_operator'::regclass
$$, 'everything is in schema steward, but for operators, which every search_path must find');

-- --------------------------------------------------------------- comments --

SELECT is_empty($$
    SELECT pg_describe_object(m.classid, m.objid, 0)
      FROM member AS m
     WHERE coalesce(obj_description(m.objid, m.classid::regclass::name), '') = ''
$$, 'every object has a comment');

SELECT isnt(obj_description(oid, 'pg_extension'), NULL, 'so has the extension')
  FROM pg_extension WHERE extname = 'pg_steward';

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
     WHERE p.pronargs > 0 AND p.proargnames IS NULL
       -- support functions of types, operators and operator classes are not called by name
       AND p.proname !~ '^(typmod_(in|out)|encrypted_typanalyze|encrypted_text_(in|out|recv|send)|encrypted_text_(tag_)?(eq|ne|lt|le|ge|gt|cmp)|(encrypted|plain)_text_hash(_extended)?)$'
$$, 'functions that are called by name have named arguments');

-- ------------------------------------------------------------- privileges --

SELECT is_empty($$
    SELECT c.oid::regclass, a.privilege_type
      FROM pg_class AS c
      JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
           aclexplode(coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))) AS a
     WHERE a.grantee <> c.relowner
$$, 'nobody but the owner has a privilege on a table, view or sequence');

SELECT is_empty($$
    SELECT c.oid::regclass, t.attname
      FROM pg_class AS c
      JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
      JOIN pg_attribute AS t ON t.attrelid = c.oid
     WHERE t.attacl IS NOT NULL
$$, 'nor on a column');

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
     WHERE p.provolatile = 'v' AND has_function_privilege('public', p.oid, 'EXECUTE')
       -- these are volatile because no two ciphertexts are alike; they change nothing
       AND p.proname NOT IN ('encrypt_text', 'encrypted_text')
$$, 'what changes something is not for everybody');

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
     WHERE p.prosecdef
$$, 'no function runs with its owner''s rights by declaration');

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
      JOIN pg_language AS l ON l.oid = p.prolang
     WHERE l.lanname <> 'c' AND p.prosqlbody IS NULL
       AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%')
$$, 'functions that are not C have a search_path of their own');

SELECT ok(has_schema_privilege('public', 'steward', 'USAGE') AND NOT has_schema_privilege('public', 'steward', 'CREATE'),
          'everybody may use the schema, nobody may add to it');

SELECT ok(NOT extrelocatable, 'the extension cannot be moved')
  FROM pg_extension WHERE extname = 'pg_steward';

SELECT * FROM finish();
ROLLBACK;
