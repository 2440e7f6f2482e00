/*
 * sink.c: where audit records go; see sink.h.
 *
 * The segment and its indexes stay open between records, owned by the
 * subtransaction that opened them, so that a rollback releases exactly what it
 * must. They are closed before any utility statement (DDL on the log refuses an
 * open relation) and before commit; what is captured after that, by another
 * extension's callbacks, opens and closes for itself.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "audit/segment.h"
#include "audit/sink.h"
#include "catalog/indexing.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

/* Columns of steward.audit_log, counted from 0. */
enum
{
	LOG_WRITTEN_AT,
	LOG_XID,
	LOG_SEQ,
	LOG_CONTEXT,
	LOG_SCHEMA_VERSION,
	LOG_INCARNATION,
	LOG_OP,
	LOG_PAYLOAD,
	LOG_NATTS
};

typedef struct OpenSegment
{
	Relation	rel;			/* NULL: closed */
	CatalogIndexState indexes;
	MemoryContext context;		/* what the indexes keep */
	ResourceOwner owner;
	SubTransactionId opened_by;
} OpenSegment;

static OpenSegment segment;

static bool ending = false;		/* the transaction is past its PRE_COMMIT */

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

static void
open_segment(void)
{
	ResourceOwner caller_owner = CurrentResourceOwner;
	MemoryContext context = AllocSetContextCreate(CurTransactionContext,
												  "steward audit segment",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller_context = MemoryContextSwitchTo(context);
	Relation	rel;

	CurrentResourceOwner = CurTransactionResourceOwner;
	rel = table_open(steward_segment_current(), RowExclusiveLock);
	segment.indexes = open_indexes(rel, LOG_NATTS);
	segment.context = context;
	segment.owner = CurTransactionResourceOwner;
	segment.opened_by = GetCurrentSubTransactionId();
	segment.rel = rel;
	CurrentResourceOwner = caller_owner;
	MemoryContextSwitchTo(caller_context);
}

void
steward_sink_close(void)
{
	ResourceOwner caller_owner = CurrentResourceOwner;
	Relation	rel = segment.rel;

	if (rel == NULL)
		return;
	segment.rel = NULL;
	CurrentResourceOwner = segment.owner;
	CatalogCloseIndexes(segment.indexes);
	table_close(rel, NoLock);
	MemoryContextDelete(segment.context);
	CurrentResourceOwner = caller_owner;
}

/* Inserts as the segment's owner: an index may keep pages pinned for it. */
static void
insert_record(HeapTuple tuple)
{
	ResourceOwner caller_owner = CurrentResourceOwner;

	CurrentResourceOwner = segment.owner;
	CatalogTupleInsertWithInfo(segment.rel, tuple, segment.indexes);
	CurrentResourceOwner = caller_owner;
	if (ending)
		steward_sink_close();
}

void
steward_sink_write(const StewardAuditRecord *record)
{
	Datum		values[LOG_NATTS];
	bool		nulls[LOG_NATTS] = {false};
	HeapTuple	tuple;

	if (segment.rel != NULL && segment.opened_by != GetCurrentSubTransactionId())
		steward_sink_close();
	if (segment.rel == NULL)
		open_segment();
	SET_VARSIZE(record->payload->data, record->payload->len);
	values[LOG_WRITTEN_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[LOG_XID] =
		UInt64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	values[LOG_SEQ] = Int32GetDatum(record->seq);
	values[LOG_CONTEXT] = Int32GetDatum(record->context);
	values[LOG_SCHEMA_VERSION] = Int32GetDatum(record->schema_version);
	values[LOG_INCARNATION] = Int32GetDatum(record->incarnation);
	values[LOG_OP] = CharGetDatum(record->op);
	values[LOG_PAYLOAD] = PointerGetDatum(record->payload->data);
	tuple = form_tuple(segment.rel, LOG_NATTS, values, nulls);
	insert_record(tuple);
	heap_freetuple(tuple);
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

void
steward_sink_before_end(void)
{
	steward_sink_close();
	ending = true;
}

void
steward_sink_subcommit(SubTransactionId ending_id)
{
	if (segment.rel != NULL && segment.opened_by == ending_id)
		steward_sink_close();
}

void
steward_sink_subabort(SubTransactionId ending_id)
{
	if (segment.opened_by == ending_id)
		segment.rel = NULL;
}

void
steward_sink_end(void)
{
	segment.rel = NULL;
	ending = false;
}
