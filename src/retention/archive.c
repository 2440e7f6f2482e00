/*
 * archive.c: the table that expired rows are moved to; see archive.h.
 */
#include "retention/archive.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/partition.h"
#include "retention/target.h"

static void
raise_misfit(Relation archive, const char *column, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("table \"%s\" cannot be the archive: column \"%s\" does not fit",
					RelationGetRelationName(archive), column),
			 errdetail("%s", detail),
			 errhint("Make the archive by CREATE TABLE ... (LIKE ... INCLUDING GENERATED).")));
}

/* The column of this name, or NULL. */
static Form_pg_attribute
find_column(Relation rel, const char *name)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);

	return attnum <= 0 ? NULL : TupleDescAttr(RelationGetDescr(rel), attnum - 1);
}

static void
check_column(Relation archive, Form_pg_attribute column)
{
	const char *name = NameStr(column->attname);
	Form_pg_attribute twin = find_column(archive, name);

	if (twin == NULL)
		raise_misfit(archive, name, "It is not there.");
	if (twin->atttypid != column->atttypid || twin->atttypmod != column->atttypmod ||
		twin->attcollation != column->attcollation)
		raise_misfit(archive, name, "It has another type or collation.");
}

/* What the archive has beside must do without a value. */
static void
check_beside(Relation archive, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(archive);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped || !column->attnotnull || column->atthasdef ||
			column->attidentity != '\0' ||
			find_column(rel, NameStr(column->attname)) != NULL)
			continue;
		raise_misfit(archive, NameStr(column->attname),
					 "It is NOT NULL, has no default, and the table of the policy does not have it.");
	}
}

static void
check_table(Relation archive, Relation rel, Oid owner)
{
	const char *name = RelationGetRelationName(archive);

	steward_target_check(archive, CMD_INSERT);
	steward_target_check_owner(archive, owner);
	if (steward_partition_root(RelationGetRelid(archive)) ==
		steward_partition_root(RelationGetRelid(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" cannot be its own archive", name),
				 errhint("Give a table that the policy is not for.")));
	if (archive->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT &&
		rel->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" cannot be the archive", name),
				 errdetail("It is unlogged: a crash would empty it."),
				 errhint("Make it a logged table.")));
}

List *
steward_archive_columns(Relation archive, Relation rel, Oid owner)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *columns = NIL;

	check_table(archive, rel, owner);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped)
			continue;
		check_column(archive, column);
		/* What both compute need not be moved, and cannot be. */
		if (find_column(archive, NameStr(column->attname))->attgenerated == '\0')
			columns = lappend(columns, pstrdup(NameStr(column->attname)));
		else if (column->attgenerated == '\0')
			raise_misfit(archive, NameStr(column->attname), "It is generated in the archive alone.");
	}
	check_beside(archive, rel);
	return columns;
}

Relation
steward_archive_open(Oid archive, LOCKMODE lockmode)
{
	Relation	rel = try_relation_open(archive, lockmode);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the archive of the policy no longer exists"),
				 errhint("Give the policy another with steward.alter_policy.")));
	return rel;
}
