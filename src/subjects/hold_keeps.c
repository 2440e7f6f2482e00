/*
 * hold_keeps.c: is a row held? The function that conditions of hold_condition.c call
 * for each row; it evaluates the predicate of one hold.
 *
 * Fails closed: a predicate that raises an error holds the row, one that can no longer
 * be parsed holds all; NULL, as false, does not. To go on after an error takes a
 * subtransaction for each row, so a statement with a condition is never parallel.
 *
 * A predicate is evaluated as the owner of the table, also when a superuser asks, and
 * under the settings that it was written with.
 */
#include "subjects/hold_row.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/procedure.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

/* One hold, ready to be asked about rows of one table. */
typedef struct Keeper
{
	int64		id;
	Oid			relid;
	Oid			owner;
	MemoryContext context;		/* as long as this */
	MemoryContext scratch;		/* of one row */
	StewardHold *hold;			/* NULL: released */
	ExprState  *predicate;		/* NULL: every row is kept */
	ExprContext *econtext;
	Bitmapset  *columns;		/* in the order of the record */
	HeapTupleHeader record;		/* the row being asked about */
	bool		keeps;			/* the answer */
	Relation	rel;			/* while it is made ready */
} Keeper;

/* The caller, when he is the owner under restrictions already, need not become it. */
static bool
must_become(Oid owner)
{
	return GetUserId() != owner || !InSecurityRestrictedOperation();
}

static void
prepare(void *arg)
{
	Keeper	   *keeper = arg;
	StewardIdentity identity;
	Node	   *predicate;
	Expr	   *planned;
	int			level;

	steward_become_guarded(keeper->owner, &identity);
	level = steward_expression_settings(keeper->hold->time_zone);
	predicate = steward_expression_parse(keeper->rel, keeper->hold->predicate, false,
										 &steward_hold_use);
	planned = expression_planner((Expr *) predicate);
	MemoryContextSwitchTo(keeper->context);
	keeper->columns = steward_expression_columns(predicate);
	keeper->predicate = ExecInitExpr(copyObject(planned), NULL);
	AtEOXact_GUC(false, level);
	steward_become_caller(&identity);
}

static void
check_owner(Relation rel)
{
	if (!has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table \"%s\"", RelationGetRelationName(rel)),
				 errdetail("Predicates of holds are evaluated for the owner of the table.")));
}

/* With no predicate to evaluate the answer is the same for all rows. */
static void
make_ready(Keeper *keeper)
{
	ErrorData  *error;

	check_owner(keeper->rel);
	keeper->owner = keeper->rel->rd_rel->relowner;
	keeper->hold = steward_hold_read(keeper->id);
	if (keeper->hold == NULL || keeper->hold->predicate == NULL)
		return;
	error = steward_attempt(prepare, keeper, keeper->scratch);
	if (error != NULL)
	{
		if (steward_hold_must_raise(error))
			ReThrowError(error);
		FreeErrorData(error);
		keeper->predicate = NULL;
		return;
	}
	keeper->econtext = CreateStandaloneExprContext();
	keeper->econtext->ecxt_scantuple =
		MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(keeper->rel)),
								 &TTSOpsVirtual);
}

/* For the life of a statement: until then its lock keeps the table as it is. */
static Keeper *
make_keeper(MemoryContext context, int64 id, Oid relid)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Keeper	   *keeper = palloc0(sizeof(Keeper));

	keeper->id = id;
	keeper->relid = relid;
	keeper->context = context;
	keeper->scratch = AllocSetContextCreate(context, "hold", ALLOCSET_SMALL_SIZES);
	keeper->rel = steward_named_relation_open(relid, AccessShareLock);
	make_ready(keeper);
	relation_close(keeper->rel, NoLock);
	keeper->rel = NULL;
	MemoryContextSwitchTo(caller);
	return keeper;
}

/* The columns of the record, where the predicate looks for them. */
static void
fill_slot(Keeper *keeper)
{
	TupleTableSlot *slot = keeper->econtext->ecxt_scantuple;
	HeapTupleHeader record = keeper->record;
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(record),
											  HeapTupleHeaderGetTypMod(record));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(record), .t_data = record};
	int			number = 0;
	int			column = -1;

	ItemPointerSetInvalid(&tuple.t_self);
	if (desc->natts != bms_num_members(keeper->columns))
		elog(ERROR, "a hold was given %d columns", desc->natts);
	ExecStoreAllNullTuple(slot);
	while ((column = bms_next_member(keeper->columns, column)) >= 0)
	{
		number++;
		if (TupleDescAttr(desc, number - 1)->atttypid !=
			TupleDescAttr(slot->tts_tupleDescriptor, column - 1)->atttypid)
			elog(ERROR, "a hold was given a column of another type");
		slot->tts_values[column - 1] = heap_getattr(&tuple, number, desc,
													&slot->tts_isnull[column - 1]);
	}
	ReleaseTupleDesc(desc);
}

static void
evaluate(void *arg)
{
	Keeper	   *keeper = arg;
	StewardIdentity identity;
	bool		become = must_become(keeper->owner);
	int			level;
	bool		isnull;
	Datum		value;

	if (become)
		steward_become_guarded(keeper->owner, &identity);
	level = steward_expression_settings(keeper->hold->time_zone);
	value = ExecEvalExprSwitchContext(keeper->predicate, keeper->econtext, &isnull);
	keeper->keeps = !isnull && DatumGetBool(value);
	AtEOXact_GUC(false, level);
	if (become)
		steward_become_caller(&identity);
}

static bool
keeps(Keeper *keeper, HeapTupleHeader record)
{
	ErrorData  *error;

	if (keeper->hold == NULL)
		return false;
	if (keeper->predicate == NULL)
		return true;
	keeper->record = record;
	fill_slot(keeper);
	error = steward_attempt(evaluate, keeper, keeper->scratch);
	ResetExprContext(keeper->econtext);
	if (error != NULL)
	{
		if (steward_hold_must_raise(error))
			ReThrowError(error);
		FreeErrorData(error);
		return true;
	}
	return keeper->keeps;
}

STEWARD_FUNCTION(steward_hold_keeps)
{
	static const char *const names[] = {"hold", "relation", "columns"};
	Keeper	   *keeper = fcinfo->flinfo->fn_extra;

	steward_require_arguments(fcinfo, lengthof(names), names);
	if (keeper == NULL || keeper->id != PG_GETARG_INT64(0) ||
		keeper->relid != PG_GETARG_OID(1))
	{
		keeper = make_keeper(fcinfo->flinfo->fn_mcxt, PG_GETARG_INT64(0),
							 PG_GETARG_OID(1));
		fcinfo->flinfo->fn_extra = keeper;
	}
	PG_RETURN_BOOL(keeps(keeper, PG_GETARG_HEAPTUPLEHEADER(2)));
}
