/*
 * target.c: the tables that a policy deletes from; see target.h.
 */
#include "retention/target.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "access/transam.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/expression.h"
#include "retention/condition.h"
#include "retention/own_record.h"
#include "subjects/hold.h"

char *
steward_qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

static const char *
command_name(CmdType command)
{
	return command == CMD_INSERT ? "INSERT" : command == CMD_UPDATE ? "UPDATE" :
		"DELETE";
}

/* A rule would make something else of our statement, or nothing at all. */
static void
check_rules(Relation rel, CmdType command)
{
	RuleLock   *rules = rel->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		if (rules->rules[i]->event != command ||
			rules->rules[i]->enabled == RULE_DISABLED)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has a rule on %s",
						RelationGetRelationName(rel), command_name(command)),
				 errdetail("A retention policy changes exactly the rows that have expired; a rule would change that."),
				 errhint("Drop the rule, or use a trigger in its place.")));
	}
}

void
steward_target_check(Relation rel, CmdType command)
{
	char		relkind = rel->rd_rel->relkind;
	const char *name = RelationGetRelationName(rel);

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" cannot have a retention policy", name),
				 errdetail_relkind_not_supported(relkind)));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("temporary table \"%s\" cannot have a retention policy", name)));
	if (RelationGetRelid(rel) < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("system table \"%s\" cannot have a retention policy", name)));
	if (RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, true) &&
		!steward_own_record_allows(RelationGetRelid(rel), command))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" of pg_steward itself cannot have a retention policy",
						name)));
	check_rules(rel, command);
}

Oid
steward_target_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of the policy no longer exists")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
steward_target_check_owner(Relation rel, Oid owner)
{
	if (rel->rd_rel->relowner != owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has another owner than the table of the policy",
						RelationGetRelationName(rel)),
				 errdetail("A policy runs as the owner of its table."),
				 errhint("Give partitions and inheritance children the owner of the parent.")));
}

CmdType
steward_target_command(const StewardPolicy *policy)
{
	if (policy->action == STEWARD_SHRED)
		return CMD_SELECT;
	return policy->action == STEWARD_ANONYMIZE ? CMD_UPDATE : CMD_DELETE;
}

char *
steward_target_held(Relation rel, const char *alias)
{
	return steward_holds_condition(steward_holds_on(RelationGetRelid(rel)), rel, alias);
}

/* The table of the policy, or below it still. */
static bool
is_in_tree(Relation rel, Oid root)
{
	return RelationGetRelid(rel) == root ||
		typeInheritsFrom(rel->rd_rel->reltype, get_rel_type_id(root));
}

/* Raises unless it can be said of rows of the table whether they have expired. */
static void
check_conditions(const StewardPolicy *policy, Relation rel)
{
	StewardAge	age;
	int			level = steward_expression_settings(policy->time_zone);

	steward_age_describe(&age, policy, rel, "t");
	(void) steward_condition_expired(policy, rel, &age, "t");
	AtEOXact_GUC(false, level);
}

List *
steward_target_leaves(const StewardPolicy *policy)
{
	Oid			relid = policy->relation;
	List	   *tree;
	List	   *leaves = NIL;
	Oid			owner;
	ListCell   *cell;

	/* PostgreSQL's function locks those below alone. */
	LockRelationOid(relid, AccessShareLock);
	owner = steward_target_owner(relid);
	tree = find_all_inheritors(relid, AccessShareLock, NULL);
	foreach(cell, tree)
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		/* It may have left the tree while we waited for its lock. */
		if (!is_in_tree(rel, relid))
		{
			relation_close(rel, NoLock);
			continue;
		}
		steward_target_check(rel, steward_target_command(policy));
		steward_target_check_owner(rel, owner);
		check_conditions(policy, rel);
		if (rel->rd_rel->relkind == RELKIND_RELATION)
			leaves = lappend_oid(leaves, RelationGetRelid(rel));
		relation_close(rel, NoLock);
	}
	list_free(tree);
	return leaves;
}

Relation
steward_target_open_leaf(Oid leaf, const StewardPolicy *policy, Oid owner)
{
	Relation	rel = try_relation_open(leaf, RowExclusiveLock);

	if (rel == NULL)
		return NULL;
	if (!is_in_tree(rel, policy->relation))
	{
		relation_close(rel, NoLock);
		return NULL;
	}
	steward_target_check(rel, steward_target_command(policy));
	steward_target_check_owner(rel, owner);
	return rel;
}
