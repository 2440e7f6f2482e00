/*
 * launcher.c: the process that starts workers where something is due.
 *
 * It is connected to no database. After the start of the server, a crash or a
 * promotion it has every database visited once; after that it sleeps until a
 * backend sets its latch or a duty's time comes. At most steward.max_workers
 * work at once: who waits longest comes next, and a worker whose database is
 * quiet leaves when others wait. At most half of them do lengthy work.
 */
#include "base/duty_shared.h"

#include "access/xact.h"
#include "base/databases.h"
#include "base/guc.h"
#include "base/shared.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* A database is not visited again before that. */
#define REVISIT_MILLISECONDS 1000

/* Nor is another worker started when none was free. */
#define NO_WORKER_MILLISECONDS 5000

/* The clock is looked at as often while a time is waited for. */
#define LONGEST_NAP_MILLISECONDS 60000

static StewardDutyShared *shared;

/* The workers that were asked for and have not begun, by slot. */
static BackgroundWorkerHandle *handles[STEWARD_MAX_SLOTS];

static List *unvisited = NIL;	/* databases, in unvisited_context */
static MemoryContext unvisited_context;
static TimestampTz no_worker_until = 0;
static bool no_worker_logged = false;

extern PGDLLEXPORT void steward_launcher_main(Datum arg);

static void
leave(int code, Datum arg)
{
	LWLockReleaseAll();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = NULL;
	LWLockRelease(shared->lock);
}

/* Takes over from a launcher that is gone, whose workers may be about to begin. */
static void
enter(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = MyLatch;
	shared->visit_all = true;
	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
		shared->slots[i].starting = false;
	LWLockRelease(shared->lock);
}

/* Workers that ended before they began: their slots want another. */
static void
reap(void)
{
	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
	{
		StewardDutySlot *slot = &shared->slots[i];
		pid_t		pid;

		if (handles[i] == NULL || GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
			continue;
		pfree(handles[i]);
		handles[i] = NULL;
		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		if (slot->starting)
			slot->starting = false;
		steward_duty_slot_settle(slot);
		LWLockRelease(shared->lock);
	}
}

/* Marks databases that are to be visited, as many as there are slots for. */
static void
mark_unvisited(void)
{
	bool		all;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	all = shared->visit_all;
	shared->visit_all = false;
	LWLockRelease(shared->lock);
	if (all)
	{
		MemoryContextReset(unvisited_context);
		unvisited = steward_databases(unvisited_context);
		MemoryContextSwitchTo(TopMemoryContext);
	}
	if (unvisited == NIL)
		return;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	while (unvisited != NIL)
	{
		StewardDutySlot *slot = steward_duty_slot(llast_oid(unvisited), false, true);

		if (slot == NULL)
			break;
		steward_duty_slot_due(slot);
		unvisited = list_delete_last(unvisited);
	}
	LWLockRelease(shared->lock);
}

/* Since when a slot has waited for a worker; 0: it does not. Under the lock. */
static TimestampTz
waits_since(StewardDutySlot *slot, TimestampTz now)
{
	if (pg_atomic_read_u32(&slot->database) == InvalidOid || slot->starting ||
		slot->pid != 0 || slot->holds > 0 || slot->not_before > now)
		return 0;
	if (pg_atomic_read_u32(&slot->due) != 0)
		return slot->waiting_since;
	return slot->wake_at != 0 && slot->wake_at <= now ? slot->wake_at : 0;
}

/* Counts workers, and those that do lengthy work. */
static int
count_working(int *lengthy)
{
	int			working = 0;

	*lengthy = 0;
	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
	{
		if (shared->slots[i].pid == 0 && !shared->slots[i].starting)
			continue;
		working++;
		if (shared->slots[i].lengthy)
			(*lengthy)++;
	}
	return working;
}

/* Slots that wait for a worker. */
typedef struct Queue
{
	int			next;			/* that has waited longest, or -1 */
	int			waiting;		/* could be started if there were more workers */
	int			waiting_lengthy;	/* could be if less lengthy work was done */
} Queue;

/* Half of the workers, one at least, may do lengthy work. */
static Queue
find_waiting(TimestampTz now, int *working)
{
	Queue		queue = {.next = -1};
	int			lengthy;
	TimestampTz since = 0;

	*working = count_working(&lengthy);
	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
	{
		StewardDutySlot *slot = &shared->slots[i];
		TimestampTz waits = waits_since(slot, now);

		if (waits == 0)
			continue;
		if (slot->lengthy && lengthy >= Max(steward_max_workers / 2, 1))
		{
			queue.waiting_lengthy++;
			continue;
		}
		queue.waiting++;
		if (queue.next == -1 || waits < since)
		{
			queue.next = i;
			since = waits;
		}
	}
	return queue;
}

static bool
register_worker(int number, Oid database)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(number);
	memcpy(worker.bgw_extra, &database, sizeof database);
	steward_worker_describe(&worker, "pg_steward worker", "steward_worker_main");
	return RegisterDynamicBackgroundWorker(&worker, &handles[number]);
}

static void
no_worker(TimestampTz now)
{
	no_worker_until = TimestampTzPlusMilliseconds(now, NO_WORKER_MILLISECONDS);
	if (!no_worker_logged)
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("duties of pg_steward wait because no background worker is free"),
				 errhint("Raise max_worker_processes.")));
	no_worker_logged = true;
}

/* Starts a worker for a slot that the caller marked, or forgets the database. */
static void
start(int number, TimestampTz now)
{
	StewardDutySlot *slot = &shared->slots[number];
	Oid			database = pg_atomic_read_u32(&slot->database);
	bool		exists = steward_database_connectable(database);
	bool		started;

	/* One that is about to end, unheard of yet. */
	if (handles[number] != NULL)
		pfree(handles[number]);
	handles[number] = NULL;
	started = exists && register_worker(number, database);
	if (started)
		no_worker_logged = false;
	else if (exists)
		no_worker(now);
	if (started)
		return;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->starting = false;
	if (!exists)
	{
		slot->misfit = false;
		slot->wake_at = 0;
		slot->waiting_since = 0;
		pg_atomic_write_u32(&slot->due, 0);
		steward_duty_slot_settle(slot);
	}
	LWLockRelease(shared->lock);
}

/* Workers with nothing to do make room for others; under the lock. */
static void
tell_workers(void)
{
	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
	{
		if (shared->slots[i].latch != NULL)
			SetLatch(shared->slots[i].latch);
	}
}

/* Starts workers, as many as may work. */
static void
start_workers(void)
{
	TimestampTz now = GetCurrentTimestamp();

	for (;;)
	{
		Queue		queue;
		int			working;

		LWLockAcquire(shared->lock, LW_EXCLUSIVE);
		queue = find_waiting(now, &working);
		if (queue.next == -1 || working >= steward_max_workers || no_worker_until > now)
		{
			pg_atomic_write_u32(&shared->waiting, queue.waiting);
			pg_atomic_write_u32(&shared->waiting_lengthy, queue.waiting_lengthy);
			if (queue.waiting + queue.waiting_lengthy > 0)
				tell_workers();
			LWLockRelease(shared->lock);
			return;
		}
		shared->slots[queue.next].starting = true;
		shared->slots[queue.next].not_before =
			TimestampTzPlusMilliseconds(now, REVISIT_MILLISECONDS);
		LWLockRelease(shared->lock);
		start(queue.next, now);
	}
}

/* Milliseconds until a slot's time comes; -1: the latch tells. */
static long
time_to_nap(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = 0;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
	{
		StewardDutySlot *slot = &shared->slots[i];
		bool		due = pg_atomic_read_u32(&slot->due) != 0;
		TimestampTz at = due ? slot->not_before : Max(slot->wake_at, slot->not_before);

		if (pg_atomic_read_u32(&slot->database) == InvalidOid || slot->starting ||
			slot->pid != 0 || slot->holds > 0 || (!due && slot->wake_at == 0))
			continue;
		/* One that waits for others to leave: their end is heard of. */
		if (at <= now)
			at = no_worker_until;
		if (at > now && (next == 0 || at < next))
			next = at;
	}
	LWLockRelease(shared->lock);
	if (next == 0)
		return -1;
	/* The clock may be put forward while we sleep. */
	return Min(TimestampDifferenceMilliseconds(now, next) + 1, LONGEST_NAP_MILLISECONDS);
}

void
steward_launcher_main(Datum arg)
{
	shared = steward_duty_shared;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(leave, (Datum) 0);
	unvisited_context = AllocSetContextCreate(TopMemoryContext,
											  "pg_steward databases to visit",
											  ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(TopMemoryContext);
	enter();
	for (;;)
	{
		reap();
		mark_unvisited();
		start_workers();
		(void) steward_worker_nap(time_to_nap());
	}
}
