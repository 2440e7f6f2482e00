/*
 * walk.h: all leaves of a block, with their indexes: the opening of the log, hashes
 * kept of pruned records, and records.
 */
#ifndef STEWARD_LEDGER_WALK_H
#define STEWARD_LEDGER_WALK_H

#include "base/compat.h"

#include "ledger/block.h"
#include "ledger/scan.h"

/* A leaf; what it is made of is good until the callback returns. */
typedef struct StewardLeaf
{
	uint64		index;
	StewardHash hash;
	const StewardLeafRecord *record;	/* NULL: opening, or pruned */
	const StewardLogRow *row;	/* of the record, else NULL */
	const unsigned char *bytes; /* of the opening, else NULL */
	size_t		length;
} StewardLeaf;

typedef struct StewardWalk
{
	/* Set by the caller. False ends the walk. */
	bool		(*leaf) (void *arg, const StewardLeaf *leaf);
	void		(*damaged) (void *arg, const StewardLogRow *row, const char *why);
	void	   *arg;
	StewardDigests *digests;	/* of the log */

	/* What was found. */
	uint64		first;			/* of the leaves that were not pruned away */
	uint64		next;			/* index after the last leaf */
	uint64		pruned;			/* leaves before first, and kept hashes */
	bool		opening_missing;
	StewardHash contexts;
	StewardHash schemas;

	/* Its own. */
	int32		incarnation;
	uint64		last_kept;		/* no hash is kept from here on */
} StewardWalk;

/*
 * Where the records of a log begin that are not pruned: a multiple of 256, which is
 * the boundary, or less: hashes are kept from there on. 0 when nothing was pruned.
 */
extern uint64 steward_walk_floor(int32 incarnation);

/* The first leaf whose record is not pruned. */
extern uint64 steward_walk_boundary(int32 incarnation);

/*
 * Walks a block under the active snapshot; before is the one before it, NULL for the
 * first. More or fewer leaves than the header says may come. SPI is connected.
 */
extern void steward_walk_block(StewardWalk *walk, const StewardBlock *before,
							   const StewardBlock *block);

/* Reads the block before; false when it is missing, true without one for the first. */
extern bool steward_walk_before(const StewardBlock *block, StewardBlock *before,
								const StewardBlock **found);

#endif							/* STEWARD_LEDGER_WALK_H */
