/*
 * receipt_verify.c: do the receipts of a run fit its record, and what the audit trail says of it?
 *
 * The trail is what the ledger seals: who can write to our tables can make receipts and
 * record fit each other, but not the events. A run that began when there was a log has an event of its
 * beginning, and then one of each batch; they lie in the hours of the run.
 */
#include "retention/receipt_run.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "audit/event.h"
#include "base/argument.h"
#include "retention/policy.h"
#include "retention/receipt_tree.h"

#define FOUND_ALTERED "altered"
#define FOUND_MISSING "missing"
#define FOUND_INSERTED "inserted"

/* Clocks may have been set meanwhile: events this far from the run are looked at too. */
#define SLACK USECS_PER_HOUR

typedef struct Verification
{
	ReturnSetInfo *result;
	StewardRecordedRun run;
	bool		begun;			/* there is an event of the run's beginning */
} Verification;

/* batch 0: of the whole run. */
static void
found(Verification *verification, const char *kind, int64 batch, const char *detail)
{
	Datum		values[] = {
		Int64GetDatum(batch), CStringGetTextDatum(kind), CStringGetTextDatum(detail)
	};
	bool		nulls[] = {batch == 0, false, false};

	tuplestore_putvalues(verification->result->setResult, verification->result->setDesc, values,
						 nulls);
}

/* A column of a row of the result, as its text; NULL for null. */
static char *
text_of(uint64 row, int number)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number);
}

static Datum
value_of(uint64 row, int number)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, &isnull);
}

/* The receipts alone: all numbers from 1 on, and the run's root over them. */
static void
verify_receipts(Verification *verification)
{
	StewardRecordedRun *run = &verification->run;
	StewardFrontier tree;
	StewardHash root;
	int64		next = 1;
	int64		rows = 0;

	steward_frontier_init(&tree);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64		batch = DatumGetInt64(value_of(i, 1));
		int64		these = DatumGetInt64(value_of(i, 2));

		for (; next < batch && next <= run->batches; next++)
		{
			CHECK_FOR_INTERRUPTS();
			found(verification, FOUND_MISSING, next, "The batch has no receipt.");
		}
		if (batch < next || batch > run->batches)
			found(verification, FOUND_INSERTED, batch, "The run did not count this batch.");
		else
			next = batch + 1;
		rows += these;
		if (!steward_hash_from(&root, value_of(i, 3)) ||
			!steward_receipt_append(&tree, these, &root))
			found(verification, FOUND_ALTERED, batch, "The root of the batch is no hash.");
	}
	for (; next <= run->batches; next++)
	{
		CHECK_FOR_INTERRUPTS();
		found(verification, FOUND_MISSING, next, "The batch has no receipt.");
	}
	if (rows != run->rows + run->children)
		found(verification, FOUND_ALTERED, 0,
			  psprintf("The run counted %lld rows, its receipts have %lld.",
					   (long long) (run->rows + run->children), (long long) rows));
	steward_frontier_root(&root, &tree);
	if (tree.size == 0 ? run->rooted :
		!run->rooted || !steward_hash_equals(&root, &run->root))
		found(verification, FOUND_ALTERED, 0, "The root of the run is not that of its receipts.");
}

static void
read_receipts(Verification *verification)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(verification->run.id);

	steward_policy_look("SELECT r.batch, r.rows, r.root FROM steward.policy_receipt AS r"
						" WHERE r.run OPERATOR(pg_catalog.=) $1 ORDER BY r.batch",
						1, &type, &value);
	verify_receipts(verification);
	SPI_freetuptable(SPI_tuptable);
}

/* Events of the run, those too that this transaction has yet to write to the log. */
#define EVENTS \
	"WITH event AS MATERIALIZED (" \
	"SELECT e OPERATOR(pg_catalog.->>) 'event' AS event, e OPERATOR(pg_catalog.->) 'details' AS d" \
	" FROM (SELECT l.payload FROM steward.audit_record AS l" \
	"   WHERE l.op OPERATOR(pg_catalog.=) 'S'::pg_catalog.\"char\"" \
	"   AND l.written_at OPERATOR(pg_catalog.>=) $2 AND l.written_at OPERATOR(pg_catalog.<=) $3" \
	"   UNION ALL SELECT p.payload FROM steward.audit_pending() AS p" \
	"   WHERE p.op OPERATOR(pg_catalog.=) 'S'::pg_catalog.\"char\") AS r" \
	" CROSS JOIN LATERAL steward.audit_event(r.payload) AS e" \
	" WHERE e OPERATOR(pg_catalog.->>) 'event' OPERATOR(pg_catalog.=)" \
	" ANY ('{run_policy,run_policy_batch,run_policy_ended}'::pg_catalog.text[])" \
	" AND e OPERATOR(pg_catalog.->) 'details' OPERATOR(pg_catalog.->>) 'run'" \
	" OPERATOR(pg_catalog.=) $1::pg_catalog.text) "

/*
 * What was said when the run began and ended; then batches of which receipt and event
 * differ, or of which there is but one of them. The log is read once.
 */
#define DIFFERENCES \
	EVENTS \
	"SELECT event, NULL::pg_catalog.int8 AS batch, false, false, d OPERATOR(pg_catalog.->>) 'root'," \
	" (d OPERATOR(pg_catalog.->>) 'deleted')::pg_catalog.int8 OPERATOR(pg_catalog.+)" \
	" (d OPERATOR(pg_catalog.->>) 'children')::pg_catalog.int8" \
	" FROM event WHERE event OPERATOR(pg_catalog.<>) 'run_policy_batch'" \
	" UNION ALL SELECT 'run_policy_batch', COALESCE(e.batch, r.batch), e.batch IS NULL, r.batch IS NULL, NULL, NULL" \
	" FROM (SELECT (d OPERATOR(pg_catalog.->>) 'batch')::pg_catalog.int8 AS batch," \
	"   (d OPERATOR(pg_catalog.->>) 'rows')::pg_catalog.int8" \
	"   OPERATOR(pg_catalog.+) (d OPERATOR(pg_catalog.->>) 'children')::pg_catalog.int8 AS rows," \
	"   d OPERATOR(pg_catalog.->>) 'root' AS root FROM event" \
	"   WHERE event OPERATOR(pg_catalog.=) 'run_policy_batch') AS e" \
	" FULL JOIN (SELECT p.batch, p.rows, p.root FROM steward.policy_receipt AS p" \
	"   WHERE p.run OPERATOR(pg_catalog.=) $1) AS r ON r.batch OPERATOR(pg_catalog.=) e.batch" \
	" WHERE e.batch IS NULL OR r.batch IS NULL OR r.rows OPERATOR(pg_catalog.<>) e.rows" \
	" OR pg_catalog.encode(r.root, 'hex') OPERATOR(pg_catalog.<>) e.root" \
	" ORDER BY batch NULLS FIRST"

static void
read_events(const Verification *verification)
{
	const StewardRecordedRun *run = &verification->run;
	Oid			types[] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[] = {
		Int64GetDatum(run->id),
		TimestampTzGetDatum(run->started_at - SLACK),
		TimestampTzGetDatum(Max(run->started_at, run->batch_at) + SLACK)
	};

	steward_policy_look(DIFFERENCES, lengthof(types), types, values);
}

static void
verify_end(Verification *verification, uint64 row)
{
	const StewardRecordedRun *run = &verification->run;
	char	   *root = text_of(row, 5);
	char		hex[2 * STEWARD_HASH_BYTES + 1] = "";

	if (run->rooted)
		hex[hex_encode((const char *) run->root.bytes, STEWARD_HASH_BYTES, hex)] = '\0';
	if (strcmp(root != NULL ? root : "", hex) != 0)
		found(verification, FOUND_ALTERED, 0,
			  "The root of the run is not what the audit trail says of its end.");
	if (DatumGetInt64(value_of(row, 6)) != run->rows + run->children)
		found(verification, FOUND_ALTERED, 0,
			  "The run counted other rows than the audit trail says of its end.");
}

static void
verify_batch(Verification *verification, uint64 row)
{
	int64		batch = DatumGetInt64(value_of(row, 2));
	bool		no_event = DatumGetBool(value_of(row, 3));
	bool		no_receipt = DatumGetBool(value_of(row, 4));

	if (no_receipt)
		found(verification, FOUND_MISSING, batch,
			  "The audit trail has the batch, which has no receipt.");
	else if (!no_event)
		found(verification, FOUND_ALTERED, batch,
			  "The receipt is not what the audit trail says of the batch.");
	/* The log may have begun, or been pruned, in mid-run. */
	else if (verification->begun)
		found(verification, FOUND_INSERTED, batch,
			  "The audit trail has the beginning of the run, but not this batch.");
}

static void
verify_events(Verification *verification)
{
	read_events(verification);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		const char *event = text_of(i, 1);

		if (strcmp(event, "run_policy") == 0)
			verification->begun = true;
		else if (strcmp(event, "run_policy_ended") == 0)
			verify_end(verification, i);
		else
			verify_batch(verification, i);
	}
	SPI_freetuptable(SPI_tuptable);
}

STEWARD_FUNCTION(steward_verify_receipt)
{
	Verification verification = {0};

	steward_require_argument(fcinfo, 0, "run");
	InitMaterializedSRF(fcinfo, 0);
	verification.result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	steward_recorded_run(PG_GETARG_INT64(0), &verification.run);
	read_receipts(&verification);
	if (steward_audit_started())
		verify_events(&verification);
	SPI_finish();
	PG_RETURN_NULL();
}
