/*
 * cron.h: times as cron has them: minute, hour, day of month, month, day of week.
 *
 * Pure C without PostgreSQL's headers. As cron does, a day has to match both fields of
 * days, but when neither begins with "*", one of them is enough.
 */
#ifndef STEWARD_RETENTION_CRON_H
#define STEWARD_RETENTION_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "retention/schedule_text.h"

/* Sets of numbers, as bits. */
typedef struct StewardCron
{
	uint64_t	minutes;
	uint64_t	hours;
	uint64_t	days;			/* of a month, 1 to 31 */
	uint64_t	months;			/* 1 to 12 */
	uint64_t	weekdays;		/* 0 to 6, 0 is Sunday */
	bool		either_day;		/* a day of days or of weekdays is enough */
} StewardCron;

/*
 * Reads five fields or a name like "@daily". False when text->fault says what is
 * wrong, also for times that never come.
 */
extern bool steward_cron_parse(StewardCron *cron, StewardScheduleText *text);

/*
 * The first local time that matches, in seconds, later than one; INT64_MAX when there is none
 * within 400 years.
 */
extern int64_t steward_cron_next(const StewardCron *cron, int64_t local);

#endif							/* STEWARD_RETENTION_CRON_H */
