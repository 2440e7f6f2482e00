/*
 * partition_preview.c: which partitions a run would drop; see partition.h.
 */
#include "retention/partition_parts.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "ledger/prune.h"
#include "retention/batch_parts.h"
#include "retention/own_record.h"
#include "retention/partman.h"
#include "retention/target.h"

static StewardPartitionPreview *
look_at(const StewardPolicy *policy, const StewardPartition *one)
{
	StewardPartitionPreview *preview = palloc0(sizeof(StewardPartitionPreview));
	StewardPartitionCount count;

	(void) find_all_inheritors(one->relation, AccessShareLock, NULL);
	steward_partition_count(policy, one, &count);
	preview->partition = one->relation;
	preview->oldest = count.oldest;
	preview->newest = count.newest;
	if (count.held > 0)
	{
		preview->held = count.rows;
		preview->problem = "a legal hold keeps the partition";
	}
	else if (count.endless > 0)
		preview->problem = "rows whose age is -infinity keep the partition";
	else
		preview->rows = count.rows;
	return preview;
}

static List *
preview_segments(const StewardPolicy *policy)
{
	List	   *all = NIL;
	ListCell   *cell;

	foreach(cell, steward_audit_prunable(policy->cutoff))
	{
		const StewardPrunable *segment = lfirst(cell);
		StewardPartitionPreview *preview = palloc0(sizeof(StewardPartitionPreview));

		preview->partition = segment->relation;
		preview->rows = segment->records;
		preview->oldest = segment->first_written_at;
		preview->newest = segment->last_written_at;
		all = lappend(all, preview);
	}
	return all;
}

List *
steward_partition_preview(const StewardPolicy *policy)
{
	StewardIdentity identity;
	Relation	parent;
	List	   *all = NIL;
	ListCell   *cell;

	steward_partition_check(policy);
	if (steward_own_record(policy->relation) == STEWARD_OWN_TRAIL)
		return preview_segments(policy);
	steward_become_guarded(steward_target_owner(policy->relation), &identity);
	steward_batch_settings(policy);
	parent = relation_open(policy->relation, AccessShareLock);
	foreach(cell, steward_partitions_expired(policy, parent,
											 steward_partman_manages(policy->relation)))
	{
		all = lappend(all, look_at(policy, lfirst(cell)));
	}
	relation_close(parent, NoLock);
	steward_become_caller(&identity);
	return all;
}
