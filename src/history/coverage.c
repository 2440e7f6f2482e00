/*
 * coverage.c: steward.audit_coverage, its baseline, and steward.audit_feed.
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
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#define COVERAGE_QUERY(more) \
	"SELECT f.relation, f.severity, f.finding, f.detail FROM" \
	" (SELECT * FROM steward.coverage_of_tables()" \
	"  UNION ALL SELECT * FROM steward.coverage_of_extension()" \
	"  UNION ALL SELECT * FROM steward.coverage_of_log()" \
	"  UNION ALL SELECT * FROM steward.coverage_of_past()" \
	"  UNION ALL SELECT * FROM steward.coverage_of_activity()" more ") AS f" \
	" ORDER BY f.severity, f.finding, f.relation, f.detail"

static const char *const coverage_query = COVERAGE_QUERY("");
static const char *const slot_query =
COVERAGE_QUERY(" UNION ALL SELECT * FROM steward.coverage_of_slot($1, $2)");

static const char *const plugin_query =
"SELECT s.plugin FROM pg_catalog.pg_replication_slots AS s"
" WHERE s.slot_name OPERATOR(pg_catalog.=) $1 AND s.database OPERATOR(pg_catalog.=) pg_catalog.current_database()";

static const char *const baseline_query =
"INSERT INTO steward.coverage_baseline (relation, changes, snapshot, taken_at)"
" SELECT c.oid, steward.counted_changes(c.oid), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp()"
" FROM pg_catalog.pg_class AS c"
" WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND EXISTS (SELECT FROM pg_catalog.pg_trigger AS t"
" WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND t.tgfoid OPERATOR(pg_catalog.=) 'steward.audit_row'::pg_catalog.regproc)";

/* The output plugin of witness.c. */
#define STEWARD_WITNESS "pg_steward"

static const char *const feed_query =
"SELECT f.leaf, f.line FROM steward.feed_lines($1, $2, $3) AS f ORDER BY f.leaf";

/* Runs a query as the owner; its rows are the function's result. */
static void
show(FunctionCallInfo fcinfo, const char *query, int count, Oid *types,
	 Datum *values, const char *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	StewardIdentity saved;

	InitMaterializedSRF(fcinfo, 0);
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

/* The output plugin of a logical slot of this database; NULL without the slot. */
static char *
plugin_of(Datum slot)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {NAMEOID};
	StewardIdentity saved;
	char	   *plugin = NULL;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(plugin_query, 1, types, &slot, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_replication_slots");
	if (SPI_processed == 1)
		plugin = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (plugin != NULL)
		plugin = MemoryContextStrdup(caller, plugin);
	SPI_finish();
	steward_become_caller(&saved);
	return plugin;
}

static char *
checked_plugin(Datum slot)
{
	char	   *plugin = plugin_of(slot);

	if (plugin == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("this database has no logical replication slot \"%s\"",
						NameStr(*DatumGetName(slot))),
				 errhint("Make one: SELECT pg_create_logical_replication_slot('%s', 'pg_steward').",
						 NameStr(*DatumGetName(slot)))));
	if (strcmp(plugin, STEWARD_WITNESS) != 0 && strcmp(plugin, "test_decoding") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot read slot \"%s\": its output plugin is \"%s\"",
						NameStr(*DatumGetName(slot)), plugin),
				 errhint("Use one with the plugin \"pg_steward\" or \"test_decoding\".")));
	return plugin;
}

/*
 * Minor releases of 2026 ask which libraries may be output plugins. Here it is this
 * library, or one that the setting names by default.
 */
static void
allow_plugin(const char *plugin)
{
	if (GetConfigOption("output_plugin_libraries", true, false) != NULL)
		(void) set_config_option("output_plugin_libraries", plugin, PGC_SUSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static void
show_slot(FunctionCallInfo fcinfo, Datum slot)
{
	char	   *plugin = checked_plugin(slot);
	int			level = NewGUCNestLevel();
	NameData	name;
	Oid			types[] = {NAMEOID, NAMEOID};
	Datum		values[] = {slot, NameGetDatum(&name)};

	namestrcpy(&name, plugin);
	allow_plugin(plugin);
	show(fcinfo, slot_query, lengthof(types), types, values, NULL);
	AtEOXact_GUC(true, level);
}

STEWARD_FUNCTION(steward_audit_coverage)
{
	if (PG_ARGISNULL(0))
		show(fcinfo, coverage_query, 0, NULL, NULL, NULL);
	else
		show_slot(fcinfo, PG_GETARG_DATUM(0));
	PG_RETURN_NULL();
}

static uint64
run(const char *statement, int expected)
{
	if (SPI_execute(statement, false, 0) != expected)
		elog(ERROR, "could not write the baseline");
	return SPI_processed;
}

STEWARD_FUNCTION(steward_take_coverage_baseline)
{
	StewardIdentity saved;
	uint64		count;

	PreventCommandIfReadOnly("steward.take_coverage_baseline()");
	steward_become_owner(&saved);
	SPI_connect();
	(void) run("DELETE FROM steward.coverage_baseline", SPI_OK_DELETE);
	count = run(baseline_query, SPI_OK_INSERT);
	SPI_finish();
	steward_become_caller(&saved);
	PG_RETURN_INT64((int64) count);
}

STEWARD_FUNCTION(steward_audit_feed)
{
	Oid			types[] = {INT8OID, INT4OID, INT4OID};
	Datum		values[lengthof(types)] = {0};
	char		nulls[lengthof(types)];

	for (int i = 0; i < lengthof(types); i++)
	{
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	show(fcinfo, feed_query, lengthof(types), types, values, nulls);
	PG_RETURN_NULL();
}
