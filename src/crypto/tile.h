/*
 * tile.h: which hashes of a tree are kept, and where.
 *
 * The ledger keeps what the C2SP tlog-tiles specification calls tiles of level 1
 * and above: entry index of tile level t, t ≥ 1, is the hash of the complete
 * subtree of 256^t leaves (level 8 t, same index). Leaves are hashed anew from the
 * records. All other subtrees follow from 2, 4, … or 128 adjacent entries, or
 * leaves, which never cross a multiple of 256: from one tile.
 */
#ifndef STEWARD_CRYPTO_TILE_H
#define STEWARD_CRYPTO_TILE_H

#include "crypto/proof.h"

#define STEWARD_TILE_HEIGHT 8
#define STEWARD_TILE_WIDTH 256
#define STEWARD_TILE_MAX_LEVEL 7	/* of trees of fewer than 2^63 leaves */

/* A run of adjacent entries of one tile level; of leaves at level 0. */
typedef struct StewardTileRun
{
	unsigned int level;
	uint64_t	first;
	uint64_t	count;
} StewardTileRun;

/* Is a subtree of this level an entry that is kept? */
static inline bool
steward_tile_keeps(unsigned int level)
{
	return level > 0 && level % STEWARD_TILE_HEIGHT == 0;
}

/* Number of entries of a tile level that a tree of size leaves has. */
static inline uint64_t
steward_tile_entries(unsigned int tile_level, uint64_t size)
{
	return size >> (STEWARD_TILE_HEIGHT * tile_level);
}

/*
 * The entries of each level that become complete as the tree grows from old_size
 * to new_size: fills runs[1 … result], runs[t] for tile level t, with a count of
 * 0 where there are none. runs[0] are the new leaves.
 */
extern unsigned int steward_tile_grown(StewardTileRun runs[STEWARD_TILE_MAX_LEVEL + 1],
									   uint64_t old_size, uint64_t new_size);

/* The entries, or leaves, that a complete subtree follows from by
 * steward_merkle_join: a power of two of them, at most 128. */
extern void steward_tile_cover(StewardTileRun *run, unsigned int level,
							   uint64_t index);

/* Reads a run of entries, or of leaf hashes at level 0. False, and the making of
 * a proof stops, when one is missing; may also not return. */
typedef bool (*StewardTileLoad) (void *context, const StewardTileRun *run,
								 StewardHash *hashes);

typedef struct StewardTileSource
{
	StewardTileLoad load;
	void	   *context;
} StewardTileSource;

/* A StewardSubtree whose context is a StewardTileSource: makes proofs from what
 * is kept. */
extern bool steward_tile_subtree(void *context, unsigned int level,
								 uint64_t index, StewardHash *hash);

#endif							/* STEWARD_CRYPTO_TILE_H */
