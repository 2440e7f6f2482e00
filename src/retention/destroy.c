/*
 * destroy.c: the statement of a batch that destroys rows; see batch.h.
 *
 * All that goes, goes by one statement: then foreign keys are checked when all of it
 * is gone, in whatever order and in cycles.
 */
#include "retention/batch_parts.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "retention/closure.h"
#include "retention/statement.h"

/* Parameters of the statement. */
typedef struct Parameters
{
	int			count;
	Oid		   *types;
	Datum	   *values;
	List	   *relations;
} Parameters;

static void
add_parameter(Parameters *parameters, Oid type, Datum value)
{
	parameters->types[parameters->count] = type;
	parameters->values[parameters->count++] = value;
}

/* The rows of the policy's table, $2, as "gone", with a column for the bytes of each. */
static void
add_rows(StewardBatch *batch, StringInfo sql)
{
	appendStringInfo(sql,
					 "WITH gone (bytes) AS (DELETE FROM %s"
					 " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($2) AND %s"
					 " RETURNING %s)",
					 batch->from, batch->still_expired,
					 steward_row_size(batch->rel, "t"));
}

/* Those that refer to them, as "child1" and so on. */
static void
add_children(StringInfo sql, List *deletes, Parameters *parameters)
{
	ListCell   *cell;

	foreach(cell, deletes)
	{
		StewardChildDelete *one = lfirst(cell);

		add_parameter(parameters, TIDARRAYOID, steward_tid_array(one->rows, one->count));
		parameters->relations = lappend_oid(parameters->relations, one->table);
		appendStringInfo(sql,
						 ", child%d AS (DELETE FROM %s"
						 " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($%d) RETURNING 1)",
						 foreach_current_index(cell) + 1, one->from,
						 parameters->count);
	}
}

static void
add_counts(StringInfo sql, List *deletes)
{
	appendStringInfoString(sql,
						   " SELECT (SELECT pg_catalog.count(*) FROM gone),"
						   " (SELECT COALESCE(pg_catalog.sum(g.bytes), 0)::pg_catalog.int8 FROM gone AS g)");
	for (int i = 1; i <= list_length(deletes); i++)
		appendStringInfo(sql, ", (SELECT pg_catalog.count(*) FROM child%d)", i);
}

static void
raise_kept(Oid table)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("a trigger kept rows of table \"%s\" that were to go with others",
					get_rel_name(table)),
			 errdetail("Expired rows go together with those that refer to them, or not at all."),
			 errhint("Let the trigger pass, or declare the foreign key \"restrict\".")));
}

/* With children nothing may have been kept. */
static void
take_counts(StewardBatch *batch, int count, List *deletes, StewardBatchResult *result)
{
	ListCell   *cell;

	result->rows = DatumGetInt64(steward_result(0, 1));
	result->bytes += DatumGetInt64(steward_result(0, 2));
	foreach(cell, deletes)
	{
		StewardChildDelete *one = lfirst(cell);

		if (DatumGetInt64(steward_result(0, foreach_current_index(cell) + 3)) != one->count)
			raise_kept(one->table);
		result->children += one->count;
	}
	if (result->children > 0 && result->rows != count)
		raise_kept(RelationGetRelid(batch->rel));
}

void
steward_batch_destroy(StewardBatch *batch, const ItemPointerData *rows, int count,
					  List *deletes, StewardBatchResult *result)
{
	int			room = list_length(deletes) + 2;
	Parameters	parameters = {
		.types = palloc(room * sizeof(Oid)),
		.values = palloc(room * sizeof(Datum)),
		.relations = list_make1_oid(RelationGetRelid(batch->rel))
	};
	StringInfoData sql;
	StewardStatement statement = {0};

	if (count == 0)
		return;
	initStringInfo(&sql);
	add_parameter(&parameters, batch->age.type, batch->cutoff);
	add_parameter(&parameters, TIDARRAYOID, steward_tid_array(rows, count));
	add_rows(batch, &sql);
	add_children(&sql, deletes, &parameters);
	add_counts(&sql, deletes);
	statement.sql = sql.data;
	statement.relations = parameters.relations;
	statement.count = parameters.count;
	statement.types = parameters.types;
	statement.values = parameters.values;
	(void) steward_statement_execute(&statement, SPI_OK_SELECT);
	take_counts(batch, count, deletes, result);
	SPI_freetuptable(SPI_tuptable);
}
