/*
 * scan_keys.c: what a search looks for, as ranges of tags; see scan_keys.h.
 *
 * The first columns that are compared with "=", with "= ANY" or with NULL make prefixes
 * of tags: each combination is one range. What is said of the other columns is left
 * to the recheck, as are further conditions on one column.
 */
#include "blind/scan_keys.h"

#include "access/skey.h"
#include "blind/scan_multi.h"
#include "blind/validate.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The tag so far, and the link of its last column. */
typedef struct Prefix
{
	StewardBlindTag tag;
	StewardBlindLink link;
} Prefix;

typedef struct Prefixes
{
	Prefix	   *items;
	int			count;
} Prefixes;

/* What a column is compared with. */
typedef struct Wanted
{
	Datum	   *values;
	bool	   *nulls;			/* of "= ANY": such an element matches nothing */
	int			count;
	bool		is_null;		/* IS NULL; else values */
	FmgrInfo   *canonical;
} Wanted;

/* ---- what is wanted of a column ---- */

FmgrInfo *
steward_blind_canonical_for(StewardBlindSearch *search, Relation index, int column,
							Oid subtype)
{
	StewardBlindCanonical *known = &search->canonical[column];
	Oid			function;

	if (!OidIsValid(subtype) || subtype == index->rd_opcintype[column])
		return index_getprocinfo(index, column + 1, STEWARD_BLIND_CANONICAL_PROC);
	if (known->subtype == subtype)
		return &known->function;
	function = get_opfamily_proc(index->rd_opfamily[column],
								 index->rd_opcintype[column], subtype,
								 STEWARD_BLIND_CANONICAL_PROC);
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("operator family of index \"%s\" lacks support function %d for type %s",
						RelationGetRelationName(index), STEWARD_BLIND_CANONICAL_PROC,
						format_type_be(subtype))));
	fmgr_info_cxt(function, &known->function, GetMemoryChunkContext(search));
	known->subtype = subtype;
	return &known->function;
}

static void
take_array(Datum array_value, Datum **values, bool **nulls, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(array_value);
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align,
					  values, nulls, count);
}

void
steward_blind_key_values(const ScanKeyData *key, Datum **values, bool **nulls, int *count)
{
	if ((key->sk_flags & SK_SEARCHARRAY) != 0)
	{
		take_array(key->sk_argument, values, nulls, count);
		return;
	}
	*values = palloc(sizeof(Datum));
	*nulls = palloc(sizeof(bool));
	**values = key->sk_argument;
	**nulls = false;
	*count = 1;
}

/* A comparison with NULL is never true; IS NULL is a search for it. */
static bool
take_key(Wanted *wanted, StewardBlindSearch *search, Relation index,
		 const ScanKeyData *key)
{
	memset(wanted, 0, sizeof *wanted);
	wanted->is_null = (key->sk_flags & SK_SEARCHNULL) != 0;
	if ((key->sk_flags & SK_SEARCHNOTNULL) != 0)
		return false;
	if ((key->sk_flags & SK_ISNULL) != 0)
		return true;
	if (key->sk_strategy != STEWARD_BLIND_EQUAL)
		return false;
	wanted->canonical = steward_blind_canonical_for(search, index, key->sk_attno - 1,
													key->sk_subtype);
	steward_blind_key_values(key, &wanted->values, &wanted->nulls, &wanted->count);
	return true;
}

/* The first usable key of a column. */
static bool
want(Wanted *wanted, StewardBlindSearch *search, IndexScanDesc scan, int column)
{
	for (int i = 0; i < scan->numberOfKeys; i++)
	{
		if (scan->keyData[i].sk_attno == column + 1 &&
			take_key(wanted, search, scan->indexRelation, &scan->keyData[i]))
			return true;
	}
	return false;
}

/* ---- prefixes ---- */

static void
extend(Prefixes *out, const StewardBlindSearch *search, const Prefix *prefix, int column,
	   const Wanted *wanted, int i, int rights)
{
	Prefix	   *next = &out->items[out->count++];

	next->link = steward_blind_value_link(&search->tagger, column, &prefix->link,
										  wanted->canonical,
										  wanted->is_null ? (Datum) 0 : wanted->values[i],
										  wanted->is_null, rights);
	next->tag = steward_blind_tag_put(&search->tagger, prefix->tag, column, &next->link);
}

/* Each prefix with each value that the column may have. */
static Prefixes
extend_all(const StewardBlindSearch *search, const Prefixes *prefixes, int column,
		   const Wanted *wanted, int rights)
{
	int			each = wanted->is_null ? 1 : wanted->count;
	Size		room = Max(1, (Size) prefixes->count * each) * sizeof(Prefix);
	Prefixes	out = {MemoryContextAllocHuge(CurrentMemoryContext, room), 0};

	for (int i = 0; i < prefixes->count; i++)
		for (int j = 0; j < each; j++)
		{
			CHECK_FOR_INTERRUPTS();
			if (wanted->is_null || !wanted->nulls[j])
				extend(&out, search, &prefixes->items[i], column, wanted, j, rights);
		}
	return out;
}

/* ---- ranges ---- */

static int
compare_ranges(const void *a, const void *b)
{
	const StewardBlindRange *x = a;
	const StewardBlindRange *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

void
steward_blind_sort_ranges(StewardBlindSearch *search)
{
	int			kept = 0;

	qsort(search->ranges, search->count, sizeof(StewardBlindRange), compare_ranges);
	for (int i = 0; i < search->count; i++)
		if (kept == 0 || search->ranges[kept - 1].low != search->ranges[i].low)
			search->ranges[kept++] = search->ranges[i];
	search->count = kept;
}

/* Prefixes of this many columns as ranges. */
static void
make_ranges(StewardBlindSearch *search, const Prefixes *prefixes, int columns)
{
	StewardBlindTag rest = columns == 0 ? ~(StewardBlindTag) 0 :
		steward_blind_tag_rest(&search->tagger, columns - 1);

	search->ranges = MemoryContextAllocHuge(CurrentMemoryContext,
											Max(1, (Size) prefixes->count) *
											sizeof(StewardBlindRange));
	for (int i = 0; i < prefixes->count; i++)
	{
		search->ranges[i].low = prefixes->items[i].tag;
		search->ranges[i].high = prefixes->items[i].tag | rest;
	}
	search->count = prefixes->count;
	steward_blind_sort_ranges(search);
}

/*
 * Asks for one of these rights on each column that is compared with something. That rows
 * come in the order of tags is asked about where plans are, see types/scan_rights.c:
 * who looks for NULLs, or for all rows of a partial index, learns nothing of a bitmap.
 */
static void
require_rights(const IndexScanDesc scan, int rights)
{
	for (int i = 0; i < scan->numberOfKeys; i++)
		if ((scan->keyData[i].sk_flags & (SK_SEARCHNULL | SK_SEARCHNOTNULL)) == 0)
			steward_blind_require(scan->indexRelation, scan->keyData[i].sk_attno - 1, rights);
}

/* By the first columns, as far as something usable is said of them. */
static void
search_prefixes(StewardBlindSearch *search, IndexScanDesc scan, int rights)
{
	Prefix		nothing = {0};
	Prefixes	prefixes = {&nothing, 1};
	Wanted		wanted;
	int			column = 0;

	while (column < search->tagger.meta.columns &&
		   want(&wanted, search, scan, column) &&
		   (column == 0 || (int64) prefixes.count * wanted.count <= STEWARD_BLIND_PREFIXES_MAX))
	{
		prefixes = extend_all(search, &prefixes, column, &wanted, rights);
		column++;
	}
	make_ranges(search, &prefixes, column);
}

void
steward_blind_search_begin(StewardBlindSearch *search, IndexScanDesc scan, int rights)
{
	MemoryContext caller;

	if (rights != 0)
		require_rights(scan, search->tagger.meta.multi ? STEWARD_RIGHT_DECRYPT : rights);
	MemoryContextReset(search->context);
	caller = MemoryContextSwitchTo(search->context);
	search->count = 0;
	search->intersect = false;
	if (search->tagger.meta.multi)
		steward_blind_search_multi(search, scan);
	else
		search_prefixes(search, scan, rights);
	MemoryContextSwitchTo(caller);
}
