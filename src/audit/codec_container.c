/*
 * codec_container.c: writing arrays, ranges and composites element by element.
 *
 * A stored container may be compressed or out of line as a whole, and an
 * attribute of a composite may be compressed; one that a function has at hand may
 * be expanded. The macros that fetch each of them make it flat and plain.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/schema.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"

int
steward_append_bitmap(StringInfo out, int bits)
{
	int			start = out->len;
	int			bytes = STEWARD_BITMAP_BYTES(bits);

	memset(steward_reserve(out, bytes), 0, bytes);
	out->len += bytes;
	return start;
}

/* Lengths below 128, the most by far, have their place already. */
void
steward_end_counted(StringInfo out, int start)
{
	int			length = out->len - start;
	unsigned char count[STEWARD_VARINT_MAX];
	int			bytes = steward_write_varint(count, length);

	if (bytes > 1)
	{
		(void) steward_reserve(out, bytes - 1);
		memmove(out->data + start + bytes - 1, out->data + start, length);
		out->len += bytes - 1;
	}
	memcpy(out->data + start - 1, count, bytes);
}

/* How many elements; a head byte, dimensions, bounds unless all are 1. */
static int
put_shape(StringInfo out, ArrayType *array)
{
	int			ndim = ARR_NDIM(array);
	int			count = ArrayGetNItems(ndim, ARR_DIMS(array));
	bool		plain_bounds = true;
	bool		has_nulls = array_contains_nulls(array);

	if (count == 0)
		ndim = 0;
	for (int i = 0; i < ndim; i++)
		plain_bounds = plain_bounds && ARR_LBOUND(array)[i] == 1;
	steward_append_byte(out, ndim | (plain_bounds ? 0 : 0x10) |
						(has_nulls ? 0x20 : 0));
	for (int i = 0; i < ndim; i++)
		steward_append_varint(out, ARR_DIMS(array)[i]);
	for (int i = 0; i < ndim && !plain_bounds; i++)
		steward_append_signed(out, ARR_LBOUND(array)[i]);
	return count;
}

static void
put_elements(const StewardCodec *element, StringInfo out, ArrayType *array,
			 int count)
{
	const bits8 *nulls = ARR_NULLBITMAP(array);
	char	   *at = ARR_DATA_PTR(array);
	int			present = -1;

	if (count > 0 && array_contains_nulls(array))
		present = steward_append_bitmap(out, count);
	for (int i = 0; i < count; i++)
	{
		if (nulls != NULL && (nulls[i / 8] & (1 << (i % 8))) == 0)
			continue;
		if (present >= 0)
			steward_set_bit(out, present, i);
		element->put(element, out, fetch_att(at, element->typbyval,
											 element->typlen));
		at = att_addlength_pointer(at, element->typlen, at);
		at = (char *) att_align_nominal(at, element->typalign);
	}
}

void
steward_put_array(const StewardCodec *codec, StringInfo out, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int			start = steward_begin_counted(out);

	check_stack_depth();
	put_elements(codec->element, out, array, put_shape(out, array));
	steward_end_counted(out, start);
	if ((Pointer) array != DatumGetPointer(value))
		pfree(array);
}

static void
put_bounds(const StewardCodec *codec, StringInfo out, RangeBound *lower,
		   RangeBound *upper, bool empty)
{
	int			start = steward_begin_counted(out);
	unsigned char flags = 0;

	if (empty)
		flags = STEWARD_RANGE_EMPTY;
	else
	{
		flags |= lower->infinite ? STEWARD_RANGE_LOWER_INF :
			lower->inclusive ? STEWARD_RANGE_LOWER_IN : 0;
		flags |= upper->infinite ? STEWARD_RANGE_UPPER_INF :
			upper->inclusive ? STEWARD_RANGE_UPPER_IN : 0;
	}
	steward_append_byte(out, flags);
	if (!empty && !lower->infinite)
		codec->element->put(codec->element, out, lower->val);
	if (!empty && !upper->infinite)
		codec->element->put(codec->element, out, upper->val);
	steward_end_counted(out, start);
}

void
steward_put_range(const StewardCodec *codec, StringInfo out, Datum value)
{
	RangeType  *range = DatumGetRangeTypeP(value);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	check_stack_depth();
	range_deserialize(codec->range, range, &lower, &upper, &empty);
	put_bounds(codec, out, &lower, &upper, empty);
	if ((Pointer) range != DatumGetPointer(value))
		pfree(range);
}

void
steward_put_multirange(const StewardCodec *codec, StringInfo out, Datum value)
{
	MultirangeType *multirange = DatumGetMultirangeTypeP(value);
	int			start = steward_begin_counted(out);
	RangeBound	lower;
	RangeBound	upper;

	check_stack_depth();
	steward_append_varint(out, multirange->rangeCount);
	for (uint32 i = 0; i < multirange->rangeCount; i++)
	{
		multirange_get_bounds(codec->range, multirange, i, &lower, &upper);
		put_bounds(codec, out, &lower, &upper, false);
	}
	steward_end_counted(out, start);
	if ((Pointer) multirange != DatumGetPointer(value))
		pfree(multirange);
}

static void
put_attributes(const StewardAuditSchema *schema, StringInfo out,
			   const Datum *values, const bool *nulls)
{
	int			present = steward_append_bitmap(out, schema->count);

	for (int i = 0; i < schema->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];

		if (nulls[column->attnum - 1])
			continue;
		steward_set_bit(out, present, i);
		column->codec->put(column->codec, out, values[column->attnum - 1]);
	}
}

void
steward_put_composite(const StewardCodec *codec, StringInfo out, Datum value)
{
	const StewardAuditSchema *schema = codec->composite;
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),
	.t_data = header};
	Datum	   *values = palloc(sizeof(Datum) * (schema->desc->natts + 1));
	bool	   *nulls = palloc(sizeof(bool) * (schema->desc->natts + 1));
	int			start = steward_begin_counted(out);

	check_stack_depth();
	ItemPointerSetInvalid(&tuple.t_self);
	if (HeapTupleHeaderGetTypeId(header) != codec->type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("composite value is of type %u instead of %u",
						HeapTupleHeaderGetTypeId(header), codec->type),
				 errhint("Compare the table with a backup: one of its values is damaged.")));
	if (HeapTupleHeaderGetNatts(header) > schema->desc->natts)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("composite type %s was changed concurrently",
						format_type_be(codec->type)),
				 errhint("Retry the transaction.")));
	heap_deform_tuple(&tuple, schema->desc, values, nulls);
	put_attributes(schema, out, values, nulls);
	steward_end_counted(out, start);
	pfree(values);
	pfree(nulls);
	if ((Pointer) header != DatumGetPointer(value))
		pfree(header);
}
