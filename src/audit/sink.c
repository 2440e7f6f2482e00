/*
 * sink.c: writing to the audit tables; see sink.h.
 *
 * Records are packed into batches of about a quarter of a page, which are stored
 * without compression and without TOAST, and written many at a time. A record that
 * is larger makes a batch of its own.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/heaptoast.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "audit/context.h"
#include "audit/incarnation.h"
#include "audit/segment.h"
#include "audit/sink.h"
#include "catalog/indexing.h"
#include "nodes/execnodes.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Below TOAST_TUPLE_THRESHOLD with the other columns. */
#define BATCH_TARGET 1900

/* Columns of steward.audit_log, counted from 0. */
enum
{
	LOG_SEGMENT,
	LOG_WRITTEN_AT,
	LOG_XID,
	LOG_INCARNATION,
	LOG_FIRST_SEQ,
	LOG_RECORDS,
	LOG_BATCH,
	LOG_NATTS
};

static void
refuse_changed(Relation rel, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cannot write to audit table \"%s\": it has %s",
					RelationGetRelationName(rel), what),
			 errdetail("Records are inserted directly, into the columns and plain indexes that pg_steward makes."),
			 errhint("Drop what was added to the table.")));
}

/*
 * Direct insertion knows no expressions, predicates or constraints of indexes,
 * and no other columns: a superuser who adds such is told, not crashed.
 */
static CatalogIndexState
open_indexes(Relation rel, int natts)
{
	CatalogIndexState indexes = CatalogOpenIndexes(rel);

	for (int i = natts; i < RelationGetNumberOfAttributes(rel); i++)
		if (!TupleDescAttr(RelationGetDescr(rel), i)->attisdropped)
			refuse_changed(rel, "other columns");
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		const IndexInfo *info = indexes->ri_IndexRelationInfo[i];

		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL ||
			info->ii_ExclusionOps != NULL ||
			!indexes->ri_IndexRelationDescs[i]->rd_index->indimmediate)
			refuse_changed(rel, "an expression, partial, exclusion or deferrable index");
	}
	return indexes;
}

/* A tuple of the table; columns that were added and dropped again are NULL. */
static HeapTuple
form_tuple(Relation rel, int natts, const Datum *values, const bool *nulls)
{
	Datum		all_values[MaxHeapAttributeNumber];
	bool		all_nulls[MaxHeapAttributeNumber];

	memcpy(all_values, values, natts * sizeof(Datum));
	memcpy(all_nulls, nulls, natts * sizeof(bool));
	for (int i = natts; i < RelationGetNumberOfAttributes(rel); i++)
		all_nulls[i] = true;
	return heap_form_tuple(RelationGetDescr(rel), all_values, all_nulls);
}

/*
 * Locks the newest segment. Another may have become that while we waited, in
 * which case nothing may be written to the old one any more.
 */
static void
open_segment(StewardSink *sink)
{
	for (;;)
	{
		StewardSegment wanted;
		StewardSegment now;

		/* Not to queue for a segment that was followed by another meanwhile. */
		AcceptInvalidationMessages();
		wanted = steward_segment_current();

		sink->rel = table_open(wanted.relid, RowExclusiveLock);
		now = steward_segment_current();
		sink->segment = now.number;
		if (now.relid == wanted.relid)
			break;
		table_close(sink->rel, RowExclusiveLock);
	}
	sink->indexes = open_indexes(sink->rel, LOG_NATTS);
	steward_batch_begin(&sink->batch,
						U64FromFullTransactionId(GetTopFullTransactionId()),
						GetCurrentTransactionStartTimestamp());
}

void
steward_sink_begin(StewardSink *sink)
{
	sink->rel = NULL;
	sink->slot_count = 0;
	sink->row_count = 0;
	sink->epoch = 0;
	sink->copied_count = 0;
	sink->context = AllocSetContextCreate(CurrentMemoryContext,
										  "steward audit write",
										  ALLOCSET_DEFAULT_SIZES);
}

/* Two rows or more are inserted together; for one, that costs more than it saves. */
static void
insert_together(StewardSink *sink)
{
	while (sink->slot_count < sink->row_count)
		sink->slots[sink->slot_count++] =
			MakeSingleTupleTableSlot(RelationGetDescr(sink->rel), &TTSOpsHeapTuple);
	for (int i = 0; i < sink->row_count; i++)
		ExecStoreHeapTuple(sink->rows[i], sink->slots[i], false);
	CatalogTuplesMultiInsertWithInfo(sink->rel, sink->slots, sink->row_count,
									 sink->indexes);
	for (int i = 0; i < sink->row_count; i++)
		ExecClearTuple(sink->slots[i]);
}

static void
write_rows(StewardSink *sink)
{
	if (sink->row_count == 1)
		CatalogTupleInsertWithInfo(sink->rel, sink->rows[0], sink->indexes);
	else if (sink->row_count > 1)
		insert_together(sink);
	for (int i = 0; i < sink->row_count; i++)
		heap_freetuple(sink->rows[i]);
	sink->row_count = 0;
}

/*
 * Keeps a row to be written with others. One that goes to TOAST is written alone:
 * the insertion of many tells where it put the tuple that it made, not the one that
 * it was given, and the indexes would point nowhere.
 */
static void
add_row(StewardSink *sink, HeapTuple tuple)
{
	bool		alone = tuple->t_len > TOAST_TUPLE_THRESHOLD;

	if (alone)
		write_rows(sink);
	sink->rows[sink->row_count++] = tuple;
	if (alone || sink->row_count == STEWARD_SINK_ROWS)
		write_rows(sink);
}

/* Makes a row of the batch, and empties it. */
static void
end_batch(StewardSink *sink)
{
	Datum		values[LOG_NATTS];
	bool		nulls[LOG_NATTS] = {false};

	if (sink->batch.records == 0)
		return;
	values[LOG_SEGMENT] = Int32GetDatum(sink->segment);
	values[LOG_WRITTEN_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[LOG_XID] = UInt64GetDatum(sink->batch.xid);
	values[LOG_INCARNATION] = Int32GetDatum(steward_incarnation_current());
	values[LOG_FIRST_SEQ] = Int32GetDatum(sink->batch.first_seq);
	values[LOG_RECORDS] = Int32GetDatum(sink->batch.records);
	values[LOG_BATCH] = steward_batch_datum(&sink->batch);
	add_row(sink, form_tuple(sink->rel, LOG_NATTS, values, nulls));
	steward_batch_reset(&sink->batch);
}

/*
 * The context of a record in this segment. Another segment was the newest at the
 * capture: then the context is of that one, and may go with it.
 */
static StewardContextRef
context_here(StewardSink *sink, const StewardRecord *record)
{
	StewardCopiedContext *copied;

	if (likely(record->context_segment == sink->segment))
		return record->context;
	for (int i = 0; i < Min(sink->copied_count, STEWARD_SINK_CONTEXTS); i++)
	{
		copied = &sink->copied[i];
		if (copied->from.xid == record->context.xid &&
			copied->from.number == record->context.number)
			return copied->to;
	}
	copied = &sink->copied[sink->copied_count++ % STEWARD_SINK_CONTEXTS];
	copied->from = record->context;
	copied->to = steward_context_copy(&record->context,
									  steward_incarnation_current(), sink->segment);
	return copied->to;
}

void
steward_sink_add(StewardSink *sink, const StewardRecord *given, uint32 epoch)
{
	MemoryContext caller = MemoryContextSwitchTo(sink->context);
	StewardRecord here = *given;
	const StewardRecord *record = &here;

	if (sink->rel == NULL)
		open_segment(sink);
	here.context = context_here(sink, given);
	if (sink->batch.records > 0 &&
		(epoch != sink->epoch ||
		 STEWARD_BATCH_SIZE(&sink->batch) + record->length +
		 STEWARD_RECORD_OVERHEAD > BATCH_TARGET))
		end_batch(sink);
	sink->epoch = epoch;
	steward_batch_append(&sink->batch, record);
	MemoryContextSwitchTo(caller);
}

void
steward_sink_finish(StewardSink *sink)
{
	MemoryContext caller = MemoryContextSwitchTo(sink->context);

	if (sink->rel != NULL)
	{
		end_batch(sink);
		write_rows(sink);
		for (int i = 0; i < sink->slot_count; i++)
			ExecDropSingleTupleTableSlot(sink->slots[i]);
		CatalogCloseIndexes(sink->indexes);
		table_close(sink->rel, NoLock);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(sink->context);
}

void
steward_sink_insert(StewardRelationRef *ref, int natts, Datum *values,
					bool *nulls)
{
	Relation	rel = steward_relation_open(ref, RowExclusiveLock);
	CatalogIndexState indexes = open_indexes(rel, natts);
	HeapTuple	tuple = form_tuple(rel, natts, values, nulls);

	CatalogTupleInsertWithInfo(rel, tuple, indexes);
	heap_freetuple(tuple);
	CatalogCloseIndexes(indexes);
	relation_close(rel, NoLock);
}
