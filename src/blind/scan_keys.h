/*
 * scan_keys.h: what a search looks for, as ranges of tags.
 */
#ifndef STEWARD_BLIND_SCAN_KEYS_H
#define STEWARD_BLIND_SCAN_KEYS_H

#include "base/compat.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "blind/tag.h"

/* Combinations of values that are looked up one by one; beyond, fewer columns. */
#define STEWARD_BLIND_PREFIXES_MAX 100000

/* Tags from low to high, both included. */
typedef struct StewardBlindRange
{
	StewardBlindTag low;
	StewardBlindTag high;
} StewardBlindRange;

/* No more ranges than this are intersected. */
#define STEWARD_BLIND_INTERSECT_MAX 4

/* The support function for values of one type, for one column. */
typedef struct StewardBlindCanonical
{
	Oid			subtype;
	FmgrInfo	function;
} StewardBlindCanonical;

/* What a scan keeps of its index over several searches. */
typedef struct StewardBlindSearch
{
	StewardBlindTagger tagger;
	StewardBlindCanonical canonical[INDEX_MAX_KEYS];
	MemoryContext context;		/* of what a search needs; reset for each */
	StewardBlindRange *ranges;	/* in order, disjoint */
	int			count;
	bool		intersect;		/* what is looked for is in all of them; the
								 * one that has the fewest entries is the
								 * first */
} StewardBlindSearch;

/*
 * Makes the ranges of what the scan's keys say: of a superset where they say more than
 * tags can, so rows must be rechecked. Raises what opening searched values raises, and
 * asks for the right to search, unless rights is 0.
 */
extern void steward_blind_search_begin(StewardBlindSearch *search, IndexScanDesc scan,
									   int rights);

/* ---- for scan_multi.c ---- */

/* Puts the ranges in order, each once. */
extern void steward_blind_sort_ranges(StewardBlindSearch *search);

/* The support function for what a key of a column compares with: of this type. */
extern FmgrInfo *steward_blind_canonical_for(StewardBlindSearch *search, Relation index,
											 int column, Oid subtype);

/* The values of a key: one, or those of an array, in the current context. */
extern void steward_blind_key_values(const ScanKeyData *key, Datum **values,
									 bool **nulls, int *count);

#endif							/* STEWARD_BLIND_SCAN_KEYS_H */
