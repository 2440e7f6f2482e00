/*
 * bulk.c: writing a new relation page by page; see bulk.h.
 *
 * 17 has what this needs; before it we do the same with what is under it. Pages are
 * logged many at a time, before they are written.
 */
#include "base/compat.h"

#include "blind/bulk.h"

#ifdef STEWARD_BULK_WRITE

#include "storage/bulk_write.h"

struct StewardBlindBulk
{
	BulkWriteState *state;
};

StewardBlindBulk *
steward_blind_bulk_begin(Relation rel)
{
	StewardBlindBulk *bulk = palloc(sizeof *bulk);

	bulk->state = smgr_bulk_start_rel(rel, MAIN_FORKNUM);
	return bulk;
}

Page
steward_blind_bulk_page(StewardBlindBulk *bulk)
{
	return (Page) smgr_bulk_get_buf(bulk->state);
}

void
steward_blind_bulk_write(StewardBlindBulk *bulk, BlockNumber block, Page page)
{
	smgr_bulk_write(bulk->state, block, (BulkWriteBuffer) page, true);
}

void
steward_blind_bulk_end(StewardBlindBulk *bulk)
{
	smgr_bulk_finish(bulk->state);
	pfree(bulk);
}

#else

#include "access/xloginsert.h"
#include "storage/smgr.h"

#define PAGES 32				/* in one record, at most XLR_MAX_BLOCK_ID */
#define DISK_ALIGNMENT 4096

struct StewardBlindBulk
{
	Relation	rel;
	BlockNumber end;			/* of what is in the file */
	int			count;			/* of pages that wait */
	Page		pages[PAGES];
	BlockNumber blocks[PAGES];
	char	   *memory;
};

StewardBlindBulk *
steward_blind_bulk_begin(Relation rel)
{
	StewardBlindBulk *bulk = palloc0(sizeof *bulk);

	bulk->rel = rel;
	bulk->memory = palloc(PAGES * BLCKSZ + DISK_ALIGNMENT);
	for (int i = 0; i < PAGES; i++)
		bulk->pages[i] = (Page) TYPEALIGN(DISK_ALIGNMENT, bulk->memory) + i * BLCKSZ;
	return bulk;
}

/* A block beyond the end: those between are zero until they are written. */
static void
write_page(StewardBlindBulk *bulk, BlockNumber block, Page page)
{
	SMgrRelation file = RelationGetSmgr(bulk->rel);

	if (block < bulk->end)
	{
		PageSetChecksumInplace(page, block);
		smgrwrite(file, MAIN_FORKNUM, block, page, true);
		return;
	}
	for (; bulk->end < block; bulk->end++)
	{
		PGIOAlignedBlock zero = {0};

		smgrextend(file, MAIN_FORKNUM, bulk->end, zero.data, true);
	}
	PageSetChecksumInplace(page, block);
	smgrextend(file, MAIN_FORKNUM, bulk->end++, page, true);
}

static void
write_all(StewardBlindBulk *bulk)
{
	if (bulk->count == 0)
		return;
	if (RelationNeedsWAL(bulk->rel))
		log_newpages(STEWARD_RELATION_FILE(bulk->rel), MAIN_FORKNUM, bulk->count,
					 bulk->blocks, bulk->pages, true);
	for (int i = 0; i < bulk->count; i++)
		write_page(bulk, bulk->blocks[i], bulk->pages[i]);
	bulk->count = 0;
}

Page
steward_blind_bulk_page(StewardBlindBulk *bulk)
{
	if (bulk->count == PAGES)
		write_all(bulk);
	return bulk->pages[bulk->count];
}

void
steward_blind_bulk_write(StewardBlindBulk *bulk, BlockNumber block, Page page)
{
	Assert(page == bulk->pages[bulk->count]);
	bulk->blocks[bulk->count++] = block;
}

/*
 * A checkpoint knows nothing of pages that are not in shared buffers, so replay from it
 * would miss what was logged before it: hence the sync. A relation that needs no WAL
 * because it is new is synced by its transaction's commit; an unlogged one by
 * nobody, and it has to survive a clean shutdown.
 */
void
steward_blind_bulk_end(StewardBlindBulk *bulk)
{
	write_all(bulk);
	if (RelationNeedsWAL(bulk->rel) ||
		bulk->rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		smgrimmedsync(RelationGetSmgr(bulk->rel), MAIN_FORKNUM);
	pfree(bulk->memory);
	pfree(bulk);
}

#endif
