/*
 * errors.c: errors that must not carry a plaintext; see errors.h.
 */
#include "base/errors.h"

static void
hide_statement(void *arg)
{
	errhidestmt(true);
	errhidecontext(true);
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
