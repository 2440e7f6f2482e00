/*
 * zones.h: time zones written down by hand, for clock tests that must not change
 * with a system's zone data. Each is a table of instants from which an offset holds.
 */
#ifndef STEWARD_TEST_ZONES_H
#define STEWARD_TEST_ZONES_H

#include "retention/calendar.h"
#include "retention/zone.h"

#define ZONE_CHANGES 600
#define HOUR 3600
#define MINUTE 60

typedef struct TestZone
{
	StewardZone zone;
	const char *name;
	int32_t		before;			/* the offset before the first change */
	int			count;
	struct
	{
		int64_t		at;
		int32_t		offset;
	}			changes[ZONE_CHANGES];
} TestZone;

/* Seconds from 1970 on for a date and time, as in UTC. */
__attribute__((unused))
static int64_t
moment(int64_t year, int month, int day, int hour, int minute)
{
	StewardDate date = {year, month, day};

	return steward_date_to_day(&date) * STEWARD_DAY_SECONDS + hour * HOUR + minute * MINUTE;
}

__attribute__((unused))
static int32_t
test_zone_offset(const StewardZone *zone, int64_t instant, int64_t *until)
{
	const TestZone *test = zone->data;
	int32_t		offset = test->before;

	*until = STEWARD_NEVER;
	for (int i = 0; i < test->count; i++)
	{
		if (test->changes[i].at > instant)
		{
			*until = test->changes[i].at;
			break;
		}
		offset = test->changes[i].offset;
	}
	return offset;
}

__attribute__((unused))
static void
zone_begin(TestZone *zone, const char *name, int32_t before)
{
	memset(zone, 0, sizeof *zone);
	zone->zone.offset = test_zone_offset;
	zone->zone.data = zone;
	zone->name = name;
	zone->before = before;
}

__attribute__((unused))
static void
zone_change(TestZone *zone, int64_t at, int32_t offset)
{
	if (zone->count == ZONE_CHANGES)
		tap_bail("a zone of a test has too many changes");
	zone->changes[zone->count].at = at;
	zone->changes[zone->count++].offset = offset;
}

/* The day of the nth Sunday of a month; of the last one for 0. */
__attribute__((unused))
static int64_t
sunday(int64_t year, int month, int nth)
{
	StewardDate date = {year, month, 1};
	int64_t		day = steward_date_to_day(&date);

	if (nth == 0)
	{
		day += steward_month_length(year, month) - 1;
		return day - steward_day_of_week(day);
	}
	return day + (7 - steward_day_of_week(day)) % 7 + (nth - 1) * 7;
}

/* Changes on Sundays, in each year: to one offset and to another, earlier month first. */
typedef struct Rule
{
	int			month;
	int			nth;
	int32_t		time;			/* in UTC, from that Sunday's midnight */
	int32_t		offset;
} Rule;

__attribute__((unused))
static void
zone_of_rules(TestZone *zone, const char *name, int32_t before,
			  const Rule *first, const Rule *second)
{
	zone_begin(zone, name, before);
	for (int64_t year = 2005; year <= 2044; year++)
	{
		zone_change(zone, sunday(year, first->month, first->nth) * STEWARD_DAY_SECONDS +
					first->time, first->offset);
		zone_change(zone, sunday(year, second->month, second->nth) * STEWARD_DAY_SECONDS +
					second->time, second->offset);
	}
}

__attribute__((unused))
static void
zone_utc(TestZone *zone)
{
	zone_begin(zone, "UTC", 0);
}

__attribute__((unused))
static void
zone_berlin(TestZone *zone)
{
	zone_of_rules(zone, "Berlin", HOUR,
				  &(Rule) {3, 0, HOUR, 2 * HOUR}, &(Rule) {10, 0, HOUR, HOUR});
}

__attribute__((unused))
static void
zone_new_york(TestZone *zone)
{
	zone_of_rules(zone, "New York", -5 * HOUR,
				  &(Rule) {3, 2, 7 * HOUR, -4 * HOUR}, &(Rule) {11, 1, 6 * HOUR, -5 * HOUR});
}

/* Half an hour, at 02:00 local time, which is on Saturday in UTC. */
__attribute__((unused))
static void
zone_lord_howe(TestZone *zone)
{
	zone_of_rules(zone, "Lord Howe", 11 * HOUR,
				  &(Rule) {4, 1, 2 * HOUR - 11 * HOUR, 10 * HOUR + 30 * MINUTE},
				  &(Rule) {10, 1, 2 * HOUR - 10 * HOUR - 30 * MINUTE, 11 * HOUR});
}

/* At midnight: a day that begins at 01:00, and one whose eve has 25 hours. */
__attribute__((unused))
static void
zone_sao_paulo(TestZone *zone)
{
	zone_of_rules(zone, "Sao Paulo", -2 * HOUR,
				  &(Rule) {2, 3, 2 * HOUR, -3 * HOUR}, &(Rule) {10, 3, 3 * HOUR, -2 * HOUR});
}

/* Clocks are put back for Ramadan, when it moves on, not in summer. */
__attribute__((unused))
static void
zone_casablanca(TestZone *zone)
{
	zone_begin(zone, "Casablanca", HOUR);
	zone_change(zone, moment(2023, 3, 19, 2, 0), 0);
	zone_change(zone, moment(2023, 4, 23, 2, 0), HOUR);
	zone_change(zone, moment(2024, 3, 10, 2, 0), 0);
	zone_change(zone, moment(2024, 4, 14, 2, 0), HOUR);
	zone_change(zone, moment(2025, 2, 23, 2, 0), 0);
	zone_change(zone, moment(2025, 4, 6, 2, 0), HOUR);
}

/* 30 December 2011 was left out. */
__attribute__((unused))
static void
zone_apia(TestZone *zone)
{
	zone_begin(zone, "Apia", -10 * HOUR);
	zone_change(zone, moment(2011, 4, 2, 14, 0), -11 * HOUR);
	zone_change(zone, moment(2011, 9, 24, 14, 0), -10 * HOUR);
	zone_change(zone, moment(2011, 12, 30, 10, 0), 14 * HOUR);
	zone_change(zone, moment(2012, 3, 31, 14, 0), 13 * HOUR);
	zone_change(zone, moment(2012, 9, 29, 14, 0), 14 * HOUR);
	zone_change(zone, moment(2013, 4, 6, 14, 0), 13 * HOUR);
}

/* A small generator, so that each run tests the same. */
__attribute__((unused))
static uint64_t zones_seed = 1;

__attribute__((unused))
static int
any_of(int count)
{
	zones_seed = zones_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int) ((zones_seed >> 33) % (uint64_t) count);
}

/* Changes that follow one another after hours, by hours, up to a day and a half. */
__attribute__((unused))
static void
zone_wild(TestZone *zone, int64_t from)
{
	zone_begin(zone, "a wild zone", 0);
	for (int i = 0; i < ZONE_CHANGES; i++)
	{
		from += (1 + any_of(any_of(4) == 0 ? 8 : 1000)) * 15 * MINUTE;
		zone_change(zone, from, (any_of(145) - 72) * 15 * MINUTE);
	}
}

#endif							/* STEWARD_TEST_ZONES_H */
