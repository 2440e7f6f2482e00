/*
 * undo_apply.c: taking the steps; see undo.h.
 *
 * The steps are the caller's own statements: with his rights, and with all that
 * the tables have, triggers, rules of foreign keys and the audit itself. They are
 * taken in the reverse order of what they undo. That is the order that every
 * constraint allows, save where one change caused another after itself: a parent
 * is recorded before the children that went with it. So a step that a constraint
 * refuses waits until others are taken; and a step that a later one undid, as a
 * foreign key carried that one's change on to a row that was ready, is taken again.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "base/procedure.h"
#include "executor/spi.h"
#include "history/undo.h"
#include "utils/memutils.h"

/* How often what others undid is done again. */
#define ROUNDS 3

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

/* Runs the statement of a step, or that which makes its row of this one. */
static void
run_step(StewardUndoStep *step, StewardCell *row)
{
	StewardUndoStep rest = *step;

	rest.now = row;
	if (steward_undo_run(&rest) != 1)
		disturbed(step);
}

static void
take_step(void *arg)
{
	StewardUndoStep *step = arg;
	const StewardHistoryTable *table = step->of->table;
	StewardCell *row = present_row(step);

	if (steward_undo_same(table, row, step->then))
		return;
	if (step->now != NULL && !is_between(table, row, step->now, step->then))
		disturbed(step);
	run_step(step, step->now == NULL ? NULL : row);
}

/*
 * The row was made as it should be, and is ours since: what it is otherwise now, our
 * own statements made it.
 */
static void
take_step_again(void *arg)
{
	StewardUndoStep *step = arg;
	StewardCell *row = steward_undo_read(step->of, step->then, true);

	if (!steward_undo_same(step->of->table, row, step->then))
		run_step(step, row);
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
take_some(List *steps, void (*take) (void *), int *taken, MemoryContext scratch)
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
		error = steward_attempt(take, step, scratch);
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

/* Takes all steps, some after others. */
static void
take_all(List *steps, void (*take) (void *), MemoryContext scratch)
{
	ErrorData  *waiting;
	int			taken;

	do
		waiting = take_some(steps, take, &taken, scratch);
	while (waiting != NULL && taken > 0);
	if (waiting != NULL)
		ReThrowError(waiting);
}

/* The steps whose row is not as it should be, to be taken again. */
static List *
undone(List *steps)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, steps)
	{
		StewardUndoStep *step = lfirst(cell);

		if (step->then == NULL ||
			steward_undo_same(step->of->table, steward_undo_read(step->of, step->then, true),
							  step->then))
			continue;
		step->done = false;
		result = lappend(result, step);
	}
	return result;
}

void
steward_undo_apply(List *steps)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "steward undo step",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *again;
	ListCell   *cell;

	take_all(steps, take_step, scratch);
	/* A trigger that changes what it likes would go on for ever. */
	for (int round = 0; round < ROUNDS && (again = undone(steps)) != NIL; round++)
		take_all(again, take_step_again, scratch);
	foreach(cell, steps)
		check_rows(lfirst(cell));
}
