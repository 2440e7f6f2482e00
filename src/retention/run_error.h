/*
 * run_error.h: what an error was about.
 */
#ifndef STEWARD_RETENTION_RUN_ERROR_H
#define STEWARD_RETENTION_RUN_ERROR_H

#include "base/compat.h"

/*
 * The table, column, constraint and type that an error names, as text for steward.policy_run;
 * NULL when it names none. Never its message, which can quote a value, and only names of what
 * there is: a trigger can raise an error about whatever it likes. In a transaction that can read the catalog.
 */
extern char *steward_run_error(const ErrorData *error);

#endif							/* STEWARD_RETENTION_RUN_ERROR_H */
