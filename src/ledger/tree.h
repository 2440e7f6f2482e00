/*
 * tree.h: the tree of a log, for proofs: hashes of subtrees from tiles and records.
 */
#ifndef STEWARD_LEDGER_TREE_H
#define STEWARD_LEDGER_TREE_H

#include "base/compat.h"

#include "crypto/proof.h"
#include "ledger/digest.h"
#include "ledger/tile.h"
#include "ledger/walk.h"

typedef struct StewardTree
{
	int32		incarnation;
	StewardTileReader tiles;
	StewardDigests *digests;
	uint64		first;			/* of the leaves whose hashes are here */
	uint32		count;
	StewardHash hashes[STEWARD_TILE_WIDTH];
} StewardTree;

/* Begins reading a log. SPI is connected, with an active snapshot. */
extern void steward_tree_begin(StewardTree *tree, int32 incarnation);

/* A StewardSubtree; the context is the tree. */
extern bool steward_tree_subtree(void *context, unsigned int level, uint64_t index,
								 StewardHash *hash);

/* The root of the tree of the first size leaves; false: they are not all there. */
extern bool steward_tree_root(StewardTree *tree, uint64 size, StewardHash *root);

/*
 * Walks the leaves from first on to before end; false when they are not all there.
 * The callback may end it by false, which is true here.
 */
extern bool steward_tree_walk(StewardTree *tree, uint64 first, uint64 end,
							  bool (*leaf) (void *arg, const StewardLeaf *leaf), void *arg);

#endif							/* STEWARD_LEDGER_TREE_H */
