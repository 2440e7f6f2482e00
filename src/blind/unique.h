/*
 * unique.h: uniqueness, where the server lets an access method have it; README,
 * "Uniqueness".
 */
#ifndef STEWARD_BLIND_UNIQUE_H
#define STEWARD_BLIND_UNIQUE_H

#include "base/compat.h"

#include "access/genam.h"
#include "blind/codec.h"
#include "utils/rel.h"

/* Has a row NULLs that make it differ from every other row? */
extern bool steward_blind_differs(Relation index, const bool *isnull);

/*
 * Inserts the entry of a row of a unique index; the values are those of the row, for
 * the error. Waits for transactions that may turn out to have the same tag, holding no
 * lock then. Returns what aminsert has to: false where UNIQUE_CHECK_PARTIAL found
 * that the row may not be the only one, and inserted it all the same.
 * UNIQUE_CHECK_EXISTING inserts nothing.
 *
 * Raises ERRCODE_UNIQUE_VIOLATION, ERRCODE_INDEX_CORRUPTED, and a serialization
 * failure. The caller holds no lock on a page of the index.
 */
extern bool steward_blind_insert_unique(Relation index, const StewardBlindEntry *entry,
										Datum *values, bool *isnull,
										Relation heap, IndexUniqueCheck mode);

/*
 * Raises ERRCODE_UNIQUE_VIOLATION for two rows that a unique index cannot be built
 * of.
 */
pg_attribute_noreturn()
extern void steward_blind_raise_duplicates(Relation index, Relation heap,
										   uint64 tid, uint64 other);

#endif							/* STEWARD_BLIND_UNIQUE_H */
