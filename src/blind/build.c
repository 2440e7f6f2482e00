/*
 * build.c: CREATE INDEX: tags of all rows, sorted, written page by page; see build.h.
 *
 * Leaves come first, from block 1 on, then each level above them, so the right
 * sibling of a page is the next block. The metapage, which makes them an index, is
 * the last to be written. The file is new: after a crash, or an error, it belongs to
 * no index.
 *
 * Every leaf has another share of free room. If all had the same, all would split at
 * one time.
 *
 * Memory: what maintenance_work_mem allows (and work_mem, of a unique index), plus 32
 * bytes for each leaf: the child that it is to its parent.
 */
#include "base/compat.h"

#include "access/xloginsert.h"
#include "blind/build.h"
#include "blind/build_rows.h"
#include "blind/bulk.h"
#include "blind/meta.h"
#include "blind/options.h"
#include "blind/spool.h"
#include "commands/progress.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "pgstat.h"
#include "utils/backend_progress.h"

/* Phases; PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE is 1. */
enum
{
	PHASE_SCAN = PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE + 1,
	PHASE_SORT,
	PHASE_WRITE
};

#define INNER_FILLFACTOR 92		/* percent */

/* Entries that are looked at together: two leaves' worth. */
#define WINDOW (2 * STEWARD_BLIND_LEAF_MAX)

/* Kilobytes that writing needs while the sort still has its memory. */
#define WRITE_KB 1024

typedef struct Build
{
	Relation	index;
	int			tag_bytes;
	StewardBlindSpool spool;
	uint64		written;

	/* entries that come next, in order */
	StewardBlindEntry *window;
	int			begin;
	int			end;
	bool		exhausted;		/* the sort has no more */

	StewardBlindBulk *bulk;
	BlockNumber next_block;

	/* pages of the level written last */
	StewardBlindChild *pages;
	size_t		page_count;
	size_t		page_room;
} Build;

char *
steward_blind_build_phase(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case PHASE_SCAN:
			return "scanning table";
		case PHASE_SORT:
			return "sorting tags";
		case PHASE_WRITE:
			return "writing pages";
		default:
			return NULL;
	}
}

static void
set_phase(int phase)
{
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
}

/* ---- reading the table ---- */

static void
take_entry(void *state, const StewardBlindEntry *entry, bool bound)
{
	Build	   *build = state;

	steward_blind_spool_add(&build->spool, entry->tag, entry->tid, bound);
}

static double
scan_table(Build *build, Relation heap, struct IndexInfo *info,
		   const StewardBlindMeta *meta)
{
	StewardBlindRows rows = {
		.heap = heap, .index = build->index, .info = info, .meta = meta,
		.take = take_entry, .state = build
	};
	double		count;

	steward_blind_spool_begin(&build->spool, heap, build->index, steward_blind_tag_bits(meta),
							  Max(maintenance_work_mem - WRITE_KB,
								  maintenance_work_mem / 2));
	set_phase(PHASE_SCAN);
	count = info->ii_ParallelWorkers > 0 ? steward_blind_rows_scan_parallel(&rows) :
		steward_blind_rows_scan(&rows, NULL);
	set_phase(PHASE_SORT);
	steward_blind_spool_perform(&build->spool);
	return count;
}

/* ---- writing ---- */

/* A page of the level that is written gets its block, and will be a child. */
static Page
begin_page(Build *build, int level, const StewardBlindEntry *least)
{
	Page		page = steward_blind_bulk_page(build->bulk);

	CHECK_FOR_INTERRUPTS();
	steward_blind_page_init(page, level, build->tag_bytes);
	if (build->page_count == build->page_room)
	{
		build->page_room *= 2;
		build->pages = repalloc_huge(build->pages,
									 build->page_room * sizeof *build->pages);
	}
	build->pages[build->page_count].least = *least;
	build->pages[build->page_count++].block = build->next_block;
	return page;
}

/* Unless it is the last of its level, the next page has keys from right on. */
static void
end_page(Build *build, Page page, const StewardBlindEntry *right)
{
	BlockNumber block = build->next_block++;

	if (build->next_block == InvalidBlockNumber)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" has too many pages",
						RelationGetRelationName(build->index))));
	if (right != NULL)
		steward_blind_set_right(page, build->next_block, right);
	steward_blind_bulk_write(build->bulk, block, page);
}

/*
 * Room to be left free, where pages are full to this percentage on average.  It differs from
 * page to page, so that they do not all split at the same time: most have a little more than
 * half of what is free on average, every third up to three times that.  None has so little
 * that the first inserts split it.
 */
static size_t
free_room(size_t room, int fillfactor)
{
	double		free = (100 - fillfactor) / 100.0;
	double		chance = pg_prng_double(&pg_global_prng_state);

	if (free > 0.2)
		return (size_t) (room * free * (0.5 + chance));
	if (pg_prng_uint32(&pg_global_prng_state) % 3 != 0)
		return (size_t) (room * free * (0.5 + 0.25 * chance));
	return (size_t) (room * free * (0.5 + 2.5 * chance));
}

/*
 * Sees to it that the window has more entries than a leaf takes, unless no more come: so
 * whether a leaf is the last one is seen from the window.
 */
static void
fill_window(Build *build)
{
	if (build->exhausted || build->end - build->begin > STEWARD_BLIND_LEAF_MAX)
		return;
	memmove(build->window, build->window + build->begin,
			(build->end - build->begin) * sizeof *build->window);
	build->end -= build->begin;
	build->begin = 0;
	while (build->end < WINDOW && !build->exhausted)
	{
		if (steward_blind_spool_next(&build->spool, &build->window[build->end]))
			build->end++;
		else
			build->exhausted = true;
	}
}

/* Writes the next leaf; least is its least key, and becomes that of the one after it. */
static void
write_leaf(Build *build, int fillfactor, StewardBlindEntry *least)
{
	Page		page = begin_page(build, 0, least);
	int			filled = steward_blind_leaf_fill(page, build->window + build->begin,
												 build->end - build->begin,
												 free_room(STEWARD_BLIND_PACKED_MAX,
														   fillfactor));

	Assert(filled > 0 || build->begin == build->end);
	build->begin += filled;
	build->written += filled;
	if (build->begin < build->end)
	{
		steward_blind_separator(&build->window[build->begin - 1],
								&build->window[build->begin], least);
		end_page(build, page, least);
	}
	else
		end_page(build, page, NULL);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, build->written);
}

/* An index of no entries has one leaf, too. */
static void
write_leaves(Build *build)
{
	int			fillfactor = steward_blind_option_fillfactor(build->index);
	StewardBlindEntry least = {0};

	build->window = palloc(WINDOW * sizeof *build->window);
	do
	{
		fill_window(build);
		write_leaf(build, fillfactor, &least);
	} while (build->begin < build->end);
	pfree(build->window);
}

/* Writes the parents of the level written last, which take its place in the list. */
static void
write_inner_level(Build *build, int level)
{
	StewardBlindChild *children = build->pages;
	size_t		count = build->page_count;
	size_t		done = 0;

	build->page_count = 0;
	build->page_room = 64;
	build->pages = palloc(build->page_room * sizeof *build->pages);
	while (done < count)
	{
		Page		page = begin_page(build, level, &children[done].least);

		done += steward_blind_inner_fill(page, children + done,
										 (int) Min(count - done, INT_MAX),
										 free_room(STEWARD_BLIND_ROOM, INNER_FILLFACTOR));
		end_page(build, page, done < count ? &children[done].least : NULL);
	}
	pfree(children);
}

static void
write_index(Build *build, StewardBlindMeta *meta)
{
	int			level = 0;
	Page		page;

	set_phase(PHASE_WRITE);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL,
								 steward_blind_spool_count(&build->spool));
	build->bulk = steward_blind_bulk_begin(build->index);
	build->next_block = STEWARD_BLIND_META + 1;
	build->page_room = 64;
	build->pages = palloc(build->page_room * sizeof *build->pages);
	write_leaves(build);
	while (build->page_count > 1)
		write_inner_level(build, ++level);
	meta->root = build->pages[0].block;
	meta->level = level;
	page = steward_blind_bulk_page(build->bulk);
	steward_blind_meta_page(page, meta);
	steward_blind_bulk_write(build->bulk, STEWARD_BLIND_META, page);
	steward_blind_bulk_end(build->bulk);
	pfree(build->pages);
}

IndexBuildResult *
steward_blind_build(Relation heap, Relation index, struct IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof *result);
	Build		build = {.index = index};
	StewardBlindMeta meta;

	if (RelationGetNumberOfBlocks(index) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" already has pages",
						RelationGetRelationName(index))));
	steward_blind_meta_begin(&meta, index);
	steward_blind_options_tell(index, meta.exact);
	build.tag_bytes = steward_blind_tag_bytes(&meta);
	result->heap_tuples = scan_table(&build, heap, info, &meta);
	write_index(&build, &meta);
	steward_blind_spool_end(&build.spool);
	result->index_tuples = build.written;
	return result;
}

/* ---- an empty index for after a crash ---- */

/* The next block of the init fork; logged also where the relation needs no WAL. */
static void
write_init_page(Relation index, const char *image)
{
	Buffer		buffer = ReadBufferExtended(index, INIT_FORKNUM, P_NEW, RBM_NORMAL, NULL);

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	START_CRIT_SECTION();
	memcpy(BufferGetPage(buffer), image, BLCKSZ);
	MarkBufferDirty(buffer);
	log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

void
steward_blind_build_empty(Relation index)
{
	StewardBlindMeta meta;
	PGAlignedBlock image;

	steward_blind_meta_begin(&meta, index);
	steward_blind_meta_page(image.data, &meta);
	write_init_page(index, image.data);
	steward_blind_page_init(image.data, 0, steward_blind_tag_bytes(&meta));
	write_init_page(index, image.data);
}
