/*
 * erase.c: removing the tags of erased values; see erase.h, and README, "Erasure".
 *
 * Terms
 *	 doomed		said of an entry whose row has another one after the erasure
 */
#include "blind/erase.h"

#include <float.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relation.h"
#include "access/table.h"
#include "base/slices.h"
#include "blind/bounds.h"
#include "blind/erase_rows.h"
#include "blind/insert.h"
#include "blind/page.h"
#include "blind/search.h"
#include "blind/vacuum.h"
#include "catalog/index.h"
#include "catalog/storage.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* So long a wait says nothing. */
#define PATIENCE_MILLISECONDS 1000

/* ---- entries that go, and those that come ---- */

typedef struct Entries
{
	StewardBlindEntry *items;
	int			count;
	int			room;
} Entries;

typedef struct Erasure
{
	Relation	index;
	StewardBlindErasedRows rows;
	Entries		doomed;
	int			most;			/* doomed entries at one time */
	bool		more;			/* there are more than these */
} Erasure;

static void
append(Entries *entries, const StewardBlindEntry *entry)
{
	if (entries->count == entries->room)
	{
		entries->room = Max(64, entries->room * 2);
		entries->items = entries->items == NULL ?
			palloc(entries->room * sizeof *entries->items) :
			repalloc_huge(entries->items, entries->room * sizeof *entries->items);
	}
	entries->items[entries->count++] = *entry;
}

static int
compare_entries(const void *a, const void *b)
{
	const StewardBlindEntry *x = a;
	const StewardBlindEntry *y = b;

	return steward_blind_compare(x->tag, x->tid, y->tag, y->tid);
}

/* In order, and each once. */
static void
sort_entries(Entries *entries)
{
	int			kept = 0;

	if (entries->count > 1)
		qsort(entries->items, entries->count, sizeof *entries->items, compare_entries);
	for (int i = 0; i < entries->count; i++)
		if (kept == 0 || compare_entries(&entries->items[kept - 1], &entries->items[i]) != 0)
			entries->items[kept++] = entries->items[i];
	entries->count = kept;
}

/* Entries of rows that nobody sees any more go at once; the others are noted. */
static bool
keep(const StewardBlindEntry *entry, void *arg)
{
	Erasure    *erasure = arg;
	StewardBlindFate fate = steward_blind_erased_fate(&erasure->rows, entry);

	if (fate == STEWARD_BLIND_REPLACED && erasure->doomed.count < erasure->most)
		append(&erasure->doomed, entry);
	else if (fate == STEWARD_BLIND_REPLACED)
		erasure->more = true;
	return fate != STEWARD_BLIND_GOES;
}

static int
compare_tids(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
}

/* The TIDs of doomed entries, in order: a row may have many of them. */
static uint64 *
doomed_tids(const Erasure *erasure)
{
	Size		size = Max(1, erasure->doomed.count) * sizeof(uint64);
	uint64	   *tids = palloc_extended(size, MCXT_ALLOC_HUGE);

	for (int i = 0; i < erasure->doomed.count; i++)
		tids[i] = erasure->doomed.items[i].tid;
	qsort(tids, erasure->doomed.count, sizeof *tids, compare_tids);
	return tids;
}

/* What rows have in place of doomed entries. Those without one are not in the index. */
static Entries
find_substitutes(const Erasure *erasure)
{
	const StewardBlindErasedRows *rows = &erasure->rows;
	uint64	   *tids = doomed_tids(erasure);
	Entries		substitutes = {0};

	for (int i = 0; i < erasure->doomed.count; i++)
	{
		const StewardBlindErased *item = steward_blind_erased_find(rows, tids[i]);

		if (i > 0 && tids[i] == tids[i - 1])
			continue;
		for (; steward_blind_erased_is_of(rows, item, tids[i]); item++)
			if (!item->none)
				append(&substitutes, &item->entry);
	}
	pfree(tids);
	sort_entries(&substitutes);
	return substitutes;
}

/* ---- replacing them ---- */

static void
lock_index(void *arg)
{
	LockRelationOid(*(const Oid *) arg, AccessExclusiveLock);
}

/* Readers of the table queue behind this lock, so it is not waited for for long at a time. */
static void
keep_scans_out(Relation index)
{
	Oid			oid = RelationGetRelid(index);

	if (steward_in_slices(lock_index, &oid, LockTimeout > 0 ? LockTimeout : PATIENCE_MILLISECONDS))
		return;
	if (LockTimeout > 0)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("other transactions stay in the way of removing tags of erased values from index \"%s\"",
						RelationGetRelationName(index)),
				 errhint("Try again when they have ended; pg_locks shows them.")));
	ereport(NOTICE,
			(errmsg("waiting for transactions that use index \"%s\"",
					RelationGetRelationName(index)),
			 errhint("pg_locks shows them.")));
	(void) steward_in_slices(lock_index, &oid, DBL_MAX);
}

/*
 * Drops those that are on the leaf of the first; returns how many are done: none where the
 * leaf had to be split first.
 */
static int
drop_from_leaf(Relation index, const StewardBlindEntry *doomed, int count)
{
	Buffer		buffer = steward_blind_find(index, doomed, 0, BUFFER_LOCK_EXCLUSIVE);
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	StewardBlindEntry *entries =
		palloc((Max(steward_blind_count(&packed), 0) + STEWARD_BLIND_TAIL_MAX) * sizeof *entries);
	int			entry_count = steward_blind_leaf_entries(index, BufferGetBlockNumber(buffer),
														 page, entries);
	int			kept = 0;
	int			done = 0;

	for (int i = 0; i < entry_count; i++)
	{
		while (done < count && compare_entries(&doomed[done], &entries[i]) < 0)
			done++;
		if (done == count || compare_entries(&doomed[done], &entries[i]) != 0)
			entries[kept++] = entries[i];
	}
	while (done < count && !steward_blind_beyond(page, &doomed[done]))
		done++;
	if (kept == entry_count)
		UnlockReleaseBuffer(buffer);
	else if (!steward_blind_leaf_rewrite(index, buffer, entries, kept))
		done = 0;
	pfree(entries);
	return done;
}

/*
 * A scan of a range that has both, the old entry and the new one, must find just one of them;
 * so no scan is under way meanwhile, on a standby neither.
 */
static void
replace_entries(Erasure *erasure)
{
	Entries		substitutes;

	sort_entries(&erasure->doomed);
	substitutes = find_substitutes(erasure);
	keep_scans_out(erasure->index);
	steward_blind_insert_entries(erasure->index, substitutes.items, substitutes.count);
	for (int done = 0; done < erasure->doomed.count;)
	{
		CHECK_FOR_INTERRUPTS();
		done += drop_from_leaf(erasure->index, erasure->doomed.items + done,
							   erasure->doomed.count - done);
	}
}

/* ---- an index ---- */

static void
lower_bounds(Erasure *erasure)
{
	if (!steward_blind_has_stale_bounds(erasure->index, &erasure->rows))
		return;
	keep_scans_out(erasure->index);
	steward_blind_lower_bounds(erasure->index, &erasure->rows);
}

static void
erase_entries(Erasure *erasure)
{
	StewardBlindRemoval removal = {
		.index = erasure->index,
		.strategy = GetAccessStrategy(BAS_BULKREAD),
		.keep = keep,
		.arg = erasure
	};

	erasure->most = (int) Min((int64) maintenance_work_mem * 1024 / 4 / sizeof(StewardBlindEntry),
							  INT_MAX / 4);
	steward_blind_remove(&removal);
	FreeAccessStrategy(removal.strategy);
	if (erasure->doomed.count > 0)
		replace_entries(erasure);
}

/* Returns the block to go on with. */
static BlockNumber
erase_from(Relation heap, Relation index, const List *subjects, BlockNumber from)
{
	Erasure		erasure = {.index = index};
	BlockNumber next = steward_blind_erased_rows(&erasure.rows, heap, index, subjects, from);

	if (erasure.rows.count > 0)
		erase_entries(&erasure);
	lower_bounds(&erasure);
	return erasure.more ? from : next;
}

/*
 * What a CREATE, REINDEX or DROP INDEX CONCURRENTLY left behind that failed has tags, perhaps
 * of rows that nobody finds any more. Nobody will ever use it.
 */
static void
empty_remains(Relation index)
{
	if (RelationGetNumberOfBlocks(index) == 0)
		return;
	keep_scans_out(index);
	RelationTruncate(index, 0);
}

static void
erase_locked(Relation heap, Oid index_oid, const List *subjects, BlockNumber *next)
{
	BlockNumber from = *next;
	Relation	index;

	*next = InvalidBlockNumber;
	if (RELATION_IS_OTHER_TEMP(heap))
		return;
	index = try_relation_open(index_oid, RowExclusiveLock);
	if (index == NULL)
		return;
	if (heap->rd_tableam != GetHeapamTableAmRoutine())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot remove tags of erased values from index \"%s\"",
						RelationGetRelationName(index)),
				 errdetail("The access method of its table is not heap."),
				 errhint("Drop the index.")));
	if (index->rd_index->indisready && index->rd_index->indislive)
		*next = erase_from(heap, index, subjects, from);
	else
		empty_remains(index);
	relation_close(index, NoLock);
}

void
steward_blind_erase(Oid index, const List *subjects, BlockNumber *next)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "erasure from a blind index",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Oid			heap_oid = IndexGetRelation(index, true);
	Relation	heap = NULL;

	if (OidIsValid(heap_oid))
	{
		/* Whoever has the lock may wait for old snapshots. */
		InvalidateCatalogSnapshotConditionally();
		LockRelationOid(heap_oid, ShareUpdateExclusiveLock);
		heap = try_relation_open(heap_oid, NoLock);
	}
	if (heap != NULL)
	{
		erase_locked(heap, index, subjects, next);
		relation_close(heap, NoLock);
	}
	else
		*next = InvalidBlockNumber;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
