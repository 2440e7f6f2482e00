/*
 * guard_blind.c: what the DDL guard knows of the access method blind.
 *
 * It keeps keyed tags, so any encrypted column may be in an index of it. The floor
 * it is on is above this one, so it is looked up in the catalogs.
 */
#include "types/guard.h"

#include "access/htup_details.h"
#include "base/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_proc.h"
#include "commands/defrem.h"
#include "nodes/parsenodes.h"
#include "types/type_info.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define BLIND "blind"
#define VALUE_TAGS_PROC 3		/* as validate.h of that floor has it */

bool
steward_guard_is_blind(Oid method)
{
	HeapTuple	tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(method));
	Form_pg_am	form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_am) GETSTRUCT(tuple);
	/* Anybody's method can have the name, but not our handler. */
	result = strcmp(NameStr(form->amname), BLIND) == 0 &&
		OidIsValid(steward_extension_oid(true)) &&
		getExtensionOfObject(ProcedureRelationId, form->amhandler) == steward_extension_oid(true);
	ReleaseSysCache(tuple);
	return result;
}

bool
steward_guard_is_multi_tag(Oid method, Oid family, Oid type)
{
	return steward_guard_is_blind(method) &&
		OidIsValid(get_opfamily_proc(family, type, type, VALUE_TAGS_PROC));
}

void
steward_guard_raise_blind_expression(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("access method \"%s\" does not support expressions of encrypted values",
					BLIND),
			 errdetail("The tags are made under the key of a column."),
			 errhint("Index the column itself.")));
}

/* The first key column of an encrypted type; its name, or NULL. */
static const char *
encrypted_column(const IndexStmt *statement, const StewardTypeInfo **info)
{
	Oid			relid = RangeVarGetRelid(statement->relation, NoLock, true);
	ListCell   *cell;

	foreach(cell, statement->indexParams)
	{
		const IndexElem *column = lfirst_node(IndexElem, cell);
		AttrNumber	number;

		if (!OidIsValid(relid) || column->name == NULL)
			continue;
		number = get_attnum(relid, column->name);
		if (number <= 0)
			continue;
		*info = steward_type_info(getBaseType(get_atttype(relid, number)));
		if (*info != NULL)
			return column->name;
	}
	return NULL;
}

void
steward_guard_unique_statement(const Node *statement)
{
	const IndexStmt *index = (const IndexStmt *) statement;
	const StewardTypeInfo *info;
	const char *column;

	if (STEWARD_BLIND_UNIQUE || !IsA(statement, IndexStmt) || !index->unique ||
		index->relation == NULL || index->accessMethod == NULL ||
		strcmp(index->accessMethod, BLIND) != 0 ||
		!steward_guard_is_blind(get_index_am_oid(BLIND, true)))
		return;
	column = encrypted_column(index, &info);
	if (column != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("access method \"%s\" does not support unique indexes before PostgreSQL 18",
						BLIND),
				 errhint("Use EXCLUDE USING %s (%s WITH =), or CREATE UNIQUE INDEX with (%s steward.%s), which ON CONFLICT and foreign keys can use.",
						 BLIND, quote_identifier(column), quote_identifier(column),
						 info->unique_class)));
}
