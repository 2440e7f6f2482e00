/*
 * scan_multi.c: what a search by a class of several tags a value looks for; see
 * scan_multi.h.
 *
 * The class says by which strings a value that matches is found. Of strings that must all
 * be there those are looked for that the fewest rows have; the rest is left to the
 * recheck.
 */
#include "blind/scan_multi.h"

#include "access/skey.h"
#include "blind/count.h"
#include "blind/multi.h"
#include "base/errors.h"
#include "blind/validate.h"
#include "keys/keys.h"
#include "miscadmin.h"

/* Of one group so many strings are counted in the index. */
#define PROBES_MAX 64

/*
 * A further string is worth its reading while it has at most so many times as many rows
 * as the one before: an entry is read much faster than a row is opened.
 */
#define WORTH 16

/* ---- conditions ---- */

/*
 * Opens what a column is compared with; leaves out what nothing matches. False, where an
 * erased value is looked for: it equals itself, and has no strings.
 */
static bool
open_sides(StewardBlindCondition *condition, FmgrInfo *canonical)
{
	bool		useful = true;
	int			kept = 0;

	condition->sides = palloc(Max(1, condition->count) * sizeof(StewardSide));
	for (int i = 0; i < condition->count; i++)
	{
		StewardSide *side = &condition->sides[kept];

		CHECK_FOR_INTERRUPTS();
		(void) FunctionCall2(canonical, condition->arguments[i], PointerGetDatum(side));
		steward_side_require(side, STEWARD_RIGHT_DECRYPT);
		if (!side->erased)
		{
			kept++;
			continue;
		}
		steward_side_release(side);
		useful = useful && condition->strategy != STEWARD_BLIND_EQUAL;
	}
	condition->count = kept;
	return useful;
}

static void
close_condition(StewardBlindCondition *condition)
{
	for (int i = 0; condition->sides != NULL && i < condition->count; i++)
		steward_side_release(&condition->sides[i]);
}

/* False, where the condition is of no use; there is nothing to be closed then. */
static bool
open_condition(StewardBlindCondition *condition, StewardBlindSearch *search, Relation index,
			   const ScanKeyData *key)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;

	steward_blind_key_values(key, &values, &nulls, &count);
	memset(condition, 0, sizeof *condition);
	condition->strategy = key->sk_strategy;
	condition->collation = key->sk_collation;
	condition->arguments = values;
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			values[condition->count++] = values[i];
	if (steward_blind_is_pattern(key->sk_strategy) ||
		open_sides(condition,
				   steward_blind_canonical_for(search, index, 0, key->sk_subtype)))
		return true;
	close_condition(condition);
	return false;
}

/* Takes all conditions; false when nothing can match one of them. */
static bool
open_query(StewardBlindQuery *query, StewardBlindSearch *search, IndexScanDesc scan)
{
	bool		possible = true;

	query->conditions = palloc(scan->numberOfKeys * sizeof(StewardBlindCondition));
	for (int i = 0; possible && i < scan->numberOfKeys; i++)
	{
		StewardBlindCondition *condition = &query->conditions[query->count];

		if ((scan->keyData[i].sk_flags & SK_SEARCHNOTNULL) != 0 ||
			!open_condition(condition, search, scan->indexRelation, &scan->keyData[i]))
			continue;
		query->count++;
		possible = condition->count > 0;
	}
	return possible;
}

/* ---- tags ---- */

static void
add_tag(StewardBlindSearch *search, StewardBlindTag tag)
{
	search->ranges[search->count].low = tag;
	search->ranges[search->count++].high = tag;
}

/* A tag, and how many entries have it. */
typedef struct Counted
{
	StewardBlindTag tag;
	double		entries;
} Counted;

static int
compare_counts(const void *a, const void *b)
{
	const Counted *x = a;
	const Counted *y = b;

	return x->entries < y->entries ? -1 : x->entries > y->entries;
}

/* Tags of a group's strings, the rarest first; of many some are looked at. */
static int
count_group(const StewardBlindSearch *search, Relation index,
			const StewardBlindStrings *strings, int first, int count, Counted *counted)
{
	int			probes = Min(count, PROBES_MAX);

	for (int i = 0; i < probes; i++)
	{
		size_t		at = first + (size_t) i * count / probes;
		StewardBlindRange range;

		CHECK_FOR_INTERRUPTS();
		counted[i].tag = steward_blind_string_tag(&search->tagger,
												  strings->bytes.bytes + at * strings->width,
												  strings->width);
		range.low = range.high = counted[i].tag;
		counted[i].entries = count == 1 ? 0 : steward_blind_count_range(index, &range);
	}
	qsort(counted, probes, sizeof(Counted), compare_counts);
	return probes;
}

/* All strings of the only group are to be there: its rarest tags. */
static void
add_group(StewardBlindSearch *search, Relation index, const StewardBlindStrings *strings)
{
	Counted		counted[PROBES_MAX];
	int			count = count_group(search, index, strings, 0, strings->count, counted);

	for (int i = 0; i < count && search->count < STEWARD_BLIND_INTERSECT_MAX; i++)
	{
		if (i > 0 && counted[i].tag == counted[i - 1].tag)
			continue;
		if (i > 0 && counted[i].entries > WORTH * Max(1, counted[i - 1].entries))
			break;
		add_tag(search, counted[i].tag);
	}
	search->intersect = true;
}

/* One of several groups is to be there: the rarest tag of each. */
static void
add_groups(StewardBlindSearch *search, Relation index, const StewardBlindWanted *wanted)
{
	Counted		counted[PROBES_MAX];
	int			end;

	for (int first = 0; first < wanted->strings.count; first = end)
	{
		end = first + 1;
		while (end < wanted->strings.count && wanted->group[end] == wanted->group[first])
			end++;
		(void) count_group(search, index, &wanted->strings, first, end - first, counted);
		add_tag(search, counted[0].tag);
	}
	steward_blind_sort_ranges(search);
}

static void
add_wanted(StewardBlindSearch *search, Relation index, const StewardBlindWanted *wanted)
{
	search->ranges = palloc((wanted->groups + STEWARD_BLIND_INTERSECT_MAX) *
							sizeof(StewardBlindRange));
	if (wanted->all)
		add_tag(search, steward_blind_presence_tag(&search->tagger));
	else if (wanted->groups == 1)
		add_group(search, index, &wanted->strings);
	else
		add_groups(search, index, wanted);
}

/* ---- the search ---- */

static void
search_query(StewardBlindSearch *search, IndexScanDesc scan)
{
	StewardBlindQuery query = {0};
	StewardBlindWanted wanted = {0};
	StewardPlaintextScope scope;

	steward_plaintext_begin(&scope);
	if (open_query(&query, search, scan))
	{
		wanted.all = query.count == 0;
		if (!wanted.all)
			(void) FunctionCall3(index_getprocinfo(scan->indexRelation, 1,
												   STEWARD_BLIND_QUERY_TAGS_PROC),
								 PointerGetDatum(&query), PointerGetDatum(&wanted),
								 PointerGetDatum(&search->tagger.meta));
		add_wanted(search, scan->indexRelation, &wanted);
	}
	steward_plain_free(&wanted.strings.bytes);
	for (int i = 0; i < query.count; i++)
		close_condition(&query.conditions[i]);
	steward_plaintext_end(&scope);
}

void
steward_blind_search_multi(StewardBlindSearch *search, IndexScanDesc scan)
{
	int			nulls = 0;
	int			conditions = 0;

	for (int i = 0; i < scan->numberOfKeys; i++)
	{
		int			flags = scan->keyData[i].sk_flags;

		if ((flags & SK_SEARCHNULL) != 0)
			nulls++;
		else if ((flags & SK_SEARCHNOTNULL) == 0 && (flags & SK_ISNULL) != 0)
			return;				/* compared with NULL */
		else if ((flags & SK_SEARCHNOTNULL) == 0)
			conditions++;
	}
	/* What is NULL is nothing else. */
	if (nulls > 0 && nulls < scan->numberOfKeys)
		return;
	if (conditions > 0)
	{
		search_query(search, scan);
		return;
	}
	search->ranges = palloc(2 * sizeof(StewardBlindRange));
	if (nulls == 0)
		add_tag(search, steward_blind_presence_tag(&search->tagger));
	if (nulls > 0 || scan->numberOfKeys == 0)
		add_tag(search, steward_blind_null_tag(&search->tagger));
	steward_blind_sort_ranges(search);
}
