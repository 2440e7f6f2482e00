/*
 * bind.h: whose row is it, for those who go through a bound table.
 */
#ifndef STEWARD_COLUMNS_BIND_H
#define STEWARD_COLUMNS_BIND_H

#include "base/compat.h"

#include "executor/tuptable.h"
#include "keys/subject.h"
#include "utils/relcache.h"

typedef struct StewardBinder StewardBinder;

/* Of an open table, in the current context; NULL when it is not bound, or its
 * trigger is disabled. Raises what steward_guard_binding raises. */
extern StewardBinder *steward_binder(Relation rel);

/* Is the key of the row's subject null? All columns are in the slot. */
extern bool steward_binder_lacks_key(const StewardBinder *binder,
									 TupleTableSlot *row);

/* The subject of such a row, made now when there is none yet; it may have been
 * erased. Raises what steward_subject_ensure raises. */
extern void steward_binder_subject(const StewardBinder *binder,
								   TupleTableSlot *row, StewardSubject *subject);

/* The same, but none is made: false when there is none. Raises what
 * steward_subject_find raises. */
extern bool steward_binder_find(const StewardBinder *binder,
								TupleTableSlot *row, StewardSubject *subject);

#endif							/* STEWARD_COLUMNS_BIND_H */
