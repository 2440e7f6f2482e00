/*
 * bind.h: whose is a row of a bound table.
 */
#ifndef STEWARD_COLUMNS_BIND_H
#define STEWARD_COLUMNS_BIND_H

#include "base/compat.h"

#include "executor/tuptable.h"
#include "keys/subject.h"
#include "utils/relcache.h"

/* How the rows of a table get their subject. */
typedef struct StewardBinder StewardBinder;

/*
 * Of an open table, in the current context; NULL when it is not bound, or its
 * trigger does not fire. Raises what steward_guard_binding raises.
 */
extern StewardBinder *steward_binder(Relation rel);

/* The same, though the trigger may not fire: whose values should be. */
extern StewardBinder *steward_binder_any(Relation rel);

/* The column that holds the key of a row's subject. */
extern AttrNumber steward_binder_key(const StewardBinder *binder);

/*
 * The subject of a row with this key, which is not null; with make it is made
 * when there is none yet. False when there is none. Raises as steward_subject_find
 * and steward_subject_ensure.
 */
extern bool steward_binder_find(StewardBinder *binder, Datum key, bool make,
								StewardSubject *subject);

/* The spelling of a key, which is not null, in the current context: equal keys of all
 * types have the same. */
extern char *steward_binder_spell(StewardBinder *binder, Datum key);

/*
 * To be called before a row with this key, which is not null, is written: keeps away who
 * erases its subject for being old, see keys/subject_lane.h. May wait for him.
 */
extern void steward_binder_enter(StewardBinder *binder, Datum key);

/* Is the key of the row's subject null? All columns are in the slot. */
extern bool steward_binder_lacks_key(const StewardBinder *binder,
									 TupleTableSlot *row);

/* The subject of such a row, made now when there is none yet; it may have been
 * erased. Raises what steward_subject_ensure raises. */
extern void steward_binder_subject(StewardBinder *binder, TupleTableSlot *row,
								   StewardSubject *subject);

#endif							/* STEWARD_COLUMNS_BIND_H */
