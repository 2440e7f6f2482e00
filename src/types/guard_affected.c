/*
 * guard_affected.c: what a change of a relation changes besides.
 *
 * PostgreSQL names the relation of the command alone. A change of a column goes
 * on to heirs and partitions, whose indexes are built anew; a new attribute of a
 * row type is a new part of every column of that type.
 */
#include "types/guard.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "storage/lockdefs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

static List *add_users_of_type(List *found, Oid type);

bool
steward_guard_has_encrypted(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	bool		found = false;

	relation_close(rel, AccessShareLock);
	for (int i = 0; i < desc->natts && !found; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		found = !att->attisdropped && steward_guard_type(att->atttypid);
	}
	FreeTupleDesc(desc);
	return found;
}

/* A relation, its heirs, and the users of their row types. */
static List *
add_relation(List *found, Oid relid)
{
	ListCell   *cell;

	if (list_member_oid(found, relid))
		return found;
	foreach(cell, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		Oid			heir = lfirst_oid(cell);

		if (list_member_oid(found, heir))
			continue;
		found = lappend_oid(found, heir);
		found = add_users_of_type(found, get_rel_type_id(heir));
	}
	return found;
}

/* Relations with columns of a type, or of arrays and domains of it. */
static List *
add_users_of_type(List *found, Oid type)
{
	Relation	catalog;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(type))
		return found;
	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(TypeRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(type));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend dependent = (Form_pg_depend) GETSTRUCT(tuple);

		if (dependent->classid == RelationRelationId && dependent->objsubid != 0)
			found = add_relation(found, dependent->objid);
		else if (dependent->classid == TypeRelationId)
			found = add_users_of_type(found, dependent->objid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

List *
steward_guard_affected(Oid relid)
{
	if (get_rel_relkind(relid) == '\0' || !steward_guard_has_encrypted(relid))
		return list_make1_oid(relid);
	return add_relation(NIL, relid);
}
