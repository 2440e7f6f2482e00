/*
 * calendar.c: days and dates; see calendar.h.
 */
#include "retention/calendar.h"

#include <stdbool.h>

/* After so many years the calendar repeats itself, weekdays included. */
#define CYCLE_YEARS 400
#define CYCLE_DAYS 146097

int64_t
steward_floor_divide(int64_t number, int64_t divisor)
{
	int64_t		quotient = number / divisor;

	return number % divisor < 0 ? quotient - 1 : quotient;
}

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
steward_month_length(int64_t year, int month)
{
	if (month == 2)
		return is_leap(year) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Leap days in the years up to this one, counted from some year. */
static int64_t
leap_days(int64_t year)
{
	return steward_floor_divide(year, 4) - steward_floor_divide(year, 100) +
		steward_floor_divide(year, CYCLE_YEARS);
}

/* The day of 1 January. */
static int64_t
first_day(int64_t year)
{
	return 365 * (year - 1970) + leap_days(year - 1) - leap_days(1969);
}

int64_t
steward_date_to_day(const StewardDate *date)
{
	int64_t		day = first_day(date->year) + date->day - 1;

	for (int month = 1; month < date->month; month++)
		day += steward_month_length(date->year, month);
	return day;
}

void
steward_day_to_date(StewardDate *date, int64_t day)
{
	int64_t		year = 1970 + steward_floor_divide(day * CYCLE_YEARS, CYCLE_DAYS);
	int64_t		rest;
	int			month = 1;

	/* The guess counts average years. */
	while (first_day(year) > day)
		year--;
	while (first_day(year + 1) <= day)
		year++;
	rest = day - first_day(year);
	while (rest >= steward_month_length(year, month))
		rest -= steward_month_length(year, month++);
	date->year = year;
	date->month = month;
	date->day = (int) rest + 1;
}

int
steward_day_of_week(int64_t day)
{
	/* 1970-01-01 was a Thursday. */
	return (int) (day + 4 - 7 * steward_floor_divide(day + 4, 7));
}

void
steward_date_add_months(StewardDate *date, int64_t months)
{
	int64_t		number = date->year * 12 + date->month - 1 + months;
	int			length;

	date->year = steward_floor_divide(number, 12);
	date->month = (int) (number - 12 * date->year) + 1;
	length = steward_month_length(date->year, date->month);
	if (date->day > length)
		date->day = length;
}
