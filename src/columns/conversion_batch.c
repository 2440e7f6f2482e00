/*
 * conversion_batch.c: one transaction's work on the shadow; see conversion.h.
 *
 * A piece of the table is read for rows that are not in step. These are locked,
 * unless somebody else has them, and written with a NULL in the shadow, which the
 * trigger replaces. So nothing waits for a row while it holds another, and what
 * was left comes again in the next sweep. The triggers of users do not fire:
 * for them nothing has changed.
 */
#include "columns/conversion.h"

#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"

/* How long to look for rows before what was found is done and committed. */
#define PIECE_MILLISECONDS 100.0

typedef struct Candidates
{
	Datum	   *tids;
	int			count;
	int			room;
} Candidates;

static void
set_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static void
add_candidate(Candidates *candidates, ItemPointer tid)
{
	ItemPointer copy = palloc(sizeof *copy);

	if (candidates->count == candidates->room)
	{
		candidates->room *= 2;
		candidates->tids = repalloc(candidates->tids, candidates->room * sizeof(Datum));
	}
	*copy = *tid;
	candidates->tids[candidates->count++] = PointerGetDatum(copy);
}

static bool
is_in_step(const StewardConversion *conversion, StewardStep *step,
		   TupleTableSlot *slot)
{
	if (step != NULL)
		return steward_step_matches(step, slot);
	return slot_attisnull(slot, conversion->source) ||
		!slot_attisnull(slot, conversion->shadow);
}

static double
milliseconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* Reads on from next_block, whole blocks, until there is enough to do. */
static void
collect(const StewardConversion *conversion, Relation rel, StewardBatch *batch,
		StewardStep *step, Candidates *candidates)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	BlockNumber block = batch->next_block;
	ItemPointerData low;
	ItemPointerData high;
	TableScanDesc scan;
	instr_time	start;
	bool		at_end = true;

	INSTR_TIME_SET_CURRENT(start);
	ItemPointerSet(&low, batch->next_block, FirstOffsetNumber);
	ItemPointerSet(&high, batch->end_block - 1, MaxOffsetNumber);
	scan = table_beginscan_tidrange(rel, GetActiveSnapshot(), &low, &high);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot))
	{
		BlockNumber here = ItemPointerGetBlockNumber(&slot->tts_tid);

		if (here != block)
		{
			CHECK_FOR_INTERRUPTS();
			block = here;
			if (candidates->count >= batch->size ||
				milliseconds_since(start) > PIECE_MILLISECONDS)
			{
				at_end = false;
				break;
			}
		}
		if (!is_in_step(conversion, step, slot))
			add_candidate(candidates, &slot->tts_tid);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	batch->next_block = at_end ? batch->end_block : block;
}

/* Runs a statement with one array of tids; a renamed schema is an error. */
static void
execute(Relation rel, const char *sql, int expected, Datum tids)
{
	Oid			type = TIDARRAYOID;
	SPIPlanPtr	plan = SPI_prepare(sql, 1, &type);
	ListCell   *cell;

	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	foreach(cell, SPI_plan_get_plan_sources(plan))
	{
		CachedPlanSource *source = (CachedPlanSource *) lfirst(cell);

		if (!list_member_oid(source->relationOids, RelationGetRelid(rel)))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("table \"%s\" was renamed during a batch",
							RelationGetRelationName(rel))));
	}
	if (SPI_execute_plan(plan, &tids, NULL, false, 0) != expected)
		elog(ERROR, "unexpected answer from SPI");
	SPI_freeplan(plan);
}

static Datum
tid_array(Datum *tids, int count)
{
	return PointerGetDatum(construct_array(tids, count, TIDOID,
										   sizeof(ItemPointerData), false,
										   TYPALIGN_SHORT));
}

/* Steps the rows, or those that nobody else has locked; returns how many. */
static int64
write_rows(const StewardConversion *conversion, Relation rel,
		   Candidates *candidates, bool wait)
{
	char	   *table = steward_conversion_table(RelationGetRelid(rel));
	const char *shadow = quote_identifier(get_attname(conversion->relid,
													  conversion->shadow, false));
	int64		written = 0;
	Datum	   *locked;

	SPI_connect();
	execute(rel, psprintf("SELECT t.ctid FROM ONLY %s AS t"
						  " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($1)"
						  " FOR UPDATE OF t%s", table, wait ? "" : " SKIP LOCKED"),
			SPI_OK_SELECT, tid_array(candidates->tids, candidates->count));
	locked = palloc(Max(SPI_processed, 1) * sizeof(Datum));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		locked[written++] = SPI_getbinval(SPI_tuptable->vals[i],
										  SPI_tuptable->tupdesc, 1, &isnull);
	}
	if (written > 0)
	{
		execute(rel, psprintf("UPDATE ONLY %s AS t SET %s = NULL"
							  " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($1)",
							  table, shadow),
				SPI_OK_UPDATE, tid_array(locked, written));
		written = (int64) SPI_processed;
	}
	SPI_finish();
	return written;
}

void
steward_conversion_batch(StewardConversion *conversion, Relation rel,
						 StewardBatch *batch)
{
	Candidates	candidates = {.room = 1024};
	StewardStep *step = batch->verify ? steward_step_make(conversion, rel) : NULL;

	candidates.tids = palloc(candidates.room * sizeof(Datum));
	set_option("session_replication_role", "replica");
	/* By ctid, though a sequential scan may look cheaper for many of them. */
	set_option("enable_seqscan", "off");
	set_option("enable_tidscan", "on");
	set_option("jit", "off");
	set_option("max_parallel_workers_per_gather", "0");
	PushActiveSnapshot(GetTransactionSnapshot());
	if (batch->next_block < batch->end_block)
		collect(conversion, rel, batch, step, &candidates);
	PopActiveSnapshot();
	batch->found += candidates.count;
	if (candidates.count > 0)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		batch->written += write_rows(conversion, rel, &candidates, batch->wait);
		PopActiveSnapshot();
	}
	if (step != NULL)
		steward_step_free(step);
}
