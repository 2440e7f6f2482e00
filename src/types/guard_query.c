/*
 * guard_query.c: column definition lists that name a key.
 *
 * The list after a function that returns records is believed: PostgreSQL checks
 * the types of what comes, not their modifiers. A list that names a key would
 * let ciphertext of another key, or a transient value, pass for one of that key
 * and be stored without being encrypted anew. So queries must not have one, but
 * for PostgreSQL's own functions (jsonb_to_recordset …), which make each value by
 * its input function and thereby under that key.
 */
#include "types/guard.h"

#include "catalog/pg_namespace.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/analyze.h"
#include "types/encrypted.h"
#include "utils/lsyscache.h"

static post_parse_analyze_hook_type next_post_parse_analyze = NULL;

static bool
is_own_function(const Node *expression)
{
	return IsA(expression, FuncExpr) &&
		get_func_namespace(((const FuncExpr *) expression)->funcid) == PG_CATALOG_NAMESPACE;
}

static void
judge_list(const RangeTblFunction *function)
{
	ListCell   *type;
	ListCell   *typmod;
	ListCell   *name;
	int32		key_typmod;

	forthree(type, function->funccoltypes, typmod, function->funccoltypmods,
			 name, function->funccolnames)
	{
		if (steward_guard_type_takes_key(lfirst_oid(type), lfirst_int(typmod),
										 &key_typmod) && key_typmod >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column definition list cannot name the key of column \"%s\"",
							strVal(lfirst(name))),
					 errdetail("Nothing makes sure that the function returns values under that key."),
					 errhint("Leave the key out; the column that stores the value gives it its key.")));
	}
}

void
steward_guard_function_columns(const Query *query)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);
		ListCell   *inner;

		if (entry->rtekind != RTE_FUNCTION)
			continue;
		foreach(inner, entry->functions)
		{
			const RangeTblFunction *function = lfirst_node(RangeTblFunction, inner);

			if (function->funccoltypes != NIL &&
				!is_own_function(function->funcexpr))
				judge_list(function);
		}
	}
}

static bool
walk(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		steward_guard_function_columns((Query *) node);
		return query_tree_walker((Query *) node, walk, context, 0);
	}
	return expression_tree_walker(node, walk, context);
}

/* Most queries have nothing below them to look into. */
static bool
is_flat(const Query *query)
{
	ListCell   *cell;

	if (query->hasSubLinks || query->cteList != NIL)
		return false;
	foreach(cell, query->rtable)
	{
		RTEKind		kind = lfirst_node(RangeTblEntry, cell)->rtekind;

		if (kind == RTE_SUBQUERY || kind == RTE_FUNCTION)
			return false;
	}
	return true;
}

static void
judge_query(ParseState *state, Query *query, JumbleState *jumble)
{
	if (next_post_parse_analyze != NULL)
		next_post_parse_analyze(state, query, jumble);
	if (query->commandType != CMD_UTILITY && !is_flat(query))
		(void) walk((Node *) query, NULL);
}

void
steward_types_init(void)
{
	next_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = judge_query;
	steward_plain_init();
}
