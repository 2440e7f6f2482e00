/*
 * schedule.h: when a policy is to be run.
 *
 * Pure C without PostgreSQL's headers, so that clocks are tested without a server; the server's side
 * is schedule_zone.h.
 *
 * Terms
 *	 planned	an instant at which the schedule says "run", whole seconds
 *	 anchor		where intervals are counted from: when the schedule was made or changed.
 *				Schedules of cron do not look at it
 *	 missed		a planned instant that passed without a run: the server was down, or
 *				another run took long. Any number of them are made up for by one run,
 *				because what follows is planned from the present
 */
#ifndef STEWARD_RETENTION_SCHEDULE_H
#define STEWARD_RETENTION_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "retention/cron.h"
#include "retention/schedule_text.h"
#include "retention/span.h"
#include "retention/zone.h"

/* A clock put back by more than this was wrong before; by less, it is being corrected. */
#define STEWARD_CLOCK_STEP (INT64_C(24) * 60 * 60)

typedef struct StewardSchedule
{
	bool		is_cron;
	StewardCron cron;			/* if so */
	StewardSpan span;			/* if not */
} StewardSchedule;

/*
 * Reads a schedule: five fields of cron, a name like "@daily", or an interval.
 * False when *fault says what is wrong with it.
 */
extern bool steward_schedule_parse(StewardSchedule *schedule, const char *text,
								   StewardScheduleFault *fault);

/*
 * The first planned instant after another; STEWARD_NEVER when none is in range. A planned local time that
 * is left out is at the instant when clocks are put forward, and one that comes twice is at
 * the first; two that are at the same instant are one.
 */
extern int64_t steward_schedule_next(const StewardSchedule *schedule,
									 const StewardZone *zone,
									 int64_t anchor, int64_t after);

/*
 * What is planned next for a policy that was last run for the planned instant
 * last, or INT64_MIN if it never was. No planned instant is given twice although the clock was put
 * back, unless by so much that last was wrong.
 */
extern int64_t steward_schedule_plan(const StewardSchedule *schedule,
									 const StewardZone *zone, int64_t anchor,
									 int64_t last, int64_t now);

/*
 * Is a run due that had been planned for *planned? If not, corrects *planned when it is
 * later than what would be planned now: the clock was put back, or the rules of the zone
 * changed. A retry after a failure is not planned: see retry.h.
 */
extern bool steward_schedule_due(const StewardSchedule *schedule,
								 const StewardZone *zone, int64_t anchor,
								 int64_t last, int64_t now, int64_t *planned);

#endif							/* STEWARD_RETENTION_SCHEDULE_H */
