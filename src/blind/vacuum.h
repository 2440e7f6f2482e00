/*
 * vacuum.h: removing entries.
 */
#ifndef STEWARD_BLIND_VACUUM_H
#define STEWARD_BLIND_VACUUM_H

#include "base/compat.h"

#include "access/genam.h"
#include "blind/codec.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

/*
 * Going over all leaves of an index, in physical order, each under a cleanup lock.
 * keep tells whether an entry stays; it takes no locks. Every entry is shown that was
 * there at the beginning; one that a split moves, or whose leaf is looked at again, perhaps more
 * than once.
 */
typedef struct StewardBlindRemoval
{
	Relation	index;
	BufferAccessStrategy strategy;	/* or NULL */
	bool		(*keep) (const StewardBlindEntry *entry, void *arg);
	void	   *arg;
	int64		kept;			/* what was done */
	int64		removed;
	BlockNumber pages;
} StewardBlindRemoval;

/* Raises ERRCODE_INDEX_CORRUPTED. Needs no keys. */
extern void steward_blind_remove(StewardBlindRemoval *removal);

/*
 * Makes these the entries of an exclusively locked leaf, which they were on, packs them, and
 * releases it. They are hardly longer than before; if they should be, there are splits. False
 * when nothing was removed yet: then its entries are on two leaves, to be looked at again.
 */
extern bool steward_blind_leaf_rewrite(Relation index, Buffer buffer,
									   const StewardBlindEntry *entries, int count);

/* The access method's ambulkdelete and amvacuumcleanup. They need no keys. */
extern IndexBulkDeleteResult *steward_blind_bulk_delete(IndexVacuumInfo *info,
														IndexBulkDeleteResult *stats,
														IndexBulkDeleteCallback callback,
														void *callback_state);
extern IndexBulkDeleteResult *steward_blind_vacuum_cleanup(IndexVacuumInfo *info,
														   IndexBulkDeleteResult *stats);

#endif							/* STEWARD_BLIND_VACUUM_H */
