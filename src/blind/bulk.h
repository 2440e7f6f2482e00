/*
 * bulk.h: writing a new relation page by page, past shared buffers.
 *
 * Nobody else may know of the relation's file before the transaction ends. Pages are logged
 * where the relation needs WAL, and are on disk, or will be by the next checkpoint or
 * commit, after the end.
 */
#ifndef STEWARD_BLIND_BULK_H
#define STEWARD_BLIND_BULK_H

#include "base/compat.h"

#include "storage/bufpage.h"
#include "utils/rel.h"

typedef struct StewardBlindBulk StewardBlindBulk;

/* Begins to write the main fork, which is empty; memory is of the current context. */
extern StewardBlindBulk *steward_blind_bulk_begin(Relation rel);

/* Memory for the next page, aligned for the disk; not initialized. */
extern Page steward_blind_bulk_page(StewardBlindBulk *bulk);

/*
 * Writes what the last steward_blind_bulk_page gave, now or later, with its checksum; it
 * has a standard header. Blocks come in order from 1, but for block 0, which may
 * come at any time after it.
 */
extern void steward_blind_bulk_write(StewardBlindBulk *bulk, BlockNumber block, Page page);

extern void steward_blind_bulk_end(StewardBlindBulk *bulk);

#endif							/* STEWARD_BLIND_BULK_H */
