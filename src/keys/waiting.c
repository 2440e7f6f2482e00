/*
 * waiting.c: telling a client what a wait for old transactions waits for; see
 * waiting.h.
 *
 * A wait can last for days when somebody forgot a transaction, a prepared one
 * above all, which no list of sessions shows. So they are named as a DBA needs
 * them: by what pg_terminate_backend and ROLLBACK PREPARED take.
 */
#include "keys/waiting.h"

#include "access/twophase.h"
#include "base/catalog.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

/* More than these are counted only. */
#define NAMES_MAX 20

typedef struct Names
{
	StringInfoData processes;
	StringInfoData prepared;
	int			count;			/* of both */
} Names;

static void
add_name(Names *names, StringInfo list, const char *name)
{
	if (names->count++ < NAMES_MAX)
		appendStringInfo(list, "%s%s", list->len > 0 ? ", " : "", name);
}

/* The name of a prepared transaction, or NULL when it has ended. */
static char *
prepared_name(TransactionId xid)
{
	Oid			types[1] = {XIDOID};
	Datum		values[1] = {TransactionIdGetDatum(xid)};
	MemoryContext caller = CurrentMemoryContext;
	StewardIdentity caller_role;
	char	   *name = NULL;

	SPI_connect();
	steward_become_owner(&caller_role);
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_with_args("SELECT pg_catalog.quote_literal(p.gid) FROM pg_catalog.pg_prepared_xact() AS p"
							  " WHERE p.transaction OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not list prepared transactions");
	if (SPI_processed > 0)
		name = MemoryContextStrdup(caller,
								   SPI_getvalue(SPI_tuptable->vals[0],
												SPI_tuptable->tupdesc, 1));
	PopActiveSnapshot();
	steward_become_caller(&caller_role);
	SPI_finish();
	return name;
}

/* The prepared transaction that was this one, if it is one. */
static TransactionId
prepared_xid(VirtualTransactionId running)
{
	bool		more;

	/* One from before a restart has lost its number, and goes by its xid. */
	if (VirtualTransactionIdIsRecoveredPreparedXact(running))
		return (TransactionId) running.localTransactionId;
	return max_prepared_xacts > 0 ?
		TwoPhaseGetXidByVirtualXID(running, &more) : InvalidTransactionId;
}

static void
name_transaction(Names *names, VirtualTransactionId running)
{
	TransactionId xid = prepared_xid(running);
	const char *name;
	const PGPROC *process;

	if (TransactionIdIsValid(xid))
	{
		name = prepared_name(xid);
		if (name != NULL)
			add_name(names, &names->prepared, name);
		return;
	}
	process = STEWARD_VXID_PROC(running);
	if (process != NULL && process->pid != 0)
		add_name(names, &names->processes, psprintf("%d", process->pid));
}

static char *
describe(const Names *names)
{
	StringInfoData text;

	initStringInfo(&text);
	if (names->processes.len > 0)
		appendStringInfo(&text, "Processes: %s.", names->processes.data);
	if (names->prepared.len > 0)
		appendStringInfo(&text, "%sPrepared transactions: %s.",
						 text.len > 0 ? " " : "", names->prepared.data);
	if (names->count > NAMES_MAX)
		appendStringInfo(&text, " And %d more.", names->count - NAMES_MAX);
	return text.data;
}

void
steward_waiting_tell(const VirtualTransactionId *running, int count)
{
	Names		names = {0};

	initStringInfo(&names.processes);
	initStringInfo(&names.prepared);
	for (int i = 0; i < count; i++)
		name_transaction(&names, running[i]);
	if (names.count == 0)
		return;
	ereport(NOTICE,
			(errmsg_plural("waiting for %d transaction that began before",
						   "waiting for %d transactions that began before",
						   names.count, names.count),
			 errdetail_internal("%s", describe(&names)),
			 names.prepared.len > 0 ?
			 errhint("End prepared transactions that were forgotten with COMMIT PREPARED or ROLLBACK PREPARED; pg_stat_activity shows what the processes do.") :
			 errhint("pg_stat_activity shows what they do; pg_terminate_backend ends one.")));
}
