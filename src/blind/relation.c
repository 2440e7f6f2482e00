/*
 * relation.c: blind indexes that a caller of SQL names, or that there are; see
 * relation.h.
 */
#include "blind/relation.h"

#include "access/amapi.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/catalog.h"
#include "blind/insert.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

bool
steward_blind_relation_is(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_INDEX &&
		rel->rd_indam->aminsert == steward_blind_insert;
}

static void
check_kind(Relation rel)
{
	if (!steward_blind_relation_is(rel))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a blind index", RelationGetRelationName(rel)),
				 rel->rd_rel->relkind == RELKIND_PARTITIONED_INDEX ?
				 errhint("Name the index of a partition.") : 0));
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" is on a temporary table of another session",
						RelationGetRelationName(rel))));
}

Relation
steward_blind_relation_open(Oid relid, Relation *heap, void (*owners) (Oid heap))
{
	Oid			table = get_rel_relkind(relid) == RELKIND_INDEX ?
		IndexGetRelation(relid, true) : InvalidOid;
	Relation	index;

	if (owners != NULL && OidIsValid(table))
		owners(table);
	*heap = OidIsValid(table) ? try_relation_open(table, AccessShareLock) : NULL;
	index = steward_named_relation_open(relid, AccessShareLock);
	check_kind(index);
	/* The oid may have become another relation's before we had the locks. */
	if (*heap == NULL || table != index->rd_index->indrelid)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of index \"%s\" was dropped meanwhile",
						RelationGetRelationName(index))));
	if (owners != NULL)
		owners(table);
	return index;
}

void
steward_blind_relation_close(Relation index, Relation heap)
{
	relation_close(index, AccessShareLock);
	relation_close(heap, AccessShareLock);
}

void
steward_blind_relation_require_pages(Relation index)
{
	if (RelationGetNumberOfBlocks(index) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" has no pages", RelationGetRelationName(index)),
				 errhint("Where it is not valid, REINDEX or drop it.")));
}

/* The access methods that are ours, by whatever name. */
static bool
is_blind_method(Oid method)
{
	HeapTuple	tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(method));
	bool		is_blind = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_am	form = (Form_pg_am) GETSTRUCT(tuple);

		is_blind = form->amtype == AMTYPE_INDEX &&
			GetIndexAmRoutine(form->amhandler)->aminsert == steward_blind_insert;
		ReleaseSysCache(tuple);
	}
	return is_blind;
}

/* Does it have pages, by an access method of ours? The last method is remembered. */
static bool
is_wanted(Form_pg_class form, Oid *last_method, bool *last_answer)
{
	if (form->relkind != RELKIND_INDEX)
		return false;
	if (form->relam != *last_method)
	{
		*last_method = form->relam;
		*last_answer = is_blind_method(form->relam);
	}
	return *last_answer;
}

List *
steward_blind_relations(void)
{
	Relation	catalog = table_open(RelationRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(catalog, 0, NULL);
	Oid			last_method = InvalidOid;
	bool		last_answer = false;
	List	   *indexes = NIL;
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (is_wanted(form, &last_method, &last_answer))
			indexes = lappend_oid(indexes, form->oid);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	return indexes;
}
