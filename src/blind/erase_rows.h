/*
 * erase_rows.h: rows of a table whose entries in a blind index are to be others after an
 * erasure.
 */
#ifndef STEWARD_BLIND_ERASE_ROWS_H
#define STEWARD_BLIND_ERASE_ROWS_H

#include "base/compat.h"

#include "blind/codec.h"
#include "nodes/pg_list.h"
#include "storage/block.h"
#include "utils/rel.h"

/*
 * An entry that the index is to have of a row, by the TID that it has in the index; or that
 * there is such a row, which may have no entries.
 */
typedef struct StewardBlindErased
{
	StewardBlindEntry entry;
	bool		none;
} StewardBlindErased;

/* In the order of the TIDs. */
typedef struct StewardBlindErasedRows
{
	StewardBlindErased *items;
	int			count;
	int			room;
} StewardBlindErasedRows;

/*
 * Reads a table from a block on, all row versions in it, and adds rows that have a value of one
 * of these subjects (a list of uuids), and those that nobody sees any more and VACUUM
 * has not taken yet. Returns the block to go on with when maintenance_work_mem is full, else
 * InvalidBlockNumber. The table is locked with ShareUpdateExclusiveLock, so that a
 * TID stays what it is; leaves no snapshot behind. Raises what
 * steward_blind_row_entries raises.
 */
extern BlockNumber steward_blind_erased_rows(StewardBlindErasedRows *rows, Relation heap,
											 Relation index, const List *subjects,
											 BlockNumber from);

/* The first item of a TID, or NULL; those that follow it may be of the same TID. */
extern const StewardBlindErased *steward_blind_erased_find(const StewardBlindErasedRows *rows,
														   uint64 tid);

/* Is it an item of these rows, and of this TID? For going on from the first one. */
extern bool steward_blind_erased_is_of(const StewardBlindErasedRows *rows,
									   const StewardBlindErased *item, uint64 tid);

/* What becomes of an entry of the index. */
typedef enum StewardBlindFate
{
	STEWARD_BLIND_STAYS,
	STEWARD_BLIND_REPLACED,		/* by what its row has now */
	STEWARD_BLIND_GOES			/* nobody sees its row any more */
} StewardBlindFate;

extern StewardBlindFate steward_blind_erased_fate(const StewardBlindErasedRows *rows,
												  const StewardBlindEntry *entry);

#endif							/* STEWARD_BLIND_ERASE_ROWS_H */
