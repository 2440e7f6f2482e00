/*
 * revocation_worker.c: the worker that keeps the revocation journal; see
 * revocation_worker.h.
 *
 * One static worker, connected to no database, starts a short-lived one for
 * each database that may have something new: no connection stays in the way of
 * DROP DATABASE. A database is visited when the server starts, when somebody
 * erased there, and after each interval in which anything was written or
 * replayed. The command that copies the journal is in revocation_ship.c.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "base/catalog.h"
#include "base/databases.h"
#include "base/guc.h"
#include "base/shared.h"
#include "common/hashfn.h"
#include "keys/revocation.h"
#include "keys/revocation_ship.h"
#include "keys/revocation_state.h"
#include "keys/revocation_worker.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* Databases that are kept track of; others are visited each interval. */
#define MAX_DATABASES 128

/* A visit that takes longer is ended, and tried again. */
#define VISIT_MILLISECONDS 60000

/* The same complaint is logged again after so long. */
#define COMPLAINT_MILLISECONDS 600000

typedef struct DatabaseState
{
	Oid			database;
	bool		due;			/* somebody erased here */
	bool		kept;			/* visited, and nothing failed since */
	uint32		complaint;		/* hash of what was logged last, or 0 */
	TimestampTz complained_at;
} DatabaseState;

typedef struct WorkerShared
{
	LWLock	   *lock;
	Latch	   *latch;			/* the static worker's, while it runs */
	bool		followed;		/* a standby, or promoted and not seen to yet */
	int			count;
	DatabaseState databases[MAX_DATABASES];
} WorkerShared;

static WorkerShared *shared = NULL;

extern PGDLLEXPORT void steward_revocation_main(Datum arg);
extern PGDLLEXPORT void steward_revocation_visit_main(Datum arg);

static void
init_shared(void *memory, LWLock *lock)
{
	memset(memory, 0, sizeof(WorkerShared));
	((WorkerShared *) memory)->lock = lock;
}

void
steward_revocation_worker_init(void)
{
	BackgroundWorker worker = {0};

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	steward_shared_request("pg_steward revocation", sizeof(WorkerShared),
						   (void **) &shared, init_shared);

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = 5;
	steward_worker_describe(&worker, "pg_steward revocation journal",
							"steward_revocation_main");
	RegisterBackgroundWorker(&worker);
}

/* ---- what processes tell each other ---- */

/* The state of a database, made when there is room; under the lock. */
static DatabaseState *
state_of(Oid database, bool make)
{
	for (int i = 0; i < shared->count; i++)
	{
		if (shared->databases[i].database == database)
			return &shared->databases[i];
	}
	if (!make || shared->count == MAX_DATABASES)
		return NULL;
	shared->databases[shared->count] = (DatabaseState)
	{
		database
	};
	return &shared->databases[shared->count++];
}

bool
steward_revocation_worker_runs(void)
{
	return shared != NULL && shared->latch != NULL;
}

bool
steward_revocation_worker_keeps(void)
{
	DatabaseState *state;
	bool		kept;

	if (!steward_revocation_worker_runs())
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	state = state_of(MyDatabaseId, false);
	kept = state != NULL && state->kept && shared->latch != NULL;
	LWLockRelease(shared->lock);
	return kept;
}

bool
steward_revocation_worker_followed(void)
{
	return shared != NULL && shared->followed;
}

void
steward_revocation_worker_wake(bool lacking)
{
	DatabaseState *state;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	state = state_of(MyDatabaseId, true);
	if (state != NULL)
	{
		state->due = true;
		if (lacking)
			state->kept = false;
	}
	if (shared->latch != NULL)
		SetLatch(shared->latch);
	LWLockRelease(shared->lock);
}

/* ---- a visit to one database ---- */

static void
visit(void)
{
	DatabaseState *state;
	bool		kept = false;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (OidIsValid(steward_extension_oid(true)))
		kept = steward_revocation_refresh(STEWARD_RECONCILE_NOW);
	if (kept)
		steward_revocation_copy_remember();
	/* rotate_root_key does it for the primary's journal alone. */
	if (kept && steward_revocation_follows() &&
		!steward_revocation_copy_is_current())
		steward_revocation_rekey();
	PopActiveSnapshot();
	CommitTransactionCommand();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	state = state_of(MyDatabaseId, kept);
	if (state != NULL)
	{
		/* Erased since: another visit comes. */
		state->kept = kept && !state->due;
		state->complaint = 0;
	}
	LWLockRelease(shared->lock);
}

/* Logs what went wrong, but not the same thing at each visit. */
static void
complain(const ErrorData *error)
{
	uint32		complaint = hash_bytes((const unsigned char *) error->message,
									   strlen(error->message)) | 1;
	TimestampTz now = GetCurrentTimestamp();
	DatabaseState *state;
	bool		again = true;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	state = state_of(MyDatabaseId, true);
	if (state != NULL)
	{
		again = state->complaint != complaint ||
			TimestampDifferenceExceeds(state->complained_at, now,
									   COMPLAINT_MILLISECONDS);
		if (again)
			state->complained_at = now;
		state->complaint = complaint;
		state->kept = false;
	}
	LWLockRelease(shared->lock);
	if (again)
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("revocation journal is not kept for database %u: %s",
						MyDatabaseId, error->message),
				 error->detail_log != NULL ? errdetail("%s", error->detail_log) :
				 error->detail != NULL ? errdetail("%s", error->detail) : 0,
				 error->hint != NULL ? errhint("%s", error->hint) : 0));
}

void
steward_revocation_visit_main(Datum arg)
{
	MemoryContext context;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);
	context = CurrentMemoryContext;
	PG_TRY();
	{
		visit();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		complain(error);
	}
	PG_END_TRY();
	proc_exit(0);
}

/* ---- the static worker ---- */

static XLogRecPtr visited_at = InvalidXLogRecPtr;
static TimestampTz visit_again_at = 0;
static bool no_worker_logged = false;

static void
leave(int code, Datum arg)
{
	steward_revocation_ship_end();
	LWLockReleaseAll();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->latch = NULL;
	LWLockRelease(shared->lock);
}

/* Waits for signals and the latch; a reload is taken notice of. */
static void
nap(long milliseconds)
{
	if (!steward_worker_nap(milliseconds))
		return;
	visit_again_at = 0;
	visited_at = InvalidXLogRecPtr;
	steward_revocation_ship_now();
}

/* Starts a worker for a database and waits for its end. */
static void
visit_database(Oid database)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  VISIT_MILLISECONDS);
	pid_t		pid;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	steward_worker_describe(&worker, "pg_steward revocation journal",
							"steward_revocation_visit_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "pg_steward revocation journal visit");
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		if (!no_worker_logged)
			ereport(LOG,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("revocation journal is not kept while no background worker is free"),
					 errhint("Raise max_worker_processes.")));
		no_worker_logged = true;
		/* Not before the interval is over, and not as if it had been done. */
		visited_at = InvalidXLogRecPtr;
		return;
	}
	no_worker_logged = false;
	while (GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED)
	{
		if (GetCurrentTimestamp() >= give_up)
			TerminateBackgroundWorker(handle);
		nap(1000);
	}
	pfree(handle);
}

/* Takes the mark that somebody erased in a database. */
static bool
take_due(Oid database)
{
	DatabaseState *state;
	bool		due;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	state = state_of(database, false);
	due = state != NULL && state->due;
	if (due)
		state->due = false;
	LWLockRelease(shared->lock);
	return due;
}

static bool
any_due(void)
{
	bool		due = false;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->count; i++)
		due |= shared->databases[i].due;
	LWLockRelease(shared->lock);
	return due;
}

/* Forgets databases that are gone, so that there is room for others. */
static void
forget_dropped(List *databases)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < shared->count;)
	{
		if (list_member_oid(databases, shared->databases[i].database))
			i++;
		else
			shared->databases[i] = shared->databases[--shared->count];
	}
	LWLockRelease(shared->lock);
}

static void
visit_databases(MemoryContext context)
{
	bool		recovering = RecoveryInProgress();
	bool		all = GetCurrentTimestamp() >= visit_again_at;
	XLogRecPtr	now = recovering ? GetXLogReplayRecPtr(NULL) :
		GetXLogInsertRecPtr();
	List	   *databases;
	ListCell   *cell;

	if (all)
		visit_again_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 steward_revocation_interval);
	/* Nothing written, nothing new. */
	if (all && now == visited_at)
		all = false;
	if (!all && !any_due())
		return;
	MemoryContextReset(context);
	MemoryContextSwitchTo(context);
	databases = steward_databases(context);
	forget_dropped(databases);
	if (all)
		visited_at = now;
	foreach(cell, databases)
	{
		bool		due = take_due(lfirst_oid(cell));

		if (all || due)
			visit_database(lfirst_oid(cell));
	}
	/* What was replayed before a promotion is in the journal now. */
	if (all && !recovering && visited_at == now)
		shared->followed = false;
}

/* Milliseconds until there is something to do; -1: a signal tells. */
static long
time_to_nap(long ship_nap)
{
	long		nap;

	if (!steward_revocation_is_configured())
		return ship_nap;
	nap = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), visit_again_at);
	if (ship_nap >= 0)
		nap = Min(nap, ship_nap);
	return Max(nap, 10);
}

void
steward_revocation_main(Datum arg)
{
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	/* The command's end is waited for by its pid. */
	pqsignal(SIGCHLD, SIG_DFL);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(leave, (Datum) 0);
	context = AllocSetContextCreate(TopMemoryContext, "pg_steward revocation worker",
									ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(context);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->latch = MyLatch;
	if (steward_revocation_follows())
		shared->followed = true;
	LWLockRelease(shared->lock);
	for (;;)
	{
		if (steward_revocation_is_configured())
			visit_databases(context);
		nap(time_to_nap(steward_revocation_ship()));
	}
}
