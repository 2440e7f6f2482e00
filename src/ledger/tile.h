/*
 * tile.h: the hashes of complete subtrees, rows of steward.ledger_tile.
 *
 * A row holds a run of adjacent entries of one tile level (crypto/tile.h says which
 * there are): those that became complete with a block, in pieces that stay out of
 * TOAST. A row is never changed.
 */
#ifndef STEWARD_LEDGER_TILE_H
#define STEWARD_LEDGER_TILE_H

#include "base/compat.h"

#include "crypto/tile.h"

/* Four rows of so many entries fill a page. */
#define STEWARD_TILE_RUN 60

/* Collects the entries of a log as it grows, and writes full runs. */
typedef struct StewardTileWriter
{
	int32		incarnation;
	struct
	{
		uint64		first;
		uint32		count;
		StewardHash hashes[STEWARD_TILE_RUN];
	}			runs[STEWARD_TILE_MAX_LEVEL + 1];	/* by tile level; 0 unused */
} StewardTileWriter;

extern void steward_tile_writer_begin(StewardTileWriter *writer, int32 incarnation);

/* Takes what steward_frontier_append tells; context is the writer. */
extern void steward_tile_writer_add(void *context, unsigned int level,
									uint64_t index, const StewardHash *hash);

/* Writes what is left. */
extern void steward_tile_writer_end(StewardTileWriter *writer);

/* Reads entries of one log; remembers the last run. */
typedef struct StewardTileReader
{
	int32		incarnation;
	unsigned int level;
	uint64		first;
	uint32		count;			/* 0: none */
	StewardHash hashes[STEWARD_TILE_RUN];
} StewardTileReader;

extern void steward_tile_reader_begin(StewardTileReader *reader, int32 incarnation);

/* An entry; false when no row holds it. ERRCODE_DATA_CORRUPTED: a malformed row. */
extern bool steward_tile_read(StewardTileReader *reader, unsigned int tile_level,
							  uint64 index, StewardHash *hash);

/* The frontier of a tree of size leaves, size a multiple of 256, from entries. */
extern bool steward_tile_frontier(StewardTileReader *reader, uint64 size,
								  StewardFrontier *frontier);

#endif							/* STEWARD_LEDGER_TILE_H */
