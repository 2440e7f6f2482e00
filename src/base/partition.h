/*
 * partition.h: what a partition is, in the end, a partition of.
 */
#ifndef STEWARD_BASE_PARTITION_H
#define STEWARD_BASE_PARTITION_H

#include "base/compat.h"

/*
 * The partitioned table at the top of a table's tree; of a table that is no
 * partition, or is gone, itself. A partition whose DETACH ... CONCURRENTLY has
 * begun and not ended is at the top of its own tree. Takes and keeps no lock.
 */
extern Oid	steward_partition_root(Oid relid);

#endif							/* STEWARD_BASE_PARTITION_H */
