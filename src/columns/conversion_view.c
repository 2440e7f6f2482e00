/*
 * conversion_view.c: the views that show a column that is converted; see
 * conversion.h.
 *
 * PostgreSQL changes no type under a view, so they are dropped and made anew
 * within the transaction. That is done only where it means the same: once the
 * column is encrypted, a view may show it and test it for NULL; text functions
 * over it would quietly work on ciphertext.
 */
#include "columns/conversion.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "types/guard.h"

struct StewardView
{
	Oid			owner;
	bool		encrypt;
	char	   *name;			/* for messages */
	char	   *drop;			/* the two commands */
	char	   *create;
	char	   *qualified;		/* schema.view */
	Oid			schema;
	int			uses;			/* of encrypted columns, before */
	StewardProperties *properties;
	List	   *columns;		/* StewardProperties of each */
};

/* ---- which can be made anew ---- */

static pg_attribute_noreturn() void
refuse(const StewardConversion *conversion, Oid view, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of table \"%s\" cannot be converted",
					conversion->column, get_rel_name(conversion->relid)),
			 errdetail("It is used by view %s, which cannot be carried: %s.",
					   get_rel_name(view), why),
			 errhint("Drop the view, and make it again afterwards.")));
}

/* Calls back for each row of pg_depend about a dependent of an object. */
typedef void (*DependentCallback) (StewardConversion *conversion, Oid view,
								   const ObjectAddress *dependent);

static void
for_each_dependent(StewardConversion *conversion, Oid view, Oid class_id,
				   Oid object, DependentCallback callback)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(class_id));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress dependent = {form->classid, form->objid, form->objsubid};

		callback(conversion, view, &dependent);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

static pg_attribute_noreturn() void
refuse_dependent(StewardConversion *conversion, Oid view,
				 const ObjectAddress *dependent)
{
	refuse(conversion, view, psprintf("%s depends on it",
									  getObjectDescription(dependent, false)));
}

static void
check_type_dependent(StewardConversion *conversion, Oid view,
					 const ObjectAddress *dependent)
{
	Oid			array = get_array_type(get_rel_type_id(view));

	if (dependent->classId != TypeRelationId || dependent->objectId != array)
		refuse_dependent(conversion, view, dependent);
}

static Oid
relation_of_rule(Oid rule)
{
	Relation	catalog = table_open(RewriteRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			relid = InvalidOid;

	ScanKeyInit(&key, Anum_pg_rewrite_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(rule));
	scan = systable_beginscan(catalog, RewriteOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		relid = ((Form_pg_rewrite) GETSTRUCT(tuple))->ev_class;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return relid;
}

static void
check_dependent(StewardConversion *conversion, Oid view,
				const ObjectAddress *dependent)
{
	Oid			relid;

	if (dependent->classId == TypeRelationId &&
		dependent->objectId == get_rel_type_id(view))
		return;
	if (dependent->classId != RewriteRelationId)
		refuse_dependent(conversion, view, dependent);
	relid = relation_of_rule(dependent->objectId);
	if (relid == view)
		return;
	if (get_rel_relkind(relid) != RELKIND_VIEW)
		refuse_dependent(conversion, view, dependent);
	steward_conversion_check_view(conversion, relid);
}

/* What is the view's own, besides its query, and is not copied. */
static void
check_view_itself(const StewardConversion *conversion, Oid view)
{
	Relation	rel = relation_open(view, AccessShareLock);

	if (!STEWARD_OWNS_RELATION(view, GetUserId()))
		refuse(conversion, view, "it has another owner");
	if (OidIsValid(getExtensionOfObject(RelationRelationId, view)))
		refuse(conversion, view, "it belongs to an extension");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(conversion, view, "it is temporary");
	/* relhastriggers stays when the last one is dropped. */
	if (rel->trigdesc != NULL)
		refuse(conversion, view, "it has triggers");
	if (rel->rd_rules == NULL || rel->rd_rules->numLocks != 1)
		refuse(conversion, view, "it has rules");
	if (RelationGetDescr(rel)->constr != NULL &&
		RelationGetDescr(rel)->constr->num_defval > 0)
		refuse(conversion, view, "it has default values");
	relation_close(rel, NoLock);
}

void
steward_conversion_check_view(StewardConversion *conversion, Oid view)
{
	if (list_member_oid(conversion->views, view))
		return;
	check_stack_depth();
	check_view_itself(conversion, view);
	for_each_dependent(conversion, view, TypeRelationId, get_rel_type_id(view),
					   check_type_dependent);
	for_each_dependent(conversion, view, TypeRelationId,
					   get_array_type(get_rel_type_id(view)), refuse_dependent);
	for_each_dependent(conversion, view, RelationRelationId, view, check_dependent);

	/*
	 * Its dependents are in the list: before them it stands after what it
	 * reads.
	 */
	conversion->views = lcons_oid(view, conversion->views);
}

/* ---- what a view does with encrypted columns ---- */

static bool count_uses(Node *node, int *uses);

static bool
is_encrypted(const Node *node)
{
	return steward_guard_type(exprType(node));
}

static bool
count_in_query(Query *query, int *uses)
{
	ListCell   *cell;

	foreach(cell, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		/* Sorted, grouped or made distinct by. */
		if (entry->ressortgroupref != 0 && is_encrypted((Node *) entry->expr))
			(*uses)++;
	}
	return query_tree_walker(query, count_uses, uses, QTW_IGNORE_JOINALIASES);
}

/* Counts all but columns that are shown or tested for NULL. */
static bool
count_uses(Node *node, int *uses)
{
	ListCell   *cell;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Query:
			return count_in_query((Query *) node, uses);
		case T_TargetEntry:
			if (IsA(((TargetEntry *) node)->expr, Var))
				return false;
			break;
		case T_NullTest:
			if (IsA(((NullTest *) node)->arg, Var))
				return false;
			break;
		case T_Var:
			if (is_encrypted(node))
				(*uses)++;
			return false;
		case T_Aggref:
			/* Its arguments are target entries too, but they show nothing. */
			foreach(cell, ((Aggref *) node)->args)
				* uses += is_encrypted((Node *) lfirst_node(TargetEntry, cell)->expr) ? 1 : 0;
			break;
		case T_SetOperationStmt:
			if (!((SetOperationStmt *) node)->all)
			{
				foreach(cell, ((SetOperationStmt *) node)->colTypes)
					* uses += steward_guard_type(lfirst_oid(cell)) ? 1 : 0;
			}
			break;
		default:
			break;
	}
	return expression_tree_walker(node, count_uses, uses);
}

static int
uses_of_view(Oid view)
{
	Relation	rel = relation_open(view, AccessShareLock);
	int			uses = 0;

	(void) count_uses((Node *) copyObject(get_view_query(rel)), &uses);
	relation_close(rel, NoLock);
	return uses;
}

/* ---- dropping ---- */

static char *
create_command(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Oid			view = RelationGetRelid(rel);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE VIEW %s", steward_conversion_table(view));
	for (int i = 0; i < desc->natts; i++)
		appendStringInfo(&sql, "%s%s", i == 0 ? " (" : ", ",
						 quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));
	if (desc->natts > 0)
		appendStringInfoChar(&sql, ')');
	steward_conversion_write_options(&sql, view);
	appendStringInfo(&sql, " AS %s",
					 TextDatumGetCString(OidFunctionCall1(F_PG_GET_VIEWDEF_OID,
														  ObjectIdGetDatum(view))));
	return sql.data;
}

static StewardView *
read_view(const StewardConversion *conversion, Oid relid)
{
	StewardView *view = palloc0(sizeof *view);
	Relation	rel = relation_open(relid, AccessExclusiveLock);

	view->owner = rel->rd_rel->relowner;
	view->encrypt = conversion->encrypt;
	view->name = pstrdup(RelationGetRelationName(rel));
	view->schema = RelationGetNamespace(rel);
	view->qualified = steward_conversion_table(relid);
	view->drop = psprintf("DROP VIEW %s", view->qualified);
	view->create = create_command(rel);
	view->uses = uses_of_view(relid);
	view->properties = steward_properties_read(relid, 0);
	for (int i = 1; i <= RelationGetNumberOfAttributes(rel); i++)
		view->columns = lappend(view->columns, steward_properties_read(relid, i));
	relation_close(rel, NoLock);
	return view;
}

static void
run_as(Oid owner, const char *command)
{
	StewardIdentity identity;

	steward_become(owner, &identity);
	steward_conversion_execute("%s", command);
	steward_become_caller(&identity);
}

List *
steward_conversion_drop_views(const StewardConversion *conversion)
{
	List	   *views = NIL;
	ListCell   *cell;

	foreach(cell, conversion->views)
		views = lappend(views, read_view(conversion, lfirst_oid(cell)));
	for (int i = list_length(views) - 1; i >= 0; i--)
	{
		StewardView *view = list_nth(views, i);

		run_as(view->owner, view->drop);
	}
	return views;
}

/* ---- making anew ---- */

static pg_attribute_noreturn() void
raise_changed(const StewardView *view, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("view \"%s\" cannot be carried over the conversion", view->name),
			 errdetail("%s", why),
			 errhint("Drop the view, and make it again afterwards.")));
}

/* Runs the command; what PostgreSQL has against it becomes the reason. */
static void
create(const StewardView *view)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		run_as(view->owner, view->create);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = resources;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
			error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		raise_changed(view, psprintf("PostgreSQL says: %s.", error->message));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = resources;
}

static void
make_view(const StewardView *view)
{
	Oid			relid;
	AttrNumber	attnum = 1;
	ListCell   *cell;

	create(view);
	relid = get_relname_relid(view->name, view->schema);
	if (view->encrypt && uses_of_view(relid) > view->uses)
		raise_changed(view, "It does more with the encrypted column than show it and test it for NULL.");
	steward_properties_write(view->properties, relid, 0);
	foreach(cell, view->columns)
		steward_properties_write(lfirst(cell), relid, attnum++);
}

void
steward_conversion_make_views(List *views)
{
	ListCell   *cell;

	foreach(cell, views)
		make_view(lfirst(cell));
}
