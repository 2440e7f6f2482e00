/*
 * walk.c: all leaves of a block; see walk.h.
 */
#include "ledger/walk.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "base/catalog.h"
#include "crypto/tile.h"
#include "ledger/log.h"
#include "ledger/values.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of steward.ledger_prune and steward.ledger_pruned_leaf, from 1. */
enum
{
	BY_INCARNATION = 1, BY_LEAF = 2, KEPT_HASH = 3
};

static StewardRelationRef prune_table = {"ledger_prune"};
static StewardRelationRef prune_key = {"ledger_prune_pkey"};
static StewardRelationRef kept_table = {"ledger_pruned_leaf"};
static StewardRelationRef kept_key = {"ledger_pruned_leaf_pkey"};

/* The greatest leaf, at most bound, that a table has a row for; its third column. */
static bool
find_last(StewardRelationRef *table_ref, StewardRelationRef *key_ref, int32 incarnation,
		  uint64 bound, uint64 *leaf, StewardHash *hash)
{
	Relation	table = steward_relation_open(table_ref, AccessShareLock);
	Relation	key = steward_relation_open(key_ref, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	bool		found;

	ScanKeyInit(&keys[0], BY_INCARNATION, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(incarnation));
	ScanKeyInit(&keys[1], BY_LEAF, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum((int64) bound));
	scan = systable_beginscan_ordered(table, key, GetActiveSnapshot(), 2, keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		TupleDesc	desc = RelationGetDescr(table);

		*leaf = (uint64) DatumGetInt64(heap_getattr(tuple, BY_LEAF, desc, &isnull));
		if (hash != NULL)
			steward_value_hash(hash, heap_getattr(tuple, KEPT_HASH, desc, &isnull));
	}
	systable_endscan_ordered(scan);
	relation_close(key, AccessShareLock);
	relation_close(table, AccessShareLock);
	return found;
}

uint64
steward_walk_boundary(int32 incarnation)
{
	uint64		boundary;

	return find_last(&prune_table, &prune_key, incarnation, PG_INT64_MAX, &boundary,
					 NULL) ? boundary : 0;
}

uint64
steward_walk_floor(int32 incarnation)
{
	uint64		boundary = steward_walk_boundary(incarnation);

	return boundary - boundary % STEWARD_TILE_WIDTH;
}

static bool
give(StewardWalk *walk, StewardLeaf *leaf)
{
	leaf->index = walk->next++;
	return walk->leaf(walk->arg, leaf);
}

/* The kept hashes that come next. */
static bool
give_kept(StewardWalk *walk)
{
	while (walk->next < walk->last_kept)
	{
		StewardLeaf leaf = {0};
		uint64		index;

		if (!find_last(&kept_table, &kept_key, walk->incarnation, walk->next, &index,
					   &leaf.hash) || index != walk->next)
			break;
		walk->pruned++;
		if (!give(walk, &leaf))
			return false;
	}
	return true;
}

static bool
give_opening(StewardWalk *walk)
{
	StewardLeaf leaf = {0};
	unsigned char *bytes;
	char	   *parent;

	walk->opening_missing = !steward_log_opening(walk->incarnation, &leaf.hash, &bytes,
												 &leaf.length, &parent);
	if (walk->opening_missing)
		return true;
	leaf.bytes = bytes;
	return give(walk, &leaf);
}

static bool
give_record(void *arg, const StewardLeafRecord *record, const StewardLogRow *row)
{
	StewardWalk *walk = arg;
	StewardLeaf leaf = {.record = record, .row = row};

	if (!give_kept(walk))
		return false;
	steward_leaf_record_hash(&leaf.hash, record);
	return give(walk, &leaf);
}

static void
tell_damaged(void *arg, const StewardLogRow *row, const char *why)
{
	StewardWalk *walk = arg;

	walk->damaged(walk->arg, row, why);
}

static void
begin_walk(StewardWalk *walk, const StewardBlock *block)
{
	uint64		floor = steward_walk_floor(block->incarnation);
	uint64		kept;

	walk->incarnation = block->incarnation;
	walk->first = Max(floor, (uint64) block->first_leaf);
	walk->pruned = walk->first - (uint64) block->first_leaf;
	walk->next = walk->first;
	walk->opening_missing = false;
	walk->last_kept = find_last(&kept_table, &kept_key, block->incarnation,
								STEWARD_BLOCK_END(block) - 1, &kept, NULL) ? kept + 1 : 0;
	memset(&walk->contexts, 0, sizeof(StewardHash));
	memset(&walk->schemas, 0, sizeof(StewardHash));
}

void
steward_walk_block(StewardWalk *walk, const StewardBlock *before, const StewardBlock *block)
{
	StewardLeafScan scan = {.incarnation = block->incarnation, .digests = walk->digests,
	.record = give_record, .arg = walk};

	begin_walk(walk, block);
	if (walk->first >= (uint64) STEWARD_BLOCK_END(block))
	{
		walk->next = walk->first = STEWARD_BLOCK_END(block);
		walk->pruned = block->leaves;
		return;
	}
	if (walk->first == 0 && !give_opening(walk))
		return;
	scan.damaged = walk->damaged == NULL ? NULL : tell_damaged;
	steward_xids_parse(&scan.before, before == NULL ? STEWARD_XIDS_NONE : before->snapshot);
	steward_xids_parse(&scan.after, block->snapshot);
	steward_leaf_scan(&scan, &walk->contexts, &walk->schemas);
	if (!scan.stopped)
		(void) give_kept(walk);
}

bool
steward_walk_before(const StewardBlock *block, StewardBlock *before,
					const StewardBlock **found)
{
	*found = NULL;
	if (block->number == 1)
		return true;
	if (!steward_block_read(block->incarnation, block->number - 1, before))
		return false;
	*found = before;
	return true;
}
