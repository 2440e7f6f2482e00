/*
 * run.c: one run of a policy, from its first transaction to its last.
 *
 * Called by CALL outside a transaction block, a run has a transaction for each
 * batch; else everything happens in the caller's. The parts that may fail run
 * in a subtransaction, so that what a run did and how it ended can be recorded.
 */
#include "retention/run_parts.h"

#include "access/xact.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "base/duty.h"
#include "base/procedure.h"
#include "retention/children.h"
#include "retention/load.h"
#include "retention/partition_parts.h"
#include "retention/run.h"
#include "retention/shred.h"
#include "retention/target.h"

/* How long a run waits in all for rows and tables that others have locked. */
#define PATIENCE_MILLISECONDS 5000
#define PAUSE_MILLISECONDS 100

/*
 * Sweeps over what was left, as long as they find and delete more: writers may
 * move rows, but a trigger that inserts what is deleted must come to an end.
 */
#define MOST_SWEEPS 16

/* True while this backend runs a policy: a trigger must not begin another. */
static bool running = false;

/*
 * What each transaction needs before its first snapshot. Constraints that are
 * checked at once cannot leave triggers behind that run as somebody else.
 */
static void
begin_transaction(StewardRun *run)
{
	if (!run->atomic)
		steward_begin_read_committed(false);
	steward_constraints_immediate();
}

void
steward_run_commit(StewardRun *run)
{
	if (run->atomic)
		return;
	SPI_commit();
	begin_transaction(run);
}

/* One part, as steward_attempt calls it. */
typedef struct Attempt
{
	StewardRun *run;
	StewardRunPart part;
} Attempt;

/*
 * With an SPI connection of its own: SPI leaves behind its memory context as the current
 * one, and the outer connection's lives as long as the run.
 */
static void
do_attempt(void *arg)
{
	Attempt    *one = arg;

	SPI_connect();
	MemoryContextSwitchTo(one->run->scratch);
	one->part(one->run);
	SPI_finish();
}

ErrorData *
steward_run_attempt(StewardRun *run, StewardRunPart part)
{
	Attempt		one = {run, part};

	return steward_attempt(do_attempt, &one, run->scratch);
}

void
steward_run_fail(StewardRun *run, ErrorData *error)
{
	if (!run->atomic)
	{
		steward_run_record_end(run, error->sqlerrcode == ERRCODE_QUERY_CANCELED ?
							   "interrupted" : "failed", error);
		SPI_commit();
	}
	ReThrowError(error);
}

static void
expand(StewardRun *run)
{
	List	   *leaves;

	if (run->policy->action == STEWARD_DROP_PARTITION)
	{
		steward_partition_check(run->policy);
		return;
	}
	if (run->policy->action == STEWARD_SHRED)
		steward_shred_check(run->policy, run->owner);
	leaves = steward_target_leaves(run->policy);
	if (steward_target_command(run->policy) == CMD_DELETE)
		steward_children_check(run->policy, run->owner);

	MemoryContextSwitchTo(run->context);
	run->leaves = list_copy(leaves);
}

void
steward_run_pause(StewardRun *run)
{
	steward_turn_pause(&run->turn);
	if (run->turn.watch != NULL)
		steward_duty_require_extension();
	INSTR_TIME_SET_CURRENT(run->began);
}

/*
 * Looks at all leaves with one snapshot: an update may have moved a row from a
 * leaf that came later to one that was clean, and a leaf may have been attached.
 * Leaves those with expired rows in the run.
 */
static void
look_again(StewardRun *run)
{
	List	   *leaves;
	ListCell   *cell;

	steward_run_pause(run);
	run->leaves = NIL;
	leaves = steward_target_leaves(run->policy);
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(cell, leaves)
	{
		MemoryContext caller;

		CHECK_FOR_INTERRUPTS();
		if (!steward_leaf_has_expired(lfirst_oid(cell), run->policy, run->owner))
			continue;
		caller = MemoryContextSwitchTo(run->context);
		run->leaves = lappend_oid(run->leaves, lfirst_oid(cell));
		MemoryContextSwitchTo(caller);
	}
	PopActiveSnapshot();
}

static void
batch_part(StewardRun *run)
{
	StewardBatchResult result;
	uint64		wal = pgWalUsage.wal_bytes;

	steward_run_pause(run);
	CHECK_FOR_INTERRUPTS();
	steward_leaf_batch(&run->leaf, run->policy, run->owner, (int) run->turn.pace.rows,
					   &result);
	if (result.rows > 0)
		steward_run_record_batch(run, &result, pgWalUsage.wal_bytes - wal);

	/*
	 * Now, since who waits for us lets go for a moment when a subtransaction
	 * ends. Who waited for what went at once was seen before that.
	 */
	run->waited_for = !run->atomic &&
		(result.waited_for ||
		 steward_load_waited_for(GetCurrentTransactionIdIfAny()) ||
		 steward_load_waited_for(GetTopTransactionIdIfAny()));
	run->deleted += result.rows;
	run->children += result.children;
}

static bool
worth_another_try(StewardRun *run, ErrorData *error)
{
	return run->patience > 0 &&
		steward_batch_is_busy(error);
}

static int64
microseconds_since(instr_time begin)
{
	instr_time	elapsed;

	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, begin);
	return (int64) INSTR_TIME_GET_MICROSEC(elapsed);
}

void
steward_run_try_again(StewardRun *run, ErrorData *error)
{
	if (!worth_another_try(run, error))
		steward_run_fail(run, error);
	FreeErrorData(error);
	run->patience -= (int) (microseconds_since(run->began) / 1000) + PAUSE_MILLISECONDS;
	steward_turn_undone(&run->turn, PAUSE_MILLISECONDS * 1000);
}

void
steward_run_wait(StewardRun *run)
{
	run->patience -= PAUSE_MILLISECONDS;
	steward_turn_undone(&run->turn, PAUSE_MILLISECONDS * 1000);
}

/* After a batch that found candidates from there on; commits it. */
static void
batch_done(StewardRun *run, const StewardLeaf *before)
{
	StewardLeaf *leaf = &run->leaf;

	steward_run_commit(run);
	if (run->atomic)
		return;
	/* Reading candidates takes its time whatever the size of a batch. */
	steward_turn_done(&run->turn, leaf->relation, leaf->next - before->next, before->fanout,
					  microseconds_since(run->began), run->waited_for,
					  before->next < before->count);
}

/* One batch, with its commit; tried again while a lock is in the way. */
static void
batch(StewardRun *run)
{
	StewardLeaf before = run->leaf;
	uint64		deleted = run->deleted;
	uint64		children = run->children;
	StewardReceipts receipts = run->receipts;
	ErrorData  *error;

	run->waited_for = false;
	INSTR_TIME_SET_CURRENT(run->began);
	error = steward_run_attempt(run, batch_part);
	if (error == NULL)
	{
		batch_done(run, &before);
		return;
	}
	run->leaf = before;
	run->deleted = deleted;
	run->children = children;
	run->receipts = receipts;
	steward_run_try_again(run, error);
}

static void
sweep(StewardRun *run, StewardSweep kind)
{
	steward_leaf_begin(&run->leaf, kind);
	while (!steward_leaf_done(&run->leaf) && !steward_turn_gives_way(&run->turn))
		batch(run);
}

/* Candidates of a sweep that are still there, though nothing we know of keeps them. */
static uint64
left_in(const StewardLeaf *leaf)
{
	return leaf->found - leaf->kept;
}

/* Counts what stays of a leaf. */
static void
note_kept(StewardRun *run, const StewardLeaf *leaf)
{
	MemoryContext caller = MemoryContextSwitchTo(run->context);
	StewardLeafKept *found = NULL;
	ListCell   *cell;

	foreach(cell, run->kept)
	{
		if (((StewardLeafKept *) lfirst(cell))->relation == leaf->relation)
			found = lfirst(cell);
	}
	if (found == NULL)
	{
		found = palloc0(sizeof(StewardLeafKept));
		found->relation = leaf->relation;
		run->kept = lappend(run->kept, found);
	}
	run->held += leaf->held - found->held;
	run->restricted += leaf->restricted - found->restricted;
	found->held = leaf->held;
	found->restricted = leaf->restricted;
	MemoryContextSwitchTo(caller);
}

/* Did the run give way in this leaf? Then its sweep begins where it had come to. */
static bool
goes_on_at(StewardRun *run, Oid relid)
{
	if (run->resume.leaf != relid)
		return false;
	run->leaf.from = &run->resume.piece;
	return true;
}

/*
 * Goes through one leaf, then looks for what is left until nothing is, or what
 * is left cannot be deleted.
 */
static void
clean_leaf(StewardRun *run, Oid relid)
{
	StewardLeaf *leaf = &run->leaf;
	uint64		left;

	leaf->relation = relid;
	leaf->fanout = 1;
	if (!goes_on_at(run, relid) || run->resume.sweep == SWEEP_TABLE)
		sweep(run, SWEEP_TABLE);
	leaf->from = NULL;
	run->resume.leaf = InvalidOid;
	for (int sweeps = 0; !run->turn.gives_way;)
	{
		sweep(run, SWEEP_REST);
		if (run->turn.gives_way)
			return;
		left = left_in(leaf);
		if (leaf->deleted > 0)
		{
			if (++sweeps < MOST_SWEEPS)
				continue;
			/* Rows come as fast as they go: as many are left again. */
			left = leaf->found;
		}
		else if (left > 0 && leaf->locked < leaf->found && run->patience > 0)
		{
			steward_run_wait(run);
			continue;
		}
		run->skipped += left;
		note_kept(run, leaf);
		return;
	}
}

void
steward_run_part(StewardRun *run, StewardRunPart part)
{
	StewardReceipts receipts = run->receipts;
	ErrorData  *error;

	while ((error = steward_run_attempt(run, part)) != NULL)
	{
		run->receipts = receipts;
		steward_run_try_again(run, error);
	}
	steward_run_commit(run);
}

/* The leaf with which a run goes on, by its place in the list. */
static int
first_leaf(StewardRun *run)
{
	ListCell   *cell;

	foreach(cell, run->leaves)
	{
		if (lfirst_oid(cell) == run->resume.leaf)
			return foreach_current_index(cell);
	}
	return 0;
}

/* Cleans the leaves until none of several has an expired row left. */
static void
clean_leaves(StewardRun *run)
{
	bool		several = list_length(run->leaves) > 1;

	for (int sweeps = 0; run->leaves != NIL; sweeps++)
	{
		ListCell   *cell;

		if (sweeps == MOST_SWEEPS)
		{
			run->skipped += list_length(run->leaves);
			return;
		}
		for_each_from(cell, run->leaves, first_leaf(run))
		{
			clean_leaf(run, lfirst_oid(cell));
			if (run->turn.gives_way)
				return;
		}
		/* The last look at a single leaf was such a look. */
		if (!several || run->skipped > 0)
			return;
		steward_run_part(run, look_again);
	}
}

/* How the run ends, if nothing failed. */
static void
end(StewardRun *run)
{
	if (run->turn.gives_way)
	{
		steward_run_record_end(run, "waiting", NULL);
		steward_resume_leave(run->id, &run->leaf, run->turn.pace.rows, run->kept);
		return;
	}
	steward_run_record_end(run, run->skipped + run->restricted > 0 ? "incomplete" : "complete", NULL);
	steward_due_succeeded(run->policy->name);
}

static void
run_batches(StewardRun *run)
{
	ErrorData  *error = steward_run_attempt(run, expand);

	if (error != NULL)
		steward_run_fail(run, error);
	steward_run_commit(run);

	if (run->policy->action == STEWARD_DROP_PARTITION)
		steward_partition_run(run);
	else
	{
		run->leaf.pool = steward_candidates_make();
		if (run->policy->action == STEWARD_SHRED)
			steward_shred_run(run);
		else
			clean_leaves(run);
	}
	end(run);
	steward_run_commit(run);
}

static void
check_transaction(bool atomic)
{
	PreventCommandIfReadOnly("CALL steward.run_policy()");
	if (atomic && IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("a retention policy can run only in a READ COMMITTED transaction"),
				 errhint("Call steward.run_policy outside a transaction block.")));
	if (running)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a retention policy is already running in this session")));
}

/* False for a scheduled run that has to wait. */
static bool
lock(StewardRun *run, const char *name)
{
	if (steward_policy_lock(name, !run->atomic, false))
		return true;
	if (run->turn.watch == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("policy \"%s\" is already running", name),
				 errhint("Wait until the other run has ended.")));
	return false;
}

/* The right to run it, and the run's record. False for a scheduled run that is not to be. */
static bool
begin(StewardRun *run, const char *name)
{
	bool		scheduled = run->turn.watch != NULL;
	StewardDueRun due;

	run->policy = steward_policy_read(name);
	steward_policy_require_table(run->policy);
	if (scheduled && !steward_due_begin(run->policy, &due))
		return false;
	if (run->policy->paused)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("policy \"%s\" is paused", name),
				 errhint("Resume it with steward.resume_policy.")));
	run->owner = steward_target_owner(run->policy->relation);
	steward_resume_find(run->policy, &run->resume);
	if (scheduled && run->resume.cut_off && run->resume.run == 0)
	{
		if (!steward_due_cut_off(name))
			return false;
		due.retries++;
	}
	run->id = run->resume.run;
	run->kept = run->resume.kept;
	steward_turn_go_on(&run->turn, run->resume.rows);
	if (run->id == 0)
		steward_run_record_start(run, scheduled ? &due : NULL);
	steward_receipts_read(run->id, &run->receipts);
	run->leaf.salt = run->receipts.salt;
	return true;
}

static void
run_policy(StewardRun *run, const char *name)
{
	StewardRunWatch *watch = run->turn.watch;

	if (!lock(run, name))
	{
		watch->idle = true;
		return;
	}
	if (begin(run, name))
	{
		steward_run_commit(run);
		if (watch != NULL)
			watch->begun = true;
		run_batches(run);
	}
	else
		watch->idle = true;
	if (!run->atomic)
		steward_policy_unlock(name);
}

/* With an SPI connection, in a transaction that has done nothing yet unless it is atomic. */
static uint64
run_connected(const char *name, bool atomic, StewardRunWatch *watch)
{
	StewardRun	run = {
		.atomic = atomic, .patience = PATIENCE_MILLISECONDS,
		.context = CurrentMemoryContext
	};

	steward_turn_begin(&run.turn, watch);
	run.scratch = AllocSetContextCreate(run.context, "retention batch",
										ALLOCSET_DEFAULT_SIZES);
	running = true;
	PG_TRY();
	{
		begin_transaction(&run);
		run_policy(&run, name);
	}
	PG_FINALLY();
	{
		running = false;
	}
	PG_END_TRY();
	return run.deleted;
}

STEWARD_FUNCTION(steward_run_policy)
{
	static const char *const names[] = {"deleted"};
	bool		atomic = steward_call_is_atomic(fcinfo);
	int64		deleted;
	char	   *name;

	steward_require_argument(fcinfo, 0, "name");
	check_transaction(atomic);
	SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!atomic)
		SPI_commit();
	deleted = (int64) run_connected(name, atomic, NULL);
	SPI_finish();
	PG_RETURN_DATUM(steward_bigint_row(1, names, &deleted));
}

void
steward_run_scheduled(StewardRunWatch *watch)
{
	Portal		portal;

	steward_duty_show(psprintf("policy \"%s\"", watch->policy));
	StartTransactionCommand();
	portal = steward_portal_begin("scheduled run of a retention policy");
	PG_TRY();
	{
		SPI_connect_ext(SPI_OPT_NONATOMIC);
		steward_duty_require_extension();
		(void) run_connected(watch->policy, false, watch);
		SPI_finish();
	}
	PG_CATCH();
	{
		steward_portal_fail(portal);
		PG_RE_THROW();
	}
	PG_END_TRY();
	steward_portal_end(portal);
	CommitTransactionCommand();
}
