/*
 * label.c: the classification of columns; see label.h.
 */
#include "base/label.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_seclabel.h"
#include "commands/seclabel.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define MAX_CALLBACKS 4

static StewardLabelCallback callbacks[MAX_CALLBACKS];
static int	callback_count = 0;

void
steward_label_check(const char *label)
{
	size_t		length = strlen(label);

	if (length >= NAMEDATALEN || label[0] < 'a' || label[0] > 'z' ||
		strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789_-") != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a classification label", label),
				 errhint("A label is a word of at most %d lower-case letters, digits, \"_\" and \"-\", such as 'personal'; it begins with a letter.",
						 NAMEDATALEN - 1)));
}

/* The provider's hook: may this object have this label? */
static void
check_label(const ObjectAddress *object, const char *label)
{
	char	   *before;

	if (object->classId != RelationRelationId || object->objectSubId <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("only columns have classification labels"),
				 errhint("Use SECURITY LABEL FOR pg_steward ON COLUMN.")));
	if (object->objectId < FirstNormalObjectId ||
		get_rel_namespace(object->objectId) == get_namespace_oid("steward", true))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot label a column of relation \"%s\"",
						get_rel_name(object->objectId)),
				 errdetail("System tables and the relations of pg_steward have no labels.")));
	if (label != NULL)
		steward_label_check(label);
	before = GetSecurityLabel(object, STEWARD_LABEL_PROVIDER);
	for (int i = 0; i < callback_count; i++)
		callbacks[i] (object->objectId, before, label);
}

static int
compare_labels(const ListCell *a, const ListCell *b)
{
	const StewardLabel *left = lfirst(a);
	const StewardLabel *right = lfirst(b);

	if (left->relid != right->relid)
		return left->relid < right->relid ? -1 : 1;
	return left->number - right->number;
}

List *
steward_labels(void)
{
	Relation	catalog = table_open(SecLabelRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *labels = NIL;

	ScanKeyInit(&keys[0], Anum_pg_seclabel_classoid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_seclabel_provider, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(STEWARD_LABEL_PROVIDER));
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		const		FormData_pg_seclabel *row = (FormData_pg_seclabel *) GETSTRUCT(tuple);
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_seclabel_label,
										 RelationGetDescr(catalog), &isnull);
		StewardLabel *label;

		if (row->objsubid <= 0)
			continue;
		label = palloc(sizeof *label);
		label->relid = row->objoid;
		label->number = row->objsubid;
		label->label = TextDatumGetCString(value);
		labels = lappend(labels, label);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	list_sort(labels, compare_labels);
	return labels;
}

void
steward_on_label_change(StewardLabelCallback callback)
{
	if (callback_count == MAX_CALLBACKS)
		elog(FATAL, "out of callbacks for labels");
	callbacks[callback_count++] = callback;
}

void
steward_label_init(void)
{
	register_label_provider(STEWARD_LABEL_PROVIDER, check_label);
}
