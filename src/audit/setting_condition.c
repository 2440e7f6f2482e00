/*
 * setting_condition.c: which rows are recorded, from text and to text; see
 * setting.h.
 *
 * A condition is an expression over the columns of the table. PostgreSQL
 * evaluates it as the WHEN of a trigger, as the role that makes the change.
 */
#include "base/compat.h"

#include "audit/setting.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteManip.h"
#include "utils/ruleutils.h"

/* The expression of a text that is nothing but one. */
static Node *
raw_expression(const char *text)
{
	List	   *statements = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
	ResTarget  *target;

	if (list_length(select->targetList) != 1 || select->distinctClause != NIL ||
		select->fromClause != NIL || select->whereClause != NULL ||
		select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->sortClause != NIL ||
		select->limitOffset != NULL || select->limitCount != NULL ||
		select->lockingClause != NIL)
		target = NULL;
	else
		target = linitial_node(ResTarget, select->targetList);
	/* PostgreSQL expands a star before it looks at expressions. */
	if (target != NULL && IsA(target->val, ColumnRef) &&
		IsA(llast(((ColumnRef *) target->val)->fields), A_Star))
		target = NULL;
	if (target == NULL || target->name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the condition of an audit must be one expression"),
				 errhint("Write it over the columns of the table, as in: status <> 'draft'.")));
	return target->val;
}

/* A position is one in the condition, not in the statement of the caller. */
static void
on_error(void *text)
{
	int			position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(text);
}

Node *
steward_condition_parse(Relation rel, const char *text)
{
	ParseState *state = make_parsestate(NULL);
	ParseNamespaceItem *item;
	Node	   *condition;
	ErrorContextCallback callback = {error_context_stack, on_error,
	unconstify(char *, text)};

	error_context_stack = &callback;
	state->p_sourcetext = text;
	item = addRangeTableEntryForRelation(state, rel, AccessShareLock, NULL, false,
										 true);
	addNSItemToQuery(state, item, false, true, true);
	condition = transformWhereClause(state, raw_expression(text),
									 EXPR_KIND_TRIGGER_WHEN, "WHEN");
	assign_expr_collations(state, condition);
	free_parsestate(state);
	error_context_stack = callback.previous;
	return condition;
}

char *
steward_condition_text(Relation rel, Node *condition, const char *prefix)
{
	const char *name = prefix != NULL ? prefix : RelationGetRelationName(rel);

	return deparse_expression(condition,
							  deparse_context_for(name, RelationGetRelid(rel)),
							  prefix != NULL, false);
}

char *
steward_condition_when(Relation rel, Node *condition, bool of_old, bool of_new)
{
	if (of_old && of_new)
		return psprintf("(%s) IS TRUE OR (%s) IS TRUE",
						steward_condition_text(rel, condition, "new"),
						steward_condition_text(rel, condition, "old"));
	return steward_condition_text(rel, condition, of_old ? "old" : "new");
}

Node *
steward_condition_of_trigger(const char *stored)
{
	Node	   *condition = stringToNode(stored);

	/* of either: of NEW first */
	if (is_orclause(condition) && list_length(((BoolExpr *) condition)->args) == 2 &&
		IsA(linitial(((BoolExpr *) condition)->args), BooleanTest))
		condition = (Node *) linitial_node(BooleanTest, ((BoolExpr *) condition)->args)->arg;
	/* OLD is relation 1 already */
	ChangeVarNodes(condition, PRS2_NEW_VARNO, PRS2_OLD_VARNO, 0);
	return condition;
}
