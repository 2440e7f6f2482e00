/*
 * revert.c: steward.revert, making good what a transaction changed.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "funcapi.h"
#include "history/row_json.h"
#include "history/undo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

enum
{
	REVERT_STEP,
	REVERT_RELATION,
	REVERT_OPERATION,
	REVERT_KEY,
	REVERT_STATEMENT,
	REVERT_NATTS
};

static const char *
operation_of(const StewardUndoStep *step)
{
	return step->now == NULL ? "INSERT" : step->then == NULL ? "DELETE" : "UPDATE";
}

/* What came and went within the transaction leaves nothing to do. */
static List *
remaining(List *steps)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, steps)
	{
		StewardUndoStep *step = lfirst(cell);

		if (!steward_undo_same(step->of->table, step->now, step->then))
			result = lappend(result, step);
	}
	return result;
}

static void
put_steps(ReturnSetInfo *result, List *steps)
{
	Datum		values[REVERT_NATTS];
	bool		nulls[REVERT_NATTS] = {false};
	ListCell   *cell;
	int			number = 0;

	foreach(cell, steps)
	{
		StewardUndoStep *step = lfirst(cell);
		StewardHistoryTable *table = step->of->table;
		StewardCell *row = step->now != NULL ? step->now : step->then;

		values[REVERT_STEP] = Int32GetDatum(++number);
		values[REVERT_RELATION] = ObjectIdGetDatum(table->relid);
		values[REVERT_OPERATION] = CStringGetTextDatum(operation_of(step));
		values[REVERT_KEY] = JsonbPGetDatum(steward_row_key(table, row));
		values[REVERT_STATEMENT] = CStringGetTextDatum(step->statement);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

STEWARD_FUNCTION(steward_revert)
{
	static const char *const names[] = {"transaction", "apply"};
	List	   *steps;
	ListCell   *cell;

	steward_require_arguments(fcinfo, lengthof(names), names);
	InitMaterializedSRF(fcinfo, 0);
	if (PG_GETARG_BOOL(1))
		PreventCommandIfReadOnly("steward.revert()");
	steward_trail_prepare();
	steps = remaining(steward_undo_plan(U64FromFullTransactionId(PG_GETARG_FULLTRANSACTIONID(0))));
	foreach(cell, steps)
	{
		StewardUndoStep *step = lfirst(cell);

		step->statement = steward_undo_statement(step);
	}
	PopActiveSnapshot();
	if (PG_GETARG_BOOL(1))
		steward_undo_apply(steps);
	put_steps((ReturnSetInfo *) fcinfo->resultinfo, steps);
	PG_RETURN_NULL();
}
