/*
 * partition.c: what a partition is, in the end, a partition of; see partition.h.
 */
#include "base/compat.h"

#include "base/partition.h"
#include "catalog/partition.h"
#include "utils/lsyscache.h"

Oid
steward_partition_root(Oid relid)
{
	List	   *ancestors;

	/* Tables that inherit without being partitions have ancestors too. */
	if (!get_rel_relispartition(relid))
		return relid;
	/* Ends below a partition that is being detached: there may be none. */
	ancestors = get_partition_ancestors(relid);
	return ancestors == NIL ? relid : llast_oid(ancestors);
}
