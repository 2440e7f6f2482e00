/*
 * session.c: how the SQL functions of the ledger work; see session.h.
 */
#include "ledger/session.h"

#include "access/relation.h"
#include "access/xact.h"
#include "audit/segment.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

static StewardRelationRef log_table = {"audit_log"};

void
steward_session_begin(StewardSession *session)
{
	session->caller = CurrentMemoryContext;
	session->pushed = false;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	steward_become_owner(&session->identity);
}

/* Prunes that a snapshot sees; it is popped. */
static int64
count_prunes(Snapshot snapshot)
{
	int64		count;
	bool		isnull;

	PushActiveSnapshot(snapshot);
	if (SPI_execute("SELECT pg_catalog.count(*) FROM steward.ledger_prune", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	PopActiveSnapshot();
	return count;
}

void
steward_session_begin_reading(StewardSession *session)
{
	steward_session_begin(session);
	relation_close(steward_relation_open(&log_table, AccessShareLock), NoLock);
	if (!IsolationUsesXactSnapshot())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		session->pushed = true;
	}
	else if (count_prunes(GetLatestSnapshot()) != count_prunes(GetActiveSnapshot()))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the audit log was pruned after the snapshot of this transaction was taken"),
				 errhint("Repeat it in another transaction.")));
	steward_segment_look_again();
}

void
steward_session_end(StewardSession *session)
{
	if (session->pushed)
		PopActiveSnapshot();
	steward_become_caller(&session->identity);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

Datum
steward_session_text(StewardSession *session, const char *utf8, size_t length)
{
	MemoryContext context = MemoryContextSwitchTo(session->caller);
	char	   *converted;
	Datum		result;

	if (length > 0 && utf8[length - 1] == '\n')
		length--;
	converted = pg_any_to_server(utf8, length, PG_UTF8);
	result = converted == utf8 ?
		PointerGetDatum(cstring_to_text_with_len(utf8, length)) :
		CStringGetTextDatum(converted);

	MemoryContextSwitchTo(context);
	return result;
}
