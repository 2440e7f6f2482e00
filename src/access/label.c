/*
 * label.c: auditing the reads of columns by their classification; see label.h.
 *
 * The labels are PostgreSQL's (SECURITY LABEL FOR pg_steward), which belong to the
 * owners of relations. So whoever changes what is audited by a label must be allowed
 * to do that by name too. Nothing is invalidated where a label changes: the rules
 * are, as a whole.
 */
#include "base/compat.h"

#include "access/access.h"
#include "access/htup_details.h"
#include "access/label.h"
#include "access/relation.h"
#include "access/rule_table.h"
#include "access/table.h"
#include "access/xact.h"
#include "audit/event.h"
#include "audit/segment.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/json.h"
#include "base/label.h"
#include "catalog/indexing.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Columns of the table, counted from 0. */
enum
{
	LABEL_LABEL,
	LABEL_CREATED_BY,
	LABEL_CREATED_AT,
	LABEL_NATTS
};

static StewardRelationRef label_table = {"access_label"};
static StewardRelationRef label_key = {"access_label_pkey"};

/* The row of a label, copied, or NULL. */
static HeapTuple
find_row(Relation table, const char *label)
{
	return steward_row_by_text(table, &label_key, LABEL_LABEL + 1, label);
}

static bool
is_audited(const char *label)
{
	Relation	table;
	bool		found;

	if (label == NULL || !OidIsValid(steward_relation_lookup(&label_table)))
		return false;
	table = steward_relation_open(&label_table, AccessShareLock);
	found = find_row(table, label) != NULL;
	relation_close(table, AccessShareLock);
	return found;
}

/* Every session reads the rules again, once this has committed. */
static void
rules_change(void)
{
	Oid			rules = steward_access_table();

	if (OidIsValid(rules))
		CacheInvalidateRelcacheByRelid(rules);
}

List *
steward_access_label_rows(void)
{
	List	   *rows = NIL;
	StewardAccessRow *row = NULL;
	List	   *labels;
	ListCell   *cell;

	if (!OidIsValid(steward_relation_lookup(&label_table)))
		return NIL;
	labels = steward_labels();
	foreach(cell, labels)
	{
		const StewardLabel *label = lfirst(cell);

		if (!is_audited(label->label) || get_rel_name(label->relid) == NULL)
			continue;
		if (row == NULL || row->relid != label->relid)
		{
			row = palloc0(sizeof *row);
			row->relid = label->relid;
			rows = lappend(rows, row);
		}
		row->columns = lappend_int(row->columns, label->number);
	}
	return rows;
}

/* ---- who may ---- */

static void
require_function(char *name, int arguments, Oid *types)
{
	Oid			function = LookupFuncName(list_make2(makeString(STEWARD_SCHEMA), makeString(name)),
										  arguments, types, false);

	if (!STEWARD_MAY_EXECUTE(function, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change what is audited"),
				 errdetail("Reads of columns with this label are audited."),
				 errhint("Somebody must grant EXECUTE on steward.%s to \"%s\".",
						 name, GetUserNameFromId(GetUserId(), false))));
}

static void
on_label(Oid relid, const char *before, const char *after)
{
	Oid			types[] = {REGCLASSOID, NAMEARRAYOID};
	bool		was = is_audited(before);
	bool		is = is_audited(after);

	if (was == is)
		return;
	if (was)
		require_function("stop_audit_access", 1, types);
	else
		require_function("audit_access", 2, types);
	rules_change();
}

/* ---- functions ---- */

static char *
label_argument(FunctionCallInfo fcinfo, const char *call)
{
	char	   *label = steward_name_argument(fcinfo, call, "label");

	steward_label_check(label);
	return label;
}

static void
record(const char *event, const char *label)
{
	StewardJson json;

	steward_json_begin(&json);
	steward_json_text(&json, "event", event);
	steward_json_text(&json, "label", label);
	steward_audit_event(STEWARD_OP_OWN, steward_json_end(&json));
}

static void
insert_row(Relation table, const char *label)
{
	Datum		values[LABEL_NATTS];
	bool		nulls[LABEL_NATTS] = {false};
	NameData	creator;

	namestrcpy(&creator, GetUserNameFromId(GetUserId(), false));
	values[LABEL_LABEL] = CStringGetTextDatum(label);
	values[LABEL_CREATED_BY] = NameGetDatum(&creator);
	values[LABEL_CREATED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	CatalogTupleInsert(table, heap_form_tuple(RelationGetDescr(table), values, nulls));
}

STEWARD_FUNCTION(steward_audit_access_label)
{
	char	   *label = label_argument(fcinfo, "steward.audit_access_label()");
	Relation	table;

	steward_access_require_preload();
	table = steward_relation_open(&label_table, ShareRowExclusiveLock);
	if (find_row(table, label) != NULL)
		ereport(NOTICE,
				(errmsg("reads of columns labelled \"%s\" are already audited", label)));
	else
	{
		insert_row(table, label);
		rules_change();
		steward_segment_ensure();
		record("audit_access_label", label);
	}
	relation_close(table, NoLock);
	PG_RETURN_VOID();
}

STEWARD_FUNCTION(steward_stop_audit_access_label)
{
	char	   *label = label_argument(fcinfo, "steward.stop_audit_access_label()");
	Relation	table = steward_relation_open(&label_table, ShareRowExclusiveLock);
	HeapTuple	tuple = find_row(table, label);

	if (tuple == NULL)
		ereport(NOTICE,
				(errmsg("reads of columns labelled \"%s\" are not audited", label)));
	else
	{
		CatalogTupleDelete(table, &tuple->t_self);
		rules_change();
		if (steward_audit_started())
			record("stop_audit_access_label", label);
	}
	relation_close(table, NoLock);
	PG_RETURN_VOID();
}

void
steward_access_label_init(void)
{
	steward_on_label_change(on_label);
}
