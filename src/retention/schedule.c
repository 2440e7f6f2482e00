/*
 * schedule.c: when a policy is to be run; see schedule.h.
 */
#include "retention/schedule.h"

#include <stddef.h>
#include <string.h>

/* An interval begins with a number and a word or a colon; cron's first field has neither. */
static bool
is_interval(StewardScheduleText text)
{
	int			number;

	if (steward_schedule_text_end(&text) || !steward_schedule_text_number(&text, &number))
		return false;
	if (*text.at == ':' || *text.at == '.')
		return true;
	return !steward_schedule_text_end(&text) &&
		((*text.at >= 'a' && *text.at <= 'z') || (*text.at >= 'A' && *text.at <= 'Z'));
}

bool
steward_schedule_parse(StewardSchedule *schedule, const char *text,
					   StewardScheduleFault *fault)
{
	StewardScheduleText reader = {text, text, fault};

	memset(schedule, 0, sizeof *schedule);
	memset(fault, 0, sizeof *fault);
	if (steward_schedule_text_end(&reader))
		return steward_schedule_text_fault(&reader, reader.at, "the schedule ends: it is empty.");
	schedule->is_cron = !is_interval(reader);
	return schedule->is_cron ? steward_cron_parse(&schedule->cron, &reader)
		: steward_span_parse(&schedule->span, &reader);
}

int64_t
steward_schedule_next(const StewardSchedule *schedule, const StewardZone *zone,
					  int64_t anchor, int64_t after)
{
	int64_t		local;
	int64_t		next;

	if (after < STEWARD_INSTANT_MIN)
		after = STEWARD_INSTANT_MIN;
	if (after >= STEWARD_INSTANT_END)
		return STEWARD_NEVER;
	if (!schedule->is_cron)
		return steward_span_next(&schedule->span, zone, anchor, after);

	/* Exactly the local times after this one are at instants after that one. */
	local = steward_cron_next(&schedule->cron, steward_zone_latest(zone, after));
	if (local == INT64_MAX)
		return STEWARD_NEVER;
	next = steward_zone_instant(zone, local);
	return next < STEWARD_INSTANT_END ? next : STEWARD_NEVER;
}

int64_t
steward_schedule_plan(const StewardSchedule *schedule, const StewardZone *zone,
					  int64_t anchor, int64_t last, int64_t now)
{
	bool		follow = last > now && last - now <= STEWARD_CLOCK_STEP;

	return steward_schedule_next(schedule, zone, anchor, follow ? last : now);
}

bool
steward_schedule_due(const StewardSchedule *schedule, const StewardZone *zone,
					 int64_t anchor, int64_t last, int64_t now, int64_t *planned)
{
	int64_t		right;

	if (*planned <= now)
		return true;
	right = steward_schedule_plan(schedule, zone, anchor, last, now);
	if (*planned > right)
		*planned = right;
	return false;
}
