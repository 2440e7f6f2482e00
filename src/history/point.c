/*
 * point.c: a point in the history of the database; see point.h.
 *
 * A transaction happens at once, when it commits. With track_commit_timestamp the
 * server knows when that was. Otherwise, and of transactions it no longer knows, a
 * transaction counts from when its last records were written: that is shortly
 * before it commits, or when it was prepared. README says what follows.
 */
#include "base/compat.h"

#include "access/commit_ts.h"
#include "access/transam.h"
#include "access/xact.h"
#include "history/point.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

/* So long before its commit at most a transaction is expected to write records. */
#define COMMIT_LAG (INT64CONST(3600) * USECS_PER_SEC)

StewardPoint
steward_point_at(TimestampTz at)
{
	StewardPoint point = {.by_snapshot = false, .at = at};

	return point;
}

StewardPoint
steward_point_of_snapshot(Datum snapshot)
{
	StewardPoint point = {.by_snapshot = true, .snapshot = snapshot};

	return point;
}

TimestampTz
steward_point_written_after(const StewardPoint *point)
{
	if (point->by_snapshot)
		return DT_NOBEGIN;
	if (!track_commit_timestamp || TIMESTAMP_NOT_FINITE(point->at) ||
		point->at < DT_NOBEGIN + COMMIT_LAG + 1)
		return point->at;
	return point->at - COMMIT_LAG;
}

uint64
steward_point_xmin(const StewardPoint *point)
{
	return U64FromFullTransactionId(DatumGetFullTransactionId(DirectFunctionCall1(pg_snapshot_xmin,
																				  point->snapshot)));
}

/* The commit time that the server has of a transaction, if it has one. */
static bool
commit_time(uint64 xid, TimestampTz *time)
{
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	if (!track_commit_timestamp || xid >= next ||
		next - xid >= (uint64) PG_INT32_MAX ||
		!TransactionIdIsNormal((TransactionId) xid))
		return false;
	return TransactionIdGetCommitTsData((TransactionId) xid, time, NULL);
}

bool
steward_point_includes(const StewardPoint *point, uint64 xid,
					   TimestampTz last_written, bool ours)
{
	TimestampTz time = last_written;

	if (point->by_snapshot)
		return !ours ||
			DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot,
											 UInt64GetDatum(xid), point->snapshot));
	if (ours && !commit_time(xid, &time))
		time = last_written;
	return time <= point->at;
}
