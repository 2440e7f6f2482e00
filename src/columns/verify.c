/*
 * verify.c: steward.verify_column, opening every value of a column.
 *
 * The owner of the table may run it, and the owner of the extension: it tells
 * whether values are sound and nothing of what they say, so it needs no right to
 * decrypt. It reads what the caller's snapshot shows, all rows, also those that
 * row security would hide; partitions and heirs too.
 *
 * A value that is bad is a finding; that a page or a TOAST table cannot be read
 * is an error, whose context names the row.
 */
#include "columns/verify.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "columns/bind.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "types/guard.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

/* The row being looked at, and where findings go. */
typedef struct Verification
{
	ReturnSetInfo *result;
	Relation	rel;
	ItemPointerData row;
	const char *column;
	StewardBinder *binder;		/* NULL when the table is not bound */
	StewardVerifyOwner owner;	/* of the row */
	StringInfoData part;		/* of the value: "[3].phone", "" for all of it */
} Verification;

enum
{
	FOUND_IN,
	FOUND_ROW,
	FOUND_PART,
	FOUND_FINDING,
	FOUND_DETAIL,
	FOUND_COLUMNS
};

static void
add_finding(void *arg, const char *finding, const char *detail)
{
	Verification *verification = arg;
	Datum		values[FOUND_COLUMNS] = {0};
	bool		nulls[FOUND_COLUMNS] = {false};

	values[FOUND_IN] = ObjectIdGetDatum(RelationGetRelid(verification->rel));
	values[FOUND_ROW] = PointerGetDatum(&verification->row);
	nulls[FOUND_PART] = verification->part.len == 0;
	if (!nulls[FOUND_PART])
		values[FOUND_PART] = CStringGetTextDatum(verification->part.data);
	values[FOUND_FINDING] = CStringGetTextDatum(finding);
	nulls[FOUND_DETAIL] = detail == NULL;
	if (detail != NULL)
		values[FOUND_DETAIL] = CStringGetTextDatum(detail);
	tuplestore_putvalues(verification->result->setResult,
						 verification->result->setDesc, values, nulls);
}

/* ---- the parts of a value ---- */

static void verify_part(Verification *verification, Oid type, int32 typmod,
						Datum value);

static void
verify_array(Verification *verification, Oid element_type, int32 typmod,
			 Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	int			prefix = verification->part.len;
	int			number = 0;
	Datum		element;
	bool		isnull;

	while (array_iterate(iterator, &element, &isnull))
	{
		number++;
		if (isnull)
			continue;
		appendStringInfo(&verification->part, "[%d]", number);
		verify_part(verification, element_type, typmod, element);
		verification->part.len = prefix;
		verification->part.data[prefix] = '\0';
	}
	array_free_iterator(iterator);
}

static void
verify_row(Verification *verification, Datum value)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header),
												   HeapTupleHeaderGetTypMod(header));
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	int			prefix = verification->part.len;
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),
	.t_data = header};

	ItemPointerSetInvalid(&tuple.t_self);
	heap_deform_tuple(&tuple, desc, values, nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || nulls[i])
			continue;
		appendStringInfo(&verification->part, ".%s",
						 quote_identifier(NameStr(att->attname)));
		verify_part(verification, att->atttypid, att->atttypmod, values[i]);
		verification->part.len = prefix;
		verification->part.data[prefix] = '\0';
	}
	FreeTupleDesc(desc);
}

static void
verify_part(Verification *verification, Oid type, int32 typmod, Datum value)
{
	const StewardTypeInfo *info;
	Oid			element;

	if (!steward_guard_type(type))
		return;
	type = getBaseTypeAndTypmod(type, &typmod);
	info = steward_type_info(type);
	element = get_element_type(type);
	if (info != NULL)
		steward_verify_value(info, steward_typmod_key(typmod),
							 &verification->owner,
							 PG_DETOAST_DATUM_PACKED(value), add_finding,
							 verification);
	else if (OidIsValid(element))
		verify_array(verification, element, typmod, value);
	else if (type_is_rowtype(type))
		verify_row(verification, value);
}

/* ---- the rows of a table ---- */

static void
find_owner(Verification *verification, TupleTableSlot *slot)
{
	StewardVerifyOwner *owner = &verification->owner;
	bool		isnull;
	Datum		key;

	if (verification->binder == NULL)
		return;
	key = slot_getattr(slot, steward_binder_key(verification->binder), &isnull);
	owner->bound = !isnull;
	owner->known = !isnull && steward_binder_find(verification->binder, key, false,
												  &owner->subject);
}

static void
name_row(void *arg)
{
	Verification *verification = arg;

	if (ItemPointerIsValid(&verification->row))
		errcontext("verifying column \"%s\" of row (%u,%u) of table \"%s\"",
				   verification->column,
				   ItemPointerGetBlockNumber(&verification->row),
				   ItemPointerGetOffsetNumber(&verification->row),
				   RelationGetRelationName(verification->rel));
}

static void
verify_rows(Verification *verification, AttrNumber attnum, MemoryContext per_row)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(verification->rel),
										  attnum - 1);
	TupleTableSlot *slot = table_slot_create(verification->rel, NULL);
	TableScanDesc scan = table_beginscan(verification->rel, GetActiveSnapshot(),
										 0, NULL);
	MemoryContext outer = MemoryContextSwitchTo(per_row);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		value;

		CHECK_FOR_INTERRUPTS();
		verification->row = slot->tts_tid;
		value = slot_getattr(slot, attnum, &isnull);
		if (!isnull)
		{
			find_owner(verification, slot);
			verify_part(verification, att->atttypid, att->atttypmod, value);
		}
		MemoryContextReset(per_row);
	}
	ItemPointerSetInvalid(&verification->row);
	MemoryContextSwitchTo(outer);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * One table of the tree; what has no rows here is passed over, and said so. One that left the
 * tree while it was waited for may have the column no more.
 */
static void
verify_table(Verification *verification, Oid relid, MemoryContext per_row)
{
	Relation	rel = relation_open(relid, NoLock);
	char		relkind = rel->rd_rel->relkind;
	AttrNumber	attnum = get_attnum(relid, verification->column);
	ErrorContextCallback context = {.callback = name_row, .arg = verification,
	.previous = error_context_stack};

	verification->rel = rel;
	verification->binder = steward_binder_any(rel);
	memset(&verification->owner, 0, sizeof verification->owner);
	ItemPointerSetInvalid(&verification->row);
	initStringInfo(&verification->part);
	if (relkind == RELKIND_FOREIGN_TABLE)
		ereport(WARNING,
				(errmsg("foreign table \"%s\" is not verified",
						RelationGetRelationName(rel)),
				 errhint("Verify the table on the foreign server.")));
	else if ((relkind == RELKIND_RELATION || relkind == RELKIND_MATVIEW) &&
			 !RELATION_IS_OTHER_TEMP(rel) && attnum != InvalidAttrNumber)
	{
		error_context_stack = &context;
		verify_rows(verification, attnum, per_row);
		error_context_stack = context.previous;
	}
	pfree(verification->part.data);
	relation_close(rel, NoLock);
}

/* ---- what to verify, and who may ---- */

static void
check_owner(Oid relid)
{
	const char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Give the name of a table.")));
	if (!STEWARD_OWNS_RELATION(relid, GetUserId()) &&
		GetUserId() != steward_extension_owner())
		aclcheck_error(ACLCHECK_NOT_OWNER,
					   get_relkind_objtype(get_rel_relkind(relid)), name);
}

/* A column from a rescue: which key its values should have is not known. */
static void
warn_without_key(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	int32		typmod;

	if (steward_guard_type_takes_key(att->atttypid, att->atttypmod, &typmod) &&
		typmod < 0)
		ereport(WARNING,
				(errmsg("column \"%s\" of table \"%s\" names no key",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errdetail("Whether its values are under the right one is not verified."),
				 errhint("Name the key with ALTER TABLE ... ALTER COLUMN ... TYPE.")));
}

static void
check_column(Oid relid, const char *column)
{
	Relation	rel = relation_open(relid, NoLock);
	char		relkind = rel->rd_rel->relkind;
	AttrNumber	attnum = get_attnum(relid, column);

	if (relkind != RELKIND_RELATION && relkind != RELKIND_MATVIEW &&
		relkind != RELKIND_PARTITIONED_TABLE && relkind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
				 errhint("Give the name of a table.")));
	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", column,
						RelationGetRelationName(rel))));
	if (attnum < 0 || !steward_guard_type(get_atttype(relid, attnum)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("column \"%s\" of table \"%s\" is not encrypted", column,
						RelationGetRelationName(rel))));
	warn_without_key(rel, attnum);
	relation_close(rel, NoLock);
}

STEWARD_FUNCTION(steward_verify_column)
{
	static const char *const names[] = {"relation", "column"};
	Verification verification = {0};
	Oid			relid;
	MemoryContext per_row;
	ListCell   *cell;

	steward_require_arguments(fcinfo, lengthof(names), names);
	relid = PG_GETARG_OID(0);
	/* Before the lock, so that it is no means to block others. */
	check_owner(relid);
	verification.column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	InitMaterializedSRF(fcinfo, 0);
	verification.result = (ReturnSetInfo *) fcinfo->resultinfo;

	LockRelationOid(relid, AccessShareLock);
	check_owner(relid);
	check_column(relid, verification.column);
	per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_steward verify",
									ALLOCSET_DEFAULT_SIZES);
	foreach(cell, find_all_inheritors(relid, AccessShareLock, NULL))
		verify_table(&verification, lfirst_oid(cell), per_row);
	MemoryContextDelete(per_row);
	PG_RETURN_VOID();
}
