/*
 * conversion_attribute.c: what a column has besides its values, given to the
 * column that takes its place; see conversion.h.
 */
#include "columns/conversion.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/toast_compression.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "types/guard.h"

/* A NOT NULL constraint, from 18 on. */
#define CONSTRAINT_OF_NOT_NULL 'n'

struct StewardAttribute
{
	bool		not_null;
	char	   *not_null_name;	/* of the constraint, or NULL */
	char	   *default_sql;	/* or NULL */
	int			statistics;		/* negative is the usual target */
	const char *storage;		/* or NULL, the usual one */
	const char *compression;	/* or NULL, the server's */
	List	   *options;		/* DefElem */
	StewardProperties *properties;
};

/* Does this default become one of the encrypted type only by its last step? */
static bool
is_encrypted_at_last(Node *expression)
{
	FuncExpr   *call = (FuncExpr *) expression;

	return IsA(expression, FuncExpr) &&
		call->funcformat == COERCE_IMPLICIT_CAST &&
		!steward_guard_type(exprType(linitial(call->args)));
}

static char *
read_default(const StewardConversion *conversion, Relation rel)
{
	Node	   *expression;

	if (!TupleDescAttr(RelationGetDescr(rel), conversion->source - 1)->atthasdef)
		return NULL;
	expression = build_column_default(rel, conversion->source);
	if (expression == NULL)
		return NULL;
	if (!conversion->encrypt && !is_encrypted_at_last(expression))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of table \"%s\" cannot be converted",
						conversion->column, RelationGetRelationName(rel)),
				 errdetail("Its default is an expression of an encrypted type, which cannot be carried."),
				 errhint("Drop the default first.")));
	/* Casts that were added implicitly are not shown. */
	return deparse_expression(expression, NIL, false, false);
}

static const char *
storage_name(char storage)
{
	switch (storage)
	{
		case TYPSTORAGE_PLAIN:
			return "PLAIN";
		case TYPSTORAGE_EXTERNAL:
			return "EXTERNAL";
		case TYPSTORAGE_EXTENDED:
			return "EXTENDED";
		default:
			return "MAIN";
	}
}

/* Storage that somebody chose, where the target type has a choice. */
static const char *
read_storage(const StewardConversion *conversion, Form_pg_attribute att)
{
	if (att->attstorage == get_typstorage(att->atttypid) ||
		att->attstorage == TYPSTORAGE_PLAIN ||
		get_typstorage(conversion->target_type) == TYPSTORAGE_PLAIN)
		return NULL;
	return storage_name(att->attstorage);
}

/* A method that somebody chose; it is kept for the way back too. */
static const char *
read_compression(const StewardConversion *conversion, Form_pg_attribute att)
{
	if (!CompressionMethodIsValid(att->attcompression) ||
		get_typstorage(conversion->target_type) == TYPSTORAGE_PLAIN)
		return NULL;
	return GetCompressionMethodName(att->attcompression);
}

/* Name of a column's NOT NULL constraint, or NULL. */
static char *
not_null_constraint(Oid relid, AttrNumber attnum)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *name = NULL;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, ConstraintRelidTypidNameIndexId, true, NULL,
							  1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);
		bool		isnull;
		Datum		columns;

		if (form->contype != CONSTRAINT_OF_NOT_NULL)
			continue;
		columns = heap_getattr(tuple, Anum_pg_constraint_conkey,
							   RelationGetDescr(catalog), &isnull);
		if (!isnull && *(int16 *) ARR_DATA_PTR(DatumGetArrayTypeP(columns)) == attnum)
			name = pstrdup(NameStr(form->conname));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return name;
}

StewardAttribute *
steward_attribute_read(const StewardConversion *conversion)
{
	StewardAttribute *attribute = palloc0(sizeof *attribute);
	Relation	rel = relation_open(conversion->relid, AccessShareLock);
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel),
										  conversion->source - 1);
	HeapTuple	tuple = SearchSysCacheAttNum(conversion->relid, conversion->source);
	bool		isnull;
	Datum		value;

	attribute->not_null = att->attnotnull;
	attribute->not_null_name = not_null_constraint(conversion->relid,
												   conversion->source);
	attribute->default_sql = read_default(conversion, rel);
	attribute->storage = read_storage(conversion, att);
	attribute->compression = read_compression(conversion, att);
	value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget, &isnull);
	attribute->statistics = isnull ? -1 : STEWARD_STATISTICS_TARGET_VALUE(value);
	value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attoptions, &isnull);
	attribute->options = isnull ? NIL : untransformRelOptions(value);
	attribute->properties = steward_properties_read(conversion->relid,
													conversion->source);
	ReleaseSysCache(tuple);
	relation_close(rel, NoLock);
	return attribute;
}

bool
steward_attribute_not_null(const StewardAttribute *attribute)
{
	return attribute->not_null;
}

void
steward_attribute_try_default(const StewardAttribute *attribute,
							  const StewardConversion *conversion,
							  AttrNumber column)
{
	char	   *table = steward_conversion_table(conversion->relid);
	const char *name = quote_identifier(get_attname(conversion->relid, column, false));

	if (attribute->default_sql == NULL)
		return;
	steward_conversion_execute("ALTER TABLE ONLY %s ALTER COLUMN %s SET DEFAULT %s",
							   table, name, attribute->default_sql);
	steward_conversion_execute("ALTER TABLE ONLY %s ALTER COLUMN %s DROP DEFAULT",
							   table, name);
}

/* What the catalog row of a column keeps when its type changes in place. */
static void
write_rest(const StewardAttribute *attribute, const StewardConversion *conversion,
		   AttrNumber column, const char *table, const char *name)
{
	char	   *constraint = not_null_constraint(conversion->relid, column);
	ListCell   *cell;

	if (attribute->not_null_name != NULL && constraint != NULL &&
		strcmp(attribute->not_null_name, constraint) != 0)
		steward_conversion_execute("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", table,
								   quote_identifier(constraint),
								   quote_identifier(attribute->not_null_name));
	if (attribute->statistics >= 0)
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s SET STATISTICS %d",
								   table, name, attribute->statistics);
	foreach(cell, attribute->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		/* The only ones that users set. */
		if (strcmp(option->defname, "n_distinct") != 0 &&
			strcmp(option->defname, "n_distinct_inherited") != 0)
			continue;
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s SET (%s = %s)",
								   table, name, quote_identifier(option->defname),
								   quote_literal_cstr(defGetString(option)));
	}
	steward_properties_write(attribute->properties, conversion->relid, column);
}

void
steward_attribute_write(const StewardAttribute *attribute,
						const StewardConversion *conversion, AttrNumber column,
						bool all)
{
	char	   *table = steward_conversion_table(conversion->relid);
	char	   *name = pstrdup(quote_identifier(get_attname(conversion->relid, column, false)));

	if (attribute->default_sql != NULL)
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s",
								   table, name, attribute->default_sql);
	if (attribute->storage != NULL)
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s SET STORAGE %s",
								   table, name, attribute->storage);
	if (attribute->compression != NULL)
		steward_conversion_execute("ALTER TABLE %s ALTER COLUMN %s SET COMPRESSION %s",
								   table, name, attribute->compression);
	if (all)
		write_rest(attribute, conversion, column, table, name);
}
