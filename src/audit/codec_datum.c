/*
 * codec_datum.c: stored values as Datums of the types of today.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "audit/codec_read.h"
#include "audit/codec_types.h"
#include "audit/foreign_check.h"
#include "audit/schema.h"
#include "audit/settings.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
#include "utils/syscache.h"

/* A stored value: its codec, and the type modifier it was stored under. */
typedef struct Stored
{
	const StewardCodec *codec;
	int32		typmod;
	StewardSlice slice;
	bool		same_database;
} Stored;

static Datum value_as(Stored stored, Oid type, int32 typmod, bool *isnull);

/* An overloaded function or operator is stored with its argument types. */
static Oid
input_function(Oid type, const char *text, Oid *io_param)
{
	size_t		length = strlen(text);
	Oid			function;

	getTypeInputInfo(type, &function, io_param);
	if (length > 0 && text[length - 1] == ')')
	{
		if (type == REGPROCOID)
			return F_REGPROCEDUREIN;
		if (type == REGOPEROID)
			return F_REGOPERATORIN;
	}
	return function;
}

/* A label that the enum has no more would be the input function's error. */
static void
require_label(Oid type, const char *label)
{
	if (get_typtype(type) != TYPTYPE_ENUM ||
		(strlen(label) < NAMEDATALEN &&
		 SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(type), CStringGetDatum(label))))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("enum %s has no value \"%s\" any more", format_type_be(type), label),
			 errdetail("ALTER TYPE renamed it since it was recorded, or the type is another."),
			 errhint("steward.audit_trail shows values under the labels they had.")));
}

/* What the output function said under fixed settings is read under them. */
static Datum
by_text(Stored stored, Oid type, int32 typmod, bool *isnull)
{
	char	   *text = steward_codec_to_text(stored.codec, stored.slice);
	Oid			io_param;
	Oid			function = input_function(type, text, &io_param);
	int			level = steward_settings_enter();
	FmgrInfo	input;
	Datum		value;

	LOCAL_FCINFO(call, 3);

	require_label(type, text);
	steward_refuse_foreign_checks(type);
	fmgr_info(function, &input);
	InitFunctionCallInfoData(*call, &input, 3, InvalidOid, NULL, NULL);
	call->args[0].value = CStringGetDatum(text);
	call->args[0].isnull = false;
	call->args[1].value = ObjectIdGetDatum(io_param);
	call->args[1].isnull = false;
	call->args[2].value = Int32GetDatum(typmod);
	call->args[2].isnull = false;
	value = FunctionCallInvoke(call);
	*isnull = call->isnull;
	steward_settings_leave(level);
	return value;
}

static Datum
array_as(Stored stored, Oid element_type, int32 typmod)
{
	StewardArrayReader array;
	Stored		element = stored;
	Datum	   *values;
	bool	   *nulls;
	int16		typlen;
	bool		typbyval;
	char		typalign;

	element.codec = stored.codec->element;
	steward_array_open(stored.codec, stored.slice, &array);
	values = MemoryContextAllocHuge(CurrentMemoryContext,
									sizeof(Datum) * ((Size) array.count + 1));
	nulls = MemoryContextAllocHuge(CurrentMemoryContext, (Size) array.count + 1);
	for (int i = 0; i < array.count; i++)
	{
		nulls[i] = !steward_array_next(&array, &element.slice);
		if (!nulls[i])
			values[i] = value_as(element, element_type, typmod, &nulls[i]);
	}
	get_typlenbyvalalign(element_type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_md_array(values, nulls, array.ndim,
											  array.dims, array.bounds,
											  element_type, typlen, typbyval,
											  typalign));
}

static void
bound_as(Stored stored, bool present, StewardSlice slice, bool inclusive,
		 TypeCacheEntry *range, RangeBound *bound)
{
	Stored		inner = {stored.codec->element, -1, slice, stored.same_database};
	bool		isnull = false;

	bound->val = (Datum) 0;
	bound->infinite = !present;
	bound->inclusive = inclusive;
	if (present)
		bound->val = value_as(inner, range->rngelemtype->type_id, -1, &isnull);
	if (isnull)
		steward_payload_corrupted("a range is malformed");
}

static RangeType *
range_as(Stored stored, TypeCacheEntry *range)
{
	StewardRangeBounds bounds;
	RangeBound	lower;
	RangeBound	upper;

	steward_range_read(stored.codec, stored.slice, &bounds);
	bound_as(stored, bounds.has_lower, bounds.lower,
			 (bounds.flags & STEWARD_RANGE_LOWER_IN) != 0, range, &lower);
	bound_as(stored, bounds.has_upper, bounds.upper,
			 (bounds.flags & STEWARD_RANGE_UPPER_IN) != 0, range, &upper);
	lower.lower = true;
	upper.lower = false;
	return STEWARD_RANGE_OF(range, &lower, &upper,
							(bounds.flags & STEWARD_RANGE_EMPTY) != 0);
}

static Datum
multirange_as(Stored stored, Oid type)
{
	TypeCacheEntry *range = lookup_type_cache(get_multirange_range(type),
											  TYPECACHE_RANGE_INFO);
	StewardReader reader;
	uint32		count = steward_multirange_open(stored.slice, &reader);
	RangeType **ranges = MemoryContextAllocHuge(CurrentMemoryContext,
												sizeof(RangeType *) * ((Size) count + 1));
	Stored		inner = stored;

	for (uint32 i = 0; i < count; i++)
	{
		inner.slice = steward_multirange_next(&reader);
		ranges[i] = range_as(inner, range);
	}
	steward_read_end(&reader);
	return MultirangeTypePGetDatum(make_multirange(type, range, (int32) count,
												   ranges));
}

static bool
is_live(TupleDesc desc, AttrNumber attnum)
{
	return attnum >= 1 && attnum <= desc->natts &&
		!TupleDescAttr(desc, attnum - 1)->attisdropped;
}

/*
 * Which stored attribute becomes one of today, or -1 when it was added since.
 * By number, where numbers mean the same; else, or when it was dropped and added
 * again, by name.
 */
static int
find_attribute(const StewardAuditSchema *schema, TupleDesc desc, int i,
			   bool by_number)
{
	Form_pg_attribute wanted = TupleDescAttr(desc, i);

	for (int c = 0; by_number && c < schema->count; c++)
		if (schema->columns[c].attnum == wanted->attnum)
			return c;
	for (int c = 0; c < schema->count; c++)
		if (strcmp(schema->columns[c].name, NameStr(wanted->attname)) == 0 &&
			!(by_number && is_live(desc, schema->columns[c].attnum)))
			return c;
	return -1;
}

Datum
steward_image_as(const StewardAuditSchema *schema, const StewardImage *image,
				 Oid type, bool same_database)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	bool		by_number = same_database &&
		get_typ_typrelid(type) == schema->relid;
	Stored		stored = {.same_database = same_database};
	Datum	   *values = palloc0(sizeof(Datum) * (desc->natts + 1));
	bool	   *nulls = palloc(sizeof(bool) * (desc->natts + 1));

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		int			c = attribute->attisdropped ? -1 :
			find_attribute(schema, desc, i, by_number);

		nulls[i] = c < 0 || image->presence[c] != STEWARD_VALUE;
		if (nulls[i])
			continue;
		stored.codec = schema->columns[c].codec;
		stored.typmod = schema->columns[c].typmod;
		stored.slice = image->slices[c];
		values[i] = value_as(stored, attribute->atttypid, attribute->atttypmod,
							 &nulls[i]);
	}
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
composite_as(Stored stored, Oid type)
{
	StewardImage image;

	steward_composite_read(stored.codec, stored.slice, &image);
	return steward_image_as(stored.codec->composite, &image, type,
							stored.same_database);
}

static Datum
value_as(Stored stored, Oid type, int32 typmod, bool *isnull)
{
	const StewardCodec *codec = stored.codec;
	Oid			base = getBaseTypeAndTypmod(type, &typmod);
	Oid			element = get_element_type(base);
	char		kind = get_typtype(base);

	check_stack_depth();
	*isnull = steward_codec_is_redacted(codec);
	if (*isnull)
		return (Datum) 0;
	if (codec->kind == STEWARD_SCALAR &&
		(typmod == -1 || typmod == stored.typmod) &&
		steward_scalar_is_exact(codec->scalar, base))
		return codec->scalar->get(stored.slice);
	if (codec->kind == STEWARD_ARRAY && OidIsValid(element) &&
		steward_output_obeys_settings(base))
		return array_as(stored, element, typmod);
	if (codec->kind == STEWARD_RANGE && kind == TYPTYPE_RANGE)
		return RangeTypePGetDatum(range_as(stored,
										   lookup_type_cache(base, TYPECACHE_RANGE_INFO)));
	if (codec->kind == STEWARD_MULTIRANGE && kind == TYPTYPE_MULTIRANGE)
		return multirange_as(stored, base);
	if (codec->kind == STEWARD_COMPOSITE && kind == TYPTYPE_COMPOSITE)
		return composite_as(stored, base);
	return by_text(stored, base, typmod, isnull);
}

Datum
steward_codec_value_as(const StewardAuditColumn *column, StewardSlice slice,
					   Oid type, int32 typmod, bool same_database, bool *isnull)
{
	Stored		stored = {column->codec, column->typmod, slice, same_database};

	return value_as(stored, type, typmod, isnull);
}
