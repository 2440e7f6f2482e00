/*
 * hold_guard.c: refuses DDL that would destroy rows under a hold, or free them of it.
 *
 *	 DROP			of a held table, however it comes about: by itself, with its schema,
 *					owner or extension, as a partition
 *	 TRUNCATE		of a held table that is not empty. A restore truncates the tables that it
 *					has just made.
 *	 DETACH, NO INHERIT		when a hold of the parent keeps a row of the child
 *	 DROP, RENAME, TYPE		of a column that a predicate uses
 *
 * A superuser may set steward.override_hold; what was done then is recorded.
 *
 * PostgreSQL tells of all these by the object-access hook, when it has found the
 * object and before it acts, so there is no name to be looked up and no cascade to be
 * followed here. They are destroyers: they take the lock of hold.h, and a hold that was
 * placed before they end waits for them. In a session that has not loaded the library
 * the event trigger of types/guard_create.c does so before DDL; TRUNCATE has none, so
 * place_hold warns of it. A database that is dropped takes its holds
 * with it, and DELETE belongs to whoever may delete.
 */
#include "subjects/hold_row.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xlog.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/guc.h"
#include "base/hooks.h"
#include "base/partition.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static bool everywhere = false;

bool
steward_hold_guard_is_everywhere(void)
{
	return everywhere;
}

/* Refuses what is being done to a relation, or records that it was not. */
static void
refuse(const StewardHold *hold, const char *command, Oid relid)
{
	StewardJson event;

	if (!steward_override_hold)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot %s table \"%s\": hold %lld keeps its rows", command,
						get_rel_name(relid), (long long) hold->id),
				 errdetail("Ground of the hold: %s", hold->ground),
				 errhint("Have the hold released with steward.release_hold. A superuser may set steward.override_hold, which is recorded.")));
	if (!steward_event_begin(&event, "override_hold"))
		return;
	steward_json_number(&event, "hold", hold->id);
	steward_json_text(&event, "command", command);
	steward_event_relation(&event, "relation", relid);
	steward_json_text(&event, "ground", hold->ground);
	steward_event_end(&event);
}

/* All of them are answered for. */
static void
refuse_all(List *holds, const char *command, Oid relid)
{
	ListCell   *cell;

	foreach(cell, holds)
	{
		refuse(lfirst(cell), command, relid);
	}
}

/* Can rows of this relation be held? Looks before any lock is taken. */
static bool
is_table(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class row;
	bool		answer;

	if (!HeapTupleIsValid(tuple))
		return false;
	row = (Form_pg_class) GETSTRUCT(tuple);
	answer = row->relpersistence != RELPERSISTENCE_TEMP &&
		(row->relkind == RELKIND_RELATION || row->relkind == RELKIND_FOREIGN_TABLE ||
		 row->relkind == RELKIND_PARTITIONED_TABLE);
	ReleaseSysCache(tuple);
	return answer;
}

/* With the table of holds go all of them, as with the extension. */
static void
guard_own_table(const char *command, Oid relid)
{
	StewardHold *hold;

	if (relid != steward_hold_table())
		return;
	steward_holds_lock();
	hold = steward_hold_any();
	if (hold != NULL)
		refuse(hold, command, relid);
}

static void
guard_drop(Oid relid)
{
	if (!is_table(relid))
		return;
	guard_own_table("drop", relid);
	steward_holds_lock();
	refuse_all(steward_holds_on(relid), "drop", relid);
}

/*
 * For the tables that a statement names this comes before PostgreSQL has locked them or
 * looked at rights. Whoever may truncate gets the lock anyway, a bit earlier; the
 * others get an error, from PostgreSQL.
 */
static bool
is_empty(Oid relid)
{
	Relation	rel;
	bool		answer;

	LockRelationOid(relid, AccessExclusiveLock);
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return true;
	answer = rel->rd_rel->relkind == RELKIND_RELATION &&
		RelationGetNumberOfBlocks(rel) == 0;
	relation_close(rel, NoLock);
	return answer;
}

/* Partitions and heirs are told of by themselves. */
static void
guard_truncate(Oid relid)
{
	List	   *holds;

	if (!is_table(relid) || get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ||
		pg_class_aclcheck(relid, GetUserId(), ACL_TRUNCATE) != ACLCHECK_OK)
		return;
	guard_own_table("truncate", relid);
	steward_holds_lock();
	holds = steward_holds_on(relid);
	if (holds != NIL && !is_empty(relid))
		refuse_all(holds, "truncate", relid);
}

static void
guard_column(Oid relid, const char *column, const char *command)
{
	List	   *holds;
	ListCell   *cell;

	steward_holds_lock();
	holds = steward_holds_on(relid);
	foreach(cell, holds)
	{
		if (steward_hold_uses(lfirst(cell), column))
			refuse(lfirst(cell), psprintf("%s column \"%s\" of", command, column), relid);
	}
}

static void
guard_column_drop(Oid relid, AttrNumber number)
{
	char	   *column = get_attname(relid, number, true);

	if (column != NULL && is_table(relid))
		guard_column(relid, column, "drop");
}

/* What is being done to a column: its row as it will be, and as it is. */
static void
guard_column_change(Oid relid, AttrNumber number)
{
	HeapTuple	old = SearchSysCacheAttNum(relid, number);
	const char *command = NULL;
	Relation	table;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	new;

	if (!HeapTupleIsValid(old))
		return;
	table = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ,
				Int16GetDatum(number));
	scan = systable_beginscan(table, AttributeRelidNumIndexId, true, SnapshotSelf, 2, keys);
	new = systable_getnext(scan);
	if (HeapTupleIsValid(new))
	{
		Form_pg_attribute before = (Form_pg_attribute) GETSTRUCT(old);
		Form_pg_attribute after = (Form_pg_attribute) GETSTRUCT(new);

		if (strcmp(NameStr(before->attname), NameStr(after->attname)) != 0)
			command = "rename";
		else if (before->atttypid != after->atttypid ||
				 before->attcollation != after->attcollation)
			command = "change the type of";
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	if (command != NULL && is_table(relid))
		guard_column(relid, pstrdup(NameStr(((Form_pg_attribute) GETSTRUCT(old))->attname)),
					 command);
	ReleaseSysCache(old);
}

/* Refuses when a leaf under the child has a row that one of the holds keeps. */
static void
guard_rows(Oid child, List *holds, LOCKMODE lock)
{
	List	   *tree = find_all_inheritors(child, lock, NULL);
	ListCell   *cell;

	foreach(cell, tree)
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);
		const StewardHold *hold = NULL;

		if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			hold = linitial(holds);
		else if (rel->rd_rel->relkind == RELKIND_RELATION)
			hold = steward_holds_any_row(holds, rel);
		if (hold != NULL)
			refuse(hold, "detach", RelationGetRelid(rel));
		relation_close(rel, NoLock);
	}
}

/* From here to the end of the transaction nobody may write to the child. */
static void
guard_detach(Oid child, Oid parent)
{
	List	   *holds;

	if (steward_hold_detach_is_allowed(parent, child) || !is_table(child) ||

		steward_partition_tie_now(child, parent) == STEWARD_TIE_ATTACHED)
		return;
	steward_holds_lock();
	holds = steward_holds_on(parent);
	if (holds != NIL)
		guard_rows(child, holds, ShareLock);
}

/*
 * DETACH CONCURRENTLY comes to guard_detach in its second transaction. What is refused
 * then leaves the partition half detached, out of sight of queries, so what can be
 * known before is looked at before. Errors of names and rights are PostgreSQL's.
 */
static void
guard_concurrent_detach(const RangeVar *parent_name, const RangeVar *child_name)
{
	Oid			parent = RangeVarGetRelid(parent_name, NoLock, true);
	Oid			child = RangeVarGetRelid(child_name, NoLock, true);
	List	   *holds;

	if (!OidIsValid(parent) || !OidIsValid(child) ||
		steward_hold_detach_is_allowed(parent, child) || !is_table(child) ||
		!STEWARD_OWNS_RELATION(parent, GetUserId()) ||
		!STEWARD_OWNS_RELATION(child, GetUserId()))
		return;
	holds = steward_holds_on(parent);
	if (holds == NIL)
		return;
	LockRelationOid(child, AccessShareLock);
	if (get_rel_relispartition(child))
		guard_rows(child, holds, AccessShareLock);
}

static bool
guards(void)
{
	return IsNormalProcessingMode() && !IsBinaryUpgrade && !RecoveryInProgress() &&
		OidIsValid(steward_hold_table());
}

static void
on_relation(int access, Oid relid, int column)
{
	if (access == OAT_DROP && column == 0)
		guard_drop(relid);
	else if (access == OAT_DROP)
		guard_column_drop(relid, (AttrNumber) column);
	else if (access == OAT_TRUNCATE)
		guard_truncate(relid);
	else if (access == OAT_POST_ALTER && column > 0)
		guard_column_change(relid, (AttrNumber) column);
}

static void
on_object(int access, Oid class_id, Oid object, int part, void *arg)
{
	if (class_id == RelationRelationId && access != OAT_POST_CREATE && guards())
		on_relation(access, object, part);
	else if (class_id == InheritsRelationId && access == OAT_POST_ALTER &&
			 arg != NULL && guards())
		guard_detach(object, ((ObjectAccessPostAlter *) arg)->auxiliary_id);
}

static void
on_statement(Node *statement)
{
	AlterTableStmt *alter = (AlterTableStmt *) statement;
	ListCell   *cell;

	if (!IsA(statement, AlterTableStmt) || !guards())
		return;
	foreach(cell, alter->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		if (command->subtype == AT_DetachPartition &&
			castNode(PartitionCmd, command->def)->concurrent)
			guard_concurrent_detach(alter->relation,
									castNode(PartitionCmd, command->def)->name);
	}
}

void
steward_holds_init(void)
{
	everywhere = process_shared_preload_libraries_in_progress;
	steward_hooks_on_utility(on_statement);
	steward_hooks_on_object(on_object);
}
