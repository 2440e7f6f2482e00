/*
 * count.c: about how many entries a range of tags has; see count.h.
 *
 * A range is walked from its first page to the right, on the lowest level where it has
 * few pages. What pages below that level hold is known from those that
 * were walked there.
 */
#include "blind/count.h"

#include "blind/search.h"

/* So many pages of one level are read. */
#define PAGES 4

/* What was found on the pages of one level: entries, or children. */
typedef struct Walk
{
	bool		ended;			/* at the end of the range */
	double		items;			/* in the range; children but the first */
	double		inside;			/* of these on pages without others */
} Walk;

/* Entries of a leaf that are in the range. */
static int
count_entries(Relation index, Buffer buffer, const StewardBlindRange *range)
{
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	int			packed_count = steward_blind_count(&packed);
	int			in_tail[STEWARD_BLIND_TAIL_MAX];
	uint64	   *tids = palloc(Max(1, packed_count) * sizeof(uint64));
	int			first;
	int			count = steward_blind_collect(&packed, range->low, range->high, tids,
											  Max(0, packed_count), &first);

	if (packed_count < 0 || count < 0)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
	pfree(tids);
	return count + steward_blind_tail_collect(page, range->low, range->high, in_tail);
}

/* Children of an inner page that the range reaches; on its first page but one. */
static int
count_children(Page page, const StewardBlindEntry *begin, const StewardBlindEntry *end,
			   bool first)
{
	int			last = steward_blind_beyond(page, end) ?
		steward_blind_child_count(page) - 1 : steward_blind_child_for(page, end);

	return first ? last - steward_blind_child_for(page, begin) : last + 1;
}

static Walk
walk_level(Relation index, const StewardBlindRange *range, int level)
{
	StewardBlindEntry begin = {range->low, 0};
	StewardBlindEntry end = {range->high, PG_UINT64_MAX};
	Buffer		buffer = steward_blind_find(index, &begin, level, BUFFER_LOCK_SHARE);
	Walk		walk = {0};

	for (int i = 0;; i++)
	{
		Page		page = BufferGetPage(buffer);
		BlockNumber right = STEWARD_BLIND_SPECIAL(page)->right;
		int			count = level == 0 ? count_entries(index, buffer, range) :
			count_children(page, &begin, &end, i == 0);

		walk.ended = !steward_blind_beyond(page, &end);
		walk.items += count;
		if (i > 0 && !walk.ended)
			walk.inside += count;
		UnlockReleaseBuffer(buffer);
		if (walk.ended || i + 1 == PAGES)
			return walk;
		buffer = steward_blind_read(index, right, level, BUFFER_LOCK_SHARE);
	}
}

/* Has the index this level? What the process remembers of the root may be old. */
static bool
has_level(Relation index, int level)
{
	return level <= steward_blind_meta(index)->level ||
		level <= steward_blind_meta_refresh(index)->level;
}

/*
 * The first page of a range and its last one have other entries too: together they
 * are taken for one.
 */
double
steward_blind_count_range(Relation index, const StewardBlindRange *range)
{
	Walk		walk = walk_level(index, range, 0);
	double		below = 1;		/* entries below one item of the level */

	for (int level = 1; !walk.ended && has_level(index, level); level++)
	{
		below *= walk.inside / (PAGES - 1);
		walk = walk_level(index, range, level);
	}
	return walk.items * below;
}
