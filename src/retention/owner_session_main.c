/*
 * owner_session_main.c: what a session of an owner does; see owner_session.h.
 *
 * What the owner had set for himself, or for the database, must not change what the command means, nor who
 * carries it out: so that is overridden, search_path and role first. What code of his the command calls, such as an
 * operator class of the partition key, is called as him, with nobody above him.
 */
#include "retention/owner_session_parts.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/cmdtag.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/shared.h"
#include "retention/partition_parts.h"
#include "retention/target.h"
#include "subjects/hold.h"

extern PGDLLEXPORT void steward_owner_session_main(Datum arg);

/* As a client's: not within a function, and not in a transaction block. */
static void
execute(const char *sql)
{
	List	   *parsed = pg_parse_query(sql);
	List	   *queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, parsed), sql,
															 NULL, 0, NULL);
	List	   *plans = pg_plan_queries(queries, sql, 0, NULL);
	Portal		portal = CreatePortal("", true, true);
	QueryCompletion completion;

	portal->visible = false;
	PortalDefineQuery(portal, NULL, sql, CMDTAG_ALTER_TABLE, plans, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	(void) STEWARD_PORTAL_RUN(portal, None_Receiver, &completion);
	PortalDrop(portal, false);
}

/* The command; NULL when a table is gone. Lives longer than its transactions. */
static char *
command(const StewardSessionOrder *order)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	char	   *sql = NULL;

	if (get_rel_name(order->parent) != NULL && get_rel_name(order->partition) != NULL)
		sql = psprintf("ALTER TABLE %s DETACH PARTITION %s %s",
					   steward_qualified_name(order->parent),
					   steward_qualified_name(order->partition),
					   order->finalize ? "FINALIZE" : "CONCURRENTLY");
	MemoryContextSwitchTo(caller);
	return sql;
}

static void
mark(Oid partition)
{
	if (!OidIsValid(steward_extension_oid(true)))
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	steward_partition_mark_detached(partition);
	SPI_finish();
	PopActiveSnapshot();
}

/*
 * Detaches it, and marks it in the transaction that cuts the tie. What names lead to may have changed; then
 * the mark is left out, and the run sees it.
 */
static void
detach(const StewardSessionOrder *order)
{
	char	   *sql;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	sql = command(order);
	if (sql != NULL)
	{
		MemoryContext transaction = MemoryContextSwitchTo(MessageContext);

		debug_query_string = sql;
		pgstat_report_activity(STATE_RUNNING, sql);
		execute(sql);
		MemoryContextSwitchTo(transaction);
		if (steward_partition_tie(order->partition, order->parent) == STEWARD_TIE_NONE)
			mark(order->partition);
	}
	CommitTransactionCommand();
}

static void
keep_text(char *place, const char *text)
{
	if (text != NULL)
		strlcpy(place, text, STEWARD_SESSION_TEXT);
}

static void
report(StewardSessionShared *shared)
{
	ErrorData  *error;

	MemoryContextSwitchTo(MessageContext);
	error = CopyErrorData();
	FlushErrorState();
	shared->sqlerrcode = error->sqlerrcode;
	keep_text(shared->message, error->message);
	keep_text(shared->detail, error->detail);
	keep_text(shared->hint, error->hint);
	pg_write_barrier();
	pg_atomic_write_u32(&shared->state, STEWARD_SESSION_FAILED);
	AbortCurrentTransaction();
}

/* Whoever he was made by settings, he is the owner. */
static void
become_owner(Oid owner)
{
	SetConfigOption("role", "none", PGC_SUSET, PGC_S_OVERRIDE);
	steward_worker_override_settings();
	SetConfigOption("row_security", "off", PGC_SUSET, PGC_S_OVERRIDE);
	if (GetUserId() != owner || GetSessionUserId() != owner)
		ereport(FATAL,
				(errcode(ERRCODE_INVALID_ROLE_SPECIFICATION),
				 errmsg("a session of the owner of a table became another role's")));
}

void
steward_owner_session_main(Datum arg)
{
	StewardSessionShared *shared;
	dsm_segment *segment;
	dsm_handle	memory;

	memcpy(&memory, MyBgworkerEntry->bgw_extra, sizeof memory);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(memory);
	/* Who asked for it is gone. */
	if (segment == NULL)
		proc_exit(0);
	shared = dsm_segment_address(segment);
	BackgroundWorkerInitializeConnectionByOid(shared->database, shared->order.owner,
											  STEWARD_SESSION_FLAGS);
	become_owner(shared->order.owner);
	pg_atomic_write_u32(&shared->state, STEWARD_SESSION_CONNECTED);
	MessageContext = AllocSetContextCreate(TopMemoryContext, "MessageContext",
										   ALLOCSET_DEFAULT_SIZES);
	/* The run looks at holds again before the partition is dropped. */
	steward_holds_allow_detach(shared->order.parent, shared->order.partition);
	PG_TRY();
	{
		detach(&shared->order);
		pg_atomic_write_u32(&shared->state, STEWARD_SESSION_COMMITTED);
	}
	PG_CATCH();
	{
		report(shared);
	}
	PG_END_TRY();
	proc_exit(0);
}
