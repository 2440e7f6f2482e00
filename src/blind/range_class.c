/*
 * range_class.c: the operator classes for ranges: what their support functions do.
 *
 * A stored value has a string for each interval that it lies in. Conditions on a column
 * come to spans of codes, and these to the intervals that fill them.
 *
 * Terms
 *	 span		codes from begin on and before end
 *	 line		where a value lies: one of each type; see range.h
 */
#include "blind/multi.h"

#include <sodium.h>

#include "base/errors.h"
#include "blind/range.h"
#include "blind/validate.h"
#include "crypto/bytes.h"
#include "miscadmin.h"

/* Intervals that are looked up one by one; beyond, the index is of no use. */
#define INTERVALS_MAX 100000

typedef struct Span
{
	StewardBlindCode begin;
	StewardBlindCode end;
} Span;

/* Spans in order, disjoint and not empty; in memory of plain.c. */
typedef struct Spans
{
	StewardPlain memory;
	Span	   *items;
	int			count;
} Spans;

/* ---- levels ---- */

/* Those of an index; made anew only when another one asks. */
static const StewardBlindLevels *
levels_of(StewardBlindLine line, const StewardBlindMeta *meta)
{
	static StewardBlindLevels levels[STEWARD_BLIND_TIMESTAMPTZ + 1];
	static int	tags[STEWARD_BLIND_TIMESTAMPTZ + 1];

	if (tags[line] != meta->range_tags)
		steward_blind_levels(&levels[line], line, meta->range_tags);
	tags[line] = meta->range_tags;
	return &levels[line];
}

/* ---- a stored value ---- */

static StewardBlindStrings
make_strings(int count)
{
	StewardBlindStrings strings = {
		.bytes = steward_plain_make((size_t) count * STEWARD_BLIND_INTERVAL_BYTES),
		.width = STEWARD_BLIND_INTERVAL_BYTES,
	};

	return strings;
}

static void
add_intervals(StewardBlindStrings *strings, const StewardBlindInterval *intervals, int count)
{
	for (int i = 0; i < count; i++)
		steward_blind_interval_bytes(strings->bytes.bytes +
									 (size_t) strings->count++ * STEWARD_BLIND_INTERVAL_BYTES,
									 &intervals[i]);
}

static Datum
value_tags(FunctionCallInfo fcinfo, StewardBlindLine line)
{
	const StewardSide *side = (const StewardSide *) PG_GETARG_POINTER(0);
	StewardBlindStrings *strings = (StewardBlindStrings *) PG_GETARG_POINTER(1);
	const StewardBlindLevels *levels =
		levels_of(line, (const StewardBlindMeta *) PG_GETARG_POINTER(2));
	StewardBlindInterval intervals[STEWARD_BLIND_TAGS_MAX];
	StewardBlindPlace place;

	if (!steward_blind_place(&place, line, side->plain.bytes, side->plain.len))
		steward_raise_malformed_plain();
	steward_blind_intervals(levels, &place, intervals);
	*strings = make_strings(levels->count);
	add_intervals(strings, intervals, levels->count);
	sodium_memzero(intervals, sizeof intervals);
	sodium_memzero(&place, sizeof place);
	PG_RETURN_VOID();
}

/* ---- spans ---- */

static Spans
make_spans(int count)
{
	Spans		spans = {.memory = steward_plain_make(Max(1, count) * sizeof(Span) + sizeof(StewardBlindCode))};

	spans.items = (Span *) TYPEALIGN(sizeof(StewardBlindCode), spans.memory.bytes);
	return spans;
}

static int
compare_spans(const void *a, const void *b)
{
	const Span *x = a;
	const Span *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Puts spans that came in any order into order; what overlaps becomes one. */
static void
unite(Spans *spans)
{
	int			kept = 0;

	qsort(spans->items, spans->count, sizeof(Span), compare_spans);
	for (int i = 0; i < spans->count; i++)
	{
		Span	   *next = &spans->items[i];

		if (next->begin >= next->end)
			continue;
		if (kept > 0 && next->begin <= spans->items[kept - 1].end)
			spans->items[kept - 1].end = Max(spans->items[kept - 1].end, next->end);
		else
			spans->items[kept++] = *next;
	}
	spans->count = kept;
}

/* Leaves of the first what is in the second too; frees the second. */
static void
intersect(Spans *spans, Spans *other)
{
	Spans		both = make_spans(spans->count + other->count);
	int			j = 0;

	for (int i = 0; i < spans->count && j < other->count;)
	{
		const Span *a = &spans->items[i];
		const Span *b = &other->items[j];
		Span		common = {Max(a->begin, b->begin), Min(a->end, b->end)};

		if (common.begin < common.end)
			both.items[both.count++] = common;
		if (a->end < b->end)
			i++;
		else
			j++;
	}
	steward_plain_free(&spans->memory);
	steward_plain_free(&other->memory);
	*spans = both;
}

/* ---- conditions ---- */

/* The place of bigint number i, counted from the least on; is it less than a bound? */
static bool
bigint_is_less(StewardBlindPlace *place, uint64 i, const StewardPlain *bound)
{
	unsigned char bytes[8];
	StewardPlain number;
	StewardPlain other = steward_plain_borrow((char *) bound->bytes, bound->len);

	steward_store_be64(bytes, i ^ (UINT64CONST(1) << 63));
	number = steward_plain_borrow((char *) bytes, sizeof bytes);
	(void) steward_blind_place(place, STEWARD_BLIND_BIGINT, bytes, sizeof bytes);
	return steward_bigint_info.compare(&number, &other) < 0;
}

/* The code of the first bigint after a number that is none; behind all, if there is none. */
static StewardBlindCode
code_between_bigints(const StewardPlain *bound)
{
	StewardBlindPlace place;
	uint64		least = 0;

	if (bigint_is_less(&place, PG_UINT64_MAX, bound))
		return place.after;
	for (uint64 greatest = PG_UINT64_MAX; least < greatest;)
	{
		uint64		middle = least + (greatest - least) / 2;

		if (bigint_is_less(&place, middle, bound))
			least = middle + 1;
		else
			greatest = middle;
	}
	(void) bigint_is_less(&place, least, bound);
	return place.at;
}

/* The values that are so to a bound. */
static Span
span_of(const StewardBlindLevels *levels, StewardBlindLine line, int strategy,
		const StewardPlain *bound)
{
	Span		span = {0, levels->end};
	StewardBlindPlace place;

	if (!steward_blind_place(&place, line, bound->bytes, bound->len))
	{
		if (line != STEWARD_BLIND_BIGINT)
			steward_raise_malformed_plain();
		place.at = place.after = code_between_bigints(bound);
		place.shared = false;
	}
	switch (strategy)
	{
		case STEWARD_BLIND_LESS:
			span.end = steward_blind_range_end(&place, false);
			break;
		case STEWARD_BLIND_LESS_EQUAL:
			span.end = steward_blind_range_end(&place, true);
			break;
		case STEWARD_BLIND_GREATER_EQUAL:
			span.begin = steward_blind_range_begin(&place, true);
			break;
		case STEWARD_BLIND_GREATER:
			span.begin = steward_blind_range_begin(&place, false);
			break;
		default:
			span.begin = place.at;
			span.end = place.after;
	}
	return span;
}

/* Where all conditions hold. */
static Spans
spans_of(const StewardBlindQuery *query, const StewardBlindLevels *levels,
		 StewardBlindLine line)
{
	Spans		all = make_spans(1);

	all.items[0].begin = 0;
	all.items[0].end = levels->end;
	all.count = 1;
	for (int i = 0; i < query->count; i++)
	{
		const StewardBlindCondition *condition = &query->conditions[i];
		Spans		spans = make_spans(condition->count);

		for (int j = 0; j < condition->count; j++)
			spans.items[spans.count++] = span_of(levels, line, condition->strategy,
												 &condition->sides[j].plain);
		unite(&spans);
		intersect(&all, &spans);
	}
	return all;
}

/* ---- what is searched ---- */

/* The cover of a span; -1 when no intervals are few enough. */
static int
cover(const StewardBlindLevels *levels, const Span *span, StewardBlindInterval *intervals)
{
	bool		exact;

	return steward_blind_range_cover(levels, span->begin, span->end, intervals,
									 STEWARD_BLIND_COVER_DEFAULT, &exact);
}

/* How many intervals all spans come to; -1 when too many. */
static int
count_intervals(const StewardBlindLevels *levels, const Spans *spans,
				StewardBlindInterval *intervals)
{
	int			total = 0;

	for (int i = 0; i < spans->count; i++)
	{
		int			count = cover(levels, &spans->items[i], intervals);

		CHECK_FOR_INTERRUPTS();
		if (count < 0 || total + count > INTERVALS_MAX)
			return -1;
		total += count;
	}
	return total;
}

static void
want_intervals(StewardBlindWanted *wanted, const StewardBlindLevels *levels,
			   const Spans *spans, StewardBlindInterval *intervals)
{
	int			total = count_intervals(levels, spans, intervals);

	wanted->all = total < 0;
	if (wanted->all)
		return;
	wanted->strings = make_strings(total);
	for (int i = 0; i < spans->count; i++)
		add_intervals(&wanted->strings, intervals,
					  cover(levels, &spans->items[i], intervals));
	wanted->groups = total;
	wanted->group = palloc(Max(1, total) * sizeof(int));
	for (int i = 0; i < total; i++)
		wanted->group[i] = i;
}

static Datum
query_tags(FunctionCallInfo fcinfo, StewardBlindLine line)
{
	const StewardBlindQuery *query = (const StewardBlindQuery *) PG_GETARG_POINTER(0);
	StewardBlindWanted *wanted = (StewardBlindWanted *) PG_GETARG_POINTER(1);
	const StewardBlindLevels *levels =
		levels_of(line, (const StewardBlindMeta *) PG_GETARG_POINTER(2));
	StewardBlindInterval intervals[STEWARD_BLIND_COVER_DEFAULT];
	Spans		spans = spans_of(query, levels, line);

	want_intervals(wanted, levels, &spans, intervals);
	steward_plain_free(&spans.memory);
	sodium_memzero(intervals, sizeof intervals);
	PG_RETURN_VOID();
}

/* ---- the functions ---- */

#define RANGE_FUNCTIONS(type, line) \
	STEWARD_FUNCTION(steward_##type##_range_tags) \
	{ \
		return value_tags(fcinfo, line); \
	} \
	STEWARD_FUNCTION(steward_##type##_range_query) \
	{ \
		return query_tags(fcinfo, line); \
	}

RANGE_FUNCTIONS(bigint, STEWARD_BLIND_BIGINT)
RANGE_FUNCTIONS(numeric, STEWARD_BLIND_NUMERIC)
RANGE_FUNCTIONS(date, STEWARD_BLIND_DATE)
RANGE_FUNCTIONS(timestamptz, STEWARD_BLIND_TIMESTAMPTZ)
