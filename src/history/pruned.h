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
 * Were records pruned that were written after this time? Then *last is when the
 * last of them was; DT_NOEND when that is not known. A snapshot that is older than
 * the prune does not hide it. Needs an active snapshot and the lock.
 */
extern bool steward_pruned_since(TimestampTz time, TimestampTz *last);

#endif							/* STEWARD_HISTORY_PRUNED_H */
