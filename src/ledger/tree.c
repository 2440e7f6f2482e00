/*
 * tree.c: the tree of a log; see tree.h.
 *
 * Hashes of 256 leaves and more are in tiles. Those of fewer follow from the leaves of
 * one tile, hashed anew from the records; the last tile so read is remembered.
 */
#include "ledger/tree.h"

#include "miscadmin.h"

void
steward_tree_begin(StewardTree *tree, int32 incarnation)
{
	tree->incarnation = incarnation;
	tree->digests = steward_digests_begin(incarnation);
	tree->count = 0;
	steward_tile_reader_begin(&tree->tiles, incarnation);
}

/* Passes on what lies in the range. */
typedef struct Range
{
	uint64		first;
	uint64		end;
	uint64		next;			/* that was passed on, up to here */
	bool		stopped;
	bool		(*leaf) (void *arg, const StewardLeaf *leaf);
	void	   *arg;
} Range;

static bool
pass_on(void *arg, const StewardLeaf *leaf)
{
	Range	   *range = arg;

	if (leaf->index < range->first)
		return true;
	if (leaf->index >= range->end)
		return false;
	range->next = leaf->index + 1;
	range->stopped = !range->leaf(range->arg, leaf);
	return !range->stopped;
}

bool
steward_tree_walk(StewardTree *tree, uint64 first, uint64 end,
				  bool (*leaf) (void *arg, const StewardLeaf *leaf), void *arg)
{
	Range		range = {.first = first, .end = end, .next = first, .leaf = leaf, .arg = arg};
	StewardWalk walk = {.leaf = pass_on, .arg = &range, .digests = tree->digests};
	StewardBlock block;
	StewardBlock before_block;
	const StewardBlock *before;

	if (first >= end)
		return first == end;
	if (!steward_block_of_leaf(tree->incarnation, first, &block))
		return false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!steward_walk_before(&block, &before_block, &before))
			return false;
		range.first = range.next;
		steward_walk_block(&walk, before, &block);
		if (range.stopped)
			return true;
		if (range.next != Min(end, (uint64) STEWARD_BLOCK_END(&block)))
			return false;
		if (range.next == end)
			return true;
		if (!steward_block_read(tree->incarnation, block.number + 1, &block))
			return false;
	}
}

static bool
keep_hash(void *arg, const StewardLeaf *leaf)
{
	StewardTree *tree = arg;

	tree->hashes[leaf->index - tree->first] = leaf->hash;
	tree->count++;
	return true;
}

/* Reads the leaves of the tile that holds one, as many as there are. */
static void
read_leaves(StewardTree *tree, uint64 index)
{
	uint64		first = index - index % STEWARD_TILE_WIDTH;

	tree->first = first;
	tree->count = 0;
	(void) steward_tree_walk(tree, first, first + STEWARD_TILE_WIDTH, keep_hash, tree);
}

bool
steward_tree_subtree(void *context, unsigned int level, uint64_t index, StewardHash *hash)
{
	StewardTree *tree = context;
	StewardTileRun run;
	StewardHash entries[STEWARD_TILE_WIDTH / 2];

	steward_tile_cover(&run, level, index);
	if (run.level == 0)
	{
		if (tree->count == 0 || run.first < tree->first ||
			run.first + run.count > tree->first + tree->count)
			read_leaves(tree, run.first);
		if (run.first < tree->first || run.first + run.count > tree->first + tree->count)
			return false;
		memcpy(entries, tree->hashes + (run.first - tree->first),
			   run.count * sizeof(StewardHash));
	}
	else
		for (uint64 i = 0; i < run.count; i++)
			if (!steward_tile_read(&tree->tiles, run.level, run.first + i, &entries[i]))
				return false;
	steward_merkle_join(hash, entries, run.count);
	return true;
}

bool
steward_tree_root(StewardTree *tree, uint64 size, StewardHash *root)
{
	if (size == 0)
	{
		steward_merkle_empty(root);
		return true;
	}
	return steward_proof_range(root, 0, size, steward_tree_subtree, tree);
}
