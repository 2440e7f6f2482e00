-- Who may do what with the values under a key, and by which way.

CREATE FUNCTION steward.has_key_privilege(key text, privilege text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'steward_has_key_privilege_current';
COMMENT ON FUNCTION steward.has_key_privilege(text, text) IS 'has the current user, itself or by membership, this right on the key?';

-- The ways that rights.c goes, told of every role, and one more: a role that
-- inherits nothing may still become the one that has the right.
CREATE VIEW steward.key_privilege (role, can_login, key, privilege, source, through, granted_by, granted_at) AS
WITH way (role, key_id, privilege, source, granted_by, granted_at) AS (
    SELECT g.grantee::oid, g.key_id, g.privilege, 'grant', g.granted_by, g.granted_at
      FROM steward.key_grant AS g
     WHERE EXISTS (
        SELECT FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
         WHERE c.oid OPERATOR(pg_catalog.=) 'steward.key_grantee'::pg_catalog.regclass
           AND a.grantee OPERATOR(pg_catalog.=) g.grantee::oid
           AND a.privilege_type OPERATOR(pg_catalog.=) 'REFERENCES')
    UNION ALL
    SELECT r.oid, k.key_id, p.privilege, r.source, NULL, NULL
      FROM (SELECT s.oid, 'superuser' FROM pg_catalog.pg_roles AS s WHERE s.rolsuper
            UNION ALL
            SELECT e.extowner, 'extension owner' FROM pg_catalog.pg_extension AS e
             WHERE e.extname OPERATOR(pg_catalog.=) 'pg_steward') AS r (oid, source),
           steward.key AS k,
           (VALUES ('decrypt'), ('search'), ('load')) AS p (privilege)
), reach (role, holder, source) AS (
    SELECT r.oid, h.oid,
           CASE WHEN pg_catalog.pg_has_role(r.oid, h.oid, 'USAGE') THEN 'membership' ELSE 'set role' END
      FROM pg_catalog.pg_roles AS r, pg_catalog.pg_roles AS h
     WHERE NOT r.rolsuper AND r.oid OPERATOR(pg_catalog.<>) h.oid
       AND (pg_catalog.pg_has_role(r.oid, h.oid, 'USAGE') OR pg_catalog.pg_has_role(r.oid, h.oid,
            CASE WHEN pg_catalog.current_setting('server_version_num')::integer OPERATOR(pg_catalog.<) 160000
                 THEN 'MEMBER' ELSE 'SET' END))
), every (role, key_id, privilege, source, through, granted_by, granted_at) AS (
    SELECT w.role, w.key_id, w.privilege, w.source, NULL::oid, w.granted_by, w.granted_at FROM way AS w
    UNION ALL
    -- Being a superuser, or owner of the extension, is not inherited.
    SELECT m.role, w.key_id, w.privilege,
           CASE w.source WHEN 'grant' THEN m.source ELSE 'set role' END, w.role, w.granted_by, w.granted_at
      FROM way AS w
      JOIN reach AS m ON m.holder OPERATOR(pg_catalog.=) w.role
     WHERE w.source OPERATOR(pg_catalog.=) 'grant' OR pg_catalog.pg_has_role(m.role, w.role,
            CASE WHEN pg_catalog.current_setting('server_version_num')::integer OPERATOR(pg_catalog.<) 160000
                 THEN 'MEMBER' ELSE 'SET' END)
)
SELECT r.rolname, r.rolcanlogin, k.path, e.privilege, e.source, t.rolname, e.granted_by, e.granted_at
  FROM every AS e
  JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) e.role
  JOIN steward.key AS k ON k.key_id OPERATOR(pg_catalog.=) e.key_id AND k.holder_id OPERATOR(pg_catalog.=) k.key_id
  LEFT JOIN pg_catalog.pg_roles AS t ON t.oid OPERATOR(pg_catalog.=) e.through;
COMMENT ON VIEW steward.key_privilege IS 'who may do what with the values under each key, and by which way: one row a role, key, privilege and way';
COMMENT ON COLUMN steward.key_privilege.role IS 'the role that has the right';
COMMENT ON COLUMN steward.key_privilege.can_login IS 'can the role log in itself?';
COMMENT ON COLUMN steward.key_privilege.key IS 'the named key; paths below it follow';
COMMENT ON COLUMN steward.key_privilege.privilege IS 'decrypt, search (equality only; who may decrypt may also search) or load';
COMMENT ON COLUMN steward.key_privilege.source IS 'grant, membership (inherited), set role (the role must become the other one first), superuser or extension owner';
COMMENT ON COLUMN steward.key_privilege.through IS 'the role that has the right, for membership and set role';
COMMENT ON COLUMN steward.key_privilege.granted_by IS 'who granted it';
COMMENT ON COLUMN steward.key_privilege.granted_at IS 'when it was granted';
