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
#include "columns/conversion.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/plancat.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/catalog.h"
#include "keys/keys.h"
#include "types/encrypted.h"

/* How long others may have to wait behind us for the table, in one try. */
#define LOCK_MILLISECONDS "300ms"
#define PAUSE_MILLISECONDS 200

typedef struct Run
{
	MemoryContext context;		/* lives as long as the run */
	MemoryContext scratch;		/* emptied before each part */
	Oid			relid;
	bool		encrypt;
	char	   *column;
	char	   *key;			/* encryption */
	char	   *type;			/* decryption, or NULL */
	bool		build_indexes;
	double		patience;		/* milliseconds left */
	int64		rows;			/* estimate at the start */
	StewardBatch batch;
	StewardTriggerStamp stamp;	/* before the last sweep that verified */
	List	   *commands;		/* CREATE INDEX for what is missing */
	char	   *phase;
	bool		swapped;
	StewardConversion done;		/* what say_done needs */
} Run;

typedef void (*RunPart) (Run *run);

/* ---- transactions ---- */

/* As in a retention run: see begin_transaction there. */
static void
begin_transaction(void)
{
	ConstraintsSetStmt *immediate = makeNode(ConstraintsSetStmt);

	(void) set_config_option("transaction_isolation", "read committed",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
							 false);
	AfterTriggerSetState(immediate);
	pfree(immediate);
}

static void
commit(void)
{
	SPI_commit();
	begin_transaction();
}

/*
 * Does a part in a subtransaction, with a snapshot and the scratch context.
 * Returns its error, with the subtransaction rolled back, or NULL.
 */
static ErrorData *
attempt(Run *run, RunPart part)
{
	ResourceOwner resources = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextReset(run->scratch);
	MemoryContextSwitchTo(run->scratch);
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		part(run);
		PopActiveSnapshot();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(run->context);
	CurrentResourceOwner = resources;
	return error;
}

static void
pause_run(Run *run)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 PAUSE_MILLISECONDS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Does a part and commits it; tries again while a lock is in the way. */
static void
do_part(Run *run, RunPart part)
{
	for (;;)
	{
		instr_time	start;
		instr_time	elapsed;
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		INSTR_TIME_SET_CURRENT(start);
		error = attempt(run, part);
		commit();
		if (error == NULL)
			return;
		INSTR_TIME_SET_CURRENT(elapsed);
		INSTR_TIME_SUBTRACT(elapsed, start);
		run->patience -= INSTR_TIME_GET_MILLISEC(elapsed) + PAUSE_MILLISECONDS;
		if (run->patience < 0 ||
			(error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			 error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED))
			ReThrowError(error);
		FreeErrorData(error);
		pause_run(run);
	}
}

/* ---- parts ---- */

/* Locks and opens the table, still the caller's; NULL fields are filled in. */
static Relation
open_table(Run *run, LOCKMODE lockmode)
{
	Relation	rel;

	steward_conversion_check_owner(run->relid);
	(void) set_config_option("lock_timeout", LOCK_MILLISECONDS, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	rel = try_relation_open(run->relid, lockmode);
	steward_conversion_check_owner(run->relid);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", run->relid)));
	return rel;
}

/* The conversion as its trigger says. */
static StewardConversion
find_conversion(Run *run, Relation rel)
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
resume(Run *run, Relation rel, const StewardConversionState *state)
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
	if (state == NULL)
		steward_conversion_state_begin(&conversion, run->rows);
	run->phase = MemoryContextStrdup(run->context, state != NULL ? state->phase : "filling");
	run->batch.next_block = state != NULL ? (BlockNumber) state->next_block : 0;
}

static void
start(Run *run, Relation rel)
{
	StewardConversion conversion = {.encrypt = run->encrypt, .online = true};
	StewardIdentity identity;

	steward_conversion_describe(&conversion, rel, run->column, run->key, run->type);
	steward_conversion_check_dependents(&conversion, rel);
	steward_conversion_warn(&conversion, rel);
	relation_close(rel, NoLock);
	steward_become(conversion.owner, &identity);
	steward_conversion_prepare(&conversion);
	steward_become_caller(&identity);
	steward_conversion_state_begin(&conversion, run->rows);
	run->phase = MemoryContextStrdup(run->context, "filling");
	run->batch.next_block = 0;
}

/* Looks whether it has begun; that needs no lock which others feel. */
static void
look_part(Run *run)
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
start_part(Run *run)
{
	start(run, open_table(run, AccessExclusiveLock));
}

static void
batch_part(Run *run)
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
sweep(Run *run, bool verify)
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
phase_part(Run *run)
{
	steward_conversion_state_phase(run->relid, run->phase);
}

static void
begin_phase(Run *run, const char *phase)
{
	run->phase = pstrdup(phase);
	do_part(run, phase_part);
}

static void
validate_part(Run *run)
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

static void
indexes_part(Run *run)
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
		command = steward_conversion_index_sql(&conversion, lfirst_oid(cell),
											   conversion.shadow, NULL,
											   !run->build_indexes);
		MemoryContextSwitchTo(run->context);
		run->commands = lappend(run->commands, pstrdup(command));
		MemoryContextSwitchTo(run->scratch);
	}
	relation_close(rel, NoLock);
}

static void
build_part(Run *run)
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
has_indexes(Run *run)
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
swap_part(Run *run)
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
	run->done = conversion;
	run->done.column = MemoryContextStrdup(run->context, conversion.column);
}

/*
 * Sweeps until one has found every row in step. From its beginning on the
 * trigger has been in force, which the swap makes sure of, so that what was
 * written meanwhile is in step too.
 */
static void
verify(Run *run)
{
	begin_phase(run, "verifying");
	for (;;)
	{
		sweep(run, true);
		if (run->batch.found == 0)
			return;
		if (run->batch.written > 0)
			continue;
		run->patience -= PAUSE_MILLISECONDS;
		if (run->patience < 0)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("rows of table \"%s\" stay locked by other transactions",
							get_rel_name(run->relid)),
					 errhint("Call the procedure again: it goes on where it was.")));
		pause_run(run);
	}
}

/* Returns how far it came. */
static const char *
convert(Run *run)
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
		do_part(run, swap_part);
	}
	run->done.relid = run->relid;
	steward_conversion_say_done(&run->done);
	return "complete";
}

/* ---- the procedures ---- */

static pg_attribute_noreturn() void
refuse_null(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", name)));
}

static void
read_arguments(FunctionCallInfo fcinfo, Run *run)
{
	static const char *const names[] = {"relation", "column", "key", "batch_size", "patience", "build_indexes"};
	const Interval *patience;

	for (int i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i) && (i != 2 || run->encrypt))
			refuse_null(names[i]);
	}
	run->relid = PG_GETARG_OID(0);
	run->column = pstrdup(NameStr(*PG_GETARG_NAME(1)));
	if (run->encrypt)
		run->key = text_to_cstring(PG_GETARG_TEXT_PP(2));
	else if (!PG_ARGISNULL(2))
		run->type = text_to_cstring(PG_GETARG_TEXT_PP(2));
	run->batch.size = PG_GETARG_INT32(3);
	if (run->batch.size < 1 || run->batch.size > 100000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be between 1 and 100000", "batch_size")));
	patience = PG_GETARG_INTERVAL_P(4);
	run->patience = patience->time / 1000.0 + patience->day * 86400000.0 +
		patience->month * 30.0 * 86400000.0;
	if (run->patience < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative", "patience")));
	run->build_indexes = PG_GETARG_BOOL(5);
}

static Datum
result_row(const char *state)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	Datum		values[] = {CStringGetTextDatum(state)};
	bool		nulls[] = {false};

	TupleDescInitEntry(desc, 1, "state", TEXTOID, -1, 0);
	desc = BlessTupleDesc(desc);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

static Datum
run_conversion(FunctionCallInfo fcinfo, const char *name, bool encrypt)
{
	MemoryContext caller = CurrentMemoryContext;
	Run			run = {.encrypt = encrypt};
	const char *state;

	/* A block with an EXCEPTION clause can be left only as a whole. */
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic || IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", name),
				 errhint("Call it by itself; within a transaction there is steward.%s().",
						 encrypt ? "encrypt_column" : "decrypt_column")));
	PreventCommandIfReadOnly(name);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run.context = CurrentMemoryContext;
	run.scratch = AllocSetContextCreate(run.context, "column conversion",
										ALLOCSET_DEFAULT_SIZES);
	read_arguments(fcinfo, &run);
	steward_conversion_check_owner(run.relid);
	SPI_commit();
	begin_transaction();
	if (!steward_conversion_lock(run.relid, true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a column of table \"%s\" is being converted by another session",
						get_rel_name(run.relid)),
				 errhint("See steward.column_progress.")));
	state = convert(&run);
	steward_conversion_unlock(run.relid);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	return result_row(state);
}

STEWARD_FUNCTION(steward_encrypt_column_online)
{
	return run_conversion(fcinfo, "CALL steward.encrypt_column_online()", true);
}

STEWARD_FUNCTION(steward_decrypt_column_online)
{
	return run_conversion(fcinfo, "CALL steward.decrypt_column_online()", false);
}

/* ---- giving up ---- */
