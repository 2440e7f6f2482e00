/*
 * ddl_name.c: names in parse trees, and of objects.
 */
#include "audit/ddl.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

char *
steward_ddl_role(const RoleSpec *role)
{
	if (role == NULL)
		return NULL;
	switch (role->roletype)
	{
		case ROLESPEC_CSTRING:
			return role->rolename;
		case ROLESPEC_SESSION_USER:
			return GetUserNameFromId(GetSessionUserId(), true);
		case ROLESPEC_PUBLIC:
			return "public";
		default:				/* CURRENT_USER, CURRENT_ROLE */
			return GetUserNameFromId(GetUserId(), true);
	}
}

List *
steward_ddl_roles(const List *specs)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, specs)
		names = lappend(names, steward_ddl_role(lfirst_node(RoleSpec, cell)));
	return names;
}

/* A qualified name, as a list of String nodes. */
static char *
dotted(const List *names)
{
	StringInfoData name;
	ListCell   *cell;

	initStringInfo(&name);
	foreach(cell, names)
	{
		if (!IsA(lfirst(cell), String))
			return NULL;
		if (name.len > 0)
			appendStringInfoChar(&name, '.');
		appendStringInfoString(&name, quote_identifier(strVal(lfirst(cell))));
	}
	return name.len == 0 ? NULL : name.data;
}

char *
steward_ddl_name(const Node *node)
{
	if (node == NULL)
		return NULL;
	switch (nodeTag(node))
	{
		case T_String:
			return pstrdup(quote_identifier(strVal(node)));
		case T_List:
			return dotted((const List *) node);
		case T_TypeName:
			return dotted(((const TypeName *) node)->names);
		case T_ObjectWithArgs:
			return dotted(((const ObjectWithArgs *) node)->objname);
		default:
			return NULL;
	}
}

char *
steward_ddl_identity(Oid class_id, Oid object, int32 part)
{
	ObjectAddress address = {class_id, object, part};

	return getObjectIdentity(&address, true);
}

char *
steward_ddl_function(const List *name)
{
	Oid			function = LookupFuncName((List *) name, 0, NULL, true);

	return OidIsValid(function) ?
		steward_ddl_identity(ProcedureRelationId, function, 0) : NULL;
}

/* The rows of a catalog with this oid in a column, by an index on it. */
static SysScanDesc
begin_scan(Relation catalog, AttrNumber column, Oid index, Oid wanted)
{
	ScanKeyData key;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(wanted));
	return systable_beginscan(catalog, index, true, NULL, 1, &key);
}

char *
steward_ddl_trigger_function(Oid trigger)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	SysScanDesc scan = begin_scan(catalog, Anum_pg_trigger_oid, TriggerOidIndexId,
								  trigger);
	HeapTuple	tuple = systable_getnext(scan);
	Oid			function = HeapTupleIsValid(tuple) ?
		((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid : InvalidOid;

	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return OidIsValid(function) ?
		steward_ddl_identity(ProcedureRelationId, function, 0) : NULL;
}

List *
steward_ddl_parents(Oid relid)
{
	Relation	catalog = table_open(InheritsRelationId, AccessShareLock);
	SysScanDesc scan = begin_scan(catalog, Anum_pg_inherits_inhrelid,
								  InheritsRelidSeqnoIndexId, relid);
	HeapTuple	tuple;
	List	   *parents = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *parent = steward_ddl_identity(RelationRelationId,
												  ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent,
												  0);

		if (parent != NULL)
			parents = lappend(parents, parent);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return parents;
}
