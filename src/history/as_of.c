/*
 * as_of.c: steward.as_of, the rows that a table had.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "base/argument.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "history/travel.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

/* The table whose row type the first argument has. */
static Oid
table_argument(FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Oid			relid = OidIsValid(type) ? typeidTypeRelid(type) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("argument \"%s\" must be of a table's row type", "relation"),
				 errhint("Pass NULL cast to the table, as NULL::customer.")));
	return relid;
}

typedef struct Output
{
	const StewardHistoryTable *table;
	ReturnSetInfo *result;
	Datum	   *values;
	bool	   *nulls;
} Output;

static void
put_row(StewardCell *cells, bool touched, void *arg)
{
	Output	   *output = arg;

	steward_row_values(output->table, cells, output->values, output->nulls);
	tuplestore_putvalues(output->result->setResult, output->result->setDesc,
						 output->values, output->nulls);
}

static void
show(FunctionCallInfo fcinfo, StewardPoint point)
{
	Oid			relid = table_argument(fcinfo);
	StewardHistoryTable *table;
	Output		output;

	InitMaterializedSRF(fcinfo, 0);
	steward_trail_prepare();
	table = steward_history_table_open(relid, false);
	output.table = table;
	output.result = (ReturnSetInfo *) fcinfo->resultinfo;
	output.values = palloc(table->desc->natts * sizeof(Datum));
	output.nulls = palloc(table->desc->natts * sizeof(bool));
	steward_travel_rows(steward_travel_begin(table, point), false, put_row, &output);
	PopActiveSnapshot();
}

STEWARD_FUNCTION(steward_as_of)
{
	steward_require_argument(fcinfo, 1, "at");
	show(fcinfo, steward_point_at(PG_GETARG_TIMESTAMPTZ(1)));
	PG_RETURN_NULL();
}

STEWARD_FUNCTION(steward_as_of_snapshot)
{
	steward_require_argument(fcinfo, 1, "snapshot");
	show(fcinfo, steward_point_of_snapshot(PG_GETARG_DATUM(1)));
	PG_RETURN_NULL();
}
