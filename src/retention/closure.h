/*
 * closure.h: the rows that a batch destroys, and all that refer to them.
 *
 * Terms
 *	 root		a row of the policy's table that has expired and that the batch has locked
 *	 closure	the roots, the rows that refer to them by edges that cascade, those that
 *				refer to these, and so on, in cycles too; and rows that are to lose
 *				a reference to one of these
 *	 fate		whether a root goes: only if all of its closure can, so a row that
 *				is held, locked by others, or kept by an edge that restricts keeps every
 *				root that leads to it, and these keep what else they lead to
 *
 * Who refers to a locked row is known for sure: a new reference has to lock it, and one
 * that was there before is seen by a snapshot taken after the lock.
 */
#ifndef STEWARD_RETENTION_CLOSURE_H
#define STEWARD_RETENTION_CLOSURE_H

#include "base/compat.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "retention/policy.h"

/* Why a root stays; several may be true of it. */
#define STEWARD_BUSY		0x01	/* locked, or changed just now, by others */
#define STEWARD_HELD		0x02
#define STEWARD_RESTRICTED	0x04

typedef struct StewardClosure StewardClosure;

/*
 * Finds, and locks, the closure of roots of an open leaf, which edges lead to; as the
 * owner, with an SPI connection. NULL when it has more than most rows and
 * there is more than one root: try fewer. In the current memory context. Leaves
 * RowExclusiveLock on the tables of its rows.
 */
extern StewardClosure *steward_closure_find(const StewardPolicy *policy, Oid owner,
											Relation leaf,
											const ItemPointerData *roots,
											int count, int most);

/*
 * The same for what a run would do: looks at it with the active snapshot, locks no row,
 * and takes foreign keys that were not declared for what they do by themselves.
 */
extern StewardClosure *steward_closure_preview(const StewardPolicy *policy, Oid owner,
											   Relation leaf,
											   const ItemPointerData *roots, int count);

/*
 * Calls back with the number of rows that refer by an edge and would go or lose
 * the reference, or that keep what they refer to.
 */
typedef void (*StewardEdgeCount) (Oid constraint, int64 rows, void *arg);
extern void steward_closure_count(const StewardClosure *closure, StewardEdgeCount count,
								  void *arg);

/* Why a root stays, by its number: reasons, or 0 when it goes. */
extern int	steward_closure_reasons(const StewardClosure *closure, int root);

/* Rows in it, roots too. */
extern int	steward_closure_size(const StewardClosure *closure);

/*
 * Clears references by edges that set null, of the roots that go, and adds the leaves of these rows,
 * with the salt of the run. Returns how many rows were changed; raises when it was not all of them.
 */
extern uint64 steward_closure_clear(StewardClosure *closure, const unsigned char *salt,
									StringInfo leaves);

/* What is deleted beside the roots, to be put into one statement with them. */
typedef struct StewardChildDelete
{
	Oid			table;
	Relation	rel;			/* the same, open */
	int			count;			/* of rows */
	ItemPointerData *rows;
	char	   *from;			/* "ONLY schema.table AS t" */
	const char *referring;		/* instead of rows, all that refer to a root p
								 * by this condition; then count is what came
								 * of it */
	const char *held;			/* with that, a condition */
	bool		took_held;		/* one of these was held */
} StewardChildDelete;

/* A list of these, a leaf each, for the roots that go. */
extern List *steward_closure_deletes(const StewardClosure *closure);

/* Closes its tables, whose locks stay. */
extern void steward_closure_close(StewardClosure *closure);

#endif							/* STEWARD_RETENTION_CLOSURE_H */
