/*
 * strategy.h: how a column is anonymized, as the argument "columns" says.
 */
#ifndef STEWARD_RETENTION_STRATEGY_H
#define STEWARD_RETENTION_STRATEGY_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* Of one column; what was not given is NULL. */
typedef struct StewardStrategy
{
	char	   *column;
	char	   *name;			/* of the strategy */
	char	   *value;			/* of constant */
	char	   *to;				/* of truncate */
	char	   *width;			/* of generalise, for numbers: a number,
								 * positive */
	char	   *digits;			/* the same: a small integer */
	char	   *prefix;			/* for addresses: bits that stay, IPv4 */
	char	   *prefix6;		/* and IPv6 */
} StewardStrategy;

/*
 * Reads {"email": "hash", "born": {"strategy": "truncate", "to": "year"}, "note": null};
 * StewardStrategy in the current memory context, at least one. Raises
 * ERRCODE_INVALID_PARAMETER_VALUE for another form.
 */
extern List *steward_strategies_read(Jsonb *columns);

/* The same the other way round, all of it spelled out. */
extern Jsonb *steward_strategies_write(const List *strategies);

/* Raises ERRCODE_INVALID_PARAMETER_VALUE: there is something wrong with this one. */
pg_attribute_noreturn()
extern void steward_strategy_invalid(const StewardStrategy *strategy, const char *hint);

#endif							/* STEWARD_RETENTION_STRATEGY_H */
