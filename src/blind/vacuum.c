/*
 * vacuum.c: removing entries; see README, "VACUUM".
 */
#include "blind/vacuum.h"

#include "access/generic_xlog.h"
#include "blind/meta.h"
#include "blind/multi.h"
#include "blind/page.h"
#include "blind/split.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/lmgr.h"

bool
steward_blind_leaf_rewrite(Relation index, Buffer buffer,
						   const StewardBlindEntry *entries, int count)
{
	GenericXLogState *state;
	Page		page;

	steward_blind_require_tids(index, BufferGetBlockNumber(buffer), entries, count);
	state = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);
	if (steward_blind_leaf_fill(page, entries, count, 0) == count)
	{
		GenericXLogFinish(state);
		UnlockReleaseBuffer(buffer);
		return true;
	}
	GenericXLogAbort(state);
	return steward_blind_split_leaf(index, buffer, entries, count, NULL, 0);
}

/* Moves what is to be kept to the front; returns how many entries that are. */
static int
keep_some(const StewardBlindRemoval *removal, StewardBlindEntry *entries, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
		if (removal->keep(&entries[i], removal->arg))
			entries[kept++] = entries[i];
	return kept;
}

/* Releases the leaf; false when it has to be looked at again. */
static bool
remove_from_leaf(StewardBlindRemoval *removal, Buffer buffer)
{
	Relation	index = removal->index;
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	StewardBlindEntry *entries =
		palloc((Max(steward_blind_count(&packed), 0) + STEWARD_BLIND_TAIL_MAX) * sizeof *entries);
	int			count = steward_blind_leaf_entries(index, BufferGetBlockNumber(buffer),
												   page, entries);
	int			kept = keep_some(removal, entries, count);
	bool		done = true;

	if (kept < count)
		done = steward_blind_leaf_rewrite(index, buffer, entries, kept);
	else
		UnlockReleaseBuffer(buffer);
	if (done)
	{
		removal->removed += count - kept;
		removal->kept += kept;
	}
	pfree(entries);
	return done;
}

/*
 * A page that a crash left behind is all zeros, and nobody will ever use it. False when the
 * page has to be looked at again.
 */
static bool
remove_from_page(StewardBlindRemoval *removal, BlockNumber block)
{
	Buffer		buffer = ReadBufferExtended(removal->index, MAIN_FORKNUM, block, RBM_NORMAL,
											removal->strategy);
	Page		page = BufferGetPage(buffer);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (!PageIsNew(page))
		steward_blind_page_check(removal->index, buffer);
	if (!PageIsNew(page) && STEWARD_BLIND_SPECIAL(page)->level == 0)
	{
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		LockBufferForCleanup(buffer);
		return remove_from_leaf(removal, buffer);
	}
	UnlockReleaseBuffer(buffer);
	return true;
}

static BlockNumber
end_of(Relation index)
{
	bool		lock = !RELATION_IS_LOCAL(index);
	BlockNumber end;

	if (lock)
		LockRelationForExtension(index, ExclusiveLock);
	end = RelationGetNumberOfBlocks(index);
	if (lock)
		UnlockRelationForExtension(index, ExclusiveLock);
	return end;
}

/* Until the end has not moved: a page before it may have been split meanwhile. */
void
steward_blind_remove(StewardBlindRemoval *removal)
{
	BlockNumber block = STEWARD_BLIND_META + 1;
	BlockNumber end;

	while (block < (end = end_of(removal->index)))
	{
		for (; block < end; block++)
		{
			do
				STEWARD_VACUUM_DELAY_POINT();
			while (!remove_from_page(removal, block));
		}
	}
	removal->pages = end;
}

/* ---- VACUUM ---- */

typedef struct Vacuum
{
	IndexBulkDeleteCallback callback;
	void	   *state;
} Vacuum;

static bool
is_alive(const StewardBlindEntry *entry, void *arg)
{
	Vacuum	   *vacuum = arg;
	ItemPointerData tid;

	steward_blind_item_pointer(entry->tid, &tid);
	return !vacuum->callback(&tid, vacuum->state);
}

IndexBulkDeleteResult *
steward_blind_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
						  IndexBulkDeleteCallback callback, void *callback_state)
{
	Vacuum		vacuum = {callback, callback_state};
	StewardBlindRemoval removal = {
		.index = info->index,
		.strategy = info->strategy,
		.keep = is_alive,
		.arg = &vacuum
	};

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	steward_blind_remove(&removal);
	stats->num_index_tuples = removal.kept;
	stats->tuples_removed += removal.removed;
	stats->num_pages = removal.pages;
	return stats;
}

/*
 * Where nothing was deleted nothing is to be done, and what is known stays. Entries that a
 * split moved on were counted twice: there are not more than rows, where each has one.
 */
IndexBulkDeleteResult *
steward_blind_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	if (info->analyze_only || stats == NULL)
		return stats;
	stats->num_pages = RelationGetNumberOfBlocks(info->index);
	if (!steward_blind_is_multi(info->index) && !info->estimated_count &&
		stats->num_index_tuples > info->num_heap_tuples)
		stats->num_index_tuples = info->num_heap_tuples;
	return stats;
}
