/*
 * parallel.c: whose read a parallel worker works for.
 *
 * A leader gives each worker the range table of the plan, as it is when the worker
 * is started. The name of the read stands in one more entry, at its end, that no
 * plan refers to. It so comes with the plan that it belongs to, whatever else the
 * leader runs meanwhile, and also inside of another parallel plan, where settings
 * cannot be changed any more.
 */
#include "base/compat.h"

#include "access/parallel.h"
#include "access/read.h"
#include "access/spool.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "tcop/dest.h"

#define MARK "pg_steward read "

void
steward_read_name_to_workers(StewardRead *read)
{
	EState	   *state = read->query->estate;
	MemoryContext old;
	RangeTblEntry *mark;

	if (likely(!read->query->plannedstmt->parallelModeNeeded))
		return;
	old = MemoryContextSwitchTo(state->es_query_cxt);
	mark = makeNode(RangeTblEntry);
	mark->rtekind = RTE_RESULT;
	mark->eref = makeAlias(psprintf(MARK "%s/" UINT64_FORMAT, steward_spool_session(),
									read->number), NIL);
	/* The list itself is the plan's, and others may run it. */
	state->es_range_table = lappend(list_copy(state->es_range_table), mark);
	MemoryContextSwitchTo(old);
}

const char *
steward_read_leader(QueryDesc *query)
{
	const RangeTblEntry *last;

	/* What a function runs in a worker goes elsewhere. */
	if (likely(!IsParallelWorker()) || query->dest == NULL ||
		query->dest->mydest != DestTupleQueue || query->plannedstmt->rtable == NIL)
		return NULL;
	last = llast_node(RangeTblEntry, query->plannedstmt->rtable);
	if (last->rtekind != RTE_RESULT || last->eref == NULL ||
		strncmp(last->eref->aliasname, MARK, strlen(MARK)) != 0)
		return NULL;
	return last->eref->aliasname + strlen(MARK);
}
