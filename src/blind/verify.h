/*
 * verify.h: what the parts of blind_index_check share.
 *
 * Others read and write meanwhile, so pages are copied one at a time, and a copy is old at
 * once. What is relied on: a page's level and least key never change, its high key only
 * falls, and downlinks are never taken away. An erasure gives pages other least keys, but
 * keeps us out meanwhile.
 */
#ifndef STEWARD_BLIND_VERIFY_H
#define STEWARD_BLIND_VERIFY_H

#include "base/compat.h"

#include "blind/meta.h"
#include "blind/page.h"
#include "blind/reach.h"
#include "lib/bloomfilter.h"

typedef struct StewardBlindCheck
{
	Relation	heap;
	Relation	index;
	StewardBlindMeta meta;
	BufferAccessStrategy strategy;
	StewardBlindReach reach;
	BlockNumber end;			/* blocks of the index, at least */
	uint8	   *seen;			/* a bit for each block */
	BlockNumber seen_room;		/* bits of it */
	StewardBlindEntry *entries; /* room for those of a leaf */
	bloom_filter *filter;		/* of entries; NULL when they are not needed */
	uint64		pages;			/* counts of what was seen */
	uint64		leaves;
	uint64		entry_count;
	double		rows;
} StewardBlindCheck;

/* A copy of a page. */
typedef struct StewardBlindCopy
{
	BlockNumber block;
	PGAlignedBlock page;
} StewardBlindCopy;

#define STEWARD_BLIND_COPY_PAGE(copy) ((Page) (copy)->page.data)
#define STEWARD_BLIND_COPY_SPECIAL(copy) STEWARD_BLIND_SPECIAL(STEWARD_BLIND_COPY_PAGE(copy))

/* Raises ERRCODE_INDEX_CORRUPTED; what is a sentence. */
pg_attribute_noreturn()
extern void steward_blind_check_raise(const StewardBlindCheck *check, BlockNumber block,
									  const char *what);

/* ---- verify_page.c ---- */

/* Is there such a block? Notices that the index has grown. */
extern bool steward_blind_check_has_block(StewardBlindCheck *check, BlockNumber block);

/* Copies a page as it is. It must be there. */
extern void steward_blind_check_copy(StewardBlindCheck *check, BlockNumber block,
									 StewardBlindCopy *copy);

/*
 * Copies a page that a link of the page from leads to, and checks that it is one of this
 * level, that its numbers agree, and its right link; nothing of what is on it.
 */
extern void steward_blind_check_read(StewardBlindCheck *check, BlockNumber from,
									 BlockNumber block, int level,
									 StewardBlindCopy *copy);

/*
 * Checks a page whose least key is low: its high key, and all that is on it. Entries
 * go to the filter.
 */
extern void steward_blind_check_page(StewardBlindCheck *check, const StewardBlindCopy *copy,
									 const StewardBlindEntry *low);

/* ---- verify_walk.c ---- */

/* Checks the metapage, all levels, and that there is no other page. */
extern void steward_blind_check_walk(StewardBlindCheck *check);

/* ---- verify_heap.c ---- */

/* Makes the filter, and remembers which rows are to be looked for. */
extern Snapshot steward_blind_check_heap_begin(StewardBlindCheck *check);

/* Checks that these rows have entries. */
extern void steward_blind_check_heap(StewardBlindCheck *check, Snapshot snapshot);

#endif							/* STEWARD_BLIND_VERIFY_H */
