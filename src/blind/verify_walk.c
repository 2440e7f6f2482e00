/*
 * verify_walk.c: all pages of an index that is checked, level by level; see verify.h.
 *
 * A level is walked by its right links, from its first page on. Beside it goes a cursor
 * over the downlinks of the level above, which are in the same order: each has to lead to
 * the page that begins with its separator.
 *
 * A page of the level above is always copied before the pages that it has downlinks to,
 * so each of these is met. Not so the other way round: a page may be there whose downlink
 * came later. Then its parent is looked up anew. A page has its downlink if its
 * left sibling, when its right link was copied, had no INCOMPLETE flag.
 */
#include "blind/verify.h"

#include "blind/search.h"
#include "miscadmin.h"

/* Stands on a downlink of the level above, or behind the last. */
typedef struct Parent
{
	StewardBlindCopy copy;
	StewardBlindEntry low;		/* the least key of the copy */
	int			at;				/* which downlink is next */
	bool		renewed;		/* there may be downlinks to what we passed by */
} Parent;

typedef struct Walk
{
	StewardBlindCheck *check;
	int			level;
	StewardBlindCopy copy;
	StewardBlindEntry low;
	bool		first;			/* page of the level */
	bool		incomplete;		/* so was the split of the left sibling */
	BlockNumber from;			/* block whose link led here */
	Parent	   *parent;			/* NULL for the level of the root */
} Walk;

static const StewardBlindEntry least = {0, 0};

static int
compare(const StewardBlindEntry *a, const StewardBlindEntry *b)
{
	return steward_blind_compare(a->tag, a->tid, b->tag, b->tid);
}

/* ---- what was seen ---- */

static bool
was_seen(const StewardBlindCheck *check, BlockNumber block)
{
	return block < check->seen_room && (check->seen[block / 8] & 1 << block % 8) != 0;
}

static void
note_seen(StewardBlindCheck *check, BlockNumber block)
{
	if (block >= check->seen_room)
	{
		BlockNumber room = TYPEALIGN(8, (uint64) check->end + check->end / 8 + 64);

		check->seen = repalloc_huge(check->seen, room / 8);
		memset(check->seen + check->seen_room / 8, 0, (room - check->seen_room) / 8);
		check->seen_room = room;
	}
	check->seen[block / 8] |= 1 << block % 8;
}

/* ---- downlinks ---- */

static Page
parent_page(const Parent *parent)
{
	return (Page) parent->copy.page.data;
}

static void
parent_begin(StewardBlindCheck *check, Parent *parent, BlockNumber from, BlockNumber block,
			 int level)
{
	steward_blind_check_read(check, from, block, level, &parent->copy);
	parent->low = least;
	parent->at = 0;
	parent->renewed = false;
}

/* Goes to the right while there is no downlink left on the copy; false at the end. */
static bool
parent_has_next(StewardBlindCheck *check, Parent *parent)
{
	while (parent->at >= steward_blind_child_count(parent_page(parent)))
	{
		const StewardBlindSpecial *special = STEWARD_BLIND_SPECIAL(parent_page(parent));
		BlockNumber from = parent->copy.block;

		if (!steward_blind_high_key(parent_page(parent), &parent->low))
			return false;
		CHECK_FOR_INTERRUPTS();
		steward_blind_check_read(check, from, special->right, special->level,
								 &parent->copy);
		parent->at = 0;
	}
	return true;
}

/* The separator of the first child of a page is not used: it is the page's least key. */
static StewardBlindChild
parent_next(const Parent *parent)
{
	StewardBlindChild child = steward_blind_child(parent_page(parent), parent->at);

	if (parent->at == 0)
		child.least = parent->low;
	return child;
}

/*
 * Looks the parent of the walk's page up anew. Its downlink must be there now. The least key
 * of the parent is only asked for where its first child is the walk's page.
 */
static void
renew_parent(Walk *walk)
{
	StewardBlindCheck *check = walk->check;
	Parent	   *parent = walk->parent;
	Buffer		buffer = steward_blind_find(check->index, &walk->low, walk->level + 1,
											BUFFER_LOCK_SHARE);

	memcpy(parent->copy.page.data, BufferGetPage(buffer), BLCKSZ);
	parent->copy.block = BufferGetBlockNumber(buffer);
	UnlockReleaseBuffer(buffer);
	parent->at = steward_blind_child_for(parent_page(parent), &walk->low);
	if (steward_blind_child(parent_page(parent), parent->at).block != walk->copy.block)
		steward_blind_check_raise(check, walk->copy.block,
								  psprintf("Block %u, where its downlink should be, has none.",
										   parent->copy.block));
	parent->low = walk->low;
	parent->renewed = true;
}

/* The walk's page has its downlink, or need not have it; the cursor goes behind it. */
static void
match_downlink(Walk *walk)
{
	StewardBlindCheck *check = walk->check;
	Parent	   *parent = walk->parent;
	bool		found = parent_has_next(check, parent);
	bool		older = !parent->renewed;	/* than the left sibling's copy */
	StewardBlindChild child = {0};

	while (parent->renewed && found &&
		   (child = parent_next(parent), compare(&child.least, &walk->low) < 0))
	{
		parent->at++;
		found = parent_has_next(check, parent);
	}
	parent->renewed = false;
	if (found)
		child = parent_next(parent);
	if (!found || (child.block != walk->copy.block &&
				   compare(&child.least, &walk->low) > 0))
	{
		if (walk->incomplete)
			return;
		renew_parent(walk);
		child = parent_next(parent);
	}
	else if (walk->incomplete && older)
		steward_blind_check_raise(check, walk->from,
								  "Its split is marked as incomplete, and is complete.");
	if (child.block != walk->copy.block || compare(&child.least, &walk->low) != 0)
		steward_blind_check_raise(check, parent->copy.block,
								  psprintf("Its downlink to block %u does not agree with block %u on the level below.",
										   child.block, walk->copy.block));
	parent->at++;
	/* Before the next page of this level is copied. */
	(void) parent_has_next(check, parent);
}

/* Behind the last page of a level there is no downlink. */
static void
match_end(Walk *walk)
{
	Parent	   *parent = walk->parent;

	if (parent != NULL && !parent->renewed && parent_has_next(walk->check, parent))
		steward_blind_check_raise(walk->check, parent->copy.block,
								  psprintf("Its downlink to block %u leads to no page of the level below.",
										   parent_next(parent).block));
}

/*
 * The root has a right sibling only while its split is incomplete, or when there is a new
 * root meanwhile.
 */
static void
match_root(Walk *walk)
{
	if (!walk->first && !walk->incomplete &&
		steward_blind_meta_refresh(walk->check->index)->level <= walk->level)
		steward_blind_check_raise(walk->check, walk->copy.block,
								  "It is beside the root, and no split is incomplete.");
}

/* ---- a level ---- */

static void
walk_page(Walk *walk)
{
	StewardBlindCheck *check = walk->check;

	if (was_seen(check, walk->copy.block))
		steward_blind_check_raise(check, walk->copy.block, "More than one link leads to it.");
	note_seen(check, walk->copy.block);
	steward_blind_check_page(check, &walk->copy, &walk->low);
	if (walk->parent != NULL)
		match_downlink(walk);
	else
		match_root(walk);
}

/* Goes to the right sibling; false when there is none. */
static bool
walk_right(Walk *walk)
{
	const StewardBlindSpecial *special = STEWARD_BLIND_COPY_SPECIAL(&walk->copy);
	BlockNumber right = special->right;

	if (!steward_blind_high_key(STEWARD_BLIND_COPY_PAGE(&walk->copy), &walk->low))
		return false;
	walk->incomplete = (special->flags & STEWARD_BLIND_INCOMPLETE) != 0;
	walk->first = false;
	walk->from = walk->copy.block;
	steward_blind_check_read(walk->check, walk->from, right, walk->level, &walk->copy);
	return true;
}

/*
 * Checks a level, that begins with this block; returns the block with which the level below
 * begins.
 */
static BlockNumber
walk_level(Walk *walk, BlockNumber from, BlockNumber block)
{
	BlockNumber below = InvalidBlockNumber;

	walk->from = from;
	walk->low = least;
	walk->first = true;
	walk->incomplete = false;
	steward_blind_check_read(walk->check, from, block, walk->level, &walk->copy);
	do
	{
		CHECK_FOR_INTERRUPTS();
		walk_page(walk);
		if (walk->first && walk->level > 0)
			below = steward_blind_child(STEWARD_BLIND_COPY_PAGE(&walk->copy), 0).block;
	} while (walk_right(walk));
	match_end(walk);
	return below;
}

/* ---- pages that no link leads to ---- */

/* The greatest key that belongs on a page. */
static StewardBlindEntry
last_key(Page page)
{
	StewardBlindEntry key;

	if (!steward_blind_high_key(page, &key))
	{
		key.tag = ~(StewardBlindTag) 0;
		key.tid = PG_UINT64_MAX;
	}
	else if (key.tid-- == 0)
		key.tag--;
	return key;
}

/* Does a search for the last key of this page come to it? */
static bool
is_found(StewardBlindCheck *check, StewardBlindCopy *copy)
{
	StewardBlindEntry key;
	StewardBlindEntry now = last_key((Page) copy->page.data);
	int			level = STEWARD_BLIND_COPY_SPECIAL(copy)->level;
	BlockNumber found;

	/* It may be split while we search. */
	do
	{
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		key = now;
		if (steward_blind_meta_refresh(check->index)->level < level)
			return false;
		buffer = steward_blind_find(check->index, &key, level, BUFFER_LOCK_SHARE);
		found = BufferGetBlockNumber(buffer);
		UnlockReleaseBuffer(buffer);
		steward_blind_check_copy(check, copy->block, copy);
		now = last_key((Page) copy->page.data);
	} while (found != copy->block && compare(&now, &key) != 0);
	return found == copy->block;
}

/*
 * A page that no walk came to is empty, since a crash, or has come since. Whoever makes one
 * links it later, so what is there is looked for again.
 */
static void
check_others(StewardBlindCheck *check, BlockNumber end)
{
	StewardBlindCopy copy;

	for (BlockNumber block = STEWARD_BLIND_META + 1; block < end; block++)
	{
		CHECK_FOR_INTERRUPTS();
		if (was_seen(check, block))
			continue;
		steward_blind_check_copy(check, block, &copy);
		if (PageIsNew(STEWARD_BLIND_COPY_PAGE(&copy)))
			continue;
		if (!steward_blind_page_is_sound(STEWARD_BLIND_COPY_PAGE(&copy)) ||
			!is_found(check, &copy))
			steward_blind_check_raise(check, block, "No link leads to it.");
	}
}

void
steward_blind_check_walk(StewardBlindCheck *check)
{
	BlockNumber end = RelationGetNumberOfBlocks(check->index);
	BlockNumber above = STEWARD_BLIND_META;
	BlockNumber block;
	Walk		walk = {.check = check};
	Parent	   *parent = palloc(sizeof *parent);

	if (end == 0)
		steward_blind_check_raise(check, STEWARD_BLIND_META, "It is not there.");
	check->end = end;
	check->seen_room = TYPEALIGN(8, (uint64) end + 64);
	check->seen = MemoryContextAllocExtended(CurrentMemoryContext, check->seen_room / 8,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	check->meta = *steward_blind_meta_refresh(check->index);
	block = check->meta.root;
	for (walk.level = check->meta.level; walk.level >= 0; walk.level--)
	{
		BlockNumber below = walk_level(&walk, above, block);

		if (walk.level > 0)
			parent_begin(check, parent, above, block, walk.level);
		walk.parent = parent;
		above = block;
		block = below;
	}
	check_others(check, end);
	pfree(parent);
	pfree(check->seen);
}
