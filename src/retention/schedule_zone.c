/*
 * schedule_zone.c: schedules in the server's time zones, and steward.next_runs; see
 * schedule_zone.h.
 */
#include "retention/schedule_zone.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/argument.h"
#include "retention/calendar.h"

/* Seconds from 1970 to 2000, where timestamps begin. */
#define EPOCH ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

StaticAssertDecl(STEWARD_INSTANT_MIN == (DATETIME_MIN_JULIAN - UNIX_EPOCH_JDATE) * INT64CONST(86400),
				 "the first instant is the first timestamp");
StaticAssertDecl(STEWARD_INSTANT_END == (TIMESTAMP_END_JULIAN - UNIX_EPOCH_JDATE) * INT64CONST(86400),
				 "the last instant is before the end of timestamps");

/* See StewardZone. */
static int32_t
zone_offset(const StewardZone *zone, int64_t instant, int64_t *until)
{
	const pg_tz *tz = zone->data;
	pg_time_t	time = instant;
	pg_time_t	boundary;
	long		before_offset;
	long		after_offset;
	int			before_is_dst;
	int			after_is_dst;
	struct pg_tm *local = pg_localtime(&time, tz);

	if (local == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	*until = STEWARD_NEVER;
	if (pg_next_dst_boundary(&time, &before_offset, &before_is_dst, &boundary,
							 &after_offset, &after_is_dst, tz) == 1 &&
		boundary > time)
		*until = boundary;
	return (int32_t) local->tm_gmtoff;
}

pg_tz *
steward_time_zone(const char *name)
{
	pg_tz	   *tz;

	if (name == NULL)
		return session_timezone;
	tz = pg_tzset(name);
	if (tz == NULL || !pg_tz_acceptable(tz))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", name),
				 errhint("Use a name from pg_timezone_names, for example Europe/Berlin.")));
	return tz;
}

void
steward_schedule_zone(StewardZone *zone, const char *name)
{
	zone->offset = zone_offset;
	zone->data = steward_time_zone(name);
}

void
steward_schedule_read(StewardSchedule *schedule, const char *text)
{
	StewardScheduleFault fault = {0};

	if (!steward_schedule_parse(schedule, text, &fault))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid schedule \"%s\"", text),
				 errdetail("%s", fault.reason),
				 errhint("Give the five fields of cron, as in '30 3 * * mon-fri', or an interval, as in '6 hours'.")));
}

/* The instant of a moment, rounded down; an infinite one is beyond all instants. */
static int64_t
to_instant(TimestampTz moment)
{
	if (TIMESTAMP_IS_NOEND(moment))
		return STEWARD_NEVER;
	if (TIMESTAMP_IS_NOBEGIN(moment))
		return INT64_MIN;
	return steward_floor_divide(moment, USECS_PER_SEC) + EPOCH;
}

static TimestampTz
to_moment(int64_t instant)
{
	if (instant == STEWARD_NEVER)
		return DT_NOEND;
	return (instant - EPOCH) * USECS_PER_SEC;
}

TimestampTz
steward_schedule_next_run(const char *schedule, const char *time_zone,
						  TimestampTz anchor, TimestampTz after)
{
	StewardSchedule parsed;
	StewardZone zone;

	steward_schedule_read(&parsed, schedule);
	steward_schedule_zone(&zone, time_zone);
	return to_moment(steward_schedule_next(&parsed, &zone, to_instant(anchor),
										   to_instant(after)));
}

TimestampTz
steward_schedule_plan_run(const char *schedule, const char *time_zone,
						  TimestampTz anchor, TimestampTz last, TimestampTz now)
{
	StewardSchedule parsed;
	StewardZone zone;

	steward_schedule_read(&parsed, schedule);
	steward_schedule_zone(&zone, time_zone);
	return to_moment(steward_schedule_plan(&parsed, &zone, to_instant(anchor),
										   to_instant(last), to_instant(now)));
}

bool
steward_schedule_run_due(const char *schedule, const char *time_zone,
						 TimestampTz anchor, TimestampTz last, TimestampTz now,
						 TimestampTz *planned)
{
	StewardSchedule parsed;
	StewardZone zone;
	int64_t		instant = to_instant(*planned);

	steward_schedule_read(&parsed, schedule);
	steward_schedule_zone(&zone, time_zone);
	if (steward_schedule_due(&parsed, &zone, to_instant(anchor), to_instant(last),
							 to_instant(now), &instant))
		return true;
	*planned = to_moment(instant);
	return false;
}

/* What a call of steward.next_runs keeps between its rows. */
typedef struct NextRuns
{
	StewardSchedule schedule;
	StewardZone zone;
	int64_t		anchor;
	int64_t		after;
	int			left;			/* rows to be given yet */
} NextRuns;

static void
begin_next_runs(FunctionCallInfo fcinfo, NextRuns *runs)
{
	TimestampTz after;

	steward_require_argument(fcinfo, 2, "after");
	steward_require_argument(fcinfo, 3, "count");
	after = PG_GETARG_TIMESTAMPTZ(2);
	runs->left = PG_GETARG_INT32(3);
	if (runs->left < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"count\" must not be negative")));
	if (TIMESTAMP_NOT_FINITE(after))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"after\" must be finite")));
	steward_schedule_zone(&runs->zone, PG_ARGISNULL(1) ? NULL :
						  text_to_cstring(PG_GETARG_TEXT_PP(1)));
	/* Without a schedule there are no runs but those that are asked for. */
	if (PG_ARGISNULL(0))
		runs->left = 0;
	else
		steward_schedule_read(&runs->schedule, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	runs->anchor = runs->after = to_instant(after);
}

STEWARD_FUNCTION(steward_next_runs)
{
	FuncCallContext *context;
	NextRuns   *runs;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext caller;

		context = SRF_FIRSTCALL_INIT();
		caller = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		context->user_fctx = palloc0(sizeof(NextRuns));
		begin_next_runs(fcinfo, context->user_fctx);
		MemoryContextSwitchTo(caller);
	}
	context = SRF_PERCALL_SETUP();
	runs = context->user_fctx;
	if (runs->left > 0)
	{
		runs->left--;
		runs->after = steward_schedule_next(&runs->schedule, &runs->zone,
											runs->anchor, runs->after);
		if (runs->after != STEWARD_NEVER)
			SRF_RETURN_NEXT(context, TimestampTzGetDatum(to_moment(runs->after)));
	}
	SRF_RETURN_DONE(context);
}
