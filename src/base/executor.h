/*
 * executor.h: watching statements from their permission check to their end.
 *
 * The watcher gives a statement a watch, or NULL when it has no interest in it,
 * which is what nearly all statements get: they pay for one call.
 */
#ifndef STEWARD_BASE_EXECUTOR_H
#define STEWARD_BASE_EXECUTOR_H

#include "base/compat.h"

#include "executor/execdesc.h"
#include "nodes/parsenodes.h"

typedef struct StewardWatcher
{
	/* Before a plan starts: its watch or NULL. eflags are ExecutorStart's. */
	void	   *(*start) (QueryDesc *query, int eflags);

	/*
	 * Planning begins, which may run code of users; when it gives true
	 * planned is called afterwards, also after an error.
	 */
	bool		(*plan) (void);
	void		(*planned) (void);

	/* It has started: its plan's state is there. */
	void		(*started) (void *watch, QueryDesc *query);

	/* The watch that start gave this statement, or NULL. */
	void	   *(*find) (QueryDesc *query);

	/*
	 * Before and after each run and finish; whole: the run goes to the plan's
	 * end. rows are those that it gave.
	 */
	void		(*enter) (void *watch, bool whole);
	void		(*leave) (void *watch, uint64 rows);

	/* It ends as it should; of COPY with the rows copied. */
	void		(*end) (void *watch, uint64 rows);

	/*
	 * Starting, running, finishing or copying it raised an error, which is
	 * being handled: geterrcode() tells which. Raises another only in its
	 * place, after FlushErrorState(). The rows are those that the run gave
	 * before.
	 */
	void		(*fail) (void *watch, uint64 rows);

	/* COPY of a table begins: its watch or NULL. */
	void	   *(*copy) (CopyStmt *statement);

	/*
	 * Its rights have been checked: what it reads, or writes, is in these
	 * entries.
	 */
	void		(*copy_checked) (void *watch, List *entries);
} StewardWatcher;

/* The kind of a statement as people write it; "other" is none that reads or writes. */
extern const char *steward_query_command(CmdType operation);

/* Installs the hooks; once, while the library is preloaded. */
extern void steward_executor_watch(const StewardWatcher *by);

#endif							/* STEWARD_BASE_EXECUTOR_H */
