/*
 * estimate.c: how many rows equal a constant, for the planner.
 *
 * Statistics of encrypted columns hold no values. A blind index on the column tells
 * instead: the entries with the constant's tag are counted (count.h). For IN the
 * planner asks for each element.
 *
 * EXPLAIN shows estimates, and one that comes from the index tells whether a value
 * is there. So it is looked up only for whom a query would tell, too: who may search
 * under the key and may read all rows of the column by right, not through
 * a policy that hides some. All others get what statistics say, which is the same
 * for each constant. That holds also where there is no constant or no
 * such index, and where a key is missing: EXPLAIN of a statement works without.
 */
#include "blind/estimate.h"

#include <math.h>

#include "access/genam.h"
#include "access/xact.h"
#include "base/procedure.h"
#include "blind/cost.h"
#include "blind/count.h"
#include "blind/tag.h"
#include "blind/validate.h"
#include "catalog/pg_statistic.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"

#define RIGHTS (STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT)

/* A constant to be looked up. */
typedef struct Probe
{
	const IndexOptInfo *index;
	Oid			canonical;		/* support function for it */
	Datum		value;
	double		null_part;		/* of the rows, by statistics */

	/* What was found. */
	bool		known;
	double		count;			/* of entries */
	double		others;			/* among these, on average */
} Probe;

/* ---- whether the index may tell ---- */

/*
 * Does the query read all rows of the column by rights of whom it may have? In a query
 * inside another one, which may be a view that hides rows, these are one's own. Rights
 * and policies are those of the table that the query names, not of its partitions.
 */
bool
steward_blind_may_read(PlannerInfo *root, const RelOptInfo *rel, AttrNumber column)
{
	Oid			user = root->parent_root == NULL && OidIsValid(rel->userid) ?
		rel->userid : GetUserId();
	Index		relid = rel->relid;
	AppendRelInfo *heir;
	RangeTblEntry *entry;

	while (root->append_rel_array != NULL &&
		   (heir = root->append_rel_array[relid]) != NULL &&
		   planner_rt_fetch(heir->parent_relid, root)->rtekind == RTE_RELATION)
	{
		column = column <= heir->num_child_cols ? heir->parent_colnos[column - 1] : 0;
		relid = heir->parent_relid;
		if (column <= 0)
			return false;
	}
	entry = planner_rt_fetch(relid, root);
	return entry->securityQuals == NIL &&
		(pg_class_aclcheck(entry->relid, user, ACL_SELECT) == ACLCHECK_OK ||
		 pg_attribute_aclcheck(entry->relid, column, user, ACL_SELECT) == ACLCHECK_OK);
}

/* ---- what can be looked up ---- */

bool
steward_blind_tells_of(const IndexOptInfo *index, AttrNumber column, bool several)
{
	return (void *) index->amcostestimate == (void *) steward_blind_cost &&
		!index->hypothetical && index->indpred == NIL && index->indexkeys[0] == column &&
		OidIsValid(get_opfamily_proc(index->opfamily[0], index->opcintype[0],
									 index->opcintype[0],
									 STEWARD_BLIND_VALUE_TAGS_PROC)) == several;
}

/* Has it one tag of each row, by which the operator's right side can be looked for? */
static bool
serves(const IndexOptInfo *index, AttrNumber column, Oid equality)
{
	return steward_blind_tells_of(index, column, false) &&
		get_op_opfamily_strategy(equality, index->opfamily[0]) == STEWARD_BLIND_EQUAL;
}

/* The one with the fewest columns, and so with the longest tags of the first. */
static const IndexOptInfo *
choose_index(const RelOptInfo *rel, AttrNumber column, Oid equality)
{
	const IndexOptInfo *best = NULL;
	ListCell   *cell;

	foreach(cell, rel->indexlist)
	{
		const IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);

		if (serves(index, column, equality) &&
			(best == NULL || index->nkeycolumns < best->nkeycolumns))
			best = index;
	}
	return best;
}

static double
null_part(const VariableStatData *variable)
{
	if (!HeapTupleIsValid(variable->statsTuple))
		return 0;
	return ((Form_pg_statistic) GETSTRUCT(variable->statsTuple))->stanullfrac;
}

/* A column of a table compared with a constant, by this equality. */
static bool
take_sides(Probe *probe, PlannerInfo *root, const VariableStatData *variable,
		   const Node *other, Oid equality)
{
	const Var  *column = (const Var *) variable->var;
	const RelOptInfo *rel = variable->rel;
	Oid			left;
	Oid			right;

	if (!IsA(other, Const) || ((const Const *) other)->constisnull || rel == NULL ||
		rel->rtekind != RTE_RELATION || rel->tuples <= 0 || !IsA(column, Var) ||
		column->varattno <= 0)
		return false;
	probe->index = choose_index(rel, column->varattno, equality);
	if (probe->index == NULL || !steward_blind_may_read(root, rel, column->varattno))
		return false;
	op_input_types(equality, &left, &right);
	probe->canonical = get_opfamily_proc(probe->index->opfamily[0], left, right,
										 STEWARD_BLIND_CANONICAL_PROC);
	probe->value = ((const Const *) other)->constvalue;
	probe->null_part = null_part(variable);
	return OidIsValid(probe->canonical);
}

static bool
take_arguments(Probe *probe, PlannerInfo *root, List *args, int relid, Oid equality)
{
	VariableStatData variable;
	Node	   *other;
	bool		on_left;
	bool		found;

	if (!OidIsValid(equality) ||
		!get_restriction_variable(root, args, relid, &variable, &other, &on_left))
		return false;
	if (!on_left)
		equality = get_commutator(equality);
	found = OidIsValid(equality) && take_sides(probe, root, &variable, other, equality);
	ReleaseVariableStats(variable);
	return found;
}

/* ---- looking up ---- */

static void
look_up(void *arg)
{
	Probe	   *probe = arg;
	Relation	index = index_open(probe->index->indexoid, NoLock);
	StewardBlindTagger tagger;
	StewardBlindLink link;
	StewardBlindRange range;
	FmgrInfo	canonical;

	steward_blind_tagger_begin(&tagger, index, steward_blind_meta(index));
	steward_key_require(tagger.key_id[0], RIGHTS);
	fmgr_info(probe->canonical, &canonical);
	link = steward_blind_value_link(&tagger, 0, NULL, &canonical, probe->value, false,
									RIGHTS);
	range.low = steward_blind_tag_put(&tagger, 0, 0, &link);
	range.high = range.low | steward_blind_tag_rest(&tagger, 0);
	probe->count = steward_blind_count_range(index, &range);
	probe->others = probe->index->tuples * pow(2, -tagger.meta.bits[0]);
	probe->known = true;
	index_close(index, NoLock);
}

/* Where keys are missing, what needs them says so when it runs. */
static bool
is_quiet(int sqlstate)
{
	return sqlstate == ERRCODE_CONFIG_FILE_ERROR ||
		sqlstate == ERRCODE_UNDEFINED_OBJECT ||
		sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE ||
		sqlstate == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE ||
		sqlstate == ERRCODE_DATA_CORRUPTED;
}

void
steward_blind_look_up_quietly(void (*part) (void *probe), void *probe)
{
	MemoryContext scratch;
	ErrorData  *error;

	if (IsInParallelMode())
		return;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "blind index estimate",
									ALLOCSET_SMALL_SIZES);
	error = steward_attempt(part, probe, scratch);
	MemoryContextDelete(scratch);
	if (error == NULL)
		return;
	if (!is_quiet(error->sqlerrcode))
		ReThrowError(error);
	FreeErrorData(error);
}

/* ---- what operators have for RESTRICT ---- */

/*
 * Which part of the rows equals the constant. Where tags are short others share it: those
 * are left out, but not so far that less remains than statistics say.
 */
static double
equal_part(const Probe *probe, double usual)
{
	double		tuples = probe->index->rel->tuples;
	double		rows = probe->count;

	if (probe->others >= 1)
		rows = Min(rows, Max(rows - probe->others, usual * tuples));
	return Min(1, rows / tuples);
}

STEWARD_FUNCTION(steward_blind_eqsel)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	Probe		probe = {0};

	if (take_arguments(&probe, root, (List *) PG_GETARG_POINTER(2), PG_GETARG_INT32(3),
					   PG_GETARG_OID(1)))
		steward_blind_look_up_quietly(look_up, &probe);
	if (!probe.known)
		return eqsel(fcinfo);
	PG_RETURN_FLOAT8(equal_part(&probe, DatumGetFloat8(eqsel(fcinfo))));
}

STEWARD_FUNCTION(steward_blind_neqsel)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	Probe		probe = {0};
	double		usual;

	if (take_arguments(&probe, root, (List *) PG_GETARG_POINTER(2), PG_GETARG_INT32(3),
					   get_negator(PG_GETARG_OID(1))))
		steward_blind_look_up_quietly(look_up, &probe);
	if (!probe.known)
		return neqsel(fcinfo);
	usual = 1 - probe.null_part - DatumGetFloat8(neqsel(fcinfo));
	PG_RETURN_FLOAT8(Max(0, 1 - probe.null_part - equal_part(&probe, usual)));
}
