/*
 * undo.h: what would make good a transaction, and doing it.
 *
 * Terms:
 *	step	the change of one row: DELETE what the transaction inserted, INSERT what
 *			it deleted, UPDATE what it updated. However often it changed a row,
 *			there is one step.
 */
#ifndef STEWARD_HISTORY_UNDO_H
#define STEWARD_HISTORY_UNDO_H

#include "base/compat.h"

#include "history/rows.h"
#include "nodes/pg_list.h"

/* A table that the transaction changed. */
typedef struct StewardUndoTable
{
	StewardHistoryTable *table;
	StewardTrail *trail;		/* the transaction's records */
	StewardRows *rows;			/* the rows it changed */
	char	   *where;			/* finds a row by its key as parameters */
	Oid		   *types;
	List	   *operators;		/* oids of the equalities in it */
	bool		referenced;		/* by foreign keys */
	bool		early;			/* perhaps before it has the row: they are
								 * deferrable */
} StewardUndoTable;

/* The version of a row that was locked. */
typedef struct StewardUndoPlace
{
	Oid			relid;			/* of a partition, its own */
	ItemPointerData tid;
} StewardUndoPlace;

typedef struct StewardUndoStep
{
	StewardUndoTable *of;
	int32		first;			/* number of the row's first record */
	int32		order;			/* that by which it is taken, the highest
								 * first */
	StewardCell *now;			/* the row as it is; NULL: there is none */
	StewardCell *then;			/* as it was before; NULL: there was none */
	char	   *statement;
	StewardUndoPlace place;		/* of now, once it is locked */
	bool		done;
} StewardUndoStep;

/*
 * The steps that make good a committed transaction, in the order in which they
 * are to be taken; a list of StewardUndoStep. Raises
 * ERRCODE_UNDEFINED_OBJECT when it recorded no change,
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when it cannot be made good, or when a
 * later one, which the error names, changed one of its rows; and what
 * steward_history_table_open raises. Needs steward_trail_prepare.
 */
extern List *steward_undo_plan(uint64 xid);

/* The statement of a step, for whoever asks; see undo_statement.c. */
extern char *steward_undo_statement(const StewardUndoStep *step);

/*
 * Runs the statement of a step: the same, with the constants as parameters, so that
 * it does not matter what the names of their types mean. It needs an active snapshot.
 * How many rows it changed.
 */
extern uint64 steward_undo_run(const StewardUndoStep *step);

/* The key of a slot, as the cells of a row; in the current context. */
extern StewardCell *steward_undo_key(const StewardUndoTable *of,
									 const StewardRowSlot *slot);

/* The same, as text. */
extern char *steward_undo_key_text(const StewardUndoTable *of,
								   const StewardRowSlot *slot);

/* A column's name and OPERATOR(schema.=), of its type's default index order. */
extern const char *steward_undo_column(const StewardHistoryTable *table,
									   AttrNumber attnum);
extern char *steward_undo_equality(Form_pg_attribute attribute, List **operators);

/* "column = $1 AND ..." for the key, by the equality of its index. */
extern void steward_undo_where(StewardUndoTable *of);

/* The present row with the key of these cells, by column; NULL without one. */
extern StewardCell *steward_undo_read(const StewardUndoTable *of, StewardCell *key);

/* The same, locked and read as of now; and, unless NULL, where it is. */
extern StewardCell *steward_undo_lock(const StewardUndoTable *of, StewardCell *key,
									  StewardUndoPlace *place);

/*
 * What became of a row under whatever key, locked. NULL when it was deleted, or moved
 * to another partition.
 */
extern StewardCell *steward_undo_follow(const StewardUndoTable *of,
										const StewardUndoPlace *place, bool *moved);

/* The same values? Either may be NULL. */
extern bool steward_undo_same(const StewardHistoryTable *table, StewardCell *a,
							  StewardCell *b);

/*
 * Takes the steps as the caller, by ordinary statements. Steps that a foreign key
 * or a unique index does not allow yet are taken after others. Raises what the
 * statements raise, and ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION when triggers leave a
 * row other than it was before.
 */
extern void steward_undo_apply(List *steps);

#endif							/* STEWARD_HISTORY_UNDO_H */
