/*
 * guard_query.c: column definition lists that name a key.
 *
 * The list after a function that returns records is believed: PostgreSQL checks
 * the types of what comes, not their modifiers. A list that names a key would
 * let ciphertext of another key, or a transient value, pass for one of that key
 * and be stored without being encrypted anew. So queries must not have one, but
 * for jsonb_to_recordset() and its like, which make each value by its input
 * function and thereby under that key. Other functions of PostgreSQL's own hand
 * on a record as they got it: unnest(), jsonb_populate_record().
 */
#include "types/guard.h"

#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/analyze.h"
#include "types/encrypted.h"
#include "utils/fmgroids.h"

static post_parse_analyze_hook_type next_post_parse_analyze = NULL;

/* Does it make its records by input functions, and from nothing but text? */
static bool
makes_values(const Node *expression)
{
	if (!IsA(expression, FuncExpr))
		return false;
	switch (((const FuncExpr *) expression)->funcid)
	{
		case F_JSON_TO_RECORD:
		case F_JSON_TO_RECORDSET:
		case F_JSONB_TO_RECORD:
		case F_JSONB_TO_RECORDSET:
			return true;
		default:
			return false;
	}
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
				!makes_values(function->funcexpr))
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

/*
 * The query itself, or the one in a command that carries one: PostgreSQL shows
 * its hook those only from 18 on. NULL when there is none.
 */
static Query *
carried_query(Query *query)
{
	while (query != NULL && query->commandType == CMD_UTILITY)
	{
		Node	   *command = query->utilityStmt;
		Node	   *inner = NULL;

		if (IsA(command, CreateTableAsStmt))
			inner = ((CreateTableAsStmt *) command)->query;
		else if (IsA(command, DeclareCursorStmt))
			inner = ((DeclareCursorStmt *) command)->query;
		else if (IsA(command, ExplainStmt))
			inner = ((ExplainStmt *) command)->query;
		query = inner != NULL && IsA(inner, Query) ? (Query *) inner : NULL;
	}
	return query;
}

static void
judge_query(ParseState *state, Query *query, JumbleState *jumble)
{
	Query	   *judged;

	if (next_post_parse_analyze != NULL)
		next_post_parse_analyze(state, query, jumble);
	judged = carried_query(query);
	if (judged != NULL && !is_flat(judged))
		(void) walk((Node *) judged, NULL);
}

void
steward_types_init(void)
{
	next_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = judge_query;
	steward_plain_init();
}
