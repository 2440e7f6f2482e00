/*
 * worker.c: a visit to one database, in which its duties are done.
 *
 * The worker is connected as the bootstrap superuser, because the owner of the
 * extension may be unable to log in, or be at its connection limit; each
 * transaction of a duty is the owner's, under a safe search_path, and settings
 * that a database or role was given are overridden where they matter. It leaves
 * when nothing was to be done for a while, when others wait and it has nothing to
 * do at once or had its turn, when a DROP DATABASE needs it to, and when the
 * extension is no longer the one it knows.
 */
#include "base/duty_shared.h"

#include "access/xact.h"
#include "base/catalog.h"
#include "base/shared.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "common/hashfn.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* A worker that had nothing to do for so long leaves. */
#define IDLE_MILLISECONDS 5000

/* So long may a database be worked for while others wait. */
#define TURN_MILLISECONDS 1000
#define LENGTHY_TURN_MILLISECONDS 5000

/* How soon a duty that failed is tried again, and how late at most. */
#define RETRY_MILLISECONDS 1000
#define RETRY_MOST_MILLISECONDS 300000

/* An extension that does not fit the library is looked at again after so long. */
#define MISFIT_MILLISECONDS 60000

static StewardDutyShared *shared;
static StewardDutySlot *slot = NULL;
static Oid	database;
static char *database_name;
static MemoryContext visit_context;

/* The extension as the visit found it. */
static Oid	extension = InvalidOid;
static char *version = NULL;
static bool extension_changed = false;

static bool due[STEWARD_MAX_DUTIES];
static TimestampTz began_at;
static TimestampTz worked_at;

/* What to leave behind: when to come again, if the visit ended as it should. */
static bool done = false;
static TimestampTz come_again_at = 0;

static StewardIdentity identity;

extern PGDLLEXPORT void steward_worker_main(Datum arg);

/* ---- the slot ---- */

/*
 * Gives the slot back. A transaction that ran has been aborted by now: callbacks
 * run last in, first out.
 */
static void
detach(int code, Datum arg)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockReleaseAll();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->pid = 0;
	slot->latch = NULL;
	slot->wake_at = come_again_at;
	if (!done)
	{
		pg_atomic_write_u32(&slot->due, 1);
		slot->not_before = TimestampTzPlusMilliseconds(now, RETRY_MILLISECONDS);
	}
	/* At the end of the queue. */
	slot->waiting_since = pg_atomic_read_u32(&slot->due) != 0 ? now : 0;
	steward_duty_slot_settle(slot);
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
	LWLockRelease(shared->lock);
}

/* Takes the slot; false when it is another's, or the database is to be left. */
static bool
attach(int number)
{
	StewardDutySlot *mine = &shared->slots[number];
	bool		taken;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	taken = pg_atomic_read_u32(&mine->database) == database && mine->pid == 0 &&
		mine->holds == 0;
	if (taken)
	{
		mine->starting = false;
		mine->pid = MyProcPid;
		mine->latch = MyLatch;
		mine->wake_at = 0;
		slot = mine;
		before_shmem_exit(detach, (Datum) 0);
	}
	LWLockRelease(shared->lock);
	return taken;
}

/* Is there a mark that something is due, which was not taken yet? */
static bool
is_marked(void)
{
	return pg_atomic_read_u32(&slot->due) != 0;
}

/*
 * Takes the mark: before looking at what is due, and not sooner, since every mark
 * that is taken has a writer set another and wake us.
 */
static void
take_due(void)
{
	bool		taken;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	taken = pg_atomic_exchange_u32(&slot->due, 0) != 0;
	slot->waiting_since = 0;
	LWLockRelease(shared->lock);
	for (int i = 0; i < steward_duty_count; i++)
		due[i] |= taken;
}

static bool
is_held(void)
{
	bool		held;

	LWLockAcquire(shared->lock, LW_SHARED);
	held = slot->holds > 0;
	LWLockRelease(shared->lock);
	return held;
}

/* Would another slot be worked for if this one was left? */
static bool
others_wait(void)
{
	return pg_atomic_read_u32(&shared->waiting) > 0 ||
		(slot->lengthy && pg_atomic_read_u32(&shared->waiting_lengthy) > 0);
}

static bool
turn_is_over(void)
{
	return others_wait() &&
		TimestampDifferenceExceeds(began_at, GetCurrentTimestamp(),
								   slot->lengthy ? LENGTHY_TURN_MILLISECONDS :
								   TURN_MILLISECONDS);
}

bool
steward_duty_must_leave(void)
{
	return slot != NULL && (is_held() || turn_is_over());
}

/* ---- transactions of a duty ---- */

/* Remembers the extension that is there, if it is one the library knows. */
static bool
find_extension(void)
{
	char	   *found;
	bool		misfit;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = steward_extension_version(&extension);
	misfit = found != NULL && strcmp(found, STEWARD_VERSION) != 0;
	database_name = MemoryContextStrdup(visit_context, get_database_name(database));
	if (found != NULL)
		version = MemoryContextStrdup(visit_context, found);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(visit_context);

	if (misfit && !slot->misfit)
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_steward does nothing in the background for database \"%s\": the extension is of version %s, the library of version %s",
						database_name, version, STEWARD_VERSION),
				 errhint("Run ALTER EXTENSION pg_steward UPDATE in the database.")));
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->misfit = misfit;
	if (misfit)
		slot->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   MISFIT_MILLISECONDS);
	LWLockRelease(shared->lock);
	return version != NULL && !misfit;
}

static bool
is_same_extension(void)
{
	Oid			oid;
	const char *found = steward_extension_version(&oid);

	return found != NULL && oid == extension && strcmp(found, version) == 0;
}

/* Locks the extension, so that a DROP EXTENSION comes before, or waits. */
static bool
lock_extension(void)
{
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	extension_changed = !is_same_extension();
	return !extension_changed;
}

void
steward_duty_require_extension(void)
{
	if (!lock_extension())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the extension was dropped or updated meanwhile")));
}

bool
steward_duty_begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (!lock_extension())
	{
		CommitTransactionCommand();
		return false;
	}
	steward_become_owner(&identity);
	PushActiveSnapshot(GetTransactionSnapshot());
	return true;
}

void
steward_duty_commit(void)
{
	PopActiveSnapshot();
	steward_become_caller(&identity);
	CommitTransactionCommand();
}

/* ---- doing duties ---- */

static void
show_activity(const char *duty)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "pg_steward: %s", duty != NULL ? duty : "idle");
	SetConfigOption("application_name", text.data, PGC_USERSET, PGC_S_SESSION);
	pgstat_report_activity(duty != NULL ? STATE_RUNNING : STATE_IDLE, text.data);
	pfree(text.data);
}

void
steward_duty_show(const char *phase)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s: %s", application_name, phase);
	pgstat_report_activity(STATE_RUNNING, text.data);
	pfree(text.data);
}

/* Notes a failure; true when it is not the one that was logged last. */
static bool
note_failure(int number, const ErrorData *error)
{
	StewardDutyTrouble *trouble = &slot->duties[number];
	uint32		complaint = hash_bytes((const unsigned char *) error->message,
									   strlen(error->message)) | 1;
	int64		wait;
	bool		news;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	news = trouble->complaint != complaint;
	wait = (int64) RETRY_MILLISECONDS << Min(trouble->failures, 20);
	trouble->complaint = complaint;
	trouble->failures++;
	trouble->retry_at =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
									Min(wait, RETRY_MOST_MILLISECONDS));
	LWLockRelease(shared->lock);
	return news;
}

static void
complain(int number, const ErrorData *error)
{
	if (note_failure(number, error))
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("background duty \"%s\" failed in database \"%s\": %s",
						steward_duties[number]->name, database_name, error->message),
				 errdetail("The error is %s. It is tried again, and not logged again until it succeeds or fails otherwise.",
						   unpack_sql_state(error->sqlerrcode)),
				 error->hint != NULL ? errhint("%s", error->hint) : 0));
}

static void
do_duty(int number)
{
	due[number] = false;
	/* A cancel that came too late is for nobody. */
	QueryCancelPending = false;
	show_activity(steward_duties[number]->name);
	PG_TRY();
	{
		steward_duties[number]->run();
		memset(&slot->duties[number], 0, sizeof(StewardDutyTrouble));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(visit_context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		LWLockReleaseAll();
		MemoryContextSwitchTo(visit_context);
		complain(number, error);
		FreeErrorData(error);
		due[number] = true;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(visit_context);
	pgstat_report_stat(true);
	show_activity(NULL);
	worked_at = GetCurrentTimestamp();
}

static bool
is_ours(int number)
{
	return steward_duties[number]->lengthy == slot->lengthy;
}

/* Milliseconds until a duty wants to run; -1: when something is due. */
static long
duty_nap(int number)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz retry_at = slot->duties[number].retry_at;
	long		nap = steward_duties[number]->nap(due[number] || is_marked());

	if (nap >= 0 && retry_at > now)
		nap = Max(nap, TimestampDifferenceMilliseconds(now, retry_at));
	return nap;
}

/* Milliseconds until the first of the duties wants to run, or -1. */
static long
shortest_nap(void)
{
	long		shortest = -1;

	for (int i = 0; i < steward_duty_count; i++)
	{
		long		nap = is_ours(i) ? duty_nap(i) : -1;

		if (nap >= 0 && (shortest < 0 || nap < shortest))
			shortest = nap;
	}
	return shortest;
}

static void
do_duties(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	for (int i = 0; i < steward_duty_count && !extension_changed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_ours(i) || duty_nap(i) != 0 || is_held())
			continue;
		take_due();
		do_duty(i);
	}
}

static bool
should_leave(long nap)
{
	if (extension_changed || is_held() || turn_is_over())
		return true;
	if (nap != 0 && others_wait())
		return true;
	return nap != 0 && TimestampDifferenceExceeds(worked_at, GetCurrentTimestamp(),
												  IDLE_MILLISECONDS);
}

static void
sleep_for(long nap)
{
	if (nap < 0 || nap > IDLE_MILLISECONDS)
		nap = IDLE_MILLISECONDS;
	(void) steward_worker_nap(nap);
}

/* Does the duties until it is time to leave. */
static void
visit(void)
{
	long		nap;

	began_at = worked_at = GetCurrentTimestamp();
	memset(due, true, sizeof due);
	for (;;)
	{
		do_duties();
		nap = shortest_nap();
		if (should_leave(nap))
			break;
		if (nap != 0)
			sleep_for(nap);
	}
	/* The extension is another one: somebody looks at it anew. */
	take_due();
	nap = extension_changed ? 0 : shortest_nap();
	if (nap >= 0)
		come_again_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), nap);
}

void
steward_worker_main(Datum arg)
{
	shared = steward_duty_shared;
	memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof database);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGTERM, die);
	if (!attach(DatumGetInt32(arg)))
		proc_exit(0);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	steward_worker_override_settings();
	visit_context = AllocSetContextCreate(TopMemoryContext, "pg_steward visit",
										  ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(visit_context);
	show_activity(NULL);
	take_due();
	if (find_extension())
		visit();
	done = true;
	proc_exit(0);
}
