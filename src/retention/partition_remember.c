/*
 * partition_remember.c: which partitions runs are about to drop, in steward.policy_detached; see
 * partition_parts.h.
 *
 * A partition is remembered before it is detached, and marked in the transaction that detaches it.
 * So one that is detached and not marked was detached by somebody else, and is his.
 */
#include "retention/partition_parts.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

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
