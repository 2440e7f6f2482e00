/*
 * pruned.h: records that are gone with their segments.
 */
#ifndef STEWARD_HISTORY_PRUNED_H
#define STEWARD_HISTORY_PRUNED_H

#include "base/compat.h"

#include "datatype/timestamp.h"

/*
 * Keeps segments from being pruned until the end of the transaction, by a lock.
 * Before the snapshot by which the log is read.
 */
extern void steward_pruning_wait(void);

/*
 * May records have been pruned that were written after a time, of transactions
 * that ended after another and have this id or a later one? Then *last is when the
 * last of them was written; DT_NOEND when that is not known. A snapshot that is older
 * than the prune does not hide it. Needs an active snapshot and the lock.
 */
extern bool steward_pruned_since(TimestampTz written, TimestampTz ended, uint64 xid,
								 TimestampTz *last);

#endif							/* STEWARD_HISTORY_PRUNED_H */
