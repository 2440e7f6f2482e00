/*
 * reach.h: where entries may point.
 */
#ifndef STEWARD_BLIND_REACH_H
#define STEWARD_BLIND_REACH_H

#include "base/compat.h"

#include "blind/page.h"
#include "utils/rel.h"

/* What is known of the table's size; zeroes: nothing yet. */
typedef struct StewardBlindReach
{
	BlockNumber blocks;
	OffsetNumber offsets;		/* the greatest in a block */
} StewardBlindReach;

static inline bool
steward_blind_is_within(const StewardBlindReach *reach, uint64 tid)
{
	return (tid & 0xFFFF) != InvalidOffsetNumber && (tid & 0xFFFF) <= reach->offsets &&
		(tid >> 16) < reach->blocks;
}

/*
 * Has the table a place for this TID? Where it is past the end that is known, looks where the
 * end is now. The caller holds a lock on the table, so that it does not become shorter.
 */
extern bool steward_blind_is_reachable(StewardBlindReach *reach, Relation heap, uint64 tid);

/*
 * Raises that the index is damaged at a block that has an entry with such a TID. heap may be
 * NULL: the table is then opened.
 */
extern void steward_blind_require_reachable(StewardBlindReach *reach, Relation index,
											Relation heap, BlockNumber block, uint64 tid);

#endif							/* STEWARD_BLIND_REACH_H */
