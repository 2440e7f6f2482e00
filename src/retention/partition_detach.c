/*
 * partition_detach.c: commands over a partition, as the owner of the table; see
 * partition_parts.h.
 *
 * Commands name tables; what they did is compared with what they were to be about, so that
 * somebody who renames a schema meanwhile gets an error, and nothing is changed.
 */
#include "retention/partition_parts.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/expression.h"
#include "retention/target.h"
#include "subjects/hold.h"

static void
execute(const char *sql)
{
	int			answer = SPI_execute(sql, false, 0);

	if (answer != SPI_OK_UTILITY)
		elog(ERROR, "unexpected answer %d from SPI", answer);
	CommandCounterIncrement();
}

static pg_attribute_noreturn() void
raise_renamed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("a partition was changed or renamed during the run"),
			 errhint("Run the policy again.")));
}

/* In the order of PostgreSQL, so that names lead to these from here on. */
static void
lock_both(const StewardPartition *one, LOCKMODE parent_mode)
{
	LockRelationOid(one->parent, parent_mode);
	LockRelationOid(one->relation, AccessExclusiveLock);
	if (get_rel_name(one->parent) == NULL || get_rel_name(one->relation) == NULL)
		raise_renamed();
}

/* The run looks at holds again before it drops, and attaches again what they keep. */
static void
execute_detach(const StewardPartition *one, const char *sql)
{
	steward_holds_allow_detach(one->parent, one->relation);
	PG_TRY();
	{
		execute(sql);
	}
	PG_CATCH();
	{
		steward_holds_allow_detach(InvalidOid, InvalidOid);
		PG_RE_THROW();
	}
	PG_END_TRY();
	steward_holds_allow_detach(InvalidOid, InvalidOid);
}

void
steward_partition_detach(const StewardPartition *one, bool pending)
{
	lock_both(one, AccessExclusiveLock);
	if (steward_partition_tie(one->relation, one->parent) !=
		(pending ? STEWARD_TIE_PENDING : STEWARD_TIE_ATTACHED))
		raise_renamed();
	PushActiveSnapshot(GetTransactionSnapshot());
	execute_detach(one, psprintf("ALTER TABLE %s DETACH PARTITION %s%s",
								 steward_qualified_name(one->parent),
								 steward_qualified_name(one->relation),
								 pending ? " FINALIZE" : ""));
	PopActiveSnapshot();
	if (steward_partition_tie(one->relation, one->parent) != STEWARD_TIE_NONE)
		raise_renamed();
}

void
steward_partition_attach(const StewardPartition *one)
{
	(void) steward_expression_settings("UTC");
	lock_both(one, ShareUpdateExclusiveLock);
	execute(psprintf("ALTER TABLE %s ATTACH PARTITION %s %s",
					 steward_qualified_name(one->parent),
					 steward_qualified_name(one->relation), one->bounds));
	if (steward_partition_tie(one->relation, one->parent) != STEWARD_TIE_ATTACHED)
		raise_renamed();
}

void
steward_partition_drop(const StewardPartition *one)
{
	execute(psprintf("DROP TABLE %s", steward_qualified_name(one->relation)));
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(one->relation)))
		raise_renamed();
}

bool
steward_partition_let_go(const StewardPartition *one)
{
	if (one->detached && get_rel_name(one->relation) != NULL &&
		steward_partition_tie(one->relation, one->parent) == STEWARD_TIE_NONE &&
		steward_holds_on(one->parent) != NIL)
		return false;
	steward_partition_forget(one->relation);
	return true;
}

/* Attaches it, if it is ours; else it must not take rows out of a hold. */
static void
restore(const StewardPartition *one)
{
	if (steward_partition_is_ours(one))
	{
		steward_partition_attach(one);
		steward_partition_forget(one->relation);
	}
	else if (!steward_partition_let_go(one))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\", which the policy has detached, has another owner or parent now",
						get_rel_name(one->relation)),
				 errdetail("Holds on table \"%s\" bind it.", get_rel_name(one->parent)),
				 errhint("Give it the owner of that table, and detach it from others.")));
}

/* Settings of steward_expression_settings end with the identity. */
void
steward_partition_restore(const StewardPolicy *policy)
{
	List	   *all = steward_partitions_remembered(policy);
	StewardIdentity identity;
	ListCell   *cell;

	if (all == NIL || get_rel_name(policy->relation) == NULL)
		return;
	steward_become_guarded(steward_target_owner(policy->relation), &identity);
	foreach(cell, all)
	{
		StewardPartition *one = lfirst(cell);

		if (steward_partition_tie(one->relation, one->parent) == STEWARD_TIE_PENDING)
		{
			steward_partition_detach(one, true);
			one->detached = true;
		}
		restore(one);
	}
	steward_become_caller(&identity);
}
