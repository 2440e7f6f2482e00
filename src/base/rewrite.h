/*
 * rewrite.h: giving rows new values in place of an UPDATE.
 *
 * For changes that are none of what the rows say: the same secret under another
 * key. As with VACUUM FULL no trigger fires, no rule, policy or constraint is
 * asked; indexes, TOAST, write-ahead log, statistics and logical replication get
 * what an UPDATE gives them.
 */
#ifndef STEWARD_BASE_REWRITE_H
#define STEWARD_BASE_REWRITE_H

#include "base/compat.h"

#include "executor/tuptable.h"
#include "storage/block.h"
#include "utils/relcache.h"

/*
 * Looks at a row, all of whose columns are in old, and puts the new values of
 * those that change into values and nulls, which hold the old ones; returns
 * whether it did. What it allocates in the current context lives until the next
 * row.
 */
typedef bool (*StewardRewriteRow) (TupleTableSlot *old, Datum *values,
								   bool *nulls, void *arg);

typedef struct StewardRewrite
{
	Relation	rel;
	StewardRewriteRow row;
	void	   *arg;
	uint64		changed;		/* rows */
	uint64		busy;			/* rows locked or changed by others: left */
	bool		wait;			/* for row locks; false at the beginning */

	struct EState *estate;
	struct ResultRelInfo *result;
	TupleTableSlot *old_slot;
	TupleTableSlot *new_slot;
} StewardRewrite;

/*
 * Begins and ends a piece of work on a table that the caller has opened with
 * RowExclusiveLock. An active snapshot is needed in between. Index expressions
 * are evaluated: be the table's owner (steward_become). Raises
 * ERRCODE_FEATURE_NOT_SUPPORTED for a table that is no heap, and what an UPDATE
 * raises for a published table without replica identity.
 */
extern void steward_rewrite_begin(StewardRewrite *rewrite, Relation rel,
								  StewardRewriteRow row, void *arg);
extern void steward_rewrite_end(StewardRewrite *rewrite);

/*
 * Rewrites the rows in blocks from begin up to, not including, end that the
 * active snapshot shows. Waits for no row lock, unless told to.
 */
extern void steward_rewrite_blocks(StewardRewrite *rewrite, BlockNumber begin,
								   BlockNumber end);

#endif							/* STEWARD_BASE_REWRITE_H */
