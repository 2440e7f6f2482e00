/*
 * row_json.c: rows of the past as jsonb; see row_json.h.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "history/row_json.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* to_jsonb() learns the type of its argument from the call's expression. */
static Datum
call_to_jsonb(Oid type, Datum value)
{
	FmgrInfo	function;
	Expr	   *argument = (Expr *) makeNullConst(type, -1, InvalidOid);
	FuncExpr   *call = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument),
									InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);

	fmgr_info(F_TO_JSONB, &function);
	fmgr_info_set_expr((Node *) call, &function);
	return FunctionCall1(&function, value);
}

Jsonb *
steward_row_to_jsonb(const StewardHistoryTable *table, StewardCell *cells)
{
	Datum	   *values = palloc(table->desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(table->desc->natts * sizeof(bool));
	HeapTuple	tuple;

	steward_row_values(table, cells, values, nulls);
	tuple = heap_form_tuple(table->desc, values, nulls);
	return DatumGetJsonbP(call_to_jsonb(table->desc->tdtypeid,
										heap_copy_tuple_as_datum(tuple, table->desc)));
}

static const char *
key_name(const StewardHistoryTable *table, int k)
{
	return NameStr(TupleDescAttr(table->desc, table->key[k] - 1)->attname);
}

Jsonb *
steward_row_key(const StewardHistoryTable *table, Jsonb *row)
{
	JsonbParseState *state = NULL;

	if (table->key_count == 0)
		return NULL;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int k = 0; k < table->key_count; k++)
	{
		const char *name = key_name(table, k);
		JsonbValue	key = {.type = jbvString,.val.string = {strlen(name), (char *) name}};
		JsonbValue	value;

		if (getKeyJsonValueFromContainer(&row->root, name, strlen(name), &value) == NULL)
			value.type = jbvNull;
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		(void) pushJsonbValue(&state, WJB_VALUE, &value);
	}
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
		Oid			input;
		Oid			param;

		if (text == NULL)
			refuse_key(table);
		getTypeInputInfo(attribute->atttypid, &input, &param);
		cell->value = OidInputFunctionCall(input, text, param, attribute->atttypmod);
		cell->isnull = false;
		cell->given = true;
		cell->version = NULL;
	}
}
