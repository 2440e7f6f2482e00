/*
 * handler.c: what PostgreSQL is told of the access method.
 */
#include "blind/blind.h"

#include "access/amapi.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "blind/build.h"
#include "blind/cost.h"
#include "blind/insert.h"
#include "blind/options.h"
#include "blind/scan.h"
#include "blind/vacuum.h"
#include "blind/validate.h"
#include "catalog/pg_amop.h"
#include "commands/vacuum.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

void
steward_blind_init(void)
{
	steward_blind_options_init();
}

/* Strategies are numbered by validate.h; entries have no order that SQL knows. */
static void
set_properties(IndexAmRoutine *am)
{
	am->amstrategies = 0;
	am->amsupport = STEWARD_BLIND_PROCS;
	am->amoptsprocnum = STEWARD_BLIND_OPTIONS_PROC;
	am->amcanunique = STEWARD_BLIND_UNIQUE;
	am->amcanmulticol = true;

	/*
	 * Without a condition PostgreSQL would count rows by an index-only scan,
	 * which pins no leaf.
	 */
	am->amoptionalkey = false;
	am->amsearcharray = true;
	am->amsearchnulls = true;
	am->ampredlocks = true;
	am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
	am->amkeytype = InvalidOid;
	STEWARD_SET_BUILDS_PARALLEL(am);
}

/* ---- which strategy is equality ---- */

/* Classes for patterns have none; whoever is told of one looks for its operator. */
static bool
has_equality(Oid family)
{
	CatCList   *operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
	bool		found = false;

	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop form = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		found = found || form->amopstrategy == STEWARD_BLIND_EQUAL;
	}
	ReleaseSysCacheList(operators);
	return found;
}

/*
 * These serve ON CONFLICT, foreign keys, replica identities. An order, which classes for
 * ranges have the operators of, is not told: the index has none.
 */
static StewardComparison
comparison_of(StrategyNumber strategy, Oid family)
{
	return strategy == STEWARD_BLIND_EQUAL ? STEWARD_COMPARE_EQUAL : STEWARD_COMPARE_NONE;
}

static StrategyNumber
strategy_of(StewardComparison comparison, Oid family)
{
	return comparison == STEWARD_COMPARE_EQUAL && has_equality(family) ?
		STEWARD_BLIND_EQUAL : InvalidStrategy;
}

STEWARD_FUNCTION(steward_blind_handler)
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);

	set_properties(am);
	am->ambuild = steward_blind_build;
	am->ambuildempty = steward_blind_build_empty;
	am->aminsert = steward_blind_insert;
	am->ambulkdelete = steward_blind_bulk_delete;
	am->amvacuumcleanup = steward_blind_vacuum_cleanup;
	am->amcostestimate = steward_blind_cost;
	am->amoptions = steward_blind_options;
	am->ambuildphasename = steward_blind_build_phase;
	am->amvalidate = steward_blind_validate;
	am->amadjustmembers = steward_blind_adjust_members;
	am->ambeginscan = steward_blind_begin_scan;
	am->amrescan = steward_blind_rescan;
	am->amgettuple = steward_blind_get_tuple;
	am->amgetbitmap = steward_blind_get_bitmap;
	am->amendscan = steward_blind_end_scan;
	STEWARD_TELL_COMPARISONS(am, comparison_of, strategy_of);
	PG_RETURN_POINTER(am);
}
