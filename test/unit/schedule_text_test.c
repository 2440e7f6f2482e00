/*
 * schedule_text_test.c: which schedules are read, as what, and where the others are wrong.
 */
#include "retention/schedule.h"

#include "tap.h"

#define ALL_MINUTES ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS ((UINT64_C(1) << 24) - 1)
#define ALL_DAYS (((UINT64_C(1) << 31) - 1) << 1)
#define ALL_MONTHS (((UINT64_C(1) << 12) - 1) << 1)
#define ALL_WEEKDAYS ((UINT64_C(1) << 7) - 1)
#define BIT(number) (UINT64_C(1) << (number))

/* Reads a guarded copy: a read beyond the end is seen. */
static bool
parse(StewardSchedule *schedule, const char *text, StewardScheduleFault *fault)
{
	Guarded		copy = guard_copy(text, strlen(text) + 1);
	bool		works = steward_schedule_parse(schedule, (const char *) copy.bytes, fault);

	guard_free(&copy);
	return works;
}

static void
check_cron(const char *text, StewardCron expected)
{
	StewardSchedule schedule;
	StewardScheduleFault fault;
	bool		works = parse(&schedule, text, &fault) && schedule.is_cron;
	StewardCron *cron = &schedule.cron;

	tap_ok(works && cron->minutes == expected.minutes && cron->hours == expected.hours &&
		   cron->days == expected.days && cron->months == expected.months &&
		   cron->weekdays == expected.weekdays && cron->either_day == expected.either_day,
		   "\"%s\" is read", text);
	if (!works)
		printf("# %s\n", fault.reason);
}

static void
test_cron(void)
{
	check_cron("* * * * *", (StewardCron) {ALL_MINUTES, ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, false});
	check_cron("  5\t4  3 2 1 ", (StewardCron) {BIT(5), BIT(4), BIT(3), BIT(2), BIT(1), true});
	check_cron("0,59 0,23 1,31 1,12 *", (StewardCron) {BIT(0) | BIT(59), BIT(0) | BIT(23), BIT(1) | BIT(31), BIT(1) | BIT(12), ALL_WEEKDAYS, false});
	check_cron("*/15 */12 */30 */12 */7", (StewardCron) {BIT(0) | BIT(15) | BIT(30) | BIT(45), BIT(0) | BIT(12), BIT(1) | BIT(31), BIT(1), BIT(0), false});
	check_cron("10-20/5,40 1-3 * * *", (StewardCron) {BIT(10) | BIT(15) | BIT(20) | BIT(40), BIT(1) | BIT(2) | BIT(3), ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, false});
	check_cron("*/60 0 * JAN,oct-Dec mon-FRI", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, BIT(1) | BIT(10) | BIT(11) | BIT(12), 0x3E, false});
	/* Sunday has two numbers, and a range may end on it. */
	check_cron("0 0 * * 0", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0), false});
	check_cron("0 0 * * 7", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0), false});
	check_cron("0 0 * * fri-sun", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(5) | BIT(6) | BIT(0), false});
	check_cron("0 0 * * sun-tue", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0) | BIT(1) | BIT(2), false});
	check_cron("0 0 * * 0-7", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, false});
	/* What begins with a star restricts, but does not make it "or". */
	check_cron("0 0 1 * */2", (StewardCron) {BIT(0), BIT(0), BIT(1), ALL_MONTHS, BIT(0) | BIT(2) | BIT(4) | BIT(6), false});
	check_cron("0 0 1 * 1-5", (StewardCron) {BIT(0), BIT(0), BIT(1), ALL_MONTHS, 0x3E, true});
	/* A day that the month has not, beside a weekday that it has. */
	check_cron("0 0 30 2 mon", (StewardCron) {BIT(0), BIT(0), BIT(30), BIT(2), BIT(1), true});
	check_cron("0 0 29 2 *", (StewardCron) {BIT(0), BIT(0), BIT(29), BIT(2), ALL_WEEKDAYS, false});

	check_cron("@hourly", (StewardCron) {BIT(0), ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, false});
	check_cron(" @Daily ", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, false});
	check_cron("@midnight", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, false});
	check_cron("@weekly", (StewardCron) {BIT(0), BIT(0), ALL_DAYS, ALL_MONTHS, BIT(0), false});
	check_cron("@monthly", (StewardCron) {BIT(0), BIT(0), BIT(1), ALL_MONTHS, ALL_WEEKDAYS, false});
	check_cron("@yearly", (StewardCron) {BIT(0), BIT(0), BIT(1), BIT(1), ALL_WEEKDAYS, false});
	check_cron("@ANNUALLY", (StewardCron) {BIT(0), BIT(0), BIT(1), BIT(1), ALL_WEEKDAYS, false});
}

static void
check_span(const char *text, int64_t months, int64_t days, int64_t seconds)
{
	StewardSchedule schedule;
	StewardScheduleFault fault;
	bool		works = parse(&schedule, text, &fault) && !schedule.is_cron;

	tap_ok(works && schedule.span.months == months && schedule.span.days == days &&
		   schedule.span.seconds == seconds, "\"%s\" is read", text);
	if (!works)
		printf("# %s\n", fault.reason);
}

static void
test_spans(void)
{
	check_span("6 hours", 0, 0, 21600);
	check_span("1 day", 0, 1, 0);
	check_span("  1DAY ", 0, 1, 0);
	check_span("2 weeks 3 days", 0, 17, 0);
	check_span("1 year 1 mon 1 month", 14, 0, 0);
	check_span("90 min 30 sec", 0, 0, 5430);
	check_span("01:30", 0, 0, 5400);
	check_span("00:00:01", 0, 0, 1);
	check_span("1 day 06:00:05", 0, 1, 21605);
	check_span("1 mon 2 days 3 hours 4 minutes 5 seconds", 1, 2, 11045);
	check_span("100 years", 1200, 0, 0);
	check_span("876600:00", 0, 0, INT64_C(3155760000));
}

/* A schedule that is refused: where, and what is said about it. */
static void
check_fault(const char *text, int position, const char *words)
{
	StewardSchedule schedule;
	StewardScheduleFault fault;
	bool		works = parse(&schedule, text, &fault);
	size_t		len = strlen(fault.reason);

	tap_ok(!works && fault.position == position && strstr(fault.reason, words) != NULL &&
		   len + 1 < sizeof fault.reason && fault.reason[len - 1] == '.',
		   "\"%s\" is refused at character %d: %s", text, position, words);
	if (works || fault.position != position || strstr(fault.reason, words) == NULL)
		printf("# %d: %s\n", fault.position, fault.reason);
}

static void
test_cron_faults(void)
{
	check_fault("", 1, "empty");
	check_fault("   ", 4, "empty");
	check_fault("60 * * * *", 1, "\"minute\" has 60, which is not from 0 to 59");
	check_fault("* 24 * * *", 3, "\"hour\" has 24, which is not from 0 to 23");
	check_fault("* * 0 * *", 5, "\"day of month\" has 0, which is not from 1 to 31");
	check_fault("* * * 13 *", 7, "\"month\" has 13, which is not from 1 to 12");
	check_fault("* * * * 8", 9, "\"day of week\" has 8, which is not from 0 to 7");
	check_fault("1,2,99999999999999999999 * * * *", 5, "\"minute\" has 999999999,");
	check_fault("* * * *", 8, "\"day of week\" is missing");
	check_fault("*", 2, "\"hour\" is missing");
	check_fault("0 0 0 * * *", 5, "\"day of month\" has 0");
	check_fault("0 0 * * * *", 11, "more than the five fields");
	check_fault("*/0 * * * *", 3, "\"minute\" has a step that is not from 1 to 60");
	check_fault("*/61 * * * *", 3, "\"minute\" has a step");
	check_fault("* */ * * *", 5, "\"hour\" has a step");
	check_fault("* 5/2 * * *", 4, "\"hour\" has a step after one value");
	check_fault("* 5-2 * * *", 3, "\"hour\" has a range that ends before it begins");
	check_fault("* 5- * * *", 5, "\"hour\" has neither");
	check_fault("* -5 * * *", 3, "\"hour\" has neither");
	check_fault("* 1,,2 * * *", 5, "\"hour\" has neither");
	check_fault("* 1, * * *", 5, "\"hour\" has neither");
	check_fault("* 1-2-3 * * *", 6, "\"hour\" has something that does not belong there");
	check_fault("* *5 * * *", 4, "\"hour\" has something that does not belong there");
	check_fault("* 5x * * *", 3, "\"hour\" has neither");
	check_fault("* mon * * *", 3, "\"hour\" has neither \"*\" nor a number.");
	check_fault("* * * * monday", 9, "\"day of week\" has neither \"*\" nor a number nor a name of three letters.");
	check_fault("* * * mo *", 7, "\"month\" has neither");
	check_fault("* * ? * *", 5, "\"day of month\" has neither");
	check_fault("* * L * *", 5, "\"day of month\" has neither");
	check_fault("* * * * \303\244", 9, "\"day of week\" has neither");
	check_fault("* * * * 1#2", 9, "\"day of week\"");
	check_fault("0 0 30 2 *", 5, "only days that no month");
	check_fault("0 0 31 2,4,6,9,11 */2", 5, "only days that no month");
	check_fault("@reboot", 1, "none of @hourly");
	check_fault("@dailyish", 1, "none of @hourly");
	check_fault("@daily 5", 1, "none of @hourly");
	check_fault(" @", 2, "none of @hourly");
	check_fault("nightly", 1, "\"minute\" has neither");
}

static void
test_span_faults(void)
{
	check_fault("0 days", 1, "no length");
	check_fault("00:00", 1, "no length");
	check_fault("1 fortnight", 3, "no unit");
	check_fault("1 day and 2 hours", 7, "no number");
	check_fault("1 day -2 hours", 7, "no number");
	check_fault("1.5 hours", 2, "no unit");
	check_fault("1 day 5", 8, "no unit");
	check_fault("1 m", 3, "no unit");
	check_fault("101 years", 1, "longer than a hundred years");
	check_fault("100 years 1 mon", 11, "longer than a hundred years");
	check_fault("99999999999999999999 days", 1, "longer than a hundred years");
	check_fault("99999999999999999999:00", 1, "longer than a hundred years");
	check_fault("01:60", 4, "two digits");
	check_fault("01:6", 4, "two digits");
	check_fault("01:000", 4, "two digits");
	check_fault("01:", 4, "two digits");
	check_fault("01:00:00:00", 9, "does not belong");
	check_fault("1 day, 2 hours", 6, "does not belong");
}

int
main(void)
{
	tap_begin();
	test_cron();
	test_spans();
	test_cron_faults();
	test_span_faults();
	return tap_end();
}
