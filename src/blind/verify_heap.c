/*
 * verify_heap.c: has every row its entry? See verify.h.
 *
 * All entries of the index are in a Bloom filter, and rows are read by a snapshot from
 * before the index was. So a row whose entry is not in the filter had none. It is looked
 * for in the index nevertheless, so that nothing is said that is not so. The filter takes
 * a false entry for a true one now and then: a row's missing entry may go
 * unnoticed, by chance and with less memory oftener; another filter will notice it.
 */
#include "blind/verify.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/errors.h"
#include "blind/multi.h"
#include "blind/search.h"
#include "blind/tag.h"
#include "blind/validate.h"
#include "catalog/index.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "types/side.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * Entries of a page, when nothing better is known: as many as there mostly are. Where values
 * share tags, and pg_class counts rows or entries, one takes little more than a byte.
 */
#define ENTRIES_PER_PAGE 1200
#define SHARED_ENTRIES_PER_PAGE BLCKSZ

typedef struct HeapCheck
{
	StewardBlindCheck *check;
	StewardBlindTagger tagger;
	MemoryContext row_context;
} HeapCheck;

Snapshot
steward_blind_check_heap_begin(StewardBlindCheck *check)
{
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	int			per_page = steward_blind_is_multi(check->index) ?
		SHARED_ENTRIES_PER_PAGE : ENTRIES_PER_PAGE;
	int64		entries = Max((int64) RelationGetNumberOfBlocks(check->index) * per_page,
							  (int64) check->index->rd_rel->reltuples);

	/* An index made meanwhile may lack rows that an old snapshot sees. */
	if (IsolationUsesXactSnapshot() && check->index->rd_index->indcheckxmin &&
		!TransactionIdPrecedes(HeapTupleHeaderGetXmin(check->index->rd_indextuple->t_data),
							   snapshot->xmin))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index \"%s\" cannot be checked with this transaction's snapshot",
						RelationGetRelationName(check->index)),
				 errhint("Check it in a transaction that begins now.")));
	check->filter = bloom_create(entries, maintenance_work_mem,
								 pg_prng_uint64(&pg_global_prng_state));
	return snapshot;
}

/* Is the entry in the index? */
static bool
is_there(Relation index, const StewardBlindEntry *entry)
{
	Buffer		buffer = steward_blind_find(index, entry, 0, BUFFER_LOCK_SHARE);
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	int			has = steward_blind_has(&packed, entry->tag, entry->tid);

	if (has < 0)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
	if (has == 0)
		has = steward_blind_tail_has(page, entry);
	UnlockReleaseBuffer(buffer);
	return has > 0;
}

static bool
is_erased(Relation index, int column, Datum value)
{
	StewardPlaintextScope scope;
	StewardSide side;
	bool		erased;

	steward_plaintext_begin(&scope);
	(void) FunctionCall2(index_getprocinfo(index, column + 1, STEWARD_BLIND_CANONICAL_PROC),
						 value, PointerGetDatum(&side));
	erased = side.erased;
	steward_side_release(&side);
	steward_plaintext_end(&scope);
	return erased;
}

/* A row whose subject was erased has another tag than when it was inserted. */
static bool
has_erased(Relation index, const Datum *values, const bool *isnull)
{
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		if (!isnull[i] && is_erased(index, i, values[i]))
			return true;
	return false;
}

/* Is one of these entries neither in the filter nor in the index? */
static bool
lacks_any(const StewardBlindCheck *check, const StewardBlindEntry *entries, int count)
{
	for (int i = 0; i < count; i++)
	{
		StewardBlindEntry entry = entries[i];

		if (bloom_lacks_element(check->filter, (unsigned char *) &entry, sizeof entry) &&
			!is_there(check->index, &entry))
			return true;
	}
	return false;
}

static void
check_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive,
		  void *state)
{
	HeapCheck  *heap = state;
	StewardBlindCheck *check = heap->check;
	MemoryContext outer = MemoryContextSwitchTo(heap->row_context);
	StewardBlindEntry *entries;
	int			count = steward_blind_row_entries(&heap->tagger, index, values, isnull,
												  steward_blind_tid(tid), &entries);

	if (lacks_any(check, entries, count) && !has_erased(index, values, isnull))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" lacks an entry of row (%u,%u) of table \"%s\"",
						RelationGetRelationName(index), ItemPointerGetBlockNumber(tid),
						ItemPointerGetOffsetNumber(tid), RelationGetRelationName(check->heap)),
				 errhint("Please REINDEX it.")));
	MemoryContextSwitchTo(outer);
	MemoryContextReset(heap->row_context);
}

/* The predicate of a partial index runs as the table's owner, whoever checks. */
void
steward_blind_check_heap(StewardBlindCheck *check, Snapshot snapshot)
{
	HeapCheck	heap = {.check = check};
	struct IndexInfo *info;
	TableScanDesc scan;
	StewardIdentity caller;

	steward_become(check->heap->rd_rel->relowner, &caller);
	steward_blind_tagger_begin(&heap.tagger, check->index, &check->meta);
	heap.row_context = AllocSetContextCreate(CurrentMemoryContext, "blind index check",
											 ALLOCSET_DEFAULT_SIZES);
	info = BuildIndexInfo(check->index);
	/* By the snapshot, and without waiting for those who write. */
	info->ii_Concurrent = true;
	info->ii_Unique = false;
	info->ii_ExclusionOps = NULL;
	info->ii_ExclusionProcs = NULL;
	info->ii_ExclusionStrats = NULL;
	scan = table_beginscan_strat(check->heap, snapshot, 0, NULL, true, true);
	check->rows = table_index_build_scan(check->heap, check->index, info, true, false,
										 check_row, &heap, scan);
	MemoryContextDelete(heap.row_context);
	steward_become_caller(&caller);
	UnregisterSnapshot(snapshot);
	bloom_free(check->filter);
}
