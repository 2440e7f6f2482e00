/*
 * subject_table.c: reading and writing steward.subject_key and steward.root;
 * see subject_table.h.
 *
 * Rows are inserted as INSERT … ON CONFLICT DO NOTHING does it: first
 * speculatively, then, if nobody else was faster, for good. Unlike that command
 * it never fails for the snapshot of a REPEATABLE READ transaction.
 */
#include "keys/subject_table.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/catalog.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static StewardRelationRef subject_table = {"subject_key"};
static StewardRelationRef subject_index = {"subject_key_pkey"};
static StewardRelationRef label_index = {"subject_key_kind_key_digest_key"};
static StewardRelationRef erased_index = {"subject_key_erased"};
static StewardRelationRef root_table = {"root"};
static StewardRelationRef root_index = {"root_pkey"};

/* Column numbers, as subject.sql has them. */
enum
{
	SUBJECT_UUID = 1, SUBJECT_KIND, SUBJECT_DIGEST, SUBJECT_ROOT,
	SUBJECT_FIRST_ROOT, SUBJECT_LAST_ROOT, SUBJECT_WRAPPED, SUBJECT_CREATED,
	SUBJECT_ERASED, SUBJECT_FINAL, SUBJECT_COLUMNS = SUBJECT_FINAL
};
enum
{
	ROOT_ID = 1, ROOT_NUMBER, ROOT_FIRST_USED, ROOT_COLUMNS = ROOT_FIRST_USED
};

bool
steward_subject_table_is(Oid relid)
{
	return relid == subject_table.oid;
}

/* ---- values of columns ---- */

static Datum
bytes_datum(const unsigned char *bytes, size_t len)
{
	bytea	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), bytes, len);
	return PointerGetDatum(result);
}

static void
read_bytes(Relation table, HeapTuple tuple, int column, unsigned char *out,
		   size_t len)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, RelationGetDescr(table), &isnull);
	bytea	   *bytes = isnull ? NULL : DatumGetByteaPP(value);

	if (isnull || VARSIZE_ANY_EXHDR(bytes) != len)
		elog(ERROR, "table \"%s\" holds a value of the wrong length",
			 RelationGetRelationName(table));
	memcpy(out, VARDATA_ANY(bytes), len);
	if ((Pointer) bytes != DatumGetPointer(value))
		pfree(bytes);
}

static void
read_row(Relation table, HeapTuple tuple, StewardSubjectRow *row)
{
	bool		isnull;
	Datum		uuid = heap_getattr(tuple, SUBJECT_UUID, RelationGetDescr(table),
									&isnull);

	if (isnull)
		elog(ERROR, "a subject without a number");
	memcpy(row->uuid, DatumGetUUIDP(uuid)->data, STEWARD_UUID_BYTES);
	read_bytes(table, tuple, SUBJECT_ROOT, row->root_id, STEWARD_ROOT_ID_BYTES);
	read_bytes(table, tuple, SUBJECT_WRAPPED, row->wrapped, STEWARD_WRAP_BYTES);
	row->erased = !heap_attisnull(tuple, SUBJECT_ERASED, RelationGetDescr(table));
	row->final = !heap_attisnull(tuple, SUBJECT_FINAL, RelationGetDescr(table));
	row->writer = HeapTupleHeaderGetXmin(tuple->t_data);
	row->own = TransactionIdIsCurrentTransactionId(row->writer);
	row->place = tuple->t_self;
}

/* ---- reading ---- */

static bool
find(StewardRelationRef *index, ScanKey keys, int key_count,
	 StewardSubjectRow *row)
{
	Relation	table = steward_relation_open(&subject_table, AccessShareLock);
	Oid			index_oid = steward_relation_oid(index);
	SysScanDesc scan = systable_beginscan(table, index_oid, true, NULL, key_count,
										  keys);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
		read_row(table, tuple, row);
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

bool
steward_subject_table_find(const unsigned char *uuid, StewardSubjectRow *row)
{
	ScanKeyData key;
	pg_uuid_t	value;

	memcpy(value.data, uuid, UUID_LEN);
	ScanKeyInit(&key, SUBJECT_UUID, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&value));
	return find(&subject_index, &key, 1, row);
}

bool
steward_subject_table_find_label(const StewardSubjectLabel *label,
								 StewardSubjectRow *row)
{
	ScanKeyData keys[2];
	text	   *kind = cstring_to_text_with_len(label->kind, (int) label->kind_len);
	Datum		digest = bytes_datum(label->digest, sizeof label->digest);
	bool		found;

	ScanKeyInit(&keys[0], SUBJECT_KIND, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(kind));
	ScanKeyInit(&keys[1], SUBJECT_DIGEST, BTEqualStrategyNumber, F_BYTEAEQ, digest);
	found = find(&label_index, keys, 2, row);
	pfree(kind);
	pfree(DatumGetPointer(digest));
	return found;
}

void
steward_subject_table_scan(bool erased, StewardSubjectCallback callback,
						   void *arg)
{
	Relation	table = steward_relation_open(&subject_table, AccessShareLock);
	Oid			index = erased ? steward_relation_oid(&erased_index) : InvalidOid;
	SysScanDesc scan = systable_beginscan(table, index, erased, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		StewardSubjectRow row;

		CHECK_FOR_INTERRUPTS();
		if (heap_attisnull(tuple, SUBJECT_ERASED, RelationGetDescr(table)) == erased)
			continue;
		read_row(table, tuple, &row);
		callback(&row, arg);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

/* ---- inserting ---- */

/* Does the row stand now? False when another transaction's does. */
static bool
insert_speculatively(ResultRelInfo *result, TupleTableSlot *slot, EState *estate)
{
	Relation	table = result->ri_RelationDesc;
	ItemPointerData other;
	bool		conflict = false;
	uint32		token;

	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!STEWARD_CHECK_INDEXES(result, slot, estate, &other))
			return false;
		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
		table_tuple_insert_speculative(table, slot, GetCurrentCommandId(true), 0,
									   NULL, token);
		list_free(STEWARD_INSERT_INDEXES(result, slot, estate, &conflict));
		table_tuple_complete_speculative(table, slot, token, !conflict);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	} while (conflict);
	return true;
}

static ResultRelInfo *
open_indexes(Relation table, bool speculative)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, table, 1, NULL, 0);
	ExecOpenIndices(result, speculative);
	return result;
}

static bool
insert_values(Relation table, const Datum *values, const bool *nulls)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = open_indexes(table, true);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	int			columns = RelationGetDescr(table)->natts;
	bool		inserted;

	memcpy(slot->tts_values, values, columns * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, columns * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	inserted = insert_speculatively(result, slot, estate);
	ExecCloseIndices(result);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	pfree(result);
	if (inserted)
		CommandCounterIncrement();
	return inserted;
}

bool
steward_subject_table_insert(const StewardSubjectLabel *label,
							 const StewardSubjectRow *row)
{
	Relation	table = steward_relation_open(&subject_table, RowExclusiveLock);
	Datum		root = bytes_datum(row->root_id, STEWARD_ROOT_ID_BYTES);
	Datum		values[SUBJECT_COLUMNS] = {0};
	bool		nulls[SUBJECT_COLUMNS] = {false};
	pg_uuid_t	uuid;
	bool		inserted;

	memcpy(uuid.data, row->uuid, UUID_LEN);
	values[SUBJECT_UUID - 1] = UUIDPGetDatum(&uuid);
	values[SUBJECT_KIND - 1] =
		PointerGetDatum(cstring_to_text_with_len(label->kind, (int) label->kind_len));
	values[SUBJECT_DIGEST - 1] = bytes_datum(label->digest, sizeof label->digest);
	values[SUBJECT_ROOT - 1] = root;
	values[SUBJECT_FIRST_ROOT - 1] = root;
	nulls[SUBJECT_FIRST_ROOT - 1] = row->erased;
	nulls[SUBJECT_LAST_ROOT - 1] = true;
	values[SUBJECT_WRAPPED - 1] = bytes_datum(row->wrapped, STEWARD_WRAP_BYTES);
	values[SUBJECT_CREATED - 1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[SUBJECT_ERASED - 1] = values[SUBJECT_CREATED - 1];
	nulls[SUBJECT_ERASED - 1] = !row->erased;
	nulls[SUBJECT_FINAL - 1] = true;
	inserted = insert_values(table, values, nulls);
	table_close(table, NoLock);
	return inserted;
}

/* ---- changing ---- */

bool
steward_subject_table_lock(StewardSubjectRow *row)
{
	Relation	table = steward_relation_open(&subject_table, RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	Snapshot	snapshot = GetCatalogSnapshot(RelationGetRelid(table));
	TM_FailureData failure;
	TM_Result	answer;

	answer = table_tuple_lock(table, &row->place, snapshot, slot,
							  GetCurrentCommandId(false), LockTupleExclusive,
							  LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
							  &failure);
	if (answer == TM_Ok)
	{
		bool		copied;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &copied);

		read_row(table, tuple, row);
		if (copied)
			heap_freetuple(tuple);
	}
	else if (answer != TM_Deleted)
		elog(ERROR, "could not lock a subject: status %d", answer);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return answer == TM_Ok;
}

/* Stores a new version of a row that nobody else can have changed. */
static void
store_version(Relation table, ItemPointer place, TupleTableSlot *slot)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = open_indexes(table, false);
	StewardUpdateIndexes indexes;
	TM_FailureData failure;
	LockTupleMode mode;
	TM_Result	answer;

	answer = table_tuple_update(table, place, slot, GetCurrentCommandId(true),
								SnapshotAny, InvalidSnapshot, true, &failure,
								&mode, &indexes);
	if (answer != TM_Ok)
		elog(ERROR, "could not change a subject: status %d", (int) answer);
	if (STEWARD_INDEXES_CHANGE(indexes))
		list_free(STEWARD_INSERT_INDEX_TUPLES(result, slot, estate, indexes));
	ExecCloseIndices(result);
	FreeExecutorState(estate);
	pfree(result);
}

/* Replaces columns of a locked row. */
static void
update(Relation table, const StewardSubjectRow *row, int count,
	   const int *columns, const Datum *values, const bool *nulls)
{
	TupleTableSlot *old_slot = table_slot_create(table, NULL);
	TupleTableSlot *new_slot = table_slot_create(table, NULL);
	ItemPointerData place = row->place;
	HeapTuple	old;
	HeapTuple	new;
	bool		copied;

	if (!table_tuple_fetch_row_version(table, &place, SnapshotAny, old_slot))
		elog(ERROR, "a locked subject is gone");
	old = ExecFetchSlotHeapTuple(old_slot, false, &copied);
	new = heap_modify_tuple_by_cols(old, RelationGetDescr(table), count,
									(int *) columns, (Datum *) values,
									(bool *) nulls);
	ExecForceStoreHeapTuple(new, new_slot, false);
	store_version(table, &place, new_slot);
	if (copied)
		heap_freetuple(old);
	ExecDropSingleTupleTableSlot(new_slot);
	ExecDropSingleTupleTableSlot(old_slot);
	CommandCounterIncrement();
}

/* The id of the newest root of this database, as a datum; false when none is. */
static bool
newest_root(Datum *root_id)
{
	Relation	table = steward_relation_open(&root_table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	int32		newest = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		unsigned char id[STEWARD_ROOT_ID_BYTES];
		bool		isnull;
		int32		number = DatumGetInt32(heap_getattr(tuple, ROOT_NUMBER,
														RelationGetDescr(table),
														&isnull));

		if (number <= newest)
			continue;
		newest = number;
		read_bytes(table, tuple, ROOT_ID, id, sizeof id);
		*root_id = bytes_datum(id, sizeof id);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return newest > 0;
}

void
steward_subject_table_entomb(const StewardSubjectRow *row)
{
	static const int columns[] = {SUBJECT_ROOT, SUBJECT_WRAPPED, SUBJECT_LAST_ROOT,
	SUBJECT_ERASED, SUBJECT_FINAL};
	Relation	table = steward_relation_open(&subject_table, RowExclusiveLock);
	bool		nulls[lengthof(columns)] = {false};
	Datum		values[lengthof(columns)] = {
		bytes_datum(row->root_id, STEWARD_ROOT_ID_BYTES),
		bytes_datum(row->wrapped, STEWARD_WRAP_BYTES),
		(Datum) 0,
		TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
		(Datum) 0
	};

	nulls[2] = !newest_root(&values[2]);
	nulls[4] = true;
	update(table, row, lengthof(columns), columns, values, nulls);
	/* No trigger fired. */
	CacheInvalidateRelcacheByRelid(RelationGetRelid(table));
	table_close(table, NoLock);
}

void
steward_subject_table_finish(const StewardSubjectRow *row)
{
	static const int columns[] = {SUBJECT_FINAL};
	Relation	table = steward_relation_open(&subject_table, RowExclusiveLock);
	Datum		values[] = {TimestampTzGetDatum(GetCurrentTimestamp())};
	bool		nulls[] = {false};

	update(table, row, 1, columns, values, nulls);
	table_close(table, NoLock);
}

/* ---- roots ---- */

static bool
root_is_known(Relation table, Datum root_id)
{
	ScanKeyData key;
	SysScanDesc scan;
	bool		known;

	ScanKeyInit(&key, ROOT_ID, BTEqualStrategyNumber, F_BYTEAEQ, root_id);
	scan = systable_beginscan(table, steward_relation_oid(&root_index), true, NULL,
							  1, &key);
	known = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	return known;
}

static int32
next_number(Relation table)
{
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	int32		newest = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		newest = Max(newest, DatumGetInt32(heap_getattr(tuple, ROOT_NUMBER,
														RelationGetDescr(table),
														&isnull)));
	}
	systable_endscan(scan);
	return newest + 1;
}

void
steward_root_table_add(const unsigned char *root_id)
{
	Relation	table = steward_relation_open(&root_table, AccessShareLock);
	Datum		id = bytes_datum(root_id, STEWARD_ROOT_ID_BYTES);
	Datum		values[ROOT_COLUMNS];
	bool		nulls[ROOT_COLUMNS] = {false};

	if (!root_is_known(table, id))
	{
		/* One after the other, or two roots get the same number. */
		LockRelation(table, ShareRowExclusiveLock);
		if (!root_is_known(table, id))
		{
			values[ROOT_ID - 1] = id;
			values[ROOT_NUMBER - 1] = Int32GetDatum(next_number(table));
			values[ROOT_FIRST_USED - 1] =
				TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
			(void) insert_values(table, values, nulls);
		}
	}
	pfree(DatumGetPointer(id));
	table_close(table, NoLock);
}
