/*
 * schedule_clock_test.c: a scheduler that sleeps, works long, is down, and whose clock is put
 * back and forward: what it runs, and how often.
 */
#include "retention/schedule.h"

#include "tap.h"
#include "zones.h"

static TestZone zone;
static StewardSchedule schedule;

/* What is stored of a policy, and how often it ran. */
static int64_t planned;
static int64_t last;
static int64_t runs;

static void
begin(const char *text, int64_t now)
{
	StewardScheduleFault fault;

	zone_berlin(&zone);
	if (!steward_schedule_parse(&schedule, text, &fault))
		tap_bail(fault.reason);
	runs = 0;
	last = INT64_MIN;
	planned = steward_schedule_plan(&schedule, &zone.zone, 0, last, now);
}

/* The scheduler looks at its clock; a run begins by planning the next. */
static bool
look(int64_t now)
{
	if (!steward_schedule_due(&schedule, &zone.zone, 0, last, now, &planned))
		return false;
	last = planned;
	planned = steward_schedule_plan(&schedule, &zone.zone, 0, last, now);
	runs++;
	return true;
}

/* It looks every so often. */
static void
live(int64_t from, int64_t upto, int64_t every)
{
	for (int64_t now = from; now < upto; now += every)
		(void) look(now);
}

static void
test_year(void)
{
	begin("30 2 * * *", moment(2024, 1, 1, 0, 0));
	live(moment(2024, 1, 1, 0, 0), moment(2025, 1, 1, 0, 0), 5 * MINUTE);
	tap_ok(runs == 366, "once each day of a leap year, clocks put forward and back: %lld", (long long) runs);
	begin("1 day", moment(2023, 1, 1, 0, 0));
	live(moment(2023, 1, 1, 0, 1), moment(2024, 1, 1, 0, 0), 7 * MINUTE + 1);
	tap_ok(runs == 364, "each day but the first of another year, by an interval: %lld", (long long) runs);
}

static void
test_missed(void)
{
	begin("0 3 * * *", moment(2024, 6, 1, 0, 0));
	live(moment(2024, 6, 1, 0, 0), moment(2024, 6, 3, 12, 0), HOUR);
	tap_ok(runs == 3, "three runs before the server is down");
	tap_ok(look(moment(2024, 6, 10, 12, 0)), "a run is due when it is up again, after six were missed");
	tap_ok(!look(moment(2024, 6, 10, 12, 0)) && !look(moment(2024, 6, 11, 0, 59)), "and no other");
	tap_ok(planned == moment(2024, 6, 11, 1, 0), "the next is planned as if nothing had been");
	begin("@hourly", moment(2024, 6, 1, 0, 0));
	(void) look(moment(2024, 6, 1, 1, 0));
	tap_ok(look(moment(2024, 6, 1, 4, 30)) && !look(moment(2024, 6, 1, 4, 31)) && runs == 2 &&
		   planned == moment(2024, 6, 1, 5, 0), "a run of hours makes up for what it overlapped, once");
}

static void
test_correction(void)
{
	begin("0 3 * * *", moment(2024, 6, 1, 0, 0));
	tap_ok(look(moment(2024, 6, 1, 1, 0)), "it runs at 03:00");
	live(moment(2024, 5, 31, 23, 0), moment(2024, 6, 2, 1, 0), MINUTE);
	tap_ok(runs == 1, "and not once more, when the clock is put back by two hours");
	live(moment(2024, 6, 2, 1, 0), moment(2024, 6, 2, 2, 0), MINUTE);
	tap_ok(runs == 2, "but on the next day");
	begin("@weekly", moment(2024, 6, 1, 0, 0));
	live(moment(2024, 6, 1, 0, 0), moment(2024, 6, 3, 0, 0), HOUR);
	tap_ok(runs == 1, "it runs on Sunday");
	live(moment(2024, 6, 1, 23, 0), moment(2024, 6, 8, 22, 0), HOUR);
	tap_ok(runs == 1, "and not before the next, when the clock is put back by a day");
	live(moment(2024, 6, 8, 22, 0), moment(2024, 6, 9, 22, 0), HOUR);
	tap_ok(runs == 2, "but then");
}

static void
test_wrong_clock(void)
{
	/* The server's clock says 2099, for a while. */
	begin("0 3 * * *", moment(2099, 1, 1, 0, 0));
	tap_ok(look(moment(2099, 1, 1, 2, 0)), "a run in 2099");
	tap_ok(!look(moment(2024, 6, 1, 0, 0)) && planned == moment(2024, 6, 1, 1, 0), "back in 2024, the next is planned there");
	live(moment(2024, 6, 1, 0, 0), moment(2024, 6, 5, 0, 0), MINUTE);
	tap_ok(runs == 5, "and those after it");
	/* Forward, as if it had been down. */
	tap_ok(look(moment(2030, 1, 1, 0, 0)) && !look(moment(2030, 1, 1, 1, 0)) && look(moment(2030, 1, 1, 2, 0)),
		   "one run makes up for years");
}

static void
test_never(void)
{
	begin("100 years", STEWARD_INSTANT_END - 1000);
	tap_ok(planned == STEWARD_NEVER && !look(STEWARD_INSTANT_END - 1), "what is never planned is never due");
	begin("0 3 * * *", moment(2024, 6, 1, 0, 0));
	planned = STEWARD_NEVER;
	tap_ok(!look(moment(2024, 6, 1, 0, 0)) && planned == moment(2024, 6, 1, 1, 0), "what is wrongly never is planned");
}

/* Whatever a clock does within a day, no planned instant is run for twice. */
static void
test_shaky(void)
{
	bool		passed = true;
	int64_t		now = moment(2024, 1, 1, 0, 0);

	begin("*/7 * * * *", now);
	for (int i = 0; i < 200000; i++)
	{
		int64_t		before = last;

		now += any_of(10) == 0 ? -any_of(2 * HOUR) : any_of(30 * MINUTE);
		if (look(now))
			passed = passed && last > before && last <= now;
		passed = passed && planned > last;
	}
	tap_ok(passed && runs > 10000, "a shaky clock repeats nothing in %lld runs", (long long) runs);
}

int
main(void)
{
	tap_begin();
	test_year();
	test_missed();
	test_correction();
	test_wrong_clock();
	test_never();
	test_shaky();
	return tap_end();
}
