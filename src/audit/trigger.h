/*
 * trigger.h: the triggers of an audited table.
 *
 * Terms:
 *	row trigger			records changes of rows. That of a partitioned table is cloned
 *						by PostgreSQL to its partitions, also later ones.
 *	truncate trigger	records TRUNCATE; it is not cloned, so each partition, and each
 *						partitioned table, has its own
 *	covered				a partition that has a clone, or is about to get one
 *	whole				as enable_audit makes it for the table's setting
 */
#ifndef STEWARD_AUDIT_TRIGGER_H
#define STEWARD_AUDIT_TRIGGER_H

#include "base/compat.h"

#include "audit/setting.h"
#include "lib/stringinfo.h"
#include "utils/relcache.h"

/* Has the table whole row triggers, enabled or not? */
extern bool steward_trigger_on_rows(Relation rel);

/* Is one of them a clone? */
extern bool steward_trigger_is_covered(Relation rel);

/* Has the table a truncate trigger? */
extern bool steward_trigger_on_truncate(Relation rel);

/*
 * Append the SQL commands that give a table what it lacks of its triggers, but for
 * row triggers when it is covered, and drop what is one too many; anew: drop and
 * make them all, since the setting changed. Run as the extension's owner, so that
 * the texts fit the search path they are read with.
 */
extern void steward_trigger_plan(Relation rel, const StewardSetting *setting,
								 bool covered, bool anew, StringInfo commands);

/* Append those that drop the triggers, but for clones. */
extern void steward_trigger_plan_drop(Relation rel, StringInfo commands);

/*
 * A trigger was created: raises ERRCODE_INSUFFICIENT_PRIVILEGE when it is a row
 * trigger, no clone, and the current user may not execute steward.enable_audit();
 * ERRCODE_INVALID_OBJECT_DEFINITION when it is not whole. Superusers may.
 */
extern void steward_trigger_check_new(Oid trigger);

/*
 * A trigger was created: raises ERRCODE_DUPLICATE_OBJECT when it is of ours, no
 * clone, and its table has another that records the same. The table is locked.
 */
extern void steward_trigger_check_single(Oid trigger);

/* Runs such commands as the extension's owner. */
extern void steward_trigger_run(const char *commands);

#endif							/* STEWARD_AUDIT_TRIGGER_H */
