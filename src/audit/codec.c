/*
 * codec.c: rows to payloads; README has the format.
 */
#include "base/compat.h"

#include "access/detoast.h"
#include "audit/codec_put.h"
#include "audit/redact.h"
#include "audit/schema.h"
#include "audit/settings.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* Room for the other fields of the record and of its batch. */
#define MAX_PAYLOAD (MaxAllocSize - 1024)

/* A payload that would grow beyond this goes on in another part. */
#define PART_SIZE (512 * 1024 * 1024)

void
steward_put_varint(StringInfo out, uint64 value)
{
	steward_append_varint(out, value);
}

void
steward_put_bytes(StringInfo out, const void *data, Size length)
{
	if (length > MAX_PAYLOAD || out->len > MAX_PAYLOAD - length)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("audit record would exceed 1 GB"),
				 errdetail("A record cannot hold a value whose text or bytes fill 1 GB."),
				 errhint("Store the value in pieces, or call steward.disable_audit() for the table.")));
	if (unlikely(out->len + (int) length >= out->maxlen))
		enlargeStringInfo(out, (int) length);
	memcpy(out->data + out->len, data, length);
	out->len += (int) length;
}

/* A payload being written. */
typedef struct Writer
{
	const StewardAuditSchema *schema;
	StringInfo	payload;
	List	  **parts;
	int			start;			/* of the part, behind what the caller put
								 * there */
	int			level;			/* see settings.h */
} Writer;

static void
begin_payload(Writer *writer, const StewardAuditSchema *schema,
			  StringInfo payload, List **parts)
{
	writer->schema = schema;
	writer->payload = payload;
	writer->parts = parts;
	writer->start = payload->len;
	writer->level = schema->settings ? steward_settings_enter() : 0;
	steward_append_byte(payload, STEWARD_PAYLOAD_FORMAT);
}

/*
 * Puts what is written so far aside as a part and begins the next. The bitmaps
 * are in the first part, complete.
 */
static void
next_part(Writer *writer)
{
	StringInfo	payload = writer->payload;
	StringInfo	part = palloc(sizeof(StringInfoData));
	MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(payload->data));

	*part = *payload;
	part->data[writer->start] = STEWARD_PAYLOAD_CONTINUES;
	*writer->parts = lappend(*writer->parts, part);
	initStringInfo(payload);
	MemoryContextSwitchTo(caller);
	appendBinaryStringInfo(payload, part->data, writer->start);
	steward_append_byte(payload, STEWARD_PAYLOAD_FORMAT);
}

/* The bytes of a value of variable length, were it not compressed. */
static inline Size
raw_size(Datum value)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(value);

	if (likely(!VARATT_IS_EXTERNAL(stored) && !VARATT_IS_COMPRESSED(stored)))
		return VARSIZE_ANY(stored);
	return toast_raw_datum_size(value);
}

static inline void
put_value(Writer *writer, const StewardAuditColumn *column, Datum value)
{
	StringInfo	payload = writer->payload;

	if (column->typlen == -1 && payload->len > writer->start + 1 &&
		unlikely((Size) payload->len + raw_size(value) > PART_SIZE))
		next_part(writer);
	column->codec->put(column->codec, payload, value);
}

static inline bool
is_null(const StewardAuditColumn *column, TupleTableSlot *row)
{
	return row->tts_isnull[column->attnum - 1];
}

static inline Datum
value_of(const StewardAuditColumn *column, TupleTableSlot *row)
{
	return row->tts_values[column->attnum - 1];
}

void
steward_encode_empty(StringInfo payload)
{
	steward_append_byte(payload, STEWARD_PAYLOAD_FORMAT);
}

void
steward_encode_enable(StringInfo payload, bool without_rows)
{
	steward_encode_empty(payload);
	if (without_rows)
		steward_append_byte(payload, STEWARD_ENABLED_WITHOUT_ROWS);
}

void
steward_encode_row(const StewardAuditSchema *schema, TupleTableSlot *row,
				   StringInfo payload, List **parts)
{
	Writer		writer;
	int			present;

	slot_getallattrs(row);
	begin_payload(&writer, schema, payload, parts);
	present = steward_append_bitmap(payload, schema->count);
	for (int i = 0; i < schema->count; i++)
		if (!is_null(&schema->columns[i], row))
			steward_set_bit(payload, present, i);
	if (schema->binder != NULL)
		steward_redact_row(schema, row);
	for (int i = 0; i < schema->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];

		if (!is_null(column, row))
			put_value(&writer, column, value_of(column, row));
	}
	steward_settings_leave(writer.level);
}

/* A short header; also that of a TOAST pointer looks like one. */
#define IS_PACKED(value) (VARATT_IS_SHORT(value) && !VARATT_IS_EXTERNAL(value))

/*
 * Whether two values of variable length differ, bit for bit. What is stored alike
 * is alike: neither a TOAST pointer nor a compressed value is looked into then.
 */
static bool
varlena_differs(Datum old, Datum new)
{
	struct varlena *a = (struct varlena *) DatumGetPointer(old);
	struct varlena *b = (struct varlena *) DatumGetPointer(new);

	if (!VARATT_IS_EXTENDED(a) && !VARATT_IS_EXTENDED(b))
		return VARSIZE(a) != VARSIZE(b) ||
			memcmp(VARDATA(a), VARDATA(b), VARSIZE(a) - VARHDRSZ) != 0;
	if (VARSIZE_ANY(a) == VARSIZE_ANY(b) && memcmp(a, b, VARSIZE_ANY(a)) == 0)
		return false;
	if (IS_PACKED(a) && IS_PACKED(b))
		return true;
	return !datum_image_eq(old, new, false, -1);
}

static bool
differs(const StewardAuditColumn *column, TupleTableSlot *before,
		TupleTableSlot *after)
{
	Datum		old = value_of(column, before);
	Datum		new = value_of(column, after);

	if (is_null(column, before) || is_null(column, after))
		return is_null(column, before) != is_null(column, after);
	if (column->typbyval)
		return old != new;
	if (column->typlen == -1)
		return varlena_differs(old, new);
	return !datum_image_eq(old, new, false, column->typlen);
}

bool
steward_keeps_old(const StewardAuditSchema *schema, int i,
				  const unsigned char *changed)
{
	return schema->key_count == 0 || schema->columns[i].key ||
		steward_get_bit(changed, i);
}

/* One row of an UPDATE, and which columns of it are stored. */
typedef struct Side
{
	TupleTableSlot *row;
	int			count;
	int16		columns[MaxHeapAttributeNumber];
} Side;

/* What of the new row is stored, which changed, also as a bitmap. */
static void
find_changes(const StewardAuditSchema *schema, const Side *before, Side *after,
			 unsigned char *changed)
{
	after->count = 0;
	for (int i = 0; i < schema->count; i++)
	{
		if (!differs(&schema->columns[i], before->row, after->row))
			continue;
		changed[i / 8] |= 1 << (i % 8);
		after->columns[after->count++] = i;
	}
}

static void
find_kept(const StewardAuditSchema *schema, Side *before,
		  const unsigned char *changed)
{
	before->count = 0;
	for (int i = 0; i < schema->count; i++)
		if (steward_keeps_old(schema, i, changed))
			before->columns[before->count++] = i;
}

/* Marks the values that are not NULL, from a bit of the bitmap on. */
static void
put_presence(Writer *writer, int bitmap, const Side *side, int bit)
{
	for (int i = 0; i < side->count; i++)
		if (!is_null(&writer->schema->columns[side->columns[i]], side->row))
			steward_set_bit(writer->payload, bitmap, bit + i);
}

static void
put_side(Writer *writer, const Side *side)
{
	const StewardAuditSchema *schema = writer->schema;

	if (schema->binder != NULL)
		steward_redact_row(schema, side->row);
	for (int i = 0; i < side->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[side->columns[i]];

		if (!is_null(column, side->row))
			put_value(writer, column, value_of(column, side->row));
	}
}

bool
steward_encode_update(const StewardAuditSchema *schema, TupleTableSlot *before,
					  TupleTableSlot *after, StringInfo payload, List **parts)
{
	unsigned char changed[STEWARD_BITMAP_BYTES(MaxHeapAttributeNumber)] = {0};
	Side		old;
	Side		new;
	Writer		writer;
	int			present;

	old.row = before;
	new.row = after;
	slot_getallattrs(before);
	slot_getallattrs(after);
	find_changes(schema, &old, &new, changed);
	if (new.count == 0 && !schema->log_unchanged)
		return false;
	find_kept(schema, &old, changed);

	begin_payload(&writer, schema, payload, parts);
	steward_put_bytes(payload, changed, STEWARD_BITMAP_BYTES(schema->count));
	present = steward_append_bitmap(payload, old.count + new.count);
	put_presence(&writer, present, &old, 0);
	put_presence(&writer, present, &new, old.count);
	put_side(&writer, &old);
	put_side(&writer, &new);
	steward_settings_leave(writer.level);
	return true;
}
