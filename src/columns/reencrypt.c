/*
 * reencrypt.c: steward.reencrypt, from its first transaction to its last.
 *
 * sweep	a way through the blocks that are to be done, in batches with a commit
 *			each; the first one goes through all
 * look		a reading of all leaves with one snapshot, which finds what is left:
 *			rows that were locked, and values that writers carried along
 *
 * A run is complete only after an empty look. Nothing but the rows themselves
 * says how far it came, so that one that was cut off is simply called again.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "base/procedure.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type_d.h"
#include "columns/renew.h"
#include "executor/spi.h"
#include "keys/manage.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

/* How long a batch keeps its row locks. */
#define BATCH_MILLISECONDS 100

/* How long a run waits in all for rows that others have locked, unless
 * lock_timeout is set. */
#define PATIENCE_MILLISECONDS 10000
#define PAUSE_MILLISECONDS 100

/* Looks that find something again and again: writers are faster than we are. */
#define MOST_SWEEPS 32

typedef struct Run
{
	Oid			relation;
	char	   *name;			/* as it was when the run began, for it may be
								 * dropped */
	char	   *full_name;		/* with its schema, quoted */
	int			pause;			/* milliseconds between batches */
	int			patience;		/* milliseconds left */
	MemoryContext context;		/* lives as long as the run */
	MemoryContext sweep_context;	/* what the last look found */
	MemoryContext batch_context;
	LOCKTAG		lock;
	int64		id;				/* in steward.reencryption */
	List	   *work;			/* of StewardRenewBlocks */
	StewardRenewal sum;
	StewardRenewal sweep;		/* of the last sweep */
	uint64		batches;
	uint64		remaining;
} Run;

/* ---- transactions ---- */

/* A batch that a crash undoes is done again: its commit need not wait. */
static void
commit(void)
{
	SPI_commit();
	steward_begin_read_committed(true);
}

/* Between transactions there is neither a snapshot nor a row lock. */
static void
rest(int milliseconds)
{
	if (milliseconds > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 milliseconds, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	CHECK_FOR_INTERRUPTS();
}

/* ---- the record ---- */

static void
run_as_owner(const char *sql, int expected, int count, Oid *types, Datum *values)
{
	StewardIdentity caller;

	steward_become_owner(&caller);
	(void) steward_keys_run(sql, count, types, values, expected);
	steward_become_caller(&caller);
}

static void
record_start(Run *run)
{
	Oid			types[] = {OIDOID, TEXTOID, NAMEOID, INT8OID};
	NameData	caller;
	bool		isnull;
	Datum		values[] = {
		ObjectIdGetDatum(run->relation),
		CStringGetTextDatum(run->full_name),
		NameGetDatum(&caller)
	};

	namestrcpy(&caller, GetUserNameFromId(GetSessionUserId(), false));
	/* We have the lock: whoever began these runs is gone. */
	run_as_owner("UPDATE steward.reencryption AS r SET state = 'interrupted'"
				 " WHERE r.relation OPERATOR(pg_catalog.=) $1"
				 " AND r.state OPERATOR(pg_catalog.=) 'running'",
				 SPI_OK_UPDATE, 1, types, values);
	run_as_owner("INSERT INTO steward.reencryption (relation, name, called_by)"
				 " VALUES ($1, $2, $3) RETURNING id",
				 SPI_OK_INSERT_RETURNING, 3, types, values);
	run->id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	steward_event_column("reencrypt", run->relation, NULL);
}

static void
record_blocks(Run *run)
{
	Oid			types[] = {INT8OID, INT8OID};
	int64		blocks = 0;
	ListCell   *cell;
	Datum		values[2];

	foreach(cell, run->work)
	{
		StewardRenewBlocks *work = lfirst(cell);

		blocks += work->list != NULL ? work->count : work->end;
	}
	values[0] = Int64GetDatum(run->id);
	values[1] = Int64GetDatum(blocks);
	run_as_owner("UPDATE steward.reencryption AS r"
				 " SET blocks_total = r.blocks_total OPERATOR(pg_catalog.+) $2"
				 " WHERE r.id OPERATOR(pg_catalog.=) $1",
				 SPI_OK_UPDATE, 2, types, values);
}

static void
record_batch(Run *run, int64 blocks)
{
	Oid			types[] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(run->id), Int64GetDatum((int64) run->sum.rows),
		Int64GetDatum((int64) run->sum.values),
		Int64GetDatum((int64) run->batches), Int64GetDatum(blocks)
	};

	run_as_owner("UPDATE steward.reencryption AS r SET rows = $2, values = $3, batches = $4,"
				 " blocks_done = r.blocks_done OPERATOR(pg_catalog.+) $5"
				 " WHERE r.id OPERATOR(pg_catalog.=) $1",
				 SPI_OK_UPDATE, 5, types, values);
}

static void
record_end(Run *run)
{
	StewardJson event;
	Oid			types[] = {INT8OID, TEXTOID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(run->id),
		CStringGetTextDatum(run->remaining == 0 ? "complete" : "incomplete"),
		Int64GetDatum((int64) run->remaining)
	};

	run_as_owner("UPDATE steward.reencryption AS r SET state = $2, remaining = $3,"
				 " finished_at = pg_catalog.clock_timestamp()"
				 " WHERE r.id OPERATOR(pg_catalog.=) $1",
				 SPI_OK_UPDATE, 3, types, values);
	if (!steward_event_begin(&event, "reencrypt_ended"))
		return;
	steward_event_relation(&event, "relation", run->relation);
	steward_json_number(&event, "rows", (int64) run->sum.rows);
	steward_json_number(&event, "remaining", (int64) run->remaining);
	steward_event_end(&event);
}

/* ---- the leaves ---- */

/* Is this a table with encrypted columns? Its shapes go to *shapes. */
static bool
is_leaf(Relation rel, StewardShape ***shapes, bool warn)
{
	*shapes = steward_shapes(RelationGetDescr(rel));
	if (warn && *shapes != NULL && rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		ereport(WARNING,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("foreign table \"%s\" is not re-encrypted",
						RelationGetRelationName(rel)),
				 errhint("Do it where its rows are.")));
	return *shapes != NULL && rel->rd_rel->relkind == RELKIND_RELATION;
}

/*
 * The table and all below it, locked: PostgreSQL's function locks those below alone. Between
 * transactions the table may have been dropped: then there is nothing.
 */
static List *
locked_tree(Oid relid)
{
	LockRelationOid(relid, AccessShareLock);
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return find_all_inheritors(relid, AccessShareLock, NULL);
	UnlockRelationOid(relid, AccessShareLock);
	return NIL;
}

static void
add_work(Run *run, Oid relid, BlockNumber end, BlockNumber *list, int count)
{
	MemoryContext caller = MemoryContextSwitchTo(run->sweep_context);
	StewardRenewBlocks *work = palloc0(sizeof *work);

	work->relation = relid;
	work->end = end;
	work->list = list;
	work->count = count;
	run->work = lappend(run->work, work);
	MemoryContextSwitchTo(caller);
}

static void
forget_work(Run *run)
{
	run->work = NIL;
	MemoryContextReset(run->sweep_context);
}

/* All blocks of all leaves. */
static void
expand(Run *run)
{
	List	   *tree = locked_tree(run->relation);
	bool		any = tree == NIL;
	ListCell   *cell;

	foreach(cell, tree)
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);
		StewardShape **shapes;

		if (is_leaf(rel, &shapes, true))
			add_work(run, lfirst_oid(cell), RelationGetNumberOfBlocks(rel), NULL, 0);
		any |= shapes != NULL;
		relation_close(rel, NoLock);
	}
	if (!any)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" has no encrypted column", run->name)));
	record_blocks(run);
}

/*
 * Looks at all leaves with one snapshot, so that no row gets past by moving from
 * one to another. Leaves the blocks that are to be done again in the run.
 */
static void
look(Run *run)
{
	StewardRenewLook found;
	ListCell   *cell;

	run->remaining = 0;
	forget_work(run);
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(cell, locked_tree(run->relation))
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);
		StewardShape **shapes;

		if (is_leaf(rel, &shapes, false))
		{
			MemoryContext caller = MemoryContextSwitchTo(run->sweep_context);

			steward_renew_look(&found, rel, shapes);
			MemoryContextSwitchTo(caller);
			if (found.old > 0)
				add_work(run, lfirst_oid(cell), found.blocks[found.block_count - 1] + 1,
						 found.blocks, found.block_count);
			run->remaining += found.old;
			steward_counts_store(&found.counts, lfirst_oid(cell), shapes,
								 RelationGetNumberOfAttributes(rel));
		}
		relation_close(rel, NoLock);
	}
	PopActiveSnapshot();
	record_blocks(run);
}

typedef struct Attempt
{
	Run		   *run;
	StewardRenewBlocks *work;
} Attempt;

/* One batch, as steward_attempt calls it. */
static void
attempt_batch(void *arg)
{
	Attempt    *attempt = arg;

	steward_renew_batch(attempt->work, BATCH_MILLISECONDS, &attempt->run->sweep);
}

/*
 * Does a batch in a subtransaction. False, with nothing done, when it ran into a
 * deadlock: whoever makes a subject and then changes a row of it may wait for us.
 */
static bool
try_batch(Run *run, StewardRenewBlocks *work)
{
	StewardRenewBlocks work_before = *work;
	StewardRenewal sweep_before = run->sweep;
	Attempt		attempt = {run, work};
	ErrorData  *error = steward_attempt(attempt_batch, &attempt, run->batch_context);

	MemoryContextReset(run->batch_context);
	if (error == NULL)
		return true;
	if (error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED || run->patience <= 0)
		ReThrowError(error);
	FreeErrorData(error);
	*work = work_before;
	run->sweep = sweep_before;
	return false;
}

/* One batch, with its commit. */
static void
batch(Run *run, StewardRenewBlocks *work)
{
	int64		position = work->list != NULL ? work->position : work->next;
	uint64		rows = run->sweep.rows;
	uint64		values = run->sweep.values;

	if (!try_batch(run, work))
	{
		commit();
		run->patience -= PAUSE_MILLISECONDS;
		rest(PAUSE_MILLISECONDS);
		return;
	}
	run->sum.rows += run->sweep.rows - rows;
	run->sum.values += run->sweep.values - values;
	run->batches += run->sweep.rows > rows;
	record_batch(run, (work->list != NULL ? work->position : work->next) - position);
	commit();
	rest(run->pause);
}

static void
sweep(Run *run)
{
	ListCell   *cell;

	memset(&run->sweep, 0, sizeof run->sweep);
	foreach(cell, run->work)
	{
		StewardRenewBlocks *work = lfirst(cell);

		while (!steward_renew_done(work))
			batch(run, work);
	}
}

/* Is what the look found what the sweep before could not move? */
static bool
is_stuck(const Run *run)
{
	return run->sweep.busy == 0 &&
		run->remaining <= run->sweep.unreadable + run->sweep.unbound;
}

static void
sweep_and_look(Run *run)
{
	expand(run);
	commit();
	for (int sweeps = 1;; sweeps++)
	{
		sweep(run);
		look(run);
		commit();
		if (run->work == NIL || is_stuck(run) || sweeps == MOST_SWEEPS ||
			run->patience <= 0)
			return;
		if (run->sweep.rows == 0)
		{
			run->patience -= PAUSE_MILLISECONDS;
			rest(PAUSE_MILLISECONDS);
		}
	}
}

/* ---- the call ---- */

/* Leaves the names in the run. */
static void
check_relation(Run *run)
{
	Oid			relid = run->relation;
	Relation	rel = steward_named_relation_open(relid, AccessShareLock);
	char		relkind = rel->rd_rel->relkind;

	if (!STEWARD_OWNS_RELATION(relid, GetUserId()) &&
		GetUserId() != steward_extension_owner())
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(relkind),
					   RelationGetRelationName(rel));
	if (relkind == RELKIND_MATVIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("materialized view \"%s\" cannot be re-encrypted",
						RelationGetRelationName(rel)),
				 errhint("Re-encrypt the tables it reads, then REFRESH MATERIALIZED VIEW.")));
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel))));
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot re-encrypt temporary tables of other sessions")));
	run->name = pstrdup(RelationGetRelationName(rel));
	run->full_name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												run->name);
	relation_close(rel, AccessShareLock);
}

static void
check_call(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"relation", "pause"};

	steward_call_must_commit(fcinfo, "reencrypt",
							 "Call it by itself: it commits after each batch.");
	steward_require_arguments(fcinfo, lengthof(names), names);
	if (PG_GETARG_INT32(1) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be negative", "pause")));
}

/* One run on a table at a time; the session's lock lasts over transactions. */
static void
lock_run(Run *run)
{
	static StewardRelationRef record = {"reencryption"};

	SET_LOCKTAG_OBJECT(run->lock, MyDatabaseId, steward_relation_oid(&record),
					   run->relation, 0);
	if (LockAcquire(&run->lock, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table \"%s\" is being re-encrypted already", run->name)));
}

static void
tell(const Run *run)
{
	if (run->remaining > 0)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("re-encryption of table \"%s\" is not complete", run->name),
				 errdetail_plural("%llu value was left as it is.",
								  "%llu values were left as they are.",
								  (unsigned long) run->remaining,
								  (unsigned long long) run->remaining),
				 is_stuck(run) && run->sweep.unbound > 0
				 ? errhint("The subjects of their rows were erased: empty these columns, or delete the rows.")
				 : is_stuck(run)
				 ? errhint("They cannot be opened: see steward.verify_column().")
				 : errhint("Their rows were locked, or writers carried them along: call it again.")));
}

STEWARD_FUNCTION(steward_reencrypt)
{
	Run			run = {
		.patience = LockTimeout > 0 ? LockTimeout : PATIENCE_MILLISECONDS
	};
	static const char *const names[] = {"rows", "remaining"};
	int64		numbers[2];

	check_call(fcinfo);
	run.relation = PG_GETARG_OID(0);
	run.pause = PG_GETARG_INT32(1);
	check_relation(&run);

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run.context = CurrentMemoryContext;
	run.sweep_context = AllocSetContextCreate(run.context, "re-encryption",
											  ALLOCSET_DEFAULT_SIZES);
	run.batch_context = AllocSetContextCreate(run.context, "re-encryption batch",
											  ALLOCSET_DEFAULT_SIZES);
	commit();
	lock_run(&run);
	record_start(&run);
	sweep_and_look(&run);
	record_end(&run);
	SPI_commit();
	(void) LockRelease(&run.lock, ExclusiveLock, true);
	tell(&run);
	SPI_finish();
	numbers[0] = (int64) run.sum.rows;
	numbers[1] = (int64) run.remaining;
	PG_RETURN_DATUM(steward_bigint_row(2, names, numbers));
}
