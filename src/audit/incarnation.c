/*
 * incarnation.c: which life of the database a record belongs to; see
 * incarnation.h.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "audit/incarnation.h"
#include "audit/sink.h"
#include "base/catalog.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Columns of steward.audit_incarnation, counted from 0. */
enum
{
	INCARNATION_ID,
	INCARNATION_INSTALLATION,
	INCARNATION_SYSTEM,
	INCARNATION_TIMELINE,
	INCARNATION_DATABASE,
	INCARNATION_STARTED_AT,
	INCARNATION_NATTS
};

static StewardRelationRef incarnation_table = {"audit_incarnation"};
static StewardRelationRef incarnation_key = {"audit_incarnation_pkey"};
static StewardRelationRef incarnation_sequence = {"audit_incarnation_id"};

/* A backend lives in one incarnation: before a promotion it cannot write. */
static int32 cached_id = 0;
static Oid	cached_home = InvalidOid;
static SubTransactionId cached_by = InvalidSubTransactionId;

static bool
is_native(const Datum *values)
{
	return DatumGetInt64(values[INCARNATION_SYSTEM]) == (int64) GetSystemIdentifier() &&
		DatumGetObjectId(values[INCARNATION_DATABASE]) == MyDatabaseId;
}

static bool
is_present(const Datum *values)
{
	return is_native(values) &&
		DatumGetInt32(values[INCARNATION_TIMELINE]) == (int32) GetWALInsertionTimeLine();
}

/*
 * Reads the newest incarnation. Returns its id when it is the present one, else
 * 0; either way, when there is a row, its id, its installation and whether it is of
 * this database. Sets cached_by.
 */
static int32
find_present(pg_uuid_t *installation, int32 *newest, bool *native)
{
	Relation	table = steward_relation_open(&incarnation_table, AccessShareLock);
	Relation	index = steward_relation_open(&incarnation_key, AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(table, index, SnapshotSelf, 0,
												  NULL);
	HeapTuple	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	int32		id = 0;

	*newest = 0;
	*native = false;
	if (HeapTupleIsValid(tuple))
	{
		Datum		values[INCARNATION_NATTS];
		bool		nulls[INCARNATION_NATTS];

		heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
		memcpy(installation, DatumGetUUIDP(values[INCARNATION_INSTALLATION]),
			   sizeof(pg_uuid_t));
		*native = is_native(values);
		*newest = DatumGetInt32(values[INCARNATION_ID]);
		if (is_present(values))
			id = *newest;
		/* Not committed yet: schema.c says why the current subtransaction. */
		if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
			cached_by = GetCurrentSubTransactionId();
	}
	systable_endscan_ordered(scan);
	relation_close(index, AccessShareLock);
	relation_close(table, AccessShareLock);
	return id;
}

/* A random (version 4) UUID. */
static void
new_installation(pg_uuid_t *installation)
{
	if (!pg_strong_random(installation, sizeof(pg_uuid_t)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	installation->data[6] = (installation->data[6] & 0x0f) | 0x40;
	installation->data[8] = (installation->data[8] & 0x3f) | 0x80;
}

/* A restore brings the rows before the sequence, or after it. */
static int32
next_id(int32 newest)
{
	int64		id;

	do
		id = nextval_internal(steward_relation_oid(&incarnation_sequence), false);
	while (id <= newest);
	return (int32) id;
}

static int32
write_present(pg_uuid_t *installation, int32 newest)
{
	Datum		values[INCARNATION_NATTS];
	bool		nulls[INCARNATION_NATTS] = {false};
	int32		id = next_id(newest);

	values[INCARNATION_ID] = Int32GetDatum(id);
	values[INCARNATION_INSTALLATION] = UUIDPGetDatum(installation);
	values[INCARNATION_SYSTEM] = Int64GetDatum((int64) GetSystemIdentifier());
	values[INCARNATION_TIMELINE] = Int32GetDatum((int32) GetWALInsertionTimeLine());
	values[INCARNATION_DATABASE] = ObjectIdGetDatum(MyDatabaseId);
	values[INCARNATION_STARTED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	steward_sink_insert(&incarnation_table, INCARNATION_NATTS, values, nulls);
	return id;
}

int32
steward_incarnation_current(void)
{
	Oid			home = steward_relation_oid(&incarnation_table);
	pg_uuid_t	installation;
	int32		newest;
	bool		native;

	if (cached_id != 0 && cached_home == home)
		return cached_id;
	cached_by = InvalidSubTransactionId;
	cached_id = find_present(&installation, &newest, &native);
	cached_home = home;
	if (cached_id != 0)
		return cached_id;
	if (newest == 0)
		new_installation(&installation);
	cached_id = write_present(&installation, newest);
	cached_by = GetCurrentSubTransactionId();
	return cached_id;
}

bool
steward_incarnation_is_native(void)
{
	Oid			home = steward_relation_oid(&incarnation_table);
	pg_uuid_t	installation;
	int32		newest;
	bool		native;

	if (cached_id != 0 && cached_home == home)
		return true;
	cached_home = home;
	cached_by = InvalidSubTransactionId;
	cached_id = find_present(&installation, &newest, &native);
	return native;
}

bool
steward_incarnation_exists(void)
{
	pg_uuid_t	installation;
	int32		newest;
	bool		native;

	if (cached_id != 0 && cached_home == steward_relation_lookup(&incarnation_table))
		return true;
	(void) find_present(&installation, &newest, &native);
	return newest != 0;
}

void
steward_incarnation_forget(SubTransactionId written_by)
{
	if (cached_by != InvalidSubTransactionId &&
		(cached_by == written_by || written_by == TopSubTransactionId))
	{
		cached_id = 0;
		cached_by = InvalidSubTransactionId;
	}
}

void
steward_incarnation_reparent(SubTransactionId child, SubTransactionId parent)
{
	if (cached_by == child)
		cached_by = parent;
}

bool
steward_incarnation_continues(int32 id)
{
	Relation	table = steward_relation_open(&incarnation_table, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&key, INCARNATION_ID + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(id));
	scan = systable_beginscan(table, steward_relation_oid(&incarnation_key), true,
							  SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		values[INCARNATION_NATTS];
		bool		nulls[INCARNATION_NATTS];

		heap_deform_tuple(tuple, RelationGetDescr(table), values, nulls);
		result = DatumGetInt64(values[INCARNATION_SYSTEM]) == (int64) GetSystemIdentifier() &&
			DatumGetObjectId(values[INCARNATION_DATABASE]) == MyDatabaseId;
	}
	systable_endscan(scan);
	relation_close(table, AccessShareLock);
	return result;
}
