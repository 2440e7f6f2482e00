/*
 * ddl.c: the audit of commands that change definitions and rights.
 *
 * What event triggers see is recorded by three of them, after the command did
 * its work and before its transaction can commit; what they do not see is
 * recorded when the command begins (ddl_shared.c), and a failure takes the record
 * with it. A command that fails leaves no record.
 *
 * The event triggers run as whoever runs the command. They call nothing by an
 * unqualified name and list the objects as the extension's owner under a safe
 * search_path; what they add to the log needs no privilege.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "access/xlog.h"
#include "audit/capture.h"
#include "audit/codec.h"
#include "audit/ddl.h"
#include "audit/enable.h"
#include "audit/event.h"
#include "audit/incarnation.h"
#include "audit/trigger.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/guc.h"
#include "base/hooks.h"
#include "catalog/pg_class.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static bool
may_write(void)
{
	return !RecoveryInProgress() && steward_audit_started();
}

/*
 * A restore fills the log and its sequences in any order, and several sessions at
 * once; records of its own commands would get in its way.
 */
bool
steward_ddl_log_open(void)
{
	return may_write() && steward_incarnation_is_native();
}

void
steward_ddl_begin(StewardJson *json, const char *event, const char *command,
				  const StewardDdlObject *object)
{
	steward_json_begin(json);
	steward_json_text(json, "event", event);
	steward_json_text(json, "command", command);
	steward_json_text(json, "object_type", object->type);
	steward_json_text(json, "schema", object->schema);
	steward_json_text(json, "identity", object->identity);
	if (OidIsValid(object->class_id))
		steward_json_text(json, "class", get_rel_name(object->class_id));
	if (object->in_extension)
		steward_json_flag(json, "in_extension", true);
	steward_json_open(json, "details");
}

void
steward_ddl_end(StewardJson *json)
{
	steward_json_close(json);
	steward_audit_event(STEWARD_OP_COMMAND, steward_json_end(json));
}

/* ---- the extension's own events ---- */

static void
take_event(Jsonb *details)
{
	steward_audit_event(STEWARD_OP_OWN, details);
}

void
steward_ddl_init(void)
{
	static const StewardEventSink sink = {steward_ddl_log_open, take_event};

	steward_event_set_sink(&sink);
	steward_hooks_on_utility(steward_ddl_shared);
	steward_ddl_partition_init();
	steward_ddl_catalog_init();
}

/* ---- what PostgreSQL says of a command ---- */

/* A row of one of the functions for event triggers. */
typedef struct Listed
{
	StewardDdlObject object;
	char	   *command;		/* ddl_commands: its tag */
	CollectedCommand *collected;	/* ddl_commands */
	bool		whole;			/* dropped_objects: by itself, not as a part */
} Listed;

/* The first columns are the same in both lists. */
enum
{
	LIST_TYPE,
	LIST_SCHEMA,
	LIST_IDENTITY,
	LIST_CLASS,
	LIST_FLAG,
	LIST_COMMAND,
	LIST_COLLECTED,
	LIST_NATTS
};

static char *
list_text(HeapTuple tuple, TupleDesc desc, int column, MemoryContext context)
{
	char	   *text = SPI_getvalue(tuple, desc, column + 1);

	return text == NULL ? NULL : MemoryContextStrdup(context, text);
}

static Listed *
list_entry(HeapTuple tuple, TupleDesc desc, bool dropped, MemoryContext context)
{
	Listed	   *entry = MemoryContextAllocZero(context, sizeof(Listed));
	bool		isnull;
	bool		flag;

	entry->object.type = list_text(tuple, desc, LIST_TYPE, context);
	entry->object.schema = list_text(tuple, desc, LIST_SCHEMA, context);
	entry->object.identity = list_text(tuple, desc, LIST_IDENTITY, context);
	entry->object.class_id = DatumGetObjectId(SPI_getbinval(tuple, desc,
															LIST_CLASS + 1,
															&isnull));
	flag = DatumGetBool(SPI_getbinval(tuple, desc, LIST_FLAG + 1, &isnull));
	if (dropped)
		entry->whole = flag;
	else
	{
		entry->object.in_extension = flag;
		entry->command = list_text(tuple, desc, LIST_COMMAND, context);
		entry->collected = (CollectedCommand *)
			DatumGetPointer(SPI_getbinval(tuple, desc, LIST_COLLECTED + 1,
										  &isnull));
	}
	return entry;
}

/*
 * Runs a query as the extension's owner: what the user can reach, by whatever
 * search_path, and may execute makes no difference.
 */
static List *
list_objects(const char *query, bool dropped)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext inner;
	StewardIdentity saved;
	List	   *entries = NIL;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the objects of the command");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Listed	   *entry = list_entry(SPI_tuptable->vals[i],
									   SPI_tuptable->tupdesc, dropped, caller);

		inner = MemoryContextSwitchTo(caller);
		entries = lappend(entries, entry);
		MemoryContextSwitchTo(inner);
	}
	SPI_finish();
	steward_become_caller(&saved);
	return entries;
}

static EventTriggerData *
event_data(FunctionCallInfo fcinfo, const char *event)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo) || strcmp(data->event, event) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by the event trigger on %s that pg_steward makes",
						event)));
	return data;
}

/* ---- ddl_command_end ---- */

/* Whether an identity is of something in our schema, or on something there. */
static bool
is_of_ours(const StewardDdlObject *object)
{
	const char *schema = STEWARD_SCHEMA ".";

	if (object->schema != NULL)
		return strcmp(object->schema, STEWARD_SCHEMA) == 0;
	return object->identity != NULL &&
		(strncmp(object->identity, schema, strlen(schema)) == 0 ||
		 strstr(object->identity, " on " STEWARD_SCHEMA ".") != NULL);
}

/*
 * What is not recorded of what is done in our schema: what our own functions do,
 * or a new segment, which is recorded elsewhere, would begin with records of
 * itself; and indexes. A restore builds those of a segment in parallel, each under
 * a lock that keeps the other's record out, and would find itself in a deadlock.
 */
static bool
is_own_affair(const StewardDdlObject *object)
{
	return is_of_ours(object) &&
		(strcmp(object->type, "index") == 0 ||
		 (InSecurityRestrictedOperation() &&
		  GetUserId() == steward_extension_owner()));
}

static bool
is_temporary(const StewardDdlObject *object)
{
	return object->schema != NULL && strcmp(object->schema, "pg_temp") == 0;
}

static void
record_command(Listed *entry)
{
	const CollectedCommand *collected = entry->collected;
	StewardJson json;

	if (collected->type == SCT_Grant)
		entry->object.identity = steward_ddl_grant_object(collected->d.grant.istmt);
	if (collected->type == SCT_Grant || collected->type == SCT_AlterDefaultPrivileges)
		entry->object.type = asc_tolower(entry->object.type,
										 strlen(entry->object.type));
	if (is_temporary(&entry->object) || is_own_affair(&entry->object))
		return;
	if (!steward_audit_ddl)
	{
		steward_ddl_unrecorded();
		return;
	}
	steward_ddl_begin(&json, "command", entry->command, &entry->object);
	steward_ddl_detail(&json, collected);
	steward_ddl_end(&json);
}

/* The table that a subcommand made a partition, or one no more. */
static Oid
moved_partition(Oid relid, const CollectedATSubcmd *collected)
{
	const AlterTableCmd *command = (const AlterTableCmd *) collected->parsetree;

	if (!IsA(command, AlterTableCmd) ||
		(command->subtype != AT_AttachPartition &&
		 command->subtype != AT_DetachPartition &&
		 command->subtype != AT_DetachPartitionFinalize))
		return InvalidOid;
	return steward_ddl_partition(relid, castNode(PartitionCmd, command->def)->name);
}

static void
follow_moved(Oid relid, const List *subcommands)
{
	ListCell   *cell;

	foreach(cell, subcommands)
	{
		Oid			partition = moved_partition(relid, lfirst(cell));

		if (OidIsValid(partition))
			steward_audit_follow_partition(partition);
	}
}

/* The audit follows partitions, whether or not commands are recorded. */
static void
follow_partitions(const CollectedCommand *collected)
{
	if (collected->type == SCT_Simple && IsA(collected->parsetree, CreateStmt))
	{
		Oid			made = collected->d.simple.address.objectId;

		if (((const CreateStmt *) collected->parsetree)->partbound != NULL)
			steward_audit_follow_partition(made);
		steward_ddl_partition_forget(made);
	}
	else if (collected->type == SCT_AlterTable)
	{
		follow_moved(collected->d.alterTable.objectId, collected->d.alterTable.subcmds);
		steward_ddl_partition_forget(collected->d.alterTable.objectId);
	}
}

/* A dump may have one too many; it must not fail for that when it is restored. */
static void
check_trigger(Oid trigger, bool open)
{
	steward_trigger_check_new(trigger);
	if (open)
		steward_trigger_check_single(trigger);
}

STEWARD_FUNCTION(steward_audit_ddl_command)
{
	EventTriggerData *data = event_data(fcinfo, "ddl_command_end");
	bool		writable = may_write();
	bool		open = writable && steward_ddl_log_open();
	List	   *entries;
	ListCell   *cell;

	if (!writable && data->tag != CMDTAG_CREATE_TRIGGER &&
		data->tag != CMDTAG_CREATE_SCHEMA)
		PG_RETURN_NULL();
	entries = list_objects("SELECT c.object_type, c.schema_name, c.object_identity, c.classid,"
						   " c.in_extension, c.command_tag, c.command"
						   " FROM pg_catalog.pg_event_trigger_ddl_commands() AS c",
						   false);
	foreach(cell, entries)
	{
		const CollectedCommand *collected = ((Listed *) lfirst(cell))->collected;

		if (collected->type == SCT_Simple &&
			IsA(collected->parsetree, CreateTrigStmt))
			check_trigger(collected->d.simple.address.objectId, open);
		if (open)
			record_command(lfirst(cell));
		if (writable)
			follow_partitions(collected);
	}
	PG_RETURN_NULL();
}

/* ---- sql_drop ---- */

/*
 * Parts that can only be gone because something recorded is: row types, TOAST
 * tables, defaults, rules of views, triggers of foreign keys.
 */
static bool
is_mere_part(const Listed *entry)
{
	const char *type = entry->object.type;

	if (strcmp(type, "default value") == 0 ||
		(strcmp(type, "rule") == 0 &&
		 strncmp(entry->object.identity, "\"_RETURN\" on ", 13) == 0))
		return true;
	if (entry->whole)
		return false;
	return strcmp(type, "type") == 0 ||
		(entry->object.schema != NULL &&
		 strcmp(entry->object.schema, "pg_toast") == 0) ||
		(strcmp(type, "trigger") == 0 &&
		 strncmp(entry->object.identity, "\"RI_ConstraintTrigger_", 22) == 0);
}

static void
record_drop(const Listed *entry, CommandTag tag)
{
	StewardJson json;

	if (!steward_audit_ddl)
	{
		steward_ddl_unrecorded();
		return;
	}
	steward_ddl_begin(&json, "drop", GetCommandTagName(tag), &entry->object);
	if (!entry->whole)
		steward_json_flag(&json, "as_part", true);
	steward_ddl_end(&json);
}

STEWARD_FUNCTION(steward_audit_ddl_drop)
{
	EventTriggerData *data = event_data(fcinfo, "sql_drop");
	List	   *entries;
	ListCell   *cell;

	if (!steward_ddl_log_open())
		PG_RETURN_NULL();
	entries = list_objects("SELECT d.object_type, d.schema_name, d.object_identity, d.classid,"
						   " d.original OR d.normal"
						   " FROM pg_catalog.pg_event_trigger_dropped_objects() AS d"
						   " WHERE NOT d.is_temporary", true);
	foreach(cell, entries)
	{
		Listed	   *entry = lfirst(cell);

		if (!is_mere_part(entry))
			record_drop(entry, data->tag);
	}
	PG_RETURN_NULL();
}

/* ---- table_rewrite ---- */

static List *
rewrite_reasons(int reason)
{
	List	   *reasons = NIL;

	if (reason & AT_REWRITE_ALTER_PERSISTENCE)
		reasons = lappend(reasons, "persistence");
	if (reason & AT_REWRITE_DEFAULT_VAL)
		reasons = lappend(reasons, "default value");
	if (reason & AT_REWRITE_COLUMN_REWRITE)
		reasons = lappend(reasons, "column type");
	if (reason & AT_REWRITE_ACCESS_METHOD)
		reasons = lappend(reasons, "access method");
	return reasons;
}

/* Whether it puts other values into rows that stay; see README. */
static bool
changes_values(int reason)
{
	return (reason & (AT_REWRITE_DEFAULT_VAL | AT_REWRITE_COLUMN_REWRITE)) != 0;
}

static int
call_integer(const char *query)
{
	StewardIdentity saved;
	bool		isnull;
	int			result;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not ask what is rewritten");
	result = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
										 SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	steward_become_caller(&saved);
	return result;
}

/*
 * The rows are about to be written anew and no row trigger will tell. The table
 * is locked by the command and has its new definition already.
 */
STEWARD_FUNCTION(steward_audit_ddl_rewrite)
{
	EventTriggerData *data = event_data(fcinfo, "table_rewrite");
	StewardDdlObject object = {"table"};
	StewardJson json;
	Relation	rel;
	int			reason;

	if (!steward_audit_started())
		PG_RETURN_NULL();
	reason = call_integer("SELECT pg_catalog.pg_event_trigger_table_rewrite_reason()");
	rel = relation_open((Oid) call_integer("SELECT pg_catalog.pg_event_trigger_table_rewrite_oid()::pg_catalog.int4"),
						NoLock);
	if (rel->rd_rel->relpersistence != RELPERSISTENCE_TEMP &&
		steward_audit_ddl && steward_ddl_log_open())
	{
		object.schema = get_namespace_name(RelationGetNamespace(rel));
		object.class_id = RelationRelationId;
		object.identity = steward_ddl_identity(RelationRelationId,
											   RelationGetRelid(rel), 0);
		steward_ddl_begin(&json, "rewrite", GetCommandTagName(data->tag), &object);
		steward_json_texts(&json, "reasons", rewrite_reasons(reason));
		steward_ddl_end(&json);
	}
	if (changes_values(reason) && steward_trigger_on_rows(rel))
		steward_capture_event(rel, STEWARD_OP_REWRITE);
	relation_close(rel, NoLock);
	PG_RETURN_NULL();
}
