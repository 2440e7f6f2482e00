/*
 * erase.h: removing the tags of erased values; README, "Erasure", says how.
 */
#ifndef STEWARD_BLIND_ERASE_H
#define STEWARD_BLIND_ERASE_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "storage/block.h"

/*
 * Removes from an index what tells of the values of these subjects (a list of uuids), who
 * were erased before every other transaction that runs. Does as much as there is memory
 * for, from a block of its table on, and says in *next where to go on, in another transaction:
 * InvalidBlockNumber when all is done, or the index is gone. Doing it twice does no harm.
 *
 * Call it in a READ COMMITTED transaction of its own that holds neither snapshot nor lock:
 * it locks the table with ShareUpdateExclusiveLock and, when there is something to
 * be replaced or lowered, the index with AccessExclusiveLock, until the end of it. Raises what computing a
 * tag raises, ERRCODE_INDEX_CORRUPTED, and ERRCODE_LOCK_NOT_AVAILABLE when
 * lock_timeout is set.
 */
extern void steward_blind_erase(Oid index, const List *subjects, BlockNumber *next);

#endif							/* STEWARD_BLIND_ERASE_H */
