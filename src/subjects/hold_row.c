/*
 * hold_row.c: reading holds, and which of them bind a table; see hold.h.
 *
 * Holds are read with a snapshot of the moment, as catalogs are. A destroyer has
 * the lock, so there is none that it does not see.
 */
#include "subjects/hold_row.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "base/catalog.h"
#include "base/procedure.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The columns of steward.hold, as hold.sql has them. */
enum
{
	ID = 1, RELATION, PREDICATE, COLUMNS, TIME_ZONE, GROUND, PLACED_BY, PLACED_AT,
	RELEASED_BY, RELEASED_AT
};

static StewardRelationRef hold_ref = {"hold"};
static StewardRelationRef hold_pkey_ref = {"hold_pkey"};
static StewardRelationRef hold_active_ref = {"hold_active"};

/* What may be detached though it is held, and from what; see hold.h. */
static Oid	detached_parent = InvalidOid;
static Oid	detached_partition = InvalidOid;

static Oid	(*former_parent) (Oid relid) = NULL;

const StewardExpressionUse steward_hold_use = {
	.what = "the predicate of a hold",
	.example = "customer = 42",
	.clause = "the predicate"
};

Oid
steward_hold_table(void)
{
	return steward_relation_lookup(&hold_ref);
}

void
steward_holds_lock(void)
{
	Oid			table = steward_hold_table();

	if (OidIsValid(table))
		LockRelationOid(table, ShareLock);
}

static List *
names_of_array(Datum array)
{
	Datum	   *elements;
	int			count;
	List	   *names = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), NAMEOID, NAMEDATALEN, false,
					  TYPALIGN_CHAR, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
		names = lappend(names, pstrdup(NameStr(*DatumGetName(elements[i]))));
	return names;
}

static char *
text_or_null(HeapTuple tuple, int column, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* NULL when the hold was released. */
static StewardHold *
hold_of_tuple(HeapTuple tuple, TupleDesc desc)
{
	StewardHold *hold;
	bool		isnull;

	(void) heap_getattr(tuple, RELEASED_AT, desc, &isnull);
	if (!isnull)
		return NULL;
	hold = palloc0(sizeof(StewardHold));
	hold->id = DatumGetInt64(heap_getattr(tuple, ID, desc, &isnull));
	hold->relation = DatumGetObjectId(heap_getattr(tuple, RELATION, desc, &isnull));
	hold->predicate = text_or_null(tuple, PREDICATE, desc);
	hold->columns = names_of_array(heap_getattr(tuple, COLUMNS, desc, &isnull));
	hold->time_zone = text_or_null(tuple, TIME_ZONE, desc);
	hold->ground = text_or_null(tuple, GROUND, desc);
	return hold;
}

StewardHold *
steward_hold_read(int64 id)
{
	Relation	table = steward_relation_open(&hold_ref, AccessShareLock);
	StewardHold *hold = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = systable_beginscan(table, steward_relation_oid(&hold_pkey_ref), true, NULL,
							  1, &key);
	while (hold == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
		hold = hold_of_tuple(tuple, RelationGetDescr(table));
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return hold;
}

StewardHold *
steward_hold_any(void)
{
	Relation	table = steward_relation_open(&hold_ref, AccessShareLock);
	StewardHold *hold = NULL;
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (hold == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
		hold = hold_of_tuple(tuple, RelationGetDescr(table));
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return hold;
}

bool
steward_holds_exist(void)
{
	return OidIsValid(steward_hold_table()) && steward_hold_any() != NULL;
}

/*
 * The active holds that were placed on a table itself. DROP EXTENSION drops the index
 * before other tables, of which the guard still asks.
 */
static List *
holds_placed_on(Relation table, Oid relid, List *holds)
{
	Oid			index = steward_relation_lookup(&hold_active_ref);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, RELATION, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(table, index, OidIsValid(index), NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		StewardHold *hold = hold_of_tuple(tuple, RelationGetDescr(table));

		if (hold != NULL)
			holds = lappend(holds, hold);
	}
	systable_endscan(scan);
	return holds;
}

void
steward_holds_follow(Oid (*function) (Oid relid))
{
	former_parent = function;
}

void
steward_holds_allow_detach(Oid parent, Oid partition)
{
	detached_parent = parent;
	detached_partition = partition;
}

bool
steward_hold_detach_is_allowed(Oid parent, Oid partition)
{
	return OidIsValid(partition) && partition == detached_partition &&
		parent == detached_parent;
}

/* Adds the parents of a table, of which inheritance allows several, to a list. */
static List *
add_parents(Relation inherits, Oid relid, List *relids)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		relids = list_append_unique_oid(relids, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	return relids;
}

/*
 * Adds the table that this was detached from, if that still binds it. It can be attached again
 * while we look, so a tie that was not there before is looked for once more.
 */
static List *
add_former_parent(Relation inherits, Oid relid, List *relids)
{
	Oid			parent = former_parent != NULL ? former_parent(relid) : InvalidOid;

	if (relid == detached_partition)
		relids = list_append_unique_oid(relids, detached_parent);
	if (OidIsValid(parent))
		return list_append_unique_oid(relids, parent);
	return add_parents(inherits, relid, relids);
}

/* The tables of a list and all their ancestors; the list grows while it is read. */
static List *
with_ancestors(List *relids)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);

	for (int i = 0; i < list_length(relids); i++)
	{
		relids = add_parents(inherits, list_nth_oid(relids, i), relids);
		relids = add_former_parent(inherits, list_nth_oid(relids, i), relids);
	}
	table_close(inherits, AccessShareLock);
	return relids;
}

static int
compare_holds(const ListCell *left, const ListCell *right)
{
	const StewardHold *a = lfirst(left);
	const StewardHold *b = lfirst(right);

	return a->id < b->id ? -1 : a->id > b->id;
}

static List *
holds_on_any(List *relids)
{
	List	   *holds = NIL;
	Relation	table;
	ListCell   *cell;

	if (!OidIsValid(steward_hold_table()))
		return NIL;
	table = steward_relation_open(&hold_ref, AccessShareLock);
	foreach(cell, relids)
	{
		holds = holds_placed_on(table, lfirst_oid(cell), holds);
	}
	table_close(table, AccessShareLock);
	list_sort(holds, compare_holds);
	return holds;
}

List *
steward_holds_on(Oid relid)
{
	return holds_on_any(with_ancestors(list_make1_oid(relid)));
}

List *
steward_holds_on_tree(Oid relid)
{
	List	   *relids = with_ancestors(list_make1_oid(relid));
	List	   *heirs = find_all_inheritors(relid, NoLock, NULL);

	/* An heir may have other parents, whose holds bind it too. */
	return holds_on_any(with_ancestors(list_concat_unique_oid(relids, heirs)));
}

bool
steward_hold_uses(const StewardHold *hold, const char *column)
{
	ListCell   *cell;

	foreach(cell, hold->columns)
	{
		if (strcmp(lfirst(cell), column) == 0)
			return true;
	}
	return false;
}

bool
steward_hold_must_raise(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_TRANSACTION_ROLLBACK:
			return true;
		default:
			return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
				error->elevel > ERROR;
	}
}

/* A predicate to be parsed, as steward_attempt has it. */
typedef struct Parse
{
	const StewardHold *hold;
	Relation	rel;
	MemoryContext context;
	Node	   *predicate;
} Parse;

static void
parse(void *arg)
{
	Parse	   *one = arg;
	int			level = steward_expression_settings(one->hold->time_zone);
	Node	   *predicate = steward_expression_parse(one->rel, one->hold->predicate,
													 false, &steward_hold_use);

	AtEOXact_GUC(false, level);
	MemoryContextSwitchTo(one->context);
	one->predicate = copyObject(predicate);
}

Node *
steward_hold_predicate(const StewardHold *hold, Relation rel, char **problem)
{
	Parse		one = {hold, rel, CurrentMemoryContext, NULL};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "hold",
												  ALLOCSET_SMALL_SIZES);
	ErrorData  *error = steward_attempt(parse, &one, scratch);

	MemoryContextDelete(scratch);
	if (error == NULL)
		return one.predicate;
	if (steward_hold_must_raise(error))
		ReThrowError(error);
	*problem = pstrdup(error->message);
	FreeErrorData(error);
	return NULL;
}
