/*
 * split.h: splits of pages, their downlinks, and a new root; README, "What is
 * changed in one WAL record".
 */
#ifndef STEWARD_BLIND_SPLIT_H
#define STEWARD_BLIND_SPLIT_H

#include "base/compat.h"

#include "blind/page.h"

/*
 * Puts these entries, which belong on the leaf and do not fit there, onto it and a new right
 * sibling; newcomers are those among them, in order, that were not packed before.
 * Releases the leaf, with the split finished. False when they do not fit onto two pages: then
 * the leaf is split with what it has, and the caller has to come again.
 */
extern bool steward_blind_split_leaf(Relation index, Buffer buffer,
									 const StewardBlindEntry *entries, int count,
									 const StewardBlindEntry *newcomers,
									 int newcomer_count);

/*
 * Finishes a split: gives the right sibling of this page, which is exclusively locked and has
 * STEWARD_BLIND_INCOMPLETE, its downlink. Releases the page. The flag may be there
 * still when it returns, when the parent's level has to be finished first: who needs it
 * gone looks and calls again.
 */
extern void steward_blind_finish_split(Relation index, Buffer buffer);

/* A new page at the end of the index, exclusively locked, not initialised. */
extern Buffer steward_blind_new_page(Relation index);

#endif							/* STEWARD_BLIND_SPLIT_H */
