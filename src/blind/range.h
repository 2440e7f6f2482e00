/*
 * range.h: values as points on a line, and ranges of it as few intervals.
 *
 * An index that is to answer "between" without order keeps for each value the
 * intervals that it lies in, of several lengths, each as a tag of its own. A range
 * is then a handful of such intervals: those that fill it. Pure C without
 * PostgreSQL's headers, so that it is tested alone; canonical bytes go in.
 *
 * Terms
 *	 code		where a value lies: an integer that orders values as their type does
 *	 level		a length of intervals. The intervals of a level follow one another
 *				without gaps, from code 0; each is made of whole ones of the level
 *				below
 *	 chain		all levels that a type has, shortest first. Lengths are what people
 *				round to: decimal digits, days and months, hours and minutes; where
 *				the numbers of a range are round, it is one interval, or a few
 *	 cell		the codes of one value, or of several that are not told apart
 *
 * How codes are made is in range_place.c. Of the same type with another number of
 * tags an interval is the same bytes.
 *
 * Codes and intervals of a value are its plaintext in another form: whoever has asked
 * for them zeroes them.
 */
#ifndef STEWARD_BLIND_RANGE_H
#define STEWARD_BLIND_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a value lies; less than 2^108. */
__extension__ typedef unsigned __int128 StewardBlindCode;

/* What a code is made of. */
typedef enum StewardBlindLine
{
	STEWARD_BLIND_BIGINT,
	STEWARD_BLIND_NUMERIC,
	STEWARD_BLIND_DATE,
	STEWARD_BLIND_TIMESTAMPTZ
} StewardBlindLine;

/* Bounds of the number of tags that a value gets, and what is good for most. */
#define STEWARD_BLIND_TAGS_MIN 4
#define STEWARD_BLIND_TAGS_MAX 34
#define STEWARD_BLIND_TAGS_DEFAULT 12

/* How many intervals a search looks up before it takes longer ones, by default. */
#define STEWARD_BLIND_COVER_DEFAULT 256

/* The levels of an index, a part of its type's chain, shortest first. */
typedef struct StewardBlindLevels
{
	int			count;			/* also the number of tags of each value */
	StewardBlindCode lengths[STEWARD_BLIND_TAGS_MAX];
	unsigned char names[STEWARD_BLIND_TAGS_MAX];	/* place in the chain */
	StewardBlindCode end;		/* all codes are less; a multiple of all
								 * lengths */
} StewardBlindLevels;

/* The cell of a value: codes from at on, and before after. */
typedef struct StewardBlindPlace
{
	StewardBlindCode at;
	StewardBlindCode after;
	bool		shared;			/* other values have the same cell */
} StewardBlindPlace;

/* An interval; made of one a byte string that is tagged like canonical bytes. */
typedef struct StewardBlindInterval
{
	unsigned char level;		/* its name */
	StewardBlindCode number;	/* from code 0 on */
} StewardBlindInterval;

#define STEWARD_BLIND_INTERVAL_BYTES 17

/*
 * Chooses levels for values that get so many tags at most (out of bounds is taken for
 * the bound). The shortest, where each value is alone if it can be, is always among them; a
 * type that has fewer levels gives fewer.
 */
extern void steward_blind_levels(StewardBlindLevels *levels,
								 StewardBlindLine line, int tags);

/*
 * The place of a value by its canonical bytes. False when these are none of the
 * type. There is no value without a place.
 */
extern bool steward_blind_place(StewardBlindPlace *place, StewardBlindLine line,
								const unsigned char *bytes, size_t len);

/*
 * Where a range begins, or ends, at a bound: the first code that is in it, or the
 * first after it. Values that share the bound's cell are in the range, so it is
 * rechecked whatever the cover says.
 */
extern StewardBlindCode steward_blind_range_begin(const StewardBlindPlace *bound,
												  bool inclusive);
extern StewardBlindCode steward_blind_range_end(const StewardBlindPlace *bound,
												bool inclusive);

/* The intervals that a value lies in, one of each level: levels->count of them. */
extern void steward_blind_intervals(const StewardBlindLevels *levels,
									const StewardBlindPlace *place,
									StewardBlindInterval *intervals);

/*
 * The intervals that fill the codes from begin on and before end, disjoint, in
 * order; a value of the range has exactly one of them among its own, and other values
 * have none. An empty range has none. An open side is 0, or levels->end.
 *
 * Where these were more than max, ends are rounded outwards to the shortest level
 * that makes them fewer, so that values next to the range are found as well: *exact
 * tells. Returns their number, or -1 when not even the longest intervals are few
 * enough: then the index is of no use. Room for max intervals is the caller's.
 */
extern int	steward_blind_range_cover(const StewardBlindLevels *levels,
									  StewardBlindCode begin, StewardBlindCode end,
									  StewardBlindInterval *intervals, int max,
									  bool *exact);

/* The bytes of an interval: its level, then its number, big-endian. */
extern void steward_blind_interval_bytes(unsigned char out[STEWARD_BLIND_INTERVAL_BYTES],
										 const StewardBlindInterval *interval);

/* ---- for range_place.c and range.c ---- */

/* The chain of a line, the end of its codes, and which levels are taken first. */
typedef struct StewardBlindChain
{
	int			count;
	StewardBlindCode lengths[STEWARD_BLIND_TAGS_MAX];
	unsigned char order[STEWARD_BLIND_TAGS_MAX];
	StewardBlindCode end;
} StewardBlindChain;

extern void steward_blind_chain(StewardBlindChain *chain, StewardBlindLine line);

#endif							/* STEWARD_BLIND_RANGE_H */
