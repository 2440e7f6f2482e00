/*
 * partition_parts.h: the action drop_partition from within.
 *
 * A partition goes in several commits: it is remembered in steward.policy_detached, detached, and
 * dropped, or attached again. What is remembered says how far it came, so that the next run
 * knows after a crash.
 */
#ifndef STEWARD_RETENTION_PARTITION_PARTS_H
#define STEWARD_RETENTION_PARTITION_PARTS_H

#include "base/compat.h"

#include "utils/relcache.h"

#include "base/partition.h"
#include "retention/partition.h"
#include "retention/run_parts.h"

typedef struct StewardPartition
{
	Oid			relation;
	Oid			parent;
	char	   *bounds;			/* FOR VALUES ..., to attach it again; or NULL */
	bool		endless;		/* may have rows of age -infinity, which never
								 * expire */
	bool		detached;		/* by us: committed, or in our transaction */
} StewardPartition;

/* What is in a partition, with all below it. */
typedef struct StewardPartitionCount
{
	int64		rows;
	int64		held;			/* that a hold keeps; all, if it is on the
								 * partition itself */
	int64		endless;		/* of age -infinity */
	int64		bytes;			/* with indexes */
	TimestampTz oldest;
	TimestampTz newest;
} StewardPartitionCount;

/* Of a run, as long as it. */
typedef struct StewardPartitionRun
{
	List	   *remembered;		/* StewardPartition *, of runs before */
	List	   *kept;			/* oids of those that stay */
	StewardPartition one;		/* being worked on; relation InvalidOid: none
								 * is left */
	bool		stays;
	bool		by_session;		/* DETACH CONCURRENTLY, as the owner */
	StewardTie	tie;
	int64		rows;			/* of one that was dropped */
} StewardPartitionRun;

/* ---- partition_bound.c: what the catalogs say ---- */

/*
 * The expired partitions of an open table, the oldest first: StewardPartition * in the
 * current context, without their bounds. Neither the default partition nor one that is being detached;
 * and, if keep_last, not all there are. With an active snapshot; leaves AccessShareLock on all partitions.
 */
extern List *steward_partitions_expired(const StewardPolicy *policy, Relation parent,
										bool keep_last);

/* FOR VALUES ..., palloc'd; NULL when it is no partition. Leaves AccessShareLock on it. */
extern char *steward_partition_bounds(Oid relid);

/*
 * Was it detached by us, and is still nobody else's: no partition of another table, and of the
 * same owner as the table? Takes no lock that stays.
 */
extern bool steward_partition_is_ours(const StewardPartition *one);

/* Has the table a default partition? Its caller has it locked. */
extern bool steward_partition_has_default(Oid parent);

/* ---- partition_count.c ---- */

/*
 * Counts what is in a partition that the caller has locked with all below it, with the active
 * snapshot, as the owner of the table, under the settings of a batch. Reads all of it.
 */
extern void steward_partition_count(const StewardPolicy *policy, const StewardPartition *one,
									StewardPartitionCount *count);

/* May something keep it? Cheap: else there is no need to count. */
extern bool steward_partition_may_stay(const StewardPartition *one);

/* ---- partition_remember.c: steward.policy_detached; with an SPI connection ---- */

/* Those of a policy: StewardPartition *, in the current context. */
extern List *steward_partitions_remembered(const StewardPolicy *policy);

/* Remembers it, as about to be detached; false when another policy is at it. */
extern bool steward_partition_remember(const StewardPolicy *policy,
									   const StewardPartition *one);

/* In the transaction that detaches it. */
extern void steward_partition_mark_detached(Oid partition);
extern void steward_partition_forget(Oid partition);

/*
 * The table from which a policy has detached this one and neither dropped nor attached it since, or
 * InvalidOid. For steward_holds_follow: needs no SPI connection and no rights.
 */
extern Oid	steward_partition_former_parent(Oid relid);

/*
 * Brings what is remembered of a partition that is not ours any more to an end: false, and it stays
 * remembered, while the table has holds and the rows of it are somewhere.
 */
extern bool steward_partition_let_go(const StewardPartition *one);

/* ---- partition_detach.c: as the owner of the table, in the caller's transaction ---- */

/*
 * Detaches it, or ends what was begun, under AccessExclusiveLock on the parent; and attaches it again.
 * Raise ERRCODE_LOCK_NOT_AVAILABLE as lock_timeout says.
 */
extern void steward_partition_detach(const StewardPartition *one, bool pending);
extern void steward_partition_attach(const StewardPartition *one);

/* DROP TABLE, without CASCADE. */
extern void steward_partition_drop(const StewardPartition *one);

/* ---- partition_run.c ---- */

/* All of a run but its beginning and its end. */
extern void steward_partition_run(StewardRun *run);

#endif							/* STEWARD_RETENTION_PARTITION_PARTS_H */
