/*
 * ddl_grant.c: what GRANT and REVOKE did.
 *
 * Members: granted (false: revoked), grantor (who ran it; the privilege itself
 * names the owner when that role acts for the owner), grantees, privileges,
 * objects, grant_option, cascade.
 */
#include "audit/ddl.h"

#include "catalog/pg_class.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_largeobject.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "utils/acl.h"
#include "utils/formatting.h"

static const struct Privilege
{
	AclMode		mode;
	const char *name;
}			privileges[] = {
	{ACL_SELECT, "SELECT"},
	{ACL_INSERT, "INSERT"},
	{ACL_UPDATE, "UPDATE"},
	{ACL_DELETE, "DELETE"},
	{ACL_TRUNCATE, "TRUNCATE"},
	{ACL_REFERENCES, "REFERENCES"},
	{ACL_TRIGGER, "TRIGGER"},
	{ACL_EXECUTE, "EXECUTE"},
	{ACL_USAGE, "USAGE"},
	{ACL_CREATE, "CREATE"},
	{ACL_CREATE_TEMP, "TEMPORARY"},
	{ACL_CONNECT, "CONNECT"},
	{ACL_SET, "SET"},
	{ACL_ALTER_SYSTEM, "ALTER SYSTEM"},
	{STEWARD_ACL_MAINTAIN, "MAINTAIN"},
};

static List *
privilege_names(AclMode mode, bool all)
{
	List	   *names = NIL;

	if (all)
		return list_make1("ALL");
	for (size_t i = 0; i < lengthof(privileges); i++)
		if ((mode & privileges[i].mode) != 0)
			names = lappend(names, (char *) privileges[i].name);
	return names;
}

static Oid
class_of(ObjectType type)
{
	switch (type)
	{
		case OBJECT_COLUMN:
		case OBJECT_TABLE:
		case OBJECT_SEQUENCE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_FOREIGN_TABLE:
			return RelationRelationId;
		case OBJECT_FUNCTION:
		case OBJECT_PROCEDURE:
		case OBJECT_ROUTINE:
		case OBJECT_AGGREGATE:
			return ProcedureRelationId;
		case OBJECT_DOMAIN:
		case OBJECT_TYPE:
			return TypeRelationId;
		case OBJECT_FDW:
			return ForeignDataWrapperRelationId;
		case OBJECT_FOREIGN_SERVER:
			return ForeignServerRelationId;
		case OBJECT_LANGUAGE:
			return LanguageRelationId;
		case OBJECT_LARGEOBJECT:
			return LargeObjectRelationId;
		case OBJECT_SCHEMA:
			return NamespaceRelationId;
		default:
			return InvalidOid;
	}
}

static List *
identities(ObjectType type, const List *objects)
{
	Oid			class_id = class_of(type);
	List	   *names = NIL;
	ListCell   *cell;

	if (!OidIsValid(class_id))
		return NIL;
	foreach(cell, objects)
	{
		char	   *name = steward_ddl_identity(class_id, lfirst_oid(cell), 0);

		if (name != NULL)
			names = lappend(names, name);
	}
	return names;
}

static List *
role_names(const List *oids)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, oids)
	{
		Oid			role = lfirst_oid(cell);
		char	   *name = OidIsValid(role) ? GetUserNameFromId(role, true) : "public";

		if (name != NULL)
			names = lappend(names, name);
	}
	return names;
}

static List *
column_names(const List *columns)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, columns)
		names = lappend(names, strVal(lfirst(cell)));
	return names;
}

/* The parser leaves privileges in lower case. */
static char *
written_name(const AccessPriv *privilege)
{
	return privilege->priv_name == NULL ? "ALL" :
		asc_toupper(privilege->priv_name, strlen(privilege->priv_name));
}

/* Privileges as written; those that name columns become objects with both. */
static void
written_privileges(StewardJson *json, const List *written)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, written)
	{
		const AccessPriv *privilege = lfirst_node(AccessPriv, cell);

		if (privilege->cols == NIL)
			names = lappend(names, written_name(privilege));
	}
	steward_json_texts(json, "privileges", names);
}

static void
column_privileges(StewardJson *json, const List *written)
{
	ListCell   *cell;

	if (written == NIL)
		return;
	steward_json_open_list(json, "column_privileges");
	foreach(cell, written)
	{
		const AccessPriv *privilege = lfirst_node(AccessPriv, cell);

		if (privilege->cols == NIL)
			continue;
		steward_json_open(json, NULL);
		steward_json_text(json, "privilege", written_name(privilege));
		steward_json_texts(json, "columns", column_names(privilege->cols));
		steward_json_close(json);
	}
	steward_json_close_list(json);
}

static void
common(StewardJson *json, bool granted, const char *grantor, bool grant_option,
	   DropBehavior behavior)
{
	steward_json_flag(json, "granted", granted);
	steward_json_text(json, "grantor", grantor);
	if (grant_option)
		steward_json_flag(json, "grant_option", true);
	if (!granted && behavior == DROP_CASCADE)
		steward_json_flag(json, "cascade", true);
}

static char *
grantor_name(const RoleSpec *written)
{
	return written != NULL ? steward_ddl_role(written) :
		GetUserNameFromId(GetUserId(), true);
}

void
steward_ddl_grant(StewardJson *json, const InternalGrant *grant)
{
	common(json, grant->is_grant, grantor_name(NULL), grant->grant_option,
		   grant->behavior);
	steward_json_texts(json, "grantees", role_names(grant->grantees));
	steward_json_texts(json, "privileges",
					   privilege_names(grant->privileges, grant->all_privs));
	column_privileges(json, grant->col_privs);
	steward_json_texts(json, "objects", identities(grant->objtype, grant->objects));
}

char *
steward_ddl_grant_object(const InternalGrant *grant)
{
	List	   *names = identities(grant->objtype, grant->objects);

	return list_length(names) == 1 ? linitial(names) : NULL;
}

static void
grant_statement(StewardJson *json, const GrantStmt *grant)
{
	common(json, grant->is_grant, grantor_name(grant->grantor),
		   grant->grant_option, grant->behavior);
	steward_json_texts(json, "grantees", steward_ddl_roles(grant->grantees));
	if (grant->privileges == NIL)
		steward_json_texts(json, "privileges", list_make1("ALL"));
	else
		written_privileges(json, grant->privileges);
}

void
steward_ddl_grant_statement(StewardJson *json, const GrantStmt *grant)
{
	List	   *objects = NIL;
	ListCell   *cell;

	foreach(cell, grant->objects)
	{
		char	   *name = steward_ddl_name(lfirst(cell));

		if (name != NULL)
			objects = lappend(objects, name);
	}
	grant_statement(json, grant);
	steward_json_texts(json, "objects", objects);
}

void
steward_ddl_default_privileges(StewardJson *json,
							   const AlterDefaultPrivilegesStmt *statement)
{
	ListCell   *cell;

	grant_statement(json, statement->action);
	foreach(cell, statement->options)
	{
		const DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "schemas") == 0)
			steward_json_texts(json, "in_schemas",
							   column_names((const List *) option->arg));
		else if (strcmp(option->defname, "roles") == 0)
			steward_json_texts(json, "for_roles",
							   steward_ddl_roles((const List *) option->arg));
	}
}

void
steward_ddl_grant_role(StewardJson *json, const GrantRoleStmt *grant)
{
	List	   *roles = NIL;
	ListCell   *cell;

	foreach(cell, grant->granted_roles)
		roles = lappend(roles, lfirst_node(AccessPriv, cell)->priv_name);
	common(json, grant->is_grant, grantor_name(grant->grantor), false,
		   grant->behavior);
	steward_json_texts(json, "roles", roles);
	steward_json_texts(json, "grantees", steward_ddl_roles(grant->grantee_roles));
	if (STEWARD_GRANT_ROLE_OPTIONS(grant) == NIL)
		return;
	steward_json_open(json, "options");
	foreach(cell, STEWARD_GRANT_ROLE_OPTIONS(grant))
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		/*
		 * What a REVOKE names is taken away: 16 calls that false, 15 does
		 * not.
		 */
		steward_json_flag(json, option->defname,
						  !grant->is_grant || defGetBoolean(option));
	}
	steward_json_close(json);
}
