/*
 * codec_resolve.c: from types to codecs, and from codecs to text and back.
 *
 * Types are finite: none contains itself, also not through an array or a
 * domain. What audit_schema says may be anything; there a composite's id is
 * below that of the version that names it, which was written later, so that
 * descriptions cannot turn in a circle.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_resolve.h"
#include "audit/codec_types.h"
#include "audit/schema_row.h"
#include "catalog/pg_type.h"
#include "crypto/tag.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static void
use_scalar(StewardCodec *codec, const StewardScalar *scalar)
{
	codec->kind = STEWARD_SCALAR;
	codec->scalar = scalar;
	codec->width = scalar->width;
	codec->put = scalar->put;
}

static void
use_output(StewardCodec *codec, Oid type)
{
	Oid			function;
	bool		is_varlena;

	use_scalar(codec, steward_scalar_by_name("text-output"));
	getTypeOutputInfo(type, &function, &is_varlena);
	codec->output = palloc0(sizeof(FmgrInfo));
	fmgr_info_cxt(function, codec->output, CurrentMemoryContext);
	codec->settings = steward_output_obeys_settings(type);
}

static void
use_array(StewardCodec *codec, Oid element)
{
	codec->kind = STEWARD_ARRAY;
	codec->put = steward_put_array;
	codec->element = steward_codec_for_type(element);
	codec->settings = codec->element->settings;
	codec->delimiter = steward_type_delimiter(element);
}

static void
use_range(StewardCodec *codec, Oid range)
{
	codec->kind = STEWARD_RANGE;
	codec->put = steward_put_range;
	codec->range = lookup_type_cache(range, TYPECACHE_RANGE_INFO);
	codec->element = steward_codec_for_type(get_range_subtype(range));
	codec->settings = codec->element->settings;
}

static void
use_composite(StewardCodec *codec, Oid type)
{
	codec->kind = STEWARD_COMPOSITE;
	codec->put = steward_put_composite;
	codec->composite = steward_schema_describe_composite(type);
	codec->settings = codec->composite->settings;
}

/* By what kind of type it is; the table has been asked. */
static void
use_kind(StewardCodec *codec, Oid type)
{
	Oid			element = get_element_type(type);

	if (OidIsValid(element))
		use_array(codec, element);
	else
		switch (get_typtype(type))
		{
			case TYPTYPE_ENUM:
				use_scalar(codec, steward_scalar_by_name("enum"));
				break;
			case TYPTYPE_RANGE:
				use_range(codec, type);
				break;
			case TYPTYPE_MULTIRANGE:
				use_range(codec, get_multirange_range(type));
				codec->kind = STEWARD_MULTIRANGE;
				codec->put = steward_put_multirange;
				break;
			case TYPTYPE_COMPOSITE:
				use_composite(codec, type);
				break;
			default:
				use_output(codec, type);
		}
}

StewardCodec *
steward_codec_for_type(Oid type)
{
	StewardCodec *codec = palloc0(sizeof(StewardCodec));
	const StewardScalar *scalar;

	check_stack_depth();
	codec->type = getBaseType(type);
	codec->width = STEWARD_COUNTED;
	get_typlenbyvalalign(codec->type, &codec->typlen, &codec->typbyval,
						 &codec->typalign);
	scalar = steward_scalar_for_type(codec->type);
	if (scalar != NULL)
		use_scalar(codec, scalar);
	else if (!steward_output_obeys_settings(codec->type))
		use_output(codec, codec->type);
	else
		use_kind(codec, codec->type);
	return codec;
}

void
steward_codec_append(StringInfo out, const StewardCodec *codec)
{
	switch (codec->kind)
	{
		case STEWARD_SCALAR:
			appendStringInfoString(out, codec->scalar->name);
			return;
		case STEWARD_COMPOSITE:
			appendStringInfo(out, "composite:%d", codec->composite->version);
			return;
		case STEWARD_ARRAY:
			appendStringInfoString(out, "array");
			if (codec->delimiter != ',')
				appendStringInfoChar(out, codec->delimiter);
			break;
		case STEWARD_RANGE:
			appendStringInfoString(out, "range");
			break;
		case STEWARD_MULTIRANGE:
			appendStringInfoString(out, "multirange");
			break;
		case STEWARD_OMITTED:
			appendStringInfoString(out, "omit");
			break;
		case STEWARD_HASHED:
			appendStringInfoString(out, "hash");
			break;
		case STEWARD_ENCRYPTED:
			appendStringInfoString(out, "encrypt");
			break;
	}
	appendStringInfoChar(out, '(');
	steward_codec_append(out, codec->element);
	appendStringInfoChar(out, ')');
}

/* A text being read. */
typedef struct Parser
{
	const char *at;
	StewardCompositeFinder find;
	void	   *arg;
} Parser;

static StewardCodec *parse(Parser *parser);

static bool
skip(Parser *parser, const char *word)
{
	size_t		length = strlen(word);

	if (strncmp(parser->at, word, length) != 0)
		return false;
	parser->at += length;
	return true;
}

static void
parse_element(Parser *parser, StewardCodec *codec, StewardCodecKind kind)
{
	codec->kind = kind;
	if (!skip(parser, "("))
		steward_payload_corrupted("a codec of its schema version is unknown");
	codec->element = parse(parser);
	if (!skip(parser, ")"))
		steward_payload_corrupted("a codec of its schema version is unknown");
}

static void
parse_array(Parser *parser, StewardCodec *codec)
{
	codec->delimiter = ',';
	if (*parser->at != '(' && *parser->at != '\0')
		codec->delimiter = *parser->at++;
	parse_element(parser, codec, STEWARD_ARRAY);
}

static void
parse_composite(Parser *parser, StewardCodec *codec)
{
	int64		version = 0;

	while (*parser->at >= '0' && *parser->at <= '9' && version <= PG_INT32_MAX)
		version = version * 10 + (*parser->at++ - '0');
	if (version == 0 || version > PG_INT32_MAX)
		steward_payload_corrupted("a codec of its schema version is unknown");
	codec->kind = STEWARD_COMPOSITE;
	codec->composite = parser->find(parser->arg, (int32) version);
}

static StewardCodec *
parse(Parser *parser)
{
	StewardCodec *codec = palloc0(sizeof(StewardCodec));
	size_t		length;

	check_stack_depth();
	codec->width = STEWARD_COUNTED;
	if (skip(parser, "composite:"))
		parse_composite(parser, codec);
	else if (skip(parser, "array"))
		parse_array(parser, codec);
	else if (skip(parser, "range"))
		parse_element(parser, codec, STEWARD_RANGE);
	else if (skip(parser, "multirange"))
		parse_element(parser, codec, STEWARD_MULTIRANGE);
	else if (skip(parser, "omit"))
	{
		parse_element(parser, codec, STEWARD_OMITTED);
		codec->width = 0;
	}
	else if (skip(parser, "hash"))
	{
		parse_element(parser, codec, STEWARD_HASHED);
		codec->width = STEWARD_TAG128_BYTES;
	}
	else if (skip(parser, "encrypt("))
	{
		parser->at--;
		parse_element(parser, codec, STEWARD_ENCRYPTED);
	}
	else
	{
		length = strcspn(parser->at, "()");
		use_scalar(codec, steward_scalar_by_name(pnstrdup(parser->at, length)));
		parser->at += length;
	}
	return codec;
}

StewardCodec *
steward_codec_parse(const char *text, StewardCompositeFinder find, void *arg)
{
	Parser		parser = {text, find, arg};
	StewardCodec *codec = parse(&parser);

	if (*parser.at != '\0')
		steward_payload_corrupted("a codec of its schema version is unknown");
	return codec;
}
