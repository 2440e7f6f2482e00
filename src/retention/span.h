/*
 * span.h: intervals between runs: "6 hours", "1 day", "1 month 2 days", "01:30".
 *
 * Pure C without PostgreSQL's headers. Months and days are counted in the calendar of a zone, and
 * keep the local time; hours and less are time that passes.
 */
#ifndef STEWARD_RETENTION_SPAN_H
#define STEWARD_RETENTION_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "retention/schedule_text.h"
#include "retention/zone.h"

/* None is negative, one is positive, each is a hundred years at most. */
typedef struct StewardSpan
{
	int64_t		months;
	int64_t		days;
	int64_t		seconds;
} StewardSpan;

/* False when text->fault says what is wrong. */
extern bool steward_span_parse(StewardSpan *span, StewardScheduleText *text);

/*
 * The first instant after another that is a whole number of spans from the
 * anchor, before it or after it; STEWARD_NEVER when it is out of range. They are counted from
 * the anchor, not from each other: what a short month or a change of clocks moves is
 * back in its place the next time.
 */
extern int64_t steward_span_next(const StewardSpan *span, const StewardZone *zone,
								 int64_t anchor, int64_t after);

#endif							/* STEWARD_RETENTION_SPAN_H */
