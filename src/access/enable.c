/*
 * enable.c: steward.audit_access and steward.stop_audit_access.
 *
 * The caller must own the relation, or be a superuser, and have the right to
 * execute. What was decided is recorded in the audit log, which is begun here when
 * it has not been: reads are imported into it.
 */
#include "base/compat.h"

#include "access/access.h"
#include "access/relation.h"
#include "access/rule.h"
#include "access/rule_table.h"
#include "access/xact.h"
#include "audit/event.h"
#include "audit/segment.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

void
steward_access_require_preload(void)
{
	if (!steward_access_is_watching())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("access audit needs pg_steward to be preloaded"),
				 errhint("Add shared_preload_libraries = 'pg_steward' to postgresql.conf and restart the server.")));
}

static Relation
open_relation(FunctionCallInfo fcinfo, const char *call, LOCKMODE lock)
{
	PreventCommandIfReadOnly(call);
	steward_require_argument(fcinfo, 0, "relation");
	return steward_own_relation_open(PG_GETARG_OID(0), lock);
}

static void
check_kind(Relation rel)
{
	const char *what = NULL;

	if (IsSystemRelation(rel))
		what = "a system table";
	else if (RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, false))
		what = "a relation of pg_steward";
	else if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		what = "temporary";
	else if (rel->rd_rel->relkind != RELKIND_RELATION &&
			 rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE &&
			 rel->rd_rel->relkind != RELKIND_MATVIEW &&
			 rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE &&
			 rel->rd_rel->relkind != RELKIND_VIEW)
		what = "neither a table nor a view";
	if (what != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot audit reads of \"%s\": it is %s",
						RelationGetRelationName(rel), what),
				 errhint("Tables, partitioned tables, foreign tables, views and materialized views can be audited.")));
}

/* The numbers of named columns, each once, in the order of the relation. */
static List *
columns_of(Relation rel, ArrayType *names)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *columns = NIL;

	deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements,
					  &nulls, &count);
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no column is named"),
				 errhint("Leave out \"columns\" to audit all columns.")));
	for (int i = 0; i < count; i++)
	{
		AttrNumber	number;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("name of a column must not be null")));
		number = get_attnum(RelationGetRelid(rel), NameStr(*DatumGetName(elements[i])));
		if (number <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							NameStr(*DatumGetName(elements[i])),
							RelationGetRelationName(rel))));
		columns = list_append_unique_int(columns, number);
	}
	list_sort(columns, list_int_cmp);
	return columns;
}

/* Records that the audit of reads began, changed or ended. */
static void
record(Relation rel, const char *event, List *columns)
{
	StewardJson json;
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, columns)
		names = lappend(names, get_attname(RelationGetRelid(rel), lfirst_int(cell), false));
	steward_json_begin(&json);
	steward_json_text(&json, "event", event);
	steward_json_text(&json, "relation",
					  quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												 RelationGetRelationName(rel)));
	if (names != NIL)
		steward_json_texts(&json, "columns", names);
	steward_audit_event(STEWARD_OP_OWN, steward_json_end(&json));
}

STEWARD_FUNCTION(steward_audit_access)
{
	Relation	rel;
	List	   *columns = NIL;

	steward_access_require_preload();
	/* Whoever reads now ends first; whoever comes later hears of the rule. */
	rel = open_relation(fcinfo, "steward.audit_access()", AccessExclusiveLock);
	check_kind(rel);
	if (!PG_ARGISNULL(1))
		columns = columns_of(rel, PG_GETARG_ARRAYTYPE_P(1));
	if (steward_access_put(RelationGetRelid(rel), columns))
	{
		steward_segment_ensure();
		record(rel, "audit_access", columns);
	}
	else
		ereport(NOTICE,
				(errmsg("reads of \"%s\" are already audited",
						RelationGetRelationName(rel))));
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_stop_audit_access)
{
	Relation	rel = open_relation(fcinfo, "steward.stop_audit_access()",
									AccessShareLock);

	if (steward_access_remove(RelationGetRelid(rel)))
	{
		if (steward_audit_started())
			record(rel, "stop_audit_access", NIL);
	}
	else
		ereport(NOTICE,
				(errmsg("reads of \"%s\" are not audited by a rule of its own",
						RelationGetRelationName(rel))));
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}
