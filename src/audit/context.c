/*
 * context.c: who acts, from where; see context.h.
 *
 * The last contexts of the transaction are remembered, so that a SECURITY
 * DEFINER function called row by row does not write one each time. A rollback
 * to a savepoint takes the rows written inside with it, and so their memory.
 */
#include "base/compat.h"

#include "access/transam.h"
#include "access/xact.h"
#include "audit/context.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "miscadmin.h"
#include "replication/origin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MAX_REMEMBERED 8

/* Columns of steward.audit_context, counted from 0. */
enum
{
	CONTEXT_XID,
	CONTEXT_NUMBER,
	CONTEXT_INCARNATION,
	CONTEXT_STARTED_AT,
	CONTEXT_PID,
	CONTEXT_LOGIN_ROLE,
	CONTEXT_SESSION_ROLE,
	CONTEXT_EFFECTIVE_ROLE,
	CONTEXT_CLIENT_ADDRESS,
	CONTEXT_APPLICATION,
	CONTEXT_ACTOR,
	CONTEXT_PURPOSE,
	CONTEXT_REQUEST_ID,
	CONTEXT_REPLICATION_ORIGIN,
	CONTEXT_NATTS
};

/* What, when it changes, makes another context. */
typedef struct Identity
{
	Oid			session_role;
	Oid			effective_role;
	RepOriginId origin;
	const char *application;
} Identity;

typedef struct Remembered
{
	Identity	identity;		/* application in TopTransactionContext */
	int32		number;
	SubTransactionId written_by;
} Remembered;

static StewardRelationRef context_table = {"audit_context"};

static Remembered remembered[MAX_REMEMBERED];
static int	remembered_count = 0;
static int32 last_number = 0;

static bool
same_identity(const Identity *a, const Identity *b)
{
	return a->session_role == b->session_role &&
		a->effective_role == b->effective_role &&
		a->origin == b->origin &&
		strcmp(a->application, b->application) == 0;
}

/* A name survives the role's end; a role already gone is shown by its number. */
static Datum
role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	return CStringGetTextDatum(name != NULL ? name : psprintf("%u", role));
}

static void
set_client_address(Datum *values, bool *nulls)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	values[CONTEXT_CLIENT_ADDRESS] = inet_client_addr(fcinfo);
	nulls[CONTEXT_CLIENT_ADDRESS] = fcinfo->isnull;
}

static void
set_replication_origin(RepOriginId origin, Datum *values, bool *nulls)
{
	char	   *name;

	nulls[CONTEXT_REPLICATION_ORIGIN] = true;
	if (origin == InvalidRepOriginId || origin == DoNotReplicateId ||
		!replorigin_by_oid(origin, true, &name))
		return;
	nulls[CONTEXT_REPLICATION_ORIGIN] = false;
	values[CONTEXT_REPLICATION_ORIGIN] = CStringGetTextDatum(name);
}

static void
write_context(const Identity *identity, int32 number, int32 incarnation)
{
	Datum		values[CONTEXT_NATTS];
	bool		nulls[CONTEXT_NATTS] = {false};

	values[CONTEXT_XID] =
		UInt64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	values[CONTEXT_NUMBER] = Int32GetDatum(number);
	values[CONTEXT_INCARNATION] = Int32GetDatum(incarnation);
	values[CONTEXT_STARTED_AT] =
		TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[CONTEXT_PID] = Int32GetDatum(MyProcPid);
	values[CONTEXT_LOGIN_ROLE] = role_name(GetAuthenticatedUserId());
	values[CONTEXT_SESSION_ROLE] = role_name(identity->session_role);
	values[CONTEXT_EFFECTIVE_ROLE] = role_name(identity->effective_role);
	set_client_address(values, nulls);
	values[CONTEXT_APPLICATION] = CStringGetTextDatum(identity->application);
	/* set_context() will fill these */
	nulls[CONTEXT_ACTOR] = true;
	nulls[CONTEXT_PURPOSE] = true;
	nulls[CONTEXT_REQUEST_ID] = true;
	set_replication_origin(identity->origin, values, nulls);
	steward_sink_insert(&context_table, CONTEXT_NATTS, values, nulls);
}

/* Takes a free place, or that of the oldest. */
static void
remember(const Identity *identity, int32 number)
{
	if (remembered_count == MAX_REMEMBERED)
	{
		memmove(remembered, remembered + 1,
				sizeof(Remembered) * (MAX_REMEMBERED - 1));
		remembered_count--;
	}
	remembered[remembered_count].identity = *identity;
	remembered[remembered_count].identity.application =
		MemoryContextStrdup(TopTransactionContext, identity->application);
	remembered[remembered_count].number = number;
	remembered[remembered_count].written_by = GetCurrentSubTransactionId();
	remembered_count++;
}

int32
steward_context_current(int32 incarnation)
{
	Identity	identity = {GetSessionUserId(), GetUserId(),
	replorigin_session_origin, application_name ? application_name : ""};

	for (int i = remembered_count - 1; i >= 0; i--)
		if (same_identity(&remembered[i].identity, &identity))
			return remembered[i].number;
	last_number++;
	write_context(&identity, last_number, incarnation);
	remember(&identity, last_number);
	return last_number;
}

void
steward_context_forget(SubTransactionId written_by)
{
	int			kept = 0;

	for (int i = 0; i < remembered_count; i++)
		if (remembered[i].written_by != written_by)
			remembered[kept++] = remembered[i];
	remembered_count = kept;
}

void
steward_context_reparent(SubTransactionId child, SubTransactionId parent)
{
	for (int i = 0; i < remembered_count; i++)
		if (remembered[i].written_by == child)
			remembered[i].written_by = parent;
}

void
steward_context_end(void)
{
	remembered_count = 0;
	last_number = 0;
}
