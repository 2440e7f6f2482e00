/*
 * unique.c: uniqueness; see unique.h, and README, "Uniqueness".
 *
 * Tags decide, which have 96 bits here: nobody opens a value, and writers need no
 * right. Whoever inserts a tag holds the lock of the first leaf that can have it, from
 * before it looks for other rows until its entry is there. So of two that insert the
 * same tag the second finds the first one's entry.
 */
#include "blind/unique.h"

#include "access/tableam.h"
#include "blind/hint.h"
#include "blind/insert.h"
#include "blind/page.h"
#include "blind/reach.h"
#include "blind/search.h"
#include "blind/split.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/snapmgr.h"

/* What is known of a newcomer's tag after looking at some entries. */
typedef enum Verdict
{
	FREE,						/* no other row has it */
	MOOT,						/* the newcomer is dead itself */
	UNSURE,						/* another row has it, or may come to */
	PENDING,					/* a transaction that is not over decides */
	TAKEN						/* another row has it */
} Verdict;

typedef struct Check
{
	Relation	index;
	Relation	heap;
	const StewardBlindEntry *entry; /* the newcomer */
	IndexUniqueCheck mode;
	StewardBlindReach reach;
	Buffer		first;			/* leaf of the tag, exclusively locked */
	SnapshotData dirty;
	bool		found;			/* the newcomer's own entry */
	TransactionId pending;		/* that decides */
} Check;

bool
steward_blind_differs(Relation index, const bool *isnull)
{
	if (index->rd_index->indnullsnotdistinct)
		return false;
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		if (isnull[i])
			return true;
	return false;
}

/* ---- is there another row? ---- */

/*
 * Where CREATE INDEX CONCURRENTLY inserts a row that was deleted meanwhile, or the head
 * of a chain of which nothing lives, there is no conflict.
 */
static bool
newcomer_lives(const Check *check)
{
	ItemPointerData pointer;

	steward_blind_item_pointer(check->entry->tid, &pointer);
	return table_index_fetch_tuple_check(check->heap, &pointer, SnapshotSelf, NULL);
}

/* Relations without WAL have no hints: what is in their place means nothing. */
static bool
skips(const Check *check, Page page, int position)
{
	return RelationNeedsWAL(check->index) && steward_blind_hinted(page, position);
}

static void
note_dead(const Check *check, Buffer buffer, int position)
{
	if (!RelationNeedsWAL(check->index))
		return;
	steward_blind_hint(BufferGetPage(buffer), position);
	MarkBufferDirtyHint(buffer, true);
}

/* What an entry with the newcomer's tag says. */
static Verdict
judge(Check *check, Buffer buffer, uint64 tid, int position)
{
	ItemPointerData pointer;
	bool		all_dead = false;

	if (tid == check->entry->tid)
	{
		check->found = true;
		return FREE;
	}
	steward_blind_require_reachable(&check->reach, check->index, check->heap,
									BufferGetBlockNumber(buffer), tid);
	if (skips(check, BufferGetPage(buffer), position))
		return FREE;
	steward_blind_item_pointer(tid, &pointer);
	if (!table_index_fetch_tuple_check(check->heap, &pointer, &check->dirty, &all_dead))
	{
		if (all_dead)
			note_dead(check, buffer, position);
		return FREE;
	}
	if (check->mode == UNIQUE_CHECK_PARTIAL)
		return UNSURE;
	check->pending = TransactionIdIsValid(check->dirty.xmin) ? check->dirty.xmin :
		check->dirty.xmax;
	if (TransactionIdIsValid(check->pending))
		return PENDING;
	return newcomer_lives(check) ? TAKEN : MOOT;
}

static Verdict
judge_packed(Check *check, Buffer buffer, int packed_count)
{
	StewardBlindPacked packed = steward_blind_packed(BufferGetPage(buffer));
	StewardBlindTag tag = check->entry->tag;
	uint64	   *tids = palloc(Max(1, packed_count) * sizeof *tids);
	Verdict		verdict = FREE;
	int			first;
	int			count = steward_blind_collect(&packed, tag, tag, tids, packed_count, &first);

	if (count < 0)
		steward_blind_raise_corrupted(check->index, BufferGetBlockNumber(buffer));
	for (int i = 0; i < count && verdict == FREE; i++)
		verdict = judge(check, buffer, tids[i], first + i);
	pfree(tids);
	return verdict;
}

static Verdict
judge_tail(Check *check, Buffer buffer, int packed_count)
{
	Page		page = BufferGetPage(buffer);
	int			count = steward_blind_tail_count(page);
	Verdict		verdict = FREE;

	for (int i = 0; i < count && verdict == FREE; i++)
	{
		StewardBlindEntry entry = steward_blind_tail_entry(page, i);

		if (entry.tag == check->entry->tag)
			verdict = judge(check, buffer, entry.tid, packed_count + i);
	}
	return verdict;
}

/* All entries of a locked leaf that have the tag. */
static Verdict
judge_leaf(Check *check, Buffer buffer)
{
	StewardBlindPacked packed = steward_blind_packed(BufferGetPage(buffer));
	int			packed_count = steward_blind_count(&packed);
	Verdict		verdict;

	if (packed_count < 0)
		steward_blind_raise_corrupted(check->index, BufferGetBlockNumber(buffer));
	verdict = judge_packed(check, buffer, packed_count);
	return verdict == FREE ? judge_tail(check, buffer, packed_count) : verdict;
}

/* All entries that have the tag: a run of them may reach over leaves to the right. */
static Verdict
judge_all(Check *check)
{
	const StewardBlindEntry end = {check->entry->tag, PG_UINT64_MAX};
	Buffer		buffer = check->first;
	Verdict		verdict = judge_leaf(check, buffer);

	while (verdict == FREE && steward_blind_beyond(BufferGetPage(buffer), &end))
	{
		BlockNumber right = STEWARD_BLIND_SPECIAL(BufferGetPage(buffer))->right;

		if (buffer != check->first)
			UnlockReleaseBuffer(buffer);
		buffer = steward_blind_read(check->index, right, 0, BUFFER_LOCK_SHARE);
		verdict = judge_leaf(check, buffer);
	}
	if (buffer != check->first)
		UnlockReleaseBuffer(buffer);
	return verdict;
}

/* ---- what follows from it ---- */

/* No lock on a page is held meanwhile. */
static void
wait_for_pending(const Check *check)
{
	ItemPointerData pointer;

	steward_blind_item_pointer(check->entry->tid, &pointer);
	if (check->dirty.speculativeToken != 0)
		SpeculativeInsertionWait(check->pending, check->dirty.speculativeToken);
	else
		XactLockTableWait(check->pending, check->index, &pointer, XLTW_InsertIndex);
}

/* Locks the first leaf of the tag, and looks until nothing is pending. */
static Verdict
decide(Check *check)
{
	const StewardBlindEntry least = {check->entry->tag, 0};

	for (;;)
	{
		Verdict		verdict;

		check->first = steward_blind_find_leaf(check->index, &least);
		/* A violation must not hide a serialization failure. */
		if (check->mode != UNIQUE_CHECK_EXISTING)
			CheckForSerializableConflictIn(check->index, NULL,
										   BufferGetBlockNumber(check->first));
		verdict = judge_all(check);
		if (verdict != PENDING)
			return verdict;
		UnlockReleaseBuffer(check->first);
		wait_for_pending(check);
	}
}

/*
 * The leaf that the entry belongs on, exclusively locked and with no split to finish: the first
 * of the tag, which stays locked, or one to the right of it.
 */
static Buffer
find_place(const Check *check)
{
	Buffer		buffer = check->first;

	for (;;)
	{
		const StewardBlindSpecial *special = STEWARD_BLIND_SPECIAL(BufferGetPage(buffer));
		BlockNumber right = special->right;

		if (steward_blind_beyond(BufferGetPage(buffer), check->entry))
		{
			if (buffer != check->first)
				UnlockReleaseBuffer(buffer);
			buffer = steward_blind_read(check->index, right, 0, BUFFER_LOCK_EXCLUSIVE);
		}
		else if (buffer != check->first && (special->flags & STEWARD_BLIND_INCOMPLETE) != 0)
		{
			steward_blind_finish_split(check->index, buffer);
			buffer = check->first;
		}
		else
			return buffer;
	}
}

static void
insert_newcomer(const Check *check)
{
	Buffer		place = find_place(check);

	steward_blind_insert_at(check->index, place, check->entry);
	if (place != check->first)
		UnlockReleaseBuffer(check->first);
}

/* Shows ciphertext: values as their types' output functions have them. */
pg_attribute_noreturn()
static void
raise_taken(const Check *check, Datum *values, bool *isnull)
{
	char	   *key = BuildIndexValueDescription(check->index, values, isnull);

	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("duplicate key value violates unique constraint \"%s\"",
					RelationGetRelationName(check->index)),
			 key == NULL ? 0 : errdetail("Key %s already exists.", key),
			 errtableconstraint(check->heap, RelationGetRelationName(check->index))));
}

pg_attribute_noreturn()
static void
raise_lost(const Check *check)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" has no entry for a row that it had one for",
					RelationGetRelationName(check->index)),
			 errhint("REINDEX it."),
			 errtableconstraint(check->heap, RelationGetRelationName(check->index))));
}

bool
steward_blind_insert_unique(Relation index, const StewardBlindEntry *entry,
							Datum *values, bool *isnull, Relation heap,
							IndexUniqueCheck mode)
{
	Check		check = {.index = index, .heap = heap, .entry = entry, .mode = mode};
	Verdict		verdict;

	InitDirtySnapshot(check.dirty);
	verdict = decide(&check);
	if (verdict == TAKEN || mode == UNIQUE_CHECK_EXISTING)
		UnlockReleaseBuffer(check.first);
	else
		insert_newcomer(&check);
	if (verdict == TAKEN)
		raise_taken(&check, values, isnull);
	if (verdict == FREE && mode == UNIQUE_CHECK_EXISTING && !check.found)
		raise_lost(&check);
	return verdict != UNSURE;
}

/* ---- when an index is built ---- */

/* Where the row that an entry leads to is now; updates may have moved it. */
static ItemPointerData
current_place(Relation heap, uint64 tid)
{
	ItemPointerData pointer;

	steward_blind_item_pointer(tid, &pointer);
	(void) table_index_fetch_tuple_check(heap, &pointer, SnapshotSelf, NULL);
	return pointer;
}

void
steward_blind_raise_duplicates(Relation index, Relation heap, uint64 tid, uint64 other)
{
	ItemPointerData a = current_place(heap, tid);
	ItemPointerData b = current_place(heap, other);

	/* The sort knows tags alone, and two ciphertexts would not look alike. */
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("could not create unique index \"%s\"",
					RelationGetRelationName(index)),
			 errdetail("The rows whose ctid is (%u,%u) and (%u,%u) have the same key.",
					   ItemPointerGetBlockNumberNoCheck(&a),
					   ItemPointerGetOffsetNumberNoCheck(&a),
					   ItemPointerGetBlockNumberNoCheck(&b),
					   ItemPointerGetOffsetNumberNoCheck(&b)),
			 errtableconstraint(heap, RelationGetRelationName(index))));
}
