/*
 * export.c: the duty that seals in the background and hands checkpoints out.
 *
 * It seals when something was committed, twice in steward.seal_interval, so that no
 * record waits longer than that. The head is signed in a transaction of its own,
 * written to a file and given to steward.checkpoint_command, which runs beside: a
 * command that hangs holds up no sealing. The file is renamed when the command has
 * succeeded, so a later worker knows what was handed out; what failed is tried again.
 */
#include "ledger/export.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "base/duty.h"
#include "base/guc.h"
#include "common/file_perm.h"
#include "keys/command.h"
#include "ledger/checkpoint.h"
#include "ledger/log.h"
#include "ledger/seal.h"
#include "ledger/session.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define DIRECTORY "pg_steward"
#define SUBDIRECTORY DIRECTORY "/checkpoint"
#define NOTE_MAX_BYTES 4096

/* A command that failed is run again after so long. */
#define RETRY_MILLISECONDS 10000
#define POLL_MILLISECONDS 50

static bool due_to_seal = false;
static TimestampTz sealed_at = 0;

static char *note_to_export = NULL; /* NULL: none is outstanding */
static char *note_under_way = NULL;
static char *note_exported = NULL;
static TimestampTz export_at = 0;	/* not before */
static TimestampTz look_at = 0; /* whether the command has ended */
static StewardCommand command;

static bool
command_is_set(void)
{
	return steward_checkpoint_command != NULL && steward_checkpoint_command[0] != '\0';
}

/* ---- the file ---- */

static char *
file_name(const char *suffix)
{
	return psprintf("%s/%s/%u%s", DataDir, SUBDIRECTORY, MyDatabaseId, suffix);
}

static void
make_directories(void)
{
	if ((MakePGDirectory(DIRECTORY) != 0 && errno != EEXIST) ||
		(MakePGDirectory(SUBDIRECTORY) != 0 && errno != EEXIST))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", SUBDIRECTORY)));
}

static void
write_file(const char *note)
{
	char	   *name = file_name("");
	size_t		length = strlen(note);
	int			fd;

	make_directories();
	fd = OpenTransientFile(name, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
	if (fd < 0 || write(fd, note, length) != (ssize_t) length || pg_fsync(fd) != 0 ||
		CloseTransientFile(fd) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", name)));
	pfree(name);
}

/* What was handed out last, by a worker before this one; or an empty string. */
static char *
read_exported(void)
{
	char	   *name = file_name(".done");
	char	   *note = MemoryContextAllocZero(TopMemoryContext, NOTE_MAX_BYTES + 1);
	int			fd = OpenTransientFile(name, O_RDONLY | PG_BINARY);

	if (fd >= 0)
	{
		if (read(fd, note, NOTE_MAX_BYTES) < 0)
			note[0] = '\0';
		CloseTransientFile(fd);
	}
	pfree(name);
	return note;
}

/* ---- the command ---- */

static void
end_command(int code, Datum arg)
{
	steward_command_stop(&command);
}

static void
start_command(void)
{
	static bool registered = false;
	char	   *path = file_name("");
	TimestampTz now = GetCurrentTimestamp();

	write_file(note_to_export);
	if (!registered)
		before_shmem_exit(end_command, (Datum) 0);
	registered = true;
	if (steward_command_start(&command, "steward.checkpoint_command",
							  steward_checkpoint_command, path,
							  steward_checkpoint_timeout))
	{
		note_under_way = note_to_export;
		note_to_export = NULL;
		look_at = TimestampTzPlusMilliseconds(now, POLL_MILLISECONDS);
	}
	else
		export_at = TimestampTzPlusMilliseconds(now, RETRY_MILLISECONDS);
	pfree(path);
}

static void
note_success(void)
{
	char	   *name = file_name("");
	char	   *done = file_name(".done");

	(void) durable_rename(name, done, LOG);
	if (note_exported != NULL)
		pfree(note_exported);
	note_exported = note_under_way;
	note_under_way = NULL;
	pfree(name);
	pfree(done);
}

/* It failed: the note is tried again, unless there is a newer one. */
static void
note_failure(void)
{
	if (note_to_export == NULL)
		note_to_export = note_under_way;
	else
		pfree(note_under_way);
	note_under_way = NULL;
	export_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RETRY_MILLISECONDS);
}

/* Has the command ended? */
static void
check_command(void)
{
	look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), POLL_MILLISECONDS);
	switch (steward_command_check(&command, "The checkpoint was not handed out.",
								  "It is run again, with the newest checkpoint."))
	{
		case STEWARD_COMMAND_RUNS:
			break;
		case STEWARD_COMMAND_SUCCEEDED:
			note_success();
			break;
		case STEWARD_COMMAND_FAILED:
			note_failure();
			break;
	}
}

/* ---- the duty ---- */

/* The newest checkpoint of the present log is to be handed out, if it was not. */
static void
plan_export(const char *note)
{
	if (note == NULL || !command_is_set())
		return;
	if (note_exported == NULL)
		note_exported = read_exported();
	if (strcmp(note, note_exported) == 0 ||
		(note_under_way != NULL && strcmp(note, note_under_way) == 0))
		return;
	if (note_to_export != NULL)
		pfree(note_to_export);
	note_to_export = MemoryContextStrdup(TopMemoryContext, note);
}

static void
find_newest(void)
{
	StewardSession session;
	StewardBlock block;
	int32		incarnation;

	steward_session_begin(&session);
	/* What was just stored is to be seen. */
	PushActiveSnapshot(GetTransactionSnapshot());
	incarnation = steward_log_default();
	if (incarnation != 0 && steward_log_is_present(incarnation) &&
		steward_block_newest_committed(incarnation, &block))
		plan_export(steward_checkpoint_stored(incarnation, block.number));
	PopActiveSnapshot();
	steward_session_end(&session);
}

static void
seal(void)
{
	due_to_seal = false;
	sealed_at = GetCurrentTimestamp();
	if (steward_seal_interval > 0)
	{
		if (!steward_duty_begin())
			return;
		(void) steward_seal_logs();
		steward_duty_commit();
	}
	if (!steward_duty_begin())
		return;
	steward_checkpoints_try(LOG);
	find_newest();
	steward_duty_commit();
}

/* Milliseconds until it is time to seal. */
static long
time_to_seal(void)
{
	/* With 0 others seal; what they sealed is still signed and handed out. */
	int			half = steward_seal_interval > 0 ? steward_seal_interval / 2 : 500;

	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
										   TimestampTzPlusMilliseconds(sealed_at, half));
}

static bool
time_to_export(void)
{
	return command.pid == 0 && note_to_export != NULL && command_is_set() &&
		GetCurrentTimestamp() >= export_at;
}

static void
run(void)
{
	if (command.pid > 0)
		check_command();
	if (due_to_seal && time_to_seal() <= 0)
		seal();
	if (time_to_export())
		start_command();
}

/* Milliseconds until the command, under way or to be started, wants attention; -1. */
static long
time_to_command(void)
{
	if (command.pid > 0)
		return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), look_at);
	if (note_to_export != NULL && command_is_set())
		return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), export_at);
	return -1;
}

static long
nap(bool due)
{
	long		left = time_to_command();

	due_to_seal |= due;
	if (!due_to_seal)
		return left;
	return left < 0 ? time_to_seal() : Min(left, time_to_seal());
}

static const StewardDuty duty = {.name = "ledger", .run = run, .nap = nap};

/* ---- sessions that seal ---- */

static bool session_sealed = false;

void
steward_ledger_sealed(void)
{
	session_sealed = true;
}

static void
on_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && session_sealed)
		steward_duty_due(MyDatabaseId);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		session_sealed = false;
}

void
steward_ledger_init(void)
{
	RegisterXactCallback(on_transaction, NULL);
	steward_duty_register(&duty);
}
