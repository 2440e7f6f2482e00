/*
 * enable.c: steward.enable_audit and steward.disable_audit, and partitions.
 *
 * The caller must own the table, or be a superuser. The triggers themselves are
 * made by the extension's owner, because their functions are nobody else's to
 * attach. With a partitioned table its partitions are audited, down to the leaves,
 * also those that come later: the event trigger for commands calls us for them.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "audit/capture.h"
#include "audit/codec.h"
#include "audit/enable.h"
#include "audit/segment.h"
#include "audit/setting.h"
#include "audit/trigger.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

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
		case RELKIND_PARTITIONED_TABLE:
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

/* A foreign partition's rows may change where no trigger of ours sees it. */
static void
check_partition(Relation rel)
{
	if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
	{
		check_auditable(rel);
		return;
	}
	ereport(WARNING,
			(errmsg("changes of foreign table \"%s\" are recorded only when they are made here",
					RelationGetRelationName(rel)),
			 errhint("Audit the table on the foreign server too.")));
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

/* The table and, when it is partitioned, its partitions, all locked. */
static List *
tree_of(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	return rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE ?
		list_make1_oid(relid) :
		find_all_inheritors(relid, ShareRowExclusiveLock, NULL);
}

/*
 * Has a table no rows, whoever made them? Whoever changes it has ended, as it is
 * locked, save for the present transaction.
 */
static bool
table_is_empty(Relation rel)
{
	SnapshotData dirty;
	TableScanDesc scan;
	TupleTableSlot *slot;
	bool		found;

	InitDirtySnapshot(dirty);
	slot = table_slot_create(rel, NULL);
	scan = table_beginscan(rel, &dirty, 0, NULL);
	found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return !found;
}

/* Likewise with its partitions; a foreign one may have any. */
static bool
tree_is_empty(Relation rel)
{
	ListCell   *cell;
	bool		empty = true;

	foreach(cell, tree_of(rel))
	{
		Relation	member = relation_open(lfirst_oid(cell), NoLock);
		char		kind = member->rd_rel->relkind;

		empty = empty && kind != RELKIND_FOREIGN_TABLE &&
			(kind == RELKIND_PARTITIONED_TABLE || table_is_empty(member));
		relation_close(member, NoLock);
	}
	return empty;
}

/* Runs commands on the table, which DDL needs closed, and records the event. */
static void
run_and_record(Relation rel, const char *commands, char op)
{
	Oid			relid = RelationGetRelid(rel);

	relation_close(rel, NoLock);
	if (commands[0] != '\0')
		steward_trigger_run(commands);
	rel = relation_open(relid, NoLock);
	if (op == STEWARD_OP_ENABLE)
		steward_capture_enable(rel, tree_is_empty(rel));
	else
		steward_capture_event(rel, op);
	relation_close(rel, NoLock);
}

/*
 * Plans the triggers of a table and, first, of its partitions, which it locks:
 * triggers of their own would record each change twice. The leaves come before
 * what they are partitions of, as what is dropped there takes clones with it.
 */
static void
plan_tree(Relation rel, const StewardSetting *setting, bool anew,
		  StringInfo commands)
{
	List	   *tree = tree_of(rel);

	for (int i = list_length(tree) - 1; i > 0; i--)
	{
		Relation	partition = relation_open(list_nth_oid(tree, i), NoLock);

		check_partition(partition);
		steward_trigger_plan(partition, steward_setting_map(setting, rel, partition),
							 true, anew, commands);
		relation_close(partition, NoLock);
	}
	steward_trigger_plan(rel, setting, steward_trigger_is_covered(rel), anew, commands);
}

/* A row trigger of a table does not fire for the rows of its children. */
static void
warn_of_children(Relation rel)
{
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		find_inheritance_children(RelationGetRelid(rel), NoLock) == NIL)
		return;
	ereport(WARNING,
			(errmsg("rows in tables that inherit from \"%s\" are not recorded by its audit",
					RelationGetRelationName(rel)),
			 errhint("Call steward.enable_audit() for each of these tables too.")));
}

/* What a setting says, in a form that can be compared. */
static char *
show_setting(Relation rel, const StewardSetting *setting)
{
	StewardJson json;
	Jsonb	   *shown;

	steward_json_begin(&json);
	steward_setting_show(&json, "setting", rel, setting);
	shown = steward_json_end(&json);
	return JsonbToCString(NULL, &shown->root, VARSIZE(shown));
}

static void
tell_setting(Oid relid, const StewardSetting *before, const StewardSetting *after)
{
	StewardJson details;
	Relation	rel;

	if (!steward_event_begin(&details, "enable_audit"))
		return;
	rel = relation_open(relid, NoLock);
	steward_event_relation(&details, "relation", relid);
	steward_setting_show(&details, "before", rel, before);
	steward_setting_show(&details, "after", rel, after);
	relation_close(rel, NoLock);
	steward_event_end(&details);
}

/* Plans for the setting, which changed or not; the texts of a condition must be
 * made with the search path that they are read with. Returns whether it changed. */
static bool
plan_as_owner(Relation rel, const StewardSetting *before,
			  const StewardSetting *after, StringInfo commands)
{
	StewardIdentity saved;
	bool		changed;

	steward_become_owner(&saved);
	changed = strcmp(show_setting(rel, before), show_setting(rel, after)) != 0;
	plan_tree(rel, after, changed, commands);
	steward_become_caller(&saved);
	return changed;
}

STEWARD_FUNCTION(steward_enable_audit)
{
	Relation	rel = open_table(fcinfo, "steward.enable_audit()");
	Oid			relid = RelationGetRelid(rel);
	StewardSetting *before = steward_setting_read(rel);
	StewardSetting *after = steward_setting_read(rel);
	StringInfoData commands;
	bool		changed;

	check_auditable(rel);
	warn_of_children(rel);
	if (steward_setting_change(after, rel, fcinfo, 1) && steward_trigger_is_covered(rel))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot choose what is recorded of \"%s\": it is a partition of an audited table",
						RelationGetRelationName(rel)),
				 errhint("Choose it for the partitioned table.")));
	initStringInfo(&commands);
	changed = plan_as_owner(rel, before, after, &commands);
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
	if (changed)
		tell_setting(relid, before, after);
	PG_RETURN_VOID();
}

/* ---- the end of an audit ---- */

static void
plan_drop_tree(Relation rel, StringInfo commands)
{
	ListCell   *cell;

	foreach(cell, tree_of(rel))
	{
		Relation	table = relation_open(lfirst_oid(cell), NoLock);

		steward_trigger_plan_drop(table, commands);
		relation_close(table, NoLock);
	}
}

STEWARD_FUNCTION(steward_disable_audit)
{
	Relation	rel = open_table(fcinfo, "steward.disable_audit()");
	StringInfoData commands;

	if (steward_trigger_is_covered(rel))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot end the audit of \"%s\": it is a partition of an audited table",
						RelationGetRelationName(rel)),
				 errhint("End the audit of the partitioned table, or detach the partition first.")));
	initStringInfo(&commands);
	plan_drop_tree(rel, &commands);
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
		steward_trigger_run(commands.data);
	}
	PG_RETURN_VOID();
}

/* ---- partitions that come and go ---- */

/*
 * PostgreSQL gives a new partition its clones and takes them from a detached one.
 * What it leaves there of ours, the truncate trigger, tells that it was audited.
 */
static bool
is_concerned(Relation rel)
{
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE &&
		rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
		return false;
	return steward_trigger_is_covered(rel) ||
		(steward_trigger_on_truncate(rel) && !steward_trigger_on_rows(rel));
}

void
steward_audit_follow_partition(Oid relid)
{
	Relation	rel = relation_open(relid, ShareRowExclusiveLock);
	StewardSetting *setting;
	StringInfoData commands;

	if (!is_concerned(rel))
	{
		relation_close(rel, NoLock);
		return;
	}
	check_partition(rel);
	initStringInfo(&commands);
	setting = steward_setting_read(rel);
	(void) plan_as_owner(rel, setting, setting, &commands);
	if (commands.len == 0)
		relation_close(rel, NoLock);
	else
		run_and_record(rel, commands.data, STEWARD_OP_ENABLE);
}
