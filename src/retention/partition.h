/*
 * partition.h: the action drop_partition, which takes whole partitions of a table.
 *
 * Terms
 *	 partition	one of the policy's table itself; with all below it, if it is partitioned
 *	 expired	of a partition: every row that it can hold is older than the cutoff
 *	 kept		of an expired partition: a legal hold keeps a row of it, or it has rows that
 *				never expire
 */
#ifndef STEWARD_RETENTION_PARTITION_H
#define STEWARD_RETENTION_PARTITION_H

#include "base/compat.h"

#include "funcapi.h"

#include "retention/policy.h"

/*
 * Raises unless the policy's table is one whose partitions have an age: partitioned by range on
 * the age, a plain column, and not referred to by foreign keys; all of it of one owner, and none of
 * it foreign. The trail of the extension is such a table. Leaves AccessShareLock on it and all below
 * it.
 */
extern void steward_partition_check(const StewardPolicy *policy);

/*
 * Attaches the partitions again that a run detached and did not come to drop: for a policy that
 * is changed or dropped, whose lock the caller has. As the owner of the table, with the
 * caller's lock_timeout. With an SPI connection.
 */
extern void steward_partition_restore(const StewardPolicy *policy);

/* Where a preview puts the columns of a partition. */
typedef struct StewardPartitionPreview
{
	Oid			partition;
	int64		rows;			/* that would go; 0 for one that is kept */
	int64		held;			/* that stay with it, because of a hold */
	TimestampTz oldest;			/* DT_NOEND for none */
	TimestampTz newest;			/* DT_NOBEGIN for none */
	const char *problem;		/* or NULL */
} StewardPartitionPreview;

/*
 * The partitions that a run would look at now, the oldest first: StewardPartitionPreview *, in
 * the current context. With an SPI connection, as the caller.
 */
extern List *steward_partition_preview(const StewardPolicy *policy);

#endif							/* STEWARD_RETENTION_PARTITION_H */
