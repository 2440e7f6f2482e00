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
lock_row(StewardUndoStep *step)
{
	if (step->now != NULL &&
		!steward_undo_same(step->of->table,
						   steward_undo_lock(step->of, step->now, &step->place),
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

/*
 * The row is not found, and not just deleted as it should be: a foreign key deleted
 * one that is to stay, which can be inserted again, but not what may have gone with
 * it; or it moved it to another partition, where it would stay.
 */
static void
check_lost(const StewardUndoStep *step, bool moved)
{
	if (moved)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("a row of table %s was moved to another partition while reverting",
						step->of->table->name),
				 errdetail("A foreign key carried another row's key on to it. Its statement is: %s",
						   step->statement),
				 errhint("Make good the transaction by hand, this row first.")));
	if (step->now != NULL && step->then != NULL && step->of->referenced)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("reverting would delete a row of table %s that is to stay",
						step->of->table->name),
				 errdetail("A foreign key deletes it with another row, and perhaps what refers to it. Its statement is: %s",
						   step->statement),
				 errhint("Make good the transaction by hand, in an order that keeps the row.")));
}

/*
 * The present row of a step, which may have its new key already, or one that a foreign
 * key carried on to it.
 */
static StewardCell *
present_row(const StewardUndoStep *step)
{
	StewardCell *row = NULL;
	bool		moved = false;

	if (step->now != NULL)
	{
		row = steward_undo_lock(step->of, step->now, NULL);
		if (row == NULL)
			row = steward_undo_follow(step->of, &step->place, &moved);
	}
	if (row == NULL && step->then != NULL)
		row = steward_undo_lock(step->of, step->then, NULL);
	if (row == NULL)
		check_lost(step, moved);
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
	StewardCell *row = steward_undo_lock(step->of, step->then, NULL);

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

typedef enum Pass
{
	PASS_FORWARD,				/* a row to be deleted waits behind others
								 * that wait */
	PASS_BACKWARD,				/* and here in any case */
	PASS_FORCED					/* the last resort: it does not wait */
} Pass;

/* Rows may still refer to it while their own steps wait, and would go with it. */
static bool
must_wait(const StewardUndoStep *step, Pass pass, bool others_wait)
{
	return step->then == NULL && step->of->referenced &&
		(pass == PASS_BACKWARD || (pass == PASS_FORWARD && others_wait));
}

/* Takes the steps that can be taken; the first error of those that wait. */
static ErrorData *
take_some(List *steps, void (*take) (void *), Pass pass, int *taken, MemoryContext scratch)
{
	ErrorData  *first = NULL;
	int			count = list_length(steps);

	*taken = 0;
	for (int i = 0; i < count; i++)
	{
		StewardUndoStep *step = list_nth(steps, pass == PASS_BACKWARD ? count - 1 - i : i);
		ErrorData  *error;

		if (step->done || must_wait(step, pass, first != NULL))
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
		else
			FreeErrorData(error);
	}
	return first;
}

/*
 * Takes all steps, some after others. Rows of one table that refer to each other, the
 * last inserted first, would take a pass each were there only one direction.
 */
static void
take_all(List *steps, void (*take) (void *), MemoryContext scratch)
{
	ErrorData  *waiting;
	int			taken;
	int			back;

	while ((waiting = take_some(steps, take, PASS_FORWARD, &taken, scratch)) != NULL)
	{
		(void) take_some(steps, take, PASS_BACKWARD, &back, scratch);
		if (taken + back == 0 &&
			take_some(steps, take, PASS_FORCED, &taken, scratch) != NULL && taken == 0)
			ReThrowError(waiting);
	}
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
			steward_undo_same(step->of->table, steward_undo_lock(step->of, step->then, NULL),
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
	StewardCell *there = steward_undo_lock(of, steward_undo_key(of, slot), NULL);
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
