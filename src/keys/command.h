/*
 * command.h: shell commands that workers of the server run.
 */
#ifndef STEWARD_KEYS_COMMAND_H
#define STEWARD_KEYS_COMMAND_H

#include "base/compat.h"

#include <sys/types.h>

/*
 * The command with %p replaced by a path, and %% by %, palloc'd. The path is not
 * quoted: who sets the command does.
 */
extern char *steward_command_expand(const char *command, const char *path);

/*
 * In a forked child: becomes /bin/sh -c command in a session of its own, with
 * nothing on standard input and no descriptor of the server's. Standard output
 * goes to output; when it is -1, with standard error, to the server's log.
 */
pg_attribute_noreturn()
extern void steward_command_become(const char *command, int output);

/* Ends a command and what it started; pid is not reaped. */
extern void steward_command_kill(pid_t pid);

#endif							/* STEWARD_KEYS_COMMAND_H */
