/*
 * pause.c: pausing and resuming a policy.
 *
 * A policy that is paused does not run, neither by itself nor called. Pausing waits for
 * a run that is going on, so that nothing is destroyed after it has answered.
 */
#include "retention/policy.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/argument.h"
#include "base/event.h"
#include "retention/due.h"

/* Changes the state of a policy by a statement about $1; whether it changed. */
static bool
change_state(FunctionCallInfo fcinfo, const char *call, const char *sql)
{
	char	   *name = steward_name_argument(fcinfo, psprintf("steward.%s()", call), "name");
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[2];
	bool		changed;
	StewardJson event;

	SPI_connect();
	(void) steward_policy_lock_read(name);
	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	steward_policy_sql(sql, SPI_OK_UPDATE, lengthof(types), types, values, NULL);
	changed = SPI_processed > 0;
	if (changed && steward_event_begin(&event, call))
	{
		steward_json_text(&event, "policy", name);
		steward_event_end(&event);
	}
	SPI_finish();
	steward_due_wake();
	return changed;
}

STEWARD_FUNCTION(steward_pause_policy)
{
	PG_RETURN_BOOL(change_state(fcinfo, "pause_policy",
								"UPDATE steward.policy_state SET paused_at = pg_catalog.now(),"
								" paused_by = $2::pg_catalog.name"
								" WHERE policy OPERATOR(pg_catalog.=) $1 AND paused_at IS NULL"));
}

STEWARD_FUNCTION(steward_resume_policy)
{
	PG_RETURN_BOOL(change_state(fcinfo, "resume_policy",
								"UPDATE steward.policy_state SET paused_at = NULL, paused_by = NULL,"
								" quarantined_at = NULL, failures = 0, retry_at = NULL"
								" WHERE policy OPERATOR(pg_catalog.=) $1 AND $2 IS NOT NULL"
								" AND (paused_at IS NOT NULL OR quarantined_at IS NOT NULL)"));
}
