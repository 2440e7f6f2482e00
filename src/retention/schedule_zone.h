/*
 * schedule_zone.h: schedules in the server's time zones, see schedule.h.
 *
 * A moment is rounded down to whole seconds, which changes nothing: what is planned are
 * whole seconds. Nothing here takes locks or reads tables. What is planned depends on the
 * server's time zone data, so it can change with an update of these.
 */
#ifndef STEWARD_RETENTION_SCHEDULE_ZONE_H
#define STEWARD_RETENTION_SCHEDULE_ZONE_H

#include "base/compat.h"

#include "datatype/timestamp.h"
#include "pgtime.h"

#include "retention/schedule.h"

/*
 * The zone of a name, or the session's for NULL; ERRCODE_INVALID_PARAMETER_VALUE when it is
 * not known. Zones live as long as the process; pg_get_timezone_name gives the name.
 */
extern pg_tz *steward_time_zone(const char *name);

/* The same, for the pure functions. */
extern void steward_schedule_zone(StewardZone *zone, const char *name);

/* Reads a schedule; ERRCODE_INVALID_PARAMETER_VALUE says what is wrong with it. */
extern void steward_schedule_read(StewardSchedule *schedule, const char *text);

/*
 * As steward_schedule_next: the first planned moment after another; DT_NOEND when there
 * is none, or after is infinity. Raises as the two above do.
 */
extern TimestampTz steward_schedule_next_run(const char *schedule, const char *time_zone,
											 TimestampTz anchor, TimestampTz after);

/* As steward_schedule_plan; last is DT_NOBEGIN for a policy that never ran. */
extern TimestampTz steward_schedule_plan_run(const char *schedule, const char *time_zone,
											 TimestampTz anchor, TimestampTz last,
											 TimestampTz now);

/* As steward_schedule_due; *planned may be DT_NOEND. */
extern bool steward_schedule_run_due(const char *schedule, const char *time_zone,
									 TimestampTz anchor, TimestampTz last,
									 TimestampTz now, TimestampTz *planned);

#endif							/* STEWARD_RETENTION_SCHEDULE_ZONE_H */
