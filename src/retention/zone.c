/*
 * zone.c: from local times to instants and back; see zone.h.
 *
 * A zone is a row of stretches of time, each with one offset. Only those near an
 * instant matter, since offsets are shorter than REACH.
 */
#include "retention/zone.h"

#include "retention/calendar.h"

/* More than the difference of any two offsets. */
#define REACH (15 * STEWARD_DAY_SECONDS)

int64_t
steward_zone_instant(const StewardZone *zone, int64_t local)
{
	int64_t		from = local - REACH;

	for (;;)
	{
		int64_t		until;
		int64_t		at = local - zone->offset(zone, from, &until);

		/* What is before this stretch shows earlier times. */
		if (at < from)
			return from;
		if (at < until)
			return at;
		from = until;
	}
}

int64_t
steward_zone_local(const StewardZone *zone, int64_t instant)
{
	int64_t		until;

	return instant + zone->offset(zone, instant, &until);
}

int64_t
steward_zone_latest(const StewardZone *zone, int64_t instant)
{
	int64_t		from = instant - REACH;
	int64_t		latest = INT64_MIN;

	while (from <= instant)
	{
		int64_t		until;
		int32_t		offset = zone->offset(zone, from, &until);
		int64_t		last = until > instant ? instant : until - 1;

		if (last + offset > latest)
			latest = last + offset;
		if (until > instant)
			break;
		from = until;
	}
	return latest;
}
