/*
 * insert.h: entries into leaves.
 */
#ifndef STEWARD_BLIND_INSERT_H
#define STEWARD_BLIND_INSERT_H

#include "base/compat.h"

#include "access/genam.h"
#include "blind/codec.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

/*
 * Inserts entries, which are in order and distinct; those that are there already are left
 * as they are. Raises ERRCODE_INDEX_CORRUPTED, and a serialization failure.
 */
extern void steward_blind_insert_entries(Relation index,
										 const StewardBlindEntry *entries, int count);

/*
 * The leaf that a key belongs on, exclusively locked and with no split to finish. The
 * caller holds no lock on a page.
 */
extern Buffer steward_blind_find_leaf(Relation index, const StewardBlindEntry *key);

/*
 * Inserts an entry into such a leaf, which it belongs on, and releases that, with any split
 * finished. The caller may hold the locks of leaves to the left. Raises as the
 * above.
 */
extern void steward_blind_insert_at(Relation index, Buffer buffer,
									const StewardBlindEntry *entry);

/*
 * The access method's aminsert. False says of a unique index that the row may not be the only
 * one, as PostgreSQL has it for UNIQUE_CHECK_PARTIAL; else it is true.
 */
struct IndexInfo;
extern bool steward_blind_insert(Relation index, Datum *values, bool *isnull,
								 ItemPointer tid, Relation heap,
								 IndexUniqueCheck unique, bool unchanged,
								 struct IndexInfo *info);

#endif							/* STEWARD_BLIND_INSERT_H */
