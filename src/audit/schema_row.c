/*
 * schema_row.c: a row of steward.audit_schema, to and from a table.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "audit/schema_row.h"
#include "audit/redact.h"
#include "audit/setting.h"
#include "base/partition.h"
#include "catalog/pg_type.h"
#include "columns/bind.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* The value of attgenerated for a column that is computed when read (18). */
#define GENERATED_VIRTUAL 'v'

static bool
is_stored(Form_pg_attribute attribute)
{
	return !attribute->attisdropped &&
		attribute->attgenerated != GENERATED_VIRTUAL;
}

/* The primary key, else the replica identity index, else nothing. */
static Bitmapset *
key_of(Relation rel)
{
	Bitmapset  *key = RelationGetIndexAttrBitmap(rel,
												 INDEX_ATTR_BITMAP_PRIMARY_KEY);

	if (bms_is_empty(key))
		key = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY);
	return key;
}

bool
steward_schema_is_key(Relation rel, AttrNumber attnum)
{
	return bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, key_of(rel));
}

static void
describe_column(Form_pg_attribute attribute, Bitmapset *key,
				StewardAuditColumn *column)
{
	column->attnum = attribute->attnum;
	column->key = bms_is_member(attribute->attnum -
								FirstLowInvalidHeapAttributeNumber, key);
	column->typbyval = attribute->attbyval;
	column->typlen = attribute->attlen;
	column->type = attribute->atttypid;
	column->typmod = attribute->atttypmod;
	column->name = pstrdup(NameStr(attribute->attname));
	column->codec = steward_codec_for_type(attribute->atttypid);
}

/* Is the column recorded? If it is redacted, it is by its codec. */
static bool
choose(const StewardSetting *setting, StewardAuditColumn *column)
{
	const StewardColumnSetting *redaction;

	if (column->key)
		return true;
	redaction = steward_setting_redaction(setting, column->attnum);
	if (redaction != NULL)
		column->codec = steward_redact_codec(redaction, column->codec);
	return steward_setting_records(setting, column->attnum);
}

/* The stored attributes of a row type, with room for all of them. */
static StewardAuditSchema *
describe(TupleDesc desc, Bitmapset *key, const StewardSetting *setting)
{
	StewardAuditSchema *schema = palloc0(offsetof(StewardAuditSchema, columns) +
										 sizeof(StewardAuditColumn) * desc->natts);

	schema->encoding = GetDatabaseEncoding();
	schema->context = CurrentMemoryContext;
	for (int i = 0; i < desc->natts; i++)
	{
		StewardAuditColumn *column = &schema->columns[schema->count];

		if (!is_stored(TupleDescAttr(desc, i)))
			continue;
		describe_column(TupleDescAttr(desc, i), key, column);
		if (setting != NULL && !choose(setting, column))
			continue;
		schema->count++;
		schema->key_count += column->key ? 1 : 0;
		schema->settings = schema->settings || column->codec->settings;
	}
	return schema;
}

StewardAuditSchema *
steward_schema_describe(Relation rel)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "steward audit schema",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	StewardSetting *setting = steward_setting_read(rel);
	StewardAuditSchema *schema = describe(RelationGetDescr(rel), key_of(rel), setting);

	schema->kind = STEWARD_SCHEMA_OF_TABLE;
	schema->relid = RelationGetRelid(rel);
	schema->root = steward_partition_root(RelationGetRelid(rel));
	schema->schema_name = get_namespace_name(RelationGetNamespace(rel));
	schema->table_name = pstrdup(RelationGetRelationName(rel));
	schema->log_unchanged = setting->log_unchanged;
	if (steward_setting_encrypts(setting))
		schema->binder = steward_binder_any(rel);
	MemoryContextSwitchTo(caller);
	return schema;
}

static Form_pg_type
type_form(Oid type, HeapTuple *tuple)
{
	*tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(*tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	return (Form_pg_type) GETSTRUCT(*tuple);
}

StewardAuditSchema *
steward_schema_describe_composite(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	StewardAuditSchema *schema = describe(desc, NULL, NULL);
	HeapTuple	tuple;
	Form_pg_type form = type_form(type, &tuple);

	schema->kind = STEWARD_SCHEMA_OF_COMPOSITE;
	schema->desc = desc;
	schema->relid = form->typrelid;
	schema->root = schema->relid;
	schema->schema_name = get_namespace_name(form->typnamespace);
	schema->table_name = pstrdup(NameStr(form->typname));
	ReleaseSysCache(tuple);
	return schema;
}

char
steward_type_delimiter(Oid type)
{
	HeapTuple	tuple;
	char		delimiter = type_form(type, &tuple)->typdelim;

	ReleaseSysCache(tuple);
	return delimiter;
}

static Datum
int2_array(Datum *elements, int count)
{
	return PointerGetDatum(construct_array(elements, count, INT2OID, 2, true,
										   TYPALIGN_SHORT));
}

static Datum
text_array(Datum *elements, int count)
{
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/*
 * Appends a name, quoted when it holds more than small letters, digits and
 * underscores. Not quote_identifier(): which words that quotes differs between
 * major versions, and a stored name must not.
 */
static void
append_name(StringInfo out, const char *name)
{
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0')
	{
		appendStringInfoString(out, name);
		return;
	}
	appendStringInfoChar(out, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *name);
	}
	appendStringInfoChar(out, '"');
}

/* A type by schema and name, as the catalogs have them. */
static char *
type_name(Oid type)
{
	HeapTuple	tuple;
	Form_pg_type form = type_form(type, &tuple);
	StringInfoData name;

	initStringInfo(&name);
	append_name(&name, get_namespace_name(form->typnamespace));
	appendStringInfoChar(&name, '.');
	append_name(&name, NameStr(form->typname));
	ReleaseSysCache(tuple);
	return name.data;
}

static Datum
codec_text(const StewardCodec *codec)
{
	StringInfoData text;

	initStringInfo(&text);
	steward_codec_append(&text, codec);
	return CStringGetTextDatum(text.data);
}

void
steward_schema_to_row(const StewardAuditSchema *schema, Datum *values)
{
	int			count = schema->count;
	Datum	   *attnums = palloc(sizeof(Datum) * (count + 1) * 6);
	Datum	   *names = attnums + count + 1;
	Datum	   *types = names + count + 1;
	Datum	   *typmods = types + count + 1;
	Datum	   *codecs = typmods + count + 1;
	Datum	   *key = codecs + count + 1;
	int			key_count = 0;

	for (int i = 0; i < count; i++)
	{
		const StewardAuditColumn *column = &schema->columns[i];

		attnums[i] = Int16GetDatum(column->attnum);
		names[i] = CStringGetTextDatum(column->name);
		types[i] = CStringGetTextDatum(type_name(column->type));
		typmods[i] = Int32GetDatum(column->typmod);
		codecs[i] = codec_text(column->codec);
		if (column->key)
			key[key_count++] = Int16GetDatum(column->attnum);
	}
	values[STEWARD_SCHEMA_KIND] = CharGetDatum(schema->kind);
	values[STEWARD_SCHEMA_RELATION] = ObjectIdGetDatum(schema->relid);
	values[STEWARD_SCHEMA_SCHEMA_NAME] = CStringGetTextDatum(schema->schema_name);
	values[STEWARD_SCHEMA_TABLE_NAME] = CStringGetTextDatum(schema->table_name);
	values[STEWARD_SCHEMA_ROOT] = ObjectIdGetDatum(schema->root);
	values[STEWARD_SCHEMA_ROOT_SCHEMA] =
		CStringGetTextDatum(get_namespace_name(get_rel_namespace(schema->root)));
	values[STEWARD_SCHEMA_ROOT_NAME] =
		CStringGetTextDatum(get_rel_name(schema->root));
	values[STEWARD_SCHEMA_ENCODING] =
		CStringGetTextDatum(pg_encoding_to_char(schema->encoding));
	values[STEWARD_SCHEMA_ATTNUMS] = int2_array(attnums, count);
	values[STEWARD_SCHEMA_NAMES] = text_array(names, count);
	values[STEWARD_SCHEMA_TYPES] = text_array(types, count);
	values[STEWARD_SCHEMA_TYPMODS] =
		PointerGetDatum(construct_array(typmods, count, INT4OID, 4, true,
										TYPALIGN_INT));
	values[STEWARD_SCHEMA_CODECS] = text_array(codecs, count);
	values[STEWARD_SCHEMA_KEY] = int2_array(key, key_count);
	values[STEWARD_SCHEMA_CREATED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
}

/* An array of a stored row; exactly count elements, or any when it is -1. */
static Datum *
elements_of(HeapTuple tuple, TupleDesc desc, int column, Oid type, int *count)
{
	int16		length = type == TEXTOID ? -1 : type == INT4OID ? 4 : 2;
	bool		isnull;
	Datum		datum = heap_getattr(tuple, column + 1, desc, &isnull);
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	int			found;

	if (isnull)
		steward_payload_corrupted("its schema version is malformed");
	array = DatumGetArrayTypeP(datum);
	deconstruct_array(array, type, length, type != TEXTOID,
					  type == INT2OID ? TYPALIGN_SHORT : TYPALIGN_INT,
					  &elements, &nulls, &found);
	for (int i = 0; i < found; i++)
		if (nulls[i])
			steward_payload_corrupted("its schema version is malformed");
	if (*count >= 0 && *count != found)
		steward_payload_corrupted("its schema version is malformed");
	*count = found;
	return elements;
}

static void
mark_key(StewardAuditSchema *schema, Datum *key, int key_count)
{
	for (int i = 0; i < key_count; i++)
	{
		int			c = 0;

		while (c < schema->count &&
			   schema->columns[c].attnum != DatumGetInt16(key[i]))
			c++;
		if (c == schema->count || schema->columns[c].key)
			steward_payload_corrupted("its schema version is malformed");
		schema->columns[c].key = true;
	}
	schema->key_count = key_count;
}

/* The columns that are one value, all but the names. */
static void
read_values(HeapTuple tuple, TupleDesc desc, StewardAuditSchema *schema)
{
	Datum		values[STEWARD_SCHEMA_NATTS];
	bool		nulls[STEWARD_SCHEMA_NATTS];

	for (int i = 0; i <= STEWARD_SCHEMA_ENCODING; i++)
	{
		values[i] = heap_getattr(tuple, i + 1, desc, &nulls[i]);
		if (nulls[i])
			steward_payload_corrupted("its schema version is malformed");
	}
	schema->version = DatumGetInt32(values[STEWARD_SCHEMA_ID]);
	schema->kind = DatumGetChar(values[STEWARD_SCHEMA_KIND]);
	schema->relid = DatumGetObjectId(values[STEWARD_SCHEMA_RELATION]);
	schema->encoding =
		pg_char_to_encoding(TextDatumGetCString(values[STEWARD_SCHEMA_ENCODING]));
	if (!PG_VALID_BE_ENCODING(schema->encoding))
		steward_payload_corrupted("its schema version is malformed");
}

StewardAuditSchema *
steward_schema_from_row(HeapTuple tuple, TupleDesc desc, MemoryContext context,
						StewardCompositeFinder find, void *arg)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	StewardAuditSchema *schema;
	int			count = -1;
	int			key_count = -1;
	Datum	   *attnums = elements_of(tuple, desc, STEWARD_SCHEMA_ATTNUMS, INT2OID, &count);
	Datum	   *names = elements_of(tuple, desc, STEWARD_SCHEMA_NAMES, TEXTOID, &count);
	Datum	   *typmods = elements_of(tuple, desc, STEWARD_SCHEMA_TYPMODS, INT4OID, &count);
	Datum	   *codecs = elements_of(tuple, desc, STEWARD_SCHEMA_CODECS, TEXTOID, &count);
	Datum	   *key = elements_of(tuple, desc, STEWARD_SCHEMA_KEY, INT2OID, &key_count);

	schema = palloc0(offsetof(StewardAuditSchema, columns) +
					 sizeof(StewardAuditColumn) * Max(count, 1));
	schema->count = count;
	schema->context = context;
	read_values(tuple, desc, schema);
	for (int i = 0; i < count; i++)
	{
		schema->columns[i].attnum = DatumGetInt16(attnums[i]);
		schema->columns[i].name = TextDatumGetCString(names[i]);
		schema->columns[i].typmod = DatumGetInt32(typmods[i]);
		schema->columns[i].codec =
			steward_codec_parse(TextDatumGetCString(codecs[i]), find, arg);
	}
	mark_key(schema, key, key_count);
	MemoryContextSwitchTo(caller);
	return schema;
}
