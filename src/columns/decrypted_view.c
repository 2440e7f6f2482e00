/*
 * decrypted_view.c: steward.create_decrypted_view, a view that applications read
 * in place of a table: plaintext for those who may decrypt, NULL for others.
 *
 * The view has every column of its table under the same name. It runs with the
 * rights of whoever reads it (security_invoker), so it opens no way around the
 * table's grants and row security, and decrypts as that user.
 *
 * A view is ours when its query is one that this file writes, whoever wrote it:
 * a plain list of columns of that table, each as it is or in decrypt_or_null().
 * Then it may be replaced. No other place remembers which views were made here,
 * so there is nothing to restore and nothing to forge.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "base/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "types/guard.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define DECRYPT_FUNCTION "decrypt_or_null"
#define SUFFIX "_decrypted"

/* ---- the table and the name of the view ---- */

static void
refuse(Relation rel, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("cannot make a decrypted view of \"%s\": it %s",
					RelationGetRelationName(rel), what),
			 errhint("%s", hint)));
}

static void
check_owner(Oid relid)
{
	const char *name = get_rel_name(relid);

	if (name != NULL && !STEWARD_OWNS_RELATION(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER,
					   get_relkind_objtype(get_rel_relkind(relid)), name);
}

/*
 * Who does not own a table may not lock it either: that is asked first, and again
 * when it is locked. The lock makes two who make the view at once come one after
 * the other.
 */
static Relation
open_table(Oid relid)
{
	Relation	rel;

	check_owner(relid);
	rel = try_relation_open(relid, ShareUpdateExclusiveLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Give the name of a table.")));
	check_owner(relid);
	return rel;
}

static void
check_table(Relation rel)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			refuse(rel, "is not a table", "Give the name of a table.");
	}
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(rel, "is a temporary table", "Cast its columns to text where they are read.");
	if (!steward_guard_has_encrypted(RelationGetRelid(rel)))
		refuse(rel, "has no encrypted column", "Read the table itself.");
}

static char *
view_name(FunctionCallInfo fcinfo, Relation rel)
{
	char	   *name = PG_ARGISNULL(1) ?
		psprintf("%s%s", RelationGetRelationName(rel), SUFFIX) :
		text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name of a view: \"%s\"", name),
				 errhint("Give a name of 1 to %d bytes as the second argument.",
						 NAMEDATALEN - 1)));
	return name;
}

/* ---- a view that is there already ---- */

static bool
is_decrypt_function(Oid function)
{
	char	   *name = get_func_name(function);

	return name != NULL && strcmp(name, DECRYPT_FUNCTION) == 0 &&
		get_func_namespace(function) == get_namespace_oid(STEWARD_SCHEMA, false);
}

/* The column of the table that an expression of our making shows; 0 if none. */
static AttrNumber
shown_column(Node *node, int table_index)
{
	if (IsA(node, FuncExpr) && is_decrypt_function(((FuncExpr *) node)->funcid))
		node = linitial(((FuncExpr *) node)->args);
	if (IsA(node, ArrayCoerceExpr))
		node = (Node *) ((ArrayCoerceExpr *) node)->arg;
	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (IsA(node, Var) && ((Var *) node)->varno == table_index &&
		((Var *) node)->varlevelsup == 0 && ((Var *) node)->varattno > 0)
		return ((Var *) node)->varattno;
	return InvalidAttrNumber;
}

/* Does a query read nothing but all rows of this one table, each once? */
static bool
is_plain_scan(const Query *query, Oid relid, int *table_index)
{
	Node	   *from;

	if (query->commandType != CMD_SELECT || query->jointree == NULL ||
		list_length(query->jointree->fromlist) != 1 ||
		query->jointree->quals != NULL)
		return false;
	if (query->hasAggs || query->hasWindowFuncs || query->hasTargetSRFs ||
		query->hasSubLinks || query->cteList != NIL ||
		query->groupClause != NIL || query->groupingSets != NIL ||
		query->havingQual != NULL || query->distinctClause != NIL ||
		query->sortClause != NIL || query->limitOffset != NULL ||
		query->limitCount != NULL || query->setOperations != NULL ||
		query->rowMarks != NIL)
		return false;
	from = linitial(query->jointree->fromlist);
	if (!IsA(from, RangeTblRef))
		return false;
	*table_index = ((RangeTblRef *) from)->rtindex;
	return rt_fetch(*table_index, query->rtable)->rtekind == RTE_RELATION &&
		rt_fetch(*table_index, query->rtable)->relid == relid &&
		rt_fetch(*table_index, query->rtable)->inh;
}

/*
 * The columns of the table that an existing view shows, in its order; NIL when
 * the view is none of ours.
 */
static List *
shown_columns(Oid view, Oid table)
{
	Relation	rel = relation_open(view, AccessShareLock);
	List	   *columns = NIL;
	Query	   *query = NULL;
	ListCell   *cell;
	int			table_index;

	if (rel->rd_rel->relkind == RELKIND_VIEW)
		query = get_view_query(rel);
	if (query != NULL && is_plain_scan(query, table, &table_index))
	{
		foreach(cell, query->targetList)
		{
			AttrNumber	column = shown_column((Node *) lfirst_node(TargetEntry, cell)->expr,
											  table_index);

			if (column == InvalidAttrNumber || list_member_int(columns, column))
			{
				columns = NIL;
				break;
			}
			columns = lappend_int(columns, column);
		}
	}
	relation_close(rel, NoLock);
	return columns;
}

static List *
existing_columns(Oid view, Relation table)
{
	List	   *columns = NIL;

	if (STEWARD_OWNS_RELATION(view, table->rd_rel->relowner))
		columns = shown_columns(view, RelationGetRelid(table));
	if (columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists", get_rel_name(view)),
				 errdetail("It is not a decrypted view of table \"%s\".",
						   RelationGetRelationName(table)),
				 errhint("Give another name as the second argument.")));
	return columns;
}

/* ---- the commands ---- */

/*
 * Columns that were renamed in the table get their new name in the view: no
 * CREATE OR REPLACE does that. By way of a third name, for names may have been
 * swapped.
 */
static void
append_renames(StringInfo sql, const char *view, Oid view_oid, List *columns,
			   TupleDesc table)
{
	StringInfoData second;
	ListCell   *cell;
	AttrNumber	number = 0;

	initStringInfo(&second);
	foreach(cell, columns)
	{
		char	   *old = get_attname(view_oid, ++number, false);
		char	   *new = NameStr(TupleDescAttr(table, lfirst_int(cell) - 1)->attname);

		if (strcmp(old, new) == 0)
			continue;
		appendStringInfo(sql, "ALTER VIEW %s RENAME COLUMN %s TO \"steward renames %d\"; ",
						 view, quote_identifier(old), number);
		appendStringInfo(&second, "ALTER VIEW %s RENAME COLUMN \"steward renames %d\" TO %s; ",
						 view, number, quote_identifier(new));
	}
	appendStringInfoString(sql, second.data);
}

/* The array type that decrypt_or_null takes, when a column's is one of domains. */
static Oid
plain_array(Oid type)
{
	Oid			element = get_element_type(getBaseType(type));

	if (!OidIsValid(element) || getBaseType(element) == element)
		return InvalidOid;
	return get_array_type(getBaseType(element));
}

static void
append_column(StringInfo sql, Form_pg_attribute att)
{
	const char *name = quote_identifier(NameStr(att->attname));
	int32		typmod;
	Oid			array = plain_array(att->atttypid);

	if (!steward_guard_type_takes_key(att->atttypid, att->atttypmod, &typmod))
		appendStringInfo(sql, "t.%s", name);
	else if (OidIsValid(array))
		appendStringInfo(sql, STEWARD_SCHEMA "." DECRYPT_FUNCTION "(t.%s::%s) AS %s",
						 name, format_type_be_qualified(array), name);
	else
		appendStringInfo(sql, STEWARD_SCHEMA "." DECRYPT_FUNCTION "(t.%s) AS %s",
						 name, name);
}

/* All columns, those that the view has first: it can only be added to. */
static List *
all_columns(List *columns, TupleDesc desc)
{
	List	   *all = list_copy(columns);

	for (AttrNumber number = 1; number <= desc->natts; number++)
	{
		if (!TupleDescAttr(desc, number - 1)->attisdropped &&
			!list_member_int(all, number))
			all = lappend_int(all, number);
	}
	return all;
}

static void
append_view(StringInfo sql, const char *view, const char *table, List *columns,
			TupleDesc desc)
{
	ListCell   *cell;

	appendStringInfo(sql, "CREATE OR REPLACE VIEW %s WITH (security_invoker = true, security_barrier = true) AS SELECT ",
					 view);
	foreach(cell, columns)
	{
		if (cell != list_head(columns))
			appendStringInfoString(sql, ", ");
		append_column(sql, TupleDescAttr(desc, lfirst_int(cell) - 1));
	}
	appendStringInfo(sql, " FROM %s AS t; ", table);
}

static void
append_comments(StringInfo sql, const char *view, Relation table, bool new,
				List *columns)
{
	TupleDesc	desc = RelationGetDescr(table);
	ListCell   *cell;

	if (new)
		appendStringInfo(sql, "COMMENT ON VIEW %s IS %s; ", view,
						 quote_literal_cstr(psprintf("table %s, decrypted for roles that may, NULL for others",
													 RelationGetRelationName(table))));
	foreach(cell, columns)
	{
		char	   *comment = GetComment(RelationGetRelid(table),
										 RelationRelationId, lfirst_int(cell));

		if (comment != NULL)
			appendStringInfo(sql, "COMMENT ON COLUMN %s.%s IS %s; ", view,
							 quote_identifier(NameStr(TupleDescAttr(desc, lfirst_int(cell) - 1)->attname)),
							 quote_literal_cstr(comment));
	}
}

static void
run_as(Oid role, const char *commands)
{
	StewardIdentity saved;

	steward_become(role, &saved);
	SPI_connect();
	if (SPI_execute(commands, false, 0) < 0)
		elog(ERROR, "could not make the view");
	SPI_finish();
	steward_become_caller(&saved);
	CommandCounterIncrement();
}

STEWARD_FUNCTION(steward_create_decrypted_view)
{
	Relation	rel;
	Oid			schema;
	Oid			existing;
	char	   *name;
	char	   *view;
	List	   *columns = NIL;
	StringInfoData sql;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"relation\" must not be null"),
				 errhint("Give the name of a table.")));
	rel = open_table(PG_GETARG_OID(0));
	check_table(rel);
	schema = RelationGetNamespace(rel);
	name = view_name(fcinfo, rel);
	view = quote_qualified_identifier(get_namespace_name(schema), name);
	existing = get_relname_relid(name, schema);

	initStringInfo(&sql);
	if (OidIsValid(existing))
	{
		columns = existing_columns(existing, rel);
		append_renames(&sql, view, existing, columns, RelationGetDescr(rel));
	}
	columns = all_columns(columns, RelationGetDescr(rel));
	append_view(&sql, view,
				quote_qualified_identifier(get_namespace_name(schema),
										   RelationGetRelationName(rel)),
				columns, RelationGetDescr(rel));
	append_comments(&sql, view, rel, !OidIsValid(existing), columns);
	run_as(rel->rd_rel->relowner, sql.data);
	relation_close(rel, NoLock);
	PG_RETURN_OID(get_relname_relid(name, schema));
}
