/*
 * temporary.c: what was made in the session's temporary schema; see temporary.h.
 *
 * Each object depends on its schema, so pg_depend has all of them, whatever their kind.
 */
#include "base/temporary.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "utils/combocid.h"
#include "utils/fmgroids.h"

static bool
made_since(HeapTuple tuple, CommandId since)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)) &&
		HeapTupleHeaderGetCmin(tuple->t_data) >= since;
}

static bool
any_made(Oid schema, CommandId since)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(schema));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = made_since(tuple, since);
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

bool
steward_temporary_made(CommandId since)
{
	Oid			schema;
	Oid			toast;

	/* The transaction's flag for it is not set by the schema's real name. */
	GetTempNamespaceState(&schema, &toast);
	return OidIsValid(schema) && any_made(schema, since);
}
