/*
 * command.c: shell commands that workers of the server run; see command.h.
 */
#include "keys/command.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "libpq/pqsignal.h"

void
steward_command_become(const char *command, int output)
{
	int			null_fd = open("/dev/null", O_RDONLY);

	(void) setsid();			/* a group of its own, so that all of it ends */
	(void) dup2(null_fd, STDIN_FILENO);
	(void) dup2(output >= 0 ? output : STDERR_FILENO, STDOUT_FILENO);
	for (int fd = 3; fd < 1024; fd++)
		(void) close(fd);
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
