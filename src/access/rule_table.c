/*
 * rule_table.c: the rows of steward.access_rule; see rule_table.h.
 *
 * They are read and written directly, like catalogs: no statement, no snapshot, no
 * search path, and no hook of ours is involved. There are few.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/label.h"
#include "access/relation.h"
#include "access/rule_table.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/indexing.h"
#include "catalog/pg_type_d.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Columns of the table, counted from 0. */
enum
{
	RULE_RELATION,
	RULE_RELID,
	RULE_COLUMNS,
	RULE_NUMBERS,
	RULE_CREATED_BY,
	RULE_CREATED_AT,
	RULE_NATTS
};

static StewardRelationRef rule_table = {"access_rule"};

Oid
steward_access_table(void)
{
	return steward_relation_lookup(&rule_table);
}

/* Numbers of columns from an array of names or of numbers. */
static List *
read_columns(Oid relid, Datum array, Oid type)
{
	Datum	   *elements;
	int			count;
	List	   *columns = NIL;

	if (type == NAMEOID)
		deconstruct_array(DatumGetArrayTypeP(array), NAMEOID, NAMEDATALEN, false,
						  TYPALIGN_CHAR, &elements, NULL, &count);
	else
		deconstruct_array(DatumGetArrayTypeP(array), INT2OID, sizeof(int16), true,
						  TYPALIGN_SHORT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		AttrNumber	number = type == INT2OID ? DatumGetInt16(elements[i]) :
			get_attnum(relid, NameStr(*DatumGetName(elements[i])));

		if (number > 0 && OidIsValid(get_atttype(relid, number)))
			columns = lappend_int(columns, number);
	}
	return columns;
}

static ArrayType *
names_array(Oid relid, List *columns)
{
	Datum	   *names = palloc(sizeof(Datum) * list_length(columns));
	ListCell   *cell;

	foreach(cell, columns)
	{
		Name		name = palloc(NAMEDATALEN);

		namestrcpy(name, get_attname(relid, lfirst_int(cell), false));
		names[foreach_current_index(cell)] = NameGetDatum(name);
	}
	return construct_array(names, list_length(columns), NAMEOID, NAMEDATALEN,
						   false, TYPALIGN_CHAR);
}

static ArrayType *
numbers_array(List *columns)
{
	Datum	   *numbers = palloc(sizeof(Datum) * list_length(columns));
	ListCell   *cell;

	foreach(cell, columns)
		numbers[foreach_current_index(cell)] = Int16GetDatum(lfirst_int(cell));
	return construct_array(numbers, list_length(columns), INT2OID, sizeof(int16),
						   true, TYPALIGN_SHORT);
}

/* What a relation's rule says of columns, as values of a row. */
static void
set_columns(Oid relid, List *columns, Datum *values, bool *nulls)
{
	values[RULE_RELID] = ObjectIdGetDatum(relid);
	nulls[RULE_COLUMNS] = columns == NIL;
	nulls[RULE_NUMBERS] = columns == NIL;
	if (columns == NIL)
		return;
	values[RULE_COLUMNS] = PointerGetDatum(names_array(relid, columns));
	values[RULE_NUMBERS] = PointerGetDatum(numbers_array(columns));
}

static bool
same_array(Datum a, Datum b)
{
	struct varlena *left = PG_DETOAST_DATUM(a);
	struct varlena *right = PG_DETOAST_DATUM(b);

	return VARSIZE_ANY_EXHDR(left) == VARSIZE_ANY_EXHDR(right) &&
		memcmp(VARDATA_ANY(left), VARDATA_ANY(right), VARSIZE_ANY_EXHDR(left)) == 0;
}

/* Reads a row whose relation is there. */
static StewardAccessRow *
read_row(TupleDesc desc, HeapTuple tuple)
{
	StewardAccessRow *row = palloc0(sizeof *row);
	Datum		values[RULE_NATTS];
	bool		nulls[RULE_NATTS];
	bool		restored;

	heap_deform_tuple(tuple, desc, values, nulls);
	row->relid = DatumGetObjectId(values[RULE_RELATION]);
	restored = nulls[RULE_RELID] ||
		DatumGetObjectId(values[RULE_RELID]) != row->relid;
	row->all = nulls[RULE_COLUMNS] || nulls[RULE_NUMBERS];
	row->stale = restored;
	if (row->all || get_rel_name(row->relid) == NULL)
		return row;
	row->columns = read_columns(row->relid,
								values[restored ? RULE_COLUMNS : RULE_NUMBERS],
								restored ? NAMEOID : INT2OID);
	if (row->columns != NIL && !restored)
		row->stale = !same_array(values[RULE_COLUMNS],
								 PointerGetDatum(names_array(row->relid, row->columns)));
	return row;
}

List *
steward_access_rows(void)
{
	Relation	table = steward_relation_open(&rule_table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *rows = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		StewardAccessRow *row = read_row(RelationGetDescr(table), tuple);

		if (get_rel_name(row->relid) != NULL)
			rows = lappend(rows, row);
	}
	systable_endscan(scan);
	relation_close(table, AccessShareLock);
	return list_concat(rows, steward_access_label_rows());
}

/* The row of a relation, copied, or NULL. */
static HeapTuple
find_row(Relation table, Oid relid)
{
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	HeapTuple	found = NULL;
	bool		isnull;

	while (found == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (DatumGetObjectId(heap_getattr(tuple, RULE_RELATION + 1,
										  RelationGetDescr(table), &isnull)) == relid)
			found = heap_copytuple(tuple);
	systable_endscan(scan);
	return found;
}

/* Other sessions hear of it at commit, this one with the next command. */
static void
changed(Relation table)
{
	CacheInvalidateRelcache(table);
	relation_close(table, NoLock);
	CommandCounterIncrement();
}

static bool
is_same(Relation table, HeapTuple tuple, List *columns)
{
	StewardAccessRow *row = read_row(RelationGetDescr(table), tuple);

	return !row->stale && (row->all ? columns == NIL : equal(row->columns, columns));
}

bool
steward_access_put(Oid relid, List *columns)
{
	Relation	table = steward_relation_open(&rule_table, RowExclusiveLock);
	HeapTuple	tuple = find_row(table, relid);
	Datum		values[RULE_NATTS] = {0};
	bool		nulls[RULE_NATTS] = {false};
	NameData	creator;

	if (tuple != NULL && is_same(table, tuple, columns))
	{
		relation_close(table, NoLock);
		return false;
	}
	set_columns(relid, columns, values, nulls);
	values[RULE_RELATION] = ObjectIdGetDatum(relid);
	namestrcpy(&creator, GetUserNameFromId(GetUserId(), false));
	values[RULE_CREATED_BY] = NameGetDatum(&creator);
	values[RULE_CREATED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	if (tuple != NULL)
	{
		HeapTuple	made = heap_form_tuple(RelationGetDescr(table), values, nulls);

		CatalogTupleUpdate(table, &tuple->t_self, made);
	}
	else
		CatalogTupleInsert(table, heap_form_tuple(RelationGetDescr(table), values, nulls));
	changed(table);
	return true;
}

bool
steward_access_remove(Oid relid)
{
	Relation	table = steward_relation_open(&rule_table, RowExclusiveLock);
	HeapTuple	tuple = find_row(table, relid);

	if (tuple == NULL)
	{
		relation_close(table, NoLock);
		return false;
	}
	CatalogTupleDelete(table, &tuple->t_self);
	changed(table);
	return true;
}

/* Writes a row anew, or removes it with its relation; false when it may stay. */
static bool
sync_row(Relation table, HeapTuple tuple)
{
	StewardAccessRow *row = read_row(RelationGetDescr(table), tuple);
	Datum		values[RULE_NATTS] = {0};
	bool		nulls[RULE_NATTS] = {false};
	bool		replaces[RULE_NATTS] = {false};

	if (get_rel_name(row->relid) == NULL)
	{
		CatalogTupleDelete(table, &tuple->t_self);
		return true;
	}
	/* A rule whose columns are all gone stays: it must not mean all columns. */
	if (!row->stale || (!row->all && row->columns == NIL))
		return false;
	set_columns(row->relid, row->columns, values, nulls);
	replaces[RULE_RELID] = replaces[RULE_COLUMNS] = replaces[RULE_NUMBERS] = true;
	CatalogTupleUpdate(table, &tuple->t_self,
					   heap_modify_tuple(tuple, RelationGetDescr(table), values,
										 nulls, replaces));
	return true;
}

void
steward_access_sync(void)
{
	Relation	table = steward_relation_open(&rule_table, RowExclusiveLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *tuples = NIL;
	ListCell   *cell;
	bool		any = false;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		tuples = lappend(tuples, heap_copytuple(tuple));
	systable_endscan(scan);
	foreach(cell, tuples)
		any |= sync_row(table, lfirst(cell));
	if (any)
		changed(table);
	else
		relation_close(table, NoLock);
}

/* Whoever changes the table by hand, or restores it, is heard of as well. */
STEWARD_FUNCTION(steward_access_rule_changed)
{
	Oid			table = steward_access_table();

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a trigger",
						"access_rule_changed")));
	if (OidIsValid(table))
		CacheInvalidateRelcacheByRelid(table);
	PG_RETURN_POINTER(NULL);
}
