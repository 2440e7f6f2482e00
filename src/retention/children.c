/*
 * children.c: the tables that refer to a policy's, and what was declared of them;
 * see children.h.
 */
#include "retention/children.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/regproc.h"

#include "base/catalog.h"
#include "retention/target.h"

/* A table to be looked at, in the order in which they were found. */
typedef struct Walk
{
	const List *children;
	List	   *tables;			/* oids */
	List	   *edges;			/* oids of constraints that were visited */
	StewardEdgeVisit visit;
	void	   *arg;
} Walk;

/* A table is looked at with its partitions: a foreign key may lead to one alone. */
static void
add_tree(Walk *walk, Oid relid)
{
	LockRelationOid(relid, AccessShareLock);
	walk->tables = list_concat_unique_oid(walk->tables,
										  find_all_inheritors(relid, AccessShareLock, NULL));
}

static void
visit_edges(Walk *walk, Relation rel)
{
	List	   *edges = steward_edges_to(rel, walk->children);
	ListCell   *cell;

	foreach(cell, edges)
	{
		StewardEdge *edge = lfirst(cell);

		if (list_member_oid(walk->edges, edge->constraint))
			continue;
		walk->edges = lappend_oid(walk->edges, edge->constraint);
		walk->visit(edge, walk->arg);
		if (edge->action == STEWARD_CHILD_CASCADE)
			add_tree(walk, edge->child);
	}
}

void
steward_edges_walk(Oid relation, const List *children, StewardEdgeVisit visit, void *arg)
{
	Walk		walk = {.children = children, .visit = visit, .arg = arg};

	add_tree(&walk, relation);
	/* The list grows while we go through it. */
	for (int i = 0; i < list_length(walk.tables); i++)
	{
		Relation	rel = try_relation_open(list_nth_oid(walk.tables, i), NoLock);

		if (rel == NULL)
			continue;
		visit_edges(&walk, rel);
		relation_close(rel, NoLock);
	}
}

/* What somebody wants to become of rows of a table. */
typedef struct Wish
{
	Oid			table;
	char	   *constraint;		/* NULL: all that lead there */
	StewardChildAction action;
	bool		used;
} Wish;

typedef struct Declaration
{
	Oid			owner;
	List	   *wishes;
	List	   *children;		/* StewardChild */
} Declaration;

static void
raise_form(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"children\""),
			 errhint("Give an action for each table, or for each of its foreign keys, for example {\"order_item\": \"cascade\", \"review\": {\"review_order_id_fkey\": \"set null\"}}.")));
}

static Oid
table_named(const char *name)
{
	List	   *names = STEWARD_NAMES_OF(name);

	return RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, false);
}

static char *
string_of(const JsonbValue *value)
{
	if (value->type != jbvString)
		raise_form();
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static void
add_wish(Declaration *declaration, Oid table, char *constraint, const JsonbValue *action)
{
	Wish	   *wish = palloc0(sizeof(Wish));

	wish->table = table;
	wish->constraint = constraint;
	wish->action = steward_child_action_named(string_of(action));
	declaration->wishes = lappend(declaration->wishes, wish);
}

/* The foreign keys of one table, each with an action. */
static void
read_constraints(Declaration *declaration, Oid table, const JsonbValue *value)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	action;

	if (value->type == jbvString)
	{
		add_wish(declaration, table, NULL, value);
		return;
	}
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		raise_form();
	iterator = JsonbIteratorInit(value->val.binary.data);
	(void) JsonbIteratorNext(&iterator, &key, false);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &action, true);
		add_wish(declaration, table, string_of(&key), &action);
	}
}

static void
read_wishes(Declaration *declaration, Jsonb *children)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(children))
		raise_form();
	iterator = JsonbIteratorInit(&children->root);
	(void) JsonbIteratorNext(&iterator, &key, false);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		read_constraints(declaration, table_named(string_of(&key)), &value);
	}
}

/* Gives an edge the action that was wished for it; by name goes first. */
static void
declare(StewardEdge *edge, void *arg)
{
	Declaration *declaration = arg;
	Wish	   *best = NULL;
	ListCell   *cell;

	foreach(cell, declaration->wishes)
	{
		Wish	   *wish = lfirst(cell);

		if (wish->table != edge->child ||
			(wish->constraint != NULL && strcmp(wish->constraint, edge->name) != 0))
			continue;
		if (best == NULL || wish->constraint != NULL)
			best = wish;
	}
	if (best != NULL)
	{
		StewardChild *child = palloc0(sizeof(StewardChild));

		best->used = true;
		edge->declared = true;
		edge->action = child->action = best->action;
		child->table = edge->child;
		child->constraint = edge->name;
		declaration->children = lappend(declaration->children, child);
	}
	steward_edge_check(edge, declaration->owner);
}

static void
check_used(const Declaration *declaration)
{
	ListCell   *cell;

	foreach(cell, declaration->wishes)
	{
		Wish	   *wish = lfirst(cell);

		if (wish->used)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 wish->constraint == NULL ?
				 errmsg("no foreign key of table \"%s\" leads to rows of the policy",
						get_rel_name(wish->table)) :
				 errmsg("foreign key \"%s\" of table \"%s\" does not lead to rows of the policy",
						wish->constraint, get_rel_name(wish->table)),
				 errdetail("Foreign keys are followed from the table of the policy, and on by those that cascade."),
				 errhint("Name tables that refer to it; steward.preview_policy shows them.")));
	}
}

List *
steward_children_declare(Oid relation, Oid owner, Jsonb *children)
{
	Declaration declaration = {.owner = owner};

	read_wishes(&declaration, children);
	steward_edges_walk(relation, NIL, declare, &declaration);
	check_used(&declaration);
	return declaration.children;
}

static void
check_edge(StewardEdge *edge, void *arg)
{
	steward_edge_check(edge, *(Oid *) arg);
}

void
steward_children_check(const StewardPolicy *policy, Oid owner)
{
	steward_edges_walk(policy->relation, policy->children, check_edge, &owner);
}
