/*
 * context.h: who acts, from where, for whom; written once and referred to by
 * records.
 *
 * A context is a row of steward.audit_context, numbered within its transaction.
 * It is written when a transaction first captures and whenever the role, the
 * application or what steward.set_context() said changed since.
 */
#ifndef STEWARD_AUDIT_CONTEXT_H
#define STEWARD_AUDIT_CONTEXT_H

#include "base/compat.h"

#include "audit/record.h"

/* Registers the invalidation callback; called once by _PG_init. */
extern void steward_context_init(void);

/* The context in force, for the newest segment; written first when it is new. */
extern StewardContextRef steward_context_current(int32 incarnation,
												 int32 *segment);

/*
 * Records a copy of a context for another segment. Needs an active snapshot. Raises
 * ERRCODE_T_R_SERIALIZATION_FAILURE when the context is gone, with its segment.
 */
extern StewardContextRef steward_context_copy(const StewardContextRef *ref,
											  int32 incarnation, int32 segment);

/*
 * Removes the contexts of the segments up to this one, which are being dropped in
 * the same transaction. Keeps audit_context locked (RowExclusiveLock).
 */
extern void steward_context_remove(int32 last_segment);

/* A (sub)transaction ended: forgets what it wrote, or hands it to its parent. */
extern void steward_context_forget(SubTransactionId written_by);
extern void steward_context_reparent(SubTransactionId child,
									 SubTransactionId parent);
extern void steward_context_end(void);

/* What steward.set_context() said; see context_set.c. */
typedef struct StewardSaid
{
	const char *actor;			/* each NULL when it was not said */
	const char *purpose;
	const char *request_id;
	const char *context_key;	/* that proved it; NULL: a claim */
} StewardSaid;

/* It, as it is in force now; good until a (sub)transaction ends or says anew. */
extern const StewardSaid *steward_context_said(void);

/* Its parts; NULL when they were not said. */
extern const char *steward_context_actor(void);
extern const char *steward_context_purpose(void);
extern const char *steward_context_request_id(void);

/* Was it proved by a context key? */
extern bool steward_context_is_authenticated(void);

/*
 * Raises ERRCODE_INSUFFICIENT_PRIVILEGE when steward.require_context asks for more
 * than was said; the message names the table.
 */
extern void steward_context_require(const char *table);

/* A (sub)transaction ended; from its callbacks. */
extern void steward_said_subcommit(SubTransactionId mine, SubTransactionId parent);
extern void steward_said_subabort(SubTransactionId mine);
extern void steward_said_end(void);

#endif							/* STEWARD_AUDIT_CONTEXT_H */
