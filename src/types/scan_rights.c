/*
 * scan_rights.c: the right to search an index of encrypted values.
 *
 * What a unique index calls checks no right, for whoever may INSERT keeps it up
 * to date. A search compares too, and where it ends tells on which side of the
 * searched value's tag a stored one lies, row by row in an index with a column
 * before. So whoever runs a plan that searches one must have the right. Upkeep
 * of indexes and the checks of uniqueness run no plan.
 */
#include "base/compat.h"

#include "access/skey.h"
#include "base/hooks.h"
#include "keys/keys.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "types/encrypted.h"
#include "types/guard.h"
#include "utils/rel.h"

static void
require_search(Relation index, ScanKey keys, int count)
{
	for (int i = 0; index != NULL && i < count; i++)
	{
		int			column = keys[i].sk_attno - 1;
		Form_pg_attribute att;
		int32		key_typmod;

		/* A row comparison keeps its columns in a list of its own. */
		if (keys[i].sk_flags & SK_ROW_HEADER)
		{
			ScanKey		member = (ScanKey) DatumGetPointer(keys[i].sk_argument);

			do
				require_search(index, member, 1);
			while (!((member++)->sk_flags & SK_ROW_END));
			continue;
		}
		if ((keys[i].sk_flags & (SK_SEARCHNULL | SK_SEARCHNOTNULL)) ||
			!steward_guard_type(index->rd_opcintype[column]))
			continue;
		att = TupleDescAttr(RelationGetDescr(index), column);
		if (steward_guard_type_takes_key(att->atttypid, att->atttypmod,
										 &key_typmod) && key_typmod > 0)
			steward_key_require((uint32) key_typmod,
								STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	}
}

static bool
check_scans(PlanState *plan, void *context)
{
	if (IsA(plan, IndexScanState))
	{
		IndexScanState *scan = (IndexScanState *) plan;

		require_search(scan->iss_RelationDesc, scan->iss_ScanKeys,
					   scan->iss_NumScanKeys);
	}
	else if (IsA(plan, IndexOnlyScanState))
	{
		IndexOnlyScanState *scan = (IndexOnlyScanState *) plan;

		require_search(scan->ioss_RelationDesc, scan->ioss_ScanKeys,
					   scan->ioss_NumScanKeys);
	}
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

void
steward_scan_rights_init(void)
{
	steward_hooks_on_run(check_plan);
}
