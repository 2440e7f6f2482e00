/*
 * range.c: intervals of values and covers of ranges; see range.h.
 */
#include "blind/range.h"

#include "crypto/bytes.h"

/* ---- levels ---- */

static bool
is_chosen(const StewardBlindChain *chain, int level, int tags)
{
	for (int i = 0; i < tags; i++)
	{
		if (chain->order[i] == level)
			return true;
	}
	return false;
}

void
steward_blind_levels(StewardBlindLevels *levels, StewardBlindLine line, int tags)
{
	StewardBlindChain chain;

	steward_blind_chain(&chain, line);
	if (tags < STEWARD_BLIND_TAGS_MIN)
		tags = STEWARD_BLIND_TAGS_MIN;
	if (tags > chain.count)
		tags = chain.count;
	levels->count = 0;
	levels->end = chain.end;
	for (int i = 0; i < chain.count; i++)
	{
		if (!is_chosen(&chain, i, tags))
			continue;
		levels->lengths[levels->count] = chain.lengths[i];
		levels->names[levels->count++] = (unsigned char) i;
	}
}

/* ---- intervals ---- */

static StewardBlindInterval
interval_at(const StewardBlindLevels *levels, int level, StewardBlindCode code)
{
	StewardBlindInterval interval = {
		.level = levels->names[level],
		.number = code / levels->lengths[level],
	};

	return interval;
}

void
steward_blind_intervals(const StewardBlindLevels *levels,
						const StewardBlindPlace *place,
						StewardBlindInterval *intervals)
{
	for (int i = 0; i < levels->count; i++)
		intervals[i] = interval_at(levels, i, place->at);
}

void
steward_blind_interval_bytes(unsigned char out[STEWARD_BLIND_INTERVAL_BYTES],
							 const StewardBlindInterval *interval)
{
	out[0] = interval->level;
	steward_store_be64(out + 1, (uint64_t) (interval->number >> 64));
	steward_store_be64(out + 9, (uint64_t) interval->number);
}

/* ---- ranges ---- */

StewardBlindCode
steward_blind_range_begin(const StewardBlindPlace *bound, bool inclusive)
{
	return inclusive || bound->shared ? bound->at : bound->after;
}

StewardBlindCode
steward_blind_range_end(const StewardBlindPlace *bound, bool inclusive)
{
	return inclusive || bound->shared ? bound->after : bound->at;
}

static StewardBlindCode
round_down(StewardBlindCode code, StewardBlindCode length)
{
	return code - code % length;
}

static StewardBlindCode
round_up(StewardBlindCode code, StewardBlindCode length)
{
	return code % length == 0 ? code : round_down(code, length) + length;
}

/* What of a range one level fills: codes at its begin, and at its end. */
typedef struct Filling
{
	StewardBlindCode left;
	StewardBlindCode left_end;
	StewardBlindCode right;
	StewardBlindCode right_end;
} Filling;

/*
 * What each level fills of a range: up to where whole intervals of the next one begin,
 * and from where they end; the rest where there are none. Returns how many intervals
 * that makes.
 */
static StewardBlindCode
fill(const StewardBlindLevels *levels, StewardBlindCode begin,
	 StewardBlindCode end, Filling *fillings)
{
	StewardBlindCode total = 0;

	for (int i = 0; i < levels->count; i++)
	{
		StewardBlindCode next = i + 1 < levels->count ? levels->lengths[i + 1] : levels->end;
		StewardBlindCode up = round_up(begin, next);
		StewardBlindCode down = round_down(end, next);
		Filling    *filling = &fillings[i];

		if (i + 1 == levels->count || up > down)
			up = down = end;
		filling->left = begin;
		filling->left_end = up;
		filling->right = down;
		filling->right_end = end;
		total += (up - begin + (end - down)) / levels->lengths[i];
		begin = up;
		end = down;
	}
	return total;
}

/* Rounds outwards until the range is filled by so few intervals, if that can be. */
static StewardBlindCode
fill_by_few(const StewardBlindLevels *levels, StewardBlindCode begin,
			StewardBlindCode end, Filling *fillings, StewardBlindCode max,
			bool *exact)
{
	StewardBlindCode total = fill(levels, begin, end, fillings);

	for (int i = 1; i < levels->count && total > max; i++)
	{
		begin = round_down(begin, levels->lengths[i]);
		total = fill(levels, begin, end, fillings);
		*exact = false;
		if (total <= max)
			break;
		end = round_up(end, levels->lengths[i]);
		total = fill(levels, begin, end, fillings);
	}
	return total;
}

static int
emit(const StewardBlindLevels *levels, int level, StewardBlindCode from,
	 StewardBlindCode to, StewardBlindInterval *intervals, int count)
{
	for (; from < to; from += levels->lengths[level])
		intervals[count++] = interval_at(levels, level, from);
	return count;
}

int
steward_blind_range_cover(const StewardBlindLevels *levels,
						  StewardBlindCode begin, StewardBlindCode end,
						  StewardBlindInterval *intervals, int max, bool *exact)
{
	Filling		fillings[STEWARD_BLIND_TAGS_MAX];
	int			count = 0;

	*exact = true;
	if (begin >= end)
		return 0;
	if (fill_by_few(levels, begin, end, fillings, (StewardBlindCode) max,
					exact) > (StewardBlindCode) max)
		return -1;
	for (int i = 0; i < levels->count; i++)
		count = emit(levels, i, fillings[i].left, fillings[i].left_end,
					 intervals, count);
	for (int i = levels->count - 1; i >= 0; i--)
		count = emit(levels, i, fillings[i].right, fillings[i].right_end,
					 intervals, count);
	return count;
}
