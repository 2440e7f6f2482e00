/*
 * guard_index.c: what the DDL guard refuses about indexes and foreign keys.
 *
 * An encrypted column may be in a btree of the classes for unique indexes, and in
 * an index of the access method blind. One that is not unique shows whoever makes it
 * nothing, and each search of it asks for the right; and it finds no erased values, so
 * it may be on columns that are bound to subjects.
 *
 * Whoever makes a unique index has PostgreSQL compare the rows that are there,
 * and whoever makes a foreign key may ask with each row of his own whether
 * another table has its value. Both need the right to search, and are asked for
 * it before PostgreSQL compares anything (see guard_create.c).
 */
#include "types/guard.h"

#include "access/htup_details.h"
#include "base/catalog.h"
#include "base/hooks.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opclass.h"
#include "keys/keys.h"
#include "nodes/nodeFuncs.h"
#include "types/binding.h"
#include "types/type_info.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

bool
steward_guard_unique_class(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	result = steward_is_unique_class(NameStr(form->opcname)) &&
		strcmp(get_namespace_name(form->opcnamespace), STEWARD_SCHEMA) == 0;
	ReleaseSysCache(tuple);
	return result;
}

/* What to do instead, if there is something; as an argument of ereport. */
static int
hint_index(Oid heap, const char *column, const StewardTypeInfo *info)
{
	/* The search path is that of the building, from 17 on, not the caller's. */
	const char *schema = get_namespace_name(get_rel_namespace(heap));

	if (info == NULL)
		return 0;
	if (column == NULL)
		return errhint("An index can have a column itself: USING blind to search it, or of class steward.%s to keep it unique.",
					   info->unique_class);
	return errhint("To search it, use CREATE INDEX ON %s USING blind (%s). To keep it unique, use CREATE UNIQUE INDEX ON %s (%s steward.%s); ON CONFLICT and foreign keys work with it.",
				   quote_qualified_identifier(schema, get_rel_name(heap)),
				   quote_identifier(column),
				   quote_qualified_identifier(schema, get_rel_name(heap)),
				   quote_identifier(column), info->unique_class);
}

void
steward_guard_raise_index(Oid heap, AttrNumber column, Oid type)
{
	const char *name = column > 0 ? get_attname(heap, column, true) : NULL;

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("encrypted column \"%s\" cannot have this index",
					name != NULL ? name : "(expression)"),
			 errdetail("It would keep the order or the hashes of the plaintext, and no PRIMARY KEY or UNIQUE constraint can use the class that does not."),
			 hint_index(heap, name, steward_type_info(getBaseType(type)))));
}

/*
 * Asks for the right to search under the key of this type. It is the one who runs
 * the command that needs it: PostgreSQL builds an index as the table's owner, and
 * a superuser or another member may make one for an owner who has no right.
 */
static void
require_search(Oid type, int32 typmod)
{
	int32		key_typmod;

	if (steward_guard_type_takes_key(type, typmod, &key_typmod) && key_typmod > 0)
		steward_key_require_of((uint32) key_typmod, steward_hooks_command().role,
							   STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
}

static oidvector *
classes_of(Relation catalog, HeapTuple tuple)
{
	bool		isnull;

	return (oidvector *) DatumGetPointer(heap_getattr(tuple,
													  Anum_pg_index_indclass,
													  RelationGetDescr(catalog),
													  &isnull));
}

/* Also of an index that is being made, which no cache knows yet. */
static const char *
index_name(Oid index)
{
	StewardCatalogRow row;
	const char *name = "";

	if (steward_guard_row_begin(&row, RelationRelationId, ClassOidIndexId,
								Anum_pg_class_oid, index))
		name = pstrdup(NameStr(((Form_pg_class) GETSTRUCT(row.tuple))->relname));
	steward_guard_row_end(&row);
	return name;
}

Oid
steward_guard_method_of(Oid index)
{
	StewardCatalogRow row;
	Oid			method = InvalidOid;

	if (steward_guard_row_begin(&row, RelationRelationId, ClassOidIndexId,
								Anum_pg_class_oid, index))
		method = ((Form_pg_class) GETSTRUCT(row.tuple))->relam;
	steward_guard_row_end(&row);
	return method;
}

/* May a column itself be in the index, by what the index is? */
static bool
index_serves(Form_pg_index form, Oid opclass, bool blind)
{
	return blind || (steward_guard_unique_class(opclass) && !form->indisexclusion);
}

/* A column of an index; expression is NULL unless it is one. */
static void
guard_column(Form_pg_index form, AttrNumber column, Node *expression,
			 Oid opclass, bool before_build)
{
	bool		blind;
	Oid			type;
	Oid			collation;
	int32		typmod;
	int32		key_typmod;

	/* What counts is not the index's own type: a hash index holds integers. */
	if (expression == NULL)
		get_atttypetypmodcoll(form->indrelid, column, &type, &typmod, &collation);
	else
	{
		type = exprType(expression);
		typmod = exprTypmod(expression);
	}
	if (!steward_guard_type(type))
		return;
	blind = steward_guard_is_blind(steward_guard_method_of(form->indexrelid));
	if (blind && expression != NULL)
		steward_guard_raise_blind_expression();
	/* Where an expression mixes keys, no right can be asked for. */
	if (!index_serves(form, opclass, blind) ||
		!steward_guard_type_takes_key(type, typmod, &key_typmod) ||
		key_typmod < 0)
		steward_guard_raise_index(form->indrelid, column, type);
	if (blind && !form->indisunique && !form->indisexclusion)
		return;
	if (expression == NULL)
		steward_guard_bound_index(form->indrelid, column);
	if (before_build)
		require_search(type, typmod);
}

void
steward_guard_index(Relation catalog, HeapTuple tuple, bool before_build)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
	List	   *expressions;
	ListCell   *next;
	char	   *trees;
	oidvector  *classes;

	if (steward_guard_no_constant(steward_guard_text(catalog, tuple,
													 Anum_pg_index_indpred),
								  "an index predicate").may_decrypt ||
		steward_guard_no_constant(steward_guard_text(catalog, tuple,
													 Anum_pg_index_indexprs),
								  "an index expression").may_decrypt)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" decrypts", index_name(form->indexrelid)),
				 errdetail("It would keep plaintext on disk.")));

	classes = classes_of(catalog, tuple);
	trees = steward_guard_text(catalog, tuple, Anum_pg_index_indexprs);
	expressions = trees == NULL ? NIL : (List *) stringToNode(trees);
	next = list_head(expressions);
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		Node	   *expression = NULL;

		if (form->indkey.values[i] == 0)
		{
			expression = lfirst(next);
			next = lnext(expressions, next);
		}
		guard_column(form, form->indkey.values[i], expression,
					 classes->values[i], before_build);
	}
}

bool
steward_guard_orders_tags(Relation catalog, HeapTuple tuple)
{
	oidvector  *classes = classes_of(catalog, tuple);

	for (int i = 0; i < ((Form_pg_index) GETSTRUCT(tuple))->indnkeyatts; i++)
	{
		if (steward_guard_unique_class(classes->values[i]))
			return true;
	}
	return false;
}

void
steward_guard_clustered(Relation catalog, HeapTuple tuple)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

	if (form->indisclustered && steward_guard_orders_tags(catalog, tuple))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot cluster on index \"%s\", which has encrypted values",
						index_name(form->indexrelid)),
				 errdetail("The order of the rows would tell whoever reads the table which values are equal.")));
}

/* ---- foreign keys ---- */

/* The columns of one side: conkey or confkey. */
static void
guard_foreign_columns(Relation catalog, HeapTuple tuple, AttrNumber attribute,
					  Oid relid)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attribute, RelationGetDescr(catalog),
									 &isnull);
	ArrayType  *array;
	int16	   *columns;

	if (isnull)
		return;
	array = DatumGetArrayTypeP(value);
	columns = (int16 *) ARR_DATA_PTR(array);
	for (int i = 0; i < ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)); i++)
	{
		Oid			type;
		Oid			collation;
		int32		typmod;

		get_atttypetypmodcoll(relid, columns[i], &type, &typmod, &collation);
		if (steward_guard_type(type))
			require_search(type, typmod);
	}
}

void
steward_guard_foreign_key(Relation catalog, HeapTuple tuple)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

	/* That of a partition asks no more than its parent's. */
	if (form->contype != CONSTRAINT_FOREIGN || OidIsValid(form->conparentid))
		return;
	guard_foreign_columns(catalog, tuple, Anum_pg_constraint_conkey, form->conrelid);
	guard_foreign_columns(catalog, tuple, Anum_pg_constraint_confkey, form->confrelid);
}
