/*
 * ddl_catalog.c: system catalogs that are changed by INSERT, UPDATE, DELETE.
 *
 * Superusers can do that, and switch off a trigger without any command that would
 * be recorded. It is told which catalog, before the statement runs.
 */
#include "audit/ddl.h"

#include "base/executor.h"
#include "base/guc.h"
#include "base/hooks.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "parser/parsetree.h"

static void
record_catalog(const PlannedStmt *statement, Oid catalog)
{
	StewardDdlObject object = {"table", "pg_catalog"};
	StewardJson json;

	if (!steward_ddl_log_open())
		return;
	if (!steward_audit_ddl)
	{
		steward_ddl_unrecorded();
		return;
	}
	object.identity = steward_ddl_identity(RelationRelationId, catalog, 0);
	object.class_id = RelationRelationId;
	object.in_extension = creating_extension;
	/* SELECT: in a WITH clause */
	steward_ddl_begin(&json, "catalog", steward_query_command(statement->commandType),
					  &object);
	steward_ddl_end(&json);
}

/* A plan of a query that changes no table has no result relations. */
static void
on_run(PlanState *plan)
{
	const PlannedStmt *statement = plan->state->es_plannedstmt;
	ListCell   *cell;

	if (likely(statement->resultRelations == NIL) || IsBinaryUpgrade)
		return;
	foreach(cell, statement->resultRelations)
	{
		Oid			relid = rt_fetch(lfirst_int(cell), statement->rtable)->relid;

		if (unlikely(IsCatalogRelationOid(relid)))
			record_catalog(statement, relid);
	}
}

void
steward_ddl_catalog_init(void)
{
	steward_hooks_on_run(on_run);
}
