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
#include "crypto/random.h"
#include "retention/run_error.h"
#include "retention/statement.h"

/* Receipts of different runs have nothing in common. */
static Datum
make_salt(void)
{
	bytea	   *salt = palloc(VARHDRSZ + STEWARD_RECEIPT_SALT_BYTES);

	SET_VARSIZE(salt, VARHDRSZ + STEWARD_RECEIPT_SALT_BYTES);
	steward_random_key((unsigned char *) VARDATA(salt), STEWARD_RECEIPT_SALT_BYTES);
	return PointerGetDatum(salt);
}

void
steward_run_record_start(StewardRun *run, const StewardDueRun *due)
{
	Oid			types[] = {TEXTOID, REGCLASSOID, TIMESTAMPTZOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, INT4OID, BYTEAOID};
	Datum		values[] = {
		CStringGetTextDatum(run->policy->name),
		ObjectIdGetDatum(run->policy->relation),
		TimestampTzGetDatum(run->policy->cutoff),
		CStringGetTextDatum(steward_action_name(run->policy->action)),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false)),
		TimestampTzGetDatum(due != NULL ? due->planned : 0),
		Int32GetDatum(due != NULL ? due->retries : 0),
		make_salt()
	};
	bool		isnull;
	StewardJson event;

	steward_policy_sql("INSERT INTO steward.policy_run_log (policy, relation, cutoff, action,"
					   " started_by, planned, retries, salt)"
					   " VALUES ($1, $2, $3, $4, $5::pg_catalog.name, $6, $7, $8) RETURNING id",
					   SPI_OK_INSERT_RETURNING, lengthof(types), types, values,
					   due == NULL ? "     n  " : "    n   ");
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

/* The event of a batch, which the ledger seals with what was destroyed. */
static void
tell_batch(StewardRun *run, const StewardBatchResult *result, const StewardHash *root)
{
	StewardJson event;

	if (!steward_event_begin(&event, "run_policy_batch"))
		return;
	steward_json_text(&event, "policy", run->policy->name);
	steward_json_number(&event, "run", run->id);
	steward_json_number(&event, "batch", (int64) run->receipts.batches.size);
	steward_json_number(&event, "rows", (int64) result->rows);
	steward_json_number(&event, "children", (int64) result->children);
	steward_json_bytes(&event, "root", root->bytes, sizeof(root->bytes));
	steward_event_end(&event);
}

void
steward_run_record_batch(StewardRun *run, StewardBatchResult *result, uint64 wal)
{
	Oid			types[] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, BYTEAOID,
	BYTEAOID};
	Datum		values[] = {
		Int64GetDatum(run->id), Int64GetDatum((int64) result->rows),
		Int64GetDatum((int64) result->children),
		Int64GetDatum((int64) result->bytes), Int64GetDatum((int64) wal),
		Int64GetDatum((int64) run->receipts.batches.size), (Datum) 0, (Datum) 0
	};
	StewardHash root;

	if (!result->whole &&
		result->leaves.len != (result->rows + result->children) * STEWARD_HASH_BYTES)
		elog(ERROR, "a batch has " UINT64_FORMAT " rows and %d bytes of leaves",
			 result->rows + result->children, result->leaves.len);
	steward_receipts_batch(run->id, &run->receipts, (int64) (result->rows + result->children),
						   &result->leaves, &root);
	values[6] = steward_receipts_root(&run->receipts);
	values[7] = steward_receipts_frontier(&run->receipts);
	steward_policy_sql("UPDATE steward.policy_run_log SET rows = rows + $2,"
					   " children = children + $3, bytes = bytes + $4, wal = wal + $5,"
					   " batches = batches + 1, batch_at = pg_catalog.clock_timestamp(),"
					   " root = $7, frontier = $8"
					   " WHERE id OPERATOR(pg_catalog.=) $1 AND batches OPERATOR(pg_catalog.=) $6",
					   SPI_OK_UPDATE, lengthof(types), types, values, NULL);
	/* Nothing is destroyed that nobody counts. */
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the record of this run of policy \"%s\" is gone",
						run->policy->name)));
	tell_batch(run, result, &root);
}

/* How a run ended, from its record: all turns of one that gave way together. */
static void
tell_end(StewardRun *run, const char *state, const char *sqlstate, const char *error)
{
	static const char *const numbers[] = {"deleted", "children", "skipped", "held", "restricted"};
	StewardJson event;
	bool		isnull;
	Datum		root = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
									 lengthof(numbers) + 1, &isnull);

	if (!steward_event_begin(&event, "run_policy_ended"))
		return;
	steward_json_text(&event, "policy", run->policy->name);
	steward_json_number(&event, "run", run->id);
	steward_json_text(&event, "state", state);
	for (int i = 0; i < lengthof(numbers); i++)
		steward_json_number(&event, numbers[i], DatumGetInt64(steward_result(0, i + 1)));
	if (!isnull)
	{
		bytea	   *bytes = DatumGetByteaPP(root);

		steward_json_bytes(&event, "root", (unsigned char *) VARDATA_ANY(bytes),
						   VARSIZE_ANY_EXHDR(bytes));
	}
	steward_json_text(&event, "sqlstate", sqlstate);
	steward_json_text(&event, "error", error);
	steward_event_end(&event);
}

void
steward_run_record_end(StewardRun *run, const char *state, const ErrorData *error)
{
	const char *sqlstate = error != NULL ? unpack_sql_state(error->sqlerrcode) : NULL;
	const char *about = error != NULL ? steward_run_error(error) : NULL;
	Oid			types[] = {INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID};
	Datum		values[] = {
		Int64GetDatum(run->id), CStringGetTextDatum(state),
		Int64GetDatum((int64) run->skipped), Int64GetDatum((int64) run->held),
		Int64GetDatum((int64) run->restricted),
		Int64GetDatum(run->turn.waited_us / 1000),
		sqlstate != NULL ? CStringGetTextDatum(sqlstate) : (Datum) 0,
		about != NULL ? CStringGetTextDatum(about) : (Datum) 0
	};
	char		nulls[] = {' ', ' ', ' ', ' ', ' ', ' ', sqlstate != NULL ? ' ' : 'n',
	about != NULL ? ' ' : 'n', '\0'};

	steward_policy_sql("UPDATE steward.policy_run_log SET state = $2, skipped = skipped + $3,"
					   " held = held + $4, restricted = restricted + $5, waits = waits + $6,"
					   " sqlstate = $7, error = $8,"
					   " finished_at = CASE WHEN $2 OPERATOR(pg_catalog.<>) 'waiting' THEN pg_catalog.clock_timestamp() END"
					   " WHERE id OPERATOR(pg_catalog.=) $1"
					   " RETURNING rows, children, skipped, held, restricted, root",
					   SPI_OK_UPDATE_RETURNING, lengthof(types), types, values, nulls);
	if (SPI_processed == 1 && !run->turn.gives_way)
		tell_end(run, state, sqlstate, about);
	SPI_freetuptable(SPI_tuptable);
}
