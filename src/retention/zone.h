/*
 * zone.h: local time, for whatever knows the rules of a time zone.
 *
 * Pure C without PostgreSQL's headers: the server's zones come in through
 * schedule_zone.c, those of clock tests are written down in the tests.
 *
 * Terms
 *	 instant	seconds since 1970-01-01 00:00 UTC
 *	 local time	what clocks show at an instant: the same number, with the zone's
 *				offset added. Where clocks are put forward, local times are left
 *				out; where they are put back, local times come twice
 *	 never		STEWARD_NEVER, later than each instant
 */
#ifndef STEWARD_RETENTION_ZONE_H
#define STEWARD_RETENTION_ZONE_H

#include <stdint.h>

#define STEWARD_NEVER INT64_MAX

/* Instants that are dealt with: what a timestamptz can be. */
#define STEWARD_INSTANT_MIN INT64_C(-210866803200)	/* 4714-11-24 BC */
#define STEWARD_INSTANT_END INT64_C(9224318016000)	/* 294277-01-01 */

typedef struct StewardZone StewardZone;

struct StewardZone
{
	/*
	 * The offset at an instant, in seconds, positive east of Greenwich and of
	 * less than a week; *until becomes a later instant, up to which the
	 * offset stays, STEWARD_NEVER when it does for ever. It is called with
	 * instants up to a month beyond those that are dealt with.
	 */
	int32_t		(*offset) (const StewardZone *zone, int64_t instant, int64_t *until);
	const void *data;			/* for that function */
};

/*
 * The first instant at which clocks show a local time, or a later one. So a local time that is
 * left out is at the instant when clocks are put forward, and one that comes twice is at the
 * first of the two. A later local time is never at an earlier instant.
 */
extern int64_t steward_zone_instant(const StewardZone *zone, int64_t local);

/* What clocks show at an instant. */
extern int64_t steward_zone_local(const StewardZone *zone, int64_t instant);

/*
 * The latest local time that clocks have shown up to an instant: while they repeat what
 * they had shown, it stands still.
 */
extern int64_t steward_zone_latest(const StewardZone *zone, int64_t instant);

#endif							/* STEWARD_RETENTION_ZONE_H */
