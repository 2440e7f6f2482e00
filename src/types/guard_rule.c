/*
 * guard_rule.c: rules that give out values under a column's key.
 *
 * What a rule selects or returns gets the type modifiers of the relation's
 * columns. PostgreSQL lets values without a modifier pass there, and so would
 * ciphertext of any key pass for one of the column's.
 */
#include "types/guard.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tupdesc.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "rewrite/prs2lock.h"
#include "utils/rel.h"

/* Compares what a rule gives with the columns that it gives it for. */
static void
guard_targets(TupleDesc desc, List *targets)
{
	ListCell   *cell;
	int			column = 0;

	foreach(cell, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);
		Form_pg_attribute att;
		int32		key_typmod;

		if (target->resjunk || column >= desc->natts)
			continue;
		att = TupleDescAttr(desc, column++);
		if (!att->attisdropped && att->atttypmod >= 0 &&
			att->atttypmod != exprTypmod((Node *) target->expr) &&
			steward_guard_type_takes_key(att->atttypid, att->atttypmod,
										 &key_typmod))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("rule does not give column \"%s\" values under its key",
							NameStr(att->attname)),
					 errhint("Cast the expression to the column's type, with its key.")));
	}
}

void
steward_guard_rules(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	RuleLock   *rules = rel->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		ListCell   *cell;

		foreach(cell, rules->rules[i]->actions)
		{
			Query	   *action = lfirst_node(Query, cell);

			guard_targets(RelationGetDescr(rel),
						  rules->rules[i]->event == CMD_SELECT ?
						  action->targetList : action->returningList);
		}
	}
	relation_close(rel, AccessShareLock);
}
