/*
 * scan_rights.c: the right to use an index of encrypted values.
 *
 * What a unique index calls checks no right, for whoever may INSERT keeps it up
 * to date. A search compares too, and where it ends tells on which side of the
 * searched value's tag a stored one lies, row by row in an index with a column
 * before. And rows that an index gives in its order tell, next to inserted
 * guesses, which are equal, whatever was searched for. So whoever runs such a plan
 * must have the right. A bitmap has lost the order, so it only matters what was
 * searched for. ON CONFLICT searches as well. A blind index asks by itself when a scan
 * begins, but for what is searched alone: that a plan's rows come in the order of
 * its tags is seen here. Upkeep of indexes and the checks of
 * uniqueness run no plan.
 *
 * The planner is told not to use such an index, but for bitmaps (on 18, or of a blind
 * index, not even these), for whom has not the right: the same query works without it. A
 * class of several tags a value takes the right to decrypt. The check before a plan
 * runs is what counts.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/reloptions.h"
#include "access/skey.h"
#include "base/hooks.h"
#include "catalog/pg_am_d.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "types/encrypted.h"
#include "types/guard.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define RIGHTS (STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT)

/* ---- before a plan runs ---- */

static void
require_column(Relation index, int column)
{
	Form_pg_attribute att;
	int32		key_typmod;

	if (!steward_guard_type(index->rd_opcintype[column]))
		return;
	att = TupleDescAttr(RelationGetDescr(index), column);
	if (steward_guard_type_takes_key(att->atttypid, att->atttypmod,
									 &key_typmod) && key_typmod > 0)
		steward_key_require((uint32) key_typmod, RIGHTS);
}

/* For rows in the order of the index. */
static void
require_order(Relation index)
{
	for (int i = 0; index != NULL && i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		require_column(index, i);
}

/* For what is searched for. */
static void
require_search(Relation index, ScanKey keys, int count)
{
	for (int i = 0; index != NULL && i < count; i++)
	{
		/* A row comparison keeps its columns in a list of its own. */
		if (keys[i].sk_flags & SK_ROW_HEADER)
		{
			ScanKey		member = (ScanKey) DatumGetPointer(keys[i].sk_argument);

			do
				require_search(index, member, 1);
			while (!((member++)->sk_flags & SK_ROW_END));
		}
		else if (!(keys[i].sk_flags & (SK_SEARCHNULL | SK_SEARCHNOTNULL)))
			require_column(index, keys[i].sk_attno - 1);
	}
}

/*
 * For ON CONFLICT, which looks values up in the indexes that it names, or in all
 * that are unique. What it compares there asks too, but whether there is
 * something to compare depends on the order of tags.
 */
static void
require_conflicts(const ModifyTableState *state)
{
	const ModifyTable *plan = (const ModifyTable *) state->ps.plan;
	List	   *indexes = plan->arbiterIndexes;
	ListCell   *cell;

	if (plan->onConflictAction == ONCONFLICT_NONE)
		return;
	if (indexes == NIL)
		indexes = RelationGetIndexList(state->rootResultRelInfo->ri_RelationDesc);
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indisunique)
			require_order(index);
		index_close(index, AccessShareLock);
	}
}

static bool
check_scans(PlanState *plan, void *context)
{
	if (IsA(plan, ModifyTableState))
		require_conflicts((ModifyTableState *) plan);
	else if (IsA(plan, IndexScanState))
		require_order(((IndexScanState *) plan)->iss_RelationDesc);
	else if (IsA(plan, IndexOnlyScanState))
		require_order(((IndexOnlyScanState *) plan)->ioss_RelationDesc);
	else if (IsA(plan, BitmapIndexScanState))
	{
		BitmapIndexScanState *scan = (BitmapIndexScanState *) plan;

		require_search(scan->biss_RelationDesc, scan->biss_ScanKeys,
					   scan->biss_NumScanKeys);
	}
	return planstate_tree_walker(plan, check_scans, context);
}

static void
check_plan(PlanState *plan)
{
	(void) check_scans(plan, NULL);
}

/* ---- while a query is planned ---- */

/* One of these rights is needed for a search by a column; for some classes whatever is
 * searched. */
static int
rights_of(const IndexOptInfo *index, int column)
{
	return steward_guard_is_multi_tag(index->relam, index->opfamily[column],
									  index->opcintype[column]) ?
		STEWARD_RIGHT_DECRYPT : RIGHTS;
}

/* Has an index encrypted values, and may the current user use its order? */
static bool
judge_index(const IndexOptInfo *index, bool *allowed)
{
	bool		encrypted = false;

	*allowed = true;
	for (int i = 0; i < index->nkeycolumns; i++)
	{
		Oid			type;
		Oid			collation;
		int32		typmod;
		int32		key_typmod;

		if (!steward_guard_type(index->opcintype[i]))
			continue;
		encrypted = true;
		get_atttypetypmodcoll(index->indexoid, i + 1, &type, &typmod, &collation);
		if (steward_guard_type_takes_key(type, typmod, &key_typmod) && key_typmod > 0)
			*allowed = *allowed &&
				steward_key_allowed((uint32) key_typmod, GetUserId(), rights_of(index, i));
	}
	return encrypted;
}

/*
 * A plan that was made with or without the order of an index is good for this
 * role, until rights change.
 */
static void
limit_indexes(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell   *cell;

	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, cell);
		bool		allowed;

		if (index->hypothetical || !judge_index(index, &allowed))
			continue;
		if (!allowed)
		{
			index->amhasgettuple = false;
			index->amcanparallel = false;

			/*
			 * Skipping through a column compares its values; a blind index
			 * asks for the right whatever is searched.
			 */
			if (STEWARD_SCANS_SKIP || index->relam != BTREE_AM_OID)
				index->amhasgetbitmap = false;
		}
		root->glob->dependsOnRole = true;
		root->glob->relationOids =
			list_append_unique_oid(root->glob->relationOids,
								   steward_key_rights_table());
	}
}

/*
 * The options of an operator class that has none. An index may be read in its order
 * without calling anything of ours; this PostgreSQL calls when it opens one first.
 */
STEWARD_FUNCTION(steward_unique_options)
{
	local_relopts *options = (local_relopts *) PG_GETARG_POINTER(0);

	init_local_reloptions(options, VARHDRSZ);
	PG_RETURN_VOID();
}

void
steward_scan_rights_init(void)
{
	steward_hooks_on_run(check_plan);
	steward_hooks_on_relation(limit_indexes);
}
