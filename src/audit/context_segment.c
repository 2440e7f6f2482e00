/*
 * context_segment.c: contexts belong to segments, and go with them; see context.h.
 *
 * A context is recorded for the segment that is the newest at the capture. When the
 * record is written to a later one, a copy of its context is recorded for that. So
 * what the records of a segment refer to is of that segment, and can be removed with
 * it without looking at the others.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/transam.h"
#include "access/xact.h"
#include "audit/context.h"
#include "audit/context_row.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

static StewardRelationRef context_table = {"audit_context"};
static StewardRelationRef context_index = {"audit_context_xid_number_idx"};

/* A copy of the row, or NULL. */
static HeapTuple
find_row(Relation table, const StewardContextRef *ref, int32 incarnation)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&keys[0], CONTEXT_XID + 1, BTEqualStrategyNumber, F_XID8EQ,
				UInt64GetDatum(ref->xid));
	ScanKeyInit(&keys[1], CONTEXT_NUMBER + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(ref->number));
	scan = systable_beginscan(table, steward_relation_oid(&context_index), true,
							  SnapshotSelf, lengthof(keys), keys);
	do
		tuple = systable_getnext(scan);
	while (HeapTupleIsValid(tuple) && incarnation !=
		   DatumGetInt32(heap_getattr(tuple, CONTEXT_INCARNATION + 1,
									  RelationGetDescr(table), &isnull)));
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

StewardContextRef
steward_context_copy(const StewardContextRef *ref, int32 incarnation, int32 segment)
{
	Relation	table = steward_relation_open(&context_table, AccessShareLock);
	HeapTuple	tuple = find_row(table, ref, incarnation);
	int			natts = RelationGetNumberOfAttributes(table);
	Datum	   *values = palloc(natts * sizeof(Datum));
	bool	   *nulls = palloc(natts * sizeof(bool));
	StewardContextRef copy;

	if (tuple == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("context of an audit record was pruned before the record was written"),
				 errhint("Retry the transaction.")));
	heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
	relation_close(table, AccessShareLock);
	copy.xid = U64FromFullTransactionId(GetTopFullTransactionId());
	copy.number = steward_context_next_number();
	values[CONTEXT_XID] = UInt64GetDatum(copy.xid);
	values[CONTEXT_NUMBER] = Int32GetDatum(copy.number);
	values[CONTEXT_SEGMENT] = Int32GetDatum(segment);
	steward_sink_insert(&context_table, CONTEXT_NATTS, values, nulls);
	heap_freetuple(tuple);
	pfree(values);
	pfree(nulls);
	return copy;
}

void
steward_context_remove(int32 last_segment)
{
	Relation	table = steward_relation_open(&context_table, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, CONTEXT_SEGMENT + 1, BTLessEqualStrategyNumber, F_INT4LE,
				Int32GetDatum(last_segment));
	scan = systable_beginscan(table, InvalidOid, false, SnapshotSelf, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		simple_heap_delete(table, &tuple->t_self);
	}
	systable_endscan(scan);
	relation_close(table, NoLock);
}
