/*
 * point.h: a point in the history of the database, and what lies before it.
 */
#ifndef STEWARD_HISTORY_POINT_H
#define STEWARD_HISTORY_POINT_H

#include "base/compat.h"

#include "access/transam.h"
#include "datatype/timestamp.h"

typedef struct StewardPoint
{
	bool		by_snapshot;
	TimestampTz at;				/* unless by snapshot */
	Datum		snapshot;		/* a pg_snapshot of the present incarnation */
} StewardPoint;

extern StewardPoint steward_point_at(TimestampTz at);
extern StewardPoint steward_point_of_snapshot(Datum snapshot);

/*
 * Records of transactions after the point were written after this time; DT_NOBEGIN
 * for a snapshot, which says nothing of time.
 */
extern TimestampTz steward_point_written_after(const StewardPoint *point);

/* Transactions that the snapshot does not show have this id, or a later one. */
extern uint64 steward_point_xmin(const StewardPoint *point);

/*
 * Is a transaction, as a whole, before the point? last_written is when its last
 * records were written, ours whether it is of an incarnation of this database
 * whose transaction ids go on in the present one.
 */
extern bool steward_point_includes(const StewardPoint *point, uint64 xid,
								   TimestampTz last_written, bool ours);

#endif							/* STEWARD_HISTORY_POINT_H */
