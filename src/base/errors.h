/*
 * errors.h: errors that must not carry a plaintext.
 *
 * While a plaintext is at hand, the context lines of an error and the log's
 * STATEMENT line may print it: COPY's context quotes the column, for one. A
 * plaintext scope replaces the context stack by one callback that hides both,
 * for every error raised inside, also a cancel or "out of memory".
 */
#ifndef STEWARD_BASE_ERRORS_H
#define STEWARD_BASE_ERRORS_H

#include "base/compat.h"

typedef struct StewardPlaintextScope
{
	ErrorContextCallback callback;
	ErrorContextCallback *outer;
} StewardPlaintextScope;

/* Installs the hook for errors of parallel workers; called by _PG_init. */
extern void steward_errors_init(void);

/*
 * Begins a scope; the struct lives on the caller's stack until the matching
 * end. An error leaves the scope by itself: PG_TRY restores the stack.
 */
extern void steward_plaintext_begin(StewardPlaintextScope *scope);
extern void steward_plaintext_end(StewardPlaintextScope *scope);

#endif							/* STEWARD_BASE_ERRORS_H */
