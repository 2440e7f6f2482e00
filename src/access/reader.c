/*
 * reader.c: who reads, from where and why; see reader.h.
 */
#include "base/compat.h"

#include "access/spool_json.h"
#include "access/reader.h"
#include "access/spool.h"
#include "audit/context.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/memutils.h"

#define SAID_COUNT 4

/* What the record was made of; the texts are copies. */
typedef struct Identity
{
	Oid			login_role;
	Oid			session_role;
	Oid			effective_role;
	bool		authenticated;	/* what was said was, by a MAC */
	const char *said[SAID_COUNT];	/* application, actor, purpose, request_id */
} Identity;

static const char *const said_names[SAID_COUNT] = {
	"application", "actor", "purpose", "request_id"
};

static Identity seen;
static MemoryContext seen_context = NULL;
static StringInfoData seen_json;	/* its JSON; none while seen_context is
									 * NULL */

/* Where it was written. */
static uint64 written_file = 0;
static uint64 written_position = 0;

static inline bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
look(Identity *now)
{
	now->login_role = GetAuthenticatedUserId();
	now->session_role = GetSessionUserId();
	now->effective_role = GetUserId();
	now->authenticated = steward_context_is_authenticated();
	now->said[0] = application_name != NULL ? application_name : "";
	now->said[1] = steward_context_actor();
	now->said[2] = steward_context_purpose();
	now->said[3] = steward_context_request_id();
}

static bool
is_seen(const Identity *now)
{
	if (seen_context == NULL || seen.login_role != now->login_role ||
		seen.session_role != now->session_role ||
		seen.effective_role != now->effective_role ||
		seen.authenticated != now->authenticated)
		return false;
	for (int i = 0; i < SAID_COUNT; i++)
		if (!same(seen.said[i], now->said[i]))
			return false;
	return true;
}

/* A name outlives the role; a role already gone is shown by its number. */
static void
put_role(const char *label, Oid role)
{
	char	   *name = OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;

	appendStringInfo(&seen_json, ",\"%s\":", label);
	steward_spool_json_string(&seen_json, name != NULL ? name : psprintf("%u", role));
}

static char *
client_address(void)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	return fcinfo->isnull ? NULL :
		DatumGetCString(DirectFunctionCall1(inet_out, address));
}

static void
put_identity(const Identity *now)
{
	initStringInfo(&seen_json);
	steward_spool_json_put(&seen_json, "{\"kind\":\"context\"");
	put_role("login_role", now->login_role);
	put_role("session_role", now->session_role);
	put_role("effective_role", now->effective_role);
	steward_spool_json_put(&seen_json, ",\"client_address\":");
	steward_spool_json_string(&seen_json, client_address());
	for (int i = 0; i < SAID_COUNT; i++)
	{
		appendStringInfo(&seen_json, ",\"%s\":", said_names[i]);
		steward_spool_json_string(&seen_json, now->said[i]);
	}
	appendStringInfoString(&seen_json, now->authenticated ?
						   ",\"authenticated\":true}" : ",\"authenticated\":false}");
}

void
steward_reader_refresh(void)
{
	Identity	now;
	MemoryContext context;
	MemoryContext old;

	look(&now);
	if (likely(is_seen(&now)))
		return;
	context = AllocSetContextCreate(TopMemoryContext, "pg_steward access session",
									ALLOCSET_SMALL_SIZES);
	/* Whoever fails from here on leaves no half of an identity. */
	if (seen_context != NULL)
		MemoryContextDelete(seen_context);
	seen_context = NULL;
	written_file = 0;
	old = MemoryContextSwitchTo(context);
	put_identity(&now);
	seen = now;
	for (int i = 0; i < SAID_COUNT; i++)
		seen.said[i] = now.said[i] == NULL ? NULL : pstrdup(now.said[i]);
	MemoryContextSwitchTo(old);
	seen_context = context;
}

uint64
steward_reader_record(uint64 file)
{
	StringInfo	out;

	if (written_file == file)
		return written_position;
	out = steward_spool_begin();
	appendBinaryStringInfo(out, seen_json.data, seen_json.len);
	written_position = steward_spool_end();
	written_file = file;
	return written_position;
}

void
steward_reader_forget(void)
{
	written_file = 0;
}
