/*
 * build_rows.h: the entries of all rows of a table, for an index of it.
 */
#ifndef STEWARD_BLIND_BUILD_ROWS_H
#define STEWARD_BLIND_BUILD_ROWS_H

#include "base/compat.h"

#include "access/relscan.h"
#include "blind/codec.h"
#include "blind/meta.h"
#include "utils/rel.h"

/*
 * Takes an entry; bound is false for that of a row which another may be like even in a
 * unique index: a dead one, which a snapshot may still see, or one with NULLs that
 * differ. May be called with a page of the table pinned, not locked.
 */
typedef void (*StewardBlindTake) (void *state, const StewardBlindEntry *entry,
								  bool bound);

/* What is read, and who takes it. */
struct IndexInfo;
typedef struct StewardBlindRows
{
	Relation	heap;
	Relation	index;
	struct IndexInfo *info;
	const StewardBlindMeta *meta;	/* of the index that is built */
	StewardBlindTake take;
	void	   *state;
} StewardBlindRows;

/*
 * Reads the rows of a table; or, when scan is not NULL, a process's part of a parallel
 * scan, which it ends. Returns how many rows live; may set ii_BrokenHotChain. Opens
 * values, and raises what that raises.
 */
extern double steward_blind_rows_scan(const StewardBlindRows *rows, TableScanDesc scan);

/*
 * The same in this process and as many workers as start, of those that
 * ii_ParallelWorkers asks for. Entries are taken in this process, in no order.
 * Raises what a worker raises.
 */
extern double steward_blind_rows_scan_parallel(const StewardBlindRows *rows);

#endif							/* STEWARD_BLIND_BUILD_ROWS_H */
