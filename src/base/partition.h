/*
 * partition.h: what a partition, or an inheritance child, belongs to.
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

/* How a partition, or an inheritance child, and its parent belong together. */
typedef enum StewardTie
{
	STEWARD_TIE_NONE,			/* not at all; maybe one of them is gone */
	STEWARD_TIE_PENDING,		/* DETACH CONCURRENTLY has begun, and not
								 * ended */
	STEWARD_TIE_ATTACHED
} StewardTie;

/*
 * The tie as it is committed, or was changed by commands before this one; and as the present command has
 * left it, for hooks that are called in the middle of it. Take no lock that stays.
 */
extern StewardTie steward_partition_tie(Oid child, Oid parent);
extern StewardTie steward_partition_tie_now(Oid child, Oid parent);

#endif							/* STEWARD_BASE_PARTITION_H */
