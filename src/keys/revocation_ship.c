/*
 * revocation_ship.c: running steward.revocation_command; see revocation_ship.h.
 */
#include "keys/revocation_ship.h"

#include <sys/stat.h>
#include <time.h>

#include "base/guc.h"
#include "keys/command.h"
#include "keys/revocation_state.h"
#include "utils/timestamp.h"

/* The command under way, so that it does not outlive the worker. */
static StewardCommand command;
static struct stat command_status;	/* of the journal that it copies */

/* A journal that rests this long is copied: two changes may bear one time. */
#define REST_MILLISECONDS 100

static struct stat shipped;		/* of the journal that was copied last */
static TimestampTz again_at = 0;

static void
start_command(const struct stat *status)
{
	command_status = *status;
	again_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										   steward_revocation_interval);
	(void) steward_command_start(&command, "steward.revocation_command",
								 steward_revocation_command,
								 steward_revocation_file,
								 steward_revocation_timeout);
}

/* Has the command ended? Takes note of its result. */
static void
check_command(void)
{
	if (steward_command_check(&command, "The revocation journal was not copied.",
							  "It is run again after steward.revocation_interval.") !=
		STEWARD_COMMAND_SUCCEEDED)
		return;
	shipped = command_status;
	ereport(DEBUG1, (errmsg("revocation journal was copied by steward.revocation_command")));
}

void
steward_revocation_ship_now(void)
{
	again_at = 0;
}

void
steward_revocation_ship_end(void)
{
	steward_command_stop(&command);
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

	if (command.pid > 0)
		check_command();
	if (command.pid == 0 && is_changed(&status))
	{
		left = Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), again_at),
				   time_to_rest(&status));
		if (left > 0)
			return left;
		start_command(&status);
	}
	return command.pid > 0 ? 50 : -1;
}
