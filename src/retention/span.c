/*
 * span.c: intervals between runs; see span.h.
 *
 * Instants a whole number of spans from an anchor never go back as that number grows, so the
 * number that is looked for is found by halving.
 */
#include "retention/span.h"

#include <stddef.h>
#include <string.h>

#include "retention/calendar.h"

#define MINUTE INT64_C(60)
#define HOUR INT64_C(3600)
#define CENTURY_MONTHS 1200
#define CENTURY_DAYS 36525
#define CENTURY_SECONDS (CENTURY_DAYS * STEWARD_DAY_SECONDS)

/* No instant is so far from another: a multiple that leaves this is out of range. */
#define RANGE_SECONDS (STEWARD_INSTANT_END - STEWARD_INSTANT_MIN)
#define RANGE_DAYS (RANGE_SECONDS / STEWARD_DAY_SECONDS)
#define RANGE_MONTHS (RANGE_DAYS / 28)

/* What one of a unit is. */
static const struct Unit
{
	const char *word;
	StewardSpan span;
}			units[] = {
	{"sec", {0, 0, 1}}, {"secs", {0, 0, 1}},
	{"second", {0, 0, 1}}, {"seconds", {0, 0, 1}},
	{"min", {0, 0, MINUTE}}, {"mins", {0, 0, MINUTE}},
	{"minute", {0, 0, MINUTE}}, {"minutes", {0, 0, MINUTE}},
	{"hour", {0, 0, HOUR}}, {"hours", {0, 0, HOUR}},
	{"day", {0, 1, 0}}, {"days", {0, 1, 0}},
	{"week", {0, 7, 0}}, {"weeks", {0, 7, 0}},
	{"mon", {1, 0, 0}}, {"mons", {1, 0, 0}},
	{"month", {1, 0, 0}}, {"months", {1, 0, 0}},
	{"year", {12, 0, 0}}, {"years", {12, 0, 0}}
};

#define UNIT_COUNT ((int) (sizeof units / sizeof units[0]))

static const StewardSpan *
parse_unit(StewardScheduleText *text)
{
	for (int i = 0; i < UNIT_COUNT; i++)
	{
		if (steward_schedule_text_word(text, &units[i].word, 1) == 0)
			return &units[i].span;
	}
	return NULL;
}

/* Adds so many of a unit; false when that is too much. */
static bool
add_units(StewardSpan *span, int number, const StewardSpan *unit)
{
	span->months += number * unit->months;
	span->days += number * unit->days;
	span->seconds += number * unit->seconds;
	return span->months <= CENTURY_MONTHS && span->days <= CENTURY_DAYS &&
		span->seconds <= CENTURY_SECONDS;
}

/* The rest of "hours:minutes" or "hours:minutes:seconds", from the first colon on. */
static bool
parse_clock(StewardScheduleText *text, int hours, StewardSpan *time)
{
	int64_t		unit = HOUR;

	*time = (StewardSpan)
	{
		0, 0, hours * HOUR
	};
	while (*text->at == ':' && unit > 1)
	{
		const char *from = ++text->at;
		int			number;

		unit /= 60;
		if (!steward_schedule_text_number(text, &number) || text->at - from != 2 ||
			number > 59)
			return steward_schedule_text_fault(text, from,
											   "minutes and seconds are two digits, from 00 to 59.");
		time->seconds += number * unit;
	}
	return true;
}

/* One part: a number and its unit, or a time as clocks show it. */
static bool
parse_part(StewardScheduleText *text, StewardSpan *span)
{
	const char *from = text->at;
	StewardSpan clock;
	const StewardSpan *unit = &clock;
	int			number;

	if (!steward_schedule_text_number(text, &number))
		return steward_schedule_text_fault(text, from,
										   "there is no number: an interval is whole numbers and their units.");
	if (*text->at == ':')
	{
		if (!parse_clock(text, number, &clock))
			return false;
		number = 1;
	}
	else
	{
		(void) steward_schedule_text_end(text);
		unit = parse_unit(text);
		if (unit == NULL)
			return steward_schedule_text_fault(text, text->at,
											   "there is no unit: seconds, minutes, hours, days, weeks, months or years.");
	}
	if (!steward_schedule_text_gap(text->at) && (*text->at < '0' || *text->at > '9'))
		return steward_schedule_text_fault(text, text->at,
										   "the interval has something that does not belong there.");
	if (!add_units(span, number, unit))
		return steward_schedule_text_fault(text, from,
										   "the interval becomes longer than a hundred years.");
	return true;
}

bool
steward_span_parse(StewardSpan *span, StewardScheduleText *text)
{
	const char *from = text->at;

	memset(span, 0, sizeof *span);
	while (!steward_schedule_text_end(text))
	{
		if (!parse_part(text, span))
			return false;
	}
	if (span->months == 0 && span->days == 0 && span->seconds == 0)
		return steward_schedule_text_fault(text, from,
										   "the interval has no length.");
	return true;
}

/* Would so many times an amount leave the range of instants? */
static bool
is_far(int64_t amount, int64_t count, int64_t range)
{
	return amount > 0 && (count > range / amount || count < -(range / amount));
}

/*
 * The instant that is a number of spans from an anchor; what is out of range is
 * STEWARD_NEVER, or INT64_MIN.
 */
static int64_t
span_instant(const StewardSpan *span, const StewardZone *zone, int64_t anchor,
			 int64_t count)
{
	int64_t		instant = anchor;

	if (is_far(span->months, count, RANGE_MONTHS) ||
		is_far(span->days, count, RANGE_DAYS) ||
		is_far(span->seconds, count, RANGE_SECONDS))
		return count > 0 ? STEWARD_NEVER : INT64_MIN;
	if (span->months > 0 || span->days > 0)
	{
		int64_t		local = steward_zone_local(zone, anchor);
		int64_t		day = steward_floor_divide(local, STEWARD_DAY_SECONDS);
		StewardDate date;

		local -= day * STEWARD_DAY_SECONDS;
		steward_day_to_date(&date, day);
		steward_date_add_months(&date, count * span->months);
		day = steward_date_to_day(&date) + count * span->days;
		instant = day * STEWARD_DAY_SECONDS + local;
		/* A zone is not asked about what is far out of range. */
		if (instant > STEWARD_INSTANT_END + STEWARD_DAY_SECONDS * 8)
			return STEWARD_NEVER;
		if (instant < STEWARD_INSTANT_MIN - STEWARD_DAY_SECONDS * 8)
			return INT64_MIN;
		instant = steward_zone_instant(zone, instant);
	}
	instant += count * span->seconds;
	return instant < STEWARD_INSTANT_MIN ? INT64_MIN :
		instant < STEWARD_INSTANT_END ? instant : STEWARD_NEVER;
}

int64_t
steward_span_next(const StewardSpan *span, const StewardZone *zone,
				  int64_t anchor, int64_t after)
{
	int64_t		low = -1;
	int64_t		high = 1;

	/* Invariants: low spans are at or before after; high spans are later. */
	while (span_instant(span, zone, anchor, low) > after)
		low *= 2;
	while (span_instant(span, zone, anchor, high) <= after)
		high *= 2;
	while (high - low > 1)
	{
		int64_t		middle = low + (high - low) / 2;

		if (span_instant(span, zone, anchor, middle) > after)
			high = middle;
		else
			low = middle;
	}
	return span_instant(span, zone, anchor, high);
}
