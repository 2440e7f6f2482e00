/*
 * bounds.c: bounds of pages that tell of entries which an erasure removed; see bounds.h.
 *
 * A bound between two leaves stands in the high key of the left one, and once as a
 * separator: in the parent that has downlinks to both, or, where the right leaf is the first
 * child of its parent, as the high key of the parent on the left and in a page above. All
 * of that is changed in one record, so what pages say of each other always agrees.
 */
#include "blind/bounds.h"

#include "access/generic_xlog.h"
#include "blind/meta.h"
#include "blind/page.h"
#include "blind/search.h"
#include "blind/split.h"
#include "blind/wal.h"
#include "miscadmin.h"
#include "storage/predicate.h"

/* More levels than an index has that fills all blocks there can be. */
#define LEVELS_MAX 16

/* A bound, what it is to become, and the pages that have it, from the leaf upwards. */
typedef struct Bound
{
	StewardBlindEntry is;
	StewardBlindEntry lower;
	Buffer		buffers[LEVELS_MAX];
	int			count;
	int			child;			/* of the last page, whose separator it is */
} Bound;

static int
compare(const StewardBlindEntry *a, const StewardBlindEntry *b)
{
	return steward_blind_compare(a->tag, a->tid, b->tag, b->tid);
}

/* ---- which ---- */

/* A bound in a run is the key after an entry: do the rows still have that? */
static bool
tells_of(const StewardBlindErasedRows *rows, const StewardBlindEntry *bound)
{
	const StewardBlindEntry before = {bound->tag, bound->tid - 1};

	return steward_blind_erased_fate(rows, &before) != STEWARD_BLIND_STAYS;
}

/*
 * The last entry of a leaf; of one without entries its least key, for bounds have to go on
 * ascending.
 */
static StewardBlindEntry
last_of(Relation index, Buffer buffer, const StewardBlindEntry *low, bool *is_entry)
{
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	StewardBlindEntry *entries =
		palloc((Max(steward_blind_count(&packed), 0) + STEWARD_BLIND_TAIL_MAX) * sizeof *entries);
	int			count = steward_blind_leaf_entries(index, BufferGetBlockNumber(buffer), page,
												   entries);
	StewardBlindEntry last = count > 0 ? entries[count - 1] : *low;

	*is_entry = count > 0;
	pfree(entries);
	return last;
}

/* Is the high key of a locked leaf, whose least key is low, stale? */
static bool
find_stale(Relation index, const StewardBlindErasedRows *rows, Buffer buffer,
		   const StewardBlindEntry *low, Bound *bound)
{
	StewardBlindEntry last;
	bool		is_entry;

	if (!steward_blind_high_key(BufferGetPage(buffer), &bound->is) || bound->is.tid == 0)
		return false;
	last = last_of(index, buffer, low, &is_entry);
	if (last.tag == bound->is.tag && !tells_of(rows, &bound->is))
		return false;
	if (is_entry && last.tag != bound->is.tag)
		steward_blind_separator(&last, &bound->is, &bound->lower);
	else
	{
		bound->lower = last;
		bound->lower.tid++;
	}
	return compare(&bound->lower, &bound->is) < 0;
}

/* ---- lowering one ---- */

static void
release(Bound *bound)
{
	while (bound->count > 0)
		UnlockReleaseBuffer(bound->buffers[--bound->count]);
}

/* Finishes the split of the last page, whose right sibling lacks its downlink. */
static void
finish_split(Relation index, Bound *bound)
{
	Buffer		buffer = bound->buffers[--bound->count];

	release(bound);
	steward_blind_finish_split(index, buffer);
}

/* Locks the page of the next level that has the key before the bound. */
static void
lock_next(Relation index, Bound *bound)
{
	const StewardBlindEntry before = {bound->is.tag, bound->is.tid - 1};
	int			level = bound->count;

	if (steward_blind_meta_refresh(index)->level < level || level == LEVELS_MAX)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(bound->buffers[level - 1]));
	bound->buffers[bound->count++] = steward_blind_find(index, &before, level,
														BUFFER_LOCK_EXCLUSIVE);
}

static bool
has_as_high_key(Page page, const StewardBlindEntry *key)
{
	StewardBlindEntry high;

	return steward_blind_high_key(page, &high) && compare(&high, key) == 0;
}

/*
 * Locks the pages that have the bound, from the leaf, whose high key it is, upwards; false,
 * with nothing locked, when there was a split to finish first.
 */
static bool
lock_pages(Relation index, Bound *bound, BlockNumber leaf)
{
	Page		page;
	StewardBlindEntry separator;

	bound->count = 1;
	bound->buffers[0] = steward_blind_read(index, leaf, 0, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(bound->buffers[0]);
	do
	{
		if ((STEWARD_BLIND_SPECIAL(page)->flags & STEWARD_BLIND_INCOMPLETE) != 0)
		{
			finish_split(index, bound);
			return false;
		}
		lock_next(index, bound);
		page = BufferGetPage(bound->buffers[bound->count - 1]);
	} while (has_as_high_key(page, &bound->is));
	bound->child = steward_blind_child_for(page, &bound->is);
	separator = steward_blind_child(page, bound->child).least;
	if (bound->child == 0 || compare(&separator, &bound->is) != 0)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(bound->buffers[bound->count - 1]));
	return true;
}

static void
set_lower(const Bound *bound, Page *pages)
{
	int			last = bound->count - 1;

	for (int i = 0; i < last; i++)
		steward_blind_set_right(pages[i], STEWARD_BLIND_SPECIAL(pages[i])->right, &bound->lower);
	steward_blind_set_separator(pages[last], bound->child, &bound->lower);
}

static void
write_generic(Relation index, const Bound *bound)
{
	GenericXLogState *state = GenericXLogStart(index);
	Page		pages[MAX_GENERIC_XLOG_PAGES];

	for (int i = 0; i < bound->count; i++)
		pages[i] = GenericXLogRegisterBuffer(state, bound->buffers[i], 0);
	set_lower(bound, pages);
	GenericXLogFinish(state);
}

/* More pages than GenericXLog has room for: an index of more than four levels. */
static void
write_images(Relation index, const Bound *bound)
{
	Page		pages[LEVELS_MAX];

	steward_blind_images_prepare(bound->count);
	START_CRIT_SECTION();
	for (int i = 0; i < bound->count; i++)
		pages[i] = BufferGetPage(bound->buffers[i]);
	set_lower(bound, pages);
	steward_blind_images_log(index, bound->buffers, bound->count);
	END_CRIT_SECTION();
}

/* What is between the bounds belongs to the right page then, and so do predicate locks. */
static void
write_lower(Relation index, Bound *bound)
{
	BlockNumber leaf = BufferGetBlockNumber(bound->buffers[0]);

	PredicateLockPageSplit(index, leaf,
						   STEWARD_BLIND_SPECIAL(BufferGetPage(bound->buffers[0]))->right);
	if (bound->count <= MAX_GENERIC_XLOG_PAGES)
		write_generic(index, bound);
	else
		write_images(index, bound);
	release(bound);
}

static void
lower_bound(Relation index, Bound *bound, BlockNumber leaf)
{
	while (!lock_pages(index, bound, leaf))
		CHECK_FOR_INTERRUPTS();
	write_lower(index, bound);
}

/* ---- all leaves ---- */

/* From left to right. Lowers stale ones, or ends with true at the first. */
static bool
walk(Relation index, const StewardBlindErasedRows *rows, bool lowers)
{
	StewardBlindEntry low = {0};
	Buffer		buffer = steward_blind_find(index, &low, 0, BUFFER_LOCK_SHARE);

	for (;;)
	{
		BlockNumber block = BufferGetBlockNumber(buffer);
		BlockNumber right = STEWARD_BLIND_SPECIAL(BufferGetPage(buffer))->right;
		Bound		bound;
		bool		stale = find_stale(index, rows, buffer, &low, &bound);

		(void) steward_blind_high_key(BufferGetPage(buffer), &low);
		UnlockReleaseBuffer(buffer);
		if (stale && !lowers)
			return true;
		if (stale)
		{
			lower_bound(index, &bound, block);
			low = bound.lower;
		}
		if (right == InvalidBlockNumber)
			return false;
		CHECK_FOR_INTERRUPTS();
		buffer = steward_blind_read(index, right, 0, BUFFER_LOCK_SHARE);
		steward_blind_require_right(index, buffer, &low);
	}
}

bool
steward_blind_has_stale_bounds(Relation index, const StewardBlindErasedRows *rows)
{
	return walk(index, rows, false);
}

void
steward_blind_lower_bounds(Relation index, const StewardBlindErasedRows *rows)
{
	(void) walk(index, rows, true);
}
