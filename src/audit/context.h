/*
 * context.h: who acts, from where; written once and referred to by records.
 *
 * A context is a row of steward.audit_context, numbered within its transaction.
 * It is written when a transaction first captures and whenever the role or the
 * application changed since.
 */
#ifndef STEWARD_AUDIT_CONTEXT_H
#define STEWARD_AUDIT_CONTEXT_H

#include "base/compat.h"

#include "audit/record.h"

/* Registers the invalidation callback; called once by _PG_init. */
extern void steward_context_init(void);

/* The context in force; written first when it is new. */
extern StewardContextRef steward_context_current(int32 incarnation);

/* What the application said of this transaction, or NULL. */
extern const char *steward_context_actor(void);
extern const char *steward_context_purpose(void);
extern const char *steward_context_request_id(void);

/* A (sub)transaction ended: forgets what it wrote, or hands it to its parent. */
extern void steward_context_forget(SubTransactionId written_by);
extern void steward_context_reparent(SubTransactionId child,
									 SubTransactionId parent);
extern void steward_context_end(void);

#endif							/* STEWARD_AUDIT_CONTEXT_H */
