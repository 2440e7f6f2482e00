/*
 * prune.c: steward.prune_audit, which drops old segments of the audit log.
 *
 * README says what stays behind. Everything that goes is recomputed before: a prune
 * must be no way to be rid of records that do not verify.
 */
#include "ledger/prune.h"

#include "access/xact.h"
#include "audit/context.h"
#include "audit/segment.h"
#include "audit/sink.h"
#include "base/argument.h"
#include "base/slices.h"
#include "catalog/pg_type_d.h"
#include "crypto/checkpoint.h"
#include "executor/spi.h"
#include "ledger/certificate.h"
#include "ledger/error.h"
#include "ledger/event.h"
#include "ledger/log.h"
#include "ledger/seal.h"
#include "ledger/session.h"
#include "ledger/signer.h"
#include "ledger/tile.h"
#include "ledger/values.h"
#include "ledger/walk.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* How long readers of a segment are waited for. */
#define PATIENCE_MILLISECONDS 10000.0

static StewardRelationRef prune_table = {"ledger_prune"};
static StewardRelationRef kept_table = {"ledger_pruned_leaf"};

typedef struct Pruning
{
	int32		incarnation;
	int32		last_segment;	/* this and those before it go */
	int64		total;			/* records of the log in these */
	int64		seen;			/* of them */
	StewardFrontier frontier;
	bool		has_boundary;
	StewardFrontier boundary;	/* at the first record that stays */
	StewardHash tile[STEWARD_TILE_WIDTH];	/* leaves of the tile before it */
	bool		kept[STEWARD_TILE_WIDTH];	/* is its hash kept already? */
	StewardPlaces places;		/* behind the boundary, of what is gone */
} Pruning;

static void
keep_hash(int32 incarnation, uint64 leaf, const StewardHash *hash)
{
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = Int32GetDatum(incarnation);
	values[1] = Int64GetDatum((int64) leaf);
	values[2] = steward_value_of_hash(hash);
	steward_sink_insert(&kept_table, 3, values, nulls);
}

/* The first record that stays: what is before it in its tile is kept by its hash. */
static void
set_boundary(Pruning *pruning, uint64 index)
{
	uint64		first = index - index % STEWARD_TILE_WIDTH;

	pruning->has_boundary = true;
	pruning->boundary = pruning->frontier;
	for (uint64 leaf = first; leaf < index; leaf++)
		if (!pruning->kept[leaf - first])
			keep_hash(pruning->incarnation, leaf, &pruning->tile[leaf - first]);
}

static bool
look_at_leaf(void *arg, const StewardLeaf *leaf)
{
	Pruning    *pruning = arg;
	bool		goes = leaf->record == NULL || leaf->row->segment <= pruning->last_segment;
	uint64		place = leaf->index % STEWARD_TILE_WIDTH;

	if (leaf->record != NULL && goes)
		pruning->seen++;
	if (!goes && !pruning->has_boundary)
		set_boundary(pruning, leaf->index);
	if (!pruning->has_boundary)
	{
		pruning->tile[place] = leaf->hash;
		/* The opening has a row of its own. */
		pruning->kept[place] = leaf->record == NULL;
	}
	else if (goes)
	{
		steward_places_add(&pruning->places, leaf->index);
		if (leaf->record != NULL)
			keep_hash(pruning->incarnation, leaf->index, &leaf->hash);
	}
	(void) steward_frontier_append(&pruning->frontier, &leaf->hash, NULL, NULL);
	return true;
}

static pg_attribute_noreturn() void
refuse_altered(const StewardBlock *block, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("block " INT64_FORMAT " of incarnation %d does not verify, so nothing is pruned",
					block->number, block->incarnation),
			 errdetail("%s", why),
			 errhint("steward.verify_ledger() shows what was changed.")));
}

static pg_attribute_noreturn() void
refuse_hashes(int32 incarnation)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("hashes in ledger_pruned_leaf stand for records of incarnation %d that were not pruned, so nothing is pruned",
					incarnation),
			 errhint("steward.verify_ledger() shows what was changed.")));
}

/* Reads a block, and checks it. */
static void
look_at_block(Pruning *pruning, StewardWalk *walk, const StewardBlock *block)
{
	StewardBlock before_block;
	const StewardBlock *before;
	uint64		floor = steward_walk_floor(block->incarnation);

	if (!steward_walk_before(block, &before_block, &before))
		refuse_altered(block, "The block before it is missing.");
	if (floor >= (uint64) STEWARD_BLOCK_END(block))
		return;
	if (pruning->frontier.size < (uint64) block->first_leaf || pruning->frontier.size == 0)
	{
		StewardTileReader tiles;

		steward_tile_reader_begin(&tiles, block->incarnation);
		steward_frontier_init(&pruning->frontier);
		if (floor > (uint64) block->first_leaf)
		{
			if (!steward_tile_frontier(&tiles, floor, &pruning->frontier))
				refuse_altered(block, "Hashes of what was pruned before are missing.");
		}
		else if (before != NULL)
			pruning->frontier = before->frontier;
	}
	steward_walk_block(walk, before, block);
	if (pruning->frontier.size != (uint64) STEWARD_BLOCK_END(block))
		refuse_altered(block, psprintf("It ends after " INT64_FORMAT " leaves of the log, its records after " UINT64_FORMAT ".",
									   STEWARD_BLOCK_END(block), pruning->frontier.size));
	if (memcmp(pruning->frontier.hashes, block->frontier.hashes,
			   block->frontier.count * sizeof(StewardHash)) != 0)
		refuse_altered(block, "A record, or what it refers to, is other than it was sealed.");
}

/* Reads blocks until all that goes has been seen, and something that stays. */
static void
look_at_log(Pruning *pruning, const StewardBlock *newest)
{
	StewardWalk walk = {.leaf = look_at_leaf, .arg = pruning};
	uint64		floor = steward_walk_floor(pruning->incarnation);
	StewardBlock block;

	walk.digests = steward_digests_begin(pruning->incarnation);
	if (!steward_block_of_leaf(pruning->incarnation, (int64) Min(floor, (uint64) STEWARD_BLOCK_END(newest) - 1),
							   &block))
		steward_ledger_corrupted("a block is missing");
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		look_at_block(pruning, &walk, &block);
		if (block.number == newest->number ||
			(pruning->has_boundary && pruning->seen == pruning->total))
			break;
		if (!steward_block_read(pruning->incarnation, block.number + 1, &block))
			steward_ledger_corrupted("a block is missing");
	}
	steward_digests_end(walk.digests);
	/* Nothing stays: the next record will. */
	if (!pruning->has_boundary)
		set_boundary(pruning, STEWARD_BLOCK_END(newest));
	/* What a prune before left further on. */
	steward_certificate_places(pruning->incarnation, pruning->frontier.size, &pruning->places);
}

static void
write_certificate(Pruning *pruning, const StewardBlock *newest)
{
	StewardPrune prune = {0};
	StewardSigner signer;
	StewardNoteKey key;
	char	   *note = palloc(STEWARD_PRUNE_NOTE_BYTES);
	size_t		length;
	Datum		values[5];
	bool		nulls[5] = {false};

	steward_signer_need(&signer);
	steward_signer_key(&key, &signer, pruning->incarnation);
	prune.origin = key.name;
	prune.origin_len = strlen(key.name);
	prune.boundary = pruning->boundary;
	prune.size = STEWARD_BLOCK_END(newest);
	prune.root = newest->root;
	prune.segment = (uint32) pruning->last_segment + 1;
	prune.removed = pruning->places.count;
	steward_places_end(&pruning->places, &prune.places);
	length = steward_prune_sign(note, &key, steward_signer_seed(&signer), &prune);
	steward_signer_done();
	if (length == 0)
		steward_ledger_corrupted("a certificate cannot be written");
	values[0] = Int32GetDatum(pruning->incarnation);
	values[1] = Int64GetDatum((int64) pruning->boundary.size);
	values[2] = Int32GetDatum(pruning->last_segment + 1);
	values[3] = steward_value_of_bytes(note, length);
	values[4] = TimestampTzGetDatum(GetCurrentTimestamp());
	steward_sink_insert(&prune_table, 5, values, nulls);
}

static pg_attribute_noreturn() void
refuse_unsealed(int32 incarnation, int64 records)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("segments of the audit log cannot be pruned yet"),
			 errdetail("They hold " INT64_FORMAT " records of incarnation %d that are not sealed.",
					   records, incarnation),
			 errhint("Call steward.seal_ledger(). What an incarnation that ended left unsealed cannot be pruned.")));
}

/* Leaves behind what a log needs to go on without these segments. */
static void
prune_log(int32 incarnation, int32 last_segment, int64 records)
{
	Pruning    *pruning = palloc0(sizeof(Pruning));
	StewardBlock newest;

	pruning->incarnation = incarnation;
	pruning->last_segment = last_segment;
	pruning->total = records;
	if (!steward_block_newest(incarnation, &newest))
		refuse_unsealed(incarnation, records);
	if (!steward_certificate_fits(incarnation))
		refuse_hashes(incarnation);
	steward_places_begin(&pruning->places);
	look_at_log(pruning, &newest);
	if (pruning->seen != records)
		refuse_unsealed(incarnation, records - pruning->seen);
	write_certificate(pruning, &newest);
	pfree(pruning);
}

/* Each log that has records in the segments. */
static void
prune_logs(int32 last_segment)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(last_segment)};
	SPITupleTable *rows;
	uint64		count;

	if (SPI_execute_with_args("SELECT l.incarnation, pg_catalog.sum(l.records) FROM steward.audit_log AS l"
							  " WHERE l.segment OPERATOR(pg_catalog.<=) $1 GROUP BY l.incarnation",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	rows = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;

		prune_log(DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)),
				  last_segment,
				  DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull)));
	}
	SPI_freetuptable(rows);
}

/* A column of a row of the result; missing for NULL. */
static TimestampTz
moment(uint64 row, int column, TimestampTz missing)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? missing : DatumGetTimestampTz(value);
}

static StewardPrunable *
prunable_of(uint64 row)
{
	StewardPrunable *segment = palloc(sizeof(StewardPrunable));
	HeapTuple	tuple = SPI_tuptable->vals[row];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		isnull;

	segment->number = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
	segment->relation = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));
	segment->records = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
	segment->bytes = DatumGetInt64(SPI_getbinval(tuple, desc, 4, &isnull));
	segment->first_written_at = moment(row, 5, DT_NOEND);
	segment->last_written_at = moment(row, 6, DT_NOBEGIN);
	return segment;
}

/* steward_audit_prunable, in a session of the ledger. */
static List *
find_segments(TimestampTz before)
{
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		values[1] = {TimestampTzGetDatum(before)};
	MemoryContext caller = CurrentMemoryContext;
	List	   *segments = NIL;

	if (SPI_execute_with_args("SELECT s.number, r.oid, c.records, pg_catalog.pg_total_relation_size(r.oid),"
							  " c.first_written_at, c.last_written_at FROM steward.audit_segment AS s"
							  " JOIN steward.audit_segment_closed AS c ON c.number OPERATOR(pg_catalog.=) s.number"
							  " JOIN pg_catalog.pg_class AS r ON r.relname OPERATOR(pg_catalog.=) s.name::pg_catalog.name"
							  "  AND r.relnamespace OPERATOR(pg_catalog.=) 'steward'::pg_catalog.regnamespace"
							  " WHERE (c.last_written_at OPERATOR(pg_catalog.<) $1 OR c.last_written_at IS NULL)"
							  " AND NOT EXISTS (SELECT FROM steward.audit_segment AS e"
							  "  LEFT JOIN steward.audit_segment_closed AS d ON d.number OPERATOR(pg_catalog.=) e.number"
							  "  WHERE e.number OPERATOR(pg_catalog.<) s.number"
							  "  AND (d.number IS NULL OR d.last_written_at OPERATOR(pg_catalog.>=) $1))"
							  " ORDER BY s.number USING OPERATOR(pg_catalog.<)",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContextSwitchTo(caller);
		segments = lappend(segments, prunable_of(i));
	}
	SPI_freetuptable(SPI_tuptable);
	return segments;
}

static int32
number_of(const ListCell *cell)
{
	return ((const StewardPrunable *) lfirst(cell))->number;
}

static void
drop_segments(List *segments)
{
	ListCell   *cell;

	foreach(cell, segments)
		if (!steward_segment_drop(number_of(cell), PATIENCE_MILLISECONDS))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("segment %d of the audit log is in use", number_of(cell)),
				 errhint("Call steward.prune_audit() again when those who read it have ended.")));
}

/* A list made in the session's memory, in the caller's. */
static List *
copy_segments(const List *segments, MemoryContext caller)
{
	MemoryContext session = MemoryContextSwitchTo(caller);
	List	   *copies = NIL;
	ListCell   *cell;

	foreach(cell, segments)
	{
		StewardPrunable *copy = palloc(sizeof(StewardPrunable));

		*copy = *(const StewardPrunable *) lfirst(cell);
		copies = lappend(copies, copy);
	}
	MemoryContextSwitchTo(session);
	return copies;
}

List *
steward_audit_prunable(TimestampTz before)
{
	MemoryContext caller = CurrentMemoryContext;
	StewardSession session;
	List	   *segments;

	steward_session_begin(&session);
	PushActiveSnapshot(GetTransactionSnapshot());
	segments = copy_segments(find_segments(before), caller);
	PopActiveSnapshot();
	steward_session_end(&session);
	return segments;
}

List *
steward_audit_prune(TimestampTz before)
{
	MemoryContext caller = CurrentMemoryContext;
	StewardSession session;
	List	   *segments;

	steward_lock_sealer();
	steward_session_begin(&session);
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_segment_look_again();
	segments = copy_segments(find_segments(before), caller);
	if (segments != NIL)
		prune_logs(number_of(list_tail(segments)));
	PopActiveSnapshot();
	if (segments != NIL)
	{
		drop_segments(segments);
		steward_context_remove(number_of(list_tail(segments)));
		steward_ledger_event("prune audit", "segments",
							 psprintf("%d to %d", number_of(list_head(segments)),
									  number_of(list_tail(segments))));
	}
	steward_session_end(&session);
	return segments;
}

STEWARD_FUNCTION(steward_prune_audit)
{
	PreventCommandIfReadOnly("steward.prune_audit()");
	steward_require_argument(fcinfo, 0, "before");
	if (XactIsoLevel != XACT_READ_COMMITTED)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("steward.prune_audit() needs a READ COMMITTED transaction"),
				 errhint("Call it as a statement of its own.")));
	PG_RETURN_INT32(list_length(steward_audit_prune(PG_GETARG_TIMESTAMPTZ(0))));
}

STEWARD_FUNCTION(steward_prune_certificate)
{
	StewardSession session;
	Oid			types[1] = {INT4OID};
	Datum		values[1];
	StewardSlot note;
	bool		isnull;
	Datum		result = (Datum) 0;

	steward_session_begin(&session);
	values[0] = Int32GetDatum(PG_ARGISNULL(0) ? steward_log_default() : PG_GETARG_INT32(0));
	if (SPI_execute_with_args("SELECT p.certificate FROM steward.ledger_prune AS p"
							  " WHERE p.incarnation OPERATOR(pg_catalog.=) $1"
							  " ORDER BY p.boundary USING OPERATOR(pg_catalog.>), p.segment USING OPERATOR(pg_catalog.>)"
							  " LIMIT 1",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	fcinfo->isnull = SPI_processed == 0;
	if (SPI_processed > 0)
	{
		note = steward_value_bytes(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		result = steward_session_text(&session, (const char *) note.data, note.length);
	}
	steward_session_end(&session);
	return result;
}
