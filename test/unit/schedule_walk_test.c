/*
 * schedule_walk_test.c: hundreds of schedules against clocks that are watched minute by minute.
 *
 * For years in several zones each minute is gone through in order. A schedule has to run
 * at the first minute in which the clocks show one of its local times, or a later time than they
 * had shown before, which is how a daemon that looks at a clock each minute would do it.
 * What the schedules have is drawn by lot here, and written as text for the parser.
 */
#include "retention/schedule.h"

#include "tap.h"
#include "zones.h"

#define SCHEDULES 24
#define ASK_EVERY 997
#define DAY_MINUTES 1440

/* A schedule as it was drawn, and what was said of it. */
typedef struct Drawn
{
	char		text[800];
	StewardSchedule schedule;
	bool		fields[5][64];	/* a field of cron has this number */
	bool		either_day;
	StewardSpan span;
	int64_t		anchor;
	int64_t		target;			/* the local time of an interval's next run */
	int64_t		count;			/* how many intervals from the anchor that is */
	int64_t		said;			/* the next run */
	int64_t		runs;
	bool		wrong;
} Drawn;

static const int least[5] = {0, 0, 1, 1, 0};
static const int most[5] = {59, 23, 31, 12, 7};

static Drawn drawn[SCHEDULES];

static void
append(Drawn *schedule, const char *format, int a, int b, int c)
{
	size_t		len = strlen(schedule->text);

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void) snprintf(schedule->text + len, sizeof schedule->text - len, format, a, b, c);
}

/* One element of a field: a value, a range, or a range with a step. */
static void
draw_element(Drawn *schedule, int field)
{
	int			first = least[field] + any_of(most[field] - least[field] + 1);
	int			last = first;
	int			step = 1;

	switch (any_of(3))
	{
		case 0:
			append(schedule, "%d", first, 0, 0);
			break;
		case 1:
			last = first + any_of(most[field] - first + 1);
			append(schedule, "%d-%d", first, last, 0);
			break;
		case 2:
			last = first + any_of(most[field] - first + 1);
			step = 1 + any_of(9);
			if (step > most[field] - least[field] + 1)
				step = 1;
			append(schedule, "%d-%d/%d", first, last, step);
			break;
	}
	/* As the parser takes it: a range of weekdays that ends with 0 does not occur here but as 0-0. */
	for (int value = first; value <= last; value += step)
		schedule->fields[field][value] = true;
}

static bool
draw_field(Drawn *schedule, int field)
{
	bool		star = any_of(2) == 0;
	int			step = any_of(3) == 0 ? 1 + any_of(most[field] - least[field] + 1) : 1;

	append(schedule, field > 0 ? " " : "", 0, 0, 0);
	if (star)
	{
		append(schedule, step > 1 ? "*/%d" : "*", step, 0, 0);
		for (int value = least[field]; value <= most[field]; value += step)
			schedule->fields[field][value] = true;
	}
	else
	{
		draw_element(schedule, field);
		while (any_of(3) == 0)
		{
			append(schedule, ",", 0, 0, 0);
			draw_element(schedule, field);
		}
	}
	return star;
}

/* Five fields; until the parser takes them, since some dates do not exist. */
static void
draw_cron(Drawn *schedule)
{
	StewardScheduleFault fault;

	do
	{
		bool		stars[5];

		memset(schedule, 0, sizeof *schedule);
		for (int field = 0; field < 5; field++)
			stars[field] = draw_field(schedule, field);
		schedule->either_day = !stars[2] && !stars[4];
		if (schedule->fields[4][7])
			schedule->fields[4][0] = true;
	} while (!steward_schedule_parse(&schedule->schedule, schedule->text, &fault) &&
			 strstr(fault.reason, "only days that no month") != NULL);
	if (fault.position != 0)
		tap_bail(schedule->text);
}

static void
draw_span(Drawn *schedule)
{
	StewardScheduleFault fault;

	memset(schedule, 0, sizeof *schedule);
	switch (any_of(4))
	{
		case 0:
			schedule->span.months = 1 + any_of(5);
			break;
		case 1:
			schedule->span.days = 1 + any_of(40);
			break;
		case 2:
			schedule->span.seconds = (1 + any_of(5000)) * MINUTE;
			break;
		case 3:
			schedule->span = (StewardSpan) {any_of(3), 1 + any_of(10), any_of(100) * MINUTE};
			break;
	}
	append(schedule, "%d months %d days %d minutes", (int) schedule->span.months,
		   (int) schedule->span.days, (int) schedule->span.seconds / MINUTE);
	if (!steward_schedule_parse(&schedule->schedule, schedule->text, &fault))
		tap_bail(schedule->text);
}

/* The next local time of an interval's months and days, a month at a time. */
static void
set_target(Drawn *schedule, int64_t local_anchor)
{
	StewardDate date;
	int			wanted;

	steward_day_to_date(&date, steward_floor_divide(local_anchor, STEWARD_DAY_SECONDS));
	wanted = date.day;
	schedule->count++;
	for (int64_t i = 0; i < schedule->count * schedule->span.months; i++)
	{
		date.month = date.month % 12 + 1;
		date.year += date.month == 1;
	}
	date.day = wanted <= steward_month_length(date.year, date.month) ? wanted :
		steward_month_length(date.year, date.month);
	schedule->target = (steward_date_to_day(&date) + schedule->count * schedule->span.days) *
		STEWARD_DAY_SECONDS + local_anchor % STEWARD_DAY_SECONDS;
}

static void
set_said(Drawn *schedule, const TestZone *zone, int64_t at)
{
	schedule->said = steward_schedule_next(&schedule->schedule, &zone->zone, schedule->anchor, at);
}

static void
complain(Drawn *schedule, const TestZone *zone, int64_t at)
{
	if (!schedule->wrong)
		printf("# \"%s\" in %s: at %lld, said %lld\n", schedule->text, zone->name,
			   (long long) at, (long long) schedule->said);
	schedule->wrong = true;
}

/* At an instant it runs. */
static void
run(Drawn *schedule, const TestZone *zone, int64_t at)
{
	if (schedule->said != at)
		complain(schedule, zone, at);
	schedule->runs++;
	set_said(schedule, zone, at);
}

static bool
is_day(const Drawn *schedule, const StewardDate *date, int weekday)
{
	bool		of_month = schedule->fields[2][date->day];
	bool		of_week = schedule->fields[4][weekday];

	return schedule->fields[3][date->month] &&
		(schedule->either_day ? of_month || of_week : of_month && of_week);
}

/* Clocks came to show minutes after shown, up to now. */
static void
watch_cron(Drawn *schedule, const TestZone *zone, int64_t shown, int64_t now, int64_t at)
{
	static StewardDate date;
	static int64_t day = INT64_MIN;
	static int	weekday;

	for (int64_t minute = shown + 1; minute <= now; minute++)
	{
		int			of_day;

		if (steward_floor_divide(minute, DAY_MINUTES) != day)
		{
			day = steward_floor_divide(minute, DAY_MINUTES);
			steward_day_to_date(&date, day);
			weekday = steward_day_of_week(day);
		}
		of_day = (int) (minute - day * DAY_MINUTES);
		if (schedule->fields[0][of_day % 60] && schedule->fields[1][of_day / 60] &&
			is_day(schedule, &date, weekday))
		{
			run(schedule, zone, at);
			return;
		}
	}
}

/*
 * The walk. The offset is looked up in the zone's table as it goes, not by the functions
 * that are tested.
 */
static void
walk(const TestZone *zone, int64_t from, int64_t upto)
{
	int			change = 0;
	int32_t		offset = zone->before;
	int64_t		shown = from / MINUTE;
	int64_t		cron_runs = 0;
	bool		wrong = false;

	for (int i = 0; i < SCHEDULES; i++)
	{
		draw_cron(&drawn[i]);
		set_said(&drawn[i], zone, from);
	}
	/* Up to here clocks have not been put back. */
	shown += offset / MINUTE;
	for (int64_t at = from + MINUTE; at < upto; at += MINUTE)
	{
		int64_t		now;

		while (change < zone->count && zone->changes[change].at <= at)
			offset = zone->changes[change++].offset;
		now = (at + offset) / MINUTE;
		for (int i = 0; i < SCHEDULES; i++)
		{
			if (now > shown)
				watch_cron(&drawn[i], zone, shown, now, at);
			if ((at / MINUTE + i) % ASK_EVERY == 0)
			{
				int64_t		before = drawn[i].said;

				set_said(&drawn[i], zone, at + any_of(MINUTE));
				if (drawn[i].said != before)
					complain(&drawn[i], zone, at);
			}
		}
		shown = now > shown ? now : shown;
	}
	for (int i = 0; i < SCHEDULES; i++)
	{
		wrong = wrong || drawn[i].wrong || drawn[i].said < upto - MINUTE;
		cron_runs += drawn[i].runs;
	}
	tap_ok(!wrong && cron_runs > 1000, "schedules of cron in %s are as a clock shows them: %lld runs",
		   zone->name, (long long) cron_runs);
}

/* Likewise for one interval, whose seconds are added to when its local time is shown. */
static bool
walk_span(Drawn *schedule, const TestZone *zone, int64_t from, int64_t upto)
{
	int			change = 0;
	int32_t		offset = zone->before;
	int64_t		local_anchor = from + offset;

	schedule->anchor = from;
	set_target(schedule, local_anchor);
	set_said(schedule, zone, from);
	for (int64_t at = from + MINUTE; at < upto; at += MINUTE)
	{
		int64_t		last = INT64_MIN;

		while (change < zone->count && zone->changes[change].at <= at)
			offset = zone->changes[change++].offset;
		while (at + offset >= schedule->target)
		{
			int64_t		due = at + schedule->count * schedule->span.seconds;

			/* Two that are at one instant are one run. */
			if (due > last)
				run(schedule, zone, due);
			last = due;
			set_target(schedule, local_anchor);
		}
	}
	return !schedule->wrong && schedule->runs > 0;
}

static void
walk_spans(const TestZone *zone, int64_t from, int64_t upto)
{
	bool		passed = true;
	int64_t		runs = 0;

	for (int i = 0; i < SCHEDULES; i++)
	{
		draw_span(&drawn[i]);
		/* Time that passes is counted, and needs no watching. */
		if (drawn[i].span.months == 0 && drawn[i].span.days == 0)
		{
			drawn[i].anchor = from;
			set_said(&drawn[i], zone, from);
			for (int64_t at = from + drawn[i].span.seconds; at < upto; at += drawn[i].span.seconds)
				run(&drawn[i], zone, at);
			passed = passed && !drawn[i].wrong;
		}
		else
			passed = walk_span(&drawn[i], zone, from + any_of(DAY_MINUTES) * MINUTE, upto) && passed;
		runs += drawn[i].runs;
	}
	tap_ok(passed, "intervals in %s are as a clock shows them: %lld runs", zone->name, (long long) runs);
}

static void
walk_zone(void make(TestZone *), int64_t year, int years)
{
	TestZone	zone;
	int64_t		from = moment(year, 1, 1, 0, 0);
	int64_t		upto = moment(year + years, 1, 1, 0, 0);
	int			kept = 0;

	make(&zone);
	/* What changed before is not walked through. */
	for (int i = 0; i < zone.count; i++)
	{
		if (zone.changes[i].at <= from)
			zone.before = zone.changes[i].offset;
		else
			zone.changes[kept++] = zone.changes[i];
	}
	zone.count = kept;
	walk(&zone, from, upto);
	walk_spans(&zone, from, upto);
}

static void
make_wild(TestZone *zone)
{
	zone_wild(zone, moment(2020, 1, 20, 0, 0));
}

int
main(void)
{
	tap_begin();
	walk_zone(zone_berlin, 2023, 2);
	walk_zone(zone_new_york, 2027, 2);
	walk_zone(zone_lord_howe, 2015, 2);
	walk_zone(zone_sao_paulo, 2015, 2);
	walk_zone(zone_apia, 2011, 2);
	walk_zone(zone_casablanca, 2024, 2);
	for (int i = 0; i < 4; i++)
		walk_zone(make_wild, 2020, 2);
	return tap_end();
}
