/*
 * ddl_owned.c: what REASSIGN OWNED and DROP OWNED do to each object.
 *
 * Event triggers are told what DROP OWNED drops, and which privileges it revokes on
 * objects of this database; not on shared ones, nor in policies, nor of REASSIGN
 * OWNED. That is listed before the command, by the dependencies that it follows.
 */
#include "audit/ddl.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_default_acl.h"
#include "catalog/pg_parameter_acl.h"
#include "catalog/pg_shdepend.h"
#include "catalog/pg_user_mapping.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"

/* Default privileges and user mappings stay with their role. */
static bool
is_concerned(const FormData_pg_shdepend * row, bool reassign)
{
	if (row->dbid != MyDatabaseId && OidIsValid(row->dbid))
		return false;
	if (reassign)
		return row->deptype == SHARED_DEPENDENCY_OWNER &&
			row->classid != DefaultAclRelationId && row->classid != UserMappingRelationId;
	return row->deptype == SHARED_DEPENDENCY_POLICY ||
		(row->deptype == SHARED_DEPENDENCY_ACL && !OidIsValid(row->dbid));
}

static int
compare(const ListCell *a, const ListCell *b)
{
	const ObjectAddress *left = lfirst(a);
	const ObjectAddress *right = lfirst(b);

	if (left->classId != right->classId)
		return left->classId < right->classId ? -1 : 1;
	return left->objectId < right->objectId ? -1 : left->objectId > right->objectId;
}

/* The objects, as ObjectAddress, in an order that does not depend on the catalog's. */
static List *
objects_of(Oid role, bool reassign)
{
	Relation	catalog = table_open(SharedDependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *objects = NIL;

	ScanKeyInit(&keys[0], Anum_pg_shdepend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(AuthIdRelationId));
	ScanKeyInit(&keys[1], Anum_pg_shdepend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(role));
	scan = systable_beginscan(catalog, SharedDependReferenceIndexId, true, NULL,
							  lengthof(keys), keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		const		FormData_pg_shdepend *row = (FormData_pg_shdepend *) GETSTRUCT(tuple);
		ObjectAddress *object;

		if (!is_concerned(row, reassign))
			continue;
		object = palloc(sizeof(ObjectAddress));
		ObjectAddressSubSet(*object, row->classid, row->objid, row->objsubid);
		objects = lappend(objects, object);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	list_sort(objects, compare);
	return objects;
}

static void
record(Node *statement, const char *role, const ObjectAddress *address)
{
	StewardDdlObject object = {getObjectTypeDescription(address, true)};
	StewardJson json;

	object.class_id = address->classId;
	if (address->classId == ParameterAclRelationId)
		object.type = "setting";	/* as GRANT on one is recorded */
	object.identity = steward_ddl_identity(address->classId, address->objectId,
										   address->objectSubId);
	if (object.type == NULL || object.identity == NULL)
		return;					/* gone meanwhile */
	steward_ddl_begin(&json, "shared", CreateCommandName(statement), &object);
	if (IsA(statement, ReassignOwnedStmt))
	{
		steward_json_text(&json, "old_owner", role);
		steward_json_text(&json, "owner",
						  steward_ddl_role(((ReassignOwnedStmt *) statement)->newrole));
	}
	else
	{
		steward_json_flag(&json, "granted", false);
		steward_json_texts(&json, "grantees", list_make1(unconstify(char *, role)));
	}
	steward_ddl_end(&json);
}

void
steward_ddl_owned(Node *statement)
{
	bool		reassign = IsA(statement, ReassignOwnedStmt);
	const List *roles = reassign ? ((ReassignOwnedStmt *) statement)->roles :
		((DropOwnedStmt *) statement)->roles;
	ListCell   *cell;
	ListCell   *object;

	foreach(cell, steward_ddl_roles(roles))
	{
		const char *role = lfirst(cell);

		foreach(object, objects_of(get_role_oid(role, true), reassign))
			record(statement, role, lfirst(object));
	}
}
