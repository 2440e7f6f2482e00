/*
 * partition_check.c: which tables can have a policy that drops partitions; see partition.h.
 */
#include "retention/partition.h"

#include "access/relation.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/expression.h"
#include "retention/condition.h"
#include "retention/own_record.h"
#include "retention/target.h"

static pg_attribute_noreturn() void
refuse(Relation rel, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("partitions of table \"%s\" cannot be dropped by a retention policy",
					RelationGetRelationName(rel)),
			 errdetail("%s", why),
			 errhint("Partition the table by range on a column of type date, timestamp or timestamptz that is the age, or use another action.")));
}

/* Reading the key may evaluate parts of it that are constant: as the owner. */
static PartitionKey
key_of(Relation rel)
{
	StewardIdentity identity;
	PartitionKey key;

	steward_become_guarded(rel->rd_rel->relowner, &identity);
	key = RelationGetPartitionKey(rel);
	steward_become_caller(&identity);
	return key;
}

/* Is the first column of the key the age, in the order of its type? */
static void
check_key(const StewardPolicy *policy, Relation rel)
{
	PartitionKey key;
	StewardAge	age;
	int			level;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		refuse(rel, "It is not partitioned.");
	key = key_of(rel);
	if (get_partition_strategy(key) != PARTITION_STRATEGY_RANGE)
		refuse(rel, "It is not partitioned by range.");
	level = steward_expression_settings(policy->time_zone);
	steward_age_describe(&age, policy, rel, "t");
	AtEOXact_GUC(false, level);
	if (age.column == 0)
		refuse(rel, "The age is an expression, and bounds say nothing of it.");
	if (get_partition_col_attnum(key, 0) != age.column)
		refuse(rel, "The age is not the first column of the partition key.");
	if (key->partopfamily[0] != get_opclass_family(GetDefaultOpClass(age.type, BTREE_AM_OID)))
		refuse(rel, "The partition key has an order of its own.");
}

static Datum
oid_array(const List *oids)
{
	Datum	   *elements = palloc(list_length(oids) * sizeof(Datum));
	ListCell   *cell;

	foreach(cell, oids)
	{
		elements[foreach_current_index(cell)] = ObjectIdGetDatum(lfirst_oid(cell));
	}
	return PointerGetDatum(construct_array(elements, list_length(oids), OIDOID, sizeof(Oid),
										   true, TYPALIGN_INT));
}

/*
 * PostgreSQL would look for rows that refer when a partition is detached, under locks, and
 * refuse to drop one that a foreign key leads to.
 */
static void
check_references(Relation rel)
{
	List	   *tree = find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL);
	Oid			types[] = {OIDARRAYOID};
	Datum		values[] = {oid_array(tree)};
	char	   *name = NULL;
	MemoryContext caller = CurrentMemoryContext;

	SPI_connect();
	steward_policy_sql("SELECT k.conname::pg_catalog.text FROM pg_catalog.pg_constraint AS k"
					   " WHERE k.contype OPERATOR(pg_catalog.=) 'f'"
					   " AND k.confrelid OPERATOR(pg_catalog.=) ANY ($1)"
					   " ORDER BY k.conparentid, k.oid LIMIT 1",
					   SPI_OK_SELECT, 1, types, values, NULL);
	if (SPI_processed > 0)
		name = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0],
														SPI_tuptable->tupdesc, 1));
	SPI_finish();
	if (name == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("partitions of table \"%s\" cannot be dropped by a retention policy",
					RelationGetRelationName(rel)),
			 errdetail("Foreign key \"%s\" leads to it.", name),
			 errhint("Use action delete, which asks what becomes of rows that refer, or drop the foreign key.")));
}

static void
check_arguments(const StewardPolicy *policy)
{
	if (policy->filter != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("action \"%s\" has no filter", steward_action_name(policy->action)),
				 errdetail("A partition goes with all its rows."),
				 errhint("Leave out the argument \"filter\", or give an empty one to take it away.")));
}

void
steward_partition_check(const StewardPolicy *policy)
{
	Relation	rel;

	check_arguments(policy);
	if (steward_own_record(policy->relation) == STEWARD_OWN_TRAIL)
		return;
	LockRelationOid(policy->relation, AccessShareLock);
	rel = relation_open(policy->relation, NoLock);
	check_key(policy, rel);
	(void) steward_target_leaves(policy);
	check_references(rel);
	relation_close(rel, NoLock);
}
