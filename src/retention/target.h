/*
 * target.h: the tables that a policy deletes from.
 */
#ifndef STEWARD_RETENTION_TARGET_H
#define STEWARD_RETENTION_TARGET_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/relcache.h"

/*
 * Raises an error unless a policy can delete from the relation: its kind, where
 * it lives, that deleting a row there means deleting that row and nothing else
 * (no rules, no foreign key that would take or change rows of other tables).
 * The caller holds a lock that conflicts with adding these.
 */
extern void steward_target_check(Relation rel);

/* Type of the age column: date, timestamp or timestamptz, else an error. */
extern Oid	steward_target_age_type(Relation rel, const char *age);

/* Owner of a relation; raises ERRCODE_UNDEFINED_TABLE when it is gone. */
extern Oid	steward_target_owner(Oid relid);

/*
 * Checks a relation and all its partitions and inheritance children, leaves
 * AccessShareLock on them, and returns the oids of those that hold rows.
 */
extern List *steward_target_leaves(Oid relid, const char *age);

/*
 * Opens a leaf with RowExclusiveLock and checks it as steward_target_check does,
 * which no other transaction can undo before the end of ours. Returns NULL when
 * it no longer exists or no longer belongs to the policy's relation.
 */
extern Relation steward_target_open_leaf(Oid leaf, Oid relid, Oid owner);

#endif							/* STEWARD_RETENTION_TARGET_H */
