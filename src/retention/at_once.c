/*
 * at_once.c: destroying rows without finding out first what stands against it; see
 * batch_parts.h.
 *
 * To lock a row costs as much of the log as to delete it, and to look for rows that refer as much time. Mostly
 * nothing stands against it, so a batch of the first sweep goes ahead, in a subtransaction: what turns out
 * to be in the way, or to be others', undoes it, and the batch is done the long way, and some more after it.
 *
 * What nobody can refer to is not locked before. Rows that others can refer to are: a
 * reference that came while they are deleted would be followed by the foreign key, behind our back. Once they are
 * locked, nobody can refer to them any more, and the statement, whose snapshot is younger, sees who does. So it
 * deletes all that refer, in whatever version, and nothing is left for the foreign keys to do.
 */
#include "retention/batch_parts.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/procedure.h"
#include "retention/closure.h"
#include "retention/edge.h"
#include "retention/load.h"
#include "retention/statement.h"
#include "retention/target.h"

/* How long deleting waits for somebody who has a row, and how many batches are done the long way after that. */
#define TIMEOUT "10ms"
#define WARY_BATCHES 16

/* What is done at once, as steward_attempt calls it. */
typedef struct AtOnce
{
	StewardBatch *batch;
	const ItemPointerData *rows;
	int			count;
	int			size;			/* that the batch aims at */
	bool		cannot;			/* what refers is more than this way can do */
	double		fanout;			/* if it was too much; else 0 */
	StewardBatchResult *result;
} AtOnce;

/* The last sweep locks rows: it must tell those that others have from those that a trigger keeps. */
static bool
may_be_at_once(const StewardBatch *batch)
{
	return batch->leaf->sweep == SWEEP_TABLE &&
		(batch->policy->action == STEWARD_DELETE ||
		 batch->policy->action == STEWARD_ARCHIVE);
}

/* Ends the attempt, and is seen by nobody. */
static void
raise_in_the_way(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("rows cannot be destroyed at once")));
}

/* Is this all that has to be known of the rows of a child: that they go, and nothing with them? */
static bool
is_plain(Relation child)
{
	TriggerDesc *triggers = child->trigdesc;

	/*
	 * A trigger before could keep a row, and how many there were is not
	 * counted before.
	 */
	return child->rd_rel->relkind == RELKIND_RELATION &&
		(triggers == NULL || !triggers->trig_delete_before_row) &&
		steward_edges_to(child, NIL) == NIL;
}

/* The DELETE of what refers by an edge that cascades; NULL when this way cannot do it. */
static StewardChildDelete *
child_delete(StewardBatch *batch, const StewardEdge *edge)
{
	StewardChildDelete *one = palloc0(sizeof(StewardChildDelete));

	one->table = edge->child;
	one->rel = relation_open(edge->child, RowExclusiveLock);
	if (!is_plain(one->rel))
	{
		relation_close(one->rel, NoLock);
		return NULL;
	}
	steward_target_check(one->rel, CMD_DELETE);
	steward_target_check_owner(one->rel, batch->owner);
	one->from = psprintf("ONLY %s AS t", steward_table_name(one->rel));
	one->referring = edge->referring;
	one->held = steward_target_held(one->rel, "t");
	return one;
}

static void
close_children(List *deletes)
{
	ListCell   *cell;

	foreach(cell, deletes)
	{
		relation_close(((StewardChildDelete *) lfirst(cell))->rel, NoLock);
	}
}

/*
 * What goes with the rows. Tables that restrict are in the recheck of the rows; the table itself is
 * not, since both ends may go.
 */
static bool
find_children(StewardBatch *batch, List **deletes)
{
	bool		indexed = true;
	ListCell   *cell;

	foreach(cell, batch->edges)
	{
		const StewardEdge *edge = lfirst(cell);
		StewardChildDelete *one = NULL;

		if (edge->action == STEWARD_CHILD_RESTRICT && edge->child != edge->parent)
			continue;
		if (edge->action == STEWARD_CHILD_CASCADE && edge->child != edge->parent)
			one = child_delete(batch, edge);
		if (one == NULL)
		{
			close_children(*deletes);
			return false;
		}
		*deletes = lappend(*deletes, one);
		indexed &= steward_edge_is_indexed(edge);
	}
	/* Else it may read all of a child for each batch. */
	if (indexed)
		steward_batch_option("enable_hashjoin", "off");
	return true;
}

/* Nobody has, or had, a row without xmax. */
static void
destroy_rows(AtOnce *all)
{
	StewardBatch *batch = all->batch;

	batch->recheck = psprintf(" AND NOT %s AND t.xmax OPERATOR(pg_catalog.=) '0'::pg_catalog.xid",
							  batch->held);
	steward_batch_destroy(batch, all->rows, all->count, NIL, all->result);
	batch->leaf->locked += all->result->rows;
}

/* All went or none: a row that is restricted, or that a trigger kept, or whose child is held. */
static void
check_outcome(AtOnce *all, int count, List *deletes)
{
	StewardBatchResult *result = all->result;
	ListCell   *cell;

	if (result->rows != count)
		raise_in_the_way();
	foreach(cell, deletes)
	{
		if (((StewardChildDelete *) lfirst(cell))->took_held)
			raise_in_the_way();
	}
	if (count > 1 && result->rows + result->children >
		(uint64) all->size * STEWARD_CLOSURE_TIMES)
	{
		all->fanout = (double) (result->rows + result->children) / count;
		raise_in_the_way();
	}
}

static void
destroy_with_children(AtOnce *all, List *deletes)
{
	StewardBatch *batch = all->batch;
	ItemPointerData *rows = palloc(all->count * sizeof(ItemPointerData));
	int			locked;

	memcpy(rows, all->rows, all->count * sizeof(ItemPointerData));
	locked = steward_batch_lock(batch, rows, all->count);
	if (locked == 0)
		return;
	batch->recheck = psprintf(" AND NOT %s", batch->restricted);
	steward_batch_destroy(batch, rows, locked, deletes, all->result);
	check_outcome(all, locked, deletes);
	batch->leaf->locked += locked;
	batch->leaf->fanout = (double) (locked + all->result->children) / locked;
}

static void
destroy_at_once(void *arg)
{
	AtOnce	   *all = arg;
	List	   *deletes = NIL;

	if (all->batch->edges != NIL && !find_children(all->batch, &deletes))
	{
		all->cannot = true;
		return;
	}
	steward_batch_option("lock_timeout", TIMEOUT);
	if (all->batch->edges == NIL)
		destroy_rows(all);
	else
	{
		destroy_with_children(all, deletes);
		close_children(deletes);
	}

	/*
	 * Who waits lets go for a moment when the subtransaction ends, and is not
	 * seen then.
	 */
	all->result->waited_for = steward_load_waited_for(GetCurrentTransactionIdIfAny());
}

/* As if nothing had been done. */
static void
forget(AtOnce *all)
{
	StewardLeaf *leaf = all->batch->leaf;

	all->result->rows = all->result->children = all->result->bytes = 0;
	resetStringInfo(&all->result->leaves);
	/* Too many rows are not in the way: the next batch takes fewer. */
	if (all->fanout > 0)
		leaf->fanout = all->fanout;
	else
		leaf->wary = WARY_BATCHES;
}

/*
 * A row that somebody takes in just this moment is waited for shortly. What is left of rows without
 * children is left to the last sweep: so a trigger that keeps rows has them twice in a run, and no more.
 */
bool
steward_batch_at_once(StewardBatch *batch, const ItemPointerData *slice, int count,
					  int size, StewardBatchResult *result)
{
	AtOnce		all = {
		.batch = batch, .rows = slice, .count = count, .size = size, .result = result
	};
	MemoryContext scratch;
	ErrorData  *error;

	if (!may_be_at_once(batch) || batch->leaf->wary-- > 0)
		return false;
	batch->leaf->wary = 0;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "rows at once",
									ALLOCSET_DEFAULT_SIZES);
	error = steward_attempt(destroy_at_once, &all, scratch);
	batch->recheck = NULL;
	MemoryContextDelete(scratch);
	if (error == NULL)
		return !all.cannot;
	if (!steward_batch_is_busy(error))
		ReThrowError(error);
	FreeErrorData(error);
	forget(&all);
	return false;
}
