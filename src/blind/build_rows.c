/*
 * build_rows.c: the entries of all rows of a table; see build_rows.h.
 *
 * This is where CREATE INDEX opens values, most of what it has to do. It is the same
 * in the process that builds the index and in its parallel workers.
 */
#include "base/compat.h"

#include "access/parallel.h"
#include "access/tableam.h"
#include "blind/build_rows.h"
#include "blind/multi.h"
#include "blind/page.h"
#include "blind/unique.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"

typedef struct Reader
{
	const StewardBlindRows *rows;
	StewardBlindTagger tagger;
	MemoryContext row_context;	/* for one row */
} Reader;

/* Called for each row; also for dead ones that a snapshot may still see. */
static void
add_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive,
		void *state)
{
	Reader	   *reader = state;
	MemoryContext old = MemoryContextSwitchTo(reader->row_context);
	StewardBlindEntry *entries;
	int			count = steward_blind_row_entries(&reader->tagger, index, values, isnull,
												  steward_blind_tid(tid), &entries);
	bool		bound = alive && !steward_blind_differs(index, isnull);

	MemoryContextSwitchTo(old);
	for (int i = 0; i < count; i++)
		reader->rows->take(reader->rows->state, &entries[i], bound);
	MemoryContextReset(reader->row_context);
}

/*
 * A serial scan begins at the first block, not where another scan is, for TIDs to ascend.
 * Workers tell nothing of their progress.
 */
double
steward_blind_rows_scan(const StewardBlindRows *rows, TableScanDesc scan)
{
	Reader		reader = {.rows = rows};
	double		count;

	steward_blind_tagger_begin(&reader.tagger, rows->index, rows->meta);
	reader.row_context = AllocSetContextCreate(CurrentMemoryContext,
											   "steward blind build row",
											   ALLOCSET_DEFAULT_SIZES);
	count = table_index_build_scan(rows->heap, rows->index, rows->info, scan != NULL,
								   !IsParallelWorker(), add_row, &reader, scan);
	MemoryContextDelete(reader.row_context);
	return count;
}
