/*
 * renew.h: moving the values of one table to the newest version of their key.
 *
 * A value is opened and sealed again in memory of ours: same key id, same type,
 * same subject, so whoever may read the new one could read the old one, and
 * nobody is shown either. That is why it needs no right to decrypt. A transient
 * value, which anyone may open, gets the key of its column.
 *
 * In a table that is bound to subjects, values that are not bound yet get bound,
 * as the trigger that binds it would do; what is bound to another subject than the
 * row's stays so, for verify_column to tell.
 *
 * old		under a version that is not the newest of its key, no value at all,
 *			or not bound in a bound table
 * stuck	old, and cannot be moved: it cannot be opened, or the subject to bind it
 *			to was erased
 *
 * Values of erased subjects stay as they are, and count as nothing.
 */
#ifndef STEWARD_COLUMNS_RENEW_H
#define STEWARD_COLUMNS_RENEW_H

#include "base/compat.h"

#include "columns/bind.h"
#include "columns/count.h"
#include "storage/block.h"
#include "utils/relcache.h"

typedef struct StewardRenewal
{
	uint64		rows;			/* changed */
	uint64		values;			/* moved in them */
	uint64		busy;			/* rows left because others had them locked */
	uint64		unreadable;		/* stuck */
	uint64		unbound;		/* stuck: their subject was erased */
} StewardRenewal;

/* The blocks of a table that are still to be done. */
typedef struct StewardRenewBlocks
{
	Oid			relation;
	BlockNumber next;			/* of a whole table */
	BlockNumber end;
	BlockNumber *list;			/* or these, when not NULL */
	int			count;
	int			position;
} StewardRenewBlocks;

/*
 * Does a batch: blocks until milliseconds have passed, at least one. Adds what
 * it did to sum. Takes RowExclusiveLock and row locks without waiting for
 * these, and acts as the table's owner. A table that is gone is done.
 */
extern void steward_renew_batch(StewardRenewBlocks *blocks, int milliseconds,
								StewardRenewal *sum);
extern bool steward_renew_done(const StewardRenewBlocks *blocks);

/* What a look at a table found. */
typedef struct StewardRenewLook
{
	StewardCounts counts;
	uint64		old;			/* values, stuck ones among them */
	BlockNumber *blocks;		/* where these are, in ascending order */
	int			block_count;
	int			block_capacity;
} StewardRenewLook;

/*
 * Reads through a table, of which it opens no value, as the active snapshot
 * shows it. The caller has locked it. *look is zeroed first and grows in the
 * current context.
 */
extern void steward_renew_look(StewardRenewLook *look, Relation rel,
							   StewardShape **shapes);

#endif							/* STEWARD_COLUMNS_RENEW_H */
