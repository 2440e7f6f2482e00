/*
 * own_record.h: the extension's own records as tables that have policies: the history of runs and the
 * audit trail. Other tables of it cannot.
 */
#ifndef STEWARD_RETENTION_OWN_RECORD_H
#define STEWARD_RETENTION_OWN_RECORD_H

#include "base/compat.h"

#include "nodes/nodes.h"

#include "retention/policy.h"

typedef enum StewardOwnRecord
{
	STEWARD_OWN_NONE,			/* a table of somebody else's, or not one of
								 * these */
	STEWARD_OWN_RUNS,			/* steward.policy_run_log */
	STEWARD_OWN_TRAIL			/* steward.audit_log */
} StewardOwnRecord;

extern StewardOwnRecord steward_own_record(Oid relid);

/* May a run do that to rows of a table of the extension? */
extern bool steward_own_record_allows(Oid relid, CmdType command);

/*
 * Raises unless a policy for a table of the extension is one of these: runs are deleted when
 * they have ended long ago, and segments of the trail are dropped. For other tables does
 * nothing.
 */
extern void steward_own_record_check(const StewardPolicy *policy);

/* What goes with the rows of such a table, as StewardChild: receipts with their run. */
extern List *steward_own_record_children(const StewardPolicy *policy, Oid owner);

#endif							/* STEWARD_RETENTION_OWN_RECORD_H */
