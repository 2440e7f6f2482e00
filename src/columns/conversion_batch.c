/*
 * conversion_batch.c: one transaction's work on the shadow; see conversion.h.
 *
 * A piece of the table is read for rows that are not in step, and these get their
 * shadow as base/rewrite.c gives rows new values. Rows that others have locked are
 * left, so nothing waits for a row while it holds another, and they come again in
 * the next sweep. The triggers of users do not fire: for them nothing has changed.
 * session_replication_role is left alone for that: what the table's owner has
 * hung on it (indexes over functions) must not run under it.
 */
#include "columns/conversion.h"

#include "executor/executor.h"
#include "executor/tuptable.h"
#include "portability/instr_time.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/rewrite.h"
#include "types/scratch.h"

/* How long to look for rows before what was done is committed. */
#define PIECE_MILLISECONDS 100.0

typedef struct Stepping
{
	const StewardConversion *conversion;
	StewardStep *step;
	bool		verify;
	int64		found;
} Stepping;

static bool
is_in_step(const Stepping *stepping, TupleTableSlot *row)
{
	if (stepping->verify)
		return steward_step_matches(stepping->step, row);
	return slot_attisnull(row, stepping->conversion->source) ||
		!slot_attisnull(row, stepping->conversion->shadow);
}

/* For StewardRewrite. */
static bool
step_row(TupleTableSlot *old, Datum *values, bool *nulls, void *arg)
{
	Stepping   *stepping = arg;
	int			shadow = stepping->conversion->shadow - 1;

	if (is_in_step(stepping, old))
		return false;
	values[shadow] = steward_step_shadow(stepping->step, old, &nulls[shadow]);
	/* The value of a subject that was erased is in step with a NULL. */
	if (nulls[shadow] && old->tts_isnull[shadow])
		return false;
	stepping->found++;
	return true;
}

static double
milliseconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* In memory that is overwritten. */
static void
step_blocks(Stepping *stepping, Relation rel, StewardBatch *batch)
{
	StewardRewrite rewrite;
	instr_time	start;

	stepping->step = steward_step_make(stepping->conversion, rel);
	INSTR_TIME_SET_CURRENT(start);
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_rewrite_begin(&rewrite, rel, step_row, stepping);
	steward_work_per_tuple(GetPerTupleExprContext(rewrite.estate));
	rewrite.wait = batch->wait;
	while (batch->next_block < batch->end_block && stepping->found < batch->size &&
		   milliseconds_since(start) <= PIECE_MILLISECONDS)
	{
		steward_rewrite_blocks(&rewrite, batch->next_block, batch->next_block + 1);
		batch->next_block++;
	}
	batch->found += stepping->found;
	batch->written += (int64) rewrite.changed;
	steward_rewrite_end(&rewrite);
	PopActiveSnapshot();
	steward_step_free(stepping->step);
}

void
steward_conversion_batch(StewardConversion *conversion, Relation rel,
						 StewardBatch *batch)
{
	Stepping	stepping = {.conversion = conversion, .verify = batch->verify};
	MemoryContext old;
	MemoryContext work = steward_work_begin(&old);

	PG_TRY();
	{
		step_blocks(&stepping, rel, batch);
	}
	PG_FINALLY();
	{
		steward_work_end(work, old);
	}
	PG_END_TRY();
}
