/*
 * codec.c: rows to payloads and back; README has the format.
 */
#include "base/compat.h"

#include "access/detoast.h"
#include "audit/codec.h"
#include "audit/schema.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* Room for the other columns of the record's tuple. */
#define MAX_PAYLOAD (MaxAllocSize - 1024)

#define BITMAP_BYTES(bits) (((bits) + 7) / 8)

void
steward_put_varint(StringInfo out, uint32 value)
{
	while (value >= 0x80)
	{
		appendStringInfoCharMacro(out, (char) (value | 0x80));
		value >>= 7;
	}
	appendStringInfoCharMacro(out, (char) value);
}

void
steward_put_bytes(StringInfo out, const void *data, Size length)
{
	if (length > MAX_PAYLOAD || out->len > MAX_PAYLOAD - length)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("audit record would exceed 1 GB"),
				 errdetail("A record holds the old and the new values of all columns that a change touches."),
				 errhint("Change fewer of the large columns at once, or call steward.disable_audit() for the table.")));
	appendBinaryStringInfo(out, data, (int) length);
}

static void
put_zeros(StringInfo out, int count)
{
	enlargeStringInfo(out, count);
	memset(out->data + out->len, 0, count);
	out->len += count;
	out->data[out->len] = '\0';
}

static inline void
set_bit(StringInfo out, int start, int bit)
{
	out->data[start + bit / 8] |= 1 << (bit % 8);
}

static inline bool
get_bit(const unsigned char *bitmap, int bit)
{
	return (bitmap[bit / 8] & (1 << (bit % 8))) != 0;
}

static void
put_value(const StewardAuditColumn *column, TupleTableSlot *row, StringInfo out)
{
	column->codec->put(out, row->tts_values[column->attnum - 1]);
}

static inline bool
is_null(const StewardAuditColumn *column, TupleTableSlot *row)
{
	return row->tts_isnull[column->attnum - 1];
}

void
steward_encode_empty(StringInfo payload)
{
	appendStringInfoCharMacro(payload, STEWARD_PAYLOAD_FORMAT);
}

void
steward_encode_row(const StewardAuditSchema *schema, TupleTableSlot *row,
				   StringInfo payload)
{
	int			present;

	slot_getallattrs(row);
	steward_encode_empty(payload);
	present = payload->len;
	put_zeros(payload, BITMAP_BYTES(schema->count));
	for (int i = 0; i < schema->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];

		if (is_null(column, row))
			continue;
		set_bit(payload, present, i);
		put_value(column, row, payload);
	}
}

/*
 * Whether a column differs, bit for bit. The same TOAST pointer means the same
 * value; it is not fetched.
 */
static bool
differs(const StewardAuditColumn *column, TupleTableSlot *before,
		TupleTableSlot *after)
{
	Datum		old = before->tts_values[column->attnum - 1];
	Datum		new = after->tts_values[column->attnum - 1];

	if (is_null(column, before) || is_null(column, after))
		return is_null(column, before) != is_null(column, after);
	if (column->typlen == -1)
	{
		struct varlena *a = (struct varlena *) DatumGetPointer(old);
		struct varlena *b = (struct varlena *) DatumGetPointer(new);

		if (VARATT_IS_EXTERNAL_ONDISK(a) && VARATT_IS_EXTERNAL_ONDISK(b) &&
			memcmp(a, b, VARSIZE_EXTERNAL(a)) == 0)
			return false;
	}
	return !datum_image_eq(old, new, column->typbyval, column->typlen);
}

static inline bool
keeps_old(const StewardAuditSchema *schema, int i, const unsigned char *changed)
{
	return schema->key_count == 0 || schema->columns[i].key ||
		get_bit(changed, i);
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

bool
steward_encode_update(const StewardAuditSchema *schema, TupleTableSlot *before,
					  TupleTableSlot *after, StringInfo payload)
{
	unsigned char changed[BITMAP_BYTES(MaxHeapAttributeNumber)] = {0};
	int			values;
	int			present;
	int			bit = 0;

	slot_getallattrs(before);
	slot_getallattrs(after);
	values = find_changes(schema, before, after, changed);
	if (values == 0)
		return false;
	for (int i = 0; i < schema->count; i++)
		values += keeps_old(schema, i, changed) ? 1 : 0;

	steward_encode_empty(payload);
	steward_put_bytes(payload, changed, BITMAP_BYTES(schema->count));
	present = payload->len;
	put_zeros(payload, BITMAP_BYTES(values));
	for (int i = 0; i < schema->count; i++)
	{
		if (!keeps_old(schema, i, changed))
			continue;
		if (!is_null(&schema->columns[i], before))
		{
			set_bit(payload, present, bit);
			put_value(&schema->columns[i], before, payload);
		}
		bit++;
	}
	for (int i = 0; i < schema->count; i++)
	{
		if (!get_bit(changed, i))
			continue;
		if (!is_null(&schema->columns[i], after))
		{
			set_bit(payload, present, bit);
			put_value(&schema->columns[i], after, payload);
		}
		bit++;
	}
	return true;
}

/* Where the decoder is. */
typedef struct Reader
{
	const unsigned char *data;
	uint32		left;
} Reader;

void
steward_payload_corrupted(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("audit record is corrupted: %s", what),
			 errhint("Compare the record with a backup or a replica of the database.")));
	pg_unreachable();
}

static const unsigned char *
take(Reader *reader, uint32 length)
{
	const unsigned char *start = reader->data;

	if (length > reader->left)
		steward_payload_corrupted("it ends early");
	reader->data += length;
	reader->left -= length;
	return start;
}

static uint32
take_varint(Reader *reader)
{
	uint32		value = 0;

	for (int shift = 0; shift < 35; shift += 7)
	{
		unsigned char byte = *take(reader, 1);

		if (shift == 28 && byte > 0x0f)
			break;
		value |= (uint32) (byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (byte == 0 && shift > 0)
			break;
		return value;
	}
	steward_payload_corrupted("a length is malformed");
	return 0;
}

/* A bitmap whose bits beyond the last are zero. */
static const unsigned char *
take_bitmap(Reader *reader, int bits)
{
	const unsigned char *bitmap = take(reader, BITMAP_BYTES(bits));

	for (int i = bits; i < BITMAP_BYTES(bits) * 8; i++)
		if (get_bit(bitmap, i))
			steward_payload_corrupted("a bitmap names a column that is not there");
	return bitmap;
}

static void
take_column(Reader *reader, const StewardAuditSchema *schema, int i,
			bool present, StewardImage *image)
{
	const StewardCodec *codec = schema->columns[i].codec;
	StewardSlice *slice = &image->slices[i];

	image->presence[i] = present ? STEWARD_VALUE : STEWARD_NULL;
	if (!present)
		return;
	slice->length = codec->width >= 0 ? codec->width : take_varint(reader);
	slice->data = take(reader, slice->length);
	slice->encoding = schema->encoding;
}

static void
take_update(Reader *reader, const StewardAuditSchema *schema,
			StewardImage *before, StewardImage *after)
{
	const unsigned char *changed = take_bitmap(reader, schema->count);
	const unsigned char *present;
	int			values = 0;
	int			bit = 0;

	for (int i = 0; i < schema->count; i++)
		values += (keeps_old(schema, i, changed) ? 1 : 0) +
			(get_bit(changed, i) ? 1 : 0);
	present = take_bitmap(reader, values);
	for (int i = 0; i < schema->count; i++)
		if (keeps_old(schema, i, changed))
			take_column(reader, schema, i, get_bit(present, bit++), before);
	for (int i = 0; i < schema->count; i++)
		if (get_bit(changed, i))
			take_column(reader, schema, i, get_bit(present, bit++), after);
}

static void
take_row(Reader *reader, const StewardAuditSchema *schema, StewardImage *image)
{
	const unsigned char *present = take_bitmap(reader, schema->count);

	for (int i = 0; i < schema->count; i++)
		take_column(reader, schema, i, get_bit(present, i), image);
}

static void
new_image(StewardImage *image, int count)
{
	image->presence = palloc0(sizeof(StewardPresence) * Max(count, 1));
	image->slices = palloc0(sizeof(StewardSlice) * Max(count, 1));
}

void
steward_decode_payload(const StewardAuditSchema *schema, char op,
					   const unsigned char *data, uint32 length,
					   StewardImage *before, StewardImage *after)
{
	Reader		reader = {data, length};

	new_image(before, schema->count);
	new_image(after, schema->count);
	if (*take(&reader, 1) != STEWARD_PAYLOAD_FORMAT)
		steward_payload_corrupted("its format is unknown");
	switch (op)
	{
		case STEWARD_OP_INSERT:
			take_row(&reader, schema, after);
			break;
		case STEWARD_OP_DELETE:
			take_row(&reader, schema, before);
			break;
		case STEWARD_OP_UPDATE:
			take_update(&reader, schema, before, after);
			break;
		case STEWARD_OP_TRUNCATE:
		case STEWARD_OP_ENABLE:
		case STEWARD_OP_DISABLE:
		case STEWARD_OP_REWRITE:
			break;
		default:
			steward_payload_corrupted("its operation is unknown");
	}
	if (reader.left != 0)
		steward_payload_corrupted("bytes follow its end");
}
