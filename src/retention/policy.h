/*
 * policy.h: retention policies, as they are stored and as a run reads them.
 *
 * Everything is written as the owner of the extension, from C alone; the caller has
 * the policy's lock (steward_policy_lock) and an SPI connection.
 */
#ifndef STEWARD_RETENTION_POLICY_H
#define STEWARD_RETENTION_POLICY_H

#include "base/compat.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* What happens to expired rows. */
typedef enum StewardAction
{
	STEWARD_DELETE,
	STEWARD_ANONYMIZE,
	STEWARD_ARCHIVE,
	STEWARD_DROP_PARTITION,
	STEWARD_SHRED
} StewardAction;

/* What becomes of rows that refer to those, by a foreign key. */
typedef enum StewardChildAction
{
	STEWARD_CHILD_RESTRICT,		/* the row they refer to stays */
	STEWARD_CHILD_CASCADE,		/* they are deleted too */
	STEWARD_CHILD_SET_NULL		/* they lose the reference */
} StewardChildAction;

/* A foreign key as it was declared; the others restrict. */
typedef struct StewardChild
{
	Oid			table;			/* that has the foreign key; maybe gone by now */
	char	   *constraint;		/* its name, in that table */
	StewardChildAction action;
} StewardChild;

/*
 * A policy as it was defined. Whether what it names is still there is for who uses
 * it to see.
 */
typedef struct StewardPolicy
{
	char	   *name;
	Oid			relation;
	char	   *age;			/* expression over columns of the relation */
	char	   *filter;			/* condition likewise, or NULL */
	Interval	keep;
	StewardAction action;
	Jsonb	   *columns;		/* of STEWARD_ANONYMIZE; see anonymize.h */
	Oid			archive;		/* of STEWARD_ARCHIVE */
	List	   *children;		/* StewardChild *, those that were declared */
	char	   *schedule;		/* or NULL */
	char	   *time_zone;
	bool		paused;

	/* As one run sees it: fixed when it is read. */
	TimestampTz cutoff;
	Timestamp	cutoff_local;	/* the same moment in time_zone */
	int32		cutoff_date;	/* its day there, a DateADT */
} StewardPolicy;

/* Their names in SQL; raise ERRCODE_INVALID_PARAMETER_VALUE for another one. */
extern StewardAction steward_action_named(const char *name);
extern const char *steward_action_name(StewardAction action);
extern StewardChildAction steward_child_action_named(const char *name);
extern const char *steward_child_action_name(StewardChildAction action);

/*
 * Reads a policy, palloc'd in the current context, and sees to it that the
 * current user may run, change or drop it. Raises
 * ERRCODE_UNDEFINED_OBJECT, or ERRCODE_INSUFFICIENT_PRIVILEGE.
 */
extern StewardPolicy *steward_policy_read(const char *name);

/*
 * Raises ERRCODE_INSUFFICIENT_PRIVILEGE unless it is the current user's: the owner's of its table, or of the
 * extension when that is gone.
 */
extern void steward_policy_check_right(const char *name, Oid relid);

/* Raises ERRCODE_UNDEFINED_TABLE when its table is gone. */
extern void steward_policy_require_table(const StewardPolicy *policy);

/*
 * Locks a policy against other runs and against what changes it: until the end of
 * the transaction, or with session until steward_policy_unlock or an abort of
 * a top-level transaction. Without wait, returns false when it is taken.
 */
extern bool steward_policy_lock(const char *name, bool session, bool wait);
extern void steward_policy_unlock(const char *name);

/* Does somebody wait for the lock that this session has? */
extern bool steward_policy_lock_wanted(const char *name);

/*
 * Locks a policy for the transaction, waiting for a run to end, and reads it as
 * steward_policy_read does: for what changes it.
 */
extern StewardPolicy *steward_policy_lock_read(const char *name);

/*
 * Executes one statement on our own tables, as the owner of the extension, and
 * raises an internal error unless SPI answers with expected. The result is in
 * SPI_tuptable. nulls as in SPI_execute_with_args.
 */
extern void steward_policy_sql(const char *sql, int expected, int count,
							   Oid *types, Datum *values, const char *nulls);

/* The same for a SELECT that sees what the active snapshot shows. */
extern void steward_policy_look(const char *sql, int count, Oid *types, Datum *values);

#endif							/* STEWARD_RETENTION_POLICY_H */
