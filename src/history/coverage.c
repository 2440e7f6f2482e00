/*
 * coverage.c: steward.audit_coverage and steward.audit_feed.
 *
 * What they show is put together by SQL functions, in coverage.sql and feed.sql,
 * that nobody but the extension's owner may call. These run them as the owner, so
 * that whoever may execute these needs no right on the log.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "base/catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

static const char *const coverage_query =
"SELECT f.relation, f.severity, f.finding, f.detail FROM"
" (SELECT * FROM steward.coverage_of_tables()"
"  UNION ALL SELECT * FROM steward.coverage_of_extension()"
"  UNION ALL SELECT * FROM steward.coverage_of_log()"
"  UNION ALL SELECT * FROM steward.coverage_of_past()) AS f"
" ORDER BY f.severity, f.finding, f.relation, f.detail";

static const char *const feed_query =
"SELECT f.leaf, f.line FROM steward.feed_lines($1, $2, $3) AS f ORDER BY f.leaf";

/* Runs a query as the owner; its rows are the function's result. */
static void
show(FunctionCallInfo fcinfo, const char *query, int count, Oid *types)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3] = {0};
	char		nulls[3] = {' ', ' ', ' '};
	StewardIdentity saved;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
	{
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(query, count, types, values, nulls, false,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the audit log");
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
	steward_become_caller(&saved);
}

STEWARD_FUNCTION(steward_audit_coverage)
{
	show(fcinfo, coverage_query, 0, NULL);
	PG_RETURN_NULL();
}

STEWARD_FUNCTION(steward_audit_feed)
{
	Oid			types[] = {INT8OID, INT4OID, INT4OID};

	show(fcinfo, feed_query, lengthof(types), types);
	PG_RETURN_NULL();
}
