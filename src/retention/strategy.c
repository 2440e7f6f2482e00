/*
 * strategy.c: how a column is anonymized, as the argument "columns" says; see
 * strategy.h.
 */
#include "retention/strategy.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "base/json.h"

/* Where each member of a column's object goes. */
static const struct
{
	const char *name;
	size_t		offset;
}			members[] =

{
	{"strategy", offsetof(StewardStrategy, name)},
	{"value", offsetof(StewardStrategy, value)},
	{"to", offsetof(StewardStrategy, to)},
	{"width", offsetof(StewardStrategy, width)},
	{"digits", offsetof(StewardStrategy, digits)},
	{"prefix", offsetof(StewardStrategy, prefix)},
	{"prefix6", offsetof(StewardStrategy, prefix6)}
};

static char **
member_of(const StewardStrategy *strategy, int member)
{
	return (char **) ((char *) strategy + members[member].offset);
}

static void
raise_form(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"columns\""),
			 errhint("Give a strategy for each column, for example {\"email\": \"hash\", \"born\": {\"strategy\": \"truncate\", \"to\": \"year\"}}.")));
}

void
steward_strategy_invalid(const StewardStrategy *strategy, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid strategy for column \"%s\"", strategy->column),
			 errhint("%s", hint)));
}

/* A string, number or boolean as text. */
static char *
scalar(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return numeric_normalize(value->val.numeric);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			raise_form();
			return NULL;
	}
}

static void
read_member(StewardStrategy *strategy, const JsonbValue *key, const JsonbValue *value)
{
	for (int i = 0; i < lengthof(members); i++)
	{
		if (key->val.string.len != strlen(members[i].name) ||
			memcmp(key->val.string.val, members[i].name, key->val.string.len) != 0)
			continue;
		*member_of(strategy, i) = scalar(value);
		return;
	}
	steward_strategy_invalid(strategy,
							 "Members are strategy, value, to, width, digits, prefix and prefix6.");
}

static void
read_strategy(StewardStrategy *strategy, const JsonbValue *value)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	member;

	if (value->type == jbvNull)
		strategy->name = pstrdup("null");
	else if (value->type == jbvString)
		strategy->name = scalar(value);
	else if (value->type != jbvBinary ||
			 !JsonContainerIsObject(value->val.binary.data))
		raise_form();
	else
	{
		iterator = JsonbIteratorInit(value->val.binary.data);
		(void) JsonbIteratorNext(&iterator, &key, false);
		while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
		{
			(void) JsonbIteratorNext(&iterator, &member, true);
			read_member(strategy, &key, &member);
		}
	}
	if (strategy->name == NULL)
		raise_form();
}

List *
steward_strategies_read(Jsonb *columns)
{
	List	   *strategies = NIL;
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(columns) || JB_ROOT_COUNT(columns) == 0)
		raise_form();
	iterator = JsonbIteratorInit(&columns->root);
	(void) JsonbIteratorNext(&iterator, &key, false);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		StewardStrategy *strategy = palloc0(sizeof(StewardStrategy));

		(void) JsonbIteratorNext(&iterator, &value, true);
		strategy->column = scalar(&key);
		read_strategy(strategy, &value);
		strategies = lappend(strategies, strategy);
	}
	return strategies;
}

Jsonb *
steward_strategies_write(const List *strategies)
{
	StewardJson json;
	ListCell   *cell;

	steward_json_begin(&json);
	foreach(cell, strategies)
	{
		const StewardStrategy *strategy = lfirst(cell);

		steward_json_open(&json, strategy->column);
		for (int i = 0; i < lengthof(members); i++)
			steward_json_text(&json, members[i].name, *member_of(strategy, i));
		steward_json_close(&json);
	}
	return steward_json_end(&json);
}
