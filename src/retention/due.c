/*
 * due.c: which policies are to be run by themselves, and when; see due.h.
 */
#include "retention/due.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/duty.h"
#include "base/procedure.h"
#include "retention/schedule_zone.h"

/* What is stored of a policy with a schedule. Times that are not there are 0. */
typedef struct State
{
	char	   *policy;
	char	   *schedule;
	char	   *time_zone;
	TimestampTz anchor;
	TimestampTz last_planned;
	TimestampTz next_run;
	TimestampTz retry_at;
	TimestampTz unfinished;		/* since when a scheduled run has not ended */
	int			failures;
	TimestampTz due_at;			/* made from the others */
} State;

/* Columns of State in this order; policies that may run by themselves. */
#define STATES \
	"SELECT p.name, p.schedule, p.time_zone, s.anchor, s.last_planned, s.next_run, s.retry_at," \
	" (SELECT pg_catalog.max(COALESCE(l.batch_at, l.started_at)) FROM steward.policy_run_log AS l" \
	"   WHERE l.policy OPERATOR(pg_catalog.=) p.name" \
	"     AND l.state OPERATOR(pg_catalog.=) ANY ('{running,waiting}'::pg_catalog.text[])" \
	"     AND l.planned IS NOT NULL), s.failures" \
	" FROM steward.policy_definition AS p" \
	" JOIN steward.policy_state AS s ON s.policy OPERATOR(pg_catalog.=) p.name" \
	" WHERE p.schedule IS NOT NULL AND s.paused_at IS NULL AND s.quarantined_at IS NULL"

static bool wake_at_commit = false;

void
steward_due_wake(void)
{
	wake_at_commit = true;
}

static void
on_transaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	if (wake_at_commit && event == XACT_EVENT_COMMIT)
		steward_duty_due_lengthy(MyDatabaseId);
	wake_at_commit = false;
}

void
steward_due_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
}

static char *
text_column(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

static TimestampTz
time_column(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
									  column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

static State *
read_state(uint64 row)
{
	State	   *state = palloc0(sizeof(State));
	bool		isnull;

	state->policy = text_column(row, 1);
	state->schedule = text_column(row, 2);
	state->time_zone = text_column(row, 3);
	state->anchor = time_column(row, 4);
	state->last_planned = time_column(row, 5);
	state->next_run = time_column(row, 6);
	state->retry_at = time_column(row, 7);
	state->unfinished = time_column(row, 8);
	state->failures = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[row],
												  SPI_tuptable->tupdesc, 9, &isnull));
	return state;
}

/* As the functions on schedules want what was last run. */
static TimestampTz
last_planned(const State *state)
{
	return state->last_planned != 0 ? state->last_planned : DT_NOBEGIN;
}

static TimestampTz
plan(const State *state, TimestampTz last, TimestampTz now)
{
	return steward_schedule_plan_run(state->schedule, state->time_zone, state->anchor,
									 last, now);
}

/* A time, or NULL for one that never comes. */
static void
store_next(const char *policy, TimestampTz next)
{
	Oid			types[] = {TEXTOID, TIMESTAMPTZOID};
	Datum		values[] = {CStringGetTextDatum(policy), TimestampTzGetDatum(next)};

	steward_policy_sql("UPDATE steward.policy_state SET next_run = $2"
					   " WHERE policy OPERATOR(pg_catalog.=) $1",
					   SPI_OK_UPDATE, lengthof(types), types, values,
					   next == DT_NOEND ? " n" : NULL);
}

/* The planned time that has come, or will, is put into next_run. */
static bool
planned_is_due(State *state, TimestampTz now)
{
	TimestampTz planned = state->next_run;
	bool		due;

	if (planned == 0)
		planned = plan(state, last_planned(state), now);
	due = steward_schedule_run_due(state->schedule, state->time_zone, state->anchor,
								   last_planned(state), now, &planned);
	if (planned != state->next_run && !(planned == DT_NOEND && state->next_run == 0))
		store_next(state->policy, planned);
	state->next_run = planned;
	return due;
}

/*
 * When the policy wants to run. Who failed waits for its retry, though a planned time
 * comes meanwhile.
 */
static TimestampTz
find_due_at(State *state, TimestampTz now)
{
	bool		due = planned_is_due(state, now);

	if (state->retry_at != 0)
		return state->retry_at;
	if (state->unfinished != 0)
		return Min(state->unfinished, now);
	return due ? Min(state->next_run, now) : Max(state->next_run, now + 1);
}

typedef struct Look
{
	State	   *state;
	TimestampTz now;
} Look;

static void
look(void *arg)
{
	Look	   *one = arg;

	one->state->due_at = find_due_at(one->state, one->now);
}

/* The same, of a policy that must not keep others from being looked at. */
static void
look_safely(State *state, TimestampTz now, MemoryContext scratch)
{
	Look		one = {state, now};
	ErrorData  *error = steward_attempt(look, &one, scratch);

	if (error == NULL)
		return;
	state->due_at = DT_NOEND;
	/* Not again before its retry. */
	if (state->retry_at != 0 && state->retry_at > now)
		state->due_at = state->retry_at;
	else
		steward_due_failed(state->policy, false, error);
	FreeErrorData(error);
}

static int
compare_due(const ListCell *left, const ListCell *right)
{
	const State *one = lfirst(left);
	const State *other = lfirst(right);

	if (one->due_at != other->due_at)
		return one->due_at < other->due_at ? -1 : 1;
	return strcmp(one->policy, other->policy);
}

static List *
read_states(const char *sql, int count, Oid *types, Datum *values)
{
	List	   *states = NIL;

	steward_policy_sql(sql, SPI_OK_SELECT, count, types, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
		states = lappend(states, read_state(i));
	SPI_freetuptable(SPI_tuptable);
	return states;
}

List *
steward_due_find(TimestampTz *next)
{
	TimestampTz now = GetCurrentTimestamp();
	List	   *states = read_states(STATES, 0, NULL, NULL);
	List	   *due = NIL;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "retention schedule",
												  ALLOCSET_SMALL_SIZES);
	ListCell   *cell;

	*next = DT_NOEND;
	foreach(cell, states)
	{
		look_safely(lfirst(cell), now, scratch);
	}
	list_sort(states, compare_due);
	foreach(cell, states)
	{
		State	   *state = lfirst(cell);

		if (state->due_at <= now)
			due = lappend(due, state->policy);
		else
			*next = Min(*next, state->due_at);
	}
	MemoryContextDelete(scratch);
	return due;
}

bool
steward_due_exists(void)
{
	bool		exists;

	steward_policy_sql("SELECT FROM steward.policy_definition WHERE schedule IS NOT NULL LIMIT 1",
					   SPI_OK_SELECT, 0, NULL, NULL, NULL);
	exists = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return exists;
}

bool
steward_due_begin(const StewardPolicy *policy, StewardDueRun *run)
{
	TimestampTz now = GetCurrentTimestamp();
	Oid			types[] = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[3] = {CStringGetTextDatum(policy->name)};
	List	   *states = read_states(STATES " AND p.name OPERATOR(pg_catalog.=) $1", 1,
									 types, values);
	State	   *state;
	TimestampTz next;

	if (states == NIL)
		return false;
	state = linitial(states);
	if (find_due_at(state, now) > now)
		return false;

	/*
	 * What it is for: the planned time that has come, else that of the run
	 * before.
	 */
	run->planned = state->last_planned;
	if (state->next_run <= now || run->planned == 0)
		run->planned = Min(state->next_run, now);
	run->retries = state->failures;
	next = plan(state, run->planned, now);
	values[1] = TimestampTzGetDatum(run->planned);
	values[2] = TimestampTzGetDatum(next);
	steward_policy_sql("UPDATE steward.policy_state SET last_planned = $2, next_run = $3,"
					   " retry_at = NULL WHERE policy OPERATOR(pg_catalog.=) $1",
					   SPI_OK_UPDATE, lengthof(types), types, values,
					   next == DT_NOEND ? "  n" : NULL);
	return true;
}
