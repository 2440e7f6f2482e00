/*
 * partition_count.c: what is in a partition, and what of it must stay; see partition_parts.h.
 */
#include "retention/partition_parts.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "retention/condition.h"
#include "retention/statement.h"
#include "subjects/hold.h"

/* Is there a hold of this number among them? */
static bool
has_hold(const List *holds, int64 id)
{
	ListCell   *cell;

	foreach(cell, holds)
	{
		if (((StewardHold *) lfirst(cell))->id == id)
			return true;
	}
	return false;
}

/*
 * A hold that was placed on the partition itself, or below it, could not be on a table that is
 * gone: it keeps the partition, whichever rows it is for.
 */
static bool
is_held_itself(Oid partition, const List *from_above)
{
	List	   *holds = steward_holds_on_tree(partition);
	ListCell   *cell;

	foreach(cell, holds)
	{
		if (!has_hold(from_above, ((StewardHold *) lfirst(cell))->id))
			return true;
	}
	return false;
}

bool
steward_partition_may_stay(const StewardPartition *one)
{
	return one->endless || steward_holds_on_tree(one->relation) != NIL;
}

/* Ages as moments, whatever their type. */
static char *
moment(const StewardPolicy *policy, const StewardAge *age, const char *value)
{
	if (age->type == TIMESTAMPTZOID)
		return psprintf("%s::pg_catalog.timestamptz", value);
	return psprintf("pg_catalog.timezone(%s, %s::pg_catalog.timestamp)",
					quote_literal_cstr(policy->time_zone), value);
}

/* Adds the numbers of the row of the result. */
static void
add_row(StewardPartitionCount *count)
{
	bool		isnull;
	Datum		value;

	count->rows += DatumGetInt64(steward_result(0, 1));
	count->held += DatumGetInt64(steward_result(0, 2));
	count->endless += DatumGetInt64(steward_result(0, 3));
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 4, &isnull);
	if (!isnull)
		count->oldest = Min(count->oldest, DatumGetTimestampTz(value));
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 5, &isnull);
	if (!isnull)
		count->newest = Max(count->newest, DatumGetTimestampTz(value));
}

static void
count_leaf(const StewardPolicy *policy, Relation leaf, List *holds,
		   StewardPartitionCount *count)
{
	StewardStatement statement = {
		.relations = list_make1_oid(RelationGetRelid(leaf)), .read_only = true
	};
	StewardAge	age;

	steward_age_describe(&age, policy, leaf, "t");
	statement.sql = psprintf("SELECT pg_catalog.count(*),"
							 " pg_catalog.count(*) FILTER (WHERE %s),"
							 " pg_catalog.count(*) FILTER (WHERE %s OPERATOR(pg_catalog.=) '-infinity'),"
							 " %s, %s FROM ONLY %s AS t",
							 steward_holds_condition(holds, leaf, "t"), age.sql,
							 moment(policy, &age, psprintf("pg_catalog.min(%s)", age.sql)),
							 moment(policy, &age, psprintf("pg_catalog.max(%s)", age.sql)),
							 steward_table_name(leaf));
	(void) steward_statement_execute(&statement, SPI_OK_SELECT);
	add_row(count);
	SPI_freetuptable(SPI_tuptable);
	count->bytes += DatumGetInt64(DirectFunctionCall1(pg_total_relation_size,
													  ObjectIdGetDatum(RelationGetRelid(leaf))));
}

void
steward_partition_count(const StewardPolicy *policy, const StewardPartition *one,
						StewardPartitionCount *count)
{
	List	   *holds = steward_holds_on(one->parent);
	List	   *tree = find_all_inheritors(one->relation, NoLock, NULL);
	ListCell   *cell;

	memset(count, 0, sizeof(*count));
	count->oldest = DT_NOEND;
	count->newest = DT_NOBEGIN;
	foreach(cell, tree)
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION)
			count_leaf(policy, rel, holds, count);
		relation_close(rel, NoLock);
	}
	if (is_held_itself(one->relation, holds))
		count->held = Max(count->rows, 1);
}
