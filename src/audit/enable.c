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
#include "audit/schema_row.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
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

/*
 * The trigger's name sorts before other names: triggers of one event fire by
 * name, and a record must precede those of changes that other triggers make.
 */
static const struct AuditTrigger
{
	const char *name;
	const char *function;
	const char *event;
}			triggers[] = {
	{"00_steward_audit_row", "audit_row", "INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW"},
	{"00_steward_audit_truncate", "audit_truncate", "TRUNCATE ON %s FOR EACH STATEMENT"},
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
open_table(FunctionCallInfo fcinfo)
{
	Oid			relid;
	Relation	rel;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"relation\" must not be null"),
				 errhint("Give the name of a table.")));
	relid = PG_GETARG_OID(0);
	/* Before the lock too, so that it is no means to block others. */
	if (get_rel_name(relid) != NULL && !STEWARD_OWNS_RELATION(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
	rel = try_relation_open(relid, ShareRowExclusiveLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Give the name of a table.")));
	if (!STEWARD_OWNS_RELATION(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
	return rel;
}

static Oid
function_oid(const struct AuditTrigger *wanted)
{
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup(wanted->function)));

	return LookupFuncName(name, 0, NULL, false);
}

/* The trigger of the table that calls a function, or NULL. */
static const Trigger *
find_trigger(Relation rel, Oid function)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		if (rel->trigdesc->triggers[i].tgfoid == function)
			return &rel->trigdesc->triggers[i];
	return NULL;
}

/* Appends the commands that a trigger still needs. */
static void
plan_trigger(Relation rel, const char *table, const struct AuditTrigger *wanted,
			 StringInfo commands)
{
	const Trigger *present = find_trigger(rel, function_oid(wanted));
	const char *name = quote_identifier(present ? present->tgname : wanted->name);

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
	run_as_owner(commands);
	rel = relation_open(relid, NoLock);
	steward_capture_event(rel, op);
	relation_close(rel, NoLock);
}

STEWARD_FUNCTION(steward_enable_audit)
{
	Relation	rel = open_table(fcinfo);
	StewardAuditSchema *schema;
	StringInfoData commands;

	check_auditable(rel);
	schema = steward_schema_describe(rel, false);	/* refuses unknown types */
	MemoryContextDelete(schema->context);

	initStringInfo(&commands);
	for (int i = 0; i < lengthof(triggers); i++)
		plan_trigger(rel, qualified_name(rel), &triggers[i], &commands);
	if (commands.len == 0)
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
	Relation	rel = open_table(fcinfo);
	StringInfoData commands;

	initStringInfo(&commands);
	for (int i = 0; i < lengthof(triggers); i++)
	{
		const Trigger *present = find_trigger(rel, function_oid(&triggers[i]));

		if (present != NULL)
			appendStringInfo(&commands, "DROP TRIGGER %s ON %s; ",
							 quote_identifier(present->tgname),
							 qualified_name(rel));
	}
	if (commands.len == 0)
	{
		ereport(NOTICE,
				(errmsg("table \"%s\" is not audited",
						RelationGetRelationName(rel))));
		relation_close(rel, NoLock);
		PG_RETURN_VOID();
	}
	run_and_record(rel, commands.data, STEWARD_OP_DISABLE);
	PG_RETURN_VOID();
}
