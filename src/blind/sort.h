/*
 * sort.h: sorting the entries of an index that is built.
 *
 * Tags are uniformly distributed, so entries are dealt out by their highest bits and
 * each lot is sorted by itself; what is beyond the memory goes to one temporary file
 * (logtape.h), which is gone with the sort, or with its resource owner after an error.
 * Equal tags, of which there may be any number, need no memory: their TIDs come in
 * ascending order where one process reads the heap from its beginning, and are dealt out by
 * the TIDs' bits where they do not.
 */
#ifndef STEWARD_BLIND_SORT_H
#define STEWARD_BLIND_SORT_H

#include "base/compat.h"

#include "blind/codec.h"

typedef struct StewardBlindSort StewardBlindSort;

/*
 * Begins a sort of entries with tags of so many bits (1 to 128) in a child of the
 * current context, within work_kb kilobytes of memory; less than 128 count as 128.
 */
extern StewardBlindSort *steward_blind_sort_begin(int tag_bits, int work_kb);

/* Adds an entry. May write to the temporary file; raises what that raises. */
extern void steward_blind_sort_add(StewardBlindSort *sort, StewardBlindTag tag,
								   uint64 tid);

/* No more come. */
extern void steward_blind_sort_perform(StewardBlindSort *sort);

/* The next entry in order; the same entry twice comes once. False after the last. */
extern bool steward_blind_sort_next(StewardBlindSort *sort, StewardBlindEntry *entry);

/* How many were added. */
extern uint64 steward_blind_sort_count(const StewardBlindSort *sort);

/* Gives memory and the file back. */
extern void steward_blind_sort_end(StewardBlindSort *sort);

#endif							/* STEWARD_BLIND_SORT_H */
