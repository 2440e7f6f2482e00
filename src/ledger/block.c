/*
 * block.c: the headers of blocks; see block.h.
 */
#include "ledger/block.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/xact.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "crypto/leaf.h"
#include "ledger/error.h"
#include "ledger/values.h"
#include "ledger/xids.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns of steward.ledger_block, counted from 0. */
enum
{
	BLOCK_INCARNATION,
	BLOCK_NUMBER,
	BLOCK_SNAPSHOT,
	BLOCK_FIRST_LEAF,
	BLOCK_LEAVES,
	BLOCK_ROOT,
	BLOCK_PREVIOUS,
	BLOCK_CONTEXTS,
	BLOCK_SCHEMAS,
	BLOCK_FRONTIER,
	BLOCK_SEALED_AT,
	BLOCK_NATTS
};

static StewardRelationRef block_table = {"ledger_block"};
static StewardRelationRef block_key = {"ledger_block_pkey"};
static StewardRelationRef leaf_index = {"ledger_block_incarnation_first_leaf_idx"};

void
steward_block_digest(StewardHash *digest, const StewardBlock *block)
{
	StewardSha256 row;
	unsigned char frontier[STEWARD_FRONTIER_MAX_BYTES];
	size_t		length = steward_frontier_pack(frontier, &block->frontier);

	steward_row_begin(&row, "ledger_block");
	steward_row_int32(&row, block->incarnation);
	steward_row_int64(&row, block->number);
	steward_row_text(&row, block->snapshot);
	steward_row_int64(&row, block->first_leaf);
	steward_row_int64(&row, block->leaves);
	steward_row_bytes(&row, block->root.bytes, STEWARD_HASH_BYTES);
	steward_row_bytes(&row, block->previous.bytes, STEWARD_HASH_BYTES);
	steward_row_bytes(&row, block->contexts.bytes, STEWARD_HASH_BYTES);
	steward_row_bytes(&row, block->schemas.bytes, STEWARD_HASH_BYTES);
	steward_row_bytes(&row, frontier, length);
	steward_row_int64(&row, block->sealed_at);
	steward_row_end(&row, digest);
}

static void
read_row(HeapTuple tuple, TupleDesc desc, StewardBlock *block)
{
	Datum		values[BLOCK_NATTS];
	bool		nulls[BLOCK_NATTS];
	StewardSlot frontier;

	if (desc->natts < BLOCK_NATTS)
		steward_ledger_corrupted("table ledger_block lacks columns");
	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < BLOCK_NATTS; i++)
		if (nulls[i])
			steward_ledger_corrupted("a block header is incomplete");
	block->incarnation = DatumGetInt32(values[BLOCK_INCARNATION]);
	block->number = DatumGetInt64(values[BLOCK_NUMBER]);
	block->snapshot = OidOutputFunctionCall(F_PG_SNAPSHOT_OUT, values[BLOCK_SNAPSHOT]);
	block->first_leaf = DatumGetInt64(values[BLOCK_FIRST_LEAF]);
	block->leaves = DatumGetInt64(values[BLOCK_LEAVES]);
	steward_value_hash(&block->root, values[BLOCK_ROOT]);
	steward_value_hash(&block->previous, values[BLOCK_PREVIOUS]);
	steward_value_hash(&block->contexts, values[BLOCK_CONTEXTS]);
	steward_value_hash(&block->schemas, values[BLOCK_SCHEMAS]);
	frontier = steward_value_bytes(values[BLOCK_FRONTIER]);
	block->sealed_at = DatumGetTimestampTz(values[BLOCK_SEALED_AT]);
	block->own = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	if (block->first_leaf < 0 || block->leaves <= 0 ||
		block->leaves > PG_INT64_MAX - block->first_leaf ||
		!steward_frontier_unpack(&block->frontier, STEWARD_BLOCK_END(block),
								 frontier.data, frontier.length))
		steward_ledger_corrupted("a block header is malformed");
}

/*
 * The last row in index order whose second column is at most bound; that column is
 * number or first_leaf.
 */
static bool
find_last(StewardRelationRef *index_ref, AttrNumber column, int32 incarnation,
		  int64 bound, StewardBlock *block)
{
	Relation	table = steward_relation_open(&block_table, AccessShareLock);
	Relation	index = steward_relation_open(index_ref, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&keys[0], BLOCK_INCARNATION + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(incarnation));
	ScanKeyInit(&keys[1], column, BTLessEqualStrategyNumber, F_INT8LE,
				Int64GetDatum(bound));
	scan = systable_beginscan_ordered(table, index, GetActiveSnapshot(), 2, keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	found = HeapTupleIsValid(tuple);
	if (found)
		read_row(tuple, RelationGetDescr(table), block);
	systable_endscan_ordered(scan);
	relation_close(index, AccessShareLock);
	relation_close(table, AccessShareLock);
	return found;
}

bool
steward_block_read(int32 incarnation, int64 number, StewardBlock *block)
{
	return find_last(&block_key, BLOCK_NUMBER + 1, incarnation, number, block) &&
		block->number == number;
}

bool
steward_block_newest(int32 incarnation, StewardBlock *block)
{
	return find_last(&block_key, BLOCK_NUMBER + 1, incarnation, PG_INT64_MAX, block);
}

bool
steward_block_newest_committed(int32 incarnation, StewardBlock *block)
{
	if (!steward_block_newest(incarnation, block))
		return false;
	return !block->own ||
		steward_block_read(incarnation, block->number - 1, block);
}

bool
steward_block_of_leaf(int32 incarnation, int64 leaf, StewardBlock *block)
{
	return find_last(&leaf_index, BLOCK_FIRST_LEAF + 1, incarnation, leaf, block) &&
		leaf < STEWARD_BLOCK_END(block);
}

static bool
has_ended(const StewardBlock *block, uint64 xid)
{
	StewardXids xids;

	steward_xids_parse(&xids, block->snapshot);
	return steward_xids_ended(&xids, xid);
}

/* What a snapshot sees, all later ones see: so the first can be searched for. */
bool
steward_block_of_xid(int32 incarnation, uint64 xid, StewardBlock *block)
{
	int64		low = 1;
	int64		high;

	if (!steward_block_newest(incarnation, block) || !has_ended(block, xid))
		return false;
	high = block->number;
	while (low < high)
	{
		int64		middle = low + (high - low) / 2;

		CHECK_FOR_INTERRUPTS();
		if (!steward_block_read(incarnation, middle, block))
			steward_ledger_corrupted("a block is missing");
		if (has_ended(block, xid))
			high = middle;
		else
			low = middle + 1;
	}
	return steward_block_read(incarnation, high, block);
}

void
steward_block_write(const StewardBlock *block)
{
	Datum		values[BLOCK_NATTS];
	bool		nulls[BLOCK_NATTS] = {false};
	unsigned char frontier[STEWARD_FRONTIER_MAX_BYTES];
	size_t		length = steward_frontier_pack(frontier, &block->frontier);

	values[BLOCK_INCARNATION] = Int32GetDatum(block->incarnation);
	values[BLOCK_NUMBER] = Int64GetDatum(block->number);
	values[BLOCK_SNAPSHOT] =
		OidInputFunctionCall(F_PG_SNAPSHOT_IN, block->snapshot, InvalidOid, -1);
	values[BLOCK_FIRST_LEAF] = Int64GetDatum(block->first_leaf);
	values[BLOCK_LEAVES] = Int64GetDatum(block->leaves);
	values[BLOCK_ROOT] = steward_value_of_hash(&block->root);
	values[BLOCK_PREVIOUS] = steward_value_of_hash(&block->previous);
	values[BLOCK_CONTEXTS] = steward_value_of_hash(&block->contexts);
	values[BLOCK_SCHEMAS] = steward_value_of_hash(&block->schemas);
	values[BLOCK_FRONTIER] = steward_value_of_bytes(frontier, length);
	values[BLOCK_SEALED_AT] = TimestampTzGetDatum(block->sealed_at);
	steward_sink_insert(&block_table, BLOCK_NATTS, values, nulls);
}
