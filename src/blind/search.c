/*
 * search.c: from the root to a page, and to the right; see search.h.
 *
 * A process remembers the children of the lowest inner level that has not too many
 * of them, so a search mostly reads one page. What is remembered may be old: then the page
 * is one to the left of the right one, and links lead on. Who had to follow many
 * of them remembers anew. Only a search for a leaf remembers: the caller has no lock then
 * on a page that is read for it.
 */
#include "blind/search.h"

#include "blind/meta.h"
#include "miscadmin.h"

/* Searches after which it is worth to remember. */
#define SEARCHES_BEFORE_MEMORY 4

/* So many steps to the right, and one for four children: then it is too old. */
#define STEPS_BEFORE_FORGETTING 16

/*
 * Header, directory and special area lie on three cache lines that a look-up misses one
 * after the other, unless they are asked for while the lock is taken.
 */
static void
prefetch(Page page)
{
	STEWARD_PREFETCH(page);
	STEWARD_PREFETCH(page + PG_CACHE_LINE_SIZE / 2);
	STEWARD_PREFETCH(page + BLCKSZ - sizeof(StewardBlindSpecial));
}

Buffer
steward_blind_read(Relation index, BlockNumber block, int level, int mode)
{
	Buffer		buffer;

	/* To PostgreSQL that is the number of a page to be added. */
	if (block == InvalidBlockNumber)
		steward_blind_raise_corrupted(index, STEWARD_BLIND_META);
	buffer = ReadBuffer(index, block);
	prefetch(BufferGetPage(buffer));
	LockBuffer(buffer, mode);
	steward_blind_page_check(index, buffer);
	if (STEWARD_BLIND_SPECIAL(BufferGetPage(buffer))->level != level)
		steward_blind_raise_corrupted(index, block);
	return buffer;
}

void
steward_blind_require_right(Relation index, Buffer buffer, const StewardBlindEntry *before)
{
	if (!steward_blind_beyond(BufferGetPage(buffer), before))
		return;
	steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
}

/* Follows right links until the key is on the page; counts the steps. */
static Buffer
move_right(Relation index, Buffer buffer, const StewardBlindEntry *key, int mode,
		   int *steps)
{
	while (steward_blind_beyond(BufferGetPage(buffer), key))
	{
		const StewardBlindSpecial *special = STEWARD_BLIND_SPECIAL(BufferGetPage(buffer));
		BlockNumber right = special->right;
		int			level = special->level;
		StewardBlindEntry high;

		(void) steward_blind_high_key(BufferGetPage(buffer), &high);
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
		buffer = steward_blind_read(index, right, level, mode);
		steward_blind_require_right(index, buffer, &high);
		(*steps)++;
	}
	return buffer;
}

/* ---- what is remembered ---- */

/*
 * The number of children of a level, or more than are remembered. On its page the
 * separator of a first child may lack its TID; the high key of the page before has it.
 */
static uint32
copy_children(Relation index, BlockNumber block, int level,
			  StewardBlindChild *children)
{
	StewardBlindEntry least = {0};
	uint32		count = 0;

	while (block != InvalidBlockNumber && count <= STEWARD_BLIND_REMEMBERED)
	{
		Buffer		buffer = steward_blind_read(index, block, level, BUFFER_LOCK_SHARE);
		Page		page = BufferGetPage(buffer);
		int			here = steward_blind_child_count(page);

		for (int i = 0; i < here && count < STEWARD_BLIND_REMEMBERED; i++)
		{
			children[count] = steward_blind_child(page, i);
			if (i == 0)
				children[count].least = least;
			count++;
		}
		(void) steward_blind_high_key(page, &least);
		block = STEWARD_BLIND_SPECIAL(page)->right;
		if (block != InvalidBlockNumber && count == STEWARD_BLIND_REMEMBERED)
			count++;
		UnlockReleaseBuffer(buffer);
	}
	return count;
}

/* The first page of the level below. */
static BlockNumber
first_below(Relation index, BlockNumber block, int level)
{
	Buffer		buffer = steward_blind_read(index, block, level, BUFFER_LOCK_SHARE);
	BlockNumber below = steward_blind_child(BufferGetPage(buffer), 0).block;

	UnlockReleaseBuffer(buffer);
	return below;
}

/* Remembers the children of the lowest inner level that has few enough. */
static void
remember(Relation index)
{
	StewardBlindMeta meta = *steward_blind_meta_refresh(index);
	StewardBlindChild *children = palloc(STEWARD_BLIND_REMEMBERED * sizeof *children);
	StewardBlindMemory *memory;
	BlockNumber block = meta.root;

	for (int level = meta.level; level > 0; level--)
	{
		uint32		count = copy_children(index, block, level, children);

		if (count > STEWARD_BLIND_REMEMBERED)
			break;
		memory = steward_blind_memory_make(index, &meta, count);
		memcpy(memory->children, children, count * sizeof *children);
		memory->level = level - 1;
		block = first_below(index, block, level);
	}
	pfree(children);
}

/* The remembered child to which a key belongs. */
static BlockNumber
remembered_child(const StewardBlindMemory *memory, const StewardBlindEntry *key)
{
	uint32		low = 0;
	uint32		high = memory->count;

	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;
		const StewardBlindEntry *least = &memory->children[middle].least;

		if (steward_blind_compare(least->tag, least->tid, key->tag, key->tid) <= 0)
			low = middle;
		else
			high = middle;
	}
	return memory->children[low].block;
}

/* Steps that a fresh memory would have saved. */
static void
note_steps(Relation index, int steps)
{
	StewardBlindMemory *memory = index->rd_amcache;

	if (steps == 0 || memory == NULL)
		return;
	memory->steps += steps;
	if (memory->steps > STEPS_BEFORE_FORGETTING + memory->count / 4)
		steward_blind_forget(index);
}

/* Where a search for a page of a level begins; *from is the level of that block. */
static BlockNumber
begin(Relation index, const StewardBlindEntry *key, int level, int *from)
{
	StewardBlindMemory *memory = steward_blind_memory(index);

	if (memory->meta.level < level)
		(void) steward_blind_meta_refresh(index);
	else if (level == 0 && memory->count == 0 &&
			 memory->searches++ == SEARCHES_BEFORE_MEMORY)
		remember(index);
	memory = index->rd_amcache;
	if (memory->count > 0 && memory->level >= level)
	{
		*from = memory->level;
		return remembered_child(memory, key);
	}
	*from = memory->meta.level;
	return memory->meta.root;
}

/* ---- the way down ---- */

Buffer
steward_blind_find(Relation index, const StewardBlindEntry *key, int level, int mode)
{
	int			at;
	BlockNumber block = begin(index, key, level, &at);
	int			steps = 0;

	for (;;)
	{
		int			here = at == level ? mode : BUFFER_LOCK_SHARE;
		Buffer		buffer = steward_blind_read(index, block, at, here);
		Page		page;

		buffer = move_right(index, buffer, key, here, &steps);
		if (at == level)
		{
			note_steps(index, steps);
			return buffer;
		}
		page = BufferGetPage(buffer);
		block = steward_blind_child(page, steward_blind_child_for(page, key)).block;
		UnlockReleaseBuffer(buffer);
		at--;
	}
}
