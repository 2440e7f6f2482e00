/*
 * tile.c: which hashes of a tree are kept; see tile.h.
 */
#include "crypto/tile.h"

unsigned int
steward_tile_grown(StewardTileRun runs[STEWARD_TILE_MAX_LEVEL + 1],
				   uint64_t old_size, uint64_t new_size)
{
	unsigned int deepest = 0;

	for (unsigned int level = 0; level <= STEWARD_TILE_MAX_LEVEL; level++)
	{
		uint64_t	before = steward_tile_entries(level, old_size);
		uint64_t	after = steward_tile_entries(level, new_size);

		runs[level].level = level;
		runs[level].first = before;
		runs[level].count = after > before ? after - before : 0;
		if (runs[level].count > 0)
			deepest = level;
	}
	return deepest;
}

void
steward_tile_cover(StewardTileRun *run, unsigned int level, uint64_t index)
{
	unsigned int rest = level % STEWARD_TILE_HEIGHT;

	run->level = level / STEWARD_TILE_HEIGHT;
	run->first = index << rest;
	run->count = (uint64_t) 1 << rest;
}

bool
steward_tile_subtree(void *context, unsigned int level, uint64_t index,
					 StewardHash *hash)
{
	const StewardTileSource *source = context;
	StewardHash hashes[STEWARD_TILE_WIDTH / 2];
	StewardTileRun run;

	steward_tile_cover(&run, level, index);
	if (!source->load(source->context, &run, hashes))
		return false;
	steward_merkle_join(hash, hashes, (size_t) run.count);
	return true;
}
