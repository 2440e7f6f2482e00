/*
 * context.c: who acts, from where, for whom; see context.h.
 *
 * The last contexts are remembered, so that a SECURITY DEFINER function called row
 * by row does not write one each time, and that a session of short transactions
 * writes one for all of them. What a transaction wrote is its own until it commits;
 * a rollback to a savepoint takes the rows written inside with it, and so their
 * memory. A new segment makes sessions write theirs anew (context_segment.c says
 * why), and so does a renamed role.
 */
#include "base/compat.h"

#include "access/transam.h"
#include "access/xact.h"
#include "audit/context.h"
#include "audit/context_row.h"
#include "audit/segment.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/origin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define MAX_REMEMBERED 8

/* What, when it changes, makes another context. */
typedef struct Identity
{
	Oid			session_role;
	Oid			effective_role;
	RepOriginId origin;
	const char *application;
	StewardSaid said;
	uint64		query_id;		/* 0: not asked for, or not computed */
} Identity;

typedef struct Remembered
{
	Identity	identity;		/* its strings are in TopMemoryContext */
	StewardContextRef ref;
	int32		incarnation;
	int32		segment;
	Oid			home;			/* the log it belongs to */
	SubTransactionId written_by;	/* uncommitted: by this subtransaction */
} Remembered;

static StewardRelationRef context_table = {"audit_context"};

static Remembered remembered[MAX_REMEMBERED];
static int	remembered_count = 0;
static int32 last_number = 0;
static bool names_changed = false;

static inline bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_identity(const Identity *a, const Identity *b)
{
	return a->session_role == b->session_role &&
		a->effective_role == b->effective_role &&
		a->origin == b->origin &&
		a->query_id == b->query_id &&
		strcmp(a->application, b->application) == 0 &&
		same_text(a->said.request_id, b->said.request_id) &&
		same_text(a->said.actor, b->said.actor) &&
		same_text(a->said.purpose, b->said.purpose) &&
		same_text(a->said.context_key, b->said.context_key);
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
set_said(int column, const char *text, Datum *values, bool *nulls)
{
	nulls[column] = text == NULL;
	if (text != NULL)
		values[column] = CStringGetTextDatum(text);
}

static void
write_context(const Identity *identity, int32 number, int32 incarnation,
			  int32 segment)
{
	Datum		values[CONTEXT_NATTS];
	bool		nulls[CONTEXT_NATTS] = {false};

	values[CONTEXT_XID] =
		UInt64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	values[CONTEXT_NUMBER] = Int32GetDatum(number);
	values[CONTEXT_INCARNATION] = Int32GetDatum(incarnation);
	values[CONTEXT_RECORDED_AT] =
		TimestampTzGetDatum(GetCurrentTimestamp());
	values[CONTEXT_PID] = Int32GetDatum(MyProcPid);
	values[CONTEXT_LOGIN_ROLE] = role_name(GetAuthenticatedUserId());
	values[CONTEXT_SESSION_ROLE] = role_name(identity->session_role);
	values[CONTEXT_EFFECTIVE_ROLE] = role_name(identity->effective_role);
	set_client_address(values, nulls);
	values[CONTEXT_APPLICATION] = CStringGetTextDatum(identity->application);
	set_said(CONTEXT_ACTOR, identity->said.actor, values, nulls);
	set_said(CONTEXT_PURPOSE, identity->said.purpose, values, nulls);
	set_said(CONTEXT_REQUEST_ID, identity->said.request_id, values, nulls);
	set_said(CONTEXT_KEY, identity->said.context_key, values, nulls);
	set_replication_origin(identity->origin, values, nulls);
	values[CONTEXT_QUERY_ID] = Int64GetDatum((int64) identity->query_id);
	nulls[CONTEXT_QUERY_ID] = identity->query_id == 0;
	values[CONTEXT_SEGMENT] = Int32GetDatum(segment);
	steward_sink_insert(&context_table, CONTEXT_NATTS, values, nulls);
}

/* The strings of an identity, to be replaced by copies or given back. */
#define IDENTITY_STRINGS 5
static void
strings_of(Identity *identity, const char **strings[IDENTITY_STRINGS])
{
	strings[0] = &identity->application;
	strings[1] = &identity->said.actor;
	strings[2] = &identity->said.purpose;
	strings[3] = &identity->said.request_id;
	strings[4] = &identity->said.context_key;
}

static void
drop(int place)
{
	const char **strings[IDENTITY_STRINGS];

	strings_of(&remembered[place].identity, strings);
	for (int i = 0; i < IDENTITY_STRINGS; i++)
		if (*strings[i] != NULL)
			pfree(unconstify(char *, *strings[i]));
	remembered_count--;
	memmove(remembered + place, remembered + place + 1,
			sizeof(Remembered) * (remembered_count - place));
}

/* Takes a free place, or that of the oldest. */
static Remembered *
remember(const Identity *identity)
{
	Remembered *entry;
	Identity	copy = *identity;
	const char **strings[IDENTITY_STRINGS];

	strings_of(&copy, strings);
	for (int i = 0; i < IDENTITY_STRINGS; i++)
		if (*strings[i] != NULL)
			*strings[i] = MemoryContextStrdup(TopMemoryContext, *strings[i]);
	if (remembered_count == MAX_REMEMBERED)
		drop(0);
	entry = &remembered[remembered_count++];
	entry->identity = copy;
	return entry;
}

/* Roles may have other names: forgets what is not of this transaction. */
static void
forget_names(void)
{
	names_changed = false;
	for (int i = remembered_count - 1; i >= 0; i--)
		if (remembered[i].written_by == InvalidSubTransactionId)
			drop(i);
}

static void
on_role_change(Datum arg, int cacheid, uint32 hashvalue)
{
	names_changed = true;
}

void
steward_context_init(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, on_role_change, (Datum) 0);
}

int32
steward_context_next_number(void)
{
	return ++last_number;
}

StewardContextRef
steward_context_current(int32 incarnation, int32 *segment_number)
{
	Identity	identity = {GetSessionUserId(), GetUserId(),
		replorigin_session_origin, application_name ? application_name : "",
		*steward_context_said(),
		steward_audit_query_id ? (uint64) pgstat_get_my_query_id() : 0
	};
	StewardSegment segment = steward_segment_current();
	Oid			home = steward_segment_home();
	Remembered *entry;
	StewardContextRef ref;

	*segment_number = segment.number;
	if (names_changed)
		forget_names();
	for (int i = remembered_count - 1; i >= 0; i--)
	{
		entry = &remembered[i];
		if (entry->home == home && entry->segment == segment.number &&
			entry->incarnation == incarnation &&
			same_identity(&entry->identity, &identity))
			return entry->ref;
	}
	ref.xid = U64FromFullTransactionId(GetTopFullTransactionId());
	ref.number = steward_context_next_number();
	write_context(&identity, ref.number, incarnation, segment.number);
	entry = remember(&identity);
	entry->ref = ref;
	entry->incarnation = incarnation;
	entry->segment = segment.number;
	entry->home = home;
	entry->written_by = GetCurrentSubTransactionId();
	return ref;
}

void
steward_context_forget(SubTransactionId written_by)
{
	for (int i = remembered_count - 1; i >= 0; i--)
		if (remembered[i].written_by != InvalidSubTransactionId &&
			(remembered[i].written_by == written_by ||
			 written_by == TopSubTransactionId))
			drop(i);
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
	last_number = 0;
}
