/*
 * reach.c: entries that lead past the end of their table.
 *
 * Only damage makes them. Whoever looked such a row up would fail without naming the index;
 * and from 16 on the failed read leaves a buffer with another page's content that the
 * table's next extension takes for its new block (bufmgr.c, ExtendBufferedRelShared), so
 * that an INSERT into a sound table fails ("should be empty but is not").
 */
#include "blind/reach.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "storage/bufmgr.h"

/* Of a table access method that is not PostgreSQL's own nobody knows what its TIDs mean. */
static void
measure(StewardBlindReach *reach, Relation heap)
{
	bool		known = heap->rd_rel->relam == HEAP_TABLE_AM_OID;

	/* InvalidBlockNumber is to PostgreSQL a block to be added. */
	reach->blocks = known ? RelationGetNumberOfBlocks(heap) : InvalidBlockNumber;
	reach->offsets = known ? MaxHeapTuplesPerPage : PG_UINT16_MAX;
}

bool
steward_blind_is_reachable(StewardBlindReach *reach, Relation heap, uint64 tid)
{
	if (!steward_blind_is_within(reach, tid))
		measure(reach, heap);
	return steward_blind_is_within(reach, tid);
}

void
steward_blind_require_reachable(StewardBlindReach *reach, Relation index, Relation heap,
								BlockNumber block, uint64 tid)
{
	Relation	opened = NULL;
	bool		reachable;

	if (steward_blind_is_within(reach, tid))
		return;
	/* A bitmap scan does not say which table it is of. */
	if (heap == NULL)
		heap = opened = table_open(IndexGetRelation(RelationGetRelid(index), false),
								   AccessShareLock);
	reachable = steward_blind_is_reachable(reach, heap, tid);
	if (opened != NULL)
		table_close(opened, AccessShareLock);
	if (!reachable)
		steward_blind_raise_corrupted(index, block);
}
