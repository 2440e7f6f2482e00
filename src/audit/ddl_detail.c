/*
 * ddl_detail.c: what a collected command did, beyond the object's identity.
 */
#include "audit/ddl.h"

#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "nodes/value.h"
#include "utils/lsyscache.h"

/* The names of options, without their values. */
static void
option_names(StewardJson *json, const List *options)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, options)
		names = lappend(names, lfirst_node(DefElem, cell)->defname);
	steward_json_texts(json, "options", names);
}

/* What of a function decides with whose rights and settings it runs. */
static void
function(StewardJson *json, const List *options)
{
	ListCell   *cell;
	bool		has_set = false;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "language") == 0)
			steward_json_text(json, "language", defGetString(option));
		else if (strcmp(option->defname, "security") == 0)
			steward_json_flag(json, "security_definer", defGetBoolean(option));
		else if (strcmp(option->defname, "leakproof") == 0)
			steward_json_flag(json, "leakproof", defGetBoolean(option));
		else if (strcmp(option->defname, "as") == 0)
			steward_json_flag(json, "body", true);
		has_set |= strcmp(option->defname, "set") == 0;
	}
	if (!has_set)
		return;
	steward_json_open_list(json, "settings");
	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "set") != 0)
			continue;
		steward_json_open(json, NULL);
		steward_ddl_setting(json, (VariableSetStmt *) option->arg);
		steward_json_close(json);
	}
	steward_json_close_list(json);
}

static void
renamed(StewardJson *json, const RenameStmt *rename)
{
	if (rename->subname != NULL)
		steward_json_text(json, "old_name", rename->subname);
	else if (rename->relation != NULL)
		steward_json_text(json, "old_name", rename->relation->relname);
	else
		steward_json_text(json, "old_name", steward_ddl_name(rename->object));
	steward_json_text(json, "new_name", rename->newname);
}

static void
table(StewardJson *json, const CreateStmt *create)
{
	List	   *parents = NIL;
	ListCell   *cell;

	foreach(cell, create->inhRelations)
	{
		char	   *parent = steward_ddl_relation(lfirst_node(RangeVar, cell));

		if (parent != NULL)
			parents = lappend(parents, parent);
	}
	steward_json_texts(json, create->partbound != NULL ? "partition_of" :
					   "inherits", parents);
	if (create->relation->relpersistence == RELPERSISTENCE_UNLOGGED)
		steward_json_flag(json, "unlogged", true);
}

static void
policy(StewardJson *json, const CreatePolicyStmt *create)
{
	steward_json_text(json, "for", create->cmd_name);
	steward_json_flag(json, "permissive", create->permissive);
	steward_json_texts(json, "roles", steward_ddl_roles(create->roles));
}

static void
trigger(StewardJson *json, const CreateTrigStmt *create)
{
	steward_json_text(json, "function", steward_ddl_function(create->funcname));
	if (create->replace)
		steward_json_flag(json, "replace", true);
}

static void
extension(StewardJson *json, const List *options)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "new_version") == 0)
			steward_json_text(json, "version", defGetString(option));
	}
}

static void
names_of(StewardJson *json, const char *key, const List *strings)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, strings)
		names = lappend(names, strVal(lfirst(cell)));
	steward_json_texts(json, key, names);
}

static void
moved(StewardJson *json, const CollectedCommand *command,
	  const AlterObjectSchemaStmt *move)
{
	const ObjectAddress *old = &command->d.simple.secondaryObject;

	if (OidIsValid(old->objectId))
		steward_json_text(json, "old_schema", get_namespace_name(old->objectId));
	steward_json_text(json, "new_schema", move->newschema);
}

static void
member(StewardJson *json, const CollectedCommand *command,
	   const AlterExtensionContentsStmt *alter)
{
	const ObjectAddress *object = &command->d.simple.secondaryObject;

	steward_json_text(json, alter->action > 0 ? "added" : "removed",
					  steward_ddl_identity(object->classId, object->objectId,
										   object->objectSubId));
}

/* Records have the label of an enum's value: what it was called matters to readers. */
static void
enum_value(StewardJson *json, const AlterEnumStmt *statement)
{
	if (statement->oldVal == NULL)
	{
		steward_json_text(json, "value_added", statement->newVal);
		return;
	}
	steward_json_text(json, "value", statement->oldVal);
	steward_json_text(json, "value_renamed_to", statement->newVal);
}

/* Commands whose parse tree says more than the catalogs do afterwards. */
static void
simple(StewardJson *json, const CollectedCommand *command)
{
	const Node *tree = command->parsetree;

	switch (nodeTag(tree))
	{
		case T_CreateStmt:
			table(json, (const CreateStmt *) tree);
			break;
		case T_IndexStmt:
			steward_json_text(json, "table",
							  steward_ddl_identity(RelationRelationId,
												   IndexGetRelation(command->d.simple.address.objectId,
																	true), 0));
			steward_json_flag(json, "unique", ((const IndexStmt *) tree)->unique);
			break;
		case T_CreateFunctionStmt:
			steward_json_flag(json, "replace",
							  ((const CreateFunctionStmt *) tree)->replace);
			function(json, ((const CreateFunctionStmt *) tree)->options);
			break;
		case T_AlterFunctionStmt:
			function(json, ((const AlterFunctionStmt *) tree)->actions);
			break;
		case T_ViewStmt:
			steward_json_flag(json, "replace", ((const ViewStmt *) tree)->replace);
			break;
		case T_CreateTrigStmt:
			trigger(json, (const CreateTrigStmt *) tree);
			break;
		case T_CreatePolicyStmt:
			policy(json, (const CreatePolicyStmt *) tree);
			break;
		case T_AlterPolicyStmt:
			steward_json_texts(json, "roles",
							   steward_ddl_roles(((const AlterPolicyStmt *) tree)->roles));
			break;
		case T_RenameStmt:
			renamed(json, (const RenameStmt *) tree);
			break;
		case T_AlterEnumStmt:
			enum_value(json, (const AlterEnumStmt *) tree);
			break;
		case T_AlterOwnerStmt:
			steward_json_text(json, "owner",
							  steward_ddl_role(((const AlterOwnerStmt *) tree)->newowner));
			break;
		case T_AlterObjectSchemaStmt:
			moved(json, command, (const AlterObjectSchemaStmt *) tree);
			break;
		default:
			break;
	}
}

/* The same for what belongs to the outside: extensions, servers, replication. */
static void
outward(StewardJson *json, const CollectedCommand *command)
{
	const Node *tree = command->parsetree;

	switch (nodeTag(tree))
	{
		case T_CreateExtensionStmt:
			extension(json, ((const CreateExtensionStmt *) tree)->options);
			break;
		case T_AlterExtensionStmt:
			extension(json, ((const AlterExtensionStmt *) tree)->options);
			break;
		case T_AlterExtensionContentsStmt:
			member(json, command, (const AlterExtensionContentsStmt *) tree);
			break;
		case T_CreateForeignServerStmt:
			option_names(json, ((const CreateForeignServerStmt *) tree)->options);
			break;
		case T_AlterForeignServerStmt:
			option_names(json, ((const AlterForeignServerStmt *) tree)->options);
			break;
		case T_CreateUserMappingStmt:
			option_names(json, ((const CreateUserMappingStmt *) tree)->options);
			break;
		case T_AlterUserMappingStmt:
			option_names(json, ((const AlterUserMappingStmt *) tree)->options);
			break;
		case T_CreateSubscriptionStmt:
			names_of(json, "publications",
					 ((const CreateSubscriptionStmt *) tree)->publication);
			break;
		case T_SecLabelStmt:
			steward_json_text(json, "provider",
							  ((const SecLabelStmt *) tree)->provider);
			steward_json_flag(json, "removed",
							  ((const SecLabelStmt *) tree)->label == NULL);
			break;
		case T_CommentStmt:
			steward_json_flag(json, "removed",
							  ((const CommentStmt *) tree)->comment == NULL);
			break;
		default:
			break;
	}
}

void
steward_ddl_detail(StewardJson *json, const CollectedCommand *command)
{
	switch (command->type)
	{
		case SCT_Simple:
			simple(json, command);
			outward(json, command);
			break;
		case SCT_AlterTable:
			steward_ddl_table(json, command);
			break;
		case SCT_Grant:
			steward_ddl_grant(json, command->d.grant.istmt);
			break;
		case SCT_AlterDefaultPrivileges:
			steward_ddl_default_privileges(json,
										   (const AlterDefaultPrivilegesStmt *) command->parsetree);
			break;
		default:
			break;
	}
}
