/*
 * conversion_index.c: the indexes over a column that is converted; see
 * conversion.h.
 *
 * Carried is a btree that has the column as it is, for the class of keyed tags
 * serves equality, unique or not. Its predicate may test the column for NULL. A blind
 * index serves encrypted columns alone: it goes before the column is decrypted.
 */
#include "columns/conversion.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opclass.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "types/guard.h"

/* ---- what can be carried ---- */

static pg_attribute_noreturn() void
refuse(const StewardConversion *conversion, Relation index, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of table \"%s\" cannot be converted",
					conversion->column, get_rel_name(conversion->relid)),
			 errdetail("It is used by index %s, which cannot be carried: %s.",
					   RelationGetRelationName(index), why),
			 errhint("Drop the index, and make one that serves afterwards.")));
}

/* All that could be carried but for its partitions: says how to make it anew. */
static pg_attribute_noreturn() void
refuse_partitioned(const StewardConversion *conversion, Relation index)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of table \"%s\" cannot be converted",
					conversion->column, get_rel_name(conversion->relid)),
			 errdetail("It is used by index %s, which cannot be carried: it is partitioned.",
					   RelationGetRelationName(index)),
			 errhint("Drop the index, and run this afterwards:\n%s;",
					 steward_conversion_index_sql(conversion, RelationGetRelid(index),
												  conversion->source,
												  RelationGetRelationName(index),
												  false))));
}

typedef struct UseWalk
{
	const StewardConversion *conversion;
	AttrNumber	replacement;	/* 0 only looks */
	bool		used;			/* in another way than by IS [NOT] NULL */
} UseWalk;

static void
replace(Var *var, const UseWalk *walk)
{
	const StewardConversion *conversion = walk->conversion;

	if (var->varattno != conversion->source || walk->replacement == 0)
		return;
	var->varattno = var->varattnosyn = walk->replacement;
	var->vartype = conversion->target_type;
	var->vartypmod = conversion->target_typmod;
	var->varcollid = get_typcollation(conversion->target_type);
}

static bool
walk_uses(Node *node, UseWalk *walk)
{
	if (node == NULL)
		return false;
	if (IsA(node, NullTest) && IsA(((NullTest *) node)->arg, Var))
	{
		replace((Var *) ((NullTest *) node)->arg, walk);
		return false;
	}
	if (IsA(node, Var))
	{
		AttrNumber	attnum = ((Var *) node)->varattno;

		if (attnum == walk->conversion->source || attnum == 0)
			walk->used = true;
		return false;
	}
	return expression_tree_walker(node, walk_uses, walk);
}

static bool
uses_source(const StewardConversion *conversion, List *expressions)
{
	UseWalk		walk = {.conversion = conversion};

	(void) walk_uses((Node *) expressions, &walk);
	return walk.used;
}

/* The class of keyed tags of an encrypted type. */
static Oid
unique_class(Oid type)
{
	Relation	catalog = table_open(OperatorClassRelationId, AccessShareLock);
	Oid			schema = get_namespace_oid(STEWARD_SCHEMA, false);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			found = InvalidOid;

	ScanKeyInit(&key, Anum_pg_opclass_opcmethod, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(BTREE_AM_OID));
	scan = systable_beginscan(catalog, OpclassAmNameNspIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_opclass form = (Form_pg_opclass) GETSTRUCT(tuple);

		if (form->opcnamespace == schema && form->opcintype == type &&
			!form->opcdefault)
			found = form->oid;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

static oidvector *
index_classes(Relation index)
{
	bool		isnull;

	return (oidvector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID,
														 index->rd_indextuple,
														 Anum_pg_index_indclass,
														 &isnull));
}

static bool
class_is_usual(Oid class, Oid type)
{
	Oid			usual = GetDefaultOpClass(type, BTREE_AM_OID);

	/* varchar has text's. */
	return class == usual ||
		(get_opclass_family(class) == get_opclass_family(usual) &&
		 get_opclass_input_type(class) == get_opclass_input_type(usual));
}

static void
check_keys(const StewardConversion *conversion, Relation index)
{
	oidvector  *classes = index_classes(index);

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		if (index->rd_index->indkey.values[i] != conversion->source)
			continue;
		if (conversion->encrypt &&
			!class_is_usual(classes->values[i], conversion->source_type))
			refuse(conversion, index, "its operator class serves more than equality");
	}
}

void
steward_conversion_check_index(const StewardConversion *conversion, Oid relid)
{
	Relation	index = relation_open(relid, AccessShareLock);

	if (index->rd_rel->relam != BTREE_AM_OID)
		refuse(conversion, index, "it is no btree");
	if (index->rd_rel->relkind == RELKIND_INDEX && !index->rd_index->indisvalid)
		refuse(conversion, index, "it is invalid");
	if (index->rd_index->indisreplident)
		refuse(conversion, index, "it is the replica identity");
	if (uses_source(conversion, RelationGetIndexExpressions(index)))
		refuse(conversion, index, "the column is part of an expression");
	if (uses_source(conversion, RelationGetIndexPredicate(index)))
		refuse(conversion, index, "its predicate looks at values of the column");
	check_keys(conversion, index);
	if (index->rd_rel->relkind != RELKIND_INDEX)
		refuse_partitioned(conversion, index);
	relation_close(index, NoLock);
}

/* ---- how it is to be afterwards ---- */

static char *
column_name(const StewardConversion *conversion, AttrNumber attnum,
			AttrNumber replacement)
{
	if (attnum == conversion->source)
		attnum = replacement;
	return pstrdup(quote_identifier(get_attname(conversion->relid, attnum, false)));
}

/* The class of a key column that has the place of the source. */
static Oid
new_class(const StewardConversion *conversion)
{
	return conversion->encrypt ? unique_class(conversion->target_type) :
		GetDefaultOpClass(conversion->target_type, BTREE_AM_OID);
}

static void
append_key(StringInfo sql, const StewardConversion *conversion, Relation index,
		   int i, AttrNumber replacement)
{
	AttrNumber	attnum = index->rd_index->indkey.values[i];
	Oid			collation = index->rd_indcollation[i];
	int16		option = index->rd_indoption[i];

	if (attnum == conversion->source)
	{
		appendStringInfo(sql, "%s %s", column_name(conversion, attnum, replacement),
						 generate_opclass_name(new_class(conversion)));
		return;
	}
	if (attnum != 0)
		appendStringInfoString(sql, column_name(conversion, attnum, replacement));
	else
		appendStringInfo(sql, "(%s)",
						 TextDatumGetCString(OidFunctionCall3(F_PG_GET_INDEXDEF_OID_INT4_BOOL,
															  ObjectIdGetDatum(RelationGetRelid(index)),
															  Int32GetDatum(i + 1),
															  BoolGetDatum(false))));
	if (OidIsValid(collation))
		appendStringInfo(sql, " COLLATE %s", generate_collation_name(collation));
	appendStringInfo(sql, " %s", generate_opclass_name(index_classes(index)->values[i]));
	if (option & INDOPTION_DESC)
		appendStringInfoString(sql, " DESC");
	appendStringInfoString(sql, option & INDOPTION_NULLS_FIRST ?
						   " NULLS FIRST" : " NULLS LAST");
}

static void
append_columns(StringInfo sql, const StewardConversion *conversion,
			   Relation index, AttrNumber replacement)
{
	int			keys = index->rd_index->indnkeyatts;
	int			all = index->rd_index->indnatts;

	for (int i = 0; i < all; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, i == keys ? ") INCLUDE (" : ", ");
		if (i < keys)
			append_key(sql, conversion, index, i, replacement);
		else
			appendStringInfoString(sql, column_name(conversion,
													index->rd_index->indkey.values[i],
													replacement));
	}
}

static void
append_options(StringInfo sql, Relation index)
{
	steward_conversion_write_options(sql, RelationGetRelid(index));
	/* Where default_tablespace is set, the database's own must be said. */
	if (OidIsValid(index->rd_rel->reltablespace) ||
		OidIsValid(GetDefaultTablespace(index->rd_rel->relpersistence, false)))
		appendStringInfo(sql, " TABLESPACE %s",
						 quote_identifier(get_tablespace_name(OidIsValid(index->rd_rel->reltablespace) ?
															  index->rd_rel->reltablespace : MyDatabaseTableSpace)));
}

/* The predicate as an expression over the column that takes the place. */
static List *
new_predicate(const StewardConversion *conversion, Relation index,
			  AttrNumber replacement)
{
	UseWalk		walk = {.conversion = conversion, .replacement = replacement};
	List	   *predicate = copyObject(RelationGetIndexPredicate(index));

	(void) walk_uses((Node *) predicate, &walk);
	return predicate;
}

char *
steward_conversion_index_sql(const StewardConversion *conversion, Oid relid,
							 AttrNumber column, const char *name,
							 bool concurrently)
{
	Relation	index = relation_open(relid, AccessShareLock);
	List	   *predicate = new_predicate(conversion, index, column);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE %sINDEX %s%s%sON %s USING btree (",
					 index->rd_index->indisunique ? "UNIQUE " : "",
					 concurrently ? "CONCURRENTLY " : "",
					 name != NULL ? quote_identifier(name) : "",
					 name != NULL ? " " : "",
					 steward_conversion_table(conversion->relid));
	append_columns(&sql, conversion, index, column);
	appendStringInfoChar(&sql, ')');
	if (index->rd_index->indnullsnotdistinct)
		appendStringInfoString(&sql, " NULLS NOT DISTINCT");
	append_options(&sql, index);
	if (predicate != NIL)
		appendStringInfo(&sql, " WHERE %s",
						 deparse_expression((Node *) make_ands_explicit(predicate),
											deparse_context_for(get_rel_name(conversion->relid),
																conversion->relid),
											false, false));
	relation_close(index, NoLock);
	return sql.data;
}

/* ---- whether there is one ---- */

static bool
same_keys(const StewardConversion *conversion, Relation old, Relation new)
{
	oidvector  *old_classes = index_classes(old);
	oidvector  *new_classes = index_classes(new);

	for (int i = 0; i < old->rd_index->indnatts; i++)
	{
		AttrNumber	attnum = old->rd_index->indkey.values[i];
		bool		source = attnum == conversion->source;

		if (new->rd_index->indkey.values[i] != (source ? conversion->shadow : attnum))
			return false;
		if (i >= old->rd_index->indnkeyatts)
			continue;
		if (new_classes->values[i] != (source ? new_class(conversion) : old_classes->values[i]))
			return false;
		if (!source && (new->rd_indoption[i] != old->rd_indoption[i] ||
						new->rd_indcollation[i] != old->rd_indcollation[i]))
			return false;
	}
	return true;
}

static bool
is_counterpart(const StewardConversion *conversion, Relation old, Relation new)
{
	Form_pg_index a = old->rd_index;
	Form_pg_index b = new->rd_index;

	return new->rd_rel->relam == BTREE_AM_OID && b->indisvalid && b->indisready &&
		!b->indisprimary && !b->indisexclusion &&
		a->indisunique == b->indisunique &&
		a->indnullsnotdistinct == b->indnullsnotdistinct &&
		a->indnatts == b->indnatts && a->indnkeyatts == b->indnkeyatts &&
		same_keys(conversion, old, new) &&
		equal(RelationGetIndexExpressions(old), RelationGetIndexExpressions(new)) &&
		equal(new_predicate(conversion, old, conversion->shadow),
			  RelationGetIndexPredicate(new));
}

Oid
steward_conversion_find_index(const StewardConversion *conversion, Oid relid,
							  List *taken)
{
	Relation	rel = relation_open(conversion->relid, AccessShareLock);
	Relation	old = relation_open(relid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(rel);
	Oid			found = InvalidOid;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	new;

		if (OidIsValid(found) || list_member_oid(taken, lfirst_oid(cell)))
			continue;
		new = relation_open(lfirst_oid(cell), AccessShareLock);
		if (is_counterpart(conversion, old, new))
			found = lfirst_oid(cell);
		relation_close(new, NoLock);
	}
	relation_close(old, NoLock);
	relation_close(rel, NoLock);
	return found;
}

/* ---- what an index has besides ---- */

struct StewardIndex
{
	char	   *name;
	bool		clustered;
	StewardProperties *properties;
	int			count;			/* of columns */
	int		   *statistics;		/* targets; negative is the usual one */
};

/* Only those of expressions can be set, and these stay where they are. */
static int
statistics_target(Oid index, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCacheAttNum(index, column);
	bool		isnull;
	Datum		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget,
										&isnull);
	int			target = isnull ? -1 : STEWARD_STATISTICS_TARGET_VALUE(value);

	ReleaseSysCache(tuple);
	return target;
}

StewardIndex *
steward_index_read(Oid relid)
{
	StewardIndex *result = palloc0(sizeof *result);
	Relation	index = relation_open(relid, AccessShareLock);

	result->name = pstrdup(RelationGetRelationName(index));
	result->clustered = index->rd_index->indisclustered;
	result->properties = steward_properties_read(relid, 0);
	result->count = index->rd_index->indnatts;
	result->statistics = palloc(result->count * sizeof(int));
	for (int i = 0; i < result->count; i++)
		result->statistics[i] = statistics_target(relid, i + 1);
	relation_close(index, NoLock);
	return result;
}

const char *
steward_index_name(const StewardIndex *index)
{
	return index->name;
}

/* Rows may lie in the order of plaintext, but not in that of keyed tags. */
static void
write_clustered(const StewardIndex *index, Oid table, Oid successor)
{
	StewardCatalogRow row;
	bool		tags = steward_guard_row_begin(&row, IndexRelationId, IndexRelidIndexId,
											   Anum_pg_index_indexrelid, successor) &&
	steward_guard_orders_tags(row.catalog, row.tuple);

	steward_guard_row_end(&row);
	if (!tags)
		steward_conversion_execute("ALTER TABLE %s CLUSTER ON %s",
								   steward_conversion_table(table),
								   quote_identifier(index->name));
	else
		ereport(WARNING,
				(errmsg("table \"%s\" is not clustered on index \"%s\" any more",
						get_rel_name(table), index->name),
				 errdetail("The order of the rows would tell whoever reads the table which values are equal.")));
}

void
steward_index_write(const StewardIndex *index, Oid table, Oid successor)
{
	if (strcmp(get_rel_name(successor), index->name) != 0)
		steward_conversion_execute("ALTER INDEX %s RENAME TO %s",
								   steward_conversion_table(successor),
								   quote_identifier(index->name));
	if (index->clustered)
		write_clustered(index, table, successor);
	for (int i = 0; i < index->count; i++)
	{
		if (index->statistics[i] >= 0)
			steward_conversion_execute("ALTER INDEX %s ALTER COLUMN %d SET STATISTICS %d",
									   steward_conversion_table(successor), i + 1,
									   index->statistics[i]);
	}
	steward_properties_write(index->properties, successor, 0);
}
