/*
 * root_command.c: root keys from a command, run by a worker of the server.
 *
 * The worker runs the command once at start and once at each reload, never a
 * backend: a key service is asked a handful of times, and a command's failure
 * is in the log once. What it printed is kept in a shared memory object without
 * a name and without a mode: only processes that inherited its descriptor from
 * the postmaster reach it, and a superuser cannot open it again by SQL through
 * /proc/self/fd, as no bit of its mode allows that. (Whoever runs programs as
 * the server's user can; to them the command itself is open.) It is mapped only
 * while it is copied, and only by a process that has already hidden itself.
 *
 * A run that fails at start leaves no keys; one that fails at a reload leaves
 * those of the last run in force, and says so in the log: a reload for another
 * reason must not take the keys away because a key service is down.
 */
#include "base/compat.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/guc.h"
#include "base/shared.h"
#include "keys/command.h"
#include "keys/roots.h"
#include "keys/secrets.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/interrupt.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/ps_status.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

typedef enum RunState
{
	RUN_NO_WORKER,				/* the worker was not started */
	RUN_PENDING,				/* not run yet */
	RUN_UNSET,					/* no command is set */
	RUN_OK,
	RUN_FAILED
} RunState;

/* What the worker tells the backends; the keys themselves lie elsewhere. */
typedef struct CommandShared
{
	LWLock	   *lock;
	ConditionVariable changed;
	RunState	state;			/* under lock */
	char		reason[128];	/* under lock: why the last run failed */
	pg_atomic_uint64 generation;
} CommandShared;

/* How soon after the server a worker starts, if there is a slot for it. */
#define NO_WORKER_MILLISECONDS 5000

static CommandShared *shared = NULL;
static int	keyring_fd = -1;

extern PGDLLEXPORT void steward_root_command_main(Datum arg);

static void
init_shared(void *memory, LWLock *lock)
{
	CommandShared *fresh = memory;

	fresh->lock = lock;
	ConditionVariableInit(&fresh->changed);
	fresh->state = RUN_NO_WORKER;
	fresh->reason[0] = '\0';
	pg_atomic_init_u64(&fresh->generation, 1);
}

/* The object without a name and without a mode; see the head of this file. */
static void
make_keyring_object(void)
{
	char		name[64];

	snprintf(name, sizeof name, "/pg_steward.%d.%08x", (int) getpid(),
			 (unsigned) randombytes_random());
	keyring_fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0);
	if (keyring_fd >= 0)
		(void) shm_unlink(name);
	if (keyring_fd < 0 || ftruncate(keyring_fd, sizeof(StewardKeyring)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not make shared memory for root keys: %m")));
}

void
steward_root_command_init(void)
{
	BackgroundWorker worker = {0};

	make_keyring_object();
	steward_shared_request("pg_steward root command", sizeof(CommandShared),
						   (void **) &shared, init_shared);

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_PostmasterStart;
	worker.bgw_restart_time = 5;
	steward_worker_describe(&worker, "pg_steward root keys",
							"steward_root_command_main");
	RegisterBackgroundWorker(&worker);
}

static StewardKeyring *
map_keyring(int protection)
{
	void	   *memory = mmap(NULL, sizeof(StewardKeyring), protection, MAP_SHARED,
							  keyring_fd, 0);

	if (memory == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not map shared memory for root keys: %m")));
#ifdef MADV_DONTDUMP
	(void) madvise(memory, sizeof(StewardKeyring), MADV_DONTDUMP);
#endif
	return memory;
}

uint64
steward_root_command_generation(void)
{
	return shared == NULL ? 0 : pg_atomic_read_u64(&shared->generation);
}

/*
 * Waits while the first run is under way; not while a lightweight lock is held,
 * as in a comparison of an index scan: nobody could then cancel the wait, and
 * others would wait for the lock.
 */
static RunState
wait_for_first_run(char *reason, size_t reason_size)
{
	TimestampTz start = GetCurrentTimestamp();
	TimestampTz give_up = TimestampTzPlusMilliseconds(start,
													  steward_root_key_timeout + 2000);
	TimestampTz no_worker = TimestampTzPlusMilliseconds(start,
														NO_WORKER_MILLISECONDS);
	RunState	state;

	ConditionVariablePrepareToSleep(&shared->changed);
	for (;;)
	{
		LWLockAcquire(shared->lock, LW_SHARED);
		state = shared->state;
		strlcpy(reason, shared->reason, reason_size);
		LWLockRelease(shared->lock);
		/* UNSET: this process saw the new configuration before the worker. */
		if (state == RUN_OK || state == RUN_FAILED ||
			(state == RUN_NO_WORKER && GetCurrentTimestamp() >= no_worker) ||
			InterruptHoldoffCount > 0 || GetCurrentTimestamp() >= give_up)
			break;
		(void) ConditionVariableTimedSleep(&shared->changed, 200,
										   PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return state;
}

static pg_attribute_noreturn() void
raise_no_worker(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("no root key is available"),
			 errdetail("The worker that runs \"steward.root_key_command\" was not started."),
			 errhint("Raise max_worker_processes, of which the library needs three, and restart the server.")));
}

void
steward_root_command_read(void)
{
	StewardSecrets *secrets = steward_secrets();
	StewardKeyring *mapped;
	char		reason[sizeof shared->reason];
	RunState	state;

	if (shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("no root key is available"),
				 errdetail("\"steward.root_key_command\" works only when the library is preloaded."),
				 errhint("Add shared_preload_libraries = 'pg_steward' to postgresql.conf and restart the server.")));
	state = wait_for_first_run(reason, sizeof reason);
	if (state == RUN_NO_WORKER)
		raise_no_worker();
	if (state != RUN_OK)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("no root key is available"),
				 errdetail("The root key command %s.",
						   state == RUN_FAILED ? reason : "has not finished yet"),
				 errhint("See the server's log, mend the command and reload the configuration.")));

	mapped = map_keyring(PROT_READ);
	LWLockAcquire(shared->lock, LW_SHARED);
	memcpy(&secrets->incoming, mapped, sizeof(StewardKeyring));
	LWLockRelease(shared->lock);
	(void) munmap(mapped, sizeof(StewardKeyring));
	/* The worker may have seen, before we do, that the command is unset. */
	if (secrets->incoming.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("no root key is available"),
				 errdetail("\"steward.root_key_command\" was just unset."),
				 errhint("Run the statement again.")));
}

/* ---- the worker ---- */

/* The command under way, so that it does not outlive the worker. */
static pid_t command_pid = 0;

static void
end_command(int code, Datum arg)
{
	if (command_pid > 0)
		steward_command_kill(command_pid);
}

/* Returns the state that there is then. */
static RunState
set_state(RunState state, const char *reason)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	/* A failing reload leaves the keys of the last good run in force. */
	if (state != RUN_FAILED || shared->state != RUN_OK)
		shared->state = state;
	state = shared->state;
	strlcpy(shared->reason, reason, sizeof shared->reason);
	LWLockRelease(shared->lock);
	ConditionVariableBroadcast(&shared->changed);
	return state;
}

static void
publish(const StewardKeyring *keyring)
{
	StewardKeyring *mapped = map_keyring(PROT_READ | PROT_WRITE);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	memcpy(mapped, keyring, sizeof(StewardKeyring));
	pg_atomic_fetch_add_u64(&shared->generation, 1);
	LWLockRelease(shared->lock);
	(void) munmap(mapped, sizeof(StewardKeyring));
}

/* A reason why the output was not taken, or NULL and its length. */
static const char *
read_output(int fd, TimestampTz give_up, char *text, size_t *len)
{
	*len = 0;
	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   give_up);
		ssize_t		got;
		int			events;

		CHECK_FOR_INTERRUPTS();
		if (left <= 0)
			return "did not finish in time";
		events = WaitLatchOrSocket(MyLatch,
								   WL_LATCH_SET | WL_SOCKET_READABLE |
								   WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
								   fd, left, PG_WAIT_EXTENSION);
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		if (!(events & WL_SOCKET_READABLE))
			continue;
		got = read(fd, text + *len, STEWARD_KEYRING_MAX_BYTES + 1 - *len);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return "gave output that could not be read";
		if (got == 0)
			return NULL;
		*len += got;
		if (*len > STEWARD_KEYRING_MAX_BYTES)
			return "printed too much for a keyring";
	}
}

/* Reaps the command, which has closed its output; ends it if it lingers. */
static const char *
reap(pid_t pid, TimestampTz give_up, const char *reason)
{
	int			status = 0;

	/* Output done but still running counts against the time limit too. */
	while (reason == NULL)
	{
		pid_t		done = waitpid(pid, &status, WNOHANG);

		if (done == pid)
			return status == 0 ? NULL :
				psprintf("failed: %s", wait_result_to_str(status));
		if (done < 0 || GetCurrentTimestamp() >= give_up)
			reason = "did not finish in time";
		else
		{
			/* A shutdown does not wait for it; see end_command. */
			CHECK_FOR_INTERRUPTS();
			pg_usleep(10000L);
		}
	}
	steward_command_kill(pid);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		 /* again */ ;
	return reason;
}

/* Runs the command; a reason why it failed, or NULL and secrets->incoming. */
static const char *
run_command(void)
{
	StewardSecrets *secrets = steward_secrets();
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													  steward_root_key_timeout);
	const char *reason;
	size_t		len;
	size_t		bad_line;
	int			ends[2];
	pid_t		pid;
	StewardKeyringStatus status;

	if (pipe(ends) != 0)
		return "could not be started";
	pid = fork();
	if (pid == 0)
		steward_command_become(steward_root_key_command, ends[1]);
	(void) close(ends[1]);
	if (pid < 0)
	{
		(void) close(ends[0]);
		return "could not be started";
	}
	command_pid = pid;
	(void) fcntl(ends[0], F_SETFL, O_NONBLOCK);
	reason = read_output(ends[0], give_up, secrets->keyring_text, &len);
	(void) close(ends[0]);
	reason = reap(pid, give_up, reason);
	command_pid = 0;
	if (reason == NULL)
	{
		status = steward_keyring_parse(&secrets->incoming, &bad_line,
									   secrets->keyring_text, len);
		if (status != STEWARD_KEYRING_OK)
			reason = psprintf("printed no usable keyring (line %zu: %s)",
							  bad_line, steward_keyring_status_text(status));
	}
	sodium_memzero(secrets->keyring_text, sizeof secrets->keyring_text);
	return reason;
}

static void
refresh(void)
{
	static const StewardKeyring none;
	StewardSecrets *secrets = steward_secrets();
	const char *reason;
	bool		kept;

	if (steward_root_key_command == NULL || steward_root_key_command[0] == '\0')
	{
		(void) set_state(RUN_UNSET, "");
		publish(&none);
		return;
	}
	set_ps_display("running root_key_command");
	reason = run_command();
	set_ps_display("idle");
	if (reason == NULL)
	{
		publish(&secrets->incoming);
		sodium_memzero(&secrets->incoming, sizeof secrets->incoming);
		(void) set_state(RUN_OK, "");
		ereport(LOG,
				(errmsg("root keys were read from steward.root_key_command")));
		return;
	}
	kept = set_state(RUN_FAILED, reason) == RUN_OK;
	ereport(LOG,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("steward.root_key_command %s", reason),
			 kept ?
			 errhint("Keys that an earlier run gave stay in force.") :
			 errhint("There are no root keys until it succeeds. Mend the command and reload the configuration.")));
}

/* One that is started again after an error leaves the state of before. */
static void
note_started(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->state == RUN_NO_WORKER)
		shared->state = RUN_PENDING;
	LWLockRelease(shared->lock);
}

void
steward_root_command_main(Datum arg)
{
	StewardKeyring *mapped;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	/* The command's end is waited for by its pid. */
	pqsignal(SIGCHLD, SIG_DFL);
	BackgroundWorkerUnblockSignals();
	before_shmem_exit(end_command, (Datum) 0);

	/* Hides the process, which must come before it maps any key. */
	(void) steward_secrets();
	/* Keeps the shared pages locked for as long as the worker lives. */
	mapped = map_keyring(PROT_READ | PROT_WRITE);
	(void) mlock(mapped, sizeof(StewardKeyring));

	note_started();
	refresh();
	for (;;)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1L,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			refresh();
		}
	}
}
