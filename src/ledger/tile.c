/*
 * tile.c: the hashes of complete subtrees; see tile.h.
 */
#include "ledger/tile.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "ledger/error.h"
#include "ledger/values.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of steward.ledger_tile, counted from 0. */
enum
{
	TILE_INCARNATION,
	TILE_LEVEL,
	TILE_INDEX,
	TILE_HASHES,
	TILE_NATTS
};

static StewardRelationRef tile_table = {"ledger_tile"};
static StewardRelationRef tile_key = {"ledger_tile_pkey"};

void
steward_tile_writer_begin(StewardTileWriter *writer, int32 incarnation)
{
	writer->incarnation = incarnation;
	for (int level = 0; level <= STEWARD_TILE_MAX_LEVEL; level++)
		writer->runs[level].count = 0;
}

static void
write_run(StewardTileWriter *writer, unsigned int level)
{
	Datum		values[TILE_NATTS];
	bool		nulls[TILE_NATTS] = {false};

	values[TILE_INCARNATION] = Int32GetDatum(writer->incarnation);
	values[TILE_LEVEL] = Int32GetDatum((int32) level);
	values[TILE_INDEX] = Int64GetDatum((int64) writer->runs[level].first);
	values[TILE_HASHES] =
		steward_value_of_bytes(writer->runs[level].hashes,
							   writer->runs[level].count * STEWARD_HASH_BYTES);
	steward_sink_insert(&tile_table, TILE_NATTS, values, nulls);
	pfree(DatumGetPointer(values[TILE_HASHES]));
	writer->runs[level].count = 0;
}

void
steward_tile_writer_add(void *context, unsigned int level, uint64_t index,
						const StewardHash *hash)
{
	StewardTileWriter *writer = context;
	unsigned int tile_level = level / STEWARD_TILE_HEIGHT;

	if (!steward_tile_keeps(level))
		return;
	if (writer->runs[tile_level].count == STEWARD_TILE_RUN)
		write_run(writer, tile_level);
	if (writer->runs[tile_level].count == 0)
		writer->runs[tile_level].first = index;
	writer->runs[tile_level].hashes[writer->runs[tile_level].count++] = *hash;
}

void
steward_tile_writer_end(StewardTileWriter *writer)
{
	for (unsigned int level = 1; level <= STEWARD_TILE_MAX_LEVEL; level++)
		if (writer->runs[level].count > 0)
			write_run(writer, level);
}

void
steward_tile_reader_begin(StewardTileReader *reader, int32 incarnation)
{
	reader->incarnation = incarnation;
	reader->count = 0;
}

static void
take_row(StewardTileReader *reader, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[TILE_NATTS];
	bool		nulls[TILE_NATTS];
	StewardSlot hashes;

	heap_deform_tuple(tuple, desc, values, nulls);
	if (nulls[TILE_HASHES])
		steward_ledger_corrupted("a row of ledger_tile is malformed");
	hashes = steward_value_bytes(values[TILE_HASHES]);
	if (hashes.length == 0 || hashes.length % STEWARD_HASH_BYTES != 0 ||
		hashes.length > sizeof(reader->hashes))
		steward_ledger_corrupted("a row of ledger_tile is malformed");
	reader->level = (unsigned int) DatumGetInt32(values[TILE_LEVEL]);
	reader->first = (uint64) DatumGetInt64(values[TILE_INDEX]);
	reader->count = hashes.length / STEWARD_HASH_BYTES;
	memcpy(reader->hashes, hashes.data, hashes.length);
}

/* Reads the run that begins at index or is the last one before. */
static void
fetch_run(StewardTileReader *reader, unsigned int level, uint64 index)
{
	Relation	table = steward_relation_open(&tile_table, AccessShareLock);
	Relation	key = steward_relation_open(&tile_key, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	reader->count = 0;
	ScanKeyInit(&keys[0], TILE_INCARNATION + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(reader->incarnation));
	ScanKeyInit(&keys[1], TILE_LEVEL + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum((int32) level));
	ScanKeyInit(&keys[2], TILE_INDEX + 1, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum((int64) index));
	scan = systable_beginscan_ordered(table, key, GetActiveSnapshot(), 3, keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
		take_row(reader, tuple, RelationGetDescr(table));
	systable_endscan_ordered(scan);
	relation_close(key, AccessShareLock);
	relation_close(table, AccessShareLock);
}

static bool
holds(const StewardTileReader *reader, unsigned int level, uint64 index)
{
	return reader->count > 0 && reader->level == level &&
		index >= reader->first && index - reader->first < reader->count;
}

bool
steward_tile_read(StewardTileReader *reader, unsigned int tile_level, uint64 index,
				  StewardHash *hash)
{
	if (!holds(reader, tile_level, index))
		fetch_run(reader, tile_level, index);
	if (!holds(reader, tile_level, index))
		return false;
	*hash = reader->hashes[index - reader->first];
	return true;
}

bool
steward_tile_frontier(StewardTileReader *reader, uint64 size,
					  StewardFrontier *frontier)
{
	steward_frontier_init(frontier);
	for (unsigned int level = STEWARD_TILE_MAX_LEVEL; level >= 1; level--)
	{
		unsigned int height = STEWARD_TILE_HEIGHT * level;

		/* Complete subtrees of this level that the larger ones leave. */
		while (size - frontier->size >= (UINT64CONST(1) << height))
		{
			StewardHash hash;

			if (!steward_tile_read(reader, level, frontier->size >> height, &hash) ||
				!steward_frontier_add(frontier, height, &hash, NULL, NULL))
				return false;
		}
	}
	return frontier->size == size;
}
