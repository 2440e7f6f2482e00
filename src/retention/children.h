/*
 * children.h: the tables that refer to a policy's, and what was declared of them.
 */
#ifndef STEWARD_RETENTION_CHILDREN_H
#define STEWARD_RETENTION_CHILDREN_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "retention/edge.h"

/* May give the edge an action of its own; it is followed if that cascades. */
typedef void (*StewardEdgeVisit) (StewardEdge *edge, void *arg);

/*
 * Visits every edge that leads to rows of a policy's table, and on from the children by
 * those that cascade, once each, parents before children; cycles and references
 * to the table itself come to an end. Leaves AccessShareLock on all tables.
 */
extern void steward_edges_walk(Oid relation, const List *children,
							   StewardEdgeVisit visit, void *arg);

/*
 * What was declared, from an object with a member for each table that refers: its value is an
 * action for all its foreign keys, or an object with an action for each of them by name.
 *
 *	 {"order_item": "cascade", "review": {"review_order_fkey": "set null"}}
 *
 * Returns StewardChild, one for each foreign key, in the current memory context.
 * Raises ERRCODE_INVALID_PARAMETER_VALUE for another form, and for a table or a foreign
 * key that does not lead to the rows of the policy; and as steward_edge_check, also for edges
 * that were not declared.
 */
extern List *steward_children_declare(Oid relation, Oid owner, Jsonb *children);

/* Raises as steward_edge_check for any edge of a policy as it was declared. */
extern void steward_children_check(const StewardPolicy *policy, Oid owner);

#endif							/* STEWARD_RETENTION_CHILDREN_H */
