/*
 * batch.h: the work of one transaction on one leaf.
 *
 * leaf		a table that holds rows itself: the policy's table, a partition or
 *			an inheritance child; always addressed with ONLY
 * candidate	a row that had expired when it was read, neither held nor restricted, not
 *			locked yet
 * sweep	one way through a leaf: candidates are collected and taken in
 *			slices, one slice a batch
 */
#ifndef STEWARD_RETENTION_BATCH_H
#define STEWARD_RETENTION_BATCH_H

#include "base/compat.h"

#include "lib/stringinfo.h"
#include "storage/block.h"
#include "storage/itemptr.h"

#include "retention/policy.h"

typedef enum StewardSweep
{
	SWEEP_TABLE,				/* piece by piece, each with its own snapshot */
	SWEEP_REST					/* what one snapshot over the leaf still shows */
} StewardSweep;

/* Room for candidates, which lives as long as the run. */
typedef struct StewardCandidates
{
	ItemPointerData *rows;
	int			room;
} StewardCandidates;

/* How far a sweep has come: the piece that its candidates are of. */
typedef struct StewardPiece
{
	bool		by_index;
	int64		low;			/* by age: begins here */
	BlockNumber block;			/* by block: likewise */
} StewardPiece;

typedef struct StewardLeaf
{
	Oid			relation;
	const unsigned char *salt;	/* of the run; see receipt.h */
	StewardSweep sweep;
	const StewardPiece *from;	/* SWEEP_TABLE begins there; NULL: at first */
	StewardPiece piece;
	bool		begun;			/* the fields below are set */
	bool		at_end;			/* no more candidates to collect */
	bool		by_index;		/* pieces by age, else by block */
	int64		low;			/* next piece begins here, by age */
	BlockNumber next_block;		/* the same by block */
	BlockNumber end_block;
	uint64		most;			/* rows the leaf can have had at the start */

	StewardCandidates *pool;
	int			count;
	int			next;			/* candidates before this one are done */
	double		fanout;			/* rows that went with one, of late */
	int			wary;			/* batches that lock rows first */

	uint64		found;			/* candidates of this sweep */
	uint64		locked;			/* of these, still expired under our lock */
	uint64		deleted;
	uint64		kept;			/* candidates that turned out held or
								 * restricted */
	uint64		held;			/* rows that were left because of a hold, */
	uint64		restricted;		/* or because of rows that refer to them */
} StewardLeaf;

/* What a batch did. */
typedef struct StewardBatchResult
{
	uint64		rows;			/* of the policy's table */
	uint64		children;		/* that referred to them */
	uint64		bytes;
	StringInfoData leaves;		/* of all these; see receipt.h */
	bool		whole;			/* leaves are of tables, not of rows */
	bool		waited_for;		/* somebody waited for rows that went at once */
} StewardBatchResult;

/* Room for candidates, in the current memory context. */
extern StewardCandidates *steward_candidates_make(void);

/*
 * Whether an error says that others have what a batch wants: a lock, or a row that they have just moved to another
 * partition.
 */
extern bool steward_batch_is_busy(const ErrorData *error);

/* Begins a sweep. */
extern void steward_leaf_begin(StewardLeaf *leaf, StewardSweep sweep);

/* True when the sweep has come to its end. */
extern bool steward_leaf_done(const StewardLeaf *leaf);

/*
 * Takes the next slice of candidates: locks them, and does with those that
 * are still expired under the lock what the policy says, as owner. They are so many that
 * with the rows that refer to them they are about size. The leaves are in the current memory context. Raises
 * ERRCODE_LOCK_NOT_AVAILABLE after waiting 100 ms for a
 * lock; after an error the caller restores the struct and may try again.
 */
extern void steward_leaf_batch(StewardLeaf *leaf, const StewardPolicy *policy,
							   Oid owner, int size, StewardBatchResult *result);

/*
 * Whether the active snapshot shows a row of the leaf that has expired; for a
 * leaf that the caller has locked.
 */
extern bool steward_leaf_has_expired(Oid leaf, const StewardPolicy *policy,
									 Oid owner);

#endif							/* STEWARD_RETENTION_BATCH_H */
