/*
 * target.h: the tables that a policy works on.
 */
#ifndef STEWARD_RETENTION_TARGET_H
#define STEWARD_RETENTION_TARGET_H

#include "base/compat.h"

#include "nodes/nodes.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "retention/policy.h"

/* "schema"."table". */
extern char *steward_qualified_name(Oid relid);

/*
 * What a run does to rows of the policy's table: CMD_DELETE, CMD_UPDATE, or nothing but
 * reading them, CMD_SELECT.
 */
extern CmdType steward_target_command(const StewardPolicy *policy);

/*
 * Raises an error unless a policy can do that to rows of the relation: its kind, where
 * it lives, that doing it to a row means that and nothing else (no rules). Foreign keys
 * are another matter, see edge.h. The caller holds a lock that conflicts with adding
 * rules.
 */
extern void steward_target_check(Relation rel, CmdType command);

/*
 * Raises unless the relation has this owner: a policy runs as the owner of its table,
 * who must not act on another's.
 */
extern void steward_target_check_owner(Relation rel, Oid owner);

/* Owner of a relation; raises ERRCODE_UNDEFINED_TABLE when it is gone. */
extern Oid	steward_target_owner(Oid relid);

/*
 * A condition, never null, that is true for rows of an open leaf that a legal hold
 * keeps.
 */
extern char *steward_target_held(Relation rel, const char *alias);

/*
 * Checks the relation of a policy and all its partitions and inheritance children,
 * leaves AccessShareLock on them, and returns the oids of those that hold rows.
 */
extern List *steward_target_leaves(const StewardPolicy *policy);

/*
 * Opens a leaf with RowExclusiveLock and checks it as steward_target_check does,
 * which no other transaction can undo before the end of ours. Returns NULL when
 * it no longer exists or no longer belongs to the policy's relation.
 */
extern Relation steward_target_open_leaf(Oid leaf, const StewardPolicy *policy,
										 Oid owner);

#endif							/* STEWARD_RETENTION_TARGET_H */
