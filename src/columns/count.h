/*
 * count.h: how many values are under which version of which key.
 */
#ifndef STEWARD_COLUMNS_COUNT_H
#define STEWARD_COLUMNS_COUNT_H

#include "base/compat.h"

#include "columns/shape.h"
#include "utils/palloc.h"

typedef struct StewardCount
{
	uint32		holder_id;		/* the key id itself where the key is unknown */
	uint32		key_tag;
	uint64		values;
} StewardCount;

/* Zero it and set the context to begin with. */
typedef struct StewardCounts
{
	MemoryContext context;		/* where it grows */
	StewardCount *items;
	int			count;
	int			capacity;
	int			last;			/* the item that the value before was of */
} StewardCounts;

/* Is a value bound to a subject that was erased? Reads the subject's row, and
 * raises what that raises. */
extern bool steward_is_erased(const StewardDatum *head);

/* Counts one value, which is no malformed one. */
extern void steward_count(StewardCounts *counts, const StewardDatum *head);

/* The count under a version; 0 when there is none. */
extern uint64 steward_count_of(const StewardCounts *counts, uint32 holder_id,
							   uint32 key_tag);

/*
 * Stores what was counted in a table for steward.key_status, in place of what
 * was counted there before; versions of the columns' keys under which nothing
 * was found count 0. Needs SPI.
 */
extern void steward_counts_store(const StewardCounts *counts, Oid relid,
								 StewardShape **shapes, int natts);

#endif							/* STEWARD_COLUMNS_COUNT_H */
