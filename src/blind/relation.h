/*
 * relation.h: blind indexes that a caller of SQL names, or that there are.
 */
#ifndef STEWARD_BLIND_RELATION_H
#define STEWARD_BLIND_RELATION_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/rel.h"

/*
 * Opens a blind index and its table, both under AccessShareLock, the table first. Raises
 * ERRCODE_UNDEFINED_TABLE, ERRCODE_WRONG_OBJECT_TYPE for what is no blind index that has
 * pages, and ERRCODE_FEATURE_NOT_SUPPORTED for another session's temporary one. Unless
 * owners is NULL it is asked before the locks, with the table's oid; it raises when the
 * caller may not.
 */
extern Relation steward_blind_relation_open(Oid relid, Relation *heap,
											void (*owners) (Oid heap));

/* Closes both, and lets go of the locks. */
extern void steward_blind_relation_close(Relation index, Relation heap);

/* Is this relation a blind index, and one that has pages? */
extern bool steward_blind_relation_is(Relation rel);

/*
 * Raises ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE for an index without pages: what an erasure
 * leaves of one that was not ready, and in recovery an unlogged one.
 */
extern void steward_blind_relation_require_pages(Relation index);

/* The oids of all blind indexes of this database that have pages, also invalid ones. */
extern List *steward_blind_relations(void);

#endif							/* STEWARD_BLIND_RELATION_H */
