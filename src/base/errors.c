/*
 * errors.c: errors that must not carry a plaintext; see errors.h.
 *
 * That a line is to be hidden does not travel with an error from a parallel
 * worker to its leader, which adds its own lines. The name of a type does.
 */
#include "base/errors.h"

#include "base/catalog.h"
#include "utils/elog.h"

/* The type that an error in a plaintext scope names. */
#define HIDDEN_TYPE "encrypted value"

static emit_log_hook_type next_emit_log = NULL;

static void
hide_statement(void *arg)
{
	errhidestmt(true);
	errhidecontext(true);
	err_generic_string(PG_DIAG_SCHEMA_NAME, STEWARD_SCHEMA);
	err_generic_string(PG_DIAG_DATATYPE_NAME, HIDDEN_TYPE);
}

/* In the leader: hides what the worker would have hidden. */
static void
emit_log(ErrorData *error)
{
	if (error->schema_name != NULL && error->datatype_name != NULL &&
		strcmp(error->schema_name, STEWARD_SCHEMA) == 0 &&
		strcmp(error->datatype_name, HIDDEN_TYPE) == 0)
	{
		error->hide_stmt = true;
		error->hide_ctx = true;
	}
	if (next_emit_log != NULL)
		next_emit_log(error);
}

void
steward_errors_init(void)
{
	next_emit_log = emit_log_hook;
	emit_log_hook = emit_log;
}

void
steward_plaintext_begin(StewardPlaintextScope *scope)
{
	scope->outer = error_context_stack;
	scope->callback.previous = NULL;
	scope->callback.callback = hide_statement;
	scope->callback.arg = NULL;
	error_context_stack = &scope->callback;
}

void
steward_plaintext_end(StewardPlaintextScope *scope)
{
	error_context_stack = scope->outer;
}
