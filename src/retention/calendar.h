/*
 * calendar.h: days and dates, of the Gregorian calendar before its time too.
 *
 * Pure C without PostgreSQL's headers, so that clocks are tested without a server.
 * A day is a number from 1970-01-01 on, which is 0. Year 0 is 1 BC. Years are
 * expected to be within a million of today.
 */
#ifndef STEWARD_RETENTION_CALENDAR_H
#define STEWARD_RETENTION_CALENDAR_H

#include <stdint.h>

#define STEWARD_DAY_SECONDS INT64_C(86400)

typedef struct StewardDate
{
	int64_t		year;
	int			month;			/* 1 to 12 */
	int			day;			/* 1 to 31 */
} StewardDate;

/* The quotient, rounded down whatever the signs; the divisor is positive. */
extern int64_t steward_floor_divide(int64_t number, int64_t divisor);

/* How many days a month has. */
extern int	steward_month_length(int64_t year, int month);

/* The number of the day of a date; the date exists. */
extern int64_t steward_date_to_day(const StewardDate *date);

/* The date of a day. */
extern void steward_day_to_date(StewardDate *date, int64_t day);

/* The day of the week: 0 is Sunday. */
extern int	steward_day_of_week(int64_t day);

/* Moves a date by months; of a day that the month has not, to its last one. */
extern void steward_date_add_months(StewardDate *date, int64_t months);

#endif							/* STEWARD_RETENTION_CALENDAR_H */
