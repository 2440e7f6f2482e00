/*
 * schedule_test.c: when it is run, where clocks are put forward and back: known
 * cases, by hand. schedule_walk_test.c compares with clocks that are watched minute by minute.
 */
#include "retention/schedule.h"

#include "tap.h"
#include "zones.h"

static TestZone zone;

static StewardSchedule
schedule_of(const char *text)
{
	StewardSchedule schedule;
	StewardScheduleFault fault;

	if (!steward_schedule_parse(&schedule, text, &fault))
		tap_bail(fault.reason);
	return schedule;
}

/* The instants that follow a moment, which intervals are counted from, are these, then 0. */
static void
check_after(const char *text, int64_t after, const int64_t *expected)
{
	StewardSchedule schedule = schedule_of(text);
	int64_t		at = after;
	bool		passed = true;
	int			i;

	for (i = 0; passed && expected[i] != 0; i++)
	{
		at = steward_schedule_next(&schedule, &zone.zone, after, at);
		passed = at == expected[i];
	}
	tap_ok(passed, "\"%s\" in %s runs when it should after %lld", text, zone.name, (long long) after);
	if (!passed)
		printf("# run %d: got %lld, expected %lld\n", i, (long long) at, (long long) expected[i - 1]);
}

#define CHECK(text, after, ...) check_after(text, after, (const int64_t[]) {__VA_ARGS__, 0})

/* In UTC, there is nothing but the calendar. */
static void
test_calendar(void)
{
	zone_utc(&zone);
	CHECK("0 0 29 2 *", moment(1896, 3, 1, 0, 0), moment(1904, 2, 29, 0, 0), moment(1908, 2, 29, 0, 0));
	CHECK("0 0 29 2 *", moment(1999, 1, 1, 0, 0), moment(2000, 2, 29, 0, 0), moment(2004, 2, 29, 0, 0));
	CHECK("0 0 29 2 *", moment(2096, 2, 29, 0, 0), moment(2104, 2, 29, 0, 0));
	/* Sundays that are 29 February, 40 years apart. */
	CHECK("0 0 29 2 */7", moment(1880, 2, 29, 0, 0), moment(1920, 2, 29, 0, 0), moment(1948, 2, 29, 0, 0));
	CHECK("30 23 31 * *", moment(2023, 10, 31, 23, 30), moment(2023, 12, 31, 23, 30),
		  moment(2024, 1, 31, 23, 30), moment(2024, 3, 31, 23, 30));
	CHECK("59 23 28-31 2 *", moment(2023, 2, 28, 23, 59), moment(2024, 2, 28, 23, 59),
		  moment(2024, 2, 29, 23, 59), moment(2025, 2, 28, 23, 59));
	/* Either the 13th or a Friday; both. */
	CHECK("0 0 13 * fri", moment(2024, 9, 6, 0, 0), moment(2024, 9, 13, 0, 0), moment(2024, 9, 20, 0, 0),
		  moment(2024, 9, 27, 0, 0), moment(2024, 10, 4, 0, 0), moment(2024, 10, 11, 0, 0),
		  moment(2024, 10, 13, 0, 0));
	CHECK("0 0 */31 * fri", moment(2024, 1, 1, 0, 0), moment(2024, 3, 1, 0, 0), moment(2024, 11, 1, 0, 0));
	/* After, not at; seconds before it count. */
	CHECK("0 0 * * *", moment(2024, 1, 1, 0, 0) - 1, moment(2024, 1, 1, 0, 0));
	CHECK("0 0 * * *", moment(2024, 1, 1, 0, 0), moment(2024, 1, 2, 0, 0));
	CHECK("* * * * *", moment(2024, 1, 1, 0, 0) + 59, moment(2024, 1, 1, 0, 1));
	CHECK("59 23 31 12 *", moment(1969, 12, 31, 23, 58), moment(1969, 12, 31, 23, 59));
	CHECK("@weekly", moment(2024, 2, 28, 0, 0), moment(2024, 3, 3, 0, 0), moment(2024, 3, 10, 0, 0));
}

static void
test_berlin(void)
{
	zone_berlin(&zone);
	/* 31 March 2024, 02:00 becomes 03:00, which is 01:00 in UTC. */
	CHECK("30 2 * * *", moment(2024, 3, 30, 1, 29), moment(2024, 3, 30, 1, 30), moment(2024, 3, 31, 1, 0),
		  moment(2024, 4, 1, 0, 30));
	CHECK("0,30 2,3 * * *", moment(2024, 3, 31, 0, 59), moment(2024, 3, 31, 1, 0), moment(2024, 3, 31, 1, 30),
		  moment(2024, 4, 1, 0, 0));
	CHECK("30 1,3 31 3 *", moment(2024, 3, 31, 0, 0), moment(2024, 3, 31, 0, 30), moment(2024, 3, 31, 1, 30),
		  moment(2025, 3, 30, 23, 30));
	/* 27 October 2024, 03:00 becomes 02:00, at 01:00 in UTC. */
	CHECK("30 2 * * *", moment(2024, 10, 26, 0, 30), moment(2024, 10, 27, 0, 30), moment(2024, 10, 28, 1, 30));
	CHECK("*/30 * * * *", moment(2024, 10, 26, 23, 59), moment(2024, 10, 27, 0, 0), moment(2024, 10, 27, 0, 30),
		  moment(2024, 10, 27, 2, 0), moment(2024, 10, 27, 2, 30));
	/* From the second 02:10 on, 02:30 has been. */
	CHECK("30 2 * * *", moment(2024, 10, 27, 1, 10), moment(2024, 10, 28, 1, 30));
	CHECK("0 3 * * *", moment(2024, 10, 27, 1, 10), moment(2024, 10, 27, 2, 0));
}

static void
test_elsewhere(void)
{
	zone_new_york(&zone);
	CHECK("30 2 * * sun", moment(2024, 3, 4, 0, 0), moment(2024, 3, 10, 7, 0), moment(2024, 3, 17, 6, 30));
	CHECK("30 1 * * sun", moment(2024, 10, 28, 0, 0), moment(2024, 11, 3, 5, 30), moment(2024, 11, 10, 6, 30));
	zone_lord_howe(&zone);
	/* 02:00 becomes 02:30, on 6 October 2024 there; 02:00 becomes 01:30 on 7 April. */
	CHECK("15 2 * * *", moment(2024, 10, 4, 16, 0), moment(2024, 10, 5, 15, 30), moment(2024, 10, 6, 15, 15));
	CHECK("45 1 * * *", moment(2024, 4, 6, 0, 0), moment(2024, 4, 6, 14, 45), moment(2024, 4, 7, 15, 15));
	CHECK("15 1 * * *", moment(2024, 4, 6, 0, 0), moment(2024, 4, 6, 14, 15), moment(2024, 4, 7, 14, 45));
	zone_sao_paulo(&zone);
	/* 16 October 2016 began at 01:00; 18 February 2017 had 23:00 twice. */
	CHECK("0 0 * * *", moment(2016, 10, 15, 3, 0), moment(2016, 10, 16, 3, 0), moment(2016, 10, 17, 2, 0));
	CHECK("@weekly", moment(2016, 10, 10, 3, 0), moment(2016, 10, 16, 3, 0), moment(2016, 10, 23, 2, 0));
	CHECK("30 23 * * *", moment(2017, 2, 18, 2, 0), moment(2017, 2, 19, 1, 30), moment(2017, 2, 20, 2, 30));
	CHECK("0 0 * * *", moment(2017, 2, 18, 2, 0), moment(2017, 2, 19, 3, 0), moment(2017, 2, 20, 3, 0));
	zone_casablanca(&zone);
	CHECK("30 2 * * *", moment(2024, 3, 9, 12, 0), moment(2024, 3, 10, 1, 30), moment(2024, 3, 11, 2, 30));
	CHECK("30 2 * * *", moment(2024, 4, 13, 12, 0), moment(2024, 4, 14, 2, 0), moment(2024, 4, 15, 1, 30));
	zone_apia(&zone);
	/* After 29 December 2011 came 31 December. */
	CHECK("0 12 * * *", moment(2011, 12, 29, 0, 0), moment(2011, 12, 29, 22, 0), moment(2011, 12, 30, 10, 0),
		  moment(2011, 12, 30, 22, 0), moment(2011, 12, 31, 22, 0));
	CHECK("0 0 30,31 12 *", moment(2011, 12, 29, 0, 0), moment(2011, 12, 30, 10, 0), moment(2012, 12, 29, 10, 0));
}

static void
test_spans(void)
{
	zone_utc(&zone);
	CHECK("6 hours", moment(2024, 1, 1, 1, 2), moment(2024, 1, 1, 7, 2), moment(2024, 1, 1, 13, 2));
	/* Counted from the anchor: a short month moves one run, not those after it. */
	CHECK("1 month", moment(2024, 1, 31, 5, 0), moment(2024, 2, 29, 5, 0), moment(2024, 3, 31, 5, 0),
		  moment(2024, 4, 30, 5, 0), moment(2024, 5, 31, 5, 0));
	CHECK("1 year", moment(2024, 2, 29, 0, 0), moment(2025, 2, 28, 0, 0), moment(2026, 2, 28, 0, 0),
		  moment(2027, 2, 28, 0, 0), moment(2028, 2, 29, 0, 0));
	CHECK("1 month 1 day 1 hour", moment(2024, 1, 31, 5, 0), moment(2024, 3, 1, 6, 0), moment(2024, 4, 2, 7, 0));
	zone_berlin(&zone);
	CHECK("1 day", moment(2024, 3, 30, 1, 30), moment(2024, 3, 31, 1, 0), moment(2024, 4, 1, 0, 30));
	CHECK("1 week", moment(2024, 10, 20, 0, 30), moment(2024, 10, 27, 0, 30), moment(2024, 11, 3, 1, 30));
	CHECK("24 hours", moment(2024, 3, 30, 1, 30), moment(2024, 3, 31, 1, 30), moment(2024, 4, 1, 1, 30));
	CHECK("20 minutes", moment(2024, 10, 27, 0, 30), moment(2024, 10, 27, 0, 50), moment(2024, 10, 27, 1, 10));
	CHECK("1 day 12 hours", moment(2024, 3, 30, 1, 30), moment(2024, 3, 31, 13, 0), moment(2024, 4, 2, 0, 30));
	zone_apia(&zone);
	CHECK("1 day", moment(2011, 12, 28, 22, 0), moment(2011, 12, 29, 22, 0), moment(2011, 12, 30, 10, 0),
		  moment(2011, 12, 30, 22, 0));
}

/* Where intervals are counted from does not matter before it either. */
static void
test_anchor(void)
{
	StewardSchedule day = schedule_of("1 day");
	StewardSchedule hours = schedule_of("5 hours");
	int64_t		anchor = moment(2024, 6, 1, 7, 30);

	zone_berlin(&zone);
	tap_ok(steward_schedule_next(&day, &zone.zone, anchor, moment(2024, 1, 1, 0, 0)) == moment(2024, 1, 1, 8, 30),
		   "an interval of days goes on before its anchor");
	tap_ok(steward_schedule_next(&hours, &zone.zone, anchor, anchor - 11 * HOUR) == anchor - 10 * HOUR,
		   "an interval of hours goes on before its anchor");
	tap_ok(steward_schedule_next(&hours, &zone.zone, anchor, anchor - 1) == anchor,
		   "the anchor itself is a whole number of intervals from it");
	tap_ok(steward_schedule_next(&hours, &zone.zone, anchor, moment(2200, 1, 1, 0, 0)) ==
		   anchor + (moment(2200, 1, 1, 0, 0) - anchor) / (5 * HOUR) * 5 * HOUR + 5 * HOUR,
		   "many intervals are found at once");
}

static void
check_range(const char *text)
{
	StewardSchedule schedule = schedule_of(text);
	int64_t		last = STEWARD_INSTANT_END - 1;
	int64_t		first;

	tap_ok(steward_schedule_next(&schedule, &zone.zone, 0, last) == STEWARD_NEVER &&
		   steward_schedule_next(&schedule, &zone.zone, last, last) == STEWARD_NEVER &&
		   steward_schedule_next(&schedule, &zone.zone, STEWARD_INSTANT_MIN, last) == STEWARD_NEVER &&
		   steward_schedule_next(&schedule, &zone.zone, 0, STEWARD_NEVER) == STEWARD_NEVER,
		   "\"%s\" is never after the end of time", text);
	first = steward_schedule_next(&schedule, &zone.zone, 0, INT64_MIN);
	tap_ok(first > STEWARD_INSTANT_MIN && first < STEWARD_INSTANT_MIN + 102 * 366 * STEWARD_DAY_SECONDS &&
		   steward_schedule_next(&schedule, &zone.zone, last, STEWARD_INSTANT_MIN) > STEWARD_INSTANT_MIN,
		   "\"%s\" is once after its beginning", text);
}

static void
test_range(void)
{
	zone_begin(&zone, "far east", 167 * HOUR);
	check_range("0 0 1 1 *");
	check_range("100 years");
	check_range("1 second");
	check_range("100 years 36525 days 876600 hours");
	zone_begin(&zone, "far west", -167 * HOUR);
	check_range("0 0 1 1 *");
	check_range("36525 days");
	check_range("1 month 1 second");
}

int
main(void)
{
	tap_begin();
	test_calendar();
	test_berlin();
	test_elsewhere();
	test_spans();
	test_anchor();
	test_range();
	return tap_end();
}
