/*
 * cron.c: times as cron has them; see cron.h.
 */
#include "retention/cron.h"

#include <stddef.h>
#include <string.h>

#include "retention/calendar.h"

#define MINUTE INT64_C(60)
#define HOUR INT64_C(3600)

/* The calendar repeats itself, weekdays included, after so many months. */
#define CYCLE_MONTHS 4800

/* A field: its name, what it may have, and words for some of that. */
typedef struct Field
{
	const char *name;
	int			least;
	int			most;
	const char *const *words;	/* for least, and on */
	int			word_count;
} Field;

static const char *const month_words[] = {
	"jan", "feb", "mar", "apr", "may", "jun",
	"jul", "aug", "sep", "oct", "nov", "dec"
};
static const char *const weekday_words[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat"
};

#define FIELD_COUNT 5
#define DAY_FIELD 2
#define WEEKDAY_FIELD 4

static const Field fields[FIELD_COUNT] = {
	{"minute", 0, 59, NULL, 0},
	{"hour", 0, 23, NULL, 0},
	{"day of month", 1, 31, NULL, 0},
	{"month", 1, 12, month_words, 12},
	/* 7 is Sunday too. */
	{"day of week", 0, 7, weekday_words, 7}
};

/* Names for common schedules; what they stand for is in the same place. */
static const char *const names[] = {
	"hourly", "daily", "midnight", "weekly", "monthly", "yearly", "annually"
};
static const char *const meanings[] = {
	"0 * * * *", "0 0 * * *", "0 0 * * *", "0 0 * * 0", "0 0 1 * *",
	"0 0 1 1 *", "0 0 1 1 *"
};

#define NAME_COUNT ((int) (sizeof names / sizeof names[0]))

/* Is a value of a field over at this place? */
static bool
value_ends(const char *at)
{
	return steward_schedule_text_gap(at) || *at == ',' || *at == '-' || *at == '/';
}

/* One number or word. */
static bool
parse_value(StewardScheduleText *text, const Field *field, int *value)
{
	const char *from = text->at;

	if (!steward_schedule_text_number(text, value))
	{
		*value = steward_schedule_text_word(text, field->words, field->word_count);
		if (*value >= 0)
			*value += field->least;
	}
	else if (value_ends(text->at) && (*value < field->least || *value > field->most))
		return steward_schedule_text_fault(text, from,
										   "the field \"%s\" has %d, which is not from %d to %d.",
										   field->name, *value, field->least, field->most);
	if (*value < 0 || !value_ends(text->at))
		return steward_schedule_text_fault(text, from,
										   "the field \"%s\" has neither \"*\" nor a number%s.",
										   field->name,
										   field->word_count > 0 ? " nor a name of three letters" : "");
	return true;
}

/* The step of a range, from its "/" on, if it has one. */
static bool
parse_step(StewardScheduleText *text, const Field *field, bool is_range, int *step)
{
	int			most = field->most - field->least + 1;
	const char *from = text->at;

	*step = 1;
	if (*text->at != '/')
		return true;
	if (!is_range)
		return steward_schedule_text_fault(text, from,
										   "the field \"%s\" has a step after one value; steps go with \"*\" or a range.",
										   field->name);
	from = ++text->at;
	if (!steward_schedule_text_number(text, step) || *step < 1 || *step > most)
		return steward_schedule_text_fault(text, from,
										   "the field \"%s\" has a step that is not from 1 to %d.",
										   field->name, most);
	return true;
}

/* One element of a list: "*", a value or a range, and its step. */
static bool
parse_element(StewardScheduleText *text, const Field *field, uint64_t *set)
{
	const char *from = text->at;
	int			first = field->least;
	int			last = field->most;
	bool		is_range = true;
	int			step;

	if (*text->at == '*')
		text->at++;
	else
	{
		if (!parse_value(text, field, &first))
			return false;
		last = first;
		is_range = *text->at == '-';
		if (is_range)
		{
			text->at++;
			if (!parse_value(text, field, &last))
				return false;
			/* A range may end on Sunday, whatever its number. */
			if (field == &fields[WEEKDAY_FIELD] && last == 0 && first > 0)
				last = 7;
			if (last < first)
				return steward_schedule_text_fault(text, from,
												   "the field \"%s\" has a range that ends before it begins.",
												   field->name);
		}
	}
	if (!parse_step(text, field, is_range, &step))
		return false;
	for (int value = first; value <= last; value += step)
		*set |= UINT64_C(1) << value;
	return true;
}

/* A whole field; *star is whether it begins with "*". */
static bool
parse_field(StewardScheduleText *text, const Field *field, uint64_t *set, bool *star)
{
	if (steward_schedule_text_end(text))
		return steward_schedule_text_fault(text, text->at,
										   "the field \"%s\" is missing: the fields are minute, hour, day of month, month and day of week.",
										   field->name);
	*star = *text->at == '*';
	*set = 0;
	for (;;)
	{
		if (!parse_element(text, field, set))
			return false;
		if (*text->at != ',')
			break;
		text->at++;
	}
	if (!steward_schedule_text_gap(text->at))
		return steward_schedule_text_fault(text, text->at,
										   "the field \"%s\" has something that does not belong there.",
										   field->name);
	return true;
}

/* Does a month of the set ever have a day of the set? */
static bool
has_date(const StewardCron *cron)
{
	for (int month = 1; month <= 12; month++)
	{
		/* In a leap year. */
		int			length = steward_month_length(2000, month);

		if ((cron->months >> month & 1) != 0 &&
			(cron->days & ((UINT64_C(2) << length) - 1)) != 0)
			return true;
	}
	return false;
}

static bool
parse_name(StewardScheduleText *text)
{
	const char *from = text->at++;
	int			name = steward_schedule_text_word(text, names, NAME_COUNT);

	if (name < 0 || !steward_schedule_text_end(text))
		return steward_schedule_text_fault(text, from,
										   "there is none of @hourly, @daily, @weekly, @monthly and @yearly.");
	text->start = text->at = meanings[name];
	return true;
}

bool
steward_cron_parse(StewardCron *cron, StewardScheduleText *text)
{
	uint64_t	sets[FIELD_COUNT];
	bool		stars[FIELD_COUNT];
	const char *days = NULL;

	memset(cron, 0, sizeof *cron);
	if (!steward_schedule_text_end(text) && *text->at == '@' && !parse_name(text))
		return false;
	for (int i = 0; i < FIELD_COUNT; i++)
	{
		(void) steward_schedule_text_end(text);
		if (i == DAY_FIELD)
			days = text->at;
		if (!parse_field(text, &fields[i], &sets[i], &stars[i]))
			return false;
	}
	if (!steward_schedule_text_end(text))
		return steward_schedule_text_fault(text, text->at,
										   "there is more than the five fields minute, hour, day of month, month and day of week.");
	cron->minutes = sets[0];
	cron->hours = sets[1];
	cron->days = sets[DAY_FIELD];
	cron->months = sets[3];
	/* Sunday is 0. */
	cron->weekdays = (sets[WEEKDAY_FIELD] | sets[WEEKDAY_FIELD] >> 7) & 0x7F;
	cron->either_day = !stars[DAY_FIELD] && !stars[WEEKDAY_FIELD];
	if (!cron->either_day && !has_date(cron))
		return steward_schedule_text_fault(text, days,
										   "the field \"day of month\" has only days that no month of the field \"month\" has.");
	return true;
}

static bool
has_day(const StewardCron *cron, int64_t number, int day)
{
	bool		of_month = cron->days >> day & 1;
	bool		of_week = cron->weekdays >> steward_day_of_week(number) & 1;

	return cron->either_day ? of_month || of_week : of_month && of_week;
}

/* The first day that matches, from one on; INT64_MAX when there is none. */
static int64_t
next_day(const StewardCron *cron, int64_t from)
{
	StewardDate date;

	steward_day_to_date(&date, from);
	for (int i = 0; i <= CYCLE_MONTHS; i++)
	{
		int			length = steward_month_length(date.year, date.month);

		if (cron->months >> date.month & 1)
		{
			int64_t		number = steward_date_to_day(&date);

			for (; date.day <= length; date.day++, number++)
			{
				if (has_day(cron, number, date.day))
					return number;
			}
		}
		date.day = 1;
		steward_date_add_months(&date, 1);
	}
	return INT64_MAX;
}

/* The least number of a set from one on; -1 when there is none. */
static int
next_of(uint64_t set, int from)
{
	for (; from < 64; from++)
	{
		if (set >> from & 1)
			return from;
	}
	return -1;
}

/* The first time of a day later than one, in seconds since midnight; -1 when none is. */
static int64_t
next_time(const StewardCron *cron, int64_t after)
{
	int			hour = (int) (after / HOUR);
	int			minute = next_of(cron->minutes, (int) (after % HOUR / MINUTE) + 1);

	if ((cron->hours >> hour & 1) == 0 || minute < 0)
	{
		hour = next_of(cron->hours, hour + 1);
		minute = next_of(cron->minutes, 0);
	}
	return hour < 0 ? -1 : hour * HOUR + minute * MINUTE;
}

int64_t
steward_cron_next(const StewardCron *cron, int64_t local)
{
	int64_t		today = steward_floor_divide(local, STEWARD_DAY_SECONDS);
	int64_t		day = next_day(cron, today);
	int64_t		time;

	if (day == today)
	{
		time = next_time(cron, local - today * STEWARD_DAY_SECONDS);
		if (time >= 0)
			return day * STEWARD_DAY_SECONDS + time;
		day = next_day(cron, today + 1);
	}
	if (day == INT64_MAX)
		return INT64_MAX;
	time = next_of(cron->hours, 0) * HOUR + next_of(cron->minutes, 0) * MINUTE;
	return day * STEWARD_DAY_SECONDS + time;
}
