/*
 * policy.h: retention policies, as they are stored and as a run reads them.
 */
#ifndef STEWARD_RETENTION_POLICY_H
#define STEWARD_RETENTION_POLICY_H

#include "base/compat.h"

#include "datatype/timestamp.h"

/* A policy as one run sees it: the cutoff is fixed when it is read. */
typedef struct StewardPolicy
{
	char	   *name;
	Oid			relation;
	char	   *age;			/* name of the column */
	char	   *action;
	char	   *time_zone;
	TimestampTz cutoff;
	Timestamp	cutoff_local;	/* the same moment in time_zone */
	int32		cutoff_date;	/* its day there, a DateADT */
} StewardPolicy;

/*
 * Reads a policy, palloc'd in the current context, and sees to it that the
 * current user may run or drop it; needs an SPI connection. Raises
 * ERRCODE_UNDEFINED_OBJECT, ERRCODE_UNDEFINED_TABLE when the table is gone, or
 * ERRCODE_INSUFFICIENT_PRIVILEGE.
 */
extern StewardPolicy *steward_policy_read(const char *name);

/*
 * Locks a policy against other runs and against drop_policy: until the end of
 * the transaction, or with session until steward_policy_unlock or an abort of
 * a top-level transaction. Without wait, returns false when it is taken.
 */
extern bool steward_policy_lock(const char *name, bool session, bool wait);
extern void steward_policy_unlock(const char *name);

/*
 * Executes one statement on our own tables, as the owner of the extension, and
 * raises an internal error unless SPI answers with expected. The result is in
 * SPI_tuptable. nulls as in SPI_execute_with_args.
 */
extern void steward_policy_sql(const char *sql, int expected, int count,
							   Oid *types, Datum *values, const char *nulls);

#endif							/* STEWARD_RETENTION_POLICY_H */
