/*
 * remains.c: what is left in the database under one version of a key; see
 * remains.h.
 */
#include "columns/remains.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "columns/count.h"
#include "columns/shape.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "types/guard.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* ---- finding places ---- */

typedef struct Wanted
{
	uint32		holder_id;
	bool		found;
} Wanted;

/* A column that names no key, as a rescue can make one, may hold any value. */
static void
note_key(int32 typmod, void *arg)
{
	Wanted	   *wanted = arg;

	if (typmod <= 0 || steward_key_holder((uint32) typmod) == wanted->holder_id)
		wanted->found = true;
}

static bool
is_under(Form_pg_attribute att, uint32 holder_id)
{
	Wanted		wanted = {.holder_id = holder_id};
	StewardShape *shape = steward_shape(att->atttypid, att->atttypmod);

	if (shape != NULL)
		steward_shape_keys(shape, note_key, &wanted);
	return wanted.found;
}

static bool
stores_rows(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return relkind == RELKIND_RELATION || relkind == RELKIND_MATVIEW;
}

List *
steward_remains_places(uint32 holder_id, TransactionId *pending)
{
	Relation	catalog = table_open(AttributeRelationId, AccessShareLock);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext column = AllocSetContextCreate(caller, "column of a look",
												 ALLOCSET_SMALL_SIZES);
	List	   *places = NIL;
	SnapshotData dirty;
	SysScanDesc scan;
	HeapTuple	tuple;

	*pending = InvalidTransactionId;
	InitDirtySnapshot(dirty);
	scan = systable_beginscan(catalog, InvalidOid, false, &dirty, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_attribute att = (Form_pg_attribute) GETSTRUCT(tuple);
		TransactionId maker = dirty.xmin;
		bool		wanted;

		CHECK_FOR_INTERRUPTS();
		if (att->attnum <= 0 || att->attisdropped)
			continue;
		MemoryContextReset(column);
		MemoryContextSwitchTo(column);
		wanted = is_under(att, holder_id);
		MemoryContextSwitchTo(caller);
		/* A type of that transaction is not to be seen yet either. */
		if (TransactionIdIsValid(maker) &&
			(wanted ||
			 !SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(att->atttypid))))
			*pending = maker;
		else if (wanted && stores_rows(att->attrelid))
			places = lappend_oid(places, att->attrelid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	MemoryContextDelete(column);
	list_sort(places, list_oid_cmp);
	list_deduplicate_oid(places);
	return places;
}

/* ---- reading them ---- */

typedef struct Looking
{
	const StewardRemains *remains;
	StewardCounts *counts;		/* NULL when nothing is to be counted */
	bool		found;
} Looking;

static void
look_at_head(const StewardDatum *head, void *arg)
{
	Looking    *looking = arg;

	bool		wanted;

	if (head == NULL)
		return;
	wanted = head->key_tag == looking->remains->key_tag &&
		steward_key_holder(head->key_id) == looking->remains->holder_id;
	/* What nobody can read any more needs no version. */
	if (wanted && steward_is_erased(head))
		return;
	if (looking->counts != NULL)
		steward_count(looking->counts, head);
	looking->found |= wanted;
}

/*
 * Could a transaction that has not ended see this row version, or a later one
 * of our own transaction's making? All others began after remains->since, so
 * what had ended by then is gone for them.
 */
static bool
is_remembered(const StewardRemains *remains, TupleTableSlot *slot)
{
	BufferHeapTupleTableSlot *row = (BufferHeapTupleTableSlot *) slot;
	TransactionId ended_by;
	HTSV_Result state;

	LockBuffer(row->buffer, BUFFER_LOCK_SHARE);
	state = HeapTupleSatisfiesVacuumHorizon(row->base.tuple, row->buffer,
											&ended_by);
	LockBuffer(row->buffer, BUFFER_LOCK_UNLOCK);
	if (state == HEAPTUPLE_RECENTLY_DEAD)
		return XidInMVCCSnapshot(ended_by, remains->since);
	return state != HEAPTUPLE_DEAD;
}

/*
 * Looks at one row version. What is out of line in one that nobody new sees may
 * have been vacuumed from the TOAST table already: it is not read.
 */
static bool
row_holds(Looking *looking, TupleTableSlot *slot, StewardShape **shapes, bool live)
{
	slot_getallattrs(slot);
	looking->found = false;
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		Datum		value = slot->tts_values[i];

		if (shapes[i] == NULL || slot->tts_isnull[i])
			continue;
		if (!live && VARATT_IS_EXTERNAL(DatumGetPointer(value)))
			looking->found = true;
		else
			steward_shape_heads(shapes[i], value, look_at_head, looking);
	}
	return looking->found;
}

static void
look_at_rows(StewardRemains *remains, Relation rel, StewardShape **shapes,
			 StewardCounts *counts)
{
	Looking		live = {.remains = remains, .counts = counts};
	Looking		ended = {.remains = remains};
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext,
											  "row of a look",
											  ALLOCSET_DEFAULT_SIZES);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext caller = MemoryContextSwitchTo(row);

		CHECK_FOR_INTERRUPTS();
		if (table_tuple_satisfies_snapshot(rel, slot, GetActiveSnapshot()))
			(void) row_holds(&live, slot, shapes, true);
		else if (is_remembered(remains, slot) &&
				 row_holds(&ended, slot, shapes, false))
			remains->remembered_in = RelationGetRelid(rel);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row);
}

/* ---- unique indexes ---- */

/* Does a page of a unique index hold such a value, be it a separator? */
static bool
page_holds(Looking *looking, Relation index, Page page, StewardShape **shapes)
{
	BTPageOpaque opaque;

	if (PageIsNew(page))
		return false;
	opaque = BTPageGetOpaque(page);
	if (P_IGNORE(opaque) || P_ISMETA(opaque))
		return false;
	for (OffsetNumber offset = FirstOffsetNumber;
		 offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		ItemId		item = PageGetItemId(page, offset);
		IndexTuple	tuple = (IndexTuple) PageGetItem(page, item);
		int			natts;

		if (!ItemIdHasStorage(item))
			continue;
		natts = Min(BTreeTupleGetNAtts(tuple, index),
					IndexRelationGetNumberOfKeyAttributes(index));
		for (int i = 0; i < natts; i++)
		{
			bool		isnull;
			Datum		value = index_getattr(tuple, i + 1,
											  RelationGetDescr(index), &isnull);

			if (shapes[i] != NULL && !isnull)
				steward_shape_heads(shapes[i], value, look_at_head, looking);
		}
	}
	return looking->found;
}

/*
 * Entries of rows that are gone and separators on inner pages are compared with
 * too: as long as one is under the version, the index needs it.
 */
static bool
index_holds(const StewardRemains *remains, Relation index)
{
	Looking		looking = {.remains = remains};
	StewardShape **shapes = steward_shapes(RelationGetDescr(index));
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	BlockNumber blocks = RelationGetNumberOfBlocks(index);
	PGAlignedBlock copy;

	if (shapes == NULL || index->rd_rel->relam != BTREE_AM_OID)
		return false;
	for (BlockNumber block = 0; block < blocks && !looking.found; block++)
	{
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL,
									strategy);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		/* This may read tables of the keys. */
		(void) page_holds(&looking, index, (Page) copy.data, shapes);
	}
	FreeAccessStrategy(strategy);
	return looking.found;
}

static void
look_at_indexes(StewardRemains *remains, Relation rel)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index_holds(remains, index))
			remains->index = RelationGetRelid(index);
		index_close(index, NoLock);
	}
}

void
steward_remains_lock(List *places)
{
	ListCell   *cell;

	foreach(cell, places)
		LockRelationOid(lfirst_oid(cell), ShareLock);
}

static void
look_at_place(StewardRemains *remains, Relation rel)
{
	StewardShape **shapes = steward_shapes(RelationGetDescr(rel));
	StewardCounts counts = {.context = CurrentMemoryContext};
	uint64		values;

	if (RELATION_IS_OTHER_TEMP(rel) ||
		rel->rd_tableam != GetHeapamTableAmRoutine())
	{
		remains->unread = RelationGetRelid(rel);
		return;
	}
	if (shapes == NULL)
		return;
	look_at_rows(remains, rel, shapes, &counts);
	look_at_indexes(remains, rel);
	values = steward_count_of(&counts, remains->holder_id, remains->key_tag);
	remains->values += values;
	if (values > 0)
		remains->values_in = RelationGetRelid(rel);
	steward_counts_store(&counts, RelationGetRelid(rel), shapes,
						 RelationGetNumberOfAttributes(rel));
}

void
steward_remains_look(StewardRemains *remains, List *places)
{
	ListCell   *cell;

	foreach(cell, places)
	{
		Relation	rel = try_relation_open(lfirst_oid(cell), NoLock);

		if (rel == NULL)
			continue;
		look_at_place(remains, rel);
		relation_close(rel, NoLock);
	}
}
