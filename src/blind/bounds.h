/*
 * bounds.h: bounds of pages that tell of entries which an erasure removed.
 *
 * A bound inside a run of equal tags is a whole tag with a TID: the key after an entry. It is
 * stale when the page on the left does not end in that run any more, or when that entry is of these
 * rows, and removed.
 */
#ifndef STEWARD_BLIND_BOUNDS_H
#define STEWARD_BLIND_BOUNDS_H

#include "base/compat.h"

#include "blind/erase_rows.h"
#include "utils/rel.h"

/*
 * Is there a stale one? Goes along the leaves beside readers and writers. Raises
 * ERRCODE_INDEX_CORRUPTED.
 */
extern bool steward_blind_has_stale_bounds(Relation index, const StewardBlindErasedRows *rows);

/*
 * Lowers all of them; see README, "Erasure". The index is locked with AccessExclusiveLock, for
 * pages get other left ends. Raises ERRCODE_INDEX_CORRUPTED.
 */
extern void steward_blind_lower_bounds(Relation index, const StewardBlindErasedRows *rows);

#endif							/* STEWARD_BLIND_BOUNDS_H */
