/*
 * due_end.c: how scheduled runs end, and what that means for the next; see due.h.
 */
#include "retention/due.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/event.h"
#include "base/guc.h"
#include "retention/retry.h"

void
steward_due_succeeded(const char *policy)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(policy)};

	steward_policy_sql("UPDATE steward.policy_state SET failures = 0, retry_at = NULL,"
					   " sqlstate = NULL WHERE policy OPERATOR(pg_catalog.=) $1"
					   " AND (failures OPERATOR(pg_catalog.>) 0 OR retry_at IS NOT NULL"
					   " OR sqlstate IS NOT NULL)",
					   SPI_OK_UPDATE, lengthof(types), types, values, NULL);
}

/* The pauses of the setting, which grow up to 360 times the first, or 6 hours. */
static StewardRetry
retry_limits(void)
{
	StewardRetry limits = STEWARD_RETRY_DEFAULT;

	limits.first_ms = steward_retention_retry_delay;
	limits.longest_ms = Max(limits.first_ms, Min(limits.longest_ms, limits.first_ms * 360));
	return limits;
}

/* Failures in a row, with the present one; 0 when the policy is no more. */
static int
count_failures(const char *policy)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(policy)};
	bool		isnull;
	int			failures = 0;

	steward_policy_sql("SELECT s.failures FROM steward.policy_state AS s"
					   " WHERE s.policy OPERATOR(pg_catalog.=) $1 FOR UPDATE",
					   SPI_OK_SELECT, lengthof(types), types, values, NULL);
	if (SPI_processed > 0)
		failures = 1 + DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
												   SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return failures;
}

/*
 * A record for a run that failed before it had one. Nobody's code has run until then, so
 * the message is about names, not about values.
 */
static void
record_failure(const char *policy, int failures, const ErrorData *error)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID, INT4OID};
	Datum		values[] = {
		CStringGetTextDatum(policy),
		CStringGetTextDatum(unpack_sql_state(error->sqlerrcode)),
		CStringGetTextDatum(error->message),
		Int32GetDatum(failures - 1)
	};

	steward_policy_sql("INSERT INTO steward.policy_run_log (policy, relation, action, state,"
					   " finished_at, sqlstate, error, planned, retries)"
					   " SELECT p.name, p.relation, p.action, 'failed', pg_catalog.clock_timestamp(),"
					   " $2, $3, COALESCE(s.last_planned, s.next_run, pg_catalog.now()), $4"
					   " FROM steward.policy_definition AS p JOIN steward.policy_state AS s"
					   " ON s.policy OPERATOR(pg_catalog.=) p.name"
					   " WHERE p.name OPERATOR(pg_catalog.=) $1",
					   SPI_OK_INSERT, lengthof(types), types, values, NULL);
}

static void
tell_failure(const char *policy, int failures, bool quarantined, const char *sqlstate)
{
	StewardJson event;

	if (!quarantined)
	{
		ereport(LOG,
				(errcode(ERRCODE_WARNING),
				 errmsg("a scheduled run of retention policy \"%s\" failed: %s",
						policy, sqlstate),
				 errdetail("It is failure %d in a row. The run is tried again.", failures)));
		return;
	}
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("retention policy \"%s\" is quarantined after %d failures in a row, the last of them %s",
					policy, failures, sqlstate),
			 errhint("See steward.policy_run for the reason, remove it, and call steward.resume_policy.")));
	if (!steward_event_begin(&event, "quarantine_policy"))
		return;
	steward_json_text(&event, "policy", policy);
	steward_json_number(&event, "failures", failures);
	steward_json_text(&event, "sqlstate", sqlstate);
	steward_event_end(&event);
}

void
steward_due_failed(const char *policy, bool begun, const ErrorData *error)
{
	StewardRetry limits = retry_limits();
	TimestampTz now = GetCurrentTimestamp();
	int			failures = count_failures(policy);
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, TIMESTAMPTZOID, BOOLOID};
	Datum		values[5];
	bool		quarantined;
	uint64		seed;

	if (failures == 0)
		return;
	if (!begun)
		record_failure(policy, failures, error);
	quarantined = steward_retry_gives_up(&limits, failures);
	seed = hash_bytes_extended((const unsigned char *) policy, strlen(policy), (uint64) now);
	values[0] = CStringGetTextDatum(policy);
	values[1] = Int32GetDatum(failures);
	values[2] = CStringGetTextDatum(sqlstate);
	values[3] = TimestampTzGetDatum(now + 1000 * steward_retry_delay(&limits, failures, seed));
	values[4] = BoolGetDatum(quarantined);
	steward_policy_sql("UPDATE steward.policy_state SET failures = $2, sqlstate = $3,"
					   " retry_at = CASE WHEN NOT $5 THEN $4 END,"
					   " quarantined_at = CASE WHEN $5 THEN pg_catalog.now() END"
					   " WHERE policy OPERATOR(pg_catalog.=) $1",
					   SPI_OK_UPDATE, lengthof(types), types, values, NULL);
	tell_failure(policy, failures, quarantined, sqlstate);
}

bool
steward_due_cut_off(const char *policy)
{
	ErrorData	error = {.sqlerrcode = ERRCODE_CRASH_SHUTDOWN};
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(policy)};

	steward_due_failed(policy, true, &error);
	steward_policy_sql("UPDATE steward.policy_state SET retry_at = NULL"
					   " WHERE policy OPERATOR(pg_catalog.=) $1"
					   " AND failures OPERATOR(pg_catalog.=) 1 AND quarantined_at IS NULL",
					   SPI_OK_UPDATE, lengthof(types), types, values, NULL);
	return SPI_processed > 0;
}
