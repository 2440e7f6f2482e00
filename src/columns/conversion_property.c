/*
 * conversion_property.c: comment, security labels and privileges, moved from
 * one relation or column to another, and options; see conversion.h.
 *
 * The former are copied as the catalogs hold them: commands could not repeat what
 * somebody else granted.
 */
#include "columns/conversion.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_seclabel.h"
#include "access/reloptions.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "commands/seclabel.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"

struct StewardProperties
{
	char	   *comment;
	List	   *providers;
	List	   *labels;
	Acl		   *acl;
};

/* ---- labels ---- */

static void
read_labels(StewardProperties *properties, Oid relid, AttrNumber attnum)
{
	Relation	catalog = table_open(SecLabelRelationId, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_seclabel_objoid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_seclabel_classoid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[2], Anum_pg_seclabel_objsubid, BTEqualStrategyNumber,
				F_INT4EQ, Int32GetDatum(attnum));
	scan = systable_beginscan(catalog, SecLabelObjectIndexId, true, NULL, 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(catalog);
		bool		isnull;

		properties->providers = lappend(properties->providers,
										TextDatumGetCString(heap_getattr(tuple, Anum_pg_seclabel_provider, desc, &isnull)));
		properties->labels = lappend(properties->labels,
									 TextDatumGetCString(heap_getattr(tuple, Anum_pg_seclabel_label, desc, &isnull)));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

static void
write_labels(const StewardProperties *properties, Oid relid, AttrNumber attnum)
{
	ObjectAddress object = {RelationRelationId, relid, attnum};
	ListCell   *provider;
	ListCell   *label;

	forboth(provider, properties->providers, label, properties->labels)
		SetSecurityLabel(&object, lfirst(provider), lfirst(label));
}

/* ---- privileges ---- */

/* Where the catalogs keep the privileges of a relation or column. */
typedef struct AclPlace
{
	Oid			class_id;
	AttrNumber	column;
	HeapTuple	tuple;			/* to be freed */
	Acl		   *acl;			/* or NULL */
} AclPlace;

static AclPlace
find_acl(Oid relid, AttrNumber attnum)
{
	AclPlace	place = {0};
	int			cache = attnum == 0 ? RELOID : ATTNUM;
	bool		isnull;
	Datum		value;

	place.class_id = attnum == 0 ? RelationRelationId : AttributeRelationId;
	place.column = attnum == 0 ? Anum_pg_class_relacl : Anum_pg_attribute_attacl;
	place.tuple = attnum == 0 ? SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid)) :
		SearchSysCacheCopyAttNum(relid, attnum);
	if (!HeapTupleIsValid(place.tuple))
		elog(ERROR, "cache lookup failed for column %d of relation %u", attnum, relid);
	value = SysCacheGetAttr(cache, place.tuple, place.column, &isnull);
	if (!isnull)
		place.acl = DatumGetAclPCopy(value);
	return place;
}

static Oid
owner_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;

	ReleaseSysCache(tuple);
	return owner;
}

static void
write_acl(const Acl *acl, Oid relid, AttrNumber attnum)
{
	AclPlace	place = find_acl(relid, attnum);
	Relation	catalog = table_open(place.class_id, RowExclusiveLock);
	int			column = place.column;
	Datum		value = PointerGetDatum(acl);
	bool		isnull = acl == NULL;
	Oid		   *before;
	Oid		   *after;
	int			count_before = aclmembers(place.acl, &before);
	int			count_after = aclmembers(acl, &after);
	HeapTuple	changed = heap_modify_tuple_by_cols(place.tuple,
													RelationGetDescr(catalog), 1,
													&column, &value, &isnull);

	CatalogTupleUpdate(catalog, &changed->t_self, changed);
	updateAclDependencies(RelationRelationId, relid, attnum, owner_of(relid),
						  count_before, before, count_after, after);
	table_close(catalog, RowExclusiveLock);
	CommandCounterIncrement();
}

StewardProperties *
steward_properties_read(Oid relid, AttrNumber attnum)
{
	StewardProperties *properties = palloc0(sizeof *properties);
	AclPlace	place = find_acl(relid, attnum);

	properties->acl = place.acl;
	heap_freetuple(place.tuple);
	properties->comment = GetComment(relid, RelationRelationId, attnum);
	read_labels(properties, relid, attnum);
	return properties;
}

void
steward_properties_write(const StewardProperties *properties, Oid relid,
						 AttrNumber attnum)
{
	if (properties->comment != NULL)
		CreateComments(relid, RelationRelationId, attnum, properties->comment);
	write_labels(properties, relid, attnum);
	write_acl(properties->acl, relid, attnum);
}

void
steward_conversion_write_options(StringInfo sql, Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		isnull;
	Datum		options = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions,
										  &isnull);
	List	   *list = isnull ? NIL : untransformRelOptions(options);
	ListCell   *cell;

	ReleaseSysCache(tuple);		/* the list has copies */
	foreach(cell, list)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		appendStringInfo(sql, "%s%s = %s", cell == list_head(list) ? " WITH (" : ", ",
						 quote_identifier(option->defname),
						 quote_literal_cstr(option->arg != NULL ? defGetString(option) : "true"));
	}
	if (list != NIL)
		appendStringInfoChar(sql, ')');
}
