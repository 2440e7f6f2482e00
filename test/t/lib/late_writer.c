/*
 * late_writer.c: a library that changes tables while the transaction commits.
 *
 * PostgreSQL calls libraries before the commit in the reverse order of their
 * loading, so this one runs before or after pg_steward by its place in
 * shared_preload_libraries. The tests run the statement of late_writer.statement
 * then, in a session that sets one.
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

static void
before_end(XactEvent event, void *arg)
{
	static bool running = false;

	if ((event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE) ||
		statement == NULL || statement[0] == '\0' || running)
		return;
	running = true;
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	(void) SPI_execute(statement, false, 0);
	SPI_finish();
	PopActiveSnapshot();
	running = false;
}

void
_PG_init(void)
{
	DefineCustomStringVariable("late_writer.statement", "Run before the commit.",
							   NULL, &statement, "", PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(before_end, NULL);
}
