/*
 * cost.c: what a scan costs; see cost.h.
 *
 * What bounds a scan is what scan_keys.c makes ranges of tags of: one condition on
 * each of the first columns, without a gap. Rows that fit the other conditions
 * no better are fetched as well, as are those that share a short tag by chance.
 *
 * A search goes to its leaf by what the process remembers, so beside the pages it
 * reads there is little to pay for the way down. But each row is compared by its
 * plaintext. For an index scan the planner takes it that the index has done that, so
 * it is counted here; in a bitmap scan it counts twice, which makes up for
 * bitmaps that are cheap only because opening values is dear.
 */
#include "blind/cost.h"

#include <math.h>

#include "access/genam.h"
#include "blind/meta.h"
#include "blind/multi.h"
#include "blind/scan_keys.h"
#include "blind/validate.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/index_selfuncs.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

/* Comparisons on the way down, and what a leaf costs, as many. */
#define COMPARISONS_DOWN 20
#define COMPARISONS_LEAF 50

/* So many, more or less. */
#define INTERVALS 16

/* Of an entry where a row has several: from 1.3, of trigrams, to 3.5, of ranges. */
#define MULTI_ENTRY_BYTES 2.5

/* What bounds a scan. */
typedef struct Bounds
{
	List	   *clauses;		/* of IndexClause */
	int			columns;		/* that they are on: the first ones */
	double		searches;		/* ranges of tags */
} Bounds;

/* ---- what bounds a scan ---- */

/* The condition that a scan key is made of. */
static Expr *
condition(const IndexClause *clause)
{
	return linitial_node(RestrictInfo, clause->indexquals)->clause;
}

static bool
is_bound(const IndexClause *clause)
{
	Expr	   *expr = condition(clause);

	return !IsA(expr, NullTest) || ((NullTest *) expr)->nulltesttype == IS_NULL;
}

/* Have values several tags? */
static bool
is_multi(const IndexOptInfo *index)
{
	return OidIsValid(get_opfamily_proc(index->opfamily[0], index->opcintype[0],
										index->opcintype[0],
										STEWARD_BLIND_VALUE_TAGS_PROC));
}

/* The strategy of a condition with an operator; 0 for others. */
static int
strategy_of(const IndexPath *path, const Expr *expr)
{
	return !IsA(expr, OpExpr) ? 0 :
		get_op_opfamily_strategy(((const OpExpr *) expr)->opno, path->indexinfo->opfamily[0]);
}

/* Is it a pattern by which nothing can be looked up? One that is not known can. */
static bool
is_useless(const IndexPath *path, const IndexClause *clause)
{
	Expr	   *expr = condition(clause);
	int			strategy = strategy_of(path, expr);
	const Node *pattern;

	if (!steward_blind_is_pattern(strategy))
		return false;
	pattern = lsecond(((OpExpr *) expr)->args);
	return IsA(pattern, Const) && !((const Const *) pattern)->constisnull &&
		!steward_blind_pattern_bounds(strategy, ((OpExpr *) expr)->inputcollid,
									  ((const Const *) pattern)->constvalue);
}

/* How many intervals one bound of a range is taken to need. */
static double
count_intervals(const IndexPath *path, const IndexClause *clause)
{
	int			strategy = strategy_of(path, condition(clause));

	return strategy >= STEWARD_BLIND_LESS && strategy <= STEWARD_BLIND_GREATER ?
		INTERVALS : 1;
}

/* How many values a condition looks for. */
static double
count_values(PlannerInfo *root, const IndexClause *clause)
{
	Expr	   *expr = condition(clause);

	if (!IsA(expr, ScalarArrayOpExpr))
		return 1;
	return Max(1, STEWARD_ARRAY_LENGTH(root, lsecond(((ScalarArrayOpExpr *) expr)->args)));
}

/*
 * In a class of several tags a value all conditions bound a scan together. A range takes
 * some intervals.
 */
static Bounds
find_multi_bounds(PlannerInfo *root, const IndexPath *path)
{
	Bounds		bounds = {.searches = 1};
	ListCell   *cell;

	foreach(cell, path->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, cell);

		if (!is_bound(clause) || is_useless(path, clause))
			continue;
		bounds.clauses = lappend(bounds.clauses, clause);
		bounds.columns = 1;
		bounds.searches = Max(bounds.searches,
							  count_values(root, clause) * count_intervals(path, clause));
	}
	return bounds;
}

/* Clauses are in the order of columns; of those on one the first bound counts. */
static Bounds
find_bounds(PlannerInfo *root, const IndexPath *path)
{
	Bounds		bounds = {.searches = 1};
	ListCell   *cell;

	if (is_multi(path->indexinfo))
		return find_multi_bounds(root, path);
	foreach(cell, path->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, cell);
		double		values;

		if (clause->indexcol < bounds.columns || !is_bound(clause))
			continue;
		values = count_values(root, clause);
		if (clause->indexcol > bounds.columns ||
			(bounds.columns > 0 && bounds.searches * values > STEWARD_BLIND_PREFIXES_MAX))
			break;
		bounds.clauses = lappend(bounds.clauses, clause);
		bounds.columns++;
		bounds.searches *= values;
	}
	return bounds;
}

/* ---- what it finds ---- */

/* Which part of an index one search finds beside what it looks for. */
static double
false_part(const IndexOptInfo *info, int columns)
{
	Relation	index;
	const StewardBlindMeta *meta;
	int			bits = 0;

	if (columns == 0 || info->hypothetical)
		return 0;
	index = index_open(info->indexoid, NoLock);
	meta = steward_blind_meta(index);
	for (int i = 0; i < columns && i < meta->columns; i++)
		bits += meta->bits[i];
	index_close(index, NoLock);
	return pow(2, -bits);
}

/* Entries that all searches together give. */
static double
count_candidates(PlannerInfo *root, IndexOptInfo *index, const Bounds *bounds)
{
	List	   *quals = add_predicate_to_index_quals(index,
													 get_quals_from_indexclauses(bounds->clauses));
	double		rows = index->rel->tuples *
		clauselist_selectivity(root, quals, index->rel->relid, JOIN_INNER, NULL);

	rows += bounds->searches * false_part(index, bounds->columns) * index->tuples;
	return Min(rows, Max(index->tuples, 1));
}

/*
 * Entries that a row has in the index, on average, for the pages that they fill. Only a
 * build counts them in pg_class: ANALYZE and VACUUM put the number of rows there.
 */
static double
entries_per_row(const IndexOptInfo *info)
{
	if (!is_multi(info) || info->hypothetical)
		return 1;
	return Max(1, (double) info->pages * BLCKSZ / MULTI_ENTRY_BYTES / Max(1, info->tuples));
}

/* To compare a row with all that the plan searches the index for. */
static Cost
recheck_cost(PlannerInfo *root, const IndexPath *path)
{
	QualCost	cost;

	cost_qual_eval(&cost, get_quals_from_indexclauses(path->indexclauses), root);
	return cost.per_tuple;
}

/* Entries come in the order of tags, which is none. */
void
steward_blind_cost(PlannerInfo *root, IndexPath *path, double loop_count,
				   Cost *startup_cost, Cost *total_cost, Selectivity *selectivity,
				   double *correlation, double *pages)
{
	IndexOptInfo *index = path->indexinfo;
	Bounds		bounds = find_bounds(root, path);
	double		candidates = count_candidates(root, index, &bounds);
	IndexPath	bounded = *path;
	GenericCosts costs = {0};

	bounded.indexclauses = bounds.clauses;
	costs.num_sa_scans = bounds.searches;
	costs.numIndexTuples = Max(1, rint(candidates / bounds.searches / entries_per_row(index)));
	genericcostestimate(root, &bounded, loop_count, &costs);

	*startup_cost = costs.indexStartupCost + COMPARISONS_DOWN * cpu_operator_cost;
	*total_cost = costs.indexTotalCost + candidates * recheck_cost(root, path) +
		bounds.searches * cpu_operator_cost *
		(COMPARISONS_DOWN + COMPARISONS_LEAF * costs.numIndexPages);
	*selectivity = index->rel->tuples > 0 ? Min(1, candidates / index->rel->tuples) :
		costs.indexSelectivity;
	*correlation = 0;
	*pages = costs.numIndexPages;
}
