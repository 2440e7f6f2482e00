/*
 * mask.c: errors of PostgreSQL that would quote a plaintext; see mask.h.
 *
 * The callback of a scope runs while an error is being finished, before anyone
 * sees it: client, log, or a block that catches it. It raises the masked error
 * in its place, which PostgreSQL allows (an error in a context callback replaces
 * the one it came from), below the scope, so that no callback inside it runs
 * twice.
 *
 * What runs outside of a statement of the executor has no scope around it:
 * triggers that fire after it or at commit, functions by the fast path. Once a
 * plaintext is given there, the last resort is put below all other callbacks,
 * where it stays until an error empties the stack.
 *
 * Known to leave through: what an error of another class quotes (a cast to
 * regclass names a relation "…"), and an error in a parallel worker about a
 * value that another worker decrypted, in that worker's own log line.
 */
#include "base/mask.h"

#include "access/xact.h"
#include "base/catalog.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

/* What stands for a value. */
#define HIDDEN "..."

/* The type that a masked error names, so that it is not masked again. */
#define MASKED_TYPE "decrypted value"

/* Also with ': "%s"' after it. */
#define INVALID_INPUT "invalid input syntax for type %s"

static bool given_in_transaction = false;
static TimestampTz given_statement = 0;

static void on_error(void *arg);

static StewardMaskScope last_resort = {.callback = {.callback = on_error, .arg = &last_resort}};

/* Puts the last resort in its place, unless a scope is there. */
static void
want_scope(void)
{
	ErrorContextCallback **end = &error_context_stack;

	while (*end != NULL)
	{
		if ((*end)->callback == on_error)
			return;
		end = &(*end)->previous;
	}
	*end = &last_resort.callback;
}

void
steward_mask_given(void)
{
	given_in_transaction = true;
	given_statement = GetCurrentStatementStartTimestamp();
	want_scope();
}

/* A procedure that commits keeps its variables: the statement goes on. */
static bool
is_given(void)
{
	return given_in_transaction ||
		(given_statement != 0 &&
		 given_statement == GetCurrentStatementStartTimestamp());
}

/* The wording of a message without what was put into it. */
static char *
without_values(const char *format)
{
	StringInfoData text;

	initStringInfo(&text);
	for (const char *at = format; *at != '\0'; at++)
	{
		if (*at != '%')
			appendStringInfoChar(&text, *at);
		else if (at[1] == '%')
			appendStringInfoChar(&text, *++at);
		else
		{
			appendStringInfoString(&text, HIDDEN);
			at += strcspn(at, "diouxXeEfgGcspm");
			if (*at == '\0')
				break;
		}
	}
	return text.data;
}

/* The type is worth telling; the value comes after the first quote. */
static char *
masked_message(const ErrorData *error)
{
	const char *format = error->message_id;
	const char *quote = strstr(error->message, ": \"");

	if (format == NULL)
		return pstrdup("value is not valid");
	if (strcmp(format, INVALID_INPUT) == 0)
		return error->message;
	if (strncmp(format, INVALID_INPUT, strlen(INVALID_INPUT)) == 0 && quote != NULL)
		return psprintf("%.*s: \"" HIDDEN "\"", (int) (quote - error->message),
						error->message);
	return without_values(dgettext(error->domain, format));
}

/*
 * Of the context, the lines that name a place in a function; copy is NULL, or how
 * the line of COPY begins, which shows nothing any more.
 */
static char *
masked_context(const char *context, const char *copy)
{
	const char *places[] = {"PL/pgSQL function ", "SQL function ", copy};
	StringInfoData text;

	initStringInfo(&text);
	while (context != NULL && *context != '\0')
	{
		size_t		len = strcspn(context, "\n");

		for (size_t i = 0; i < lengthof(places); i++)
		{
			if (places[i] != NULL &&
				strncmp(context, places[i], strlen(places[i])) == 0)
				appendStringInfo(&text, "%s%.*s", text.len > 0 ? "\n" : "",
								 (int) len, context);
		}
		context += len;
		context += *context == '\n';
	}
	return text.len > 0 ? text.data : NULL;
}

static bool
is_masked(const ErrorData *error)
{
	return error->schema_name != NULL && error->datatype_name != NULL &&
		strcmp(error->schema_name, STEWARD_SCHEMA) == 0;
}

/* "division by zero" does not, nor does "value too long for type varchar(3)". */
static bool
shows_values(const ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_STRING_DATA_RIGHT_TRUNCATION)
		return false;
	return error->message_id == NULL || strchr(error->message_id, '%') != NULL ||
		error->detail != NULL;
}

/*
 * Input functions of another class: tsvector, tsquery, jsonpath and hstore have
 * syntax errors, as statements do, which name the place; and a limit.
 */
static bool
is_of_input(const ErrorData *error)
{
	const char *wording = error->message_id;

	if (error->sqlerrcode == ERRCODE_SYNTAX_ERROR)
		return error->cursorpos == 0 && error->internalpos == 0;
	return error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED &&
		wording != NULL && strstr(wording, " in tsquery: ") != NULL;
}

static bool
may_be_masked(int code)
{
	return ERRCODE_TO_CATEGORY(code) == ERRCODE_DATA_EXCEPTION ||
		code == ERRCODE_SYNTAX_ERROR || code == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

static void
mask_values(ErrorData *error, const char *copy)
{
	error->message = masked_message(error);
	error->detail = "The value is not shown: it may be the plaintext of an encrypted one.";
	error->detail_log = NULL;
	error->hint = NULL;
	error->context = masked_context(error->context, copy);
	error->internalquery = NULL;
	error->cursorpos = 0;
	error->internalpos = 0;
	error->schema_name = STEWARD_SCHEMA;
	error->datatype_name = MASKED_TYPE;
}

/*
 * Cuts 'COPY t, line 7: "…"' and 'COPY t, line 7, column c: "…"' before the data,
 * and what comes after. What is not understood, as in another language, goes
 * altogether. False when COPY said nothing.
 */
static bool
mask_copy(ErrorData *error, const char *copy)
{
	char	   *line;
	char	   *data;

	if (error->context == NULL)
		return false;
	line = strstr(error->context, copy);
	if (line == NULL)
	{
		error->context = NULL;
		return true;
	}
	data = strchr(line + strlen(copy), ':');
	if (data == NULL)
		return false;
	*data = '\0';
	return true;
}

/* Masks a copy of the error; false when there is nothing to mask. */
static bool
mask(ErrorData *error, const char *copy_table)
{
	char	   *copy = copy_table == NULL ? NULL :
		psprintf("COPY %s, line ", copy_table);
	bool		changed = false;

	if (copy != NULL)
		changed = mask_copy(error, copy);
	if ((ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION ||
		 is_of_input(error)) &&
		!is_masked(error) && shows_values(error))
	{
		mask_values(error, copy);
		changed = true;
	}
	return changed;
}

static void
on_error(void *arg)
{
	StewardMaskScope *scope = arg;
	ErrorData  *error;
	MemoryContext old;

	if (scope->copy_table == NULL && (!may_be_masked(geterrcode()) || !is_given()))
		return;
	old = MemoryContextSwitchTo(scope->context != NULL ? scope->context :
								TopTransactionContext != NULL ? TopTransactionContext :
								TopMemoryContext);
	error = CopyErrorData();
	if (error->elevel == ERROR && mask(error, scope->copy_table))
	{
		error_context_stack = scope->callback.previous;
		ThrowErrorData(error);
	}
	/* What is no error, or the end of the process, cannot be replaced. */
	if (error->elevel != ERROR && scope->copy_table != NULL)
		errhidecontext(true);
	MemoryContextSwitchTo(old);
}

void
steward_mask_begin(StewardMaskScope *scope, const char *copy_table)
{
	scope->callback.previous = error_context_stack;
	scope->callback.callback = on_error;
	scope->callback.arg = scope;
	scope->context = CurrentMemoryContext;
	scope->copy_table = copy_table;
	error_context_stack = &scope->callback;
}

void
steward_mask_end(StewardMaskScope *scope)
{
	error_context_stack = scope->callback.previous;
}

int
steward_mask_depth(void)
{
	int			depth = 0;

	for (const ErrorContextCallback *callback = error_context_stack;
		 callback != NULL; callback = callback->previous)
		depth += callback->callback == on_error && callback->arg != &last_resort;
	return depth;
}

static void
on_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE || event == XACT_EVENT_PARALLEL_COMMIT ||
		event == XACT_EVENT_PARALLEL_ABORT)
		given_in_transaction = false;
}

void
steward_mask_init(void)
{
	RegisterXactCallback(on_transaction_end, NULL);
}
