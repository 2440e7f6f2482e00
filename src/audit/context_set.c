/*
 * context_set.c: steward.set_context, what a transaction says of itself.
 *
 * It is in force until the transaction ends, or is rolled back to a savepoint
 * before it: behind a pooler that hands the session to another client after each
 * transaction, nothing is left for that client. So it is no setting, which a
 * client could give the session, but state of our own, kept in the transaction's
 * memory and given up by its callbacks.
 *
 * Anybody may say anything: without a MAC it is a claim, and recorded as one.
 *
 * Terms
 *	 said	actor, purpose and request id of one call
 *	 level	what was said in one subtransaction; the innermost is in force
 */
#include "base/compat.h"

#include "access/xact.h"
#include "audit/context.h"
#include "audit/context_key.h"
#include "base/guc.h"
#include "datatype/timestamp.h"
#include "executor/execdesc.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "replication/logicalworker.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MAX_SAID_BYTES 1000

#define UNIX_EPOCH_MICROSECONDS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

enum
{
	ARGUMENT_ACTOR,
	ARGUMENT_PURPOSE,
	ARGUMENT_REQUEST_ID,
	ARGUMENT_CONTEXT_KEY,
	ARGUMENT_ISSUED_AT,
	ARGUMENT_MAC
};

typedef struct Level
{
	StewardSaid said;
	SubTransactionId owner;
	struct Level *parent;
} Level;

static Level *top = NULL;

const StewardSaid *
steward_context_said(void)
{
	static const StewardSaid nothing = {NULL};

	return top != NULL ? &top->said : &nothing;
}

const char *
steward_context_actor(void)
{
	return steward_context_said()->actor;
}

const char *
steward_context_purpose(void)
{
	return steward_context_said()->purpose;
}

const char *
steward_context_request_id(void)
{
	return steward_context_said()->request_id;
}

bool
steward_context_is_authenticated(void)
{
	return steward_context_said()->context_key != NULL;
}

/* What logical replication applies was asked for at its origin. */
void
steward_context_require(const char *table)
{
	const StewardSaid *said = steward_context_said();

	if (likely(steward_require_context == STEWARD_CONTEXT_OFF) || IsLogicalWorker())
		return;
	if (steward_require_context == STEWARD_CONTEXT_AUTHENTICATED &&
		said->context_key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table \"%s\" can be changed only in an authenticated context",
						table),
				 errhint("Call steward.set_context() with a MAC before, in the same transaction.")));
	if (said->actor == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table \"%s\" can be changed only in a context that names an actor",
						table),
				 errhint("Call steward.set_context() before, in the same transaction.")));
}

/*
 * Was the function called by the query that the client sent, and not by a function
 * that goes on in the same transaction? Then only contexts of expressions lie
 * between the memory that is current and that of the query.
 */
static bool
is_called_directly(void)
{
	MemoryContext context = CurrentMemoryContext;
	QueryDesc  *query = ActivePortal != NULL ? ActivePortal->queryDesc : NULL;

	if (query == NULL || query->estate == NULL)
		return false;
	while (context != NULL && strcmp(context->name, "ExprContext") == 0)
		context = MemoryContextGetParent(context);
	return context == query->estate->es_query_cxt;
}

static void
warn_of_autocommit(void)
{
	if (IsTransactionBlock() || IsSubTransaction() || !is_called_directly())
		return;
	ereport(WARNING,
			(errcode(ERRCODE_NO_ACTIVE_SQL_TRANSACTION),
			 errmsg("%s has no effect outside a transaction block",
					"steward.set_context()"),
			 errhint("Call it after BEGIN, in the transaction that makes the changes.")));
}

/* A text argument of bounded length, or NULL. */
static const char *
said_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	text	   *value;
	Size		length;

	if (PG_ARGISNULL(number))
		return NULL;
	value = PG_GETARG_TEXT_PP(number);
	length = VARSIZE_ANY_EXHDR(value);
	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name),
				 errhint("Leave out what is not known.")));
	if (length > MAX_SAID_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("argument \"%s\" is longer than %d bytes", name,
						MAX_SAID_BYTES)));
	return text_to_cstring(value);
}

static StewardContextField
utf8_field(const char *text)
{
	StewardContextField field = {NULL, 0};

	if (text == NULL)
		return field;
	field.text = pg_server_to_any(text, strlen(text), PG_UTF8);
	field.len = strlen(field.text);
	return field;
}

static void
check_mac(FunctionCallInfo fcinfo, const StewardSaid *said)
{
	bytea	   *mac = PG_GETARG_BYTEA_PP(ARGUMENT_MAC);
	TimestampTz issued_at = PG_GETARG_TIMESTAMPTZ(ARGUMENT_ISSUED_AT);
	StewardContextClaim claim = {
		.login_role = utf8_field(GetUserNameFromId(GetSessionUserId(), false)),
		.actor = utf8_field(said->actor),
		.purpose = utf8_field(said->purpose),
		.request_id = utf8_field(said->request_id),
	};

	if (!TIMESTAMP_NOT_FINITE(issued_at))
		claim.issued_at = issued_at + UNIX_EPOCH_MICROSECONDS;
	steward_context_key_check(said->context_key, &claim, issued_at,
							  (const unsigned char *) VARDATA_ANY(mac),
							  VARSIZE_ANY_EXHDR(mac));
}

/* The three that prove come together, and prove somebody. */
static void
check_proof(FunctionCallInfo fcinfo, const StewardSaid *said)
{
	bool		has_key = !PG_ARGISNULL(ARGUMENT_CONTEXT_KEY);

	if (has_key != !PG_ARGISNULL(ARGUMENT_ISSUED_AT) ||
		has_key != !PG_ARGISNULL(ARGUMENT_MAC))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"context_key\", \"issued_at\" and \"mac\" must be given together")));
	if (!has_key)
		return;
	if (said->actor == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an authenticated context must name an actor")));
	check_mac(fcinfo, said);
}

static const char *
keep(const char *text)
{
	return text == NULL ? NULL : MemoryContextStrdup(TopTransactionContext, text);
}

static void
give_back(const StewardSaid *said)
{
	const char *texts[] = {said->actor, said->purpose, said->request_id,
	said->context_key};

	for (int i = 0; i < lengthof(texts); i++)
		if (texts[i] != NULL)
			pfree(unconstify(char *, texts[i]));
}

/* Puts what was said in force, in place of what this subtransaction said before. */
static void
put_in_force(const StewardSaid *said)
{
	SubTransactionId owner = GetCurrentSubTransactionId();
	StewardSaid kept = {keep(said->actor), keep(said->purpose),
	keep(said->request_id), keep(said->context_key)};

	if (top == NULL || top->owner != owner)
	{
		Level	   *level = MemoryContextAlloc(TopTransactionContext, sizeof(Level));

		level->owner = owner;
		level->parent = top;
		top = level;
	}
	else
		give_back(&top->said);
	top->said = kept;
}

STEWARD_FUNCTION(steward_set_context)
{
	StewardSaid said = {
		.actor = said_argument(fcinfo, ARGUMENT_ACTOR, "actor"),
		.purpose = said_argument(fcinfo, ARGUMENT_PURPOSE, "purpose"),
		.request_id = said_argument(fcinfo, ARGUMENT_REQUEST_ID, "request_id"),
		.context_key = said_argument(fcinfo, ARGUMENT_CONTEXT_KEY, "context_key"),
	};

	check_proof(fcinfo, &said);
	warn_of_autocommit();
	put_in_force(&said);
	PG_RETURN_VOID();
}

void
steward_said_subcommit(SubTransactionId mine, SubTransactionId parent)
{
	Level	   *replaced;

	if (top == NULL || top->owner != mine)
		return;
	top->owner = parent;
	replaced = top->parent;
	if (replaced == NULL || replaced->owner != parent)
		return;
	top->parent = replaced->parent;
	give_back(&replaced->said);
	pfree(replaced);
}

void
steward_said_subabort(SubTransactionId mine)
{
	while (top != NULL && top->owner >= mine)
	{
		Level	   *level = top;

		top = level->parent;
		give_back(&level->said);
		pfree(level);
	}
}

void
steward_said_end(void)
{
	/* the memory goes with the transaction's */
	top = NULL;
}
