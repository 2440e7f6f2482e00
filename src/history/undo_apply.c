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
static void disturbed(const StewardUndoTable *of, const char *detail);

static void
disturbed(const StewardUndoTable *of, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("reverting left a row of table %s other than it was before",
					of->table->name),
			 errdetail("%s", detail),
			 errhint("A trigger or a concurrent transaction changed it again. Try again; if triggers are the cause, disable them in the same transaction.")));
}

pg_attribute_noreturn()
static void disturbed_step(const StewardUndoStep *step);

static void
disturbed_step(const StewardUndoStep *step)
{
	disturbed(step->of, psprintf("The statement was: %s", step->statement));
}

/*
 * Locks the row that a step is to change, which nobody may have changed since it was
 * planned. What the row is otherwise from then on, our own statements made it: as
 * foreign keys carried a step on to rows whose turn had not come.
 */
static void
lock_row(const StewardUndoStep *step)
{
	if (step->now != NULL &&
		!steward_undo_same(step->of->table, steward_undo_read(step->of, step->now, true),
						   step->now))
		disturbed_step(step);
}

static void
lock_rows(List *steps, MemoryContext scratch)
{
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	ListCell   *cell;

	foreach(cell, steps)
	{
		lock_row(lfirst(cell));
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(caller);
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
		disturbed_step(step);
}

static void
take_step(void *arg)
{
	StewardUndoStep *step = arg;
	StewardCell *row = present_row(step);

	if (!steward_undo_same(step->of->table, row, step->then))
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

static void
check_row(StewardUndoTable *of, StewardRowSlot *slot)
{
	StewardCell *there = steward_undo_read(of, steward_undo_key(of, slot), true);
	StewardCell *before = slot->first == NULL ? NULL : slot->first->cells;

	if (!steward_undo_same(of->table, there, before))
		disturbed(of, psprintf("Its key is %s.", steward_undo_key_text(of, slot)));
}

/*
 * The rows of a table are as they were before the transaction: with each key that
 * one of them had on the way there is the same row, or none.
 */
static void
check_rows(StewardUndoTable *of, MemoryContext scratch)
{
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while ((slot = steward_rows_next(of->rows, &bucket, slot)) != NULL)
	{
		check_row(of, slot);
		MemoryContextReset(scratch);
	}
	MemoryContextSwitchTo(caller);
}

static List *
tables_of(List *steps)
{
	List	   *tables = NIL;
	ListCell   *cell;

	foreach(cell, steps)
		tables = list_append_unique_ptr(tables, ((StewardUndoStep *) lfirst(cell))->of);
	return tables;
}

void
steward_undo_apply(List *steps)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "steward undo step",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *again;
	ListCell   *cell;

	lock_rows(steps, scratch);
	take_all(steps, take_step, scratch);
	/* A trigger that changes what it likes would go on for ever. */
	for (int round = 0; round < ROUNDS && (again = undone(steps)) != NIL; round++)
		take_all(again, take_step_again, scratch);
	foreach(cell, tables_of(steps))
		check_rows(lfirst(cell), scratch);
}
