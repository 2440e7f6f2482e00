/*
 * undo_row.c: reading and locking the present rows of steps; see undo.h.
 *
 * A row is found by its key. A foreign key may carry it to another; then what became
 * of the version that was locked tells where it is.
 */
#include "base/compat.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "history/query.h"
#include "history/undo.h"
#include "lib/stringinfo.h"
#include "storage/bufmgr.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

void
steward_undo_where(StewardUndoTable *of)
{
	StringInfoData out;

	initStringInfo(&out);
	of->types = palloc(of->table->key_count * sizeof(Oid));
	for (int k = 0; k < of->table->key_count; k++)
	{
		Form_pg_attribute attribute = TupleDescAttr(of->table->desc, of->table->key[k] - 1);

		of->types[k] = attribute->atttypid;
		appendStringInfo(&out, " %s %s %s $%d", k > 0 ? "AND" : "WHERE",
						 steward_undo_column(of->table, of->table->key[k]),
						 steward_undo_equality(attribute, &of->operators), k + 1);
	}
	of->where = out.data;
}

static char *
read_query(const StewardUndoTable *of, bool lock)
{
	const StewardHistoryTable *table = of->table;
	StringInfoData out;
	int			count = 0;

	initStringInfo(&out);
	appendStringInfoString(&out, "SELECT");
	for (int i = 1; i <= table->desc->natts; i++)
		if (steward_history_has_column(table->desc, i))
			appendStringInfo(&out, "%s %s", count++ > 0 ? "," : "", steward_undo_column(table, i));
	if (lock)
		appendStringInfoString(&out, ", tableoid, ctid");
	appendStringInfo(&out, " FROM %s%s%s%s", table->partitioned ? "" : "ONLY ",
					 table->name, of->where, lock ? " FOR UPDATE" : "");
	return out.data;
}

static StewardCell *
take_row(const StewardHistoryTable *table, HeapTuple tuple, TupleDesc desc,
		 StewardUndoPlace *place)
{
	StewardCell *cells = palloc0(table->desc->natts * sizeof(StewardCell));
	int			count = 0;

	for (int i = 0; i < table->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(table->desc, i);

		cells[i].isnull = true;
		if (!steward_history_has_column(table->desc, i + 1))
			continue;
		cells[i].given = true;
		cells[i].value = SPI_getbinval(tuple, desc, ++count, &cells[i].isnull);
		if (!cells[i].isnull)
			cells[i].value = datumCopy(cells[i].value, attribute->attbyval,
									   attribute->attlen);
	}
	if (place != NULL)
	{
		bool		isnull;

		place->relid = DatumGetObjectId(SPI_getbinval(tuple, desc, ++count, &isnull));
		ItemPointerCopy((ItemPointer) DatumGetPointer(SPI_getbinval(tuple, desc, ++count, &isnull)),
						&place->tid);
	}
	return cells;
}

static StewardCell *
read_row(const StewardUndoTable *of, StewardCell *key, bool lock, StewardUndoPlace *place)
{
	const StewardHistoryTable *table = of->table;
	MemoryContext caller = CurrentMemoryContext;
	Datum	   *values = palloc(table->key_count * sizeof(Datum));
	StewardQuery query = {.text = read_query(of, lock), .relid = table->relid,
		.operators = of->operators, .count = table->key_count, .types = of->types,
	.values = values};
	StewardCell *cells = NULL;
	Portal		portal;

	for (int k = 0; k < table->key_count; k++)
	{
		steward_cell_resolve(table, table->key[k], &key[table->key[k] - 1]);
		values[k] = key[table->key[k] - 1].value;
	}
	SPI_connect();
	if (lock)
		CommandCounterIncrement();
	portal = steward_query_open(&query, lock ? InvalidSnapshot : GetActiveSnapshot());
	SPI_cursor_fetch(portal, true, FETCH_ALL);
	if (SPI_processed > 0)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		cells = take_row(table, SPI_tuptable->vals[0], SPI_tuptable->tupdesc, place);
		MemoryContextSwitchTo(spi);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	return cells;
}

StewardCell *
steward_undo_read(const StewardUndoTable *of, StewardCell *key)
{
	return read_row(of, key, false, NULL);
}

StewardCell *
steward_undo_lock(const StewardUndoTable *of, StewardCell *key, StewardUndoPlace *place)
{
	return read_row(of, key, true, place);
}

/* The key of a row of the table or a partition of it, whose columns have other numbers. */
static StewardCell *
key_of(const StewardHistoryTable *table, Oid relid, TupleTableSlot *row)
{
	StewardCell *cells = palloc0(table->desc->natts * sizeof(StewardCell));

	for (int k = 0; k < table->key_count; k++)
	{
		Form_pg_attribute attribute = TupleDescAttr(table->desc, table->key[k] - 1);
		StewardCell *cell = &cells[table->key[k] - 1];

		cell->value = slot_getattr(row, get_attnum(relid, NameStr(attribute->attname)),
								   &cell->isnull);
		cell->value = datumCopy(cell->value, attribute->attbyval, attribute->attlen);
	}
	return cells;
}

/* The last version of a row that a snapshot shows. */
static void
follow(Relation rel, Snapshot snapshot, ItemPointer tid)
{
	TableScanDesc scan = table_beginscan_tid(rel, snapshot);

	table_tuple_get_latest_tid(scan, tid);
	table_endscan(scan);
}

/* Does a row that is no more in this partition go on in another? */
static bool
has_moved(Relation rel, ItemPointerData tid)
{
	HeapTupleData last;
	Buffer		buffer;
	bool		moved;

	if (!rel->rd_rel->relispartition || rel->rd_tableam != GetHeapamTableAmRoutine())
		return false;
	follow(rel, SnapshotAny, &tid);
	last.t_self = tid;
	if (!heap_fetch(rel, SnapshotAny, &last, &buffer, false))
		return false;
	moved = HeapTupleHeaderIndicatesMovedPartitions(last.t_data);
	ReleaseBuffer(buffer);
	return moved;
}

StewardCell *
steward_undo_follow(const StewardUndoTable *of, const StewardUndoPlace *place,
					bool *moved)
{
	Relation	rel = table_open(place->relid, RowShareLock);
	TupleTableSlot *row = table_slot_create(rel, NULL);
	ItemPointerData tid = place->tid;
	StewardCell *key = NULL;
	Snapshot	snapshot;

	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	follow(rel, snapshot, &tid);
	if (table_tuple_fetch_row_version(rel, &tid, snapshot, row))
		key = key_of(of->table, place->relid, row);
	UnregisterSnapshot(snapshot);
	*moved = key == NULL && has_moved(rel, place->tid);
	ExecDropSingleTupleTableSlot(row);
	table_close(rel, NoLock);
	return key == NULL ? NULL : steward_undo_lock(of, key, NULL);
}
