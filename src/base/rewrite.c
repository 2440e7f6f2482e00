/*
 * rewrite.c: giving rows new values in place of an UPDATE; see rewrite.h.
 */
#include "base/rewrite.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

void
steward_rewrite_begin(StewardRewrite *rewrite, Relation rel,
					  StewardRewriteRow row, void *arg)
{
	if (rel->rd_tableam->scan_set_tidrange == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has an access method that cannot be read by ranges of blocks",
						RelationGetRelationName(rel))));
	CheckCmdReplicaIdentity(rel, CMD_UPDATE);
	memset(rewrite, 0, sizeof *rewrite);
	rewrite->rel = rel;
	rewrite->row = row;
	rewrite->arg = arg;
	rewrite->estate = CreateExecutorState();
	rewrite->result = makeNode(ResultRelInfo);
	InitResultRelInfo(rewrite->result, rel, 0, NULL, 0);
	ExecOpenIndices(rewrite->result, false);
	rewrite->old_slot = table_slot_create(rel, NULL);
	rewrite->new_slot = table_slot_create(rel, NULL);
}

void
steward_rewrite_end(StewardRewrite *rewrite)
{
	ExecDropSingleTupleTableSlot(rewrite->old_slot);
	ExecDropSingleTupleTableSlot(rewrite->new_slot);
	ExecCloseIndices(rewrite->result);
	FreeExecutorState(rewrite->estate);
	pfree(rewrite->result);
}

/* Fills the new slot from the old one; false when the row stays as it is. */
static bool
make_row(StewardRewrite *rewrite)
{
	TupleTableSlot *old = rewrite->old_slot;
	TupleTableSlot *new = rewrite->new_slot;
	TupleDesc	desc = RelationGetDescr(rewrite->rel);
	MemoryContext caller;
	bool		changed;

	slot_getallattrs(old);
	ExecClearTuple(new);
	memcpy(new->tts_values, old->tts_values, desc->natts * sizeof(Datum));
	memcpy(new->tts_isnull, old->tts_isnull, desc->natts * sizeof(bool));
	for (int i = 0; i < desc->natts; i++)
	{
		/* As an UPDATE does: what was dropped takes no room any more. */
		if (TupleDescAttr(desc, i)->attisdropped)
			new->tts_isnull[i] = true;
	}
	caller = MemoryContextSwitchTo(GetPerTupleMemoryContext(rewrite->estate));
	changed = rewrite->row(old, new->tts_values, new->tts_isnull, rewrite->arg);
	MemoryContextSwitchTo(caller);
	if (changed)
		ExecStoreVirtualTuple(new);
	return changed;
}

static void
update_row(StewardRewrite *rewrite, CommandId command)
{
	ItemPointerData tid = rewrite->old_slot->tts_tid;
	TupleTableSlot *new = rewrite->new_slot;
	StewardUpdateIndexes indexes;
	LockTupleMode mode;
	TM_FailureData failure;
	TM_Result	result;

	new->tts_tableOid = RelationGetRelid(rewrite->rel);
	result = table_tuple_update(rewrite->rel, &tid, new, command,
								GetActiveSnapshot(), InvalidSnapshot, rewrite->wait,
								&failure, &mode, &indexes);
	switch (result)
	{
		case TM_Ok:
			break;
		case TM_BeingModified:
		case TM_Updated:
		case TM_Deleted:
			rewrite->busy++;
			return;
		default:
			elog(ERROR, "unexpected answer %d to the update of a row", (int) result);
	}
	rewrite->changed++;

	/*
	 * No key of a constraint has changed, so there is nothing to check again
	 * at commit.
	 */
	if (rewrite->result->ri_NumIndices > 0 && STEWARD_INDEXES_CHANGE(indexes))
		(void) STEWARD_INSERT_INDEX_TUPLES(rewrite->result, new, rewrite->estate,
										   indexes);
}

void
steward_rewrite_blocks(StewardRewrite *rewrite, BlockNumber begin,
					   BlockNumber end)
{
	CommandId	command = GetCurrentCommandId(true);
	ItemPointerData low;
	ItemPointerData high;
	TableScanDesc scan;

	if (begin >= end)
		return;
	ItemPointerSet(&low, begin, 0);
	ItemPointerSet(&high, end - 1, MaxOffsetNumber);
	scan = table_beginscan_tidrange(rewrite->rel, GetActiveSnapshot(), &low,
									&high);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection,
										   rewrite->old_slot))
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(rewrite->estate);
		if (make_row(rewrite))
			update_row(rewrite, command);
	}
	table_endscan(scan);
	ExecClearTuple(rewrite->new_slot);
}
