/*
 * guard_concurrent.c: CREATE INDEX, looked at before it begins.
 *
 * CONCURRENTLY commits on its way: when the DDL guard sees the index, raising an
 * error leaves it there, invalid but kept up to date. So on tables with encrypted
 * columns only what is plainly harmless may begin. Of other commands only an
 * encrypted column without its class is refused here, lest the whole table be
 * sorted by its plaintext in vain, and whoever may not decrypt be told to ask
 * for that. The guard looks once more in the end, which is what counts.
 */
#include "types/guard.h"

#include "access/relation.h"
#include "base/catalog.h"
#include "base/guc.h"
#include "catalog/namespace.h"
#include "commands/event_trigger.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "types/binding.h"
#include "types/type_info.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

bool
steward_guard_has_encrypted(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	bool		found = false;

	relation_close(rel, AccessShareLock);
	for (int i = 0; i < desc->natts && !found; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		found = !att->attisdropped && steward_guard_type(att->atttypid);
	}
	FreeTupleDesc(desc);
	return found;
}

static bool
names_unique_class(const IndexElem *element)
{
	return element->opclass != NIL &&
		steward_is_unique_class(strVal(llast(element->opclass)));
}

/* Raises when an element is an encrypted column with another class. */
static void
refuse_other_classes(Oid relid, const IndexStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->indexParams)
	{
		IndexElem  *element = lfirst_node(IndexElem, cell);
		AttrNumber	column = element->name == NULL ? InvalidAttrNumber :
			get_attnum(relid, element->name);

		if (column > 0 && !names_unique_class(element) &&
			steward_guard_type(get_atttype(relid, column)))
			steward_guard_raise_index(relid, column, get_atttype(relid, column));
	}
}

/* Is this element plainly harmless? Also checks the right to make it. */
static bool
element_passes(Oid relid, const IndexElem *element)
{
	AttrNumber	column;
	Oid			type;
	Oid			collation;
	int32		typmod;

	if (element->name == NULL)
		return false;			/* an expression */
	column = get_attnum(relid, element->name);
	if (column == InvalidAttrNumber)
		return true;			/* the command itself will complain */
	get_atttypetypmodcoll(relid, column, &type, &typmod, &collation);
	if (!steward_guard_type(type))
		return true;
	if (!names_unique_class(element))
		return false;
	steward_guard_bound_index(relid, column);
	steward_guard_unique(type, typmod);
	return true;
}

static bool
statement_passes(Oid relid, const IndexStmt *statement)
{
	ListCell   *cell;

	if (statement->whereClause != NULL)
		return false;
	foreach(cell, statement->indexParams)
	{
		if (!element_passes(relid, lfirst_node(IndexElem, cell)))
			return false;
	}
	return true;
}

STEWARD_FUNCTION(steward_guard_concurrent_index)
{
	EventTriggerData *trigger = (EventTriggerData *) fcinfo->context;
	IndexStmt  *statement;
	Oid			relid;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as an event trigger",
						"guard_concurrent_index")));
	if (!IsA(trigger->parsetree, IndexStmt) || steward_allow_unkeyed_ddl ||
		!OidIsValid(steward_extension_oid(true)))
		PG_RETURN_NULL();
	statement = (IndexStmt *) trigger->parsetree;
	relid = RangeVarGetRelid(statement->relation, NoLock, true);
	if (OidIsValid(relid))
		refuse_other_classes(relid, statement);
	if (OidIsValid(relid) && statement->concurrent && steward_guard_has_encrypted(relid) &&
		!statement_passes(relid, statement))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot create this index concurrently on table \"%s\"",
						get_rel_name(relid)),
				 errdetail("On a table with encrypted columns only an index over plain columns, encrypted ones with their class for unique indexes, can be created concurrently."),
				 errhint("Create the index without CONCURRENTLY.")));
	PG_RETURN_NULL();
}
