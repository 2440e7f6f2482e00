/*
 * setting_condition.c: which rows are recorded, from text and to text; see
 * setting.h.
 *
 * A condition is an expression over the columns of the table. PostgreSQL
 * evaluates it as the WHEN of a trigger, as the role that makes the change.
 */
#include "base/compat.h"

#include "audit/setting.h"
#include "base/expression.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteManip.h"
#include "utils/ruleutils.h"

Node *
steward_condition_parse(Relation rel, const char *text)
{
	static const StewardExpressionUse use = {
		.what = "the condition of an audit",
		.example = "status <> 'draft'",
		.clause = "WHEN"
	};

	return steward_expression_transform(rel, text, EXPR_KIND_TRIGGER_WHEN, &use);
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
