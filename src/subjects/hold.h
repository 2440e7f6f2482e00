/*
 * hold.h: legal holds, for whoever destroys rows.
 *
 * A hold says that rows of a table must be kept: all of them, or those for which a
 * predicate is true. It binds what the extension does by itself: policies and
 * erasures; and TRUNCATE, DROP and the like, which hold_guard.c refuses. It does not bind the
 * DELETE of somebody who may delete.
 *
 * Terms
 *	 destroyer	a transaction of ours that deletes or overwrites rows
 *	 binds		a hold binds the table it was placed on and all that are partitions or
 *				inheritance children of it, at whatever depth
 *	 broken		a hold whose predicate can no longer be parsed, over a column or with
 *				a function that is gone: it holds every row, until it is released
 *
 * The protocol of a destroyer, in each of its transactions:
 *	 1. steward_holds_lock, before anything else that takes locks on tables;
 *	 2. then a snapshot (PushActiveSnapshot(GetTransactionSnapshot()); the transaction is
 *		READ COMMITTED, so that it is a new one);
 *	 3. for each leaf, locked against changes of its definition: steward_holds_on and
 *		steward_holds_condition, and the condition in the statement that locks the rows and
 *		again in the one that destroys them.
 * place_hold writes steward.hold, so it waits for every destroyer that has the lock and
 * keeps others out until its transaction ends: once it has returned, what is
 * there is held, if it commits.
 */
#ifndef STEWARD_SUBJECTS_HOLD_H
#define STEWARD_SUBJECTS_HOLD_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/relcache.h"

typedef struct StewardHold
{
	int64		id;
	Oid			relation;		/* it was placed on; maybe an ancestor */
	char	   *predicate;		/* as kept; NULL: all rows */
	char	   *time_zone;		/* whose calendar the predicate means */
	List	   *columns;		/* names, of char *, that the predicate uses */
	char	   *ground;
} StewardHold;

/* Registers the guard; called once by _PG_init. */
extern void steward_holds_init(void);

/*
 * Takes SHARE on steward.hold until the end of the transaction; waits as lock_timeout
 * says. Does nothing in a database without the extension.
 */
extern void steward_holds_lock(void);

/*
 * The active holds that bind a relation: its own and those of its ancestors, of which
 * a partition that is being detached still has all, and one that steward_holds_follow
 * knows of, too. A list of StewardHold in the order of
 * their ids, in the current memory context. Reads what is committed now, whatever
 * the snapshot of the transaction; takes no lock on tables but AccessShareLock on
 * steward.hold and pg_inherits.
 */
extern List *steward_holds_on(Oid relid);

/* The same, and those of all descendants: for what destroys a tree. */
extern List *steward_holds_on_tree(Oid relid);

/*
 * From now on relations are asked for here: the function gives the table that one was detached from
 * and whose holds still bind it, or InvalidOid. It reads what is committed now, and runs as whoever
 * is the current user. Called once by _PG_init.
 */
extern void steward_holds_follow(Oid (*former_parent) (Oid relid));

/* Is any hold active in this database? Read likewise. */
extern bool steward_holds_exist(void);

/*
 * A condition in SQL that is true for rows of an open leaf that a hold of the list keeps,
 * and never null: for a statement over "ONLY leaf AS alias", run as the owner of
 * the leaf. "false" for no holds, "true" if one keeps all rows (no predicate, or
 * broken); else a call of steward.hold_keeps() for each, that takes the columns which
 * the predicate uses and takes an error of the predicate for true. Such a statement
 * cannot be parallel. Text in the current memory context.
 */
extern char *steward_holds_condition(List *holds, Relation leaf, const char *alias);

/* The same for one hold, to count what it keeps. */
extern char *steward_hold_condition(const StewardHold *hold, Relation leaf,
									const char *alias);

/*
 * Does a row of an open table (of its own, not of its children) come under one of
 * these holds? Reads all of it with a snapshot taken here, as its owner. The first such
 * hold, or NULL. For a table whose lock keeps writers out.
 */
extern const StewardHold *steward_holds_any_row(List *holds, Relation leaf);

/*
 * Until it is called with InvalidOid for both, this process may detach this partition from this parent
 * though it has held rows, and goes on to be bound by the parent's holds: for a policy that detaches a partition,
 * looks at the holds again and drops it or attaches it again. The caller ends that, also
 * after an error. No other partition may be detached so, whoever's code runs meanwhile.
 */
extern void steward_holds_allow_detach(Oid parent, Oid partition);

#endif							/* STEWARD_SUBJECTS_HOLD_H */
