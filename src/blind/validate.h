/*
 * validate.h: what an operator class of blind is made of.
 */
#ifndef STEWARD_BLIND_VALIDATE_H
#define STEWARD_BLIND_VALIDATE_H

#include "base/compat.h"

#include "nodes/pg_list.h"

/*
 * Strategy numbers. That of equality is the same in every class; 2 to 5 are < <= >=
 * and > of classes for ranges, 6 to 9 the operators of classes for patterns, of which
 * there are LIKE and ILIKE, and 10 is free. Each gives a boolean. Those but equality need
 * a class of several tags a value.
 */
#define STEWARD_BLIND_EQUAL 1
#define STEWARD_BLIND_LESS 2
#define STEWARD_BLIND_LESS_EQUAL 3
#define STEWARD_BLIND_GREATER_EQUAL 4
#define STEWARD_BLIND_GREATER 5
#define STEWARD_BLIND_LIKE 6
#define STEWARD_BLIND_ILIKE 7
#define STEWARD_BLIND_STRATEGIES 10

/*
 * Support functions; all but the options return void. Where a pair of types is
 * given, the left one is that of the column, the right one that of the value the
 * function takes.
 *
 *	 canonical	(internal value, internal StewardSide): see type_info.h,
 *				steward_type_canonical; each type that is compared needs it, but
 *				patterns do not
 *	 options	(internal): as PostgreSQL has it for all access methods
 *	 value tags, query tags
 *				(internal, internal, internal): what a stored value, or one that
 *				is searched, has for tags, in a class of several tags a value;
 *				see multi.h. Such a class has both.
 */
#define STEWARD_BLIND_CANONICAL_PROC 1
#define STEWARD_BLIND_OPTIONS_PROC 2
#define STEWARD_BLIND_VALUE_TAGS_PROC 3
#define STEWARD_BLIND_QUERY_TAGS_PROC 4
#define STEWARD_BLIND_PROCS 4

/* Is the strategy one of a pattern? */
static inline bool
steward_blind_is_pattern(int strategy)
{
	return strategy >= STEWARD_BLIND_LIKE && strategy <= 9;
}

/*
 * amvalidate. Tells of each fault with an INFO; true when there is none. Raises what
 * reading the catalogs raises.
 */
extern bool steward_blind_validate(Oid opclass);

/*
 * amadjustmembers: what is of one type belongs to that type's class, whatever is
 * between types, or can be done without, to the family. Changes the members.
 */
extern void steward_blind_adjust_members(Oid opfamily, Oid opclass,
										 List *operators, List *functions);

#endif							/* STEWARD_BLIND_VALIDATE_H */
