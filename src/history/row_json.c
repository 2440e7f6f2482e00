/*
 * row_json.c: rows of the past as jsonb; see row_json.h.
 */
#include "base/compat.h"

#include "audit/codec_read.h"
#include "audit/codec_show.h"
#include "audit/foreign_check.h"
#include "audit/settings.h"
#include "history/row_json.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/*
 * As the trail shows it, by the codec. to_jsonb() would call a cast to json that
 * the owner of a type made, as whoever asks.
 */
static void
push_cell(JsonbParseState **state, const StewardHistoryTable *table,
		  AttrNumber attnum, StewardCell *cell)
{
	JsonbValue	null = {.type = jbvNull};
	const StewardCodec *codec;
	StringInfoData bytes;
	StewardReader reader;
	int			level;

	steward_cell_resolve(table, attnum, cell);
	if (cell->isnull)
	{
		(void) pushJsonbValue(state, WJB_VALUE, &null);
		return;
	}
	codec = steward_history_codec(table, attnum);
	level = steward_settings_enter();
	initStringInfo(&bytes);
	codec->put(codec, &bytes, cell->value);
	reader.data = (const unsigned char *) bytes.data;
	reader.left = bytes.len;
	reader.encoding = GetDatabaseEncoding();
	steward_push_value(state, WJB_VALUE, codec, steward_take_value(&reader, codec));
	steward_settings_leave(level);
}

static void
push_column(JsonbParseState **state, const StewardHistoryTable *table,
			AttrNumber attnum, StewardCell *cell)
{
	StewardCell absent = {.isnull = true};
	JsonbValue	name;

	steward_show_cstring(&name, NameStr(TupleDescAttr(table->desc, attnum - 1)->attname));
	(void) pushJsonbValue(state, WJB_KEY, &name);
	push_cell(state, table, attnum,
			  steward_history_has_column(table->desc, attnum) ? cell : &absent);
}

Jsonb *
steward_row_to_jsonb(const StewardHistoryTable *table, StewardCell *cells)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < table->desc->natts; i++)
		if (!TupleDescAttr(table->desc, i)->attisdropped)
			push_column(&state, table, i + 1, &cells[i]);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static const char *
key_name(const StewardHistoryTable *table, int k)
{
	return NameStr(TupleDescAttr(table->desc, table->key[k] - 1)->attname);
}

Jsonb *
steward_row_key(const StewardHistoryTable *table, StewardCell *cells)
{
	JsonbParseState *state = NULL;

	if (table->key_count == 0)
		return NULL;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int k = 0; k < table->key_count; k++)
		push_column(&state, table, table->key[k], &cells[table->key[k] - 1]);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

pg_attribute_noreturn()
static void refuse_key(const StewardHistoryTable *table);

static void
refuse_key(const StewardHistoryTable *table)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int k = 0; k < table->key_count; k++)
		appendStringInfo(&names, "%s\"%s\": ...", k > 0 ? ", " : "", key_name(table, k));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" is not a key of table %s", "key", table->name),
			 errhint("Give an object with the columns of its key: {%s}.", names.data)));
}

/* A member of the object as text for an input function; NULL if it is none. */
static char *
member_text(Jsonb *object, const char *name)
{
	JsonbValue	value;
	StringInfoData text;

	if (getKeyJsonValueFromContainer(&object->root, name, strlen(name), &value) == NULL ||
		value.type == jbvNull)
		return NULL;
	switch (value.type)
	{
		case jbvString:
			return pnstrdup(value.val.string.val, value.val.string.len);
		case jbvBool:
			return pstrdup(value.val.boolean ? "true" : "false");
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value.val.numeric)));
		default:
			initStringInfo(&text);
			return JsonbToCString(&text, value.val.binary.data, value.val.binary.len);
	}
}

void
steward_key_cells(const StewardHistoryTable *table, Jsonb *key, StewardCell *cells)
{
	if (!JB_ROOT_IS_OBJECT(key) || JB_ROOT_COUNT(key) != table->key_count)
		refuse_key(table);
	for (int k = 0; k < table->key_count; k++)
	{
		Form_pg_attribute attribute = TupleDescAttr(table->desc, table->key[k] - 1);
		StewardCell *cell = &cells[table->key[k] - 1];
		char	   *text = member_text(key, key_name(table, k));
		int32		typmod = attribute->atttypmod;
		Oid			type = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
		Oid			input;
		Oid			param;

		if (text == NULL)
			refuse_key(table);
		/* Not a domain's, which would call its checks, the owner's functions. */
		steward_refuse_foreign_checks(type);
		getTypeInputInfo(type, &input, &param);
		cell->value = OidInputFunctionCall(input, text, param, typmod);
		cell->isnull = false;
		cell->given = true;
		cell->version = NULL;
	}
}
