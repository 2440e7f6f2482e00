/*
 * bind.h: whose a row of a bound table is.
 */
#ifndef STEWARD_COLUMNS_BIND_H
#define STEWARD_COLUMNS_BIND_H

#include "base/compat.h"

#include "keys/subject.h"
#include "utils/relcache.h"

/* How the key of a table's rows names their subject. */
typedef struct StewardBindPlan StewardBindPlan;

/*
 * The plan of an open table, in the current context; NULL when it is not bound.
 * Raises what steward_guard_binding raises.
 */
extern StewardBindPlan *steward_bind_plan(Relation rel);

/* The column that holds the key. */
extern AttrNumber steward_bind_key(const StewardBindPlan *plan);

/*
 * The subject of a row with this key, which is not null; with make it is made
 * when there is none yet. False when there is none. Raises as steward_subject_find
 * and steward_subject_ensure.
 */
extern bool steward_bind_find(StewardBindPlan *plan, Datum key, bool make,
							  StewardSubject *subject);

#endif							/* STEWARD_COLUMNS_BIND_H */
