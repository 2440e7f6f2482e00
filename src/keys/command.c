/*
 * command.c: shell commands that workers of the server run; see command.h.
 */
#include "keys/command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stringinfo.h"
#include "libpq/pqsignal.h"
#include "utils/timestamp.h"

char *
steward_command_expand(const char *command, const char *path)
{
	StringInfoData result;

	initStringInfo(&result);
	for (const char *c = command; *c != '\0'; c++)
	{
		if (c[0] == '%' && c[1] == 'p')
		{
			appendStringInfoString(&result, path);
			c++;
		}
		else
		{
			appendStringInfoChar(&result, *c);
			if (c[0] == '%' && c[1] == '%')
				c++;
		}
	}
	return result.data;
}

/* Where the kernel cannot close a range: so many are tried. */
#define MOST_DESCRIPTORS (1 << 20)

/* Closes every descriptor after standard error, however many there may be. */
static void
close_others(void)
{
	long		most;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0)
		return;
#endif
	most = sysconf(_SC_OPEN_MAX);
	if (most < 0 || most > MOST_DESCRIPTORS)
		most = MOST_DESCRIPTORS;
	for (int fd = 3; fd < most; fd++)
		(void) close(fd);
}

void
steward_command_become(const char *command, int output)
{
	int			null_fd = open("/dev/null", O_RDONLY);

	if (null_fd < 0)
		_exit(126);
	(void) setsid();			/* a group of its own, so that all of it ends */
	(void) dup2(null_fd, STDIN_FILENO);
	(void) dup2(output >= 0 ? output : STDERR_FILENO, STDOUT_FILENO);
	close_others();
	/* Not pqsignal(), which aborts where a signal cannot be changed. */
	for (int signo = 1; signo < NSIG; signo++)
		(void) signal(signo, SIG_DFL);
	sigprocmask(SIG_SETMASK, &UnBlockSig, NULL);
	(void) execl("/bin/sh", "sh", "-c", command, (char *) NULL);
	_exit(127);
}

void
steward_command_kill(pid_t pid)
{
	(void) kill(-pid, SIGKILL);
	/* It may not have made its group yet. */
	(void) kill(pid, SIGKILL);
}

bool
steward_command_start(StewardCommand *command, const char *setting,
					  const char *text, const char *path, int timeout)
{
	char	   *expanded = steward_command_expand(text, path);

	command->setting = setting;
	command->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout);
	command->pid = fork();
	if (command->pid == 0)
		steward_command_become(expanded, -1);
	if (command->pid < 0)
	{
		command->pid = 0;
		ereport(LOG,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not start %s: %m", setting)));
	}
	pfree(expanded);
	return command->pid > 0;
}

StewardCommandState
steward_command_check(StewardCommand *command, const char *detail,
					  const char *hint)
{
	int			status = 0;
	bool		late = false;
	pid_t		done = waitpid(command->pid, &status, WNOHANG);

	/* One that has ended by now has ended in time. */
	if (done == 0 && GetCurrentTimestamp() >= command->deadline)
	{
		late = true;
		steward_command_kill(command->pid);
		done = waitpid(command->pid, &status, 0);
	}
	if (done != command->pid)
		return STEWARD_COMMAND_RUNS;
	command->pid = 0;
	if (!late && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STEWARD_COMMAND_SUCCEEDED;
	ereport(LOG,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 late ? errmsg("%s did not finish in time", command->setting) :
			 errmsg("%s failed: %s", command->setting, wait_result_to_str(status)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
	return STEWARD_COMMAND_FAILED;
}

void
steward_command_stop(const StewardCommand *command)
{
	if (command->pid > 0)
		steward_command_kill(command->pid);
}
