/*
 * sink.h: writing to the audit tables, directly: no trigger, no row security, no
 * privilege of the writer is involved.
 */
#ifndef STEWARD_AUDIT_SINK_H
#define STEWARD_AUDIT_SINK_H

#include "base/compat.h"

#include "audit/batch.h"
#include "base/catalog.h"
#include "executor/tuptable.h"

struct ResultRelInfo;

#define STEWARD_SINK_ROWS 64

/* A context that was copied for the segment. */
typedef struct StewardCopiedContext
{
	StewardContextRef from;
	StewardContextRef to;
} StewardCopiedContext;

#define STEWARD_SINK_CONTEXTS 8

/* A write of records to the current segment. */
typedef struct StewardSink
{
	Relation	rel;			/* NULL until there is something to write */
	struct ResultRelInfo *indexes;
	int32		segment;
	MemoryContext context;
	HeapTuple	rows[STEWARD_SINK_ROWS];	/* formed, not yet written */
	int			row_count;
	TupleTableSlot *slots[STEWARD_SINK_ROWS];	/* to hand many over in */
	int			slot_count;
	StewardBatchWriter batch;
	uint32		epoch;			/* of the batch */
	StewardCopiedContext copied[STEWARD_SINK_CONTEXTS];
	int			copied_count;	/* ever; the last ones are kept */
} StewardSink;

/* Begins a write; the sink is the caller's to keep until it is finished. */
extern void steward_sink_begin(StewardSink *sink);

/*
 * Adds a record. Records come in order of seq; those of one epoch may share a
 * batch. Needs an active snapshot. Raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when there is no segment, or one that
 * somebody changed.
 */
extern void steward_sink_add(StewardSink *sink, const StewardRecord *record,
							 uint32 epoch);

/* Writes what is left, and closes. The segment stays locked. */
extern void steward_sink_finish(StewardSink *sink);

/* Adds a row to another audit table, which has natts columns. */
extern void steward_sink_insert(StewardRelationRef *ref, int natts,
								Datum *values, bool *nulls);

#endif							/* STEWARD_AUDIT_SINK_H */
