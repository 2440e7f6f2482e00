/*
 * undo_apply.c: taking the steps; see undo.h.
 *
 * The steps are the caller's own statements: with his rights, and with all that
 * the tables have, triggers, rules of foreign keys and the audit itself. They are
 * taken in the reverse order of what they undo. That is the order that every
 * constraint allows, save where one change caused another after itself: a parent
 * is recorded before the children that went with it. So a step that a constraint
 * refuses waits until others are taken.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "base/procedure.h"
#include "executor/spi.h"
#include "history/undo.h"
#include "utils/memutils.h"

pg_attribute_noreturn()
static void disturbed(const StewardUndoStep *step);

static void
disturbed(const StewardUndoStep *step)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("reverting left a row of table %s other than it was before",
					step->of->table->name),
			 errdetail("The statement was: %s", step->statement),
			 errhint("A trigger or a concurrent transaction changed it again. Try again; if triggers are the cause, disable them in the same transaction.")));
}

/*
 * Has each column the value of before or of after? Foreign keys may have carried
 * some of the changes on, from a step that was taken first.
 */
static bool
is_between(const StewardHistoryTable *table, StewardCell *row, StewardCell *a,
		   StewardCell *b)
{
	if (row == NULL || b == NULL)
		return steward_undo_same(table, row, a);
	for (int i = 0; i < table->desc->natts; i++)
		if (steward_history_has_column(table->desc, i + 1) &&
			TupleDescAttr(table->desc, i)->attgenerated == '\0' &&
			!steward_cells_equal(table, i + 1, &row[i], &a[i]) &&
			!steward_cells_equal(table, i + 1, &row[i], &b[i]))
			return false;
	return true;
}

/* The present row of a step, which may have its new key already. */
static StewardCell *
present_row(StewardUndoStep *step)
{
	StewardCell *row = step->now == NULL ? NULL :
		steward_undo_read(step->of, step->now, true);

	if (row == NULL && step->then != NULL)
		row = steward_undo_read(step->of, step->then, true);
	return row;
}

static void
take_step(void *arg)
{
	StewardUndoStep *step = arg;
	const StewardHistoryTable *table = step->of->table;
	StewardCell *row = present_row(step);
	char	   *statement = step->statement;
	int			result;
	uint64		processed;

	if (steward_undo_same(table, row, step->then))
		return;
	if (step->now != NULL && !is_between(table, row, step->now, step->then))
		disturbed(step);
	if (step->now != NULL && !steward_undo_same(table, row, step->now))
	{
		StewardUndoStep rest = *step;

		rest.now = row;
		statement = steward_undo_statement(&rest);
	}
	SPI_connect();
	result = SPI_execute(statement, false, 0);
	processed = SPI_processed;
	SPI_finish();
	if (result < 0 || processed != 1)
		disturbed(step);
}

/* May it succeed when others have been taken? */
static bool
may_wait(int sqlstate)
{
	return sqlstate == ERRCODE_FOREIGN_KEY_VIOLATION ||
		sqlstate == ERRCODE_RESTRICT_VIOLATION ||
		sqlstate == ERRCODE_UNIQUE_VIOLATION ||
		sqlstate == ERRCODE_EXCLUSION_VIOLATION;
}

/* Takes the steps that can be taken; the first error of those that wait. */
static ErrorData *
take_some(List *steps, int *taken, MemoryContext scratch)
{
	ErrorData  *first = NULL;
	ListCell   *cell;

	*taken = 0;
	foreach(cell, steps)
	{
		StewardUndoStep *step = lfirst(cell);
		ErrorData  *error;

		if (step->done)
			continue;
		error = steward_attempt(take_step, step, scratch);
		if (error == NULL)
		{
			step->done = true;
			(*taken)++;
		}
		else if (!may_wait(error->sqlerrcode))
			ReThrowError(error);
		else if (first == NULL)
			first = error;
	}
	return first;
}

/*
 * The rows of the step are as they were before the transaction: with the key it
 * had after it, there is none or another one.
 */
static void
check_rows(StewardUndoStep *step)
{
	StewardCell *keys[] = {step->now, step->then};

	for (int i = 0; i < lengthof(keys); i++)
	{
		StewardRowSlot *slot = keys[i] == NULL ? NULL :
			steward_rows_slot(step->of->rows, keys[i], false);

		if (slot != NULL &&
			!steward_undo_same(step->of->table,
							   steward_undo_read(step->of, keys[i], true),
							   slot->first == NULL ? NULL : slot->first->cells))
			disturbed(step);
	}
}

void
steward_undo_apply(List *steps)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "steward undo step",
												  ALLOCSET_DEFAULT_SIZES);
	ErrorData  *waiting;
	ListCell   *cell;
	int			taken;

	do
		waiting = take_some(steps, &taken, scratch);
	while (waiting != NULL && taken > 0);
	if (waiting != NULL)
		ReThrowError(waiting);
	foreach(cell, steps)
		check_rows(lfirst(cell));
}
