/*
 * hold_row.h: rows of steward.hold, and predicates that are ready for use; for the
 * files of this floor.
 */
#ifndef STEWARD_SUBJECTS_HOLD_ROW_H
#define STEWARD_SUBJECTS_HOLD_ROW_H

#include "base/compat.h"

#include "base/expression.h"
#include "subjects/hold.h"
#include "utils/elog.h"

/* What a predicate is, for messages. */
extern const StewardExpressionUse steward_hold_use;

/* Oid of steward.hold, InvalidOid in a database without it. */
extern Oid	steward_hold_table(void);

/* Does every session have the guard, since the library is preloaded? */
extern bool steward_hold_guard_is_everywhere(void);

/*
 * The hold of this number, in the current memory context; NULL if there is none, or
 * it was released.
 */
extern StewardHold *steward_hold_read(int64 id);

/* The first active hold of the whole database, or NULL. */
extern StewardHold *steward_hold_any(void);

/* Is it the partition of steward_holds_allow_detach? */
extern bool steward_hold_detach_is_allowed(Oid parent, Oid partition);

/* Does the predicate of the hold use this column? */
extern bool steward_hold_uses(const StewardHold *hold, const char *column);

/*
 * The predicate over an open table, the hold's or an heir of it, in the current memory
 * context. NULL for a broken hold, with the reason in *problem. In a subtransaction.
 */
extern Node *steward_hold_predicate(const StewardHold *hold, Relation rel,
									char **problem);

/*
 * Must an error be raised, and not be taken for a broken predicate? Cancels, shutdown,
 * want of memory, locks and serialization say nothing of the predicate.
 */
extern bool steward_hold_must_raise(const ErrorData *error);

#endif							/* STEWARD_SUBJECTS_HOLD_ROW_H */
