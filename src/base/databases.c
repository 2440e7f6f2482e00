/*
 * databases.c: the databases of the cluster; see databases.h.
 */
#include "base/databases.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* -2: an interrupted DROP DATABASE left it. */
static bool
is_connectable(Form_pg_database database)
{
	return database->datallowconn && database->datconnlimit != -2;
}

List *
steward_databases(MemoryContext context)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	table;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	table = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(table, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext before;

		if (!is_connectable(database))
			continue;
		before = MemoryContextSwitchTo(context);
		databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(before);
	}
	table_endscan(scan);
	table_close(table, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return databases;
}

bool
steward_database_connectable(Oid database)
{
	MemoryContext context = CurrentMemoryContext;
	HeapTuple	tuple;
	bool		connectable;

	StartTransactionCommand();
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	connectable = HeapTupleIsValid(tuple) &&
		is_connectable((Form_pg_database) GETSTRUCT(tuple));
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return connectable;
}
