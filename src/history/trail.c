/*
 * trail.c: the records of one table, read from the audit log; see trail.h.
 *
 * The log is opened as the extension's owner, for fixed queries under the snapshot
 * of the call. Values become values as the caller, because the types' functions
 * may be anybody's.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "audit/batch.h"
#include "audit/buffer.h"
#include "audit/incarnation.h"
#include "audit/segment.h"
#include "base/catalog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/pruned.h"
#include "history/trail.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#define ROWS_AT_ONCE 1000

#define BATCHES \
	"SELECT l.xid, l.incarnation, l.first_seq, l.written_at, l.batch," \
	" i.system_identifier, i.database" \
	" FROM steward.audit_log AS l JOIN steward.audit_incarnation AS i ON i.id OPERATOR(pg_catalog.=) l.incarnation"

enum
{
	BATCH_XID = 1,
	BATCH_INCARNATION,
	BATCH_FIRST_SEQ,
	BATCH_WRITTEN_AT,
	BATCH_BATCH,
	BATCH_SYSTEM,
	BATCH_DATABASE
};

void
steward_planner_set(const char *setting, const char *value)
{
	(void) set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
steward_trail_prepare(void)
{
	steward_buffer_flush();
	CommandCounterIncrement();
	steward_pruning_wait();
	PushActiveSnapshot(GetTransactionSnapshot());
	steward_segment_look_again();
}

StewardTrail *
steward_trail_create(StewardHistoryTable *table)
{
	StewardTrail *trail = palloc0(sizeof(StewardTrail));
	HASHCTL		control = {.keysize = sizeof(((StewardTrailTransaction *) NULL)->id),
		.entrysize = sizeof(StewardTrailTransaction),
	.hcxt = CurrentMemoryContext};

	trail->table = table;
	trail->context = CurrentMemoryContext;
	trail->transactions = hash_create("steward history transactions", 256, &control,
									  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	trail->room = 64;
	trail->records = palloc(trail->room * sizeof(StewardTrailRecord));
	return trail;
}

static StewardTrailTransaction *
transaction_of(StewardTrail *trail, uint64 xid, int32 incarnation, bool ours,
			   TimestampTz started_at)
{
	StewardTrailTransaction wanted = {.id = {xid, incarnation}};
	StewardTrailTransaction *transaction;
	bool		found;

	transaction = hash_search(trail->transactions, &wanted.id, HASH_ENTER, &found);
	if (!found)
	{
		transaction->started_at = started_at;
		transaction->last_written = DT_NOBEGIN;
		transaction->ours = ours;
		transaction->mine = ours &&
			xid == U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	}
	return transaction;
}

/*
 * The rest of a record is kept when the record was, and its first part always: a
 * filter may ask for what lies in a later one. By keys first parts alone are found.
 */
static bool
is_wanted(StewardTrail *trail, const StewardTrailRecord *record)
{
	const StewardTrailRecord *last = trail->count == 0 ? NULL :
		&trail->records[trail->count - 1];

	if (record->record.op == STEWARD_OP_PART && trail->rest)
		return true;
	if (record->record.op == STEWARD_OP_PART)
		return !trail->keyed && last != NULL && last->transaction == record->transaction &&
			last->record.seq == record->record.seq - 1;
	if (record->record.length > 0 && record->record.payload[0] == STEWARD_PAYLOAD_CONTINUES)
		return true;
	return trail->filter == NULL || trail->filter(record, trail->filter_arg);
}

static void
append(StewardTrail *trail, const StewardTrailRecord *record)
{
	if (trail->count == trail->room)
	{
		trail->room *= 2;
		trail->records = repalloc_huge(trail->records,
									   trail->room * sizeof(StewardTrailRecord));
	}
	trail->records[trail->count++] = *record;
}

/* Keeps a record, copied, when it is of the table. */
static void
keep(StewardTrail *trail, const StewardRecord *record,
	 StewardTrailTransaction *transaction, TimestampTz written_at)
{
	StewardPart part = {record->payload, record->length};
	StewardTrailRecord kept = {.record = *record, .parts = &part, .part_count = 1,
		.transaction = transaction, .written_at = written_at,
	.time = record->changed_at};
	MemoryContext caller;
	unsigned char *payload;

	if (record->schema_version == 0 || !transaction->ours)
		return;
	kept.version = steward_history_version(trail->table, record->schema_version);
	if (kept.version == NULL || !is_wanted(trail, &kept))
		return;
	caller = MemoryContextSwitchTo(trail->context);
	payload = MemoryContextAllocHuge(trail->context, Max(record->length, 1));
	memcpy(payload, record->payload, record->length);
	kept.record.payload = payload;
	kept.parts = palloc(sizeof(StewardPart));
	kept.parts->data = payload;
	kept.parts->length = record->length;
	append(trail, &kept);
	MemoryContextSwitchTo(caller);
}

/* A transaction that is not over happens when it makes its last change. */
static void
note_time(StewardTrailTransaction *transaction, TimestampTz written_at,
		  TimestampTz changed_at)
{
	TimestampTz time = transaction->mine ? changed_at : written_at;

	if (time > transaction->last_written)
		transaction->last_written = time;
}

/*
 * Of this database before a promotion or a recovery to a point in time, whose ids
 * go on; not of one that this was restored from.
 */
static bool
is_ours(HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	int64		system = DatumGetInt64(SPI_getbinval(row, desc, BATCH_SYSTEM, &isnull));
	Oid			database = DatumGetObjectId(SPI_getbinval(row, desc, BATCH_DATABASE, &isnull));

	return (uint64) system == GetSystemIdentifier() && database == MyDatabaseId;
}

static void
read_batch(StewardTrail *trail, HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	uint64		xid = DatumGetUInt64(SPI_getbinval(row, desc, BATCH_XID, &isnull));
	int32		incarnation = DatumGetInt32(SPI_getbinval(row, desc, BATCH_INCARNATION, &isnull));
	int32		first_seq = DatumGetInt32(SPI_getbinval(row, desc, BATCH_FIRST_SEQ, &isnull));
	TimestampTz written_at = DatumGetTimestampTz(SPI_getbinval(row, desc, BATCH_WRITTEN_AT, &isnull));
	bytea	   *batch = DatumGetByteaPP(SPI_getbinval(row, desc, BATCH_BATCH, &isnull));
	bool		ours = is_ours(row, desc);
	StewardBatchReader reader;
	StewardTrailTransaction *transaction;
	StewardRecord record;

	steward_batch_open(&reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch), xid,
					   first_seq);
	transaction = transaction_of(trail, xid, incarnation, ours, reader.started_at);
	while (steward_batch_next(&reader, &record))
	{
		note_time(transaction, written_at, record.changed_at);
		keep(trail, &record, transaction, written_at);
	}
}

/*
 * Opens the query as the owner. By keys the planner cannot guess how few batches
 * there are; where there is an index, that is to be used.
 */
static Portal
open_batches(const StewardTrail *trail, const char *query, int count, Oid *types,
			 Datum *values)
{
	int			level = NewGUCNestLevel();
	StewardIdentity saved;
	SPIPlanPtr	plan;
	Portal		portal;

	steward_planner_set("jit", "off");
	if (trail->keyed)
		steward_planner_set("enable_seqscan", "off");
	steward_become_owner(&saved);
	plan = SPI_prepare(query, count, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare the reading of the audit log");
	portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	steward_become_caller(&saved);
	AtEOXact_GUC(true, level);
	return portal;
}

/* Reads the batches that a query finds. */
static void
read_batches(StewardTrail *trail, const char *query, int count, Oid *types,
			 Datum *values)
{
	Portal		portal;
	MemoryContext batch;

	SPI_connect();
	batch = AllocSetContextCreate(CurrentMemoryContext, "steward history batch",
								  ALLOCSET_DEFAULT_SIZES);
	portal = open_batches(trail, query, count, types, values);
	do
	{
		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			MemoryContext caller = MemoryContextSwitchTo(batch);

			CHECK_FOR_INTERRUPTS();
			read_batch(trail, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(batch);
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
}

static void
keep_pending(const StewardRecord *record, void *arg)
{
	StewardTrail *trail = arg;
	StewardTrailTransaction *transaction;

	transaction = transaction_of(trail,
								 U64FromFullTransactionId(GetTopFullTransactionIdIfAny()),
								 steward_incarnation_current(), true,
								 GetCurrentTransactionStartTimestamp());
	note_time(transaction, record->changed_at, record->changed_at);
	keep(trail, record, transaction, record->changed_at);
}

/* The parents' records, which may not be written inside a child. */
static void
read_pending(StewardTrail *trail)
{
	steward_buffer_each(keep_pending, trail);
}

void
steward_trail_read_all(StewardTrail *trail)
{
	read_batches(trail, BATCHES, 0, NULL, NULL);
	read_pending(trail);
}

/* A part of a record: the first of a batch, as it is too long to share one. */
static bool
read_part(StewardTrail *trail, StewardTrailRecord *record, const StewardTrailRecord *first,
		  int32 seq)
{
	Oid			types[] = {XID8OID, INT4OID, INT4OID};
	Datum		values[] = {UInt64GetDatum(first->transaction->id.xid),
		Int32GetDatum((int32) first->transaction->id.incarnation),
	Int32GetDatum(seq)};
	StewardTrail *found = steward_trail_create(trail->table);

	found->rest = true;
	read_batches(found, BATCHES " WHERE l.xid OPERATOR(pg_catalog.=) $1"
				 " AND l.incarnation OPERATOR(pg_catalog.=) $2"
				 " AND l.first_seq OPERATOR(pg_catalog.=) $3",
				 lengthof(types), types, values);
	if (found->count == 0 || found->records[0].record.op != STEWARD_OP_PART)
		return false;
	*record = found->records[0];
	record->transaction = first->transaction;
	return true;
}

/* The rest of the records that were found. */
static void
read_parts(StewardTrail *trail)
{
	int64		count = trail->count;

	for (int64 i = 0; i < count; i++)
	{
		StewardTrailRecord part = trail->records[i];
		const StewardTrailRecord first = trail->records[i];

		while (part.record.length > 0 &&
			   part.record.payload[0] == STEWARD_PAYLOAD_CONTINUES &&
			   read_part(trail, &part, &first, part.record.seq + 1))
			append(trail, &part);
	}
}

void
steward_trail_read_keyed(StewardTrail *trail, ArrayType *hashes)
{
	Oid			type = INT8ARRAYOID;
	Datum		value = PointerGetDatum(hashes);

	trail->keyed = true;
	read_batches(trail, BATCHES " WHERE steward.audit_keys(l.batch, l.first_seq, l.xid)"
				 " OPERATOR(pg_catalog.&&) $1", 1, &type, &value);
	read_parts(trail);
	trail->keyed = false;
	read_pending(trail);
}

/* The batches of transactions after the point that were written before it. */
static void
read_earlier_batches(StewardTrail *trail, const StewardPoint *point)
{
	TimestampTz bound = steward_point_written_after(point);
	HASH_SEQ_STATUS scan;
	StewardTrailTransaction *transaction;
	List	   *earlier = NIL;
	ListCell   *cell;

	hash_seq_init(&scan, trail->transactions);
	while ((transaction = hash_seq_search(&scan)) != NULL)
		if (transaction->started_at <= bound &&
			!steward_point_includes(point, transaction->id.xid,
									transaction->last_written, transaction->ours))
			earlier = lappend(earlier, transaction);
	foreach(cell, earlier)
	{
		Oid			types[] = {XID8OID, INT4OID, TIMESTAMPTZOID};
		Datum		values[3];

		transaction = lfirst(cell);
		values[0] = UInt64GetDatum(transaction->id.xid);
		values[1] = Int32GetDatum((int32) transaction->id.incarnation);
		values[2] = TimestampTzGetDatum(bound);
		read_batches(trail, BATCHES " WHERE l.xid OPERATOR(pg_catalog.=) $1"
					 " AND l.incarnation OPERATOR(pg_catalog.=) $2"
					 " AND l.written_at OPERATOR(pg_catalog.<=) $3",
					 lengthof(types), types, values);
	}
}

void
steward_trail_read_after(StewardTrail *trail, const StewardPoint *point)
{
	Oid			type = point->by_snapshot ? XID8OID : TIMESTAMPTZOID;
	Datum		value = point->by_snapshot ? UInt64GetDatum(steward_point_xmin(point)) :
		TimestampTzGetDatum(steward_point_written_after(point));

	if (point->by_snapshot)
		read_batches(trail, BATCHES " WHERE l.xid OPERATOR(pg_catalog.>=) $1",
					 1, &type, &value);
	else
		read_batches(trail, BATCHES " WHERE l.written_at OPERATOR(pg_catalog.>) $1",
					 1, &type, &value);
	read_pending(trail);
	if (!point->by_snapshot)
		read_earlier_batches(trail, point);
}

void
steward_trail_read_one(StewardTrail *trail, uint64 xid)
{
	Oid			type = XID8OID;
	Datum		value = UInt64GetDatum(xid);

	read_batches(trail, BATCHES " WHERE l.xid OPERATOR(pg_catalog.=) $1", 1, &type,
				 &value);
	if (xid == U64FromFullTransactionId(GetTopFullTransactionIdIfAny()))
		read_pending(trail);
}

/* ---- order ---- */

static int
by_number(const void *a, const void *b)
{
	const StewardTrailRecord *left = a;
	const StewardTrailRecord *right = b;

	if (left->transaction->id.xid != right->transaction->id.xid)
		return left->transaction->id.xid < right->transaction->id.xid ? -1 : 1;
	return left->record.seq < right->record.seq ? -1 :
		left->record.seq > right->record.seq;
}

static int
by_time(const void *a, const void *b)
{
	const StewardTrailRecord *left = a;
	const StewardTrailRecord *right = b;

	if (left->time != right->time)
		return left->time < right->time ? -1 : 1;
	return by_number(a, b);
}

/* Gives the parts of a record to it; they follow it, in order. */
static void
join_parts(StewardTrail *trail)
{
	int64		count = 0;

	for (int64 i = 0; i < trail->count; i++)
	{
		StewardTrailRecord *record = &trail->records[i];
		StewardTrailRecord *whole = &trail->records[Max(count, 1) - 1];

		if (record->record.op != STEWARD_OP_PART || count == 0)
		{
			trail->records[count++] = *record;
			continue;
		}
		whole->parts = repalloc(whole->parts,
								(whole->part_count + 1) * sizeof(StewardPart));
		whole->parts[whole->part_count++] = record->parts[0];
	}
	trail->count = count;
}

/*
 * By the time of the change. Should the clock have been set back within a
 * transaction, its later changes take the time of the earlier.
 */
void
steward_trail_sort(StewardTrail *trail)
{
	qsort(trail->records, trail->count, sizeof(StewardTrailRecord), by_number);
	join_parts(trail);
	for (int64 i = 1; i < trail->count; i++)
	{
		StewardTrailRecord *last = &trail->records[i - 1];
		StewardTrailRecord *record = &trail->records[i];

		if (record->transaction->id.xid == last->transaction->id.xid &&
			record->time < last->time)
			record->time = last->time;
	}
	qsort(trail->records, trail->count, sizeof(StewardTrailRecord), by_time);
}

bool
steward_trail_includes(const StewardPoint *point, const StewardTrailRecord *record)
{
	return steward_point_includes(point, record->transaction->id.xid,
								  record->transaction->last_written,
								  record->transaction->ours);
}
