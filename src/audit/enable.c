/*
 * enable.c: steward.enable_audit and steward.disable_audit.
 *
 * The caller must own the table, or be a superuser. The triggers themselves are
 * made by the extension's owner, because their functions are nobody else's to
 * attach.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "audit/capture.h"
#include "audit/codec.h"
#include "audit/segment.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#define ROW_CHANGES \
	(TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE)

/*
 * The trigger's name sorts before other names: triggers of one event fire by
 * name, and a record must precede those of changes that other triggers make.
 */
static const struct AuditTrigger
{
	const char *name;
	const char *function;
	const char *event;
	int16		type;			/* pg_trigger.tgtype, AFTER being none */
}			triggers[] = {
	{"00_steward_audit_row", "audit_row", "INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW", ROW_CHANGES},
	{"00_steward_audit_truncate", "audit_truncate", "TRUNCATE ON %s FOR EACH STATEMENT", TRIGGER_TYPE_TRUNCATE},
};

static void
refuse(Relation rel, int sqlstate, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("cannot audit \"%s\": it is %s", RelationGetRelationName(rel),
					what),
			 errhint("%s", hint)));
}

static void
check_kind(Relation rel)
{
	const char *tables = "Only ordinary, permanent tables can be audited.";

	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
			break;
		case RELKIND_PARTITIONED_TABLE:
			refuse(rel, ERRCODE_FEATURE_NOT_SUPPORTED, "a partitioned table",
				   "Partitioned tables are not supported yet.");
			break;
		case RELKIND_VIEW:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a view",
				   "Audit the tables that the view reads.");
			break;
		case RELKIND_MATVIEW:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a materialized view",
				   "Audit the tables that the view reads.");
			break;
		case RELKIND_FOREIGN_TABLE:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a foreign table",
				   "Audit the table on the foreign server.");
			break;
		default:
			refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "not a table", tables);
	}
	if (rel->rd_rel->relispartition)
		refuse(rel, ERRCODE_FEATURE_NOT_SUPPORTED, "a partition",
			   "Partitioned tables are not supported yet.");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "a temporary table", tables);
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		refuse(rel, ERRCODE_WRONG_OBJECT_TYPE, "an unlogged table",
			   "A crash would empty it without a record; run ALTER TABLE ... SET LOGGED first.");
}

static void
check_auditable(Relation rel)
{
	if (IsSystemRelation(rel))
		refuse(rel, ERRCODE_INSUFFICIENT_PRIVILEGE, "a system table",
			   "Only ordinary, permanent tables can be audited.");
	if (RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, false))
		refuse(rel, ERRCODE_INSUFFICIENT_PRIVILEGE, "a table of pg_steward",
			   "Only ordinary, permanent tables can be audited.");
	check_kind(rel);
}

/* Opens the table under the lock that CREATE TRIGGER takes. */
static Relation
open_table(FunctionCallInfo fcinfo, const char *call)
{
	Oid			relid;

	PreventCommandIfReadOnly(call);
	steward_require_argument(fcinfo, 0, "relation");
	relid = PG_GETARG_OID(0);
	return steward_own_relation_open(relid, ShareRowExclusiveLock);
}

static Oid
function_oid(const struct AuditTrigger *wanted)
{
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup(wanted->function)));

	return LookupFuncName(name, 0, NULL, false);
}

/* Whether a trigger is as enable_audit makes it: all events, no condition. */
static bool
is_whole(const Trigger *trigger, const struct AuditTrigger *wanted)
{
	return trigger->tgtype == wanted->type && trigger->tgnattr == 0 &&
		trigger->tgqual == NULL && !trigger->tgdeferrable;
}

/* Appends the commands that drop triggers, all or those that are not whole. */
static void
plan_drops(Relation rel, const char *table, const struct AuditTrigger *wanted,
		   bool all, StringInfo commands)
{
	Oid			function = function_oid(wanted);

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && (all || !is_whole(trigger, wanted)))
			appendStringInfo(commands, "DROP TRIGGER %s ON %s; ",
							 quote_identifier(trigger->tgname), table);
	}
}

/* The trigger of the table that does what is wanted, or NULL. */
static const Trigger *
find_whole(Relation rel, const struct AuditTrigger *wanted)
{
	Oid			function = function_oid(wanted);

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && is_whole(trigger, wanted))
			return trigger;
	}
	return NULL;
}

/* Appends the commands that a trigger still needs. */
static void
plan_trigger(Relation rel, const char *table, const struct AuditTrigger *wanted,
			 StringInfo commands)
{
	const Trigger *present = find_whole(rel, wanted);
	const char *name = quote_identifier(present ? present->tgname : wanted->name);

	plan_drops(rel, table, wanted, false, commands);
	if (present == NULL)
	{
		appendStringInfo(commands, "CREATE TRIGGER %s AFTER ", name);
		appendStringInfo(commands, wanted->event, table);
		appendStringInfo(commands, " EXECUTE FUNCTION steward.%s(); ",
						 wanted->function);
	}
	if (present == NULL || present->tgenabled != TRIGGER_FIRES_ALWAYS)
		appendStringInfo(commands, "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s; ",
						 table, name);
}

static char *
qualified_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

static void
run_as_owner(const char *commands)
{
	StewardIdentity saved;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute(commands, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", commands);
	SPI_finish();
	steward_become_caller(&saved);
	CommandCounterIncrement();
}

/* Runs commands on the table, which DDL needs closed, and records the event. */
static void
run_and_record(Relation rel, const char *commands, char op)
{
	Oid			relid = RelationGetRelid(rel);

	relation_close(rel, NoLock);
	if (commands[0] != '\0')
		run_as_owner(commands);
	rel = relation_open(relid, NoLock);
	steward_capture_event(rel, op);
	relation_close(rel, NoLock);
}

/* A row trigger of a table does not fire for the rows of its children. */
static void
warn_of_children(Relation rel)
{
	if (find_inheritance_children(RelationGetRelid(rel), NoLock) == NIL)
		return;
	ereport(WARNING,
			(errmsg("rows in tables that inherit from \"%s\" are not recorded by its audit",
					RelationGetRelationName(rel)),
			 errhint("Call steward.enable_audit() for each of these tables too.")));
}

STEWARD_FUNCTION(steward_enable_audit)
{
	Relation	rel = open_table(fcinfo, "steward.enable_audit()");
	StringInfoData commands;

	check_auditable(rel);
	warn_of_children(rel);

	initStringInfo(&commands);
	for (int i = 0; i < lengthof(triggers); i++)
		plan_trigger(rel, qualified_name(rel), &triggers[i], &commands);
	/* A table that was restored alone has its triggers, but no log. */
	if (commands.len == 0 && steward_segment_exists())
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" is already audited",
						RelationGetRelationName(rel))));
		relation_close(rel, NoLock);
		PG_RETURN_VOID();
	}
	steward_segment_ensure();
	run_and_record(rel, commands.data, STEWARD_OP_ENABLE);
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_disable_audit)
{
	Relation	rel = open_table(fcinfo, "steward.disable_audit()");
	StringInfoData commands;

	initStringInfo(&commands);
	for (int i = 0; i < lengthof(triggers); i++)
		plan_drops(rel, qualified_name(rel), &triggers[i], true, &commands);
	if (commands.len == 0)
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" is not audited",
						RelationGetRelationName(rel))));
		relation_close(rel, NoLock);
		PG_RETURN_VOID();
	}
	if (steward_segment_exists())
		run_and_record(rel, commands.data, STEWARD_OP_DISABLE);
	else
	{
		/* Nothing was ever recorded here, so there is nothing to end. */
		relation_close(rel, NoLock);
		run_as_owner(commands.data);
	}
	PG_RETURN_VOID();
}
