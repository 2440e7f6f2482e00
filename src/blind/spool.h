/*
 * spool.h: the entries of an index that is built, sorted; of a unique one no two rows
 * with the same tag, but for such as may have it.
 */
#ifndef STEWARD_BLIND_SPOOL_H
#define STEWARD_BLIND_SPOOL_H

#include "base/compat.h"

#include "blind/codec.h"
#include "blind/sort.h"
#include "utils/rel.h"

typedef struct StewardBlindSpool
{
	Relation	heap;
	Relation	index;
	bool		unique;
	StewardBlindSort *sort;		/* all rows, or those that must differ */
	StewardBlindSort *exempt;	/* the others, of a unique index */

	/* Of a unique index: what comes next from each. */
	StewardBlindEntry next;
	StewardBlindEntry next_exempt;
	bool		has_next;
	bool		has_exempt;
} StewardBlindSpool;

/*
 * Begins to take the rows of a table, in a child of the current context, within work_kb
 * kilobytes; for a unique index also work_mem.
 */
extern void steward_blind_spool_begin(StewardBlindSpool *spool, Relation heap,
									  Relation index, int tag_bits, int work_kb);

/*
 * Adds a row; when it is not bound, another may be like it: see StewardBlindTake.
 */
extern void steward_blind_spool_add(StewardBlindSpool *spool, StewardBlindTag tag,
									uint64 tid, bool bound);

/* No more come. May raise what steward_blind_spool_next raises. */
extern void steward_blind_spool_perform(StewardBlindSpool *spool);

/*
 * The next entry in order, each once; false after the last. Raises
 * ERRCODE_UNIQUE_VIOLATION.
 */
extern bool steward_blind_spool_next(StewardBlindSpool *spool, StewardBlindEntry *entry);

/* How many were added. */
extern uint64 steward_blind_spool_count(const StewardBlindSpool *spool);

extern void steward_blind_spool_end(StewardBlindSpool *spool);

#endif							/* STEWARD_BLIND_SPOOL_H */
