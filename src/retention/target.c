/*
 * target.c: the tables that a policy deletes from; see target.h.
 */
#include "retention/target.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "access/transam.h"
#include "commands/trigger.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteDefine.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/catalog.h"

static char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* A rule would make something else of our DELETE, or nothing at all. */
static void
check_rules(Relation rel)
{
	RuleLock   *rules = rel->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		if (rules->rules[i]->event != CMD_DELETE ||
			rules->rules[i]->enabled == RULE_DISABLED)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has a rule on DELETE",
						RelationGetRelationName(rel)),
				 errdetail("A retention policy deletes exactly the rows that have expired; a rule would change that."),
				 errhint("Drop the rule, or use a trigger in its place.")));
	}
}

/* What the trigger of a foreign key does to the rows that refer to ours. */
static const char *
referential_action(Oid function)
{
	switch (function)
	{
		case F_RI_FKEY_CASCADE_DEL:
			return "ON DELETE CASCADE";
		case F_RI_FKEY_SETNULL_DEL:
			return "ON DELETE SET NULL";
		case F_RI_FKEY_SETDEFAULT_DEL:
			return "ON DELETE SET DEFAULT";
		default:
			return NULL;
	}
}

static void
check_foreign_keys(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];
		const char *action = referential_action(trigger->tgfoid);
		char	   *constraint;

		if (action == NULL)
			continue;
		constraint = get_constraint_name(trigger->tgconstraint);
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("deleting from table \"%s\" would also change table \"%s\"",
						RelationGetRelationName(rel),
						get_rel_name(trigger->tgconstrrelid)),
				 errdetail("Foreign key \"%s\" of table %s is %s.",
						   constraint != NULL ? constraint : "(dropped)",
						   qualified_name(trigger->tgconstrrelid), action),
				 errhint("Make the foreign key ON DELETE NO ACTION and give that table a policy of its own.")));
	}
}

void
steward_target_check(Relation rel)
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
	if (RelationGetNamespace(rel) == get_namespace_oid(STEWARD_SCHEMA, true))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" of pg_steward itself cannot have a retention policy",
						name)));
	check_rules(rel);
	check_foreign_keys(rel);
}

Oid
steward_target_age_type(Relation rel, const char *age)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), age);
	Oid			type;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", age,
						RelationGetRelationName(rel)),
				 errhint("If the column of a policy was renamed, drop the policy and create it again.")));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("system column \"%s\" does not say how old a row is", age)));

	type = TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid;
	if (type != DATEOID && type != TIMESTAMPOID && type != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" does not say how old a row is",
						age, RelationGetRelationName(rel)),
				 errdetail("It is of type %s.", format_type_be(type)),
				 errhint("Use a column of type date, timestamp or timestamptz.")));
	return type;
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

/* Deleting from the parent must not mean acting as somebody else on a child. */
static void
check_owner(Relation rel, Oid owner)
{
	if (rel->rd_rel->relowner != owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has another owner than the table of the policy",
						RelationGetRelationName(rel)),
				 errdetail("A policy runs as the owner of its table."),
				 errhint("Give partitions and inheritance children the owner of the parent.")));
}

List *
steward_target_leaves(Oid relid, const char *age)
{
	List	   *tree;
	List	   *leaves = NIL;
	Oid			owner = InvalidOid;
	ListCell   *cell;

	/* PostgreSQL's function locks those below alone. */
	LockRelationOid(relid, AccessShareLock);
	tree = find_all_inheritors(relid, AccessShareLock, NULL);
	foreach(cell, tree)
	{
		Relation	rel = relation_open(lfirst_oid(cell), NoLock);

		/* The first one is the relation itself. */
		if (!OidIsValid(owner))
			owner = rel->rd_rel->relowner;
		steward_target_check(rel);
		check_owner(rel, owner);
		(void) steward_target_age_type(rel, age);
		if (rel->rd_rel->relkind == RELKIND_RELATION)
			leaves = lappend_oid(leaves, RelationGetRelid(rel));
		relation_close(rel, NoLock);
	}
	list_free(tree);
	return leaves;
}

Relation
steward_target_open_leaf(Oid leaf, Oid relid, Oid owner)
{
	Relation	rel = try_relation_open(leaf, RowExclusiveLock);

	if (rel == NULL)
		return NULL;
	if (leaf != relid &&
		!typeInheritsFrom(rel->rd_rel->reltype, get_rel_type_id(relid)))
	{
		relation_close(rel, NoLock);
		return NULL;
	}
	steward_target_check(rel);
	check_owner(rel, owner);
	return rel;
}
