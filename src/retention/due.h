/*
 * due.h: which policies are to be run by themselves, and when; what is stored of that.
 *
 * planned	a time of the policy's schedule
 * due		a policy wants to run: a planned time has come, or that of a retry, or a run
 *			of the schedule did not end
 *
 * All but the first two need an SPI connection, and all a transaction. steward.policy_state is written as the
 * owner of the extension.
 */
#ifndef STEWARD_RETENTION_DUE_H
#define STEWARD_RETENTION_DUE_H

#include "base/compat.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "retention/policy.h"

/* Lets the worker look again, when this transaction commits. */
extern void steward_due_wake(void);

/* Sets up what that needs; called once by _PG_init. */
extern void steward_due_init(void);

/*
 * Names of the policies that are due, who waits longest first; *next becomes the time at which
 * another one will be, or DT_NOEND. A policy whose schedule cannot be
 * understood any more fails. Policies that are paused or quarantined are none.
 */
extern List *steward_due_find(TimestampTz *next);

/* Is there a policy with a schedule at all? */
extern bool steward_due_exists(void);

/* What a run is for. */
typedef struct StewardDueRun
{
	TimestampTz planned;		/* the time of the schedule */
	int			retries;		/* failures in a row before it */
} StewardDueRun;

/*
 * A run begins, in this transaction: stores what it is for, and plans the next. False, and nothing
 * is done, when the policy is not due. The caller has the policy's lock.
 */
extern bool steward_due_begin(const StewardPolicy *policy, StewardDueRun *run);

/* A run has ended without an error, whoever began it. */
extern void steward_due_succeeded(const char *policy);

/*
 * A scheduled run of a policy failed: it is tried again later, or quarantined. begun: the run has a record;
 * else it is given one.
 */
extern void steward_due_failed(const char *policy, bool begun, const ErrorData *error);

/*
 * The run before this one was cut off in its first batch: the server or its process died, perhaps of what that batch
 * does. It counts as a failure. After the first a run may go on at once, since most such ends have another cause; false: it
 * is tried again later, or quarantined. The caller has the policy's lock.
 */
extern bool steward_due_cut_off(const char *policy);

#endif							/* STEWARD_RETENTION_DUE_H */
