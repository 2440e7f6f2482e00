/*
 * ddl_partition.c: which table a command made a partition, or one no more.
 *
 * PostgreSQL does not tell event triggers, and the name in the statement may mean
 * another table when they run: partition constraints call functions of the owner's,
 * which can change the search path. The object-access hook tells: it is called with
 * the child and the parent when the tie between them is made or cut.
 */
#include "audit/ddl.h"

#include "access/xact.h"
#include "base/hooks.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_inherits.h"
#include "utils/memutils.h"

typedef struct Tie
{
	Oid			child;
	Oid			parent;
} Tie;

static List *ties = NIL;		/* of this transaction, the newest last */

static void
on_object(int access, Oid class_id, Oid object, int part, void *arg)
{
	MemoryContext caller;
	Tie		   *tie;

	if (class_id != InheritsRelationId || access != OAT_POST_ALTER || arg == NULL)
		return;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	tie = palloc(sizeof(Tie));
	tie->child = object;
	tie->parent = ((ObjectAccessPostAlter *) arg)->auxiliary_id;
	ties = lappend(ties, tie);
	MemoryContextSwitchTo(caller);
}

static void
on_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		ties = NIL;				/* the memory goes with the transaction's */
}

void
steward_ddl_partition_init(void)
{
	steward_hooks_on_object(on_object);
	RegisterXactCallback(on_transaction, NULL);
}

/* Of several with this parent, an earlier one was rolled back. */
Oid
steward_ddl_partition(Oid parent, const RangeVar *name)
{
	for (int i = list_length(ties) - 1; i >= 0; i--)
	{
		const Tie  *tie = list_nth(ties, i);

		if (tie->parent == parent)
			return tie->child;
	}
	/* of an index, which no tie is told of */
	return RangeVarGetRelid(name, NoLock, true);
}

void
steward_ddl_partition_forget(Oid relid)
{
	ListCell   *cell;

	foreach(cell, ties)
	{
		const Tie  *tie = lfirst(cell);

		if (tie->parent == relid || tie->child == relid)
			ties = foreach_delete_current(ties, cell);
	}
}
