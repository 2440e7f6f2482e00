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
#include "base/argument.h"
#include "base/catalog.h"
#include "base/event.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "columns/conversion.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
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

static Oid
owner_of(Oid view)
{
	Relation	rel = relation_open(view, AccessShareLock);
	Oid			owner = rel->rd_rel->relowner;

	relation_close(rel, NoLock);
	return owner;
}

static List *
existing_columns(Oid view, Relation table)
{
	List	   *columns = NIL;

	if (get_rel_relkind(view) == RELKIND_VIEW &&
		owner_of(view) == table->rd_rel->relowner)
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

/* The array type that decrypt_or_null takes, when a column's is one of domains. */
static Oid
plain_array(Oid type)
{
	Oid			element = get_element_type(getBaseType(type));

	if (!OidIsValid(element) || getBaseType(element) == element)
		return InvalidOid;
	return get_array_type(getBaseType(element));
}

/* The type that decrypt_or_null makes of a column; InvalidOid when the column is
 * shown as it is. */
static Oid
decrypted_type(Form_pg_attribute att)
{
	List	   *name = list_make2(makeString(STEWARD_SCHEMA),
								  makeString(DECRYPT_FUNCTION));
	Oid			array = plain_array(att->atttypid);
	Oid			argument = OidIsValid(array) ? array : getBaseType(att->atttypid);
	int32		typmod;

	if (!steward_guard_type_takes_key(att->atttypid, att->atttypmod, &typmod))
		return InvalidOid;
	return get_func_rettype(LookupFuncName(name, 1, &argument, false));
}

/*
 * Has the table's column, since the view was made, become another type, as when it
 * was encrypted? Then no CREATE OR REPLACE will do.
 */
static bool
has_other_types(Oid view, List *columns, TupleDesc table)
{
	AttrNumber	number = 0;
	ListCell   *cell;

	foreach(cell, columns)
	{
		Form_pg_attribute att = TupleDescAttr(table, lfirst_int(cell) - 1);
		Oid			decrypted = decrypted_type(att);
		Oid			type;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(view, ++number, &type, &typmod, &collation);
		if (OidIsValid(decrypted) ? type != decrypted :
			type != att->atttypid || typmod != att->atttypmod)
			return true;
	}
	return false;
}

/* Grants, comments and labels of a view, then of its columns. */
static List *
read_properties(Oid view, int natts)
{
	List	   *properties = list_make1(steward_properties_read(view, 0));

	for (AttrNumber i = 1; i <= natts; i++)
		properties = lappend(properties, steward_properties_read(view, i));
	return properties;
}

static void
write_properties(List *properties, Oid view)
{
	AttrNumber	number = 0;
	ListCell   *cell;

	foreach(cell, properties)
		steward_properties_write(lfirst(cell), view, number++);
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

/*
 * Prepares the way for CREATE OR REPLACE VIEW where there is a view already. *columns
 * gets the columns that it shows, *properties what a new one in its place is to have.
 */
static void
prepare_existing(StringInfo sql, const char *view, Oid existing, Relation table,
				 List **columns, List **properties)
{
	*columns = existing_columns(existing, table);
	if (has_other_types(existing, *columns, RelationGetDescr(table)))
	{
		*properties = read_properties(existing, list_length(*columns));
		appendStringInfo(sql, "DROP VIEW %s; ", view);
	}
	else
		append_renames(sql, view, existing, *columns, RelationGetDescr(table));
}

static Oid
make_view(Relation table, const char *name)
{
	Oid			schema = RelationGetNamespace(table);
	Oid			existing = get_relname_relid(name, schema);
	Oid			owner = table->rd_rel->relowner;
	char	   *schema_name = get_namespace_name(schema);
	char	   *view = quote_qualified_identifier(schema_name, name);
	List	   *columns = NIL;
	List	   *properties = NIL;
	StringInfoData sql;

	initStringInfo(&sql);
	if (OidIsValid(existing))
		prepare_existing(&sql, view, existing, table, &columns, &properties);
	columns = all_columns(columns, RelationGetDescr(table));
	append_view(&sql, view,
				quote_qualified_identifier(schema_name,
										   RelationGetRelationName(table)),
				columns, RelationGetDescr(table));
	run_as(owner, sql.data);
	write_properties(properties, get_relname_relid(name, schema));
	resetStringInfo(&sql);
	append_comments(&sql, view, table, !OidIsValid(existing), columns);
	if (sql.len > 0)
		run_as(owner, sql.data);
	return get_relname_relid(name, schema);
}

STEWARD_FUNCTION(steward_create_decrypted_view)
{
	Relation	rel;
	Oid			view;
	StewardJson event;

	PreventCommandIfReadOnly("steward.create_decrypted_view()");
	steward_require_argument(fcinfo, 0, "relation");
	/* The lock makes two who make the view at once come one after the other. */
	rel = steward_own_relation_open(PG_GETARG_OID(0), ShareUpdateExclusiveLock);
	check_table(rel);
	view = make_view(rel, view_name(fcinfo, rel));
	if (steward_event_begin(&event, "create_decrypted_view"))
	{
		steward_event_relation(&event, "relation", RelationGetRelid(rel));
		steward_event_relation(&event, "view", view);
		steward_event_end(&event);
	}
	relation_close(rel, NoLock);
	PG_RETURN_OID(view);
}
