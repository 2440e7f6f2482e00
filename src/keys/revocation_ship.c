/*
 * revocation_ship.c: running steward.revocation_command; see revocation_ship.h.
 */
#include "keys/revocation_ship.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/guc.h"
#include "keys/command.h"
#include "keys/revocation_state.h"
#include "utils/timestamp.h"

/* The command under way, so that it does not outlive the worker. */
static pid_t command_pid = 0;
static TimestampTz deadline;
static struct stat command_status;	/* of the journal that it copies */

/* A journal that rests this long is copied: two changes may bear one time. */
#define REST_MILLISECONDS 100

static struct stat shipped;		/* of the journal that was copied last */
static TimestampTz again_at = 0;

static void
start_command(const struct stat *status)
{
	char	   *command = steward_command_expand(steward_revocation_command,
												 steward_revocation_file);

	command_status = *status;
	deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										   steward_revocation_timeout);
	again_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										   steward_revocation_interval);
	command_pid = fork();
	if (command_pid == 0)
		steward_command_become(command, -1);
	if (command_pid < 0)
	{
		command_pid = 0;
		ereport(LOG,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not start steward.revocation_command: %m")));
	}
	pfree(command);
}

/* Has the command ended? Takes note of its result. */
static void
check_command(void)
{
	int			status = 0;
	bool		late = false;
	pid_t		done = waitpid(command_pid, &status, WNOHANG);

	/* One that has ended by now has ended in time. */
	if (done == 0 && GetCurrentTimestamp() >= deadline)
	{
		late = true;
		steward_command_kill(command_pid);
		done = waitpid(command_pid, &status, 0);
	}
	if (done != command_pid)
		return;
	command_pid = 0;
	if (!late && WIFEXITED(status) && WEXITSTATUS(status) == 0)
	{
		shipped = command_status;
		ereport(DEBUG1, (errmsg("revocation journal was copied by steward.revocation_command")));
		return;
	}
	ereport(LOG,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 late ? errmsg("steward.revocation_command did not finish in time") :
			 errmsg("steward.revocation_command failed: %s",
					wait_result_to_str(status)),
			 errdetail("The revocation journal was not copied."),
			 errhint("It is run again after steward.revocation_interval.")));
}

void
steward_revocation_ship_now(void)
{
	again_at = 0;
}

void
steward_revocation_ship_end(void)
{
	if (command_pid > 0)
		steward_command_kill(command_pid);
}

/* Is the journal another one than was copied last? */
static bool
is_changed(struct stat *status)
{
	return steward_revocation_command != NULL &&
		steward_revocation_command[0] != '\0' &&
		steward_revocation_is_configured() && steward_journal_file_stat(status) &&
		(status->st_dev != shipped.st_dev || status->st_ino != shipped.st_ino ||
		 status->st_mtim.tv_sec != shipped.st_mtim.tv_sec ||
		 status->st_mtim.tv_nsec != shipped.st_mtim.tv_nsec ||
		 status->st_size != shipped.st_size);
}

/* Milliseconds until the last change is old enough. */
static long
time_to_rest(const struct stat *status)
{
	struct timespec now;
	int64		age;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	age = (int64) (now.tv_sec - status->st_mtim.tv_sec) * 1000 +
		(now.tv_nsec - status->st_mtim.tv_nsec) / 1000000;
	/* A clock that was set back must not stop it. */
	return age >= 0 && age < REST_MILLISECONDS ? REST_MILLISECONDS - age : 0;
}

long
steward_revocation_ship(void)
{
	struct stat status;
	long		left;

	if (command_pid > 0)
		check_command();
	if (command_pid == 0 && is_changed(&status))
	{
		left = Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), again_at),
				   time_to_rest(&status));
		if (left > 0)
			return left;
		start_command(&status);
	}
	return command_pid > 0 ? 50 : -1;
}
