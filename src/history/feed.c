/*
 * feed.c: steward.feed_leaves, which records lie where in the ledger.
 *
 * The order of leaves is the one order of records that never changes and has no
 * gap that is filled later: that of transaction ids or of times would have a reader
 * who remembers where he was miss what a long transaction commits late.
 */
#include "base/compat.h"

#include "audit/segment.h"
#include "base/argument.h"
#include "funcapi.h"
#include "ledger/block.h"
#include "ledger/error.h"
#include "ledger/log.h"
#include "ledger/session.h"
#include "ledger/tree.h"
#include "ledger/walk.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

enum
{
	FEED_INCARNATION,
	FEED_LEAF,
	FEED_XID,
	FEED_SEQ,
	FEED_NATTS
};

typedef struct Feed
{
	ReturnSetInfo *result;
	int32		incarnation;
} Feed;

/* What is no record, the opening of a log, has no transaction. */
static bool
put_leaf(void *arg, const StewardLeaf *leaf)
{
	Feed	   *feed = arg;
	Datum		values[FEED_NATTS] = {0};
	bool		nulls[FEED_NATTS] = {false};

	values[FEED_INCARNATION] = Int32GetDatum(feed->incarnation);
	values[FEED_LEAF] = Int64GetDatum((int64) leaf->index);
	nulls[FEED_XID] = nulls[FEED_SEQ] = leaf->record == NULL;
	if (leaf->record != NULL)
	{
		values[FEED_XID] = UInt64GetDatum(leaf->record->xid);
		values[FEED_SEQ] = Int32GetDatum((int32) leaf->record->seq);
	}
	tuplestore_putvalues(feed->result->setResult, feed->result->setDesc, values, nulls);
	return true;
}

/* The first leaf to show: what was pruned is shown no more. */
static uint64
first_leaf(FunctionCallInfo fcinfo, int32 incarnation)
{
	uint64		boundary = steward_walk_boundary(incarnation);

	if (PG_ARGISNULL(0))
		return boundary;
	if (PG_GETARG_INT64(0) < -1 || PG_GETARG_INT64(0) == PG_INT64_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be the index of a leaf", "after"),
				 errhint("Give the last one that was read, or null to begin.")));
	if ((uint64) (PG_GETARG_INT64(0) + 1) < boundary)
		ereport(WARNING,
				(errmsg("leaves before " UINT64_FORMAT " were pruned, and are not in the feed",
						boundary)));
	return Max(boundary, (uint64) (PG_GETARG_INT64(0) + 1));
}

STEWARD_FUNCTION(steward_feed_leaves)
{
	Feed		feed = {(ReturnSetInfo *) fcinfo->resultinfo};
	StewardTree *tree = palloc(sizeof(StewardTree));
	StewardSession session;
	StewardBlock newest;

	steward_require_argument(fcinfo, 1, "max");
	if (PG_GETARG_INT32(1) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be at least 1", "max")));
	InitMaterializedSRF(fcinfo, 0);
	steward_session_begin(&session);
	steward_segment_look_again();
	feed.incarnation = PG_ARGISNULL(2) ? steward_log_default() : PG_GETARG_INT32(2);
	if (feed.incarnation != 0 &&
		steward_block_newest_committed(feed.incarnation, &newest))
	{
		uint64		first = first_leaf(fcinfo, feed.incarnation);
		uint64		end = Min(STEWARD_BLOCK_END(&newest),
							  first + (uint64) PG_GETARG_INT32(1));

		steward_tree_begin(tree, feed.incarnation);
		if (first < end && !steward_tree_walk(tree, first, end, put_leaf, &feed))
			steward_ledger_corrupted("records that were sealed are missing");
	}
	steward_session_end(&session);
	PG_RETURN_NULL();
}
