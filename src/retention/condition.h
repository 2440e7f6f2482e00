/*
 * condition.h: which rows have expired, as SQL.
 *
 * Age and filter of a policy are expressions over the columns of its table; see
 * base/expression.h. They are parsed for each leaf again, whose columns may be in another
 * order.
 */
#ifndef STEWARD_RETENTION_CONDITION_H
#define STEWARD_RETENTION_CONDITION_H

#include "base/compat.h"

#include "access/attnum.h"
#include "utils/relcache.h"

#include "retention/policy.h"

typedef struct StewardAge
{
	char	   *sql;			/* over the columns of the alias asked for */
	Oid			type;			/* date, timestamp or timestamptz */
	AttrNumber	column;			/* if it is just a column; else 0 */
} StewardAge;

/*
 * The age of a policy over an open table, under steward_expression_settings. Raises
 * what steward_expression_parse raises, and ERRCODE_DATATYPE_MISMATCH.
 */
extern void steward_age_describe(StewardAge *age, const StewardPolicy *policy,
								 Relation rel, const char *alias);

/* The cutoff of a policy in a type of age. */
extern Datum steward_age_cutoff(const StewardPolicy *policy, Oid type);

/* The age of a row as a timestamptz, of whatever type it is; over the same alias. */
extern char *steward_age_moment(const StewardPolicy *policy, const StewardAge *age);

/*
 * The condition of rows that have expired, that the policy is for and that it has not
 * anonymized: $1 is the cutoff. It may be null. The alias is t where a policy anonymizes.
 */
extern char *steward_condition_expired(const StewardPolicy *policy, Relation rel,
									   const StewardAge *age, const char *alias);

/*
 * What somebody typed as age, the name of a column or an expression, and as filter, in
 * the form that is kept; under his own settings.
 */
extern char *steward_age_typed(Relation rel, const char *text);
extern char *steward_filter_typed(Relation rel, const char *text);

#endif							/* STEWARD_RETENTION_CONDITION_H */
