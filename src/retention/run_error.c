/*
 * run_error.c: what an error was about; see run_error.h.
 */
#include "retention/run_error.h"

#include "access/attnum.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* "table public.session", as names are written in SQL. */
static void
add(StringInfo text, const char *kind, const char *schema, const char *name)
{
	appendStringInfo(text, "%s%s %s", text->len == 0 ? "" : ", ", kind,
					 quote_qualified_identifier(schema, name));
}

static void
add_type(StringInfo text, const ErrorData *error, Oid schema)
{
	if (error->datatype_name != NULL &&
		OidIsValid(GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
								   CStringGetDatum(error->datatype_name),
								   ObjectIdGetDatum(schema))))
		add(text, "type", error->schema_name, error->datatype_name);
}

/* A constraint of the table, or a unique index, which is named as one. */
static bool
table_has(const ErrorData *error, Oid table, Oid schema)
{
	return OidIsValid(get_relation_constraint_oid(table, error->constraint_name, true)) ||
		OidIsValid(get_relname_relid(error->constraint_name, schema));
}

/* Has this type, a domain, a constraint of that name? */
static bool
domain_has(const ErrorData *error, Oid schema)
{
	Oid			type = InvalidOid;

	if (error->datatype_name != NULL)
		type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
							   CStringGetDatum(error->datatype_name),
							   ObjectIdGetDatum(schema));
	return OidIsValid(type) &&
		OidIsValid(get_domain_constraint_oid(type, error->constraint_name, true));
}

char *
steward_run_error(const ErrorData *error)
{
	StringInfoData text;
	Oid			schema;
	Oid			table = InvalidOid;

	initStringInfo(&text);
	if (error->schema_name == NULL)
		return NULL;
	schema = get_namespace_oid(error->schema_name, true);
	if (!OidIsValid(schema))
		return NULL;
	if (error->table_name != NULL)
		table = get_relname_relid(error->table_name, schema);
	if (OidIsValid(table))
		add(&text, "table", error->schema_name, error->table_name);
	if (OidIsValid(table) && error->column_name != NULL &&
		get_attnum(table, error->column_name) != InvalidAttrNumber)
		add(&text, "column", NULL, error->column_name);
	add_type(&text, error, schema);
	if (error->constraint_name != NULL &&
		(OidIsValid(table) ? table_has(error, table, schema) : domain_has(error, schema)))
		add(&text, "constraint", NULL, error->constraint_name);
	return text.len == 0 ? NULL : text.data;
}
