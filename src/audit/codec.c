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
	int			present;		/* the bitmap of values that are not NULL */
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
 * are in the first part, complete from the start but for the bits that
 * mark_present still sets there.
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

static void
mark_present(Writer *writer, int bit)
{
	StringInfo	first = *writer->parts == NIL ? writer->payload :
		linitial(*writer->parts);

	steward_set_bit(first, writer->present, bit);
}

static void
put_value(Writer *writer, const StewardAuditColumn *column, Datum value)
{
	StringInfo	payload = writer->payload;

	if (column->typlen == -1 && payload->len > writer->start + 1 &&
		unlikely((Size) payload->len + toast_raw_datum_size(value) > PART_SIZE))
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

	slot_getallattrs(row);
	begin_payload(&writer, schema, payload, parts);
	writer.present = steward_append_bitmap(payload, schema->count);
	if (schema->binder != NULL)
		steward_redact_row(schema, row);
	for (int i = 0; i < schema->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];

		if (is_null(column, row))
			continue;
		mark_present(&writer, i);
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
		return !datum_image_eq(old, new, true, column->typlen);
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

/* Fills the bitmap of changed columns; returns how many there are. */
static int
find_changes(const StewardAuditSchema *schema, TupleTableSlot *before,
			 TupleTableSlot *after, unsigned char *changed)
{
	int			count = 0;

	for (int i = 0; i < schema->count; i++)
	{
		if (!differs(&schema->columns[i], before, after))
			continue;
		changed[i / 8] |= 1 << (i % 8);
		count++;
	}
	return count;
}

/* The values of one side of an UPDATE; returns the next bit. */
static int
put_side(Writer *writer, TupleTableSlot *row, const unsigned char *changed,
		 bool is_old, int bit)
{
	const StewardAuditSchema *schema = writer->schema;

	if (schema->binder != NULL)
		steward_redact_row(schema, row);
	for (int i = 0; i < schema->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];

		if (!(is_old ? steward_keeps_old(schema, i, changed) :
			  steward_get_bit(changed, i)))
			continue;
		if (!is_null(column, row))
		{
			mark_present(writer, bit);
			put_value(writer, column, value_of(column, row));
		}
		bit++;
	}
	return bit;
}

bool
steward_encode_update(const StewardAuditSchema *schema, TupleTableSlot *before,
					  TupleTableSlot *after, StringInfo payload, List **parts)
{
	unsigned char changed[STEWARD_BITMAP_BYTES(MaxHeapAttributeNumber)] = {0};
	Writer		writer;
	int			values;
	int			bit;

	slot_getallattrs(before);
	slot_getallattrs(after);
	values = find_changes(schema, before, after, changed);
	if (values == 0 && !schema->log_unchanged)
		return false;
	for (int i = 0; i < schema->count; i++)
		values += steward_keeps_old(schema, i, changed) ? 1 : 0;

	begin_payload(&writer, schema, payload, parts);
	steward_put_bytes(payload, changed, STEWARD_BITMAP_BYTES(schema->count));
	writer.present = steward_append_bitmap(payload, values);
	bit = put_side(&writer, before, changed, true, 0);
	(void) put_side(&writer, after, changed, false, bit);
	steward_settings_leave(writer.level);
	return true;
}
