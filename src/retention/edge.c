/*
 * edge.c: foreign keys that lead to rows that a policy destroys; see edge.h.
 */
#include "retention/edge.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "retention/target.h"

/* Of a row of pg_constraint. */
typedef struct Columns
{
	int			count;
	AttrNumber	child[INDEX_MAX_KEYS];
	AttrNumber	parent[INDEX_MAX_KEYS];
	Oid			operators[INDEX_MAX_KEYS];
	int			cleared_count;
	AttrNumber	cleared[INDEX_MAX_KEYS];
} Columns;

/* Is this the trigger of a foreign key, on deletes of what it refers to? */
static bool
watches_deletes(const Trigger *trigger)
{
	switch (trigger->tgfoid)
	{
		case F_RI_FKEY_NOACTION_DEL:
		case F_RI_FKEY_RESTRICT_DEL:
		case F_RI_FKEY_CASCADE_DEL:
		case F_RI_FKEY_SETNULL_DEL:
		case F_RI_FKEY_SETDEFAULT_DEL:
			return OidIsValid(trigger->tgconstraint);
		default:
			return false;
	}
}

/* The constraint that this one, of a partition, is a copy of; or itself. */
static Oid
topmost(Oid constraint)
{
	for (;;)
	{
		HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
		Oid			parent;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for constraint %u", constraint);
		parent = ((Form_pg_constraint) GETSTRUCT(tuple))->conparentid;
		ReleaseSysCache(tuple);
		if (!OidIsValid(parent))
			return constraint;
		constraint = parent;
	}
}

static char *
column(const char *alias, Oid relid, AttrNumber attnum)
{
	return psprintf("%s.%s", alias, quote_identifier(get_attname(relid, attnum, false)));
}

static char *
collation_name(Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Form_pg_collation row;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	row = (Form_pg_collation) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(row->collnamespace),
									  NameStr(row->collname));
	ReleaseSysCache(tuple);
	return name;
}

/* As the server itself compares them; parent and child have these aliases. */
static char *
join_condition(const StewardEdge *edge, const Columns *columns, const char *parent,
			   const char *child)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < columns->count; i++)
	{
		Oid			parent_type;
		Oid			child_type;
		Oid			parent_collation;
		Oid			child_collation;
		int32		typmod;

		get_atttypetypmodcoll(edge->parent, columns->parent[i], &parent_type, &typmod,
							  &parent_collation);
		get_atttypetypmodcoll(edge->child, columns->child[i], &child_type, &typmod,
							  &child_collation);
		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql, column(parent, edge->parent, columns->parent[i]),
								 parent_type, columns->operators[i],
								 column(child, edge->child, columns->child[i]), child_type);
		if (parent_collation != child_collation && OidIsValid(parent_collation))
			appendStringInfo(&sql, " COLLATE %s", collation_name(parent_collation));
	}
	return sql.data;
}

static List *
column_names(Oid relid, const AttrNumber *numbers, int count)
{
	List	   *names = NIL;

	for (int i = 0; i < count; i++)
		names = lappend(names, get_attname(relid, numbers[i], false));
	return names;
}

/* Takes over what was declared of this edge. */
static void
find_action(StewardEdge *edge, const List *children)
{
	ListCell   *cell;

	edge->action = STEWARD_CHILD_RESTRICT;
	foreach(cell, children)
	{
		const StewardChild *child = lfirst(cell);

		if (child->table != edge->child || strcmp(child->constraint, edge->name) != 0)
			continue;
		edge->action = child->action;
		edge->declared = true;
	}
}

static void
describe(StewardEdge *edge, HeapTuple tuple)
{
	Form_pg_constraint row = (Form_pg_constraint) GETSTRUCT(tuple);
	Columns		columns = {0};

	edge->constraint = row->oid;
	edge->name = pstrdup(NameStr(row->conname));
	edge->child = row->conrelid;
	edge->parent = row->confrelid;
	edge->on_delete = row->confdeltype;
	if (STEWARD_IS_TEMPORAL_KEY(row))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign key \"%s\" to table \"%s\" is over a period",
						edge->name, get_rel_name(edge->parent)),
				 errhint("A retention policy needs foreign keys without PERIOD.")));
	LockRelationOid(edge->child, AccessShareLock);
	DeconstructFkConstraintRow(tuple, &columns.count, columns.child, columns.parent,
							   columns.operators, NULL, NULL,
							   &columns.cleared_count, columns.cleared);
	edge->parent_columns = column_names(edge->parent, columns.parent, columns.count);
	edge->columns = column_names(edge->child, columns.child, columns.count);
	edge->cleared = columns.cleared_count == 0 ? edge->columns :
		column_names(edge->child, columns.cleared, columns.cleared_count);
	edge->join = join_condition(edge, &columns, "p", "c");
	edge->refers = join_condition(edge, &columns, "t", "c");
	edge->referring = join_condition(edge, &columns, "p", "t");
}

List *
steward_edges_to(Relation rel, const List *children)
{
	TriggerDesc *triggers = rel->trigdesc;
	List	   *seen = NIL;
	List	   *edges = NIL;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Oid			constraint;
		HeapTuple	tuple;
		StewardEdge *edge;

		if (!watches_deletes(&triggers->triggers[i]))
			continue;
		constraint = topmost(triggers->triggers[i].tgconstraint);
		if (list_member_oid(seen, constraint))
			continue;
		seen = lappend_oid(seen, constraint);
		tuple = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(constraint));
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for constraint %u", constraint);
		edge = palloc0(sizeof(StewardEdge));
		describe(edge, tuple);
		find_action(edge, children);
		edges = lappend(edges, edge);
	}
	return edges;
}

const char *
steward_edge_on_delete(const StewardEdge *edge)
{
	switch (edge->on_delete)
	{
		case FKCONSTR_ACTION_CASCADE:
			return "ON DELETE CASCADE";
		case FKCONSTR_ACTION_SETNULL:
			return "ON DELETE SET NULL";
		case FKCONSTR_ACTION_SETDEFAULT:
			return "ON DELETE SET DEFAULT";
		default:
			return NULL;
	}
}

/* What the foreign key does by itself must not happen behind the policy's back. */
static void
check_declared(const StewardEdge *edge)
{
	const char *by_itself = steward_edge_on_delete(edge);

	if (by_itself == NULL || edge->declared)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("deleting from table \"%s\" would also change table \"%s\"",
					get_rel_name(edge->parent), get_rel_name(edge->child)),
			 errdetail("Foreign key \"%s\" of table %s is %s.", edge->name,
					   steward_qualified_name(edge->child), by_itself),
			 errhint("Say by the argument \"children\" of the policy what becomes of these rows.")));
}

static void
check_cleared(const StewardEdge *edge)
{
	ListCell   *cell;

	foreach(cell, edge->cleared)
	{
		const char *name = lfirst(cell);
		AttrNumber	attnum = get_attnum(edge->child, name);
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(edge->child),
											Int16GetDatum(attnum));
		bool		nullable;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for column \"%s\"", name);
		nullable = !((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull &&
			((Form_pg_attribute) GETSTRUCT(tuple))->attgenerated == '\0';
		ReleaseSysCache(tuple);
		if (!nullable)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("column \"%s\" of table \"%s\" cannot be set null", name,
							get_rel_name(edge->child)),
					 errdetail("Foreign key \"%s\" was declared \"set null\".", edge->name),
					 errhint("Declare it \"cascade\" or \"restrict\", or drop the column's NOT NULL.")));
	}
}

void
steward_edge_check(const StewardEdge *edge, Oid owner)
{
	check_declared(edge);
	if (edge->action == STEWARD_CHILD_RESTRICT)
	{
		if (pg_class_aclcheck(edge->child, owner, ACL_SELECT) == ACLCHECK_OK)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of table \"%s\" may not read table \"%s\", which refers to it",
						get_rel_name(edge->parent), get_rel_name(edge->child)),
				 errdetail("A policy looks which of its rows are referred to."),
				 errhint("Grant SELECT on table %s to the owner.",
						 steward_qualified_name(edge->child))));
	}
	if (steward_target_owner(edge->child) != owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has another owner than the table of the policy",
						get_rel_name(edge->child)),
				 errdetail("Foreign key \"%s\" was declared \"%s\", and a policy runs as the owner of its table.",
						   edge->name, steward_child_action_name(edge->action)),
				 errhint("Declare it \"restrict\", or give both tables one owner.")));
	if (edge->action == STEWARD_CHILD_SET_NULL)
		check_cleared(edge);
}

char *
steward_edge_child(const StewardEdge *edge)
{
	return psprintf("%s%s AS c",
					get_rel_relkind(edge->child) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					steward_qualified_name(edge->child));
}

void
steward_edge_imply(StewardEdge *edge)
{
	if (edge->declared)
		return;
	if (edge->on_delete == FKCONSTR_ACTION_CASCADE)
		edge->action = STEWARD_CHILD_CASCADE;
	else if (edge->on_delete == FKCONSTR_ACTION_SETNULL ||
			 edge->on_delete == FKCONSTR_ACTION_SETDEFAULT)
		edge->action = STEWARD_CHILD_SET_NULL;
}

/* Are the first columns of an index these, in any order? */
static bool
index_begins_with(Relation index, const StewardEdge *edge)
{
	int			count = list_length(edge->columns);
	ListCell   *cell;

	if (!index->rd_index->indisvalid || RelationGetIndexPredicate(index) != NIL ||
		index->rd_index->indnkeyatts < count)
		return false;
	foreach(cell, edge->columns)
	{
		AttrNumber	attnum = get_attnum(edge->child, lfirst(cell));
		bool		found = false;

		for (int i = 0; i < count; i++)
			found |= index->rd_index->indkey.values[i] == attnum;
		if (!found)
			return false;
	}
	return true;
}

bool
steward_edge_is_indexed(const StewardEdge *edge)
{
	Relation	child = relation_open(edge->child, AccessShareLock);
	List	   *indexes = RelationGetIndexList(child);
	bool		found = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= index_begins_with(index, edge);
		index_close(index, NoLock);
	}
	relation_close(child, NoLock);
	return found;
}
