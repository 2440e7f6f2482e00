/*
 * verify_block.c: recomputing a block from the log.
 *
 * Leaves are not stored, so what differs is found as far as hashes are: the entries
 * of tiles, each over 256 leaves, and, for the end of a block, its frontier. Rows
 * that were rewritten by SQL betray themselves by their xmin: no row of a block can
 * be younger than its snapshot.
 */
#include "ledger/verify.h"

#include "access/transam.h"
#include "audit/segment.h"
#include "base/argument.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "ledger/log.h"
#include "ledger/session.h"
#include "ledger/tile.h"
#include "ledger/walk.h"
#include "ledger/xids.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* So many places that differ are kept for one block. */
#define MAX_BAD 64

/* So many rows that were rewritten are named for one block. */
#define MAX_REWRITTEN 20

typedef struct BadEntry
{
	unsigned int tile_level;
	uint64		index;
	StewardPlace start;			/* of its first record in this block */
} BadEntry;

typedef struct BlockCheck
{
	StewardFindings *findings;
	const StewardBlock *block;
	StewardFrontier frontier;
	StewardTileReader tiles;
	StewardPlace tile_start;	/* first leaf of the tile that is being read */
	StewardPlace last;			/* record before */
	const StewardDigests *digests;
	StewardPlace contextless;	/* first record without a context, or seq 0 */
	StewardPlace schemaless;	/* first whose schema version is missing */
	uint64		unreadable;		/* rows of the log */
	int			bad_count;
	BadEntry	bad[MAX_BAD];
} BlockCheck;

static void
compare_entry(void *context, unsigned int level, uint64_t index, const StewardHash *hash)
{
	BlockCheck *check = context;
	unsigned int tile_level = level / STEWARD_TILE_HEIGHT;
	StewardHash stored;

	if (!steward_tile_keeps(level) || check->bad_count == MAX_BAD)
		return;
	if (steward_tile_read(&check->tiles, tile_level, index, &stored) &&
		memcmp(&stored, hash, sizeof stored) == 0)
		return;
	check->bad[check->bad_count].tile_level = tile_level;
	check->bad[check->bad_count].index = index;
	check->bad[check->bad_count++].start = check->tile_start;
}

/* Records of a block ascend in (xid, seq). */
static void
check_order(BlockCheck *check, const StewardPlace *place)
{
	if (place->xid == check->last.xid && place->seq <= check->last.seq)
		steward_finding(check->findings, STEWARD_FOUND_REORDERED, place,
						"The record follows record %d of its transaction: batches overlap.",
						check->last.seq);
	check->last = *place;
}

static bool
is_hash(const StewardHash *one, const StewardHash *other)
{
	return memcmp(one, other, sizeof(StewardHash)) == 0;
}

/* What a record refers to must have been there when it was sealed. */
static void
check_references(BlockCheck *check, const StewardLeafRecord *record, const StewardPlace *place)
{
	if (check->contextless.seq == 0 &&
		is_hash(&record->context, &check->digests->missing_context))
		check->contextless = *place;
	if (check->schemaless.seq == 0 &&
		is_hash(&record->schema, &check->digests->missing_schema))
		check->schemaless = *place;
}

static void
report_references(BlockCheck *check)
{
	if (check->contextless.seq != 0)
		steward_finding(check->findings, STEWARD_FOUND_CONTEXT, &check->contextless,
						"The context of this record was missing, or there twice, when it was sealed, and is.");
	if (check->schemaless.seq != 0)
		steward_finding(check->findings, STEWARD_FOUND_SCHEMA, &check->schemaless,
						"The schema version of this record was missing when it was sealed, and is.");
}

static bool
check_leaf(void *arg, const StewardLeaf *leaf)
{
	BlockCheck *check = arg;
	StewardPlace place = {check->block->incarnation, check->block->number,
	(int64) leaf->index, 0, 0};

	if (leaf->record != NULL)
	{
		place.xid = leaf->record->xid;
		place.seq = (int32) leaf->record->seq;
		check_order(check, &place);
		check_references(check, leaf->record, &place);
	}
	if (leaf->index % STEWARD_TILE_WIDTH == 0 || check->tile_start.leaf < 0)
		check->tile_start = place;
	(void) steward_frontier_append(&check->frontier, &leaf->hash, compare_entry, check);
	return true;
}

static void
report_damaged(void *arg, const StewardLogRow *row, const char *why)
{
	BlockCheck *check = arg;
	StewardPlace place = {check->block->incarnation, check->block->number, -1,
	row->xid, row->first_seq};

	check->unreadable++;
	steward_finding(check->findings, STEWARD_FOUND_ALTERED, &place,
					"A batch of the log cannot be read: %s.", why);
}

static bool
is_later(TransactionId xmin, uint64 xmax)
{
	return TransactionIdIsNormal(xmin) &&
		TransactionIdFollowsOrEquals(xmin, (TransactionId) xmax);
}

void
steward_verify_rewritten(StewardFindings *findings, const char *kind,
						 const StewardBlock *before, const StewardBlock *block)
{
	StewardXids from;
	StewardXids to;
	Oid			types[3] = {INT4OID, XID8OID, XID8OID};
	Datum		values[3];
	SPITupleTable *rows;
	uint64		count;

	steward_xids_parse(&from, before == NULL ? STEWARD_XIDS_NONE : before->snapshot);
	steward_xids_parse(&to, block->snapshot);
	values[0] = Int32GetDatum(block->incarnation);
	values[1] = UInt64GetDatum(from.xmin);
	values[2] = UInt64GetDatum(to.xmax);
	if (SPI_execute_with_args("SELECT l.xmin, l.xid, l.first_seq FROM steward.audit_log AS l"
							  " WHERE l.incarnation OPERATOR(pg_catalog.=) $1"
							  " AND l.xid OPERATOR(pg_catalog.>=) $2"
							  " AND l.xid OPERATOR(pg_catalog.<) $3",
							  3, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	rows = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0, named = 0; i < count && named < MAX_REWRITTEN; i++)
	{
		StewardPlace place = {block->incarnation, block->number, -1, 0, 0};
		bool		isnull;

		if (!is_later(DatumGetTransactionId(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)),
					  to.xmax))
			continue;
		place.xid = DatumGetUInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull));
		place.seq = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &isnull));
		if (!steward_xids_ended(&to, place.xid) ||
			(before != NULL && steward_xids_ended(&from, place.xid)))
			continue;
		steward_finding(findings, kind, &place,
						"The batch that begins with this record was written after its block was sealed.");
		named++;
	}
	SPI_freetuptable(rows);
}

/* Which kind of change is it that a block does not fit? */
static const char *
kind_of_change(const BlockCheck *check, const StewardWalk *walk)
{
	uint64		end = STEWARD_BLOCK_END(check->block);

	if (walk->next < end)
		return STEWARD_FOUND_MISSING;
	if (walk->next > end)
		return STEWARD_FOUND_INSERTED;
	if (walk->pruned == 0 &&
		memcmp(&walk->contexts, &check->block->contexts, sizeof(StewardHash)) != 0)
		return STEWARD_FOUND_CONTEXT;
	if (walk->pruned == 0 &&
		memcmp(&walk->schemas, &check->block->schemas, sizeof(StewardHash)) != 0)
		return STEWARD_FOUND_SCHEMA;
	return STEWARD_FOUND_ALTERED;
}

/* More or fewer leaves: everything after the place is shifted, so one is named. */
static void
report_count(BlockCheck *check, const StewardWalk *walk, const char *kind)
{
	StewardPlace place = check->bad_count > 0 ? check->bad[0].start : check->tile_start;
	int64		found = (int64) (walk->next - walk->first);
	int64		sealed = STEWARD_BLOCK_END(check->block) - (int64) walk->first;

	place.incarnation = check->block->incarnation;
	place.block = check->block->number;
	steward_finding(check->findings, kind, &place,
					"The log has " INT64_FORMAT " leaves for the block, of " INT64_FORMAT " that were sealed; the first difference is among the 256 leaves from here on, or before this record.",
					found, sealed);
}

/* The block has its leaves, but not as they were sealed: which of them? */
static void
report_altered(BlockCheck *check, const StewardWalk *walk, const char *kind)
{
	const char *what = strcmp(kind, STEWARD_FOUND_CONTEXT) == 0 ?
		"A context that records of this block refer to was altered, or these records were" :
		strcmp(kind, STEWARD_FOUND_SCHEMA) == 0 ?
		"A schema version that records of this block refer to was altered, or these records were" :
		"Records were altered";
	int64		end = STEWARD_BLOCK_END(check->block);
	bool		named = false;

	for (int i = 0; i < check->bad_count; i++)
	{
		const BadEntry *bad = &check->bad[i];

		if (bad->tile_level != 1)
			continue;
		named = true;
		steward_finding(check->findings, kind, &bad->start,
						"%s: leaves " INT64_FORMAT " to " INT64_FORMAT ", of which this is the first, do not have the hash that was sealed.",
						what, bad->start.leaf,
						(int64) (bad->index + 1) * STEWARD_TILE_WIDTH - 1);
	}
	/* What no tile holds yet is at the end of the block. */
	if (!named || (end % STEWARD_TILE_WIDTH != 0 &&
				   memcmp(&check->frontier.hashes[check->frontier.count - 1],
						  &check->block->frontier.hashes[check->block->frontier.count - 1],
						  sizeof(StewardHash)) != 0))
		steward_finding(check->findings, kind, &check->tile_start,
						"%s: leaves " INT64_FORMAT " to " INT64_FORMAT ", of which this is the first, do not have the hash that was sealed.",
						what, check->tile_start.leaf, end - 1);
}

static void
report_tiles(BlockCheck *check)
{
	for (int i = 0; i < check->bad_count; i++)
		steward_finding(check->findings, STEWARD_FOUND_TILE, &check->bad[i].start,
						"The hash of subtree " UINT64_FORMAT " of level %u in ledger_tile is missing or not that of its leaves, which are as they were sealed.",
						check->bad[i].index, check->bad[i].tile_level);
}

static bool
frontier_fits(const BlockCheck *check)
{
	return check->frontier.size == check->block->frontier.size &&
		memcmp(check->frontier.hashes, check->block->frontier.hashes,
			   check->frontier.count * sizeof(StewardHash)) == 0;
}

static void
judge(BlockCheck *check, const StewardWalk *walk, const StewardBlock *before, bool is_present)
{
	StewardPlace place = {check->block->incarnation, check->block->number, 0, 0, 0};
	const char *kind;

	if (walk->opening_missing)
		steward_finding(check->findings, STEWARD_FOUND_MISSING, &place,
						"The opening of the log is missing in ledger_opening.");
	if (frontier_fits(check))
	{
		report_tiles(check);
		report_references(check);
		return;
	}
	if (walk->opening_missing)
		return;
	kind = kind_of_change(check, walk);
	if (walk->next != (uint64) STEWARD_BLOCK_END(check->block))
		report_count(check, walk, kind);
	else
		report_altered(check, walk, kind);

	/*
	 * A restore writes all rows anew: only where they were written do they
	 * tell.
	 */
	if (is_present)
		steward_verify_rewritten(check->findings,
								 walk->next > (uint64) STEWARD_BLOCK_END(check->block) ?
								 STEWARD_FOUND_INSERTED : STEWARD_FOUND_ALTERED,
								 before, check->block);
}

/* The tree before the first leaf that is walked. */
static bool
begin_frontier(BlockCheck *check, const StewardBlock *before)
{
	uint64		floor = steward_walk_floor(check->block->incarnation);
	StewardPlace place = {check->block->incarnation, check->block->number, -1, 0, 0};

	if (floor <= (uint64) check->block->first_leaf)
	{
		if (before == NULL)
			steward_frontier_init(&check->frontier);
		else
			check->frontier = before->frontier;
		return true;
	}
	if (steward_tile_frontier(&check->tiles, floor, &check->frontier))
		return true;
	steward_finding(check->findings, STEWARD_FOUND_TILE, &place,
					"Hashes of subtrees before leaf " UINT64_FORMAT " are missing in ledger_tile.",
					floor);
	return false;
}

/* Of a block without records the tiles have what is whole of 256 leaves. */
static void
check_pruned(BlockCheck *check, const StewardPlace *place)
{
	uint64		end = STEWARD_BLOCK_END(check->block);

	if (steward_tile_frontier(&check->tiles, end - end % STEWARD_TILE_WIDTH, &check->frontier) &&
		memcmp(check->frontier.hashes, check->block->frontier.hashes,
			   check->frontier.count * sizeof(StewardHash)) == 0)
		return;
	steward_finding(check->findings, STEWARD_FOUND_BLOCK, place,
					"The header of this block, whose records were pruned, does not have the hashes of ledger_tile.");
}

void
steward_verify_block_records(StewardFindings *findings, const StewardBlock *block,
							 StewardDigests *digests, bool is_present)
{
	BlockCheck *check = palloc0(sizeof(BlockCheck));
	StewardWalk walk = {.leaf = check_leaf, .damaged = report_damaged, .arg = check,
	.digests = digests};
	StewardBlock before_block;
	const StewardBlock *before;
	StewardPlace place = {block->incarnation, block->number, -1, 0, 0};

	check->findings = findings;
	check->block = block;
	check->digests = digests;
	check->tile_start = place;
	check->last = place;
	steward_tile_reader_begin(&check->tiles, block->incarnation);
	if (!steward_walk_before(block, &before_block, &before))
	{
		steward_finding(findings, STEWARD_FOUND_BLOCK_MISSING, &place,
						"The block before this one is missing, so its records cannot be told.");
		return;
	}
	steward_verify_header(findings, block, before);
	if (steward_walk_floor(block->incarnation) >= (uint64) STEWARD_BLOCK_END(block))
	{
		check_pruned(check, &place);
		return;
	}
	if (!begin_frontier(check, before))
		return;
	steward_walk_block(&walk, before, block);
	judge(check, &walk, before, is_present);
	pfree(check);
}

/* What is kept between the calls of one query. */
typedef struct CallState
{
	MemoryContext context;
	int32		incarnation;
	bool		is_present;
	StewardDigests *digests;
} CallState;

static CallState *
call_state(FunctionCallInfo fcinfo, int32 incarnation)
{
	CallState  *state = fcinfo->flinfo->fn_extra;
	MemoryContext caller;

	if (state != NULL && state->incarnation == incarnation)
		return state;
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	state = palloc0(sizeof(CallState));
	state->incarnation = incarnation;
	state->digests = steward_digests_begin(incarnation);
	MemoryContextSwitchTo(caller);
	steward_segment_look_again();
	state->is_present = steward_log_is_present(incarnation);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

STEWARD_FUNCTION(steward_verify_ledger_block)
{
	static const char *const names[] = {"incarnation", "number"};
	StewardSession session;
	StewardFindings findings;
	StewardBlock block;
	CallState  *state;

	steward_require_arguments(fcinfo, lengthof(names), names);
	steward_findings_begin(&findings, fcinfo);
	steward_session_begin(&session);
	if (!steward_block_read(PG_GETARG_INT32(0), PG_GETARG_INT64(1), &block))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the ledger has no such block")));
	state = call_state(fcinfo, block.incarnation);
	steward_verify_block_records(&findings, &block, state->digests, state->is_present);
	steward_session_end(&session);
	PG_RETURN_NULL();
}
