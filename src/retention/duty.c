/*
 * duty.c: runs policies by their schedules, in the background.
 *
 * The lengthy duty runs one policy, then looks again; so policies of a database take turns, and a long
 * run gives way when another policy, or another database, waits. What fails is recorded and tried
 * later; it keeps nobody else waiting. The other duty tells once, after a start of the server, that
 * there is something for the first to do.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/duty.h"
#include "retention/due.h"
#include "retention/partition_parts.h"
#include "retention/retention.h"
#include "retention/run.h"
#include "subjects/hold.h"

/* A policy that somebody runs or changes is looked at again after so long. */
#define BUSY_MILLISECONDS 2000

/*
 * So long a run goes on while other policies of the database wait, and at most: a policy may
 * have been made meanwhile.
 */
#define TURN_MILLISECONDS 10000
#define LONGEST_TURN_MILLISECONDS 60000

/* When the duty wants to be called again; DT_NOEND: when something is due. */
static TimestampTz next_at = DT_NOEND;

/* Names of the policies that are due, in the current context; false without an extension. */
static bool
find_due(List **due, TimestampTz *next)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *found;
	ListCell   *cell;

	if (!steward_duty_begin())
		return false;
	SPI_connect();
	found = steward_due_find(next);
	MemoryContextSwitchTo(caller);
	*due = NIL;
	foreach(cell, found)
	{
		*due = lappend(*due, pstrdup(lfirst(cell)));
	}
	SPI_finish();
	steward_duty_commit();
	MemoryContextSwitchTo(caller);
	return true;
}

/* After the transaction of the run was aborted: records it in another one. */
static void
note_failure(const StewardRunWatch *watch, const ErrorData *error)
{
	if (!steward_duty_begin())
		return;
	SPI_connect();
	steward_due_failed(watch->policy, watch->begun, error);
	SPI_finish();
	steward_duty_commit();
}

static void
run_policy(StewardRunWatch *watch)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		steward_run_scheduled(watch);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		LWLockReleaseAll();
		/* A cancel was for the run. */
		QueryCancelPending = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	/* Advisory locks of the session, which code of the owner may have taken. */
	LockReleaseSession(USER_LOCKMETHOD);
	if (error != NULL)
	{
		note_failure(watch, error);
		MemoryContextSwitchTo(context);
		FreeErrorData(error);
	}
}

/* When a run that begins now is to give way to other policies. */
static TimestampTz
end_of_turn(bool others_due, TimestampTz next)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end = TimestampTzPlusMilliseconds(now, TURN_MILLISECONDS);

	if (others_due)
		return end;
	return Min(Max(next, end), TimestampTzPlusMilliseconds(now, LONGEST_TURN_MILLISECONDS));
}

static void
run_first(List *due, TimestampTz next)
{
	ListCell   *cell;

	foreach(cell, due)
	{
		StewardRunWatch watch = {
			.policy = lfirst(cell),
			.leave_at = end_of_turn(list_length(due) > 1, next)
		};

		CHECK_FOR_INTERRUPTS();
		run_policy(&watch);
		if (!watch.idle)
		{
			next_at = GetCurrentTimestamp();
			return;
		}
	}
	next_at = next;
	if (due != NIL)
		next_at = Min(next, TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
														BUSY_MILLISECONDS));
}

static void
run(void)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "retention duty",
												  ALLOCSET_DEFAULT_SIZES);
	List	   *due;
	TimestampTz next;

	MemoryContextSwitchTo(context);
	next_at = DT_NOEND;
	if (find_due(&due, &next))
		run_first(due, next);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

static long
nap(bool due)
{
	if (due)
		return 0;
	if (next_at == DT_NOEND)
		return -1;
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next_at);
}

/* ---- after a start of the server ---- */

static bool looked = false;

static void
run_look(void)
{
	bool		exists;

	looked = true;
	if (steward_duty_knows_lengthy(MyDatabaseId) || !steward_duty_begin())
		return;
	SPI_connect();
	exists = steward_due_exists();
	SPI_finish();
	steward_duty_commit();
	if (exists)
		steward_duty_due_lengthy(MyDatabaseId);
}

static long
nap_look(bool due)
{
	return looked ? -1 : 0;
}

static const StewardDuty retention_duty = {
	.name = "retention", .lengthy = true, .run = run, .nap = nap
};
static const StewardDuty look_duty = {
	.name = "schedules of retention", .run = run_look, .nap = nap_look
};

void
steward_retention_init(void)
{
	steward_due_init();
	steward_holds_follow(steward_partition_former_parent);
	steward_duty_register(&retention_duty);
	steward_duty_register(&look_duty);
}
