/*
 * undo_plan.c: the steps that make good a transaction; see undo.h.
 *
 * The present rows that the transaction changed are read, and its records undone
 * on them in memory, last first; what has changed then is to be done. That needs
 * that nobody else changed these rows since.
 */
#include "base/compat.h"

#include "access/table.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "base/partition.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "history/row_json.h"
#include "history/travel.h"
#include "history/undo.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

/* The tables that a transaction has records of; of partitions, the whole table. */
static const char *const tables_query =
"SELECT DISTINCT s.relation"
" FROM steward.audit_record AS r"
" JOIN steward.audit_incarnation AS i ON i.id OPERATOR(pg_catalog.=) r.incarnation"
" JOIN steward.audit_schema AS s ON s.id OPERATOR(pg_catalog.=) r.schema_version"
" WHERE r.xid OPERATOR(pg_catalog.=) $1"
" AND i.system_identifier OPERATOR(pg_catalog.=) $2 AND i.database OPERATOR(pg_catalog.=) $3"
" ORDER BY s.relation";

/* Of a slot of the rows that the transaction changed. */
typedef struct SlotNote
{
	TimestampTz first;			/* when it first changed a row with the key */
	StewardUndoStep *loaded;	/* of the present row with the key, if any */
} SlotNote;

/* A record and the table whose it is. */
typedef struct UndoRecord
{
	StewardUndoTable *of;
	StewardTrailRecord *record;
} UndoRecord;

static List *
tables_of(uint64 xid)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {XID8OID, INT8OID, OIDOID};
	Datum		values[] = {UInt64GetDatum(xid),
		Int64GetDatum((int64) GetSystemIdentifier()),
	ObjectIdGetDatum(MyDatabaseId)};
	StewardIdentity saved;
	List	   *relids = NIL;

	steward_become_owner(&saved);
	SPI_connect();
	if (SPI_execute_with_args(tables_query, lengthof(types), types, values, NULL,
							  true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the records of a transaction");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
														   SPI_tuptable->tupdesc,
														   1, &isnull));
		MemoryContext spi = MemoryContextSwitchTo(caller);

		relids = list_append_unique_oid(relids, steward_partition_root(relid));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	steward_become_caller(&saved);
	return relids;
}

pg_attribute_noreturn()
static void refuse(uint64 xid, const char *detail, const char *hint);

static void
refuse(uint64 xid, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("transaction " UINT64_FORMAT " cannot be reverted", xid),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

static bool
is_row_change(const StewardTrailRecord *record)
{
	return record->record.op == STEWARD_OP_INSERT ||
		record->record.op == STEWARD_OP_UPDATE ||
		record->record.op == STEWARD_OP_DELETE;
}

static void
check_record(const StewardHistoryTable *table, const StewardTrailRecord *record)
{
	uint64		xid = record->transaction->id.xid;

	if (record->record.op == STEWARD_OP_TRUNCATE)
		refuse(xid, psprintf("It truncated table %s.", table->name),
			   "Insert the rows again from steward.as_of(), if it can tell them.");
	if (record->record.op == STEWARD_OP_REWRITE)
		refuse(xid, psprintf("It rewrote the values of table %s.", table->name),
			   "Revert what ALTER TABLE did by another ALTER TABLE.");
	if (table->left_out != NULL)
		refuse(xid, psprintf("Of table %s %s.", table->name, table->left_out),
			   "Make good the rows by hand.");
	if (is_row_change(record) && (!record->version->same_key || table->key_count == 0))
		refuse(xid, psprintf("Rows of table %s cannot be found by the key they had then.",
							 table->name),
			   "A table needs the same primary key then and now.");
}

static bool
is_deferrable(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_constraint) GETSTRUCT(tuple))->condeferrable;
	ReleaseSysCache(tuple);
	return result;
}

/* Do foreign keys refer to the table, or to a partition of it? It is locked. */
static void
find_references(StewardUndoTable *of)
{
	ListCell   *cell;

	foreach(cell, find_all_inheritors(of->table->relid, AccessShareLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(cell), NoLock);

		for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		{
			const Trigger *trigger = &rel->trigdesc->triggers[i];

			if (RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_PK)
				continue;
			of->referenced = true;
			of->early |= is_deferrable(trigger->tgconstraint);
		}
		table_close(rel, NoLock);
	}
}

static StewardUndoTable *
open_table(Oid relid, uint64 xid)
{
	StewardUndoTable *of = palloc0(sizeof(StewardUndoTable));

	of->table = steward_history_table_open(relid, false);
	of->trail = steward_trail_create(of->table);
	of->rows = steward_rows_create(of->table);
	steward_trail_read_one(of->trail, xid);
	steward_trail_sort(of->trail);
	for (int64 i = 0; i < of->trail->count; i++)
		check_record(of->table, &of->trail->records[i]);
	if (of->trail->count > 0 &&
		steward_enums_relabelled(of->table, of->trail->records[0].time))
		refuse(xid, psprintf("ALTER TYPE renamed a value of an enum of table %s since.",
							 of->table->name),
			   "Make good the rows by hand.");
	if (of->table->key_count > 0)
		steward_undo_where(of);
	find_references(of);
	return of;
}

/* ---- conflicts ---- */

static void
note_slot(StewardRowSlot *slot, const StewardTrailRecord *record)
{
	SlotNote   *note;

	if (slot == NULL || slot->extra != NULL)
		return;
	note = palloc0(sizeof(SlotNote));
	note->first = record->time;
	slot->extra = note;
}

static void
find_slots(StewardUndoTable *of)
{
	for (int64 i = 0; i < of->trail->count; i++)
	{
		StewardChange change;

		if (!is_row_change(&of->trail->records[i]))
			continue;
		steward_change_of(of->rows, &of->trail->records[i], &change);
		note_slot(steward_rows_before(of->rows, &change), &of->trail->records[i]);
		note_slot(steward_rows_after(of->rows, &change), &of->trail->records[i]);
	}
}

static bool
later_than(StewardRowSlot *slot, const StewardTrailRecord *record)
{
	return slot != NULL && record->time > ((SlotNote *) slot->extra)->first;
}

/* The slot of the transaction's that a record of another changed later. */
static StewardRowSlot *
conflict(StewardUndoTable *of, const StewardTrailRecord *record)
{
	StewardRowSlot *slot = NULL;
	StewardChange change;

	steward_change_of(of->rows, record, &change);
	if (record->record.op != STEWARD_OP_INSERT)
		slot = steward_rows_slot(of->rows, change.before, false);
	if (!later_than(slot, record) && record->record.op != STEWARD_OP_DELETE)
		slot = steward_rows_slot(of->rows, change.after, false);
	return later_than(slot, record) ? slot : NULL;
}

StewardCell *
steward_undo_key(const StewardUndoTable *of, const StewardRowSlot *slot)
{
	StewardCell *cells = palloc0(of->table->desc->natts * sizeof(StewardCell));

	for (int i = 0; i < of->table->desc->natts; i++)
		cells[i].isnull = true;
	for (int k = 0; k < of->rows->width; k++)
		cells[of->rows->key[k] - 1] = slot->key[k];
	return cells;
}

char *
steward_undo_key_text(const StewardUndoTable *of, const StewardRowSlot *slot)
{
	Jsonb	   *key = steward_row_key(of->table, steward_undo_key(of, slot));

	return JsonbToCString(NULL, &key->root, VARSIZE(key));
}

static bool
may_conflict(const StewardTrailRecord *record, void *arg)
{
	StewardTrailRecord late = *record;

	late.time = DT_NOEND;
	if (!is_row_change(record))
		return record->record.op == STEWARD_OP_TRUNCATE;
	return record->version->same_key && conflict(arg, &late) != NULL;
}

static void
check_conflicts(StewardUndoTable *of, uint64 xid)
{
	StewardTrail *later = steward_trail_create(of->table);
	StewardPoint point = steward_point_at(of->trail->records[0].time - 1);

	later->filter = may_conflict;
	later->filter_arg = of;
	steward_trail_read_after(later, &point);
	steward_trail_sort(later);
	for (int64 i = 0; i < later->count; i++)
	{
		const StewardTrailRecord *record = &later->records[i];
		uint64		other = record->transaction->id.xid;
		StewardRowSlot *slot;

		if (other == xid)
			continue;
		if (record->record.op == STEWARD_OP_TRUNCATE &&
			record->time > of->trail->records[0].time)
			refuse(xid, psprintf("Transaction " UINT64_FORMAT " truncated table %s later.",
								 other, of->table->name),
				   "Its rows are gone.");
		slot = is_row_change(record) ? conflict(of, record) : NULL;
		if (slot != NULL)
			refuse(xid, psprintf("Transaction " UINT64_FORMAT " changed the same row later: %s in table %s.",
								 other, steward_undo_key_text(of, slot), of->table->name),
				   psprintf("Revert transaction " UINT64_FORMAT " first, or change the row by hand.",
							other));
	}
}

/* ---- the steps ---- */

static StewardCell *
copy_cells(const StewardHistoryTable *table, const StewardCell *cells)
{
	Size		size = table->desc->natts * sizeof(StewardCell);

	return memcpy(palloc(size), cells, size);
}

static StewardUndoStep *
make_step(StewardUndoTable *of, StewardCell *now)
{
	StewardUndoStep *step = palloc0(sizeof(StewardUndoStep));

	step->of = of;
	step->now = now;
	return step;
}

/* Puts the present rows of the slots into them, each with a step. */
static void
load_rows(StewardUndoTable *of)
{
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while ((slot = steward_rows_next(of->rows, &bucket, slot)) != NULL)
	{
		StewardUndoStep *step;
		StewardCell *cells = steward_undo_read(of, steward_undo_key(of, slot));

		if (cells == NULL)
			continue;
		step = make_step(of, cells);
		steward_rows_add(of->rows, slot, cells)->extra = step;
		((SlotNote *) slot->extra)->loaded = step;
	}
}

static int
last_first(const ListCell *a, const ListCell *b)
{
	const UndoRecord *left = lfirst(a);
	const UndoRecord *right = lfirst(b);

	return right->record->record.seq < left->record->record.seq ? -1 : 1;
}

static List *
undo_records(List *tables, uint64 xid)
{
	List	   *records = NIL;
	List	   *steps = NIL;
	ListCell   *cell;

	foreach(cell, tables)
	{
		StewardUndoTable *of = lfirst(cell);

		for (int64 i = 0; i < of->trail->count; i++)
		{
			UndoRecord *record = palloc(sizeof(UndoRecord));

			record->of = of;
			record->record = &of->trail->records[i];
			if (is_row_change(record->record))
				records = lappend(records, record);
		}
	}
	list_sort(records, last_first);
	foreach(cell, records)
	{
		UndoRecord *record = lfirst(cell);
		StewardUndoStep *step;
		StewardChange change;

		steward_change_of(record->of->rows, record->record, &change);
		if (!steward_rows_undo(record->of->rows, &change))
			refuse(xid, psprintf("A row of table %s is not as the transaction left it, and nothing that was recorded changed it.",
								 record->of->table->name),
				   "SELECT * FROM steward.audit_coverage() may tell what went unrecorded.");
		if (record->of->rows->last->extra == NULL)
			record->of->rows->last->extra = make_step(record->of, NULL);
		step = record->of->rows->last->extra;
		if (step->order == 0)
		{
			step->order = record->record->record.seq;
			steps = lappend(steps, step);
		}
		step->first = record->record->record.seq;
	}
	return steps;
}

/* What the rows of a table became. */
static void
take_targets(StewardUndoTable *of)
{
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while ((slot = steward_rows_next(of->rows, &bucket, slot)) != NULL)
		for (StewardRow *row = slot->first; row != NULL; row = row->next)
		{
			StewardUndoStep *step = row->extra;

			for (int i = 0; i < of->table->desc->natts; i++)
				steward_cell_resolve(of->table, i + 1, &row->cells[i]);
			step->then = copy_cells(of->table, row->cells);
		}
}

/*
 * A row that was deleted and inserted again, with other values, is updated: to
 * delete it would take along what refers to it.
 */
static void
join_steps(StewardUndoTable *of)
{
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while ((slot = steward_rows_next(of->rows, &bucket, slot)) != NULL)
	{
		StewardUndoStep *old = ((SlotNote *) slot->extra)->loaded;
		StewardUndoStep *new = slot->first == NULL ? NULL : slot->first->extra;

		if (old == NULL || old->then != NULL || new == NULL || new->now != NULL)
			continue;
		new->now = old->now;
		old->now = NULL;
	}
}

static int
highest_first(const ListCell *a, const ListCell *b)
{
	const StewardUndoStep *left = lfirst(a);
	const StewardUndoStep *right = lfirst(b);

	if (left->order != right->order)
		return left->order < right->order ? 1 : -1;
	return left->first < right->first ? 1 : left->first > right->first ? -1 : 0;
}

/*
 * What other rows refer to goes when they do no more: rows of the transaction may
 * have come to refer to it from its insertion on, whatever else was done to it, and
 * before that under a deferrable foreign key: then it goes last. The others go before a
 * key is changed back that was carried on to them.
 */
static void
order_steps(List *steps)
{
	ListCell   *cell;

	foreach(cell, steps)
	{
		StewardUndoStep *step = lfirst(cell);

		if (step->then == NULL && step->of->referenced)
			step->order = step->of->early ? 0 : step->first;
	}
	list_sort(steps, highest_first);
}

List *
steward_undo_plan(uint64 xid)
{
	List	   *tables = NIL;
	List	   *steps = NIL;
	ListCell   *cell;

	if (xid == U64FromFullTransactionId(GetTopFullTransactionIdIfAny()))
		refuse(xid, "It is the current one.", "Use ROLLBACK.");
	foreach(cell, tables_of(xid))
		tables = lappend(tables, open_table(lfirst_oid(cell), xid));
	foreach(cell, tables)
	{
		StewardUndoTable *of = lfirst(cell);

		find_slots(of);
		if (of->rows->slot_count == 0)
			continue;
		check_conflicts(of, xid);
		load_rows(of);
	}
	steps = undo_records(tables, xid);
	if (steps == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("transaction " UINT64_FORMAT " has no recorded change of a row", xid),
				 errhint("Transactions that did are in column xid of steward.audit_trail.")));
	foreach(cell, tables)
	{
		take_targets(lfirst(cell));
		join_steps(lfirst(cell));
	}
	order_steps(steps);
	return steps;
}
