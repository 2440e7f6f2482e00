/*
 * encrypt_online.c: encrypt_column_online and decrypt_column_online: the
 * transactions of an online conversion, from the first to the last.
 *
 * Terms
 *	 run		one call of the procedure; a conversion may take several
 *	 sweep		one way through the table, batch by batch
 *	 patience	how long a run waits in all for locks of others
 *
 * Every part runs in a subtransaction, so that one that fails for a lock can be
 * tried again; whatever ends a run, the table is as good as before, its trigger
 * keeps what is done in step, and the next call goes on.
 */
#include "columns/encrypt_online.h"

#include "access/relation.h"
#include "access/transam.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "base/catalog.h"
#include "base/procedure.h"
#include "keys/keys.h"
#include "types/encrypted.h"

/* How long others may have to wait behind us for the table, in one try. */
#define LOCK_MILLISECONDS "300ms"
#define PAUSE_MILLISECONDS 200

/* Sweeps that verify, until all is in step; one is enough beside writers. */
#define MOST_SWEEPS 100

typedef void (*RunPart) (StewardOnlineRun *run);

/* ---- transactions ---- */

void
steward_online_begin_transaction(void)
{
	steward_begin_read_committed(false);
	steward_constraints_immediate();
}

static void
commit(void)
{
	SPI_commit();
	steward_online_begin_transaction();
}

/* One part, as steward_attempt calls it. */
typedef struct Attempt
{
	StewardOnlineRun *run;
	RunPart		part;
} Attempt;

static void
do_attempt(void *arg)
{
	Attempt    *attempt = arg;

	PushActiveSnapshot(GetTransactionSnapshot());
	attempt->part(attempt->run);
	PopActiveSnapshot();
}

/* Waits a while after that time was lost, or raises when patience is used up. */
static void
pause_run(StewardOnlineRun *run, double milliseconds)
{
	run->patience -= milliseconds + PAUSE_MILLISECONDS;
	if (run->patience < 0)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("other transactions stay in the way of converting a column of table \"%s\"",
						run->table),
				 errhint("Call the procedure again: it goes on where it was.")));
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 PAUSE_MILLISECONDS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Does a part and commits it; tries again while a lock is in the way. */
static void
do_part(StewardOnlineRun *run, RunPart part)
{
	for (;;)
	{
		instr_time	start;
		instr_time	elapsed;
		Attempt		attempt = {run, part};
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		INSTR_TIME_SET_CURRENT(start);
		error = steward_attempt(do_attempt, &attempt, run->scratch);
		commit();
		if (error == NULL)
			return;
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		FreeErrorData(error);
		pause_run(run, INSTR_TIME_GET_MILLISEC(elapsed));
	}
}

/* ---- parts ---- */

/* For the rest of the transaction. */
static void
set_lock_timeout(void)
{
	(void) set_config_option("lock_timeout", LOCK_MILLISECONDS, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* Locks and opens the table, if it is there and still the caller's. */
static Relation
open_table(StewardOnlineRun *run, LOCKMODE lockmode)
{
	Relation	rel = NULL;

	set_lock_timeout();
	if (get_rel_name(run->relid) != NULL)
	{
		/* Before the lock too, so that it is no means to block others. */
		steward_conversion_check_owner(run->relid);
		rel = try_relation_open(run->relid, lockmode);
	}
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" was dropped during the conversion", run->table)));
	steward_conversion_check_owner(run->relid);
	return rel;
}

/* The conversion as its trigger says. */
static StewardConversion
find_conversion(StewardOnlineRun *run, Relation rel)
{
	StewardConversion conversion = {.online = true};

	if (!steward_conversion_find_trigger(&conversion, rel))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the online conversion of a column of table \"%s\" was disturbed",
						RelationGetRelationName(rel)),
				 errdetail("Its trigger is gone."),
				 errhint("Give it up with steward.abort_column_conversion(), and begin again.")));
	conversion.online = true;
	return conversion;
}

static pg_attribute_noreturn() void
refuse_other(Relation rel, const char *column, bool encrypt)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("another online conversion of table \"%s\" has begun",
					RelationGetRelationName(rel)),
			 errdetail("Its column \"%s\" is being %s.", column,
					   encrypt ? "encrypted" : "decrypted"),
			 errhint("Finish it, or give it up with steward.abort_column_conversion().")));
}

/* Goes on with a conversion that has begun, if it is the one that is wanted. */
static void
resume(StewardOnlineRun *run, Relation rel, const StewardConversionState *state)
{
	StewardConversion conversion = find_conversion(run, rel);
	StewardConversion wanted = {.encrypt = run->encrypt, .online = true};

	if (strcmp(conversion.column, run->column) != 0 || conversion.encrypt != run->encrypt)
		refuse_other(rel, conversion.column, conversion.encrypt);
	steward_conversion_describe(&wanted, rel, run->column, run->key, run->type);
	if (wanted.key_id != conversion.key_id || (run->encrypt || run->type != NULL ?
											   wanted.target_type != conversion.target_type ||
											   wanted.target_typmod != conversion.target_typmod : false))
		refuse_other(rel, conversion.column, conversion.encrypt);
	steward_conversion_check_dependents(&conversion, rel);
	steward_conversion_check_rights(&conversion, run->build_indexes);
	if (state == NULL)
		steward_conversion_state_begin(&conversion, run->rows);
	run->phase = MemoryContextStrdup(run->context, state != NULL ? state->phase : "filling");
	run->batch.next_block = state != NULL ? (BlockNumber) state->next_block : 0;
}

static const char *
event_name(const StewardOnlineRun *run)
{
	return run->encrypt ? "encrypt_column_online" : "decrypt_column_online";
}

static void
start(StewardOnlineRun *run, Relation rel)
{
	StewardConversion conversion = {.encrypt = run->encrypt, .online = true};
	StewardIdentity identity;

	steward_conversion_describe(&conversion, rel, run->column, run->key, run->type);
	steward_conversion_check_dependents(&conversion, rel);
	steward_conversion_check_rights(&conversion, run->build_indexes);
	steward_conversion_warn(&conversion, rel);
	relation_close(rel, NoLock);
	steward_become(conversion.owner, &identity);
	steward_conversion_prepare(&conversion);
	steward_conversion_rehearse(&conversion);
	steward_become_caller(&identity);
	steward_conversion_state_begin(&conversion, run->rows);
	steward_conversion_tell(event_name(run), &conversion, "begun");
	run->phase = MemoryContextStrdup(run->context, "filling");
	run->batch.next_block = 0;
}

/* Looks whether it has begun; that needs no lock which others feel. */
static void
look_part(StewardOnlineRun *run)
{
	Relation	rel = open_table(run, AccessShareLock);
	StewardConversionState *state = steward_conversion_state(run->relid);
	StewardConversion conversion = {0};
	BlockNumber pages;
	double		tuples;
	double		visible;

	estimate_rel_size(rel, NULL, &pages, &tuples, &visible);
	run->rows = (int64) tuples;
	run->phase = NULL;
	if (state != NULL || steward_conversion_find_trigger(&conversion, rel))
		resume(run, rel, state);
	relation_close(rel, NoLock);
}

static void
start_part(StewardOnlineRun *run)
{
	start(run, open_table(run, AccessExclusiveLock));
}

static void
batch_part(StewardOnlineRun *run)
{
	Relation	rel = open_table(run, RowExclusiveLock);
	StewardConversion conversion = find_conversion(run, rel);
	StewardIdentity identity;
	StewardBatch batch = run->batch;

	if (batch.end_block == InvalidBlockNumber)
	{
		batch.end_block = RelationGetNumberOfBlocks(rel);
		run->stamp = steward_conversion_trigger_stamp(rel);
	}
	steward_become(conversion.owner, &identity);
	steward_conversion_batch(&conversion, rel, &batch);
	steward_become_caller(&identity);
	relation_close(rel, NoLock);
	steward_conversion_state_progress(run->relid, batch.next_block,
									  batch.written - run->batch.written);
	/* A part that fails is tried again from where it began. */
	run->batch = batch;
}

/* One way through the table, from next_block on. */
static void
sweep(StewardOnlineRun *run, bool verify)
{
	run->batch.verify = verify;
	run->batch.end_block = InvalidBlockNumber;
	run->batch.found = run->batch.written = 0;
	do
		do_part(run, batch_part);
	while (run->batch.next_block < run->batch.end_block);
	run->batch.next_block = 0;
}

static void
phase_part(StewardOnlineRun *run)
{
	steward_conversion_state_phase(run->relid, run->phase);
}

static void
begin_phase(StewardOnlineRun *run, const char *phase)
{
	run->phase = pstrdup(phase);
	do_part(run, phase_part);
}

static void
validate_part(StewardOnlineRun *run)
{
	Relation	rel = open_table(run, ShareUpdateExclusiveLock);
	StewardConversion conversion = find_conversion(run, rel);
	StewardIdentity identity;

	relation_close(rel, NoLock);
	if (!OidIsValid(get_relation_constraint_oid(run->relid, STEWARD_SHADOW_CHECK, true)))
		return;
	steward_become(conversion.owner, &identity);
	steward_conversion_execute("ALTER TABLE %s VALIDATE CONSTRAINT %s",
							   steward_conversion_table(run->relid), STEWARD_SHADOW_CHECK);
	steward_become_caller(&identity);
}

/* ---- indexes ---- */

/*
 * The command for an index that has no successor. Its names are as its owner
 * finds them, by a safe search path: the run executes it so, and who is told to
 * run it may have another path.
 */
static char *
index_command(StewardOnlineRun *run, const StewardConversion *conversion, Oid index)
{
	StewardIdentity identity;
	char	   *command;

	steward_become(conversion->owner, &identity);
	command = steward_conversion_index_sql(conversion, index, conversion->shadow,
										   NULL, !run->build_indexes);
	steward_become_caller(&identity);
	return MemoryContextStrdup(run->context, command);
}

static void
indexes_part(StewardOnlineRun *run)
{
	Relation	rel = open_table(run, AccessShareLock);
	StewardConversion conversion = find_conversion(run, rel);
	List	   *taken = NIL;
	ListCell   *cell;

	steward_conversion_check_dependents(&conversion, rel);
	run->commands = NIL;
	foreach(cell, conversion.indexes)
	{
		Oid			successor = steward_conversion_find_index(&conversion,
															  lfirst_oid(cell), taken);
		char	   *command;

		taken = lappend_oid(taken, successor);
		if (OidIsValid(successor))
			continue;
		command = index_command(run, &conversion, lfirst_oid(cell));
		MemoryContextSwitchTo(run->context);
		run->commands = lappend(run->commands, command);
		MemoryContextSwitchTo(run->scratch);
	}
	relation_close(rel, NoLock);
}

static void
build_part(StewardOnlineRun *run)
{
	Relation	rel = open_table(run, ShareLock);
	Oid			owner = rel->rd_rel->relowner;
	StewardIdentity identity;

	relation_close(rel, NoLock);
	steward_become(owner, &identity);
	steward_conversion_execute("%s", (char *) linitial(run->commands));
	steward_become_caller(&identity);
}

/* True when all are there; else says what is to be made. */
static bool
has_indexes(StewardOnlineRun *run)
{
	StringInfoData commands;
	ListCell   *cell;

	do_part(run, indexes_part);
	while (run->commands != NIL && run->build_indexes)
	{
		do_part(run, build_part);
		run->commands = list_delete_first(run->commands);
	}
	if (run->commands == NIL)
		return true;
	begin_phase(run, "waiting for indexes");
	initStringInfo(&commands);
	foreach(cell, run->commands)
		appendStringInfo(&commands, "%s;\n", (char *) lfirst(cell));
	ereport(NOTICE,
			(errmsg("the shadow column is filled and needs indexes before it can take the place of column \"%s\"",
					run->column),
			 errdetail("PostgreSQL builds an index beside writers only by a command of its own."),
			 errhint("Run this, and call the procedure again:\n%s", commands.data)));
	return false;
}

/* ---- the end ---- */

static void
swap_part(StewardOnlineRun *run)
{
	Relation	rel = open_table(run, AccessExclusiveLock);
	StewardConversion conversion = find_conversion(run, rel);
	StewardTriggerStamp stamp = steward_conversion_trigger_stamp(rel);
	StewardIdentity identity;

	run->swapped = stamp.oid == run->stamp.oid && stamp.xmin == run->stamp.xmin;
	if (!conversion.encrypt)
		steward_key_require(conversion.key_id, STEWARD_RIGHT_DECRYPT);
	steward_conversion_check_dependents(&conversion, rel);
	relation_close(rel, NoLock);
	if (!run->swapped)
		return;
	steward_become(conversion.owner, &identity);
	steward_conversion_swap(&conversion);
	steward_become_caller(&identity);
	steward_conversion_tell(event_name(run), &conversion, "ended");
	run->done = conversion;
	run->done.column = MemoryContextStrdup(run->context, conversion.column);
}

/*
 * Sweeps until one has found every row in step. From its beginning on the
 * trigger has been in force, which the swap makes sure of, so that what was
 * written meanwhile is in step too.
 */
static void
verify(StewardOnlineRun *run)
{
	begin_phase(run, "verifying");

	/*
	 * Where a run that was cut off stood, rows before may still be out of
	 * step.
	 */
	run->batch.next_block = 0;
	for (int sweeps = 0; sweeps < MOST_SWEEPS; sweeps++)
	{
		sweep(run, true);
		if (run->batch.found == 0)
			return;
		/* What is left is locked by others. */
		run->batch.wait = run->batch.written == 0;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("rows of table \"%s\" stay out of step with the shadow column",
					run->table),
			 errhint("Call the procedure again, or give it up with steward.abort_column_conversion().")));
}

/*
 * Waits for a transaction with a snapshot older than the end of filling: it may
 * show rows as they were before, with a NULL in the shadow.
 */
static void
snapshot_part(StewardOnlineRun *run)
{
	set_lock_timeout();
	(void) VirtualXactLock(run->others[run->other], true);
}

static void
wait_for_snapshots(StewardOnlineRun *run)
{
	int			count;

	run->others = GetCurrentVirtualXIDs(ReadNextTransactionId(), true, false,
										PROC_IS_AUTOVACUUM | PROC_IN_VACUUM, &count);
	for (run->other = 0; run->other < count; run->other++)
		do_part(run, snapshot_part);
}

const char *
steward_online_convert(StewardOnlineRun *run)
{
	do_part(run, look_part);
	if (run->phase == NULL)
		do_part(run, start_part);
	if (strcmp(run->phase, "filling") == 0)
		sweep(run, false);
	if (!has_indexes(run))
		return "waiting for indexes";
	while (!run->swapped)
	{
		verify(run);
		do_part(run, validate_part);
		begin_phase(run, "swapping");
		wait_for_snapshots(run);
		do_part(run, swap_part);
	}
	run->done.relid = run->relid;
	steward_conversion_say_done(&run->done);
	return "complete";
}
