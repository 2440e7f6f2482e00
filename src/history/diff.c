/*
 * diff.c: steward.diff, the rows that differ between two times.
 *
 * Rows that no transaction touched after the earlier time are the same at both, so
 * that, back from the present, only the touched ones are held in memory. A way
 * forward knows all rows of the table, and then all are compared; so are they
 * without a key, when rows cannot be matched before they are complete.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "funcapi.h"
#include "history/row_json.h"
#include "history/travel.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

enum
{
	DIFF_KEY,
	DIFF_OLD,
	DIFF_NEW,
	DIFF_NATTS
};

static void
collect(StewardCell *cells, bool touched, void *arg)
{
	StewardRows *rows = arg;

	(void) steward_rows_add(rows, steward_rows_slot(rows, cells, true), cells);
}

static bool
same_row(const StewardHistoryTable *table, StewardRow *a, StewardRow *b)
{
	for (int i = 0; i < table->desc->natts; i++)
		if (steward_history_has_column(table->desc, i + 1) &&
			!steward_cells_equal(table, i + 1, &a->cells[i], &b->cells[i]))
			return false;
	return true;
}

static void
show_row(const StewardHistoryTable *table, StewardRow *row, Datum *value,
		 bool *isnull)
{
	if (row == NULL)
		return;
	*value = JsonbPGetDatum(steward_row_to_jsonb(table, row->cells));
	*isnull = false;
}

/* Of old and new one may be NULL. */
static void
put_pair(const StewardHistoryTable *table, ReturnSetInfo *result, StewardRow *old,
		 StewardRow *new)
{
	Datum		values[DIFF_NATTS] = {0};
	bool		nulls[DIFF_NATTS] = {true, true, true};
	Jsonb	   *key = steward_row_key(table, (new != NULL ? new : old)->cells);

	show_row(table, new, &values[DIFF_NEW], &nulls[DIFF_NEW]);
	show_row(table, old, &values[DIFF_OLD], &nulls[DIFF_OLD]);
	if (key != NULL)
	{
		values[DIFF_KEY] = JsonbPGetDatum(key);
		nulls[DIFF_KEY] = false;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Rows of one key: with a key there is one at most on each side. */
static void
compare_slots(const StewardHistoryTable *table, ReturnSetInfo *result,
			  StewardRowSlot *old, StewardRowSlot *new)
{
	StewardRow *before = old == NULL ? NULL : old->first;
	StewardRow *after = new == NULL ? NULL : new->first;

	CHECK_FOR_INTERRUPTS();
	while (before != NULL || after != NULL)
	{
		if (before == NULL || after == NULL || !same_row(table, before, after))
			put_pair(table, result, before, after);
		before = before == NULL ? NULL : before->next;
		after = after == NULL ? NULL : after->next;
	}
}

static void
compare(const StewardHistoryTable *table, ReturnSetInfo *result, StewardRows *old,
		StewardRows *new)
{
	StewardCell *cells = palloc0(table->desc->natts * sizeof(StewardCell));
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while ((slot = steward_rows_next(old, &bucket, slot)) != NULL)
	{
		for (int k = 0; k < old->width; k++)
			cells[old->key[k] - 1] = slot->key[k];
		compare_slots(table, result, slot, steward_rows_slot(new, cells, false));
	}
	bucket = 0;
	while ((slot = steward_rows_next(new, &bucket, slot)) != NULL)
	{
		for (int k = 0; k < new->width; k++)
			cells[new->key[k] - 1] = slot->key[k];
		if (steward_rows_slot(old, cells, false) == NULL)
			compare_slots(table, result, NULL, slot);
	}
}

STEWARD_FUNCTION(steward_diff)
{
	static const char *const names[] = {"relation", "old_time", "new_time"};
	StewardHistoryTable *table;
	StewardTravel *travels[2];
	StewardRows *rows[2];
	bool		touched_only;

	steward_require_arguments(fcinfo, lengthof(names), names);
	InitMaterializedSRF(fcinfo, 0);
	steward_trail_prepare();
	table = steward_history_table_open(PG_GETARG_OID(0), false);
	for (int i = 0; i < 2; i++)
	{
		travels[i] = steward_travel_begin(table,
										  steward_point_at(PG_GETARG_TIMESTAMPTZ(i + 1)));
		rows[i] = steward_rows_create(table);
	}
	touched_only = table->key_count > 0 && !travels[0]->forward && !travels[1]->forward;
	if (touched_only)
	{
		steward_travel_touch(travels[0], travels[1]->rows);
		steward_travel_touch(travels[1], travels[0]->rows);
	}
	for (int i = 0; i < 2; i++)
		steward_travel_rows(travels[i], touched_only, collect, rows[i]);
	compare(table, (ReturnSetInfo *) fcinfo->resultinfo, rows[0], rows[1]);
	PopActiveSnapshot();
	PG_RETURN_NULL();
}
