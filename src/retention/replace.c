/*
 * replace.c: hashes and pseudonyms for the rows of a batch; see batch_parts.h.
 *
 * They are computed here and not by a function in the statement: one that anybody could
 * call would tell him the hash of whatever he guesses. The values themselves are
 * in no statement, plan or parameter.
 */
#include "retention/batch_parts.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "retention/statement.h"

/* The columns that are computed here, as texts of row t. */
static List *
computed_columns(const StewardBatch *batch, StringInfo sql)
{
	List	   *computed = NIL;
	ListCell   *cell;

	foreach(cell, batch->overwrites)
	{
		StewardOverwrite *overwrite = lfirst(cell);

		if (overwrite->by == STEWARD_BY_SQL)
			continue;
		computed = lappend(computed, overwrite);
		appendStringInfo(sql, ", CASE WHEN %s THEN t.%s::pg_catalog.text END",
						 overwrite->pending, quote_identifier(overwrite->column));
	}
	return computed;
}

/* One column of all rows of the result, replaced. */
static Datum
replace_column(const StewardBatch *batch, const StewardOverwrite *overwrite, int column)
{
	int			count = (int) SPI_processed;
	Datum	   *values = palloc0(Max(count, 1) * sizeof(Datum));
	bool	   *nulls = palloc0(Max(count, 1) * sizeof(bool));
	int			bound = 1;

	for (int i = 0; i < count; i++)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
										 column);

		nulls[i] = value == NULL;
		if (value != NULL)
			values[i] = CStringGetTextDatum(steward_anonymous_value(overwrite,
																	batch->policy->name,
																	value));
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &bound, TEXTOID, -1,
											  false, TYPALIGN_INT));
}

static Datum
places_of_result(void)
{
	ItemPointerData *places = palloc(Max(SPI_processed, 1) * sizeof(ItemPointerData));

	for (uint64 i = 0; i < SPI_processed; i++)
		places[i] = *(ItemPointer) DatumGetPointer(steward_result(i, 1));
	return steward_tid_array(places, (int) SPI_processed);
}

void
steward_batch_replace(StewardBatch *batch, const ItemPointerData *rows, int count,
					  StewardReplacements *replacements)
{
	StringInfoData sql;
	List	   *computed;
	Oid			type = TIDARRAYOID;
	Datum		places = steward_tid_array(rows, count);

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT t.ctid");
	computed = computed_columns(batch, &sql);
	replacements->count = list_length(computed);
	if (computed == NIL)
		return;
	appendStringInfo(&sql, " FROM %s WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($1)",
					 batch->from);
	(void) steward_batch_execute(batch, sql.data, SPI_OK_SELECT, 1, &type, &places);
	replacements->places = places_of_result();
	replacements->values = palloc(replacements->count * sizeof(Datum));
	for (int i = 0; i < replacements->count; i++)
		replacements->values[i] = replace_column(batch, list_nth(computed, i), i + 2);
	SPI_freetuptable(SPI_tuptable);
}
