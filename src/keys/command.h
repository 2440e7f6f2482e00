/*
 * command.h: shell commands that workers of the server run.
 */
#ifndef STEWARD_KEYS_COMMAND_H
#define STEWARD_KEYS_COMMAND_H

#include "base/compat.h"

#include <sys/types.h>

#include "datatype/timestamp.h"

/*
 * The command with %p replaced by a path, and %% by %, palloc'd. The path is not
 * quoted: who sets the command does.
 */
extern char *steward_command_expand(const char *command, const char *path);

/* A command that runs beside a worker; zeroes: none. */
typedef struct StewardCommand
{
	const char *setting;		/* the one that it comes from, for messages */
	pid_t		pid;			/* 0: none is under way */
	TimestampTz deadline;
} StewardCommand;

typedef enum StewardCommandState
{
	STEWARD_COMMAND_RUNS,
	STEWARD_COMMAND_SUCCEEDED,
	STEWARD_COMMAND_FAILED
} StewardCommandState;

/*
 * Starts a command, expanded for path, that may take so many milliseconds. False,
 * after a message to the server's log, when there is no process for it.
 */
extern bool steward_command_start(StewardCommand *command, const char *setting,
								  const char *text, const char *path, int timeout);

/*
 * What became of it; one that is late is ended. That it failed is told to the
 * server's log, with detail (what was not done) and hint (when it will be). What is
 * under way no more need not be asked for again.
 */
extern StewardCommandState steward_command_check(StewardCommand *command,
												 const char *detail, const char *hint);

/* Ends it and what it started; nothing when none is under way. */
extern void steward_command_stop(const StewardCommand *command);

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
