/*
 * estimate_multi.c: how many rows are in a range, or match a pattern, for the planner.
 *
 * As estimate.c does for equality, an index of a class of several tags is looked into, for
 * whom a query would tell the same: its search is the one that a scan would make, and the
 * entries of what it looks up are counted.
 *
 * PostgreSQL asks for each condition alone and multiplies. The two ends of a range say
 * together how many rows it has, so all conditions of that kind on the column are looked
 * up at once, and each gets the same share: the product is the part of all of them. Where
 * nothing can be looked up, the shares are those of PostgreSQL's own defaults.
 */
#include "blind/estimate.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "blind/count.h"
#include "blind/multi.h"
#include "blind/validate.h"
#include "catalog/pg_amop.h"
#include "keys/keys.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "types/guard.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#define CONDITIONS_MAX 8

/* The column compared with something, the column on the left. */
typedef struct Condition
{
	Oid			operator;
	Oid			collation;
	int			strategy;
	Node	   *other;
} Condition;

typedef struct Probe
{
	const RelOptInfo *rel;
	AttrNumber	column;
	Condition	conditions[CONDITIONS_MAX];
	int			count;

	/* What was found. */
	const IndexOptInfo *index;
	bool		known;
	double		entries;
} Probe;

/* ---- conditions ---- */

/* In the classes of blind indexes; 0: in none. */
static int
strategy_of(Oid operator)
{
	CatCList   *members = SearchSysCacheList1(AMOPOPID, ObjectIdGetDatum(operator));
	int			strategy = 0;

	for (int i = 0; i < members->n_members; i++)
	{
		Form_pg_amop form = (Form_pg_amop) GETSTRUCT(&members->members[i]->tuple);

		if (steward_guard_is_blind(form->amopmethod))
			strategy = form->amopstrategy;
	}
	ReleaseSysCacheList(members);
	return strategy;
}

static bool
is_range(int strategy)
{
	return strategy >= STEWARD_BLIND_LESS && strategy <= STEWARD_BLIND_GREATER;
}

static bool
make_condition(Condition *condition, Oid operator, Oid collation, Node *other, bool on_left)
{
	condition->operator = on_left ? operator : get_commutator(operator);
	condition->collation = collation;
	condition->other = other;
	condition->strategy = OidIsValid(condition->operator) ?
		strategy_of(condition->operator) : 0;
	return condition->strategy != 0;
}

static bool
is_column(const Probe *probe, const Node *node)
{
	if (IsA(node, RelabelType))
		node = (const Node *) ((const RelabelType *) node)->arg;
	return IsA(node, Var) && ((const Var *) node)->varno == probe->rel->relid &&
		((const Var *) node)->varattno == probe->column &&
		((const Var *) node)->varlevelsup == 0;
}

/* Another end of a range of the column. */
static void
add_clause(Probe *probe, PlannerInfo *root, const Expr *clause)
{
	const OpExpr *expr = (const OpExpr *) clause;
	Condition	condition;
	Node	   *other;
	bool		on_left;

	if (!IsA(clause, OpExpr) || list_length(expr->args) != 2 ||
		probe->count == CONDITIONS_MAX)
		return;
	on_left = is_column(probe, linitial(expr->args));
	other = on_left ? lsecond(expr->args) : linitial(expr->args);
	if ((!on_left && !is_column(probe, lsecond(expr->args))) ||
		bms_is_member(probe->rel->relid, pull_varnos(root, other)))
		return;
	other = estimate_expression_value(root, other);
	if (make_condition(&condition, expr->opno, expr->inputcollid, other, on_left) &&
		is_range(condition.strategy))
		probe->conditions[probe->count++] = condition;
}

/* All ends of a range that these clauses have, if the one that is asked for is among them. */
static bool
find_among(Probe *probe, PlannerInfo *root, List *clauses, const Condition *asked)
{
	ListCell   *cell;

	probe->count = 0;
	foreach(cell, clauses)
		add_clause(probe, root, lfirst_node(RestrictInfo, cell)->clause);
	for (int i = 0; i < probe->count; i++)
		if (probe->conditions[i].strategy == asked->strategy &&
			equal(probe->conditions[i].other, asked->other))
			return true;
	return false;
}

/* What joins bring is estimated apart from what restricts the table alone. */
static void
find_conditions(Probe *probe, PlannerInfo *root, const Condition *asked)
{
	if (is_range(asked->strategy) &&
		(find_among(probe, root, probe->rel->baserestrictinfo, asked) ||
		 find_among(probe, root, probe->rel->joininfo, asked)))
		return;
	probe->conditions[0] = *asked;
	probe->count = 1;
}

/* ---- looking up ---- */

static bool
is_known(const Condition *condition)
{
	const Const *constant = (const Const *) condition->other;

	if (!IsA(constant, Const) || constant->constisnull)
		return false;
	return !steward_blind_is_pattern(condition->strategy) ||
		steward_blind_pattern_bounds(condition->strategy, condition->collation,
									 constant->constvalue);
}

static bool
serves(const Probe *probe, const IndexOptInfo *index)
{
	if (!steward_blind_tells_of(index, probe->column, true))
		return false;
	for (int i = 0; i < probe->count; i++)
		if (get_op_opfamily_strategy(probe->conditions[i].operator, index->opfamily[0]) !=
			probe->conditions[i].strategy)
			return false;
	return true;
}

static bool
find_index(Probe *probe)
{
	ListCell   *cell;

	for (int i = 0; i < probe->count; i++)
		if (!is_known(&probe->conditions[i]))
			return false;
	foreach(cell, probe->rel->indexlist)
	{
		if (!serves(probe, lfirst_node(IndexOptInfo, cell)))
			continue;
		probe->index = lfirst_node(IndexOptInfo, cell);
		return true;
	}
	return false;
}

static void
set_key(ScanKey key, const Condition *condition)
{
	const Const *constant = (const Const *) condition->other;

	ScanKeyEntryInitialize(key, 0, 1, condition->strategy, constant->consttype,
						   condition->collation, get_opcode(condition->operator),
						   constant->constvalue);
}

static void
look_up(void *arg)
{
	Probe	   *probe = arg;
	Relation	index = index_open(probe->index->indexoid, NoLock);
	IndexScanDesc scan = RelationGetIndexScan(index, probe->count, 0);
	StewardBlindSearch *search = palloc0(sizeof *search);
	double		entries = 0;

	for (int i = 0; i < probe->count; i++)
		set_key(&scan->keyData[i], &probe->conditions[i]);
	steward_blind_tagger_begin(&search->tagger, index, steward_blind_meta(index));
	search->context = AllocSetContextCreate(CurrentMemoryContext, "blind index search",
											ALLOCSET_SMALL_SIZES);
	steward_blind_search_begin(search, scan, STEWARD_RIGHT_DECRYPT);
	for (int i = 0; i < search->count && !(search->intersect && i > 0); i++)
		entries += steward_blind_count_range(index, &search->ranges[i]);
	IndexScanEnd(scan);
	index_close(index, NoLock);
	probe->entries = entries;
	probe->known = true;
}

/* ---- what operators have for RESTRICT ---- */

static double
default_part(const Probe *probe)
{
	bool		below = false;
	bool		above = false;

	if (steward_blind_is_pattern(probe->conditions[0].strategy))
		return DEFAULT_MATCH_SEL;
	for (int i = 0; i < probe->count; i++)
	{
		bool		is_below = probe->conditions[i].strategy <= STEWARD_BLIND_LESS_EQUAL;

		below = below || is_below;
		above = above || !is_below;
	}
	return below && above ? DEFAULT_RANGE_INEQ_SEL : DEFAULT_INEQ_SEL;
}

static double
condition_part(PlannerInfo *root, const VariableStatData *variable, const Condition *asked)
{
	Probe		probe = {.rel = variable->rel, .column = ((const Var *) variable->var)->varattno};
	double		part;

	find_conditions(&probe, root, asked);
	if (probe.rel->tuples > 0 && find_index(&probe) &&
		steward_blind_may_read(root, probe.rel, probe.column))
		steward_blind_look_up_quietly(look_up, &probe);
	part = probe.known ? Min(1, probe.entries / probe.rel->tuples) : default_part(&probe);
	return pow(part, 1.0 / probe.count);
}

static double
estimate(FunctionCallInfo fcinfo, double usual)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	VariableStatData variable;
	Condition	asked;
	Node	   *other;
	bool		on_left;
	double		part = usual;

	if (!get_restriction_variable(root, (List *) PG_GETARG_POINTER(2), PG_GETARG_INT32(3),
								  &variable, &other, &on_left))
		return usual;
	if (IsA(other, Const) && ((const Const *) other)->constisnull)
		part = 0;
	else if (variable.rel != NULL && variable.rel->rtekind == RTE_RELATION &&
			 IsA(variable.var, Var) && ((const Var *) variable.var)->varattno > 0 &&
			 make_condition(&asked, PG_GETARG_OID(1), PG_GET_COLLATION(), other, on_left))
		part = condition_part(root, &variable, &asked);
	ReleaseVariableStats(variable);
	return part;
}

STEWARD_FUNCTION(steward_blind_rangesel)
{
	PG_RETURN_FLOAT8(estimate(fcinfo, DEFAULT_INEQ_SEL));
}

STEWARD_FUNCTION(steward_blind_likesel)
{
	PG_RETURN_FLOAT8(estimate(fcinfo, DEFAULT_MATCH_SEL));
}
