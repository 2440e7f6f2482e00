/*
 * turn.c: how a run shares the server with others; see turn.h.
 */
#include "retention/turn.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/duty.h"
#include "retention/load.h"
#include "retention/policy.h"

/* How often the load is looked at. */
#define LOOK_MILLISECONDS 1000

/* What is worth being told to somebody who watches. */
#define TELL_US 100000

void
steward_turn_begin(StewardTurn *turn, StewardRunWatch *watch)
{
	memset(turn, 0, sizeof(*turn));
	turn->watch = watch;
	steward_pace_begin(&turn->pace, &STEWARD_PACE_DEFAULT);
}

bool
steward_turn_gives_way(StewardTurn *turn)
{
	if (turn->watch == NULL || !turn->worked)
		return false;
	if (!turn->gives_way)
		turn->gives_way = steward_duty_must_leave() ||
			GetCurrentTimestamp() >= turn->watch->leave_at ||
			steward_policy_lock_wanted(turn->watch->policy);
	return turn->gives_way;
}

void
steward_turn_go_on(StewardTurn *turn, int64 rows)
{
	if (rows > 0)
		turn->pace.rows = Max(turn->pace.limits.rows_least,
							  Min(rows, turn->pace.limits.rows_most));
}

/* Says in pg_stat_activity what a long sleep is for. */
static void
tell_pause(StewardTurn *turn)
{
	const char *why = "others that hold locks";

	if (turn->watch == NULL || turn->pause_us < TELL_US)
		return;
	if (turn->reasons & STEWARD_PACE_LAG)
		why = "standbys or slots that lag";
	else if (turn->reasons & STEWARD_PACE_WAITERS)
		why = "others that waited for it";
	else if (turn->reasons & STEWARD_PACE_AUTOVACUUM)
		why = "a vacuum of the table";
	else if (turn->reasons & STEWARD_PACE_XMIN)
		why = "an old snapshot";
	steward_duty_show(psprintf("policy \"%s\", pausing for %s", turn->watch->policy, why));
}

void
steward_turn_pause(StewardTurn *turn)
{
	TimestampTz begin;
	TimestampTz end;
	TimestampTz now;

	if (turn->pause_us == 0)
		return;
	tell_pause(turn);
	begin = now = GetCurrentTimestamp();
	end = begin + turn->pause_us;
	/* A clock that is put back must not make it longer. */
	while (now < end && now >= begin && !steward_turn_gives_way(turn))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Max(1, (end - now) / 1000), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		now = GetCurrentTimestamp();
	}
	turn->waited_us += Max(0, now - begin);
	turn->pause_us = 0;
	if (turn->watch != NULL)
		steward_duty_show(psprintf("policy \"%s\", batches", turn->watch->policy));
}

static void
look(StewardTurn *turn, Oid leaf, bool waited)
{
	TimestampTz now = GetCurrentTimestamp();

	if (turn->looked_at == 0 || now < turn->looked_at ||
		TimestampDifferenceExceeds(turn->looked_at, now, LOOK_MILLISECONDS))
	{
		steward_load_look(leaf, &turn->load);
		turn->looked_at = now;
	}
	turn->load.waiters = waited ? 1 : 0;
}

void
steward_turn_done(StewardTurn *turn, Oid leaf, int64 taken, double fanout, int64 took_us,
				  bool waited, bool sized)
{
	turn->worked = true;
	if (sized)
		steward_pace_done(&turn->pace, taken, fanout, took_us);
	else
		turn->pace.took_us = Max(took_us, 0);
	look(turn, leaf, waited);
	turn->pause_us = steward_pace_pause(&turn->pace, &turn->load, &turn->reasons);
}

void
steward_turn_undone(StewardTurn *turn, int64 pause_us)
{
	steward_pace_undone(&turn->pace);
	turn->pause_us = pause_us;
	turn->reasons = 0;
}
