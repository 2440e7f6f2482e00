/*
 * run.c: one run of a policy, from its first transaction to its last.
 *
 * Called by CALL outside a transaction block, a run has a transaction for each
 * batch; else everything happens in the caller's. The parts that may fail run
 * in a subtransaction, so that what a run did and how it ended can be recorded.
 */
#include "retention/policy.h"

#include "access/xact.h"
#include "base/event.h"
#include "catalog/pg_type.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "base/procedure.h"
#include "retention/batch.h"
#include "retention/children.h"
#include "retention/target.h"

#define BATCH_FIRST 500
#define BATCH_LEAST 10
#define BATCH_MOST 10000
#define BATCH_MILLISECONDS 50.0

/* How long a run waits in all for rows and tables that others have locked. */
#define PATIENCE_MILLISECONDS 5000
#define PAUSE_MILLISECONDS 100

/*
 * Sweeps over what was left, as long as they find and delete more: writers may
 * move rows, but a trigger that inserts what is deleted must come to an end.
 */
#define MOST_SWEEPS 16

typedef struct Run
{
	bool		atomic;
	MemoryContext context;		/* lives as long as the run */
	MemoryContext scratch;		/* emptied before each part */
	StewardPolicy *policy;
	Oid			owner;
	int64		id;				/* in steward.policy_run_log */
	List	   *leaves;
	List	   *kept;			/* LeafKept * */
	StewardLeaf leaf;			/* the one being worked on */
	int			batch_size;
	int			patience;		/* milliseconds left */
	int			pause;			/* milliseconds before the next batch */
	uint64		deleted;
	uint64		children;
	uint64		skipped;
	uint64		held;
	uint64		restricted;
} Run;

typedef void (*RunPart) (Run *run);

/* True while this backend runs a policy: a trigger must not begin another. */
static bool running = false;

/*
 * What each transaction needs before its first snapshot. Constraints that are
 * checked at once cannot leave triggers behind that run as somebody else.
 */
static void
begin_transaction(Run *run)
{
	if (!run->atomic)
		steward_begin_read_committed(false);
	steward_constraints_immediate();
}

static void
commit(Run *run)
{
	if (run->atomic)
		return;
	SPI_commit();
	begin_transaction(run);
}

/* One part, as steward_attempt calls it. */
typedef struct Attempt
{
	Run		   *run;
	RunPart		part;
} Attempt;

static void
do_attempt(void *arg)
{
	Attempt    *one = arg;

	one->part(one->run);
}

/*
 * Does a part of the run in a subtransaction, with the scratch context as the
 * current one. Returns its error, with the subtransaction rolled back, or NULL.
 */
static ErrorData *
attempt(Run *run, RunPart part)
{
	Attempt		one = {run, part};

	return steward_attempt(do_attempt, &one, run->scratch);
}

static void
record_start(Run *run)
{
	Oid			types[] = {TEXTOID, REGCLASSOID, TIMESTAMPTZOID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(run->policy->name),
		ObjectIdGetDatum(run->policy->relation),
		TimestampTzGetDatum(run->policy->cutoff),
		CStringGetTextDatum(steward_action_name(run->policy->action))
	};
	bool		isnull;
	StewardJson event;

	/* We have the policy's lock: whoever began these runs is gone. */
	steward_policy_sql("UPDATE steward.policy_run_log SET state = 'interrupted'"
					   " WHERE policy = $1 AND state = 'running'",
					   SPI_OK_UPDATE, 1, types, values, NULL);
	steward_policy_sql("INSERT INTO steward.policy_run_log (policy, relation, cutoff, action)"
					   " VALUES ($1, $2, $3, $4) RETURNING id",
					   SPI_OK_INSERT_RETURNING, lengthof(types), types, values,
					   NULL);
	run->id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (steward_event_begin(&event, "run_policy"))
	{
		steward_json_text(&event, "policy", run->policy->name);
		steward_event_relation(&event, "relation", run->policy->relation);
		steward_json_number(&event, "run", run->id);
		steward_json_text(&event, "cutoff", timestamptz_to_str(run->policy->cutoff));
		steward_event_end(&event);
	}
}

static void
record_batch(Run *run, const StewardBatchResult *result, uint64 wal)
{
	Oid			types[] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(run->id), Int64GetDatum((int64) result->rows),
		Int64GetDatum((int64) result->children),
		Int64GetDatum((int64) result->bytes), Int64GetDatum((int64) wal)
	};

	steward_policy_sql("UPDATE steward.policy_run_log SET rows = rows + $2,"
					   " children = children + $3, bytes = bytes + $4, wal = wal + $5,"
					   " batches = batches + 1, batch_at = pg_catalog.clock_timestamp()"
					   " WHERE id = $1",
					   SPI_OK_UPDATE, lengthof(types), types, values, NULL);
}

static void
record_end(Run *run, const char *state, const char *sqlstate)
{
	StewardJson event;
	Oid			types[] = {INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID};
	Datum		values[] = {
		Int64GetDatum(run->id), CStringGetTextDatum(state),
		Int64GetDatum((int64) run->skipped), Int64GetDatum((int64) run->held),
		Int64GetDatum((int64) run->restricted),
		Int64GetDatum(PATIENCE_MILLISECONDS - run->patience),
		sqlstate != NULL ? CStringGetTextDatum(sqlstate) : (Datum) 0
	};

	steward_policy_sql("UPDATE steward.policy_run_log SET state = $2, skipped = $3,"
					   " held = $4, restricted = $5, waits = $6, sqlstate = $7, finished_at = pg_catalog.clock_timestamp()"
					   " WHERE id = $1",
					   SPI_OK_UPDATE, lengthof(types), types, values,
					   sqlstate != NULL ? NULL : "      n");
	if (!steward_event_begin(&event, "run_policy_ended"))
		return;
	steward_json_text(&event, "policy", run->policy->name);
	steward_json_number(&event, "run", run->id);
	steward_json_text(&event, "state", state);
	steward_json_number(&event, "deleted", (int64) run->deleted);
	steward_json_number(&event, "children", (int64) run->children);
	steward_json_number(&event, "skipped", (int64) run->skipped);
	steward_json_number(&event, "held", (int64) run->held);
	steward_json_number(&event, "restricted", (int64) run->restricted);
	steward_json_text(&event, "sqlstate", sqlstate);
	steward_event_end(&event);
}

/* Records how the run failed, where that can be, and raises the error. */
static void
fail(Run *run, ErrorData *error)
{
	if (!run->atomic)
	{
		record_end(run, error->sqlerrcode == ERRCODE_QUERY_CANCELED ?
				   "interrupted" : "failed",
				   unpack_sql_state(error->sqlerrcode));
		SPI_commit();
	}
	ReThrowError(error);
}

static void
expand(Run *run)
{
	List	   *leaves = steward_target_leaves(run->policy);

	if (steward_target_command(run->policy) == CMD_DELETE)
		steward_children_check(run->policy, run->owner);

	MemoryContextSwitchTo(run->context);
	run->leaves = list_copy(leaves);
}

/* Between transactions there is no snapshot, and no lock but the policy's. */
static void
pause_before_batch(Run *run)
{
	if (run->pause == 0)
		return;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 run->pause, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * Looks at all leaves with one snapshot: an update may have moved a row from a
 * leaf that came later to one that was clean, and a leaf may have been attached.
 * Leaves those with expired rows in the run.
 */
static void
look_again(Run *run)
{
	List	   *leaves;
	ListCell   *cell;

	pause_before_batch(run);
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
batch_part(Run *run)
{
	StewardBatchResult result;
	uint64		wal = pgWalUsage.wal_bytes;

	pause_before_batch(run);
	CHECK_FOR_INTERRUPTS();
	steward_leaf_batch(&run->leaf, run->policy, run->owner, run->batch_size, &result);
	if (result.rows > 0)
		record_batch(run, &result, pgWalUsage.wal_bytes - wal);
	run->deleted += result.rows;
	run->children += result.children;
}

/* Shrinks fast and grows slowly, so that nobody waits long for a batch. */
static void
adapt_size(Run *run, double milliseconds)
{
	if (milliseconds > BATCH_MILLISECONDS)
		run->batch_size /= 2;
	else if (milliseconds < BATCH_MILLISECONDS / 2)
		run->batch_size += run->batch_size / 4;
	run->batch_size = Max(BATCH_LEAST, Min(BATCH_MOST, run->batch_size));
}

static bool
worth_another_try(Run *run, ErrorData *error)
{
	return run->patience > 0 &&
		(error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		 error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED);
}

/* After that time a part failed: prepares for another try, or raises the error. */
static void
try_again(Run *run, ErrorData *error, double milliseconds)
{
	if (!worth_another_try(run, error))
		fail(run, error);
	FreeErrorData(error);
	run->patience -= (int) milliseconds + PAUSE_MILLISECONDS;
	run->pause = PAUSE_MILLISECONDS;
}

/* One batch, with its commit; tried again while a lock is in the way. */
static void
batch(Run *run)
{
	StewardLeaf before = run->leaf;
	uint64		deleted = run->deleted;
	uint64		children = run->children;
	instr_time	start;
	instr_time	elapsed;
	ErrorData  *error;

	INSTR_TIME_SET_CURRENT(start);
	error = attempt(run, batch_part);
	if (error == NULL)
		commit(run);
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, start);
	if (error == NULL)
	{
		/* Reading candidates takes its time whatever the size of a batch. */
		if (before.next < before.count)
			adapt_size(run, INSTR_TIME_GET_MILLISEC(elapsed) - run->pause);
		run->pause = 0;
		return;
	}

	run->leaf = before;
	run->deleted = deleted;
	run->children = children;
	try_again(run, error, INSTR_TIME_GET_MILLISEC(elapsed));
	adapt_size(run, 2 * BATCH_MILLISECONDS);
}

static void
sweep(Run *run, StewardSweep kind)
{
	steward_leaf_begin(&run->leaf, kind);
	while (!steward_leaf_done(&run->leaf))
		batch(run);
}

/* Candidates of a sweep that are still there, though nothing we know of keeps them. */
static uint64
left_in(const StewardLeaf *leaf)
{
	return leaf->found - leaf->kept;
}

/* What stays of a leaf; one that is gone through again counts once. */
typedef struct LeafKept
{
	Oid			relation;
	uint64		held;
	uint64		restricted;
} LeafKept;

static void
note_kept(Run *run, const StewardLeaf *leaf)
{
	MemoryContext caller = MemoryContextSwitchTo(run->context);
	LeafKept   *found = NULL;
	ListCell   *cell;

	foreach(cell, run->kept)
	{
		if (((LeafKept *) lfirst(cell))->relation == leaf->relation)
			found = lfirst(cell);
	}
	if (found == NULL)
	{
		found = palloc0(sizeof(LeafKept));
		found->relation = leaf->relation;
		run->kept = lappend(run->kept, found);
	}
	run->held += leaf->held - found->held;
	run->restricted += leaf->restricted - found->restricted;
	found->held = leaf->held;
	found->restricted = leaf->restricted;
	MemoryContextSwitchTo(caller);
}

/*
 * Goes through one leaf, then looks for what is left until nothing is, or what
 * is left cannot be deleted.
 */
static void
clean_leaf(Run *run, Oid relid)
{
	StewardLeaf *leaf = &run->leaf;
	uint64		left;

	leaf->relation = relid;
	leaf->fanout = 1;
	sweep(run, SWEEP_TABLE);
	for (int sweeps = 0;;)
	{
		sweep(run, SWEEP_REST);
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
			run->patience -= PAUSE_MILLISECONDS;
			run->pause = PAUSE_MILLISECONDS;
			continue;
		}
		run->skipped += left;
		note_kept(run, leaf);
		return;
	}
}

static void
look(Run *run)
{
	ErrorData  *error;

	while ((error = attempt(run, look_again)) != NULL)
		try_again(run, error, PAUSE_MILLISECONDS);
	commit(run);
	run->pause = 0;
}

/* Cleans the leaves until none of several has an expired row left. */
static void
clean_leaves(Run *run)
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
		foreach(cell, run->leaves)
		{
			clean_leaf(run, lfirst_oid(cell));
		}
		/* The last look at a single leaf was such a look. */
		if (!several || run->skipped > 0)
			return;
		look(run);
	}
}

static void
run_batches(Run *run)
{
	ErrorData  *error = attempt(run, expand);

	if (error != NULL)
		fail(run, error);
	commit(run);

	run->leaf.pool = steward_candidates_make();
	clean_leaves(run);
	record_end(run, run->skipped + run->restricted > 0 ? "incomplete" : "complete", NULL);
	commit(run);
}

static void
check_transaction(Run *run)
{
	PreventCommandIfReadOnly("CALL steward.run_policy()");
	if (run->atomic && IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("a retention policy can run only in a READ COMMITTED transaction"),
				 errhint("Call steward.run_policy outside a transaction block.")));
	if (running)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a retention policy is already running in this session")));
}

static void
run_policy(Run *run, const char *name)
{
	if (!run->atomic)
		SPI_commit();
	begin_transaction(run);
	if (!steward_policy_lock(name, !run->atomic, false))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("policy \"%s\" is already running", name),
				 errhint("Wait until the other run has ended.")));
	run->policy = steward_policy_read(name);
	steward_policy_require_table(run->policy);
	if (run->policy->paused)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("policy \"%s\" is paused", name),
				 errhint("Resume it with steward.resume_policy.")));
	run->owner = steward_target_owner(run->policy->relation);
	record_start(run);
	commit(run);
	run_batches(run);
	if (!run->atomic)
		steward_policy_unlock(name);
}

STEWARD_FUNCTION(steward_run_policy)
{
	Run			run = {
		.batch_size = BATCH_FIRST,
		.patience = PATIENCE_MILLISECONDS
	};
	static const char *const names[] = {"deleted"};
	int64		deleted;
	char	   *name;

	run.atomic = steward_call_is_atomic(fcinfo);
	steward_require_argument(fcinfo, 0, "name");
	check_transaction(&run);

	SPI_connect_ext(run.atomic ? 0 : SPI_OPT_NONATOMIC);
	run.context = CurrentMemoryContext;
	run.scratch = AllocSetContextCreate(run.context, "retention batch",
										ALLOCSET_DEFAULT_SIZES);
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	running = true;
	PG_TRY();
	{
		run_policy(&run, name);
	}
	PG_FINALLY();
	{
		running = false;
	}
	PG_END_TRY();
	SPI_finish();
	deleted = (int64) run.deleted;
	PG_RETURN_DATUM(steward_bigint_row(1, names, &deleted));
}
