/*
 * codec_text.c: values of any codec as jsonb, and as text for an input function.
 */
#include "base/compat.h"

#include "audit/codec_read.h"
#include "audit/codec_show.h"
#include "audit/codec_types.h"
#include "audit/redact.h"
#include "audit/schema.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static void append_text(StringInfo out, const StewardCodec *codec,
						StewardSlice slice);

/* The text of a scalar: of the jsonb it is shown as, or its own bytes. */
static char *
scalar_text(const StewardScalar *scalar, StewardSlice slice)
{
	JsonbValue	value;

	if (scalar->fidelity != STEWARD_EXACT)
		return steward_slice_text(slice);
	scalar->show(&value, scalar->get(slice));
	switch (value.type)
	{
		case jbvString:
			return pnstrdup(value.val.string.val, value.val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value.val.numeric)));
		case jbvBool:
			return pstrdup(value.val.boolean ? "true" : "false");
		default:
			elog(ERROR, "codec %s is shown as type %d of jsonb", scalar->name,
				 (int) value.type);
	}
	return NULL;
}

/* Quotes for any of array, range and record, when one of them needs it. */
static void
append_quoted(StringInfo out, const char *text, char delimiter)
{
	const char	special[] = {'"', '\\', '(', ')', '{', '}', '[', ']', ',', ' ',
	'\t', '\n', '\r', '\v', '\f', delimiter, '\0'};

	if (*text != '\0' && pg_strcasecmp(text, "null") != 0 &&
		text[strcspn(text, special)] == '\0')
	{
		appendStringInfoString(out, text);
		return;
	}
	appendStringInfoChar(out, '"');
	for (; *text != '\0'; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '"');
}

static void
append_member(StringInfo out, const StewardCodec *codec, StewardSlice slice,
			  char delimiter)
{
	char	   *text = steward_codec_to_text(codec, slice);

	append_quoted(out, text, delimiter);
	pfree(text);
}

static void
append_dimension(StringInfo out, const StewardCodec *codec,
				 StewardArrayReader *array, int dimension)
{
	StewardSlice slice;

	appendStringInfoChar(out, '{');
	for (int i = 0; i < array->dims[dimension]; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, codec->delimiter);
		if (dimension + 1 < array->ndim)
			append_dimension(out, codec, array, dimension + 1);
		else if (steward_array_next(array, &slice))
			append_member(out, codec->element, slice, codec->delimiter);
		else
			appendStringInfoString(out, "NULL");
	}
	appendStringInfoChar(out, '}');
}

static void
append_array(StringInfo out, const StewardCodec *codec, StewardSlice slice)
{
	StewardArrayReader array;

	steward_array_open(codec, slice, &array);
	for (int i = 0; i < array.ndim && !array.plain_bounds; i++)
		appendStringInfo(out, "[%d:%d]", array.bounds[i],
						 array.bounds[i] + array.dims[i] - 1);
	if (!array.plain_bounds)
		appendStringInfoChar(out, '=');
	if (array.ndim == 0)
		appendStringInfoString(out, "{}");
	else
		append_dimension(out, codec, &array, 0);
}

static void
append_range(StringInfo out, const StewardCodec *codec, StewardSlice slice)
{
	StewardRangeBounds range;

	steward_range_read(codec, slice, &range);
	if (range.flags & STEWARD_RANGE_EMPTY)
	{
		appendStringInfoString(out, "empty");
		return;
	}
	appendStringInfoChar(out, range.flags & STEWARD_RANGE_LOWER_IN ? '[' : '(');
	if (range.has_lower)
		append_member(out, codec->element, range.lower, ',');
	appendStringInfoChar(out, ',');
	if (range.has_upper)
		append_member(out, codec->element, range.upper, ',');
	appendStringInfoChar(out, range.flags & STEWARD_RANGE_UPPER_IN ? ']' : ')');
}

static void
append_multirange(StringInfo out, const StewardCodec *codec, StewardSlice slice)
{
	StewardReader reader;
	uint32		count = steward_multirange_open(slice, &reader);

	appendStringInfoChar(out, '{');
	for (uint32 i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		append_range(out, codec, steward_multirange_next(&reader));
	}
	steward_read_end(&reader);
	appendStringInfoChar(out, '}');
}

static void
append_composite(StringInfo out, const StewardCodec *codec, StewardSlice slice)
{
	StewardImage image;

	steward_composite_read(codec, slice, &image);
	appendStringInfoChar(out, '(');
	for (int i = 0; i < codec->composite->count; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		if (image.presence[i] == STEWARD_VALUE)
			append_member(out, codec->composite->columns[i].codec,
						  image.slices[i], ',');
	}
	appendStringInfoChar(out, ')');
}

static void
append_text(StringInfo out, const StewardCodec *codec, StewardSlice slice)
{
	check_stack_depth();
	switch (codec->kind)
	{
		case STEWARD_SCALAR:
			appendStringInfoString(out, scalar_text(codec->scalar, slice));
			break;
		case STEWARD_ARRAY:
			append_array(out, codec, slice);
			break;
		case STEWARD_RANGE:
			append_range(out, codec, slice);
			break;
		case STEWARD_MULTIRANGE:
			append_multirange(out, codec, slice);
			break;
		case STEWARD_COMPOSITE:
			append_composite(out, codec, slice);
			break;
		case STEWARD_OMITTED:
		case STEWARD_HASHED:
		case STEWARD_ENCRYPTED:
			appendStringInfoString(out, steward_redact_text(codec, slice));
			break;
	}
}

char *
steward_codec_to_text(const StewardCodec *codec, StewardSlice slice)
{
	StringInfoData out;

	if (codec->kind == STEWARD_SCALAR)
		return scalar_text(codec->scalar, slice);
	initStringInfo(&out);
	append_text(&out, codec, slice);
	return out.data;
}

/*
 * Whether an array would be read back as another: its elements may be JSON
 * arrays, which look like one more dimension, or its bounds would be lost.
 */
static bool
is_shown_as_text(const StewardCodec *codec, const StewardArrayReader *array)
{
	const StewardCodec *element = codec->element;

	return !array->plain_bounds || element->kind == STEWARD_ARRAY ||
		(element->kind == STEWARD_SCALAR &&
		 (element->scalar->show == steward_show_json ||
		  element->scalar->show == steward_show_jsonb));
}

static void
push_text(JsonbParseState **state, JsonbIteratorToken token,
		  const StewardCodec *codec, StewardSlice slice)
{
	JsonbValue	value;

	steward_show_cstring(&value, steward_codec_to_text(codec, slice));
	(void) pushJsonbValue(state, token, &value);
}

static void
push_dimension(JsonbParseState **state, StewardArrayReader *array, int dimension)
{
	StewardSlice slice;
	JsonbValue	null = {.type = jbvNull};

	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; array->ndim > 0 && i < array->dims[dimension]; i++)
	{
		if (dimension + 1 < array->ndim)
			push_dimension(state, array, dimension + 1);
		else if (steward_array_next(array, &slice))
			steward_push_value(state, WJB_ELEM, array->element, slice);
		else
			(void) pushJsonbValue(state, WJB_ELEM, &null);
	}
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_array(JsonbParseState **state, JsonbIteratorToken token,
		   const StewardCodec *codec, StewardSlice slice)
{
	StewardArrayReader array;

	steward_array_open(codec, slice, &array);
	if (array.ndim > 0 && is_shown_as_text(codec, &array))
		push_text(state, token, codec, slice);
	else
		push_dimension(state, &array, 0);
}

void
steward_push_value(JsonbParseState **state, JsonbIteratorToken token,
				   const StewardCodec *codec, StewardSlice slice)
{
	StewardImage image;
	JsonbValue	value;

	check_stack_depth();
	switch (codec->kind)
	{
		case STEWARD_SCALAR:
			codec->scalar->show(&value, codec->scalar->get(slice));
			(void) pushJsonbValue(state, token, &value);
			break;
		case STEWARD_ARRAY:
			push_array(state, token, codec, slice);
			break;
		case STEWARD_RANGE:
		case STEWARD_MULTIRANGE:
			push_text(state, token, codec, slice);
			break;
		case STEWARD_COMPOSITE:
			steward_composite_read(codec, slice, &image);
			(void) steward_push_image(state, codec->composite, &image, false);
			break;
		case STEWARD_OMITTED:
		case STEWARD_HASHED:
		case STEWARD_ENCRYPTED:
			steward_redact_push(state, token, codec, slice);
			break;
	}
}

/* In place of a value that is longer than jsonb may be: how long it is stored. */
static void
push_too_long(JsonbParseState **state, StewardSlice slice)
{
	JsonbValue	name;
	JsonbValue	length = {.type = jbvNumeric,
	.val.numeric = int64_to_numeric((int64) slice.length)};

	steward_show_cstring(&name, pstrdup("too_long"));
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(state, WJB_KEY, &name);
	(void) pushJsonbValue(state, WJB_VALUE, &length);
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

JsonbValue *
steward_push_image(JsonbParseState **state, const StewardAuditSchema *schema,
				   const StewardImage *image, bool key_only)
{
	JsonbValue	null = {.type = jbvNull};
	JsonbValue	name;

	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < schema->count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];

		if (image->presence[i] == STEWARD_ABSENT || (key_only && !column->key))
			continue;
		steward_show_cstring(&name, column->name);
		(void) pushJsonbValue(state, WJB_KEY, &name);
		if (image->presence[i] == STEWARD_NULL)
			(void) pushJsonbValue(state, WJB_VALUE, &null);
		else if (image->presence[i] == STEWARD_TOO_LONG)
			push_too_long(state, image->slices[i]);
		else
			steward_push_value(state, WJB_VALUE, column->codec, image->slices[i]);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}
