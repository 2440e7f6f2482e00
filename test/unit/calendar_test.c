/*
 * calendar_test.c: each day of 2400 years, one after the other, and the C library's opinion.
 */
#include "retention/calendar.h"

#include <time.h>

#include "tap.h"

#define FIRST_YEAR (-400)
#define LAST_YEAR 2000

static void
test_each_day(void)
{
	StewardDate expected = {FIRST_YEAR, 1, 1};
	int64_t		day = steward_date_to_day(&expected);
	int			weekday = steward_day_of_week(day);
	bool		passed = true;

	while (expected.year < LAST_YEAR)
	{
		StewardDate date;

		steward_day_to_date(&date, day);
		passed = passed && date.year == expected.year && date.month == expected.month &&
			date.day == expected.day && steward_date_to_day(&date) == day &&
			steward_day_of_week(day) == weekday;
		day++;
		weekday = (weekday + 1) % 7;
		if (++expected.day > steward_month_length(expected.year, expected.month))
		{
			expected.day = 1;
			if (++expected.month > 12)
			{
				expected.month = 1;
				expected.year++;
			}
		}
	}
	tap_ok(passed, "each day from year %d to %d has its date, and the date its day", FIRST_YEAR, LAST_YEAR);
	tap_ok(day == 10957, "2000-01-01 is day 10957");
}

static void
test_library(void)
{
	bool		passed = true;

	for (int64_t day = -800000; day < 100000000; day += 4999)
	{
		time_t		seconds = (time_t) (day * STEWARD_DAY_SECONDS);
		struct tm	tm;
		StewardDate date;

		steward_day_to_date(&date, day);
		passed = passed && gmtime_r(&seconds, &tm) != NULL &&
			date.year == tm.tm_year + INT64_C(1900) && date.month == tm.tm_mon + 1 &&
			date.day == tm.tm_mday && steward_day_of_week(day) == tm.tm_wday &&
			steward_date_to_day(&date) == day;
	}
	tap_ok(passed, "dates are those of the C library");
}

static void
check_months(StewardDate from, int64_t months, StewardDate expected)
{
	StewardDate date = from;

	steward_date_add_months(&date, months);
	tap_ok(date.year == expected.year && date.month == expected.month && date.day == expected.day,
		   "%d-%02d-%02d moved by %d months is %d-%02d-%02d", (int) from.year, from.month, from.day,
		   (int) months, (int) expected.year, expected.month, expected.day);
}

static void
test_months(void)
{
	StewardDate end = {2024, 1, 31};

	check_months(end, 1, (StewardDate) {2024, 2, 29});
	check_months(end, 13, (StewardDate) {2025, 2, 28});
	check_months(end, -1, (StewardDate) {2023, 12, 31});
	check_months(end, -11, (StewardDate) {2023, 2, 28});
	check_months(end, -2 - 12 * 2024, (StewardDate) {-1, 11, 30});
	check_months(end, 0, end);
	tap_ok(steward_month_length(1900, 2) == 28 && steward_month_length(2000, 2) == 29 &&
		   steward_month_length(0, 2) == 29 && steward_month_length(-100, 2) == 28,
		   "centuries are leap years when 400 divides them");
}

static void
test_floor(void)
{
	tap_ok(steward_floor_divide(-1, 60) == -1 && steward_floor_divide(-60, 60) == -1 &&
		   steward_floor_divide(-61, 60) == -2 && steward_floor_divide(59, 60) == 0,
		   "quotients are rounded down");
}

int
main(void)
{
	tap_begin();
	test_each_day();
	test_library();
	test_months();
	test_floor();
	return tap_end();
}
