/*
 * partition_remember.c: which partitions runs are about to drop, in steward.policy_detached; see
 * partition_parts.h.
 *
 * A partition is remembered before it is detached, and marked in the transaction that detaches it.
 * So one that is detached and not marked was detached by somebody else, and is his. Until it is
 * forgotten, one that is marked is bound by the holds of the table that it was a partition of.
 */
#include "retention/partition_parts.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "retention/statement.h"

List *
steward_partitions_remembered(const StewardPolicy *policy)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(policy->name)};
	List	   *all = NIL;

	steward_policy_sql("SELECT d.relation, d.bounds, d.endless, d.detached_at IS NOT NULL"
					   " FROM steward.policy_detached AS d"
					   " WHERE d.policy OPERATOR(pg_catalog.=) $1 ORDER BY d.relation::pg_catalog.oid",
					   SPI_OK_SELECT, 1, types, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		StewardPartition *one = palloc0(sizeof(StewardPartition));

		one->relation = DatumGetObjectId(steward_result(i, 1));
		one->parent = policy->relation;
		one->bounds = TextDatumGetCString(steward_result(i, 2));
		one->endless = DatumGetBool(steward_result(i, 3));
		one->detached = DatumGetBool(steward_result(i, 4));
		all = lappend(all, one);
		MemoryContextSwitchTo(spi);
	}
	SPI_freetuptable(SPI_tuptable);
	return all;
}

bool
steward_partition_remember(const StewardPolicy *policy, const StewardPartition *one)
{
	Oid			types[] = {REGCLASSOID, TEXTOID, TEXTOID, BOOLOID};
	Datum		values[] = {
		ObjectIdGetDatum(one->relation), CStringGetTextDatum(policy->name),
		CStringGetTextDatum(one->bounds), BoolGetDatum(one->endless)
	};

	steward_policy_sql("INSERT INTO steward.policy_detached (relation, policy, bounds, endless)"
					   " VALUES ($1, $2, $3, $4) ON CONFLICT (relation) DO NOTHING",
					   SPI_OK_INSERT, lengthof(types), types, values, NULL);
	return SPI_processed == 1;
}

static void
change(Oid partition, const char *sql, int expected)
{
	Oid			types[] = {REGCLASSOID};
	Datum		values[] = {ObjectIdGetDatum(partition)};

	steward_policy_sql(sql, expected, 1, types, values, NULL);
}

void
steward_partition_mark_detached(Oid partition)
{
	change(partition,
		   "UPDATE steward.policy_detached SET detached_at = pg_catalog.clock_timestamp()"
		   " WHERE relation::pg_catalog.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid",
		   SPI_OK_UPDATE);
}

void
steward_partition_forget(Oid partition)
{
	change(partition,
		   "DELETE FROM steward.policy_detached"
		   " WHERE relation::pg_catalog.oid OPERATOR(pg_catalog.=) $1::pg_catalog.oid",
		   SPI_OK_DELETE);
}

/* Columns of steward.policy_detached and steward.policy_definition, as policy.sql has them. */
enum
{
	DETACHED_RELATION = 1, DETACHED_POLICY = 2, DETACHED_AT = 6,
	DEFINITION_NAME = 1, DEFINITION_RELATION = 2
};

static StewardRelationRef detached_ref = {"policy_detached"};
static StewardRelationRef detached_pkey_ref = {"policy_detached_pkey"};
static StewardRelationRef definition_ref = {"policy_definition"};
static StewardRelationRef definition_pkey_ref = {"policy_definition_pkey"};

/* The policy that has detached it, palloc'd; or NULL. */
static char *
policy_that_detached(Oid relid)
{
	Relation	table = steward_relation_open(&detached_ref, AccessShareLock);
	char	   *policy = NULL;
	bool		isnull;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, DETACHED_RELATION, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(table, steward_relation_oid(&detached_pkey_ref), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		(void) heap_getattr(tuple, DETACHED_AT, RelationGetDescr(table), &isnull);
		if (!isnull)
			policy = TextDatumGetCString(heap_getattr(tuple, DETACHED_POLICY,
													  RelationGetDescr(table), &isnull));
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return policy;
}

static Oid
relation_of_policy(const char *policy)
{
	Relation	table = steward_relation_open(&definition_ref, AccessShareLock);
	HeapTuple	tuple = steward_row_by_text(table, &definition_pkey_ref, DEFINITION_NAME, policy);
	Oid			relid = InvalidOid;
	bool		isnull;

	if (HeapTupleIsValid(tuple))
		relid = DatumGetObjectId(heap_getattr(tuple, DEFINITION_RELATION, RelationGetDescr(table),
											  &isnull));
	table_close(table, AccessShareLock);
	return relid;
}

/* DROP EXTENSION takes these tables, and their indexes, one after the other. */
static bool
can_look(void)
{
	return OidIsValid(steward_relation_lookup(&detached_ref)) &&
		OidIsValid(steward_relation_lookup(&detached_pkey_ref)) &&
		OidIsValid(steward_relation_lookup(&definition_ref)) &&
		OidIsValid(steward_relation_lookup(&definition_pkey_ref));
}

Oid
steward_partition_former_parent(Oid relid)
{
	char	   *policy = can_look() ? policy_that_detached(relid) : NULL;

	return policy != NULL ? relation_of_policy(policy) : InvalidOid;
}
