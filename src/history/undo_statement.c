/*
 * undo_statement.c: the statements of the steps; see undo.h.
 *
 * Names and operators are qualified, and constants have their type: they mean the
 * same whoever runs them, and under any search_path. Generated columns are left
 * out; identity columns get the value they had.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "history/query.h"
#include "history/undo.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

const char *
steward_undo_column(const StewardHistoryTable *table, AttrNumber attnum)
{
	return quote_identifier(NameStr(TupleDescAttr(table->desc, attnum - 1)->attname));
}

/* What goes into a statement: constants as text, or as parameters of it. */
typedef struct Writer
{
	StringInfo	out;
	StewardQuery *query;		/* NULL: as text */
} Writer;

char *
steward_undo_equality(Form_pg_attribute attribute, List **operators)
{
	TypeCacheEntry *entry = lookup_type_cache(attribute->atttypid, TYPECACHE_EQ_OPR);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(entry->eq_opr));
	Form_pg_operator form;
	char	   *result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "type %u has no equality", attribute->atttypid);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	result = psprintf("OPERATOR(%s.%s)",
					  quote_identifier(get_namespace_name(form->oprnamespace)),
					  NameStr(form->oprname));
	ReleaseSysCache(tuple);
	*operators = list_append_unique_oid(*operators, entry->eq_opr);
	return result;
}

static char *
constant_text(Form_pg_attribute attribute, const StewardCell *cell)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
	return OidOutputFunctionCall(output, cell->value);
}

/*
 * As a parameter of the base type, so that a domain's constraints are checked when
 * it becomes a value of the column; read from its text, so that those of domains in
 * arrays and composites are.
 */
static void
add_parameter(StewardQuery *query, Form_pg_attribute attribute, const StewardCell *cell)
{
	Oid			type = getBaseType(attribute->atttypid);
	Oid			input;
	Oid			param;

	getTypeInputInfo(type, &input, &param);
	query->types[query->count] = type;
	query->values[query->count] =
		OidInputFunctionCall(input, constant_text(attribute, cell), param, -1);
	query->count++;
}

static char *
constant(Writer *writer, const StewardHistoryTable *table, AttrNumber attnum,
		 StewardCell *cell)
{
	Form_pg_attribute attribute = TupleDescAttr(table->desc, attnum - 1);

	steward_cell_resolve(table, attnum, cell);
	if (cell->isnull)
		return "NULL";
	if (writer->query != NULL)
	{
		add_parameter(writer->query, attribute, cell);
		return psprintf("$%d", writer->query->count);
	}
	return psprintf("%s::%s", quote_literal_cstr(constant_text(attribute, cell)),
					format_type_extended(attribute->atttypid, attribute->atttypmod,
										 FORMAT_TYPE_TYPEMOD_GIVEN |
										 FORMAT_TYPE_FORCE_QUALIFY));
}

static void
append_where(Writer *writer, const StewardHistoryTable *table, StewardCell *cells)
{
	List	   *operators = NIL;

	for (int k = 0; k < table->key_count; k++)
	{
		AttrNumber	attnum = table->key[k];

		appendStringInfo(writer->out, " %s %s %s %s", k > 0 ? "AND" : "WHERE",
						 steward_undo_column(table, attnum),
						 steward_undo_equality(TupleDescAttr(table->desc, attnum - 1), &operators),
						 constant(writer, table, attnum, &cells[attnum - 1]));
	}
	if (writer->query != NULL)
		writer->query->operators = operators;
}

static bool
is_settable(const StewardHistoryTable *table, AttrNumber attnum)
{
	return steward_history_has_column(table->desc, attnum) &&
		TupleDescAttr(table->desc, attnum - 1)->attgenerated == '\0';
}

static void
append_insert(Writer *writer, const StewardHistoryTable *table, StewardCell *cells)
{
	StringInfo	out = writer->out;
	StringInfoData values;

	initStringInfo(&values);
	appendStringInfo(out, "INSERT INTO %s (", table->name);
	for (int i = 1; i <= table->desc->natts; i++)
		if (is_settable(table, i))
		{
			if (values.len > 0)
			{
				appendStringInfoString(out, ", ");
				appendStringInfoString(&values, ", ");
			}
			appendStringInfoString(out, steward_undo_column(table, i));
			appendStringInfoString(&values, constant(writer, table, i, &cells[i - 1]));
		}
	appendStringInfo(out, ") OVERRIDING SYSTEM VALUE VALUES (%s)", values.data);
}

static void
append_update(Writer *writer, const StewardHistoryTable *table, const char *only,
			  StewardCell *now, StewardCell *then)
{
	StringInfo	out = writer->out;
	int			count = 0;

	appendStringInfo(out, "UPDATE %s%s SET", only, table->name);
	for (int i = 1; i <= table->desc->natts; i++)
		if (is_settable(table, i) &&
			!steward_cells_equal(table, i, &now[i - 1], &then[i - 1]))
			appendStringInfo(out, "%s %s = %s", count++ > 0 ? "," : "",
							 steward_undo_column(table, i),
							 constant(writer, table, i, &then[i - 1]));
	append_where(writer, table, now);
}

static void
append_statement(Writer *writer, const StewardUndoStep *step)
{
	const StewardHistoryTable *table = step->of->table;
	const char *only = table->partitioned ? "" : "ONLY ";

	if (step->now == NULL)
		append_insert(writer, table, step->then);
	else if (step->then == NULL)
	{
		appendStringInfo(writer->out, "DELETE FROM %s%s", only, table->name);
		append_where(writer, table, step->now);
	}
	else
		append_update(writer, table, only, step->now, step->then);
}

/* Constants that any session reads alike, and exactly. */
static char *
statement_of(const StewardUndoStep *step, StewardQuery *query)
{
	static const char *const settings[][2] = {
		{"datestyle", "ISO, YMD"},
		{"intervalstyle", "postgres"},
		{"extra_float_digits", "3"},
	};
	StringInfoData out;
	Writer		writer = {&out, query};
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	initStringInfo(&out);
	append_statement(&writer, step);
	AtEOXact_GUC(false, level);
	return out.data;
}

char *
steward_undo_statement(const StewardUndoStep *step)
{
	return statement_of(step, NULL);
}

static void
tell_statement(void *arg)
{
	errcontext("SQL statement \"%s\"", (const char *) arg);
}

/* RETURNING lets its rows be fetched, and so be counted. */
uint64
steward_undo_run(const StewardUndoStep *step)
{
	int			room = 2 * step->of->table->desc->natts;
	StewardQuery query = {.relid = step->of->table->relid,
		.types = palloc(room * sizeof(Oid)),
	.values = palloc(room * sizeof(Datum))};
	ErrorContextCallback context = {.previous = error_context_stack,
		.callback = tell_statement,
	.arg = steward_undo_statement(step)};
	Portal		portal;
	uint64		count;

	error_context_stack = &context;
	query.text = psprintf("%s RETURNING true", statement_of(step, &query));
	SPI_connect();
	CommandCounterIncrement();
	portal = steward_query_open(&query, InvalidSnapshot);
	SPI_cursor_fetch(portal, true, FETCH_ALL);
	count = SPI_processed;
	SPI_cursor_close(portal);
	CommandCounterIncrement();
	SPI_finish();
	error_context_stack = context.previous;
	return count;
}

bool
steward_undo_same(const StewardHistoryTable *table, StewardCell *a, StewardCell *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	for (int i = 0; i < table->desc->natts; i++)
		if (steward_history_has_column(table->desc, i + 1) &&
			!steward_cells_equal(table, i + 1, &a[i], &b[i]))
			return false;
	return true;
}
