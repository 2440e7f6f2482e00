/*
 * shred.h: action shred, which erases the subjects of expired rows.
 *
 * Such a policy is for a table that is bound to subjects (columns/bind.h). What expires is
 * not a row but a subject: it has rows in the table, and each of them has expired. Its
 * secret is destroyed, as by steward.shred_subject; rows stay, and their encrypted
 * values read as null, as do those of all other tables that are bound to the same kind of
 * subjects. So a hold on any row of a subject, in any of these tables, keeps it.
 *
 * Terms
 *	 pending	said of a subject that has a secret
 *	 bound table	a table that holds rows, and is bound to the kind of subjects that the
 *				policy is for; also one whose trigger was disabled, since that
 *				leaves bound values as they are
 */
#ifndef STEWARD_RETENTION_SHRED_H
#define STEWARD_RETENTION_SHRED_H

#include "base/compat.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "retention/policy.h"
#include "retention/run_parts.h"

/*
 * Raises unless the policy's table and all below it are bound to the same kind of subjects by the
 * same column, with the trigger enabled, and unless the owner, in whose name the policy
 * runs, may erase subjects (ERRCODE_INSUFFICIENT_PRIVILEGE). Leaves AccessShareLock on the tables.
 */
extern void steward_shred_check(const StewardPolicy *policy, Oid owner);

/*
 * The batches of a run, with their commits; sets what the run has kept and skipped. Ends early
 * when the run gives way.
 */
extern void steward_shred_run(StewardRun *run);

/* What would become unreadable in a table, with its partitions. */
typedef struct StewardShredRows
{
	Oid			relation;
	int64		rows;
	bool		indexed;		/* by the key of the subject */
} StewardShredRows;

typedef struct StewardShredPreview
{
	int64		subjects;		/* that would be erased */
	int64		held;			/* that a hold keeps */
	TimestampTz oldest;			/* of the rows of both, in the policy's table */
	TimestampTz newest;
	List	   *tables;			/* StewardShredRows * */
} StewardShredPreview;

/* Counts what a run would do, by the active snapshot. */
extern void steward_shred_preview(const StewardPolicy *policy, Oid owner,
								  StewardShredPreview *preview);

#endif							/* STEWARD_RETENTION_SHRED_H */
