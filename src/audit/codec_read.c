/*
 * codec_read.c: reading the bytes of a payload; see codec_read.h.
 *
 * A length or count is believed only as far as bytes are left for it: an
 * element takes a byte at least, or a bit when it may be NULL, so that a few
 * bytes cannot ask for much memory or time.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/schema.h"
#include "miscadmin.h"
#include "utils/memutils.h"

void
steward_payload_corrupted(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("audit record is corrupted: %s", what),
			 errhint("Compare the record with a backup or a replica of the database.")));
	pg_unreachable();
}

const unsigned char *
steward_take(StewardReader *reader, uint32 length)
{
	const unsigned char *start = reader->data;

	if (length > reader->left)
		steward_payload_corrupted("it ends early");
	reader->data += length;
	reader->left -= length;
	return start;
}

uint64
steward_take_varint(StewardReader *reader)
{
	uint64		value = 0;

	for (int shift = 0; shift < 7 * STEWARD_VARINT_MAX; shift += 7)
	{
		unsigned char byte = *steward_take(reader, 1);

		if (shift == 63 && byte > 1)
			break;
		value |= (uint64) (byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (byte == 0 && shift > 0)
			break;
		return value;
	}
	steward_payload_corrupted("a number is malformed");
	return 0;
}

uint32
steward_take_count(StewardReader *reader)
{
	uint64		value = steward_take_varint(reader);

	if (value > PG_UINT32_MAX)
		steward_payload_corrupted("it ends early");
	return (uint32) value;
}

int64
steward_take_signed(StewardReader *reader, int64 least, int64 most)
{
	int64		value = steward_unzigzag(steward_take_varint(reader));

	if (value < least || value > most)
		steward_payload_corrupted("a value is out of range");
	return value;
}

const unsigned char *
steward_take_bitmap(StewardReader *reader, int bits)
{
	const unsigned char *bitmap = steward_take(reader, STEWARD_BITMAP_BYTES(bits));

	for (int i = bits; i < STEWARD_BITMAP_BYTES(bits) * 8; i++)
		if (steward_get_bit(bitmap, i))
			steward_payload_corrupted("a bitmap names what is not there");
	return bitmap;
}

StewardSlice
steward_take_value(StewardReader *reader, const StewardCodec *codec)
{
	StewardSlice slice = {reader->data, 0, reader->encoding};

	if (codec->width == STEWARD_VARINT)
	{
		(void) steward_take_varint(reader);
		slice.length = reader->data - slice.data;
		return slice;
	}
	slice.length = codec->width >= 0 ? codec->width : steward_take_count(reader);
	slice.data = steward_take(reader, slice.length);
	return slice;
}

StewardReader
steward_read_slice(StewardSlice slice)
{
	StewardReader reader = {slice.data, slice.length, slice.encoding};

	return reader;
}

void
steward_read_end(const StewardReader *reader)
{
	if (reader->left != 0)
		steward_payload_corrupted("bytes follow its end");
}

int64
steward_slice_signed(StewardSlice slice, int64 least, int64 most)
{
	StewardReader reader = steward_read_slice(slice);

	return steward_take_signed(&reader, least, most);
}

/* Bounds as PostgreSQL has them: the last subscript is an integer too. */
static void
read_bounds(StewardArrayReader *array, bool stored)
{
	array->plain_bounds = true;
	for (int i = 0; i < array->ndim; i++)
	{
		array->bounds[i] = !stored ? 1 :
			(int) steward_take_signed(&array->reader, PG_INT32_MIN,
									  PG_INT32_MAX - array->dims[i]);
		if (array->bounds[i] != 1)
			array->plain_bounds = false;
	}
	if (stored && array->plain_bounds)
		steward_payload_corrupted("an array is malformed");
}

static void
read_dimensions(StewardArrayReader *array, bool has_nulls)
{
	uint64		most = (uint64) array->reader.left * (has_nulls ? 8 : 1);
	uint64		count = array->ndim == 0 ? 0 : 1;

	for (int i = 0; i < array->ndim; i++)
	{
		uint32		length = steward_take_count(&array->reader);

		if (length == 0)
			steward_payload_corrupted("an array is malformed");
		if (length > most / count)
			steward_payload_corrupted("it ends early");
		array->dims[i] = (int) length;
		count *= length;
		if (count > MaxArraySize)
			steward_payload_corrupted("an array is malformed");
	}
	array->count = (int) count;
}

void
steward_array_open(const StewardCodec *codec, StewardSlice slice,
				   StewardArrayReader *array)
{
	unsigned char head;
	bool		has_nulls;
	int			missing = 0;

	check_stack_depth();
	memset(array, 0, sizeof(*array));
	array->reader = steward_read_slice(slice);
	array->element = codec->element;
	head = *steward_take(&array->reader, 1);
	array->ndim = head & 0x07;
	has_nulls = (head & 0x20) != 0;
	if (array->ndim > MAXDIM || (head & 0xc8) != 0 ||
		(array->ndim == 0 && head != 0))
		steward_payload_corrupted("an array is malformed");
	read_dimensions(array, has_nulls);
	read_bounds(array, (head & 0x10) != 0);
	if (has_nulls)
	{
		array->present = steward_take_bitmap(&array->reader, array->count);
		for (int i = 0; i < array->count; i++)
			missing += steward_get_bit(array->present, i) ? 0 : 1;
		if (missing == 0)
			steward_payload_corrupted("an array is malformed");
	}
	if (array->count == 0)
		steward_read_end(&array->reader);
}

bool
steward_array_next(StewardArrayReader *array, StewardSlice *element)
{
	int			at = array->at++;
	bool		present = array->present == NULL ||
		steward_get_bit(array->present, at);

	Assert(at < array->count);
	if (present)
		*element = steward_take_value(&array->reader, array->element);
	if (array->at == array->count)
		steward_read_end(&array->reader);
	return present;
}

/* What the flags of a range can be: infinite bounds are never included. */
static bool
flags_are_valid(unsigned char flags)
{
	if ((flags & STEWARD_RANGE_EMPTY) != 0)
		return flags == STEWARD_RANGE_EMPTY;
	return flags <= 0x1f &&
		(flags & (STEWARD_RANGE_LOWER_INF | STEWARD_RANGE_LOWER_IN)) !=
		(STEWARD_RANGE_LOWER_INF | STEWARD_RANGE_LOWER_IN) &&
		(flags & (STEWARD_RANGE_UPPER_INF | STEWARD_RANGE_UPPER_IN)) !=
		(STEWARD_RANGE_UPPER_INF | STEWARD_RANGE_UPPER_IN);
}

void
steward_range_read(const StewardCodec *codec, StewardSlice slice,
				   StewardRangeBounds *range)
{
	StewardReader reader = steward_read_slice(slice);

	check_stack_depth();
	range->flags = *steward_take(&reader, 1);
	if (!flags_are_valid(range->flags))
		steward_payload_corrupted("a range is malformed");
	range->has_lower = (range->flags &
						(STEWARD_RANGE_EMPTY | STEWARD_RANGE_LOWER_INF)) == 0;
	range->has_upper = (range->flags &
						(STEWARD_RANGE_EMPTY | STEWARD_RANGE_UPPER_INF)) == 0;
	if (range->has_lower)
		range->lower = steward_take_value(&reader, codec->element);
	if (range->has_upper)
		range->upper = steward_take_value(&reader, codec->element);
	steward_read_end(&reader);
}

uint32
steward_multirange_open(StewardSlice slice, StewardReader *reader)
{
	uint32		count;

	*reader = steward_read_slice(slice);
	count = steward_take_count(reader);
	if (count > reader->left)
		steward_payload_corrupted("it ends early");
	if (count == 0)
		steward_read_end(reader);
	return count;
}

StewardSlice
steward_multirange_next(StewardReader *reader)
{
	StewardSlice slice;

	slice.length = steward_take_count(reader);
	slice.data = steward_take(reader, slice.length);
	slice.encoding = reader->encoding;
	return slice;
}

void
steward_new_image(StewardImage *image, int count)
{
	image->presence = palloc0(sizeof(StewardPresence) * Max(count, 1));
	image->slices = palloc0(sizeof(StewardSlice) * Max(count, 1));
}

void
steward_composite_read(const StewardCodec *codec, StewardSlice slice,
					   StewardImage *image)
{
	const StewardAuditSchema *schema = codec->composite;
	StewardReader reader = steward_read_slice(slice);
	const unsigned char *present;

	check_stack_depth();
	present = steward_take_bitmap(&reader, schema->count);
	steward_new_image(image, schema->count);
	for (int i = 0; i < schema->count; i++)
	{
		image->presence[i] = steward_get_bit(present, i) ? STEWARD_VALUE :
			STEWARD_NULL;
		if (image->presence[i] == STEWARD_VALUE)
			image->slices[i] = steward_take_value(&reader,
												  schema->columns[i].codec);
	}
	steward_read_end(&reader);
}
