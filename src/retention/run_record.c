/*
 * run_record.c: what is recorded of a run, in steward.policy_run_log and the audit trail.
 */
#include "retention/run_parts.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/event.h"

void
steward_run_record_start(StewardRun *run, const StewardDueRun *due)
{
	Oid			types[] = {TEXTOID, REGCLASSOID, TIMESTAMPTZOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, INT4OID};
	Datum		values[] = {
		CStringGetTextDatum(run->policy->name),
		ObjectIdGetDatum(run->policy->relation),
		TimestampTzGetDatum(run->policy->cutoff),
		CStringGetTextDatum(steward_action_name(run->policy->action)),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false)),
		TimestampTzGetDatum(due != NULL ? due->planned : 0),
		Int32GetDatum(due != NULL ? due->retries : 0)
	};
	bool		isnull;
	StewardJson event;

	steward_policy_sql("INSERT INTO steward.policy_run_log (policy, relation, cutoff, action,"
					   " started_by, planned, retries)"
					   " VALUES ($1, $2, $3, $4, $5::pg_catalog.name, $6, $7) RETURNING id",
					   SPI_OK_INSERT_RETURNING, lengthof(types), types, values,
					   due == NULL ? "     n " : "    n  ");
	run->id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (steward_event_begin(&event, "run_policy"))
	{
		steward_json_text(&event, "policy", run->policy->name);
		steward_event_relation(&event, "relation", run->policy->relation);
		steward_json_number(&event, "run", run->id);
		steward_json_text(&event, "cutoff", timestamptz_to_str(run->policy->cutoff));
		steward_event_end(&event);
	}
}

void
steward_run_record_batch(StewardRun *run, const StewardBatchResult *result, uint64 wal)
{
	Oid			types[] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(run->id), Int64GetDatum((int64) result->rows),
		Int64GetDatum((int64) result->children),
		Int64GetDatum((int64) result->bytes), Int64GetDatum((int64) wal)
	};

	steward_policy_sql("UPDATE steward.policy_run_log SET rows = rows + $2,"
					   " children = children + $3, bytes = bytes + $4, wal = wal + $5,"
					   " batches = batches + 1, batch_at = pg_catalog.clock_timestamp()"
					   " WHERE id = $1",
					   SPI_OK_UPDATE, lengthof(types), types, values, NULL);
	/* Nothing is destroyed that nobody counts. */
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the record of this run of policy \"%s\" is gone",
						run->policy->name)));
}

void
steward_run_record_end(StewardRun *run, const char *state, const char *sqlstate)
{
	StewardJson event;
	Oid			types[] = {INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID};
	Datum		values[] = {
		Int64GetDatum(run->id), CStringGetTextDatum(state),
		Int64GetDatum((int64) run->skipped), Int64GetDatum((int64) run->held),
		Int64GetDatum((int64) run->restricted),
		Int64GetDatum(run->turn.waited_us / 1000),
		sqlstate != NULL ? CStringGetTextDatum(sqlstate) : (Datum) 0
	};

	steward_policy_sql("UPDATE steward.policy_run_log SET state = $2, skipped = skipped + $3,"
					   " held = held + $4, restricted = restricted + $5, waits = waits + $6, sqlstate = $7,"
					   " finished_at = CASE WHEN $2 OPERATOR(pg_catalog.<>) 'waiting' THEN pg_catalog.clock_timestamp() END"
					   " WHERE id = $1",
					   SPI_OK_UPDATE, lengthof(types), types, values,
					   sqlstate != NULL ? NULL : "      n");
	if (run->turn.gives_way || !steward_event_begin(&event, "run_policy_ended"))
		return;
	steward_json_text(&event, "policy", run->policy->name);
	steward_json_number(&event, "run", run->id);
	steward_json_text(&event, "state", state);
	steward_json_number(&event, "deleted", (int64) run->deleted);
	steward_json_number(&event, "children", (int64) run->children);
	steward_json_number(&event, "skipped", (int64) run->skipped);
	steward_json_number(&event, "held", (int64) run->held);
	steward_json_number(&event, "restricted", (int64) run->restricted);
	steward_json_text(&event, "sqlstate", sqlstate);
	steward_event_end(&event);
}
