/*
 * move.h: rows that an UPDATE moves from one partition to another.
 *
 * PostgreSQL deletes such a row from one partition and inserts it into another,
 * and fires the row triggers of both, so that there would be two records of one
 * change. They become one UPDATE of the partitioned table at the top, when nothing
 * was recorded in between; else they stay a DELETE and an INSERT, which say the
 * same of the rows.
 */
#ifndef STEWARD_AUDIT_MOVE_H
#define STEWARD_AUDIT_MOVE_H

#include "base/compat.h"

#include "access/htup.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"

/*
 * A row was deleted, and recorded under this number: keeps it when it left for
 * another partition. The tuple is as the table has it.
 */
extern void steward_move_left(Relation rel, HeapTuple tuple, TupleTableSlot *row,
							  int32 seq);

/*
 * A row was inserted: is it the one that left last? Then takes the record of the
 * deletion back, opens the partitioned table (the caller closes it, keeping the
 * lock) and gives both rows as rows of that.
 */
extern bool steward_move_arrived(Relation rel, HeapTuple tuple,
								 TupleTableSlot *row, Relation *root,
								 TupleTableSlot **before, TupleTableSlot **after);

/* The transaction ends: forgets. */
extern void steward_move_end(void);

#endif							/* STEWARD_AUDIT_MOVE_H */
