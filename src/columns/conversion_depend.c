/*
 * conversion_depend.c: what depends on a column that is to be converted; see
 * conversion.h.
 *
 * PostgreSQL's own record of dependencies tells; an object of a kind that is not
 * known here is refused, so that nothing is broken by not being thought of.
 */
#include "columns/conversion.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* A NOT NULL constraint, from 18 on; it goes with the column. */
#define CONSTRAINT_OF_NOT_NULL 'n'

static pg_attribute_noreturn() void
refuse(const StewardConversion *conversion, const ObjectAddress *object,
	   const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of table \"%s\" cannot be converted",
					conversion->column, get_rel_name(conversion->relid)),
			 errdetail("It is used by %s, which cannot be carried.",
					   getObjectDescription(object, false)),
			 errhint("%s", hint)));
}

/* A column of a row of a catalog found by its oid; 0 when the row is gone. */
static Datum
catalog_column(Oid class_id, Oid index_id, AttrNumber oid_column, Oid object,
			   AttrNumber column)
{
	Relation	catalog = table_open(class_id, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		value = (Datum) 0;
	bool		isnull;

	ScanKeyInit(&key, oid_column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, index_id, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		value = heap_getattr(tuple, column, RelationGetDescr(catalog), &isnull);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return value;
}

static void
check_relation(StewardConversion *conversion, const ObjectAddress *object)
{
	char		relkind = get_rel_relkind(object->objectId);

	if (object->objectId == conversion->relid)
		refuse(conversion, object, "Drop the generated column, and make it again without this one.");
	if (relkind != RELKIND_INDEX && relkind != RELKIND_PARTITIONED_INDEX)
		refuse(conversion, object, "A sequence can be detached with ALTER SEQUENCE ... OWNED BY NONE.");
	if (list_member_oid(conversion->indexes, object->objectId))
		return;
	steward_conversion_check_index(conversion, object->objectId);
	conversion->indexes = lappend_oid(conversion->indexes, object->objectId);
}

static void
check_default(StewardConversion *conversion, const ObjectAddress *object)
{
	AttrNumber	column = DatumGetInt16(catalog_column(AttrDefaultRelationId,
													  AttrDefaultOidIndexId,
													  Anum_pg_attrdef_oid,
													  object->objectId,
													  Anum_pg_attrdef_adnum));

	if (column != conversion->source)
		refuse(conversion, object, "Drop the generated column, and make it again without this one.");
}

static void
check_constraint(StewardConversion *conversion, const ObjectAddress *object)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID,
										ObjectIdGetDatum(object->objectId));
	char		kind = '\0';

	if (HeapTupleIsValid(tuple))
	{
		kind = ((Form_pg_constraint) GETSTRUCT(tuple))->contype;
		ReleaseSysCache(tuple);
	}
	switch (kind)
	{
		case CONSTRAINT_OF_NOT_NULL:
			return;
		case CONSTRAINT_PRIMARY:
		case CONSTRAINT_UNIQUE:
			refuse(conversion, object,
				   conversion->encrypt ?
				   "Use a unique index in its place, made by CREATE UNIQUE INDEX: it is carried, ON CONFLICT and foreign keys work with it." :
				   "Drop the constraint, and add it again afterwards.");
		case CONSTRAINT_FOREIGN:
			refuse(conversion, object, "Drop the foreign key, convert both columns under one key, make a unique index, and add the foreign key again.");
		case CONSTRAINT_CHECK:
			refuse(conversion, object, "Drop the constraint; one that decrypts can be added as NOT VALID afterwards.");
		default:
			refuse(conversion, object, "Drop the constraint first.");
	}
}

static void
check_rule(StewardConversion *conversion, const ObjectAddress *object)
{
	Oid			relid = DatumGetObjectId(catalog_column(RewriteRelationId,
														RewriteOidIndexId,
														Anum_pg_rewrite_oid,
														object->objectId,
														Anum_pg_rewrite_ev_class));
	ObjectAddress relation;

	ObjectAddressSet(relation, RelationRelationId, relid);
	switch (get_rel_relkind(relid))
	{
		case RELKIND_VIEW:
			steward_conversion_check_view(conversion, relid);
			return;
		case RELKIND_MATVIEW:
			refuse(conversion, &relation, "Drop the materialized view, and make it again afterwards.");
		default:
			refuse(conversion, object, "Drop the rule, and make it again afterwards.");
	}
}

/* Any trigger but the conversion's own. */
static void
check_trigger(StewardConversion *conversion, const ObjectAddress *object)
{
	if (conversion->shadow != InvalidAttrNumber &&
		object->objectId == get_trigger_oid(conversion->relid,
											STEWARD_STEP_TRIGGER, true))
		return;
	refuse(conversion, object, "Drop the trigger, and make it again afterwards.");
}

static void
check_object(StewardConversion *conversion, const ObjectAddress *object)
{
	switch (object->classId)
	{
		case RelationRelationId:
			check_relation(conversion, object);
			return;
		case AttrDefaultRelationId:
			check_default(conversion, object);
			return;
		case ConstraintRelationId:
			check_constraint(conversion, object);
			return;
		case RewriteRelationId:
			check_rule(conversion, object);
			return;
		case TriggerRelationId:
			check_trigger(conversion, object);
			return;
		case PolicyRelationId:
			refuse(conversion, object, "Drop the policy, and make it again afterwards.");
		case StatisticExtRelationId:
			refuse(conversion, object, "Drop the statistics; they keep values of the column.");
		case PublicationRelRelationId:
			refuse(conversion, object, "Take the column out of the publication's column list or row filter.");
		default:
			refuse(conversion, object, "Drop it first.");
	}
}

void
steward_conversion_check_dependents(StewardConversion *conversion, Relation rel)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationGetRelid(rel)));
	ScanKeyInit(&keys[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber,
				F_INT4EQ, Int32GetDatum(conversion->source));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress object = {form->classid, form->objid, form->objsubid};

		check_object(conversion, &object);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}
