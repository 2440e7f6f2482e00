/*
 * search.h: from the root to a page, and to the right.
 */
#ifndef STEWARD_BLIND_SEARCH_H
#define STEWARD_BLIND_SEARCH_H

#include "base/compat.h"

#include "blind/page.h"

/*
 * The page of a level to which a key belongs, pinned and locked in this mode
 * (BUFFER_LOCK_SHARE or _EXCLUSIVE). The level is there: 0, or not above the root's.
 * Raises ERRCODE_INDEX_CORRUPTED. Holds one lock at a time; the caller may hold locks
 * of lower levels.
 */
extern Buffer steward_blind_find(Relation index, const StewardBlindEntry *key,
								 int level, int mode);

/* Reads, locks and checks a page that must be of this level. */
extern Buffer steward_blind_read(Relation index, BlockNumber block, int level, int mode);

/*
 * Raises unless the page belongs to the right of one with this high key, as the right
 * sibling does. Where links of a damaged index lead round in a circle this ends it.
 */
extern void steward_blind_require_right(Relation index, Buffer buffer,
										const StewardBlindEntry *before);

#endif							/* STEWARD_BLIND_SEARCH_H */
