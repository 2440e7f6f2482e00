/*
 * verify.c: blind_index_check: is an index in order?
 *
 * As bt_index_check of contrib/amcheck it takes AccessShareLock alone, so it runs beside
 * readers and writers, and on a standby. It finds what a search would not: what is
 * where it does not belong. What damage makes a search raise, it says more of.
 */
#include "blind/verify.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/argument.h"
#include "blind/relation.h"
#include "utils/snapmgr.h"

void
steward_blind_check_raise(const StewardBlindCheck *check, BlockNumber block,
						  const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is damaged at block %u",
					RelationGetRelationName(check->index), block),
			 errdetail("%s", what),
			 errhint("Please REINDEX it.")));
}

/*
 * Nobody inserts into an index that is not ready, or not live: it is being made or dropped, or
 * what is left of that. An erasure empties such remains.
 */
static bool
is_ready(Relation index)
{
	if (index->rd_index->indisready && index->rd_index->indislive)
		return true;
	ereport(NOTICE,
			(errmsg("index \"%s\" is not ready, and nothing of it is checked",
					RelationGetRelationName(index))));
	return false;
}

/* An index that is being made, or whose making failed, lacks entries. */
static void
check_valid(Relation index)
{
	if (!index->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid", RelationGetRelationName(index)),
				 errhint("Wait until it is made, or REINDEX it.")));
}

/* In recovery an unlogged index has no pages. */
static bool
has_pages(Relation index)
{
	if (index->rd_rel->relpersistence != RELPERSISTENCE_UNLOGGED || !RecoveryInProgress())
		return true;
	ereport(NOTICE,
			(errmsg("unlogged index \"%s\" has no pages during recovery",
					RelationGetRelationName(index))));
	return false;
}

static void
check_index(StewardBlindCheck *check, bool with_heap)
{
	Snapshot	snapshot = NULL;

	check->strategy = GetAccessStrategy(BAS_BULKREAD);
	check->entries = palloc(STEWARD_BLIND_MAX_ENTRIES * sizeof(StewardBlindEntry));
	/* The snapshot first: who committed before it has made the entries. */
	if (with_heap)
		snapshot = steward_blind_check_heap_begin(check);
	steward_blind_check_walk(check);
	if (with_heap)
		steward_blind_check_heap(check, snapshot);
	ereport(DEBUG1,
			(errmsg_internal("index \"%s\": " UINT64_FORMAT " pages, " UINT64_FORMAT
							 " leaves, " UINT64_FORMAT " entries, %.0f rows",
							 RelationGetRelationName(check->index), check->pages,
							 check->leaves, check->entry_count, check->rows)));
	FreeAccessStrategy(check->strategy);
	pfree(check->entries);
}

STEWARD_FUNCTION(steward_blind_index_check)
{
	static const char *const names[] = {"index", "heapallindexed"};
	StewardBlindCheck check = {0};

	steward_require_arguments(fcinfo, lengthof(names), names);
	check.index = steward_blind_relation_open(PG_GETARG_OID(0), &check.heap, NULL);
	if (is_ready(check.index))
	{
		check_valid(check.index);
		if (has_pages(check.index))
			check_index(&check, PG_GETARG_BOOL(1));
	}
	steward_blind_relation_close(check.index, check.heap);
	PG_RETURN_VOID();
}
