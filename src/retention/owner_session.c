/*
 * owner_session.c: starting a session of an owner, and waiting for it; see owner_session.h.
 */
#include "retention/owner_session_parts.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/shared.h"

/* How often it is asked whether to stop. */
#define LOOK_MILLISECONDS 200

/* How long a session is waited for after an error. */
#define STOP_MILLISECONDS 5000

bool
steward_owner_session_possible(Oid owner)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
	bool		may_log_in;

	if (!HeapTupleIsValid(tuple))
		return false;
	may_log_in = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return (may_log_in || STEWARD_SESSION_WITHOUT_LOGIN) &&
		STEWARD_MAY_CONNECT(MyDatabaseId, owner);
}

/* Starts it; NULL when there is no room. */
static BackgroundWorkerHandle *
start(dsm_segment *segment)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;
	dsm_handle	memory = dsm_segment_handle(segment);

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &memory, sizeof memory);
	steward_worker_describe(&worker, "pg_steward owner session",
							"steward_owner_session_main");
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

static dsm_segment *
make_memory(const StewardSessionOrder *order)
{
	dsm_segment *segment = dsm_create(sizeof(StewardSessionShared),
									  DSM_CREATE_NULL_IF_MAXSEGMENTS);
	StewardSessionShared *shared;

	if (segment == NULL)
		return NULL;
	shared = dsm_segment_address(segment);
	memset(shared, 0, sizeof(*shared));
	shared->database = MyDatabaseId;
	shared->order = *order;
	pg_atomic_init_u32(&shared->state, STEWARD_SESSION_AWAITED);
	return segment;
}

static bool
has_ended(BackgroundWorkerHandle *handle)
{
	pid_t		pid;
	BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);

	if (status == BGWH_POSTMASTER_DIED)
		proc_exit(1);
	return status == BGWH_STOPPED;
}

static void
nap(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 LOOK_MILLISECONDS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

/*
 * After an error here, or with the end of this process: ends it, too. It ends by a signal, wherever it
 * waits. What it is in the middle of otherwise, such as code of the owner, is not waited for
 * without end, since nobody could end this wait; what it has detached then is found by the next run.
 */
static void
abandon(int code, Datum arg)
{
	BackgroundWorkerHandle *handle = (BackgroundWorkerHandle *) DatumGetPointer(arg);
	TimestampTz begin = GetCurrentTimestamp();
	bool		ended;

	TerminateBackgroundWorker(handle);
	HOLD_INTERRUPTS();
	while (!(ended = has_ended(handle)) &&
		   !TimestampDifferenceExceeds(begin, GetCurrentTimestamp(), STOP_MILLISECONDS))
		nap();
	RESUME_INTERRUPTS();
	if (!ended)
		ereport(LOG,
				(errcode(ERRCODE_WARNING),
				 errmsg("the session of the owner of a table goes on after the run that asked for it"),
				 errdetail("It was told to end. It may still detach the partition; the next run of the policy goes on from there.")));
}

/* False when it was stopped. Interrupts end the wait for one that was stopped, too. */
static bool
wait_for_end(BackgroundWorkerHandle *handle, bool (*stop) (void *arg), void *arg)
{
	bool volatile stopped = false;

	PG_ENSURE_ERROR_CLEANUP(abandon, PointerGetDatum(handle));
	{
		while (!has_ended(handle))
		{
			nap();
			CHECK_FOR_INTERRUPTS();
			if (stopped || !stop(arg))
				continue;
			TerminateBackgroundWorker(handle);
			stopped = true;
		}
	}
	PG_END_ENSURE_ERROR_CLEANUP(abandon, PointerGetDatum(handle));
	return !stopped;
}

/* Raises the error of a session that failed. */
static void
raise_error(const StewardSessionShared *shared)
{
	char	   *message = pstrdup(shared->message);
	char	   *detail = pstrdup(shared->detail);
	char	   *hint = pstrdup(shared->hint);

	ereport(ERROR,
			(errcode(shared->sqlerrcode), errmsg("%s", message),
			 detail[0] != '\0' ? errdetail("%s", detail) : 0,
			 hint[0] != '\0' ? errhint("%s", hint) : 0));
}

static StewardSessionEnd
end_of(const StewardSessionShared *shared, bool finished)
{
	uint32		state = pg_atomic_read_u32(unconstify(pg_atomic_uint32 *, &shared->state));

	pg_memory_barrier();
	if (state == STEWARD_SESSION_COMMITTED)
		return STEWARD_SESSION_DONE;
	if (!finished)
		return STEWARD_SESSION_STOPPED;
	if (state == STEWARD_SESSION_AWAITED)
		return STEWARD_SESSION_NONE;
	if (state == STEWARD_SESSION_FAILED)
		raise_error(shared);
	ereport(ERROR,
			(errcode(ERRCODE_OPERATOR_INTERVENTION),
			 errmsg("the session of the owner of the table was terminated"),
			 errhint("The server's log says why. Run the policy again: it goes on from there.")));
}

StewardSessionEnd
steward_owner_session_detach(const StewardSessionOrder *order,
							 bool (*stop) (void *arg), void *arg)
{
	dsm_segment *segment = make_memory(order);
	BackgroundWorkerHandle *handle;
	StewardSessionEnd end = STEWARD_SESSION_NONE;

	if (segment == NULL)
		return STEWARD_SESSION_NONE;

	/*
	 * FINALIZE waits for the end of transactions that have a snapshot when it
	 * looks. So what may be looked up in the catalogs is by now, and the
	 * snapshot for that is gone before the session begins.
	 */
	(void) stop(arg);
	InvalidateCatalogSnapshot();
	handle = start(segment);
	if (handle != NULL)
	{
		bool		finished = wait_for_end(handle, stop, arg);

		end = end_of(dsm_segment_address(segment), finished);
	}
	dsm_detach(segment);
	return end;
}
