/*
 * batch.c: packing records and unpacking them; see batch.h and the README.
 *
 * Most records of a transaction share context, schema version and nearly the
 * time, so these are written when they change. The reader trusts nothing: every
 * read is bounded, and a number that does not fit is a corruption.
 */
#include "base/compat.h"

#include "audit/batch.h"
#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "common/int.h"
#include "crypto/bytes.h"
#include "utils/memutils.h"

#define HAS_CONTEXT	0x01
#define HAS_SCHEMA	0x02
#define KNOWN_FLAGS (HAS_CONTEXT | HAS_SCHEMA)

#define HEADER_BYTES 9			/* format, start of the transaction */

static void
refuse_size(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("audit record would exceed 1 GB"),
			 errhint("Change fewer of the large columns at once.")));
}

void
steward_batch_begin(StewardBatchWriter *batch, uint64 xid,
					TimestampTz started_at)
{
	unsigned char header[VARHDRSZ + HEADER_BYTES] = {0};

	header[VARHDRSZ] = STEWARD_BATCH_FORMAT;
	steward_store_be64(header + VARHDRSZ + 1, (uint64) started_at);
	initStringInfo(&batch->data);
	appendBinaryStringInfo(&batch->data, (const char *) header, sizeof(header));
	batch->xid = xid;
	batch->last.changed_at = started_at;
	steward_batch_reset(batch);
}

void
steward_batch_reset(StewardBatchWriter *batch)
{
	const unsigned char *header = (unsigned char *) batch->data.data + VARHDRSZ;

	batch->data.len = VARHDRSZ + HEADER_BYTES;
	batch->records = 0;
	batch->last.changed_at = (TimestampTz) steward_load_be64(header + 1);
}

void
steward_batch_append(StewardBatchWriter *batch, const StewardRecord *record)
{
	const StewardRecord *last = &batch->last;
	bool		first = batch->records == 0;
	unsigned char head[STEWARD_RECORD_OVERHEAD];
	unsigned char prefix[STEWARD_VARINT_MAX];
	unsigned char *place;
	int			length = 2;
	int			prefix_length;

	if (first)
		batch->first_seq = record->seq;
	head[0] = 0;
	head[1] = (unsigned char) record->op;
	length += steward_write_varint(head + length, first ? 0 : record->seq - last->seq);
	length += steward_write_varint(head + length,
								   steward_zigzag(record->changed_at - last->changed_at));
	if (first || record->context.xid != last->context.xid ||
		record->context.number != last->context.number)
	{
		head[0] |= HAS_CONTEXT;
		length += steward_write_varint(head + length, batch->xid - record->context.xid);
		length += steward_write_varint(head + length, (uint32) record->context.number);
	}
	if (first || record->schema_version != last->schema_version)
	{
		head[0] |= HAS_SCHEMA;
		length += steward_write_varint(head + length, (uint32) record->schema_version);
	}
	prefix_length = steward_write_varint(prefix, (uint64) length + record->length);
	if ((Size) batch->data.len + prefix_length + length + record->length >
		MaxAllocSize - STEWARD_RECORD_OVERHEAD)
		refuse_size();
	place = steward_reserve(&batch->data, prefix_length + length + (int) record->length);
	memcpy(place, prefix, prefix_length);
	memcpy(place + prefix_length, head, length);
	memcpy(place + prefix_length + length, record->payload, record->length);
	batch->data.len += prefix_length + length + (int) record->length;
	batch->last = *record;
	batch->records++;
}

Datum
steward_batch_datum(StewardBatchWriter *batch)
{
	SET_VARSIZE(batch->data.data, batch->data.len);
	return PointerGetDatum(batch->data.data);
}

static int32
take_int32(StewardReader *reader)
{
	uint64		value = steward_take_varint(reader);

	if (value > PG_INT32_MAX)
		steward_payload_corrupted("a number of its batch is out of range");
	return (int32) value;
}

void
steward_batch_open(StewardBatchReader *reader, const void *data, uint32 length,
				   uint64 xid, int32 first_seq)
{
	const unsigned char *bytes = data;

	if (length < HEADER_BYTES || bytes[0] != STEWARD_BATCH_FORMAT)
		steward_payload_corrupted("the format of its batch is unknown");
	reader->started_at = (TimestampTz) steward_load_be64(bytes + 1);
	if (!IS_VALID_TIMESTAMP(reader->started_at))
		steward_payload_corrupted("a time is out of range");
	reader->rest.data = bytes + HEADER_BYTES;
	reader->rest.left = length - HEADER_BYTES;
	reader->xid = xid;
	reader->begun = false;
	memset(&reader->last, 0, sizeof(reader->last));
	reader->last.seq = first_seq;
	reader->last.changed_at = reader->started_at;
}

static void
take_context(StewardBatchReader *reader, StewardReader *head)
{
	uint64		age = steward_take_varint(head);

	if (age >= reader->xid)
		steward_payload_corrupted("its context is malformed");
	reader->last.context.xid = reader->xid - age;
	reader->last.context.number = take_int32(head);
}

/* What stands before the payload, into reader->last. */
static void
take_head(StewardBatchReader *reader, StewardReader *head)
{
	StewardRecord *last = &reader->last;
	unsigned char flags = *steward_take(head, 1);
	int32		step;
	int64		later;

	last->op = (char) *steward_take(head, 1);
	step = take_int32(head);
	if ((flags & ~KNOWN_FLAGS) != 0 || (step == 0) == reader->begun ||
		step > PG_INT32_MAX - last->seq ||
		(!reader->begun && flags != KNOWN_FLAGS))
		steward_payload_corrupted("its batch is malformed");
	last->seq += step;
	later = steward_take_signed(head, PG_INT64_MIN, PG_INT64_MAX);
	if (pg_add_s64_overflow(last->changed_at, later, &last->changed_at) ||
		!IS_VALID_TIMESTAMP(last->changed_at))
		steward_payload_corrupted("a time is out of range");
	if (flags & HAS_CONTEXT)
		take_context(reader, head);
	if (flags & HAS_SCHEMA)
		last->schema_version = take_int32(head);
}

bool
steward_batch_next(StewardBatchReader *reader, StewardRecord *record)
{
	StewardReader head = {0};

	if (reader->rest.left == 0)
		return false;
	head.left = steward_take_count(&reader->rest);
	head.data = steward_take(&reader->rest, head.left);
	take_head(reader, &head);
	reader->last.payload = head.data;
	reader->last.length = head.left;
	reader->begun = true;
	*record = reader->last;
	return true;
}
