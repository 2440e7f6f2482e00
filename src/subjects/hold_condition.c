/*
 * hold_condition.c: what holds keep, as a condition in SQL; see hold.h.
 */
#include "subjects/hold_row.h"

#include "base/catalog.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* ROW (t.a, t.b): the columns in the order of their numbers. */
static char *
columns_record(Bitmapset *columns, Relation leaf, const char *alias)
{
	StringInfoData text;
	int			column = -1;

	initStringInfo(&text);
	appendStringInfoString(&text, "ROW (");
	while ((column = bms_next_member(columns, column)) >= 0)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(leaf), column - 1);

		if (text.data[text.len - 1] != '(')
			appendStringInfoString(&text, ", ");
		appendStringInfo(&text, "%s.%s", quote_identifier(alias),
						 quote_identifier(NameStr(attribute->attname)));
	}
	appendStringInfoChar(&text, ')');
	return text.data;
}

char *
steward_hold_condition(const StewardHold *hold, Relation leaf, const char *alias)
{
	Node	   *predicate;
	char	   *problem;

	if (hold->predicate == NULL)
		return pstrdup("true");
	predicate = steward_hold_predicate(hold, leaf, &problem);
	if (predicate == NULL)
		return pstrdup("true");
	return psprintf("%s.hold_keeps('" INT64_FORMAT "'::pg_catalog.int8, '%u'::pg_catalog.regclass, %s)",
					STEWARD_SCHEMA, hold->id, RelationGetRelid(leaf),
					columns_record(steward_expression_columns(predicate), leaf, alias));
}

char *
steward_holds_condition(List *holds, Relation leaf, const char *alias)
{
	StringInfoData text;
	ListCell   *cell;

	if (holds == NIL)
		return pstrdup("false");
	initStringInfo(&text);
	foreach(cell, holds)
	{
		char	   *condition = steward_hold_condition(lfirst(cell), leaf, alias);

		if (strcmp(condition, "true") == 0)
			return condition;
		appendStringInfo(&text, "%s%s", text.len > 0 ? " OR " : "", condition);
	}
	return psprintf("(%s)", text.data);
}

/* With a snapshot of this moment, whatever the transaction's. */
static bool
finds_row(const char *sql)
{
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	int			answer;

	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	answer = SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, true, false, 1);
	if (answer != SPI_OK_SELECT)
		elog(ERROR, "unexpected answer %d from SPI", answer);
	return SPI_processed > 0;
}

const StewardHold *
steward_holds_any_row(List *holds, Relation leaf)
{
	char	   *from = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(leaf)),
												  RelationGetRelationName(leaf));
	const StewardHold *found = NULL;
	StewardIdentity identity;
	ListCell   *cell;

	SPI_connect();
	steward_become_guarded(leaf->rd_rel->relowner, &identity);
	foreach(cell, holds)
	{
		char	   *condition = steward_hold_condition(lfirst(cell), leaf, "t");

		if (finds_row(psprintf("SELECT FROM ONLY %s AS t WHERE %s", from, condition)))
		{
			found = lfirst(cell);
			break;
		}
	}
	steward_become_caller(&identity);
	SPI_finish();
	return found;
}
