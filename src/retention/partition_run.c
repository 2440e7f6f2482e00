/*
 * partition_run.c: a run of a policy that drops partitions; see partition_parts.h.
 *
 * For each expired partition, the oldest first, in transactions of their own:
 *	 1. is it kept? Then it is left alone. Else it is remembered as about to be detached;
 *	 2. it is detached: concurrently in a session of the owner, or under a short lock on the table;
 *	 3. holds are looked at again, in a transaction that keeps new ones away; then it is counted and
 *		dropped, or attached again.
 * Called in a transaction block, all of it is one transaction. Before all that, what runs before
 * left behind is brought to its end.
 */
#include "retention/partition_parts.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/duty.h"
#include "ledger/prune.h"
#include "retention/batch_parts.h"
#include "retention/own_record.h"
#include "retention/owner_session.h"
#include "retention/partman.h"
#include "retention/target.h"
#include "subjects/hold.h"

/* What each part does first: the sleep, and then it is the owner. */
static void
begin_part(StewardRun *run, StewardIdentity *identity)
{
	steward_run_pause(run);
	CHECK_FOR_INTERRUPTS();
	steward_become_guarded(run->owner, identity);
	steward_batch_settings(run->policy);
}

static bool
must_stay(const StewardPartitionCount *count)
{
	return count->held > 0 || count->endless > 0;
}

/* Of a partition that stays: what of it is left, once. */
static void
note_kept(StewardRun *run, const StewardPartitionCount *count)
{
	StewardPartitionRun *state = run->partitions;
	MemoryContext caller = MemoryContextSwitchTo(run->context);

	state->kept = lappend_oid(state->kept, state->one.relation);
	if (count->held > 0)
		run->held += count->rows;
	else
		run->skipped += count->rows - count->endless;
	MemoryContextSwitchTo(caller);
}

/* ---- 1. finding the next one ---- */

static void
copy_partition(StewardRun *run, const StewardPartition *one)
{
	MemoryContext caller = MemoryContextSwitchTo(run->context);

	run->partitions->one = *one;
	run->partitions->one.bounds = steward_partition_bounds(one->relation);
	MemoryContextSwitchTo(caller);
}

static void
take_first(StewardRun *run, const List *expired)
{
	ListCell   *cell;

	foreach(cell, expired)
	{
		if (!list_member_oid(run->partitions->kept,
							 ((StewardPartition *) lfirst(cell))->relation))
		{
			copy_partition(run, lfirst(cell));
			return;
		}
	}
}

/* May we know already that it stays? What is counted here is counted again before it goes. */
static void
look(StewardRun *run)
{
	StewardPartitionRun *state = run->partitions;
	StewardPartitionCount count;

	if (!steward_partition_may_stay(&state->one))
		return;
	(void) find_all_inheritors(state->one.relation, AccessShareLock, NULL);
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_partition_count(run->policy, &state->one, &count);
	PopActiveSnapshot();
	state->stays = must_stay(&count);
	if (state->stays)
		note_kept(run, &count);
}

static bool
can_have_session(StewardRun *run)
{
	return !run->atomic && !steward_partition_has_default(run->policy->relation) &&
		steward_owner_session_possible(run->owner);
}

static void
find(StewardRun *run)
{
	StewardPartitionRun *state = run->partitions;
	StewardIdentity identity;
	Relation	parent;

	begin_part(run, &identity);
	memset(&state->one, 0, sizeof(state->one));
	state->stays = false;
	steward_policy_require_table(run->policy);
	parent = relation_open(run->policy->relation, AccessShareLock);
	PushActiveSnapshot(GetTransactionSnapshot());
	take_first(run, steward_partitions_expired(run->policy, parent,
											   steward_partman_manages(run->policy->relation)));
	PopActiveSnapshot();
	if (OidIsValid(state->one.relation))
		look(run);
	state->by_session = can_have_session(run);
	relation_close(parent, NoLock);
	steward_become_caller(&identity);
	if (!OidIsValid(state->one.relation) || state->stays)
		return;
	/* Another policy is at it. */
	if (!steward_partition_remember(run->policy, &state->one))
	{
		StewardPartitionCount none = {0};

		state->stays = true;
		note_kept(run, &none);
	}
}

/* ---- 2. detaching it ---- */

/* A session waits for others without being in their way; a run that has to go does not. */
static bool
has_to_go(void *arg)
{
	return steward_turn_gives_way(arg);
}

/*
 * No lock may be taken here that lasts, not even of the extension, since the wait may take long. So this begins without
 * steward_run_pause.
 */
static void
detach_by_session(StewardRun *run)
{
	StewardPartition *one = &run->partitions->one;
	StewardSessionOrder order = {run->owner, one->parent, one->relation, false};
	StewardTie	tie;
	StewardSessionEnd end;
	TimestampTz begin;

	steward_turn_pause(&run->turn);
	tie = steward_partition_tie(one->relation, one->parent);
	order.finalize = tie == STEWARD_TIE_PENDING;
	if (tie == STEWARD_TIE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a partition was detached by somebody else during the run"),
				 errhint("It is not dropped.")));
	if (run->turn.watch != NULL)
		steward_duty_show(psprintf("policy \"%s\", detaching a partition", run->policy->name));
	begin = GetCurrentTimestamp();
	end = steward_owner_session_detach(&order, has_to_go, &run->turn);
	INSTR_TIME_SET_CURRENT(run->began);
	run->turn.waited_us += Max(0, GetCurrentTimestamp() - begin);
	one->detached = end == STEWARD_SESSION_DONE;
}

/* Under a lock on the table that nobody waits for longer than 100 ms at a time. */
static void
detach_here(StewardRun *run)
{
	StewardPartition *one = &run->partitions->one;
	StewardIdentity identity;

	begin_part(run, &identity);
	steward_partition_detach(one, steward_partition_tie(one->relation, one->parent) ==
							 STEWARD_TIE_PENDING);
	steward_become_caller(&identity);
	steward_partition_mark_detached(one->relation);
}

/* Afterwards it is detached, or the run gives way. */
static void
detach(StewardRun *run)
{
	if (run->partitions->by_session)
	{
		/* Waiting is work too, so it may give way from here on. */
		run->turn.worked = true;
		INSTR_TIME_SET_CURRENT(run->began);
		steward_run_part(run, detach_by_session);
		if (run->partitions->one.detached || run->turn.gives_way)
			return;
	}
	steward_run_part(run, detach_here);
	run->partitions->one.detached = true;
}

/* ---- 3. dropping it, or attaching it again ---- */

static void
attach_again(StewardRun *run)
{
	StewardPartition *one = &run->partitions->one;
	StewardIdentity identity;

	begin_part(run, &identity);
	steward_partition_attach(one);
	steward_become_caller(&identity);
	steward_partition_forget(one->relation);
}

/* Somebody has taken it. What holds may be about stays remembered, and bound. */
static void
let_go(StewardRun *run, const StewardPartition *one)
{
	if (!steward_partition_let_go(one))
		run->skipped++;
}

/* One leaf for the partition: of its rows, which may be many, only the number is kept. */
static void
add_leaf(const StewardRun *run, Oid relid, const StewardPartitionCount *count,
		 StringInfo leaves)
{
	const char *rows = psprintf(INT64_FORMAT, count->rows);

	steward_receipt_add_texts(leaves, run->receipts.salt,
							  steward_action_name(run->policy->action),
							  get_namespace_name(get_rel_namespace(relid)),
							  get_rel_name(relid), 1, &rows);
}

/*
 * Keeps holds away, and all others from the partition, so that what is counted is what goes. A
 * partition that somebody took since is left to him.
 */
static bool
lock_it(const StewardPartition *one)
{
	steward_holds_lock();
	LockRelationOid(one->relation, AccessExclusiveLock);
	if (!steward_partition_is_ours(one))
		return false;
	(void) find_all_inheritors(one->relation, AccessExclusiveLock, NULL);
	return true;
}

static void
drop_or_attach(StewardRun *run)
{
	StewardPartitionRun *state = run->partitions;
	StewardPartitionCount count = {0};
	StewardBatchResult result = {.whole = true};
	StewardIdentity identity;
	uint64		wal = pgWalUsage.wal_bytes;
	List	   *names = NIL;
	bool		ours;
	bool		goes;

	begin_part(run, &identity);
	ours = lock_it(&state->one);
	if (ours)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		steward_partition_count(run->policy, &state->one, &count);
		PopActiveSnapshot();
	}
	goes = ours && !must_stay(&count);
	if (goes)
	{
		names = steward_partman_names(state->one.relation);
		add_leaf(run, state->one.relation, &count, &result.leaves);
		/* No hold keeps it; from here on the guard need not think so. */
		steward_partition_forget(state->one.relation);
		steward_partition_drop(&state->one);
	}
	else if (ours)
		steward_partition_attach(&state->one);
	steward_become_caller(&identity);
	if (goes)
	{
		steward_partman_forget(names);
		result.rows = state->rows = count.rows;
		result.bytes = count.bytes;
		steward_run_record_batch(run, &result, pgWalUsage.wal_bytes - wal);
		return;
	}
	note_kept(run, &count);
	if (ours)
		steward_partition_forget(state->one.relation);
	else
		let_go(run, &state->one);
}

/*
 * What cannot be dropped, because a view is over it or the like, must not stay detached: its rows would be
 * out of sight and not gone. Who waits for a lock, or was cancelled, tries again in the next run.
 */
static void
give_back(StewardRun *run, const ErrorData *error)
{
	ErrorData  *another;

	if (run->atomic || error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		steward_batch_is_busy(error))
		return;
	another = steward_run_attempt(run, attach_again);
	/* It is remembered; the first error is the one to tell. */
	if (another != NULL)
		FreeErrorData(another);
	steward_run_commit(run);
}

static void
finish(StewardRun *run)
{
	StewardPartitionRun *state = run->partitions;
	TimestampTz begin = GetCurrentTimestamp();
	ErrorData  *error;

	state->rows = 0;
	while ((error = steward_run_attempt(run, drop_or_attach)) != NULL)
	{
		give_back(run, error);
		steward_run_try_again(run, error);
	}
	steward_run_commit(run);
	run->deleted += state->rows;
	if (!run->atomic)
		steward_turn_done(&run->turn, run->policy->relation, state->rows, 1,
						  GetCurrentTimestamp() - begin, false, false);
}

/* ---- what runs before left behind ---- */

static void
recall(StewardRun *run)
{
	List	   *all;
	MemoryContext caller;

	steward_run_pause(run);
	caller = MemoryContextSwitchTo(run->context);
	all = steward_partitions_remembered(run->policy);
	MemoryContextSwitchTo(caller);
	run->partitions->remembered = all;
}

/* Has it come so far that it must be brought to an end? Else it is looked at as any other. */
static void
look_at_remembered(StewardRun *run)
{
	StewardPartitionRun *state = run->partitions;
	const StewardPartition *one = &state->one;

	steward_run_pause(run);
	state->tie = steward_partition_tie(one->relation, one->parent);
	state->by_session = can_have_session(run);
	state->stays = state->tie == STEWARD_TIE_ATTACHED ||
		(state->tie == STEWARD_TIE_NONE && !steward_partition_is_ours(one));
	if (state->stays)
		let_go(run, one);
}

static void
bring_to_end(StewardRun *run)
{
	StewardPartitionRun *state = run->partitions;
	ListCell   *cell;

	steward_run_part(run, recall);
	foreach(cell, state->remembered)
	{
		state->one = *(StewardPartition *) lfirst(cell);
		steward_run_part(run, look_at_remembered);
		if (state->stays)
			continue;
		if (state->tie == STEWARD_TIE_PENDING)
			detach(run);
		if (run->turn.gives_way)
			return;
		finish(run);
	}
}

/* ---- the audit trail ---- */

static void
prune(StewardRun *run)
{
	StewardBatchResult result = {.whole = true};
	uint64		wal = pgWalUsage.wal_bytes;
	ListCell   *cell;

	steward_run_pause(run);
	foreach(cell, steward_audit_prune(run->policy->cutoff))
	{
		const StewardPrunable *segment = lfirst(cell);

		const char *texts[] = {
			psprintf("%d", segment->number), psprintf(INT64_FORMAT, segment->records)
		};

		steward_receipt_add_texts(&result.leaves, run->receipts.salt,
								  steward_action_name(run->policy->action), STEWARD_SCHEMA,
								  "audit_log", lengthof(texts), texts);
		result.rows += segment->records;
		result.bytes += segment->bytes;
	}
	run->partitions->rows = result.rows;
	if (result.bytes > 0)
		steward_run_record_batch(run, &result, pgWalUsage.wal_bytes - wal);
}

void
steward_partition_run(StewardRun *run)
{
	StewardPartitionRun *state = MemoryContextAllocZero(run->context,
														sizeof(StewardPartitionRun));

	run->partitions = state;
	if (steward_own_record(run->policy->relation) == STEWARD_OWN_TRAIL)
	{
		steward_run_part(run, prune);
		run->deleted += state->rows;
		return;
	}
	bring_to_end(run);
	while (!steward_turn_gives_way(&run->turn))
	{
		steward_run_part(run, find);
		if (!OidIsValid(state->one.relation))
			return;
		if (state->stays)
			continue;
		detach(run);
		if (run->turn.gives_way)
			return;
		finish(run);
	}
}
