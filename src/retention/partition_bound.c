/*
 * partition_bound.c: which partitions of a table have expired, by their bounds; see
 * partition_parts.h.
 *
 * Bounds say more than rows do: a partition whose bounds are behind the cutoff cannot get a row that
 * has not expired. It may have one of age -infinity, if it has no lower bound; such rows never
 * expire, and are looked for.
 */
#include "retention/partition_parts.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/expression.h"
#include "retention/condition.h"
#include "retention/target.h"

/* What bounds are compared with. */
typedef struct Cutoff
{
	Oid			type;
	int64		cutoff;
	int64		nobegin;		/* -infinity */
} Cutoff;

/* Of a partition that may have expired, for sorting. */
typedef struct Dated
{
	StewardPartition *partition;
	int64		upper;
} Dated;

static int64
number_of(Oid type, Datum value)
{
	return type == DATEOID ? DatumGetDateADT(value) : DatumGetInt64(value);
}

static void
set_cutoff(Cutoff *limit, const StewardPolicy *policy, Relation parent)
{
	StewardAge	age;
	int			level = steward_expression_settings(policy->time_zone);

	steward_age_describe(&age, policy, parent, "t");
	AtEOXact_GUC(false, level);
	limit->type = age.type;
	limit->cutoff = number_of(age.type, steward_age_cutoff(policy, age.type));
	limit->nobegin = age.type == DATEOID ? DATEVAL_NOBEGIN : DT_NOBEGIN;
}

/* The first value of a bound; false for MINVALUE and MAXVALUE. */
static bool
first_value(const Cutoff *limit, List *bound, int64 *value)
{
	PartitionRangeDatum *first = linitial_node(PartitionRangeDatum, bound);

	if (first->kind != PARTITION_RANGE_DATUM_VALUE)
		return false;
	*value = number_of(limit->type, castNode(Const, first->value)->constvalue);
	return true;
}

/*
 * Is every age below the upper bound behind the cutoff? Of several columns, the ages go
 * up to the first value, and include it: rows of that age differ in the others.
 */
static bool
has_expired(const Cutoff *limit, List *upperdatums, int64 *upper)
{
	bool		inclusive = false;

	if (!first_value(limit, upperdatums, upper))
		return false;
	if (list_length(upperdatums) > 1)
		inclusive = lsecond_node(PartitionRangeDatum, upperdatums)->kind !=
			PARTITION_RANGE_DATUM_MINVALUE;
	return inclusive ? *upper < limit->cutoff : *upper <= limit->cutoff;
}

static bool
is_endless(const Cutoff *limit, List *lowerdatums)
{
	int64		lower;

	return !first_value(limit, lowerdatums, &lower) || lower == limit->nobegin;
}

/* As it is stored; false when it is no partition any more. Locked so that it stays one. */
static bool
stored_bounds(Oid relid, Datum *stored)
{
	HeapTuple	tuple;
	bool		isnull = true;

	LockRelationOid(relid, AccessShareLock);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		return false;
	*stored = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relpartbound, &isnull);
	if (!isnull)
		*stored = PointerGetDatum(DatumGetTextPCopy(*stored));
	ReleaseSysCache(tuple);
	return !isnull;
}

char *
steward_partition_bounds(Oid relid)
{
	int			level = steward_expression_settings("UTC");
	char	   *bounds = NULL;
	Datum		stored;

	if (stored_bounds(relid, &stored))
		bounds = text_to_cstring(DatumGetTextPP(DirectFunctionCall2(pg_get_expr, stored,
																	ObjectIdGetDatum(relid))));
	AtEOXact_GUC(false, level);
	return bounds;
}

static int
older_first(const ListCell *a, const ListCell *b)
{
	const Dated *one = lfirst(a);
	const Dated *other = lfirst(b);

	return one->upper < other->upper ? -1 : one->upper > other->upper;
}

static Dated *
look_at(const Cutoff *limit, Oid relid, Oid parent, PartitionBoundSpec *bounds)
{
	Dated	   *dated;
	int64		upper;

	if (!has_expired(limit, bounds->upperdatums, &upper))
		return NULL;
	dated = palloc0(sizeof(Dated));
	dated->upper = upper;
	dated->partition = palloc0(sizeof(StewardPartition));
	dated->partition->relation = relid;
	dated->partition->parent = parent;
	dated->partition->endless = is_endless(limit, bounds->lowerdatums);
	return dated;
}

List *
steward_partitions_expired(const StewardPolicy *policy, Relation parent, bool keep_last)
{
	PartitionDesc parts = RelationGetPartitionDesc(parent, true);
	List	   *dated = NIL;
	List	   *expired = NIL;
	int			all = 0;
	Cutoff		limit;
	ListCell   *cell;

	set_cutoff(&limit, policy, parent);
	for (int i = 0; i < parts->nparts; i++)
	{
		PartitionBoundSpec *bounds;
		Datum		stored;
		Dated	   *one;

		if (!stored_bounds(parts->oids[i], &stored))
			continue;
		bounds = castNode(PartitionBoundSpec, stringToNode(TextDatumGetCString(stored)));
		if (bounds->is_default)
			continue;
		all++;
		one = look_at(&limit, parts->oids[i], RelationGetRelid(parent), bounds);
		if (one != NULL)
			dated = lappend(dated, one);
	}
	list_sort(dated, older_first);
	if (keep_last && list_length(dated) == all && all > 0)
		dated = list_delete_last(dated);
	foreach(cell, dated)
	{
		expired = lappend(expired, ((Dated *) lfirst(cell))->partition);
	}
	return expired;
}

bool
steward_partition_is_ours(const StewardPartition *one)
{
	return one->detached && get_rel_name(one->relation) != NULL &&
		!get_rel_relispartition(one->relation) &&
		steward_target_owner(one->relation) == steward_target_owner(one->parent) &&
		steward_partition_tie(one->relation, one->parent) == STEWARD_TIE_NONE;
}

bool
steward_partition_has_default(Oid parent)
{
	return OidIsValid(get_default_partition_oid(parent));
}
