/*
 * read.c: steward.audit_records, the records of a batch as rows, and
 * steward.audit_pending, those that this transaction has not written yet.
 */
#include "base/compat.h"

#include "access/transam.h"
#include "access/xact.h"
#include "audit/batch.h"
#include "audit/buffer.h"
#include "audit/incarnation.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

enum
{
	RECORD_SEQ,
	RECORD_CHANGED_AT,
	RECORD_CONTEXT_XID,
	RECORD_CONTEXT,
	RECORD_SCHEMA_VERSION,
	RECORD_OP,
	RECORD_PAYLOAD,
	RECORD_STARTED_AT,
	RECORD_NATTS
};

static void
put_record(ReturnSetInfo *result, const StewardRecord *record,
		   TimestampTz started_at)
{
	Datum		values[RECORD_NATTS];
	bool		nulls[RECORD_NATTS] = {false};
	bytea	   *payload = (bytea *) cstring_to_text_with_len((const char *) record->payload,
															 record->length);

	values[RECORD_SEQ] = Int32GetDatum(record->seq);
	values[RECORD_CHANGED_AT] = TimestampTzGetDatum(record->changed_at);
	values[RECORD_CONTEXT_XID] = UInt64GetDatum(record->context.xid);
	values[RECORD_CONTEXT] = Int32GetDatum(record->context.number);
	values[RECORD_SCHEMA_VERSION] = Int32GetDatum(record->schema_version);
	values[RECORD_OP] = CharGetDatum(record->op);
	values[RECORD_PAYLOAD] = PointerGetDatum(payload);
	values[RECORD_STARTED_AT] = TimestampTzGetDatum(started_at);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	pfree(payload);
}

STEWARD_FUNCTION(steward_audit_records)
{
	bytea	   *batch = PG_GETARG_BYTEA_PP(0);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	StewardBatchReader reader;
	StewardRecord record;

	InitMaterializedSRF(fcinfo, 0);
	steward_batch_open(&reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch),
					   U64FromFullTransactionId(PG_GETARG_FULLTRANSACTIONID(2)),
					   PG_GETARG_INT32(1));
	while (steward_batch_next(&reader, &record))
		put_record(result, &record, reader.started_at);
	PG_RETURN_NULL();
}

static void
put_pending(const StewardRecord *record, void *arg)
{
	put_record(arg, record, GetCurrentTransactionStartTimestamp());
}

STEWARD_FUNCTION(steward_audit_pending)
{
	InitMaterializedSRF(fcinfo, 0);
	steward_buffer_each(put_pending, fcinfo->resultinfo);
	PG_RETURN_NULL();
}
