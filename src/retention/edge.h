/*
 * edge.h: foreign keys that lead to rows that a policy destroys.
 *
 * Terms
 *	 edge		a foreign key from one table, the child, to another, the parent; of a
 *				partitioned child it is the one of the partitioned table, not its
 *				copies in partitions
 *	 declared	the policy says what becomes of rows that refer by it; an edge that is
 *				not declared restricts
 */
#ifndef STEWARD_RETENTION_EDGE_H
#define STEWARD_RETENTION_EDGE_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "retention/policy.h"

typedef struct StewardEdge
{
	Oid			constraint;
	char	   *name;
	Oid			child;
	Oid			parent;			/* a table, or the partitioned one above it */
	char		on_delete;		/* pg_constraint.confdeltype */
	List	   *columns;		/* of the child, char * */
	List	   *parent_columns; /* those of the parent that they refer to */
	List	   *cleared;		/* those of them that "set null" clears */
	char	   *join;			/* condition on rows p of the parent and c of
								 * the child */
	char	   *refers;			/* the same where the parent is t */
	char	   *referring;		/* the same where the parent is p and the
								 * child t */
	StewardChildAction action;
	bool		declared;
} StewardEdge;

/*
 * The edges that lead to rows of an open table: a leaf, or a partitioned table. They
 * have their actions from the policy; nothing of them is checked but that PostgreSQL
 * itself compares rows by equality. Leaves AccessShareLock on children. In the current
 * memory context.
 */
extern List *steward_edges_to(Relation rel, const List *children);

/*
 * Raises unless a policy run by owner can do with the rows of the child what the edge's
 * action says: a foreign key that itself changes other tables must be declared,
 * the child must have the same owner, or be readable when the action restricts, and what is set
 * null must be nullable.
 */
extern void steward_edge_check(const StewardEdge *edge, Oid owner);

/* Gives an edge that was not declared the action that its foreign key has by itself. */
extern void steward_edge_imply(StewardEdge *edge);

/* Can rows that refer be found by an index? */
extern bool steward_edge_is_indexed(const StewardEdge *edge);

/* "ON DELETE CASCADE" and so on, of a foreign key that changes other tables; else NULL. */
extern const char *steward_edge_on_delete(const StewardEdge *edge);

/* "c", the child in a query over rows that refer: with ONLY unless it is
 * partitioned. */
extern char *steward_edge_child(const StewardEdge *edge);

#endif							/* STEWARD_RETENTION_EDGE_H */
