/*
 * shred_target.c: the tables that action shred has to do with, and who may have such a
 * policy; see shred.h.
 */
#include "retention/shred_parts.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "retention/statement.h"
#include "retention/target.h"
#include "types/binding.h"

/*
 * Owning a table is no right to erase people: other tables lose their values too. Whoever can
 * make a policy for the owner has his rights, so it is he who is asked for.
 */
static void
check_right(Oid owner)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	List	   *name = list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
								  makeString(pstrdup("shred_subject")));

	if (!STEWARD_MAY_EXECUTE(LookupFuncName(name, lengthof(types), types, false), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for role \"%s\" to erase subjects",
						GetUserNameFromId(owner, false)),
				 errdetail("A policy runs as the owner of its table, and one that shreds erases subjects in all tables."),
				 errhint("GRANT EXECUTE ON FUNCTION steward.shred_subject TO the owner.")));
}

static void
check_binding(Relation rel, const StewardBinding *expected)
{
	StewardBinding binding;
	const char *name = RelationGetRelationName(rel);

	if (!steward_binding_find(rel, &binding))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not bound to subjects", name),
				 errhint("Bind it with steward.bind_subject, each inheritance child too, or use another action.")));
	if (expected != NULL && (strcmp(binding.kind, expected->kind) != 0 ||
							 strcmp(binding.column, expected->column) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is bound to other subjects than the table of the policy",
						name),
				 errhint("Bind both to the same kind of subjects by the same column.")));
	if (!binding.enabled)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the trigger that binds table \"%s\" to subjects is disabled", name),
				 errhint("Enable trigger \"%s\", and call steward.reencrypt.",
						 binding.trigger)));
}

static void
check_tree(const StewardPolicy *policy, Relation root, const List *leaves)
{
	StewardBinding binding;
	ListCell   *cell;

	check_binding(root, NULL);
	(void) steward_binding_find(root, &binding);
	foreach(cell, leaves)
	{
		Relation	leaf = relation_open(lfirst_oid(cell), NoLock);

		check_binding(leaf, &binding);
		relation_close(leaf, NoLock);
	}
}

Relation
steward_shred_open(const StewardPolicy *policy, Oid owner, LOCKMODE lock)
{
	Relation	root;
	List	   *leaves;

	check_right(owner);
	LockRelationOid(policy->relation, lock);
	list_free(find_all_inheritors(policy->relation, lock, NULL));
	leaves = steward_target_leaves(policy);
	root = relation_open(policy->relation, NoLock);
	steward_target_check_owner(root, owner);
	check_tree(policy, root, leaves);
	list_free(leaves);
	return root;
}

void
steward_shred_check(const StewardPolicy *policy, Oid owner)
{
	relation_close(steward_shred_open(policy, owner, AccessShareLock), NoLock);
}

/* The kind as a trigger has it in its arguments. */
static Datum
kind_bytes(const char *kind)
{
	Size		len = strlen(kind) + 1;
	bytea	   *bytes = palloc(VARHDRSZ + len);

	SET_VARSIZE(bytes, VARHDRSZ + len);
	memcpy(VARDATA(bytes), kind, len);
	return PointerGetDatum(bytes);
}

List *
steward_shred_tables(const char *kind)
{
	Oid			types[] = {BYTEAOID};
	Datum		values[] = {kind_bytes(kind)};
	List	   *tables = NIL;

	steward_policy_sql("SELECT c.oid FROM pg_catalog.pg_trigger AS t"
					   " JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid"
					   " WHERE t.tgfoid OPERATOR(pg_catalog.=) 'steward.bind_row()'::pg_catalog.regprocedure"
					   " AND c.relkind OPERATOR(pg_catalog.=) 'r'"
					   " AND c.relpersistence OPERATOR(pg_catalog.<>) 't'"
					   " AND pg_catalog.substring(t.tgargs, 1, pg_catalog.octet_length($1)) OPERATOR(pg_catalog.=) $1"
					   " ORDER BY c.oid",
					   SPI_OK_SELECT, 1, types, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
		tables = lappend_oid(tables, DatumGetObjectId(steward_result(i, 1)));
	SPI_freetuptable(SPI_tuptable);
	return tables;
}

Relation
steward_shred_open_bound(Oid relid, const char *kind)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	StewardBinding binding;

	if (rel == NULL)
		return NULL;
	if (steward_binding_find(rel, &binding) && strcmp(binding.kind, kind) == 0)
		return rel;
	relation_close(rel, NoLock);
	return NULL;
}

char *
steward_shred_key(Relation rel, Oid *type)
{
	StewardBinding binding;

	*type = InvalidOid;
	if (steward_binding_find(rel, &binding) && binding.key > 0)
		*type = steward_shred_comparable(TupleDescAttr(RelationGetDescr(rel),
													   binding.key - 1)->atttypid);
	if (!OidIsValid(*type))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the rows of a subject cannot be found in table \"%s\"",
						RelationGetRelationName(rel)),
				 errdetail("It is bound to subjects by a column that is gone or of another type."),
				 errhint("Call steward.unbind_subject() and steward.bind_subject().")));
	return psprintf("t.%s", quote_identifier(binding.column));
}
