/*
 * guard_create.c: what the DDL guard refuses before PostgreSQL goes on.
 *
 * An event trigger at the end of a command comes too late where the command
 * compares values on its way: the error of a duplicate would tell a guess right
 * before the guard refuses it. PostgreSQL tells of each index, however it comes to
 * be made, between its row in the catalog and its building, of each foreign key
 * before it is checked, and of the choice of an index to cluster on. The caches
 * do not know those rows yet, so they are read as they are.
 *
 * Where nothing is preloaded the trigger at the start of commands loads the
 * library.
 */
#include "types/guard.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "base/hooks.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "types/encrypted.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

bool
steward_guard_row_begin(StewardCatalogRow *row, Oid class_id, Oid index_id,
						AttrNumber column, Oid object)
{
	ScanKeyData key;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	row->catalog = table_open(class_id, AccessShareLock);
	row->scan = systable_beginscan(row->catalog, index_id, true, SnapshotSelf, 1,
								   &key);
	row->tuple = systable_getnext(row->scan);
	return HeapTupleIsValid(row->tuple);
}

void
steward_guard_row_end(StewardCatalogRow *row)
{
	systable_endscan(row->scan);
	table_close(row->catalog, AccessShareLock);
}

typedef void (*JudgeRow) (Relation catalog, HeapTuple row);

static void
judge_index(Relation catalog, HeapTuple row)
{
	steward_guard_index(catalog, row, true);
}

static void
judge(Oid class_id, Oid index_id, AttrNumber column, Oid object, JudgeRow judge_row)
{
	StewardCatalogRow row;

	if (steward_guard_row_begin(&row, class_id, index_id, column, object))
		judge_row(row.catalog, row.tuple);
	steward_guard_row_end(&row);
}

/* Our own script makes indexes before it makes types. */
static bool
guards(void)
{
	Oid			extension;

	if (!IsNormalProcessingMode() || steward_allow_unkeyed_ddl)
		return false;
	extension = steward_extension_oid(true);
	return OidIsValid(extension) &&
		!(creating_extension && CurrentExtensionObject == extension);
}

static void
on_object(int access, Oid class_id, Oid object, int part, void *arg)
{
	bool		created = access == OAT_POST_CREATE;

	if (part != 0 || (!created && access != OAT_POST_ALTER))
		return;
	/* REINDEX CONCURRENTLY makes a copy of an index that is there. */
	if (created && class_id == RelationRelationId && guards() &&
		!steward_hooks_command().rebuilds)
		judge(IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid, object,
			  judge_index);
	else if (created && class_id == ConstraintRelationId && guards())
		judge(ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid,
			  object, steward_guard_foreign_key);
	else if (!created && class_id == IndexRelationId && guards())
		judge(IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid, object,
			  steward_guard_clustered);
}

/* Those inside of others, as in CREATE SCHEMA, have no event trigger. */
static void
on_statement(Node *statement)
{
	steward_guard_unique_statement(statement);
}

STEWARD_FUNCTION(steward_guard_ddl_start)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as an event trigger",
						"guard_ddl_start")));
	steward_hooks_command_begun();
	steward_guard_unique_statement(((EventTriggerData *) fcinfo->context)->parsetree);
	PG_RETURN_NULL();
}

void
steward_guard_create_init(void)
{
	steward_hooks_on_object(on_object);
	steward_hooks_on_utility(on_statement);
}
