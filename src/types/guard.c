/*
 * guard.c: the DDL guard, an event trigger.
 *
 * Every column of an encrypted type names its key; no catalog holds a constant
 * of one, for it would be a transient value that anyone who reads the catalog
 * can have opened; no index, statistic or check keeps what decryption gave.
 *
 * The guard runs after each command and looks at the objects that PostgreSQL
 * says the command touched. It looks into the catalogs, not at the command's
 * text, so it makes no difference how something came to be there.
 */
#include "types/guard.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "types/binding.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/*
 * Where a catalog row that is no relation itself says which relation it belongs
 * to: class, column with its oid, index on oid, column with the relation.
 */
typedef struct Belonging
{
	Oid			class_id;
	Oid			index_id;
	AttrNumber	oid_column;
	AttrNumber	relation_column;
} Belonging;

static const Belonging belongings[] = {
	{TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, Anum_pg_trigger_tgrelid},
	{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid, Anum_pg_policy_polrelid},
	{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, Anum_pg_rewrite_ev_class},
	{AttrDefaultRelationId, AttrDefaultOidIndexId, Anum_pg_attrdef_oid, Anum_pg_attrdef_adrelid},
	{ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid, Anum_pg_constraint_conrelid},
	{StatisticExtRelationId, StatisticExtOidIndexId, Anum_pg_statistic_ext_oid, Anum_pg_statistic_ext_stxrelid},
	{PublicationRelRelationId, PublicationRelObjectIndexId, Anum_pg_publication_rel_oid, Anum_pg_publication_rel_prrelid},
};

/* The relation a catalog row belongs to; InvalidOid when it is gone. */
static Oid
owning_relation(const Belonging *belonging, Oid object)
{
	Relation	catalog = table_open(belonging->class_id, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			relation = InvalidOid;

	ScanKeyInit(&key, belonging->oid_column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, belonging->index_id, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		relation = DatumGetObjectId(heap_getattr(tuple,
												 belonging->relation_column,
												 RelationGetDescr(catalog),
												 &isnull));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return relation;
}

static void
guard_affected(Oid relid)
{
	ListCell   *cell;

	foreach(cell, steward_guard_affected(relid))
		steward_guard_relation(lfirst_oid(cell));
}

static void
guard_object(Oid class_id, Oid object)
{
	if (class_id == RelationRelationId)
		guard_affected(object);
	else if (class_id == TypeRelationId)
		steward_guard_type_object(object);
	else if (class_id == ProcedureRelationId)
		steward_guard_function(object);
	else if (class_id == CastRelationId)
		steward_guard_cast(object);
	else if (class_id == PublicationRelationId)
		steward_guard_publication(object);
	for (size_t i = 0; i < lengthof(belongings); i++)
	{
		if (belongings[i].class_id == class_id)
		{
			Oid			relation = owning_relation(&belongings[i], object);

			if (OidIsValid(relation))
				steward_guard_relation(relation);
		}
	}
}

/* Everything of ours is found by the name of its schema, which is this function's. */
static void
guard_schema(Oid class_id, Oid object, Oid function)
{
	char	   *name;

	if (class_id != NamespaceRelationId || object != get_func_namespace(function))
		return;
	name = get_namespace_name(object);
	if (name != NULL && strcmp(name, STEWARD_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("schema \"%s\" cannot be renamed", STEWARD_SCHEMA),
				 errdetail("The extension pg_steward is in it and finds its tables by that name.")));
}

typedef struct Touched
{
	Oid			class_id;
	Oid			object;
	bool		new_trigger;	/* CREATE TRIGGER made or replaced it */
} Touched;

/* The objects that the command touched, copied out of SPI's memory. */
static int
touched_objects(Touched **touched)
{
	MemoryContext caller = CurrentMemoryContext;
	int			count;

	SPI_connect();
	if (SPI_execute("SELECT c.classid, c.objid, pg_catalog.bool_or(c.command_tag OPERATOR(pg_catalog.=) 'CREATE TRIGGER')"
					" FROM pg_catalog.pg_event_trigger_ddl_commands() AS c WHERE c.objid IS NOT NULL GROUP BY 1, 2",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the objects of the command");
	count = (int) SPI_processed;
	*touched = MemoryContextAlloc(caller, Max(count, 1) * sizeof(Touched));
	for (int i = 0; i < count; i++)
	{
		Datum		values[3];
		bool		nulls[3];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values,
						  nulls);
		(*touched)[i].class_id = DatumGetObjectId(values[0]);
		(*touched)[i].object = DatumGetObjectId(values[1]);
		(*touched)[i].new_trigger = DatumGetBool(values[2]);
	}
	SPI_finish();
	return count;
}

STEWARD_FUNCTION(steward_guard_ddl)
{
	Touched    *touched;
	int			count;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as an event trigger", "guard_ddl")));
	if (steward_allow_unkeyed_ddl || !OidIsValid(steward_extension_oid(true)))
		PG_RETURN_NULL();
	count = touched_objects(&touched);
	for (int i = 0; i < count; i++)
	{
		if (touched[i].new_trigger)
			steward_guard_new_trigger(touched[i].object);
		guard_schema(touched[i].class_id, touched[i].object, fcinfo->flinfo->fn_oid);
		guard_object(touched[i].class_id, touched[i].object);
	}
	PG_RETURN_NULL();
}
