/*
 * partition.c: what a partition, or an inheritance child, belongs to; see partition.h.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "base/partition.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

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

static StewardTie
read_tie(Oid child, Oid parent, Snapshot snapshot)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	StewardTie	tie = STEWARD_TIE_NONE;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(child));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_inherits row = (Form_pg_inherits) GETSTRUCT(tuple);

		if (row->inhparent == parent)
			tie = row->inhdetachpending ? STEWARD_TIE_PENDING : STEWARD_TIE_ATTACHED;
	}
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return tie;
}

StewardTie
steward_partition_tie(Oid child, Oid parent)
{
	return read_tie(child, parent, NULL);
}

StewardTie
steward_partition_tie_now(Oid child, Oid parent)
{
	return read_tie(child, parent, SnapshotSelf);
}
