/*
 * scan.c: amgettuple and amgetbitmap; see README, "Scans".
 *
 * One leaf at a time is copied: the TIDs of its entries in the range, and where they
 * are, so that the ones that turn out dead can be hinted.
 */
#include "blind/scan.h"

#include "access/htup_details.h"
#include "blind/hint.h"
#include "blind/reach.h"
#include "blind/scan_keys.h"
#include "blind/search.h"
#include "common/hashfn.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"

typedef struct CopiedItem
{
	uint64		tid;
	uint16		position;
	bool		dead;			/* found so, to be hinted */
} CopiedItem;

/* TIDs that were given: a row may be found by several tags. */
typedef struct Given
{
	uint64		tid;
	char		status;
} Given;

#define SH_PREFIX given
#define SH_ELEMENT_TYPE Given
#define SH_KEY_TYPE uint64
#define SH_KEY tid
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key) ^ (uint32) ((key) >> 32) * 0x9E3779B1U)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Scan
{
	StewardBlindSearch search;	/* first: it is allocated with the scan */
	bool		begun;			/* the search is */
	int			range;			/* which of the search's is looked at */
	bool		in_range;		/* its first leaf was read */
	bool		hints;			/* are set and heeded */
	given_hash *given;			/* in the search's context; NULL: not needed */
	StewardBlindReach reach;

	/* The leaf that was copied. */
	Buffer		pin;			/* of one that VACUUM must not touch yet */
	BlockNumber block;			/* InvalidBlockNumber: none */
	BlockNumber next;			/* to be read for the same range, or none */
	StewardBlindEntry high;		/* the least key of next */
	XLogRecPtr	lsn;
	CopiedItem *items;
	int			capacity;
	int			count;
	int			at;				/* the next to be given */
	int			dead_count;
} Scan;

IndexScanDesc
steward_blind_begin_scan(Relation index, int keys, int order_bys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, keys, order_bys);
	Scan	   *state = palloc0(sizeof *state);

	steward_blind_tagger_begin(&state->search.tagger, index, steward_blind_meta(index));
	state->search.context = AllocSetContextCreate(CurrentMemoryContext,
												  "blind index search",
												  ALLOCSET_SMALL_SIZES);
	state->pin = InvalidBuffer;
	state->block = InvalidBlockNumber;
	scan->opaque = state;
	return scan;
}

/* ---- leaving a leaf ---- */

static void
set_hints(Relation index, Scan *state)
{
	Buffer		buffer = ReadBuffer(index, state->block);
	bool		any = false;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (BufferGetLSNAtomic(buffer) == state->lsn)
	{
		for (int i = 0; i < state->count; i++)
			if (state->items[i].dead)
				any |= steward_blind_hint(BufferGetPage(buffer), state->items[i].position);
		if (any)
			MarkBufferDirtyHint(buffer, true);
	}
	UnlockReleaseBuffer(buffer);
}

static void
leave_leaf(Relation index, Scan *state)
{
	if (state->dead_count > 0)
		set_hints(index, state);
	if (BufferIsValid(state->pin))
		ReleaseBuffer(state->pin);
	state->pin = InvalidBuffer;
	state->block = InvalidBlockNumber;
	state->count = 0;
	state->at = 0;
	state->dead_count = 0;
}

/* ---- copying a leaf ---- */

static void
add_item(IndexScanDesc scan, Scan *state, Buffer buffer, uint64 tid, int position)
{
	CopiedItem *item;

	if (state->hints && steward_blind_hinted(BufferGetPage(buffer), position))
		return;
	item = &state->items[state->count++];
	item->tid = tid;
	item->position = position;
	item->dead = false;
}

static void
copy_packed(IndexScanDesc scan, Scan *state, Buffer buffer, const StewardBlindRange *range,
			int packed_count)
{
	StewardBlindPacked packed = steward_blind_packed(BufferGetPage(buffer));
	uint64	   *tids = palloc(Max(1, packed_count) * sizeof(uint64));
	int			first;
	int			count = steward_blind_collect(&packed, range->low, range->high, tids,
											  packed_count, &first);

	if (count < 0)
		steward_blind_raise_corrupted(scan->indexRelation, BufferGetBlockNumber(buffer));
	for (int i = 0; i < count; i++)
		add_item(scan, state, buffer, tids[i], first + i);
	pfree(tids);
}

static void
copy_tail(IndexScanDesc scan, Scan *state, Buffer buffer, const StewardBlindRange *range,
		  int packed_count)
{
	Page		page = BufferGetPage(buffer);
	int			found[STEWARD_BLIND_TAIL_MAX];
	int			count = steward_blind_tail_collect(page, range->low, range->high, found);

	for (int i = 0; i < count; i++)
		add_item(scan, state, buffer, steward_blind_tail_entry(page, found[i]).tid,
				 packed_count + found[i]);
}

static void
make_room(IndexScanDesc scan, Scan *state, int count)
{
	if (count <= state->capacity)
		return;
	if (state->items != NULL)
		pfree(state->items);
	state->capacity = count;
	state->items = MemoryContextAlloc(GetMemoryChunkContext(state), count * sizeof(CopiedItem));
}

/*
 * Raises unless the table has a place for each entry that was copied. Not while the leaf is
 * locked: a table may have to be opened for that.
 */
static void
require_reachable(IndexScanDesc scan, Scan *state)
{
	for (int i = 0; i < state->count; i++)
		steward_blind_require_reachable(&state->reach, scan->indexRelation,
										scan->heapRelation, state->block,
										state->items[i].tid);
}

/* Copies what a locked leaf has of the range, and lets it go. */
static void
copy_leaf(IndexScanDesc scan, Scan *state, Buffer buffer, const StewardBlindRange *range)
{
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	int			packed_count = steward_blind_count(&packed);
	StewardBlindEntry end = {range->high, PG_UINT64_MAX};

	if (packed_count < 0)
		steward_blind_raise_corrupted(scan->indexRelation, BufferGetBlockNumber(buffer));
	STEWARD_TEST_OLD_SNAPSHOT(scan->xs_snapshot, scan->indexRelation, page);
	PredicateLockPage(scan->indexRelation, BufferGetBlockNumber(buffer), scan->xs_snapshot);
	make_room(scan, state, packed_count + STEWARD_BLIND_TAIL_MAX);
	copy_packed(scan, state, buffer, range, packed_count);
	copy_tail(scan, state, buffer, range, packed_count);
	state->block = BufferGetBlockNumber(buffer);
	state->next = steward_blind_beyond(page, &end) ?
		STEWARD_BLIND_SPECIAL(page)->right : InvalidBlockNumber;
	(void) steward_blind_high_key(page, &state->high);
	state->lsn = BufferGetLSNAtomic(buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (IsMVCCSnapshot(scan->xs_snapshot))
		ReleaseBuffer(buffer);
	else
		state->pin = buffer;
	require_reachable(scan, state);
}

/* The next leaf of this range, or the first of the next; false after the last. */
static bool
next_leaf(IndexScanDesc scan, Scan *state)
{
	Relation	index = scan->indexRelation;
	Buffer		buffer;

	leave_leaf(index, state);
	if (state->in_range && state->next == InvalidBlockNumber)
	{
		state->range++;
		state->in_range = false;
	}
	if (state->range >= state->search.count)
		return false;
	if (state->in_range)
	{
		buffer = steward_blind_read(index, state->next, 0, BUFFER_LOCK_SHARE);
		steward_blind_require_right(index, buffer, &state->high);
	}
	else
	{
		StewardBlindEntry begin = {state->search.ranges[state->range].low, 0};

		buffer = steward_blind_find(index, &begin, 0, BUFFER_LOCK_SHARE);
	}
	state->in_range = true;
	copy_leaf(scan, state, buffer, &state->search.ranges[state->range]);
	return true;
}

/* ---- what PostgreSQL calls ---- */

void
steward_blind_rescan(IndexScanDesc scan, ScanKey keys, int key_count, ScanKey order_bys,
					 int order_by_count)
{
	Scan	   *state = scan->opaque;

	leave_leaf(scan->indexRelation, state);
	if (keys != NULL && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	state->begun = false;
}

/*
 * A constraint looks for rows in progress, and writers need no right to search. No query
 * takes such a snapshot; the apply of logical replication may, and compares whole rows.
 */
static bool
is_constraint_check(const IndexScanDesc scan)
{
	return scan->xs_snapshot->snapshot_type == SNAPSHOT_DIRTY;
}

static void
begin_search(IndexScanDesc scan, Scan *state)
{
	bool		check = is_constraint_check(scan);

	pgstat_count_index_scan(scan->indexRelation);
	STEWARD_COUNT_INDEX_SEARCH(scan);
	state->hints = RelationNeedsWAL(scan->indexRelation) && scan->ignore_killed_tuples;
	steward_blind_search_begin(&state->search, scan,
							   check ? 0 : STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	scan->xs_recheck = !(check && state->search.tagger.meta.exact);
	state->given = NULL;
	state->range = 0;
	state->in_range = false;
	state->begun = true;
}

static void
note_dead(Scan *state)
{
	if (!state->hints || state->at == 0 || state->items[state->at - 1].dead)
		return;
	state->items[state->at - 1].dead = true;
	state->dead_count++;
}

/*
 * Where a row has several tags, those of what is looked for among them: also by chance, if
 * tags are short. It must not be given twice.
 */
static bool
given_before(const Scan *state, uint64 tid)
{
	bool		found = false;

	if (state->given != NULL)
		(void) given_insert(state->given, tid, &found);
	return found;
}

/* Rows come in no order, one by one: of ranges to be intersected the first will do. */
static void
begin_tuples(IndexScanDesc scan, Scan *state)
{
	begin_search(scan, state);
	if (state->search.intersect)
		state->search.count = 1;
	else if (state->search.tagger.meta.multi && state->search.count > 1)
		state->given = given_create(state->search.context, 256, NULL);
}

bool
steward_blind_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	Scan	   *state = scan->opaque;

	Assert(ScanDirectionIsForward(direction));
	if (!state->begun)
		begin_tuples(scan, state);
	else if (scan->kill_prior_tuple)
		note_dead(state);
	do
	{
		while (state->at >= state->count)
		{
			CHECK_FOR_INTERRUPTS();
			if (!next_leaf(scan, state))
				return false;
		}
	} while (given_before(state, state->items[state->at++].tid));
	steward_blind_item_pointer(state->items[state->at - 1].tid, &scan->xs_heaptid);
	return true;
}

/* The rows of ranges from the current one on and before end. */
static int64
add_ranges(IndexScanDesc scan, Scan *state, int end, TIDBitmap *bitmap)
{
	int64		given = 0;

	state->search.count = end;
	while (next_leaf(scan, state))
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < state->count; i++)
		{
			ItemPointerData tid;

			steward_blind_item_pointer(state->items[i].tid, &tid);
			tbm_add_tuples(bitmap, &tid, 1, true);
		}
		given += state->count;
	}
	return given;
}

/* The rows that are in all ranges. */
static int64
add_intersection(IndexScanDesc scan, Scan *state, TIDBitmap *bitmap)
{
	int			ranges = state->search.count;
	TIDBitmap  *all = tbm_create(work_mem * 1024L, NULL);
	int64		given = add_ranges(scan, state, 1, all);

	for (int i = 1; i < ranges && !tbm_is_empty(all); i++)
	{
		TIDBitmap  *one = tbm_create(work_mem * 1024L, NULL);

		given = Min(given, add_ranges(scan, state, i + 1, one));
		tbm_intersect(all, one);
		tbm_free(one);
	}
	tbm_union(bitmap, all);
	tbm_free(all);
	return given;
}

int64
steward_blind_get_bitmap(IndexScanDesc scan, TIDBitmap *bitmap)
{
	Scan	   *state = scan->opaque;

	begin_search(scan, state);
	if (state->search.intersect && state->search.count > 1)
		return add_intersection(scan, state, bitmap);
	return add_ranges(scan, state, state->search.count, bitmap);
}

void
steward_blind_end_scan(IndexScanDesc scan)
{
	Scan	   *state = scan->opaque;

	leave_leaf(scan->indexRelation, state);
	MemoryContextDelete(state->search.context);
	if (state->items != NULL)
		pfree(state->items);
	pfree(state);
}
