/*
 * batch.h: records as the rows of steward.audit_log hold them; README has the
 * format.
 */
#ifndef STEWARD_AUDIT_BATCH_H
#define STEWARD_AUDIT_BATCH_H

#include "base/compat.h"

#include "audit/codec_read.h"
#include "audit/record.h"
#include "lib/stringinfo.h"

#define STEWARD_BATCH_FORMAT 1

/* A batch that grows. What the last record had is not written again. */
typedef struct StewardBatchWriter
{
	StringInfoData data;
	uint64		xid;
	int32		first_seq;
	int32		records;
	StewardRecord last;			/* its payload is not kept */
} StewardBatchWriter;

/* Begins a batch of a transaction; room stays free before it for a varlena's
 * header. The memory is the current context's. */
extern void steward_batch_begin(StewardBatchWriter *batch, uint64 xid,
								TimestampTz started_at);

/* Empties it for the next records of the same transaction. */
extern void steward_batch_reset(StewardBatchWriter *batch);

/*
 * Appends a record, whose seq is greater than the last one's. Raises
 * ERRCODE_PROGRAM_LIMIT_EXCEEDED beyond what a value can hold.
 */
extern void steward_batch_append(StewardBatchWriter *batch,
								 const StewardRecord *record);

/* The batch as a bytea, which is the writer's. */
extern Datum steward_batch_datum(StewardBatchWriter *batch);

/* Bytes of the batch so far, and at most those of a record beside its payload. */
#define STEWARD_BATCH_SIZE(batch) ((batch)->data.len)
#define STEWARD_RECORD_OVERHEAD 48

typedef struct StewardBatchReader
{
	StewardReader rest;
	uint64		xid;
	TimestampTz started_at;		/* of the transaction */
	StewardRecord last;
	bool		begun;
} StewardBatchReader;

/*
 * Opens a detoasted batch: the columns of its row. Raises ERRCODE_DATA_CORRUPTED.
 * The data must outlive the reader, and the records read.
 */
extern void steward_batch_open(StewardBatchReader *reader, const void *data,
							   uint32 length, uint64 xid, int32 first_seq);

/* The next record, false at the end; raises ERRCODE_DATA_CORRUPTED. */
extern bool steward_batch_next(StewardBatchReader *reader,
							   StewardRecord *record);

#endif							/* STEWARD_AUDIT_BATCH_H */
