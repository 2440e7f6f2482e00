/*
 * mask.h: errors of PostgreSQL that would quote a plaintext.
 *
 * What was decrypted is ordinary text to PostgreSQL: 'invalid input syntax for
 * type integer: "123-45-6789"' shows it to the client and to the log, and to
 * whoever calls a function that runs with somebody else's rights. So, in a
 * statement or transaction that was given a plaintext, an error of SQLSTATE class
 * 22 (data exception), or one of an input function that has another class, keeps
 * its code and its wording, but no value; and COPY
 * into encrypted columns names the line that failed without showing it.
 *
 * Terms
 *	 given		a plaintext was handed to PostgreSQL, in this statement or in
 *				this transaction
 *	 scope		a stretch of execution whose errors pass by here
 */
#ifndef STEWARD_BASE_MASK_H
#define STEWARD_BASE_MASK_H

#include "base/compat.h"

typedef struct StewardMaskScope
{
	ErrorContextCallback callback;
	MemoryContext context;		/* where a masked error is put together */
	const char *copy_table;		/* COPY into encrypted columns: its name */
} StewardMaskScope;

/* Registers the end of transactions; called once by _PG_init. */
extern void steward_mask_init(void);

/* Notes that a plaintext is given to PostgreSQL. Cheap: called for each. */
extern void steward_mask_given(void);

/*
 * Begins a scope; the struct lives on the caller's stack until the matching end.
 * copy_table is NULL except for COPY into encrypted columns. An error leaves the
 * scope by itself: PG_TRY restores the stack of contexts.
 */
extern void steward_mask_begin(StewardMaskScope *scope, const char *copy_table);
extern void steward_mask_end(StewardMaskScope *scope);

/* How many scopes lie around: how deep statements are in each other. */
extern int	steward_mask_depth(void);

#endif							/* STEWARD_BASE_MASK_H */
