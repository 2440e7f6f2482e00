/*
 * procedure.c: what procedures that commit on their way have in common; see
 * procedure.h.
 */
#include "base/procedure.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/cmdtag.h"
#include "tcop/pquery.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"

bool
steward_call_is_atomic(FunctionCallInfo fcinfo)
{
	return fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic || IsSubTransaction();
}

void
steward_call_must_commit(FunctionCallInfo fcinfo, const char *name, const char *hint)
{
	char	   *call = psprintf("CALL steward.%s()", name);

	if (steward_call_is_atomic(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", call),
				 errhint("%s", hint)));
	PreventCommandIfReadOnly(call);
}

void
steward_begin_read_committed(bool asynchronous)
{
	(void) set_config_option("transaction_isolation", "read committed",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
							 false);
	if (asynchronous)
		(void) set_config_option("synchronous_commit", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

void
steward_constraints_immediate(void)
{
	ConstraintsSetStmt *immediate = makeNode(ConstraintsSetStmt);

	AfterTriggerSetState(immediate);
	pfree(immediate);
}

ErrorData *
steward_attempt(void (*part) (void *arg), void *arg, MemoryContext scratch)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextReset(scratch);
	MemoryContextSwitchTo(scratch);
	PG_TRY();
	{
		part(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = resources;
	return error;
}

struct PortalData *
steward_portal_begin(const char *source)
{
	Portal		portal = CreatePortal("", true, true);

	portal->visible = false;
	PortalDefineQuery(portal, NULL, source, CMDTAG_CALL, NIL, NULL);
	portal->status = PORTAL_READY;
	MarkPortalActive(portal);
	ActivePortal = portal;
	PortalContext = portal->portalContext;
	return portal;
}

static void
forget_portal(void)
{
	ActivePortal = NULL;
	PortalContext = NULL;
}

void
steward_portal_end(struct PortalData *portal)
{
	forget_portal();
	MarkPortalDone(portal);
	PortalDrop(portal, false);
}

void
steward_portal_fail(struct PortalData *portal)
{
	MarkPortalFailed(portal);
	forget_portal();
}

Datum
steward_bigint_row(int count, const char *const *names, const int64 *numbers)
{
	TupleDesc	desc = CreateTemplateTupleDesc(count);
	Datum	   *values = palloc(count * sizeof(Datum));
	bool	   *nulls = palloc0(count * sizeof(bool));

	for (int i = 0; i < count; i++)
	{
		TupleDescInitEntry(desc, i + 1, names[i], INT8OID, -1, 0);
		values[i] = Int64GetDatum(numbers[i]);
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
