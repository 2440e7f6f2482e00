/*
 * codec_tsquery.c: a tsquery as text that is read back to the same tree.
 *
 * The type's output function leaves out parentheses that change no result, and so
 * loses how operators of one kind were nested; here every operand that is an
 * operator of two operands itself stands in parentheses.
 */
#include "base/compat.h"

#include "audit/codec_put.h"
#include "audit/codec_scalar.h"
#include "miscadmin.h"
#include "tsearch/ts_type.h"
#include "utils/builtins.h"

static void
append_operand(StringInfo out, const QueryOperand *operand, const char *lexemes)
{
	const char *at = lexemes + operand->distance;

	appendStringInfoChar(out, '\'');
	for (uint32 i = 0; i < operand->length; i++)
	{
		if (at[i] == '\'' || at[i] == '\\')
			appendStringInfoChar(out, at[i]);
		appendStringInfoChar(out, at[i]);
	}
	appendStringInfoChar(out, '\'');
	if (operand->prefix || operand->weight != 0)
		appendStringInfoChar(out, ':');
	if (operand->prefix)
		appendStringInfoChar(out, '*');
	for (int i = 3; i >= 0; i--)
		if (operand->weight & (1 << i))
			appendStringInfoChar(out, 'D' - i);
}

static void
append_operator(StringInfo out, const QueryOperator *operator)
{
	switch (operator->oper)
	{
		case OP_AND:
			appendStringInfoString(out, " & ");
			break;
		case OP_OR:
			appendStringInfoString(out, " | ");
			break;
		case OP_PHRASE:
			appendStringInfo(out, " <%d> ", operator->distance);
			break;
		default:
			elog(ERROR, "unknown operator %d of tsquery", (int) operator->oper);
	}
}

/* The right operand follows its operator, the left one is where that says. */
static void
append_item(StringInfo out, const QueryItem *item, const char *lexemes,
			bool parentheses)
{
	const QueryOperator *operator = &item->qoperator;

	check_stack_depth();
	if (item->type == QI_VAL)
		append_operand(out, &item->qoperand, lexemes);
	else if (operator->oper == OP_NOT)
	{
		appendStringInfoChar(out, '!');
		append_item(out, item + 1, lexemes, true);
	}
	else
	{
		if (parentheses)
			appendStringInfoString(out, "( ");
		append_item(out, item + operator->left, lexemes, true);
		append_operator(out, operator);
		append_item(out, item + 1, lexemes, true);
		if (parentheses)
			appendStringInfoString(out, " )");
	}
}

void
steward_put_tsquery(const StewardCodec *codec, StringInfo out, Datum value)
{
	TSQuery		query = DatumGetTSQuery(value);
	int			start = steward_begin_counted(out);

	if (query->size > 0)
		append_item(out, GETQUERY(query), GETOPERAND(query), false);
	steward_end_counted(out, start);
	if ((Pointer) query != DatumGetPointer(value))
		pfree(query);
}
