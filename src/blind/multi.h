/*
 * multi.h: operator classes of several tags a value; see README, "Several tags a value".
 *
 * Such a class makes of a value not its canonical bytes, but strings: the intervals that it
 * lies in, or its trigrams. Each is tagged as if it were a value of the first column. A
 * search is for some of these strings.
 *
 * Terms
 *	 string		bytes that are tagged; never empty. All that one call makes are of one
 *				width
 *	 presence	the tag of the empty string, which each value has, also one that was
 *				erased: whoever cannot search by strings looks for it
 */
#ifndef STEWARD_BLIND_MULTI_H
#define STEWARD_BLIND_MULTI_H

#include "base/compat.h"

#include "blind/tag.h"
#include "types/side.h"

/* Strings, one after the other, in memory of plain.c, unless there are none. */
typedef struct StewardBlindStrings
{
	StewardPlain bytes;
	int			width;
	int			count;
} StewardBlindStrings;

/*
 * One condition on a column: an operator, and values of which it must hold for one.
 * Operators of patterns have arguments as PostgreSQL gives them, the others canonical
 * bytes; NULLs and erased values are left out, for nothing matches them.
 */
typedef struct StewardBlindCondition
{
	int			strategy;
	Oid			collation;
	int			count;
	Datum	   *arguments;
	StewardSide *sides;			/* NULL for patterns */
} StewardBlindCondition;

/* All that must hold. */
typedef struct StewardBlindQuery
{
	int			count;
	StewardBlindCondition *conditions;
} StewardBlindQuery;

/*
 * What is looked for: values that have all strings of one group. Groups follow one
 * another, numbered from 0. No groups: no value can match.
 */
typedef struct StewardBlindWanted
{
	bool		all;			/* instead: each value may match */
	StewardBlindStrings strings;
	int			groups;
	int		   *group;			/* of each string */
} StewardBlindWanted;

/*
 * Support functions 3 and 4 of a class get pointers and run in a plaintext scope:
 *
 *	 value tags		StewardSide (opened, not erased; may be changed),
 *					StewardBlindStrings, const StewardBlindMeta
 *	 query tags		const StewardBlindQuery, StewardBlindWanted (zeroed), const
 *					StewardBlindMeta
 *
 * What matches must be found; more may be, for rows are rechecked.
 */

/* Is the first column's class such a one? */
extern bool steward_blind_is_multi(Relation index);

/* The tag of a string, and that of presence or NULL. */
extern StewardBlindTag steward_blind_string_tag(const StewardBlindTagger *tagger,
												const unsigned char *bytes, size_t len);
extern StewardBlindTag steward_blind_presence_tag(const StewardBlindTagger *tagger);
extern StewardBlindTag steward_blind_null_tag(const StewardBlindTagger *tagger);

/*
 * The entries of a row, whose values are those of the index's columns: in order, distinct,
 * in the current context. There is one, unless a value has several tags.
 */
extern int	steward_blind_row_entries(const StewardBlindTagger *tagger, Relation index,
									  const Datum *values, const bool *isnull,
									  uint64 tid, StewardBlindEntry **entries);

/* For the planner: can texts that match the pattern be looked up by strings? */
extern bool steward_blind_pattern_bounds(int strategy, Oid collation, Datum pattern);

#endif							/* STEWARD_BLIND_MULTI_H */
