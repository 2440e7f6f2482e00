/*
 * ddl_shared.c: commands that no event trigger is fired for.
 *
 * They are recorded when they begin: the record is written by their own
 * transaction, so that a command that fails leaves none. What IF EXISTS does not
 * find is left out. ALTER SYSTEM writes its file before that commit, which a
 * crash can come between.
 */
#include "audit/ddl.h"

#include "base/catalog.h"
#include "base/guc.h"
#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/tablespace.h"
#include "nodes/value.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"

static void
begin(StewardJson *json, Node *statement, const char *type, const char *name)
{
	StewardDdlObject object = {type};

	if (name != NULL)
		object.identity = pstrdup(quote_identifier(name));
	steward_ddl_begin(json, "shared", CreateCommandName(statement), &object);
}

/* Adds an option under its name; what it holds decides its type. */
static void
option(StewardJson *json, DefElem *element)
{
	if (strcmp(element->defname, "password") == 0)
		steward_json_text(json, "password", element->arg == NULL ? "removed" : "set");
	else if (element->arg == NULL)
		steward_json_flag(json, element->defname, true);
	else if (IsA(element->arg, Boolean))
		steward_json_flag(json, element->defname, defGetBoolean(element));
	else if (IsA(element->arg, Integer))
		steward_json_number(json, element->defname, intVal(element->arg));
	else if (IsA(element->arg, RoleSpec))
		steward_json_text(json, element->defname,
						  steward_ddl_role((RoleSpec *) element->arg));
	else if (IsA(element->arg, List))
	{
		ListCell   *cell;

		foreach(cell, (List *) element->arg)
			if (!IsA(lfirst(cell), RoleSpec))
			return;
		steward_json_texts(json, element->defname,
						   steward_ddl_roles((List *) element->arg));
	}
	else
		steward_json_text(json, element->defname, defGetString(element));
}

static void
options(StewardJson *json, const List *elements)
{
	ListCell   *cell;

	if (elements == NIL)
		return;
	steward_json_open(json, "options");
	foreach(cell, elements)
		option(json, lfirst_node(DefElem, cell));
	steward_json_close(json);
}

/* ---- roles ---- */

static void
drop_roles(Node *statement)
{
	ListCell   *cell;

	foreach(cell, ((DropRoleStmt *) statement)->roles)
	{
		char	   *name = steward_ddl_role(lfirst_node(RoleSpec, cell));
		StewardJson json;

		if (name == NULL || !OidIsValid(get_role_oid(name, true)))
			continue;
		begin(&json, statement, "role", name);
		steward_ddl_end(&json);
	}
}

static void
alter_role(Node *statement)
{
	AlterRoleStmt *alter = (AlterRoleStmt *) statement;
	StewardJson json;

	begin(&json, statement, "role", steward_ddl_role(alter->role));
	/* ALTER GROUP: the option is the list of members */
	if (alter->action < 0)
		steward_json_flag(&json, "removed", true);
	options(&json, alter->options);
	steward_ddl_end(&json);
}

static void
alter_role_setting(Node *statement)
{
	AlterRoleSetStmt *alter = (AlterRoleSetStmt *) statement;
	StewardJson json;

	begin(&json, statement, "role",
		  alter->role == NULL ? NULL : steward_ddl_role(alter->role));
	if (alter->role == NULL)
		steward_json_flag(&json, "all_roles", true);
	steward_json_text(&json, "database", alter->database);
	steward_ddl_setting(&json, alter->setstmt);
	steward_ddl_end(&json);
}

static void
role_command(Node *statement)
{
	StewardJson json;

	switch (nodeTag(statement))
	{
		case T_CreateRoleStmt:
			begin(&json, statement, "role", ((CreateRoleStmt *) statement)->role);
			options(&json, ((CreateRoleStmt *) statement)->options);
			break;
		default:				/* GRANT and REVOKE of roles */
			begin(&json, statement, "role",
				  list_length(((GrantRoleStmt *) statement)->granted_roles) == 1 ?
				  linitial_node(AccessPriv, ((GrantRoleStmt *) statement)->granted_roles)->priv_name :
				  NULL);
			steward_ddl_grant_role(&json, (GrantRoleStmt *) statement);
			break;
	}
	steward_ddl_end(&json);
}

/* The command, then each object. */
static void
owned_command(Node *statement)
{
	StewardJson json;

	begin(&json, statement, "role", NULL);
	if (IsA(statement, ReassignOwnedStmt))
	{
		steward_json_texts(&json, "roles",
						   steward_ddl_roles(((ReassignOwnedStmt *) statement)->roles));
		steward_json_text(&json, "owner",
						  steward_ddl_role(((ReassignOwnedStmt *) statement)->newrole));
	}
	else
	{
		steward_json_texts(&json, "roles",
						   steward_ddl_roles(((DropOwnedStmt *) statement)->roles));
		if (((DropOwnedStmt *) statement)->behavior == DROP_CASCADE)
			steward_json_flag(&json, "cascade", true);
	}
	steward_ddl_end(&json);
	steward_ddl_owned(statement);
}

/* ---- databases and tablespaces ---- */

static void
drop_database(Node *statement)
{
	DropdbStmt *drop = (DropdbStmt *) statement;
	StewardJson json;

	if (!OidIsValid(get_database_oid(drop->dbname, true)))
		return;
	begin(&json, statement, "database", drop->dbname);
	options(&json, drop->options);
	steward_ddl_end(&json);
}

static void
drop_tablespace(Node *statement)
{
	char	   *name = ((DropTableSpaceStmt *) statement)->tablespacename;
	StewardJson json;

	if (!OidIsValid(get_tablespace_oid(name, true)))
		return;
	begin(&json, statement, "tablespace", name);
	steward_ddl_end(&json);
}

static void
storage_command(Node *statement)
{
	StewardJson json;

	switch (nodeTag(statement))
	{
		case T_CreatedbStmt:
			begin(&json, statement, "database", ((CreatedbStmt *) statement)->dbname);
			options(&json, ((CreatedbStmt *) statement)->options);
			break;
		case T_AlterDatabaseStmt:
			begin(&json, statement, "database",
				  ((AlterDatabaseStmt *) statement)->dbname);
			options(&json, ((AlterDatabaseStmt *) statement)->options);
			break;
		case T_AlterDatabaseRefreshCollStmt:
			begin(&json, statement, "database",
				  ((AlterDatabaseRefreshCollStmt *) statement)->dbname);
			steward_json_flag(&json, "refresh_collation_version", true);
			break;
		case T_AlterDatabaseSetStmt:
			begin(&json, statement, "database",
				  ((AlterDatabaseSetStmt *) statement)->dbname);
			steward_ddl_setting(&json, ((AlterDatabaseSetStmt *) statement)->setstmt);
			break;
		case T_CreateTableSpaceStmt:
			begin(&json, statement, "tablespace",
				  ((CreateTableSpaceStmt *) statement)->tablespacename);
			steward_json_text(&json, "location",
							  ((CreateTableSpaceStmt *) statement)->location);
			steward_json_text(&json, "owner",
							  steward_ddl_role(((CreateTableSpaceStmt *) statement)->owner));
			options(&json, ((CreateTableSpaceStmt *) statement)->options);
			break;
		default:				/* ALTER TABLESPACE SET and RESET */
			begin(&json, statement, "tablespace",
				  ((AlterTableSpaceOptionsStmt *) statement)->tablespacename);
			if (((AlterTableSpaceOptionsStmt *) statement)->isReset)
				steward_json_flag(&json, "reset", true);
			options(&json, ((AlterTableSpaceOptionsStmt *) statement)->options);
			break;
	}
	steward_ddl_end(&json);
}

/* ---- settings and libraries ---- */

static void
server_command(Node *statement)
{
	StewardJson json;

	begin(&json, statement, "setting", NULL);
	if (IsA(statement, AlterSystemStmt))
		steward_ddl_setting(&json, ((AlterSystemStmt *) statement)->setstmt);
	else if (IsA(statement, DiscardStmt))
		steward_json_flag(&json, "reset_all", true);
	else
		steward_ddl_setting(&json, (VariableSetStmt *) statement);
	steward_ddl_end(&json);
}

static void
load_command(Node *statement)
{
	StewardJson json;

	begin(&json, statement, "library", NULL);
	steward_json_text(&json, "file", ((LoadStmt *) statement)->filename);
	steward_ddl_end(&json);
}

/* ---- event triggers, and what is done to shared objects of any kind ---- */

static void
event_trigger(Node *statement)
{
	StewardJson json;

	if (IsA(statement, CreateEventTrigStmt))
	{
		CreateEventTrigStmt *create = (CreateEventTrigStmt *) statement;

		begin(&json, statement, "event trigger", create->trigname);
		steward_json_text(&json, "on", create->eventname);
		steward_json_text(&json, "function",
						  steward_ddl_function(create->funcname));
	}
	else
	{
		AlterEventTrigStmt *alter = (AlterEventTrigStmt *) statement;

		begin(&json, statement, "event trigger", alter->trigname);
		steward_json_text(&json, "enabled",
						  alter->tgenabled == 'D' ? "disabled" :
						  alter->tgenabled == 'A' ? "always" :
						  alter->tgenabled == 'R' ? "replica" : "origin");
	}
	steward_ddl_end(&json);
}

static void
drop_event_triggers(Node *statement)
{
	DropStmt   *drop = (DropStmt *) statement;
	ListCell   *cell;

	foreach(cell, drop->objects)
	{
		char	   *name = strVal(lfirst(cell));
		StewardJson json;

		if (!OidIsValid(get_event_trigger_oid(name, true)))
			continue;
		begin(&json, statement, "event trigger", name);
		if (drop->behavior == DROP_CASCADE)
			steward_json_flag(&json, "cascade", true);
		steward_ddl_end(&json);
	}
}

static const char *
type_name(ObjectType type)
{
	switch (type)
	{
		case OBJECT_DATABASE:
			return "database";
		case OBJECT_TABLESPACE:
			return "tablespace";
		case OBJECT_ROLE:
			return "role";
		case OBJECT_PARAMETER_ACL:
			return "setting";
		default:
			return "event trigger";
	}
}

static const char *
string_or_null(Node *object)
{
	return object != NULL && IsA(object, String) ? strVal(object) : NULL;
}

static const char *
only_name(const List *objects)
{
	return list_length(objects) == 1 ? string_or_null(linitial(objects)) : NULL;
}

/* Commands that name the kind of their object; only the shared ones are ours. */
static void
any_object(Node *statement)
{
	StewardJson json;

	switch (nodeTag(statement))
	{
		case T_GrantStmt:
			begin(&json, statement, type_name(((GrantStmt *) statement)->objtype),
				  only_name(((GrantStmt *) statement)->objects));
			steward_ddl_grant_statement(&json, (GrantStmt *) statement);
			break;
		case T_RenameStmt:
			begin(&json, statement, type_name(((RenameStmt *) statement)->renameType),
				  ((RenameStmt *) statement)->newname);
			steward_json_text(&json, "old_name", ((RenameStmt *) statement)->subname);
			if (((RenameStmt *) statement)->subname == NULL)
				steward_json_text(&json, "old_name",
								  string_or_null(((RenameStmt *) statement)->object));
			steward_json_text(&json, "new_name", ((RenameStmt *) statement)->newname);
			break;
		case T_AlterOwnerStmt:
			begin(&json, statement, type_name(((AlterOwnerStmt *) statement)->objectType),
				  string_or_null(((AlterOwnerStmt *) statement)->object));
			steward_json_text(&json, "owner",
							  steward_ddl_role(((AlterOwnerStmt *) statement)->newowner));
			break;
		case T_CommentStmt:
			begin(&json, statement, type_name(((CommentStmt *) statement)->objtype),
				  string_or_null(((CommentStmt *) statement)->object));
			steward_json_flag(&json, "removed",
							  ((CommentStmt *) statement)->comment == NULL);
			break;
		default:				/* SECURITY LABEL */
			begin(&json, statement, type_name(((SecLabelStmt *) statement)->objtype),
				  string_or_null(((SecLabelStmt *) statement)->object));
			steward_json_text(&json, "provider", ((SecLabelStmt *) statement)->provider);
			steward_json_flag(&json, "removed",
							  ((SecLabelStmt *) statement)->label == NULL);
			break;
	}
	steward_ddl_end(&json);
}

/*
 * Our event triggers run after the command that takes their function away, so it is
 * told of before.
 */
static char *
replaced_function(const CreateFunctionStmt *create)
{
	static const char *const functions[] = {
		"audit_ddl_command", "audit_ddl_drop", "audit_ddl_rewrite",
		"audit_segment_guard"
	};
	char	   *schema;
	char	   *name;

	DeconstructQualifiedName(create->funcname, &schema, &name);
	for (size_t i = 0; create->replace && i < lengthof(functions); i++)
		if (strcmp(name, functions[i]) == 0 &&
			QualifiedNameGetCreationNamespace(create->funcname, &name) ==
			get_namespace_oid(STEWARD_SCHEMA, true))
			return psprintf(STEWARD_SCHEMA ".%s()", name);
	return NULL;
}

static void
replace_function(Node *statement)
{
	StewardDdlObject object = {"function", STEWARD_SCHEMA};
	StewardJson json;

	object.identity = replaced_function((CreateFunctionStmt *) statement);
	object.in_extension = creating_extension;
	steward_ddl_begin(&json, "shared", CreateCommandName(statement), &object);
	steward_json_flag(&json, "replace", true);
	steward_ddl_end(&json);
}

/* ---- which statement goes where ---- */

typedef void (*Recorder) (Node *statement);

/* Of commands on objects of any kind, those that fire no event trigger. */
static Recorder
recorder_by_object(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropStmt:
			return ((DropStmt *) statement)->removeType == OBJECT_EVENT_TRIGGER ?
				drop_event_triggers : NULL;
		case T_GrantStmt:
			return EventTriggerSupportsObjectType(((GrantStmt *) statement)->objtype) ?
				NULL : any_object;
		case T_RenameStmt:
			return EventTriggerSupportsObjectType(((RenameStmt *) statement)->renameType) ?
				NULL : any_object;
		case T_AlterOwnerStmt:
			return EventTriggerSupportsObjectType(((AlterOwnerStmt *) statement)->objectType) ?
				NULL : any_object;
		case T_CommentStmt:
			return EventTriggerSupportsObjectType(((CommentStmt *) statement)->objtype) ?
				NULL : any_object;
		case T_SecLabelStmt:
			return EventTriggerSupportsObjectType(((SecLabelStmt *) statement)->objtype) ?
				NULL : any_object;
		default:
			return NULL;
	}
}

static Recorder
recorder_of(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateRoleStmt:
		case T_GrantRoleStmt:
			return role_command;
		case T_ReassignOwnedStmt:
		case T_DropOwnedStmt:
			return owned_command;
		case T_AlterRoleStmt:
			return alter_role;
		case T_AlterRoleSetStmt:
			return alter_role_setting;
		case T_DropRoleStmt:
			return drop_roles;
		case T_CreatedbStmt:
		case T_AlterDatabaseStmt:
		case T_AlterDatabaseRefreshCollStmt:
		case T_AlterDatabaseSetStmt:
		case T_CreateTableSpaceStmt:
		case T_AlterTableSpaceOptionsStmt:
			return storage_command;
		case T_DropdbStmt:
			return drop_database;
		case T_DropTableSpaceStmt:
			return drop_tablespace;
		case T_AlterSystemStmt:
			return server_command;
		case T_VariableSetStmt:
		case T_DiscardStmt:
			return steward_ddl_is_watched(statement) ? server_command : NULL;
		case T_LoadStmt:
			return load_command;
		case T_CreateEventTrigStmt:
		case T_AlterEventTrigStmt:
			return event_trigger;
		case T_CreateFunctionStmt:
			return replaced_function((CreateFunctionStmt *) statement) != NULL ?
				replace_function : NULL;
		default:
			return recorder_by_object(statement);
	}
}

void
steward_ddl_shared(Node *statement)
{
	Recorder	recorder = recorder_of(statement);

	steward_ddl_untriggered(statement);
	if (recorder == NULL || !steward_ddl_log_open())
		return;
	if (steward_audit_ddl || steward_ddl_is_watched(statement))
		recorder(statement);
	else
		steward_ddl_unrecorded();
}
