/*
 * run.h: runs that nobody called.
 */
#ifndef STEWARD_RETENTION_RUN_H
#define STEWARD_RETENTION_RUN_H

#include "base/compat.h"

#include "datatype/timestamp.h"

typedef struct StewardRunWatch
{
	const char *policy;			/* its name */
	TimestampTz leave_at;		/* gives way to others then; DT_NOEND for
								 * never */

	/* What the run says of itself. */
	bool		begun;			/* it is recorded */
	bool		idle;			/* nothing was done: the policy is being run
								 * or changed, or its run is not due any more */
} StewardRunWatch;

/*
 * Runs a policy for its schedule, as a CALL of steward.run_policy would. Called by a duty outside
 * a transaction, and ends so. A run that gives way ends as one that waits, and is gone on with by
 * the next run. Errors end it and are raised; they are recorded when it had begun.
 */
extern void steward_run_scheduled(StewardRunWatch *watch);

#endif							/* STEWARD_RETENTION_RUN_H */
