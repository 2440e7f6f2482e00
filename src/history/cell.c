/*
 * cell.c: the values of rows.h.
 */
#include "base/compat.h"

#include "audit/codec.h"
#include "history/rows.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

void
steward_cell_resolve(const StewardHistoryTable *table, AttrNumber attnum,
					 StewardCell *cell)
{
	Form_pg_attribute attribute = TupleDescAttr(table->desc, attnum - 1);

	if (cell->version == NULL)
		return;
	if (!cell->isnull)
		cell->value = steward_codec_value_as(&cell->version->schema->columns[cell->ordinal],
											 cell->slice, attribute->atttypid,
											 attribute->atttypmod, true, &cell->isnull);
	cell->version = NULL;
}

/* A Datum may have several forms of one value: of arrays, for one. */
static bool
same_text(Oid type, Datum a, Datum b)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(type, &output, &is_varlena);
	return strcmp(OidOutputFunctionCall(output, a), OidOutputFunctionCall(output, b)) == 0;
}

bool
steward_cells_equal(const StewardHistoryTable *table, AttrNumber attnum,
					StewardCell *a, StewardCell *b)
{
	Form_pg_attribute attribute = TupleDescAttr(table->desc, attnum - 1);

	if (a->isnull || b->isnull)
		return a->isnull == b->isnull;
	steward_cell_resolve(table, attnum, a);
	steward_cell_resolve(table, attnum, b);
	return datum_image_eq(a->value, b->value, attribute->attbyval, attribute->attlen) ||
		same_text(attribute->atttypid, a->value, b->value);
}

void
steward_row_values(const StewardHistoryTable *table, StewardCell *cells, Datum *values,
				   bool *nulls)
{
	for (int i = 0; i < table->desc->natts; i++)
	{
		nulls[i] = true;
		values[i] = (Datum) 0;
		if (!steward_history_has_column(table->desc, i + 1))
			continue;
		steward_cell_resolve(table, i + 1, &cells[i]);
		nulls[i] = cells[i].isnull;
		values[i] = cells[i].value;
	}
}
