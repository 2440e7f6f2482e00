/*
 * shared.c: shared memory of the server's life, and its workers; see shared.h.
 */
#include "base/shared.h"

#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

#define MAX_REQUESTS 8

typedef struct Request
{
	const char *name;
	Size		size;
	void	  **memory;
	StewardSharedInit init;
} Request;

static Request requests[MAX_REQUESTS];
static int	request_count = 0;
static shmem_request_hook_type next_shmem_request = NULL;
static shmem_startup_hook_type next_shmem_startup = NULL;

static void
request_shmem(void)
{
	if (next_shmem_request != NULL)
		next_shmem_request();
	for (int i = 0; i < request_count; i++)
	{
		RequestAddinShmemSpace(MAXALIGN(requests[i].size));
		RequestNamedLWLockTranche(requests[i].name, 1);
	}
}

static void
startup_shmem(void)
{
	if (next_shmem_startup != NULL)
		next_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < request_count; i++)
	{
		Request    *request = &requests[i];
		bool		found;

		*request->memory = ShmemInitStruct(request->name, request->size, &found);
		if (!found)
			request->init(*request->memory,
						  &GetNamedLWLockTranche(request->name)->lock);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
steward_shared_request(const char *name, Size size, void **memory,
					   StewardSharedInit init)
{
	if (request_count == MAX_REQUESTS)
		elog(ERROR, "too many requests for shared memory");
	if (request_count == 0)
	{
		next_shmem_request = shmem_request_hook;
		shmem_request_hook = request_shmem;
		next_shmem_startup = shmem_startup_hook;
		shmem_startup_hook = startup_shmem;
	}
	requests[request_count++] = (Request)
	{
		name, size, memory, init
	};
}

void
steward_worker_describe(BackgroundWorker *worker, const char *name,
						const char *function)
{
	snprintf(worker->bgw_name, BGW_MAXLEN, "%s", name);
	snprintf(worker->bgw_type, BGW_MAXLEN, "%s", name);
	snprintf(worker->bgw_library_name, sizeof worker->bgw_library_name,
			 "pg_steward");
	snprintf(worker->bgw_function_name, sizeof worker->bgw_function_name, "%s",
			 function);
}

void
steward_worker_override_settings(void)
{
	static const char *const settings[][2] = {
		{"default_table_access_method", "heap"},
		{"default_tablespace", ""},
		{"default_transaction_deferrable", "off"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"idle_in_transaction_session_timeout", "0"},
		{"lock_timeout", "0"},
		{"search_path", "pg_catalog, pg_temp"},
		{"session_replication_role", "origin"},
		{"statement_timeout", "0"},
		{"transaction_timeout", "0"},	/* from 17 on */
	};

	for (int i = 0; i < lengthof(settings); i++)
	{
		if (GetConfigOption(settings[i][0], true, false) != NULL)
			SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	}
}

bool
steward_worker_nap(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH |
					 (milliseconds >= 0 ? WL_TIMEOUT : 0), milliseconds,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	/* There is no statement here that a cancel could end. */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (!ConfigReloadPending)
		return false;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	return true;
}
