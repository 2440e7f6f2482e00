/*
 * rows.h: rows of a table in memory, to which changes are done and undone.
 *
 * Terms:
 *	cell	a value: as it is now, or as a record stores it, to be converted when
 *			it is needed
 *	row		the cells of one row, by the table's present columns
 *	change	what a record did: the old and the new cells
 *	slot	all rows of one key, oldest first. More than one while a transaction
 *			moves keys about, and without a key, where slots are by all values.
 */
#ifndef STEWARD_HISTORY_ROWS_H
#define STEWARD_HISTORY_ROWS_H

#include "base/compat.h"

#include "access/htup.h"
#include "audit/codec.h"
#include "history/table.h"
#include "history/trail.h"

typedef struct StewardCell
{
	bool		given;			/* in a change: it has this cell */
	bool		assumed;		/* not in the record: what ADD COLUMN gave the
								 * row */
	bool		isnull;
	Datum		value;
	const StewardVersion *version;	/* else: the slice of a record of it */
	int			ordinal;		/* in the version */
	StewardSlice slice;
} StewardCell;

typedef struct StewardRow
{
	struct StewardRow *next;
	void	   *extra;			/* for the user of the rows */
	StewardCell cells[FLEXIBLE_ARRAY_MEMBER];
} StewardRow;

typedef struct StewardRowSlot
{
	struct StewardRowSlot *next;	/* of the same bucket */
	uint32		hash;
	StewardCell *key;
	StewardRow *first;
	StewardRow *last;
	void	   *extra;			/* for the user of the rows */
} StewardRowSlot;

typedef struct StewardRows
{
	StewardHistoryTable *table;
	int			width;			/* of keys */
	AttrNumber *key;
	StewardRowSlot **buckets;
	uint32		bucket_count;
	int64		slot_count;
	StewardRow *last;			/* that was done or undone to */
	MemoryContext context;
} StewardRows;

/* A record's cells, by the present columns; those of dropped ones are left out. */
typedef struct StewardChange
{
	char		op;
	StewardCell *before;
	StewardCell *after;
} StewardChange;

extern StewardRows *steward_rows_create(StewardHistoryTable *table);

/*
 * Of a table without a key: rows are told apart by the columns that all records of
 * the trail have. Before there are slots.
 */
extern void steward_rows_fit(StewardRows *rows, const StewardTrail *trail);

/*
 * What a record of a row's change did, in the current context, pointing into the
 * record. A column that the version lacks is not given in an UPDATE; elsewhere it
 * has the value that ADD COLUMN gave to old rows.
 */
extern void steward_change_of(StewardRows *rows, const StewardTrailRecord *record,
							  StewardChange *change);

/* The slots of the row before and after a change; NULL when there is none. */
extern StewardRowSlot *steward_rows_before(StewardRows *rows,
										   StewardChange *change);
extern StewardRowSlot *steward_rows_after(StewardRows *rows,
										  StewardChange *change);

/* The slot of a row's key; missing, it is NULL or made. */
extern StewardRowSlot *steward_rows_slot(StewardRows *rows, StewardCell *cells,
										 bool make);

/* A copy of a row of the table, given as values by column; added to the slot. */
extern StewardRow *steward_rows_add(StewardRows *rows, StewardRowSlot *slot,
									const StewardCell *cells);

/* Do and undo a change; false, and nothing, when no row is as it says. */
extern bool steward_rows_redo(StewardRows *rows, StewardChange *change);
extern bool steward_rows_undo(StewardRows *rows, StewardChange *change);

/* Removes all rows. */
extern void steward_rows_clear(StewardRows *rows);

/* Goes through all slots: begins with *bucket 0 and slot NULL; NULL at the end. */
extern StewardRowSlot *steward_rows_next(StewardRows *rows, uint32 *bucket,
										 StewardRowSlot *slot);

/*
 * Makes a cell a value of a present column. Raises what the type's input function
 * raises for a text that it does not take; runs as the caller.
 */
extern void steward_cell_resolve(const StewardHistoryTable *table,
								 AttrNumber attnum, StewardCell *cell);

/* The same value, bit for bit or as text? Both are resolved. */
extern bool steward_cells_equal(const StewardHistoryTable *table,
								AttrNumber attnum, StewardCell *a,
								StewardCell *b);

/* A row as values for a tuple of the table, whose dropped columns are null. */
extern void steward_row_values(const StewardHistoryTable *table,
							   StewardCell *cells, Datum *values,
							   bool *nulls);

#endif							/* STEWARD_HISTORY_ROWS_H */
