/*
 * json.c: a jsonb object, put together member by member; see json.h.
 */
#include "base/json.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static void
push(StewardJson *json, JsonbIteratorToken token, JsonbValue *value)
{
	json->whole = pushJsonbValue(&json->state, token, value);
}

static void
push_text(StewardJson *json, JsonbIteratorToken token, const char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = pstrdup(text);
	value.val.string.len = strlen(text);
	push(json, token, &value);
}

static void
push_key(StewardJson *json, const char *key)
{
	if (key != NULL)
		push_text(json, WJB_KEY, key);
}

void
steward_json_begin(StewardJson *json)
{
	json->state = NULL;
	push(json, WJB_BEGIN_OBJECT, NULL);
}

void
steward_json_text(StewardJson *json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	push_key(json, key);
	push_text(json, WJB_VALUE, value);
}

void
steward_json_bytes(StewardJson *json, const char *key,
				   const unsigned char *bytes, size_t length)
{
	char	   *text = palloc(2 * length + 1);

	text[hex_encode((const char *) bytes, length, text)] = '\0';
	steward_json_text(json, key, text);
}

void
steward_json_number(StewardJson *json, const char *key, int64 number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	push_key(json, key);
	push(json, WJB_VALUE, &value);
}

void
steward_json_flag(StewardJson *json, const char *key, bool flag)
{
	JsonbValue	value;

	value.type = jbvBool;
	value.val.boolean = flag;
	push_key(json, key);
	push(json, WJB_VALUE, &value);
}

void
steward_json_texts(StewardJson *json, const char *key, const List *values)
{
	ListCell   *cell;

	if (values == NIL)
		return;
	steward_json_open_list(json, key);
	foreach(cell, values)
		push_text(json, WJB_ELEM, lfirst(cell));
	steward_json_close_list(json);
}

void
steward_json_open(StewardJson *json, const char *key)
{
	push_key(json, key);
	push(json, WJB_BEGIN_OBJECT, NULL);
}

void
steward_json_close(StewardJson *json)
{
	push(json, WJB_END_OBJECT, NULL);
}

void
steward_json_open_list(StewardJson *json, const char *key)
{
	push_key(json, key);
	push(json, WJB_BEGIN_ARRAY, NULL);
}

void
steward_json_close_list(StewardJson *json)
{
	push(json, WJB_END_ARRAY, NULL);
}

Jsonb *
steward_json_end(StewardJson *json)
{
	steward_json_close(json);
	return JsonbValueToJsonb(json->whole);
}
