/*
 * late_writer.c: a library that changes tables while the transaction commits.
 *
 * PostgreSQL calls libraries before the commit in the reverse order of their
 * loading, so this one runs before or after pg_steward by its place in
 * shared_preload_libraries. The tests run the statement of late_writer.statement
 * then, in a session that sets one, and that of late_writer.sub_statement before a
 * subtransaction commits, which it may make fail.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static char *statement = NULL;
static char *sub_statement = NULL;

static void
run(const char *what)
{
	static bool running = false;

	if (what == NULL || what[0] == '\0' || running)
		return;
	running = true;
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		(void) SPI_execute(what, false, 0);
		SPI_finish();
		PopActiveSnapshot();
	}
	PG_FINALLY();
	{
		running = false;
	}
	PG_END_TRY();
}

static void
before_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		run(statement);
}

static void
before_subcommit(SubXactEvent event, SubTransactionId mine, SubTransactionId parent,
				 void *arg)
{
	if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		run(sub_statement);
}

void
_PG_init(void)
{
	DefineCustomStringVariable("late_writer.statement", "Run before the commit.",
							   NULL, &statement, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("late_writer.sub_statement",
							   "Run before a subtransaction commits.",
							   NULL, &sub_statement, "", PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(before_end, NULL);
	RegisterSubXactCallback(before_subcommit, NULL);
}
