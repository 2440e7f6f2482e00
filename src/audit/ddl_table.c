/*
 * ddl_table.c: the subcommands of ALTER TABLE and its like.
 *
 * Each says what it did and to which column, constraint, trigger or partition.
 * Defaults, checks and conversions are not told: they can hold values of rows.
 */
#include "audit/ddl.h"

#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static const struct Action
{
	int			subtype;		/* AlterTableType */
	const char *name;
}			actions[] = {
	{AT_AddColumn, "ADD COLUMN"},
	{AT_AddColumnToView, "ADD COLUMN"},
	{AT_ColumnDefault, "ALTER COLUMN DEFAULT"},
	{AT_DropNotNull, "DROP NOT NULL"},
	{AT_SetNotNull, "SET NOT NULL"},
	{STEWARD_AT_SET_EXPRESSION, "SET EXPRESSION"},
	{AT_DropExpression, "DROP EXPRESSION"},
	{AT_SetStatistics, "SET STATISTICS"},
	{AT_SetOptions, "SET COLUMN OPTIONS"},
	{AT_ResetOptions, "RESET COLUMN OPTIONS"},
	{AT_SetStorage, "SET STORAGE"},
	{AT_SetCompression, "SET COMPRESSION"},
	{AT_DropColumn, "DROP COLUMN"},
	{AT_AddIndex, "ADD INDEX"},
	{AT_AddConstraint, "ADD CONSTRAINT"},
	{AT_AddIndexConstraint, "ADD CONSTRAINT"},
	{AT_AlterConstraint, "ALTER CONSTRAINT"},
	{AT_ValidateConstraint, "VALIDATE CONSTRAINT"},
	{AT_DropConstraint, "DROP CONSTRAINT"},
	{AT_AlterColumnType, "ALTER COLUMN TYPE"},
	{AT_AlterColumnGenericOptions, "ALTER COLUMN OPTIONS"},
	{AT_ChangeOwner, "OWNER TO"},
	{AT_ClusterOn, "CLUSTER ON"},
	{AT_DropCluster, "SET WITHOUT CLUSTER"},
	{AT_SetLogged, "SET LOGGED"},
	{AT_SetUnLogged, "SET UNLOGGED"},
	{AT_SetAccessMethod, "SET ACCESS METHOD"},
	{AT_SetTableSpace, "SET TABLESPACE"},
	{AT_SetRelOptions, "SET STORAGE PARAMETERS"},
	{AT_ResetRelOptions, "RESET STORAGE PARAMETERS"},
	{AT_ReplaceRelOptions, "REPLACE STORAGE PARAMETERS"},
	{AT_EnableTrig, "ENABLE TRIGGER"},
	{AT_EnableAlwaysTrig, "ENABLE ALWAYS TRIGGER"},
	{AT_EnableReplicaTrig, "ENABLE REPLICA TRIGGER"},
	{AT_DisableTrig, "DISABLE TRIGGER"},
	{AT_EnableTrigAll, "ENABLE TRIGGER ALL"},
	{AT_DisableTrigAll, "DISABLE TRIGGER ALL"},
	{AT_EnableTrigUser, "ENABLE TRIGGER USER"},
	{AT_DisableTrigUser, "DISABLE TRIGGER USER"},
	{AT_EnableRule, "ENABLE RULE"},
	{AT_EnableAlwaysRule, "ENABLE ALWAYS RULE"},
	{AT_EnableReplicaRule, "ENABLE REPLICA RULE"},
	{AT_DisableRule, "DISABLE RULE"},
	{AT_AddInherit, "INHERIT"},
	{AT_DropInherit, "NO INHERIT"},
	{AT_AddOf, "OF"},
	{AT_DropOf, "NOT OF"},
	{AT_ReplicaIdentity, "REPLICA IDENTITY"},
	{AT_EnableRowSecurity, "ENABLE ROW LEVEL SECURITY"},
	{AT_DisableRowSecurity, "DISABLE ROW LEVEL SECURITY"},
	{AT_ForceRowSecurity, "FORCE ROW LEVEL SECURITY"},
	{AT_NoForceRowSecurity, "NO FORCE ROW LEVEL SECURITY"},
	{AT_GenericOptions, "OPTIONS"},
	{AT_AttachPartition, "ATTACH PARTITION"},
	{AT_DetachPartition, "DETACH PARTITION"},
	{AT_DetachPartitionFinalize, "DETACH PARTITION FINALIZE"},
	{AT_AddIdentity, "ADD IDENTITY"},
	{AT_SetIdentity, "SET IDENTITY"},
	{AT_DropIdentity, "DROP IDENTITY"},
};

static const char *
action_name(int subtype)
{
	for (size_t i = 0; i < lengthof(actions); i++)
		if (actions[i].subtype == subtype)
			return actions[i].name;
	return "OTHER";
}

/* What the subcommand names: its own name, or that of what it defines. */
static const char *
acts_on(const AlterTableCmd *command)
{
	if (command->name != NULL)
		return command->name;
	if (command->def == NULL)
		return NULL;
	if (IsA(command->def, ColumnDef))
		return ((ColumnDef *) command->def)->colname;
	if (IsA(command->def, Constraint))
		return ((Constraint *) command->def)->conname;
	if (IsA(command->def, ReplicaIdentityStmt))
		return ((ReplicaIdentityStmt *) command->def)->name;
	return NULL;
}

static void
column_type(StewardJson *json, Oid relid, const AlterTableCmd *command)
{
	AttrNumber	column;
	Oid			type;
	Oid			collation;
	int32		typmod;

	if (STEWARD_AT_SUBTYPE(command) != AT_AddColumn &&
		command->subtype != AT_AlterColumnType)
		return;
	column = get_attnum(relid, acts_on(command));
	if (column == InvalidAttrNumber)
		return;
	get_atttypetypmodcoll(relid, column, &type, &typmod, &collation);
	steward_json_text(json, "type",
					  format_type_extended(type, typmod,
										   FORMAT_TYPE_TYPEMOD_GIVEN |
										   FORMAT_TYPE_FORCE_QUALIFY));
	if (command->subtype == AT_AlterColumnType &&
		((ColumnDef *) command->def)->raw_default != NULL)
		steward_json_flag(json, "using", true);
}

/* Storage parameters; anybody reads them in pg_class. */
static void
parameters(StewardJson *json, const AlterTableCmd *command)
{
	ListCell   *cell;

	if (command->subtype != AT_SetRelOptions &&
		command->subtype != AT_ReplaceRelOptions &&
		command->subtype != AT_ResetRelOptions)
		return;
	steward_json_open(json, "parameters");
	foreach(cell, (List *) command->def)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		steward_json_text(json, option->defname, option->arg == NULL ? "" :
						  defGetString(option));
	}
	steward_json_close(json);
}

static void
subcommand(StewardJson *json, Oid relid, const CollectedATSubcmd *collected)
{
	const AlterTableCmd *command = (const AlterTableCmd *) collected->parsetree;
	const ObjectAddress *object = &collected->address;

	if (!IsA(command, AlterTableCmd))
		return;
	steward_json_open(json, NULL);
	steward_json_text(json, "action", action_name(STEWARD_AT_SUBTYPE(command)));
	steward_json_text(json, "name", acts_on(command));
	steward_json_text(json, "owner", steward_ddl_role(command->newowner));
	if (command->def != NULL && IsA(command->def, PartitionCmd))
		steward_json_text(json, "object",
						  steward_ddl_identity(RelationRelationId,
											   steward_ddl_partition(relid,
																	 ((PartitionCmd *) command->def)->name),
											   0));
	else if (OidIsValid(object->objectId) &&
			 (object->classId != RelationRelationId || object->objectId != relid))
		steward_json_text(json, "object",
						  steward_ddl_identity(object->classId, object->objectId,
											   object->objectSubId));
	column_type(json, relid, command);
	parameters(json, command);
	if (command->behavior == DROP_CASCADE)
		steward_json_flag(json, "cascade", true);
	steward_json_close(json);
}

void
steward_ddl_table(StewardJson *json, const CollectedCommand *command)
{
	ListCell   *cell;

	if (command->d.alterTable.subcmds == NIL)
		return;
	steward_json_open_list(json, "actions");
	foreach(cell, command->d.alterTable.subcmds)
		subcommand(json, command->d.alterTable.objectId, lfirst(cell));
	steward_json_close_list(json);
}
