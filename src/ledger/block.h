/*
 * block.h: the headers of blocks, rows of steward.ledger_block.
 *
 * Everything is read with the active snapshot, without SPI.
 */
#ifndef STEWARD_LEDGER_BLOCK_H
#define STEWARD_LEDGER_BLOCK_H

#include "base/compat.h"

#include "crypto/merkle.h"
#include "datatype/timestamp.h"

typedef struct StewardBlock
{
	int32		incarnation;
	int64		number;			/* from 1, without gaps */
	char	   *snapshot;		/* in the context it was read in */
	int64		first_leaf;
	int64		leaves;
	StewardHash root;			/* of the tree up to the end of this block */
	StewardHash previous;		/* digest of the header before; zeros */
	StewardHash contexts;		/* what records refer to; see scan.h */
	StewardHash schemas;
	StewardFrontier frontier;	/* of the tree up to the end of this block */
	TimestampTz sealed_at;
	bool		own;			/* not committed: of this transaction */
} StewardBlock;

/* Leaves of the tree up to the end of a block. */
#define STEWARD_BLOCK_END(block) ((block)->first_leaf + (block)->leaves)

/* The digest of a header, which the next one keeps. */
extern void steward_block_digest(StewardHash *digest, const StewardBlock *block);

/*
 * Find a block of a log: by its number; the newest; that which holds a leaf. False:
 * there is none. Raise ERRCODE_DATA_CORRUPTED for a header that is malformed.
 */
extern bool steward_block_read(int32 incarnation, int64 number, StewardBlock *block);
extern bool steward_block_newest(int32 incarnation, StewardBlock *block);
extern bool steward_block_of_leaf(int32 incarnation, int64 leaf, StewardBlock *block);

/* The newest that others can see too: not one that may still be rolled back. */
extern bool steward_block_newest_committed(int32 incarnation, StewardBlock *block);

/* The block that a transaction's records are in: the first whose snapshot saw it
 * end. False: not sealed. */
extern bool steward_block_of_xid(int32 incarnation, uint64 xid, StewardBlock *block);

extern void steward_block_write(const StewardBlock *block);

#endif							/* STEWARD_LEDGER_BLOCK_H */
