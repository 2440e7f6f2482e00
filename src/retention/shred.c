/*
 * shred.c: the run of a policy with action shred; see shred.h.
 *
 * A sweep collects the subjects that have expired, by one snapshot, and takes them in
 * batches. A batch has the lanes of its subjects alone (keys/subject_lane.h), then
 * takes a snapshot: it shows all rows of these subjects that there will be before our commit. So
 * a subject that got a fresh row, or a held one, stays. Lanes that others have are not waited for;
 * their subjects are tried again, as long as the run's patience lasts. Sweeps go on until one
 * finds nothing to erase.
 *
 * Nothing is kept of a run that gives way: what was erased is no more pending.
 */
#include "retention/shred_parts.h"

#include "access/relation.h"
#include "access/xact.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "keys/subject_lane.h"
#include "retention/batch_parts.h"
#include "subjects/hold.h"

/* Subjects can come as fast as they go; then the run ends all the same. */
#define MOST_SWEEPS 16

/* What is known of a sweep. Those before next are done; the first of these, busy, are to be tried again. */
typedef struct StewardShred
{
	MemoryContext context;		/* as long as the sweep */
	StewardShredSubject *subjects;
	int			room;
	int			count;
	int			next;
	int			busy;
	uint64		erased;
	uint64		held;
} StewardShred;

/* ---- collecting ---- */

static void
keep_found(const StewardShredFound *found, int count, void *arg)
{
	StewardShred *shred = arg;
	MemoryContext caller = MemoryContextSwitchTo(shred->context);

	if (shred->count > PG_INT32_MAX / 2 - count)
		elog(ERROR, "too many subjects have expired");
	if (shred->count + count > shred->room)
	{
		shred->room = shred->room * 2 + count;
		shred->subjects = shred->subjects == NULL ?
			palloc_extended(shred->room * sizeof(StewardShredSubject), MCXT_ALLOC_HUGE) :
			repalloc_huge(shred->subjects, shred->room * sizeof(StewardShredSubject));
	}
	for (int i = 0; i < count; i++)
	{
		StewardShredSubject *subject = &shred->subjects[shred->count++];

		subject->key = pstrdup(found[i].subject.key);
		subject->lane = found[i].subject.lane;
	}
	MemoryContextSwitchTo(caller);
}

static int
compare_lanes(const void *left, const void *right)
{
	return ((const StewardShredSubject *) left)->lane -
		((const StewardShredSubject *) right)->lane;
}

static void
collect_part(StewardRun *run)
{
	StewardShred *shred = run->shred;
	StewardShredTable table;
	StewardIdentity identity;
	Relation	rel;

	steward_run_pause(run);
	MemoryContextReset(shred->context);
	shred->subjects = NULL;
	shred->room = shred->count = shred->next = shred->busy = 0;
	shred->erased = shred->held = 0;
	steward_become_guarded(run->owner, &identity);
	steward_batch_settings(run->policy);
	rel = steward_shred_open(run->policy, run->owner, AccessShareLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_shred_describe(&table, run->policy, rel);
	steward_shred_collect(&table, false, keep_found, shred);
	PopActiveSnapshot();
	relation_close(rel, NoLock);
	steward_become_caller(&identity);
	/* Writers of few lanes wait for a batch, not all. */
	if (shred->count > 0)
		qsort(shred->subjects, shred->count, sizeof(StewardShredSubject), compare_lanes);
}

/* ---- a batch ---- */

/* A slice of the subjects, on its way: first those that we have the lanes of. */
typedef struct Batch
{
	StewardShredSubject *subjects;
	int			count;
	StewardShredSubject *busy;
	int			busy_count;
	bool	   *held;
	char	   *kind;
	bool		lanes[STEWARD_SUBJECT_LANES];	/* that we have */
} Batch;

static void
take_lanes(Batch *batch, const StewardShredSubject *slice, int size)
{
	int			asked = -1;

	batch->subjects = palloc(size * sizeof(StewardShredSubject));
	batch->busy = palloc(size * sizeof(StewardShredSubject));
	batch->held = palloc(size * sizeof(bool));
	for (int i = 0; i < size; i++)
	{
		int			lane = slice[i].lane;

		/* They are sorted, but for those that were busy. */
		if (lane != asked && !batch->lanes[lane])
			batch->lanes[lane] = steward_subject_lane_try(lane);
		asked = lane;
		if (batch->lanes[lane])
			batch->subjects[batch->count++] = slice[i];
		else
			batch->busy[batch->busy_count++] = slice[i];
	}
}

/* Leaves those in the batch that have expired, and says which are held. */
static void
judge(StewardRun *run, Batch *batch, const StewardShredSubject *slice, int size)
{
	StewardShredTable table;
	StewardIdentity identity;
	Relation	rel;

	steward_become_guarded(run->owner, &identity);
	steward_batch_settings(run->policy);
	steward_holds_lock();
	rel = steward_shred_open(run->policy, run->owner, RowExclusiveLock);
	take_lanes(batch, slice, size);
	/* Now, and not before: what it shows is all that there is. */
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_shred_describe(&table, run->policy, rel);
	batch->kind = table.kind;
	if (batch->count > 0)
		batch->count = steward_shred_still_expired(&table, batch->subjects, batch->count);
	steward_shred_held(run->policy, table.kind, batch->subjects, batch->count, false,
					   batch->held);
	PopActiveSnapshot();
	relation_close(rel, NoLock);
	steward_become_caller(&identity);
}

static void
add_leaf(StewardRun *run, const Batch *batch, const char *key, StringInfo leaves)
{
	Oid			relid = run->policy->relation;
	const char *texts[] = {batch->kind, key};

	steward_receipt_add_texts(leaves, run->receipts.salt,
							  steward_action_name(run->policy->action),
							  get_namespace_name(get_rel_namespace(relid)),
							  get_rel_name(relid), lengthof(texts), texts);
}

/* Returns how many were held. */
static int
erase(StewardRun *run, const Batch *batch, StewardBatchResult *result)
{
	int			held = 0;

	for (int i = 0; i < batch->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (batch->held[i])
			held++;
		else if (steward_shred_erase(batch->kind, batch->subjects[i].key))
		{
			add_leaf(run, batch, batch->subjects[i].key, &result->leaves);
			result->rows++;
		}
	}
	return held;
}

static bool
is_waited_for(const Batch *batch)
{
	for (int lane = 0; lane < STEWARD_SUBJECT_LANES; lane++)
	{
		if (batch->lanes[lane] && steward_subject_lane_wanted(lane))
			return true;
	}
	return false;
}

/* The sweep's state changes at the end, when nothing can fail any more. */
static void
batch_part(StewardRun *run)
{
	StewardShred *shred = run->shred;
	StewardBatchResult result = {0};
	Batch		batch = {0};
	uint64		wal = pgWalUsage.wal_bytes;
	int			size = (int) Min(run->turn.pace.rows, shred->count - shred->next);
	int			held;
	int			level;

	steward_run_pause(run);
	CHECK_FOR_INTERRUPTS();
	judge(run, &batch, shred->subjects + shred->next, size);

	/*
	 * Whoever waits for the lanes or the holds must not wait for whom we wait
	 * for.
	 */
	level = NewGUCNestLevel();
	steward_batch_option("lock_timeout", "100ms");
	held = erase(run, &batch, &result);
	AtEOXact_GUC(false, level);
	if (result.rows > 0)
		steward_run_record_batch(run, &result, pgWalUsage.wal_bytes - wal);
	run->waited_for = !run->atomic && is_waited_for(&batch);
	memcpy(shred->subjects + shred->busy, batch.busy,
		   batch.busy_count * sizeof(StewardShredSubject));
	shred->busy += batch.busy_count;
	shred->next += size;
	shred->held += held;
	shred->erased += result.rows;
	run->deleted += result.rows;
}

static void
batch(StewardRun *run)
{
	StewardShred *shred = run->shred;
	int			before = shred->next;
	instr_time	took;

	steward_run_part(run, batch_part);
	if (run->atomic)
		return;
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, run->began);
	steward_turn_done(&run->turn, run->policy->relation, shred->next - before, 1,
					  (int64) INSTR_TIME_GET_MICROSEC(took), run->waited_for, true);
}

/* ---- sweeps ---- */

/* Takes the subjects of a sweep; those that stay busy are left. */
static void
take_subjects(StewardRun *run)
{
	StewardShred *shred = run->shred;

	for (;;)
	{
		while (shred->next < shred->count)
		{
			if (steward_turn_gives_way(&run->turn))
				return;
			batch(run);
		}
		if (shred->busy == 0 || run->patience <= 0)
			return;
		steward_run_wait(run);
		shred->count = shred->busy;
		shred->next = shred->busy = 0;
	}
}

/*
 * A scheduled run whose turn collecting has used up would never come to a batch: it has as
 * much time for these.
 */
static void
collect(StewardRun *run)
{
	StewardRunWatch *watch = run->turn.watch;
	TimestampTz begin = GetCurrentTimestamp();

	steward_run_part(run, collect_part);
	run->turn.worked = false;
	if (watch != NULL && !TIMESTAMP_NOT_FINITE(watch->leave_at))
		watch->leave_at += Max(0, GetCurrentTimestamp() - begin);
}

void
steward_shred_run(StewardRun *run)
{
	StewardShred *shred = MemoryContextAllocZero(run->context, sizeof(StewardShred));

	shred->context = AllocSetContextCreate(run->context, "subjects to be erased",
										   ALLOCSET_DEFAULT_SIZES);
	run->shred = shred;
	for (int sweeps = 1;; sweeps++)
	{
		collect(run);
		take_subjects(run);
		if (run->turn.gives_way)
			break;
		run->held = shred->held;
		run->skipped = shred->busy;
		if (shred->erased == 0)
			break;
		if (sweeps == MOST_SWEEPS)
		{
			run->skipped += shred->erased;
			break;
		}
	}
	MemoryContextDelete(shred->context);
	run->shred = NULL;
}
