/*
 * scan.c: the records of a block; see scan.h.
 *
 * The transactions of a block are those that were running when the block before was
 * sealed and are not any more, found one by one, and those that began since, found
 * as a range. The former have the lower ids, so both together are in order. The
 * index of each segment on (xid, first_seq) gives the order: nothing is sorted, and
 * memory is bounded whatever the size of a transaction.
 */
#include "ledger/scan.h"

#include "audit/batch.h"
#include "catalog/pg_type_d.h"
#include "common/cryptohash.h"
#include "executor/spi.h"
#include "ledger/error.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define FETCH_ROWS 50

#define SELECT_ROWS \
	"SELECT l.xid, l.first_seq, l.records, l.segment, l.written_at, l.batch" \
	" FROM steward.audit_log AS l" \
	" WHERE l.incarnation OPERATOR(pg_catalog.=) $1 AND "
#define IN_ORDER \
	" ORDER BY l.xid USING OPERATOR(pg_catalog.<), l.first_seq USING OPERATOR(pg_catalog.<)"

static SPIPlanPtr one_plan = NULL;
static SPIPlanPtr range_plan = NULL;

/* Plans are kept for the session. */
static SPIPlanPtr
prepare(SPIPlanPtr *kept, const char *sql, int count, Oid *types)
{
	if (*kept == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(sql, count, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		*kept = plan;
	}
	return *kept;
}

/* Enters a digest into a sequence, unless it is that of the record before. */
static void
note_digest(StewardSha256 *sequence, StewardHash *last, const StewardHash *digest)
{
	if (memcmp(last, digest, sizeof(StewardHash)) == 0)
		return;
	*last = *digest;
	steward_sha256_update(sequence, digest->bytes, STEWARD_HASH_BYTES);
}

/* The leaf hash of RFC 6962, by the server's SHA-256: most of the work is here. */
static void
hash_leaf(StewardLeafScan *scan, const StewardLeafRecord *leaf, StewardHash *hash)
{
	static const uint8 prefix = 0;
	unsigned char head[STEWARD_LEAF_RECORD_HEAD_BYTES];

	steward_leaf_record_head(head, leaf);
	if (pg_cryptohash_init(scan->leaf_hash) < 0 ||
		pg_cryptohash_update(scan->leaf_hash, &prefix, 1) < 0 ||
		pg_cryptohash_update(scan->leaf_hash, head, sizeof head) < 0 ||
		pg_cryptohash_update(scan->leaf_hash, leaf->payload, leaf->payload_len) < 0 ||
		pg_cryptohash_final(scan->leaf_hash, hash->bytes, sizeof hash->bytes) < 0)
		elog(ERROR, "could not compute a hash: %s", pg_cryptohash_error(scan->leaf_hash));
}

static bool
give_record(StewardLeafScan *scan, const StewardLogRow *row, TimestampTz started_at,
			const StewardRecord *record)
{
	StewardLeafRecord leaf;
	StewardHash hash;

	leaf.incarnation = (uint32) scan->incarnation;
	leaf.xid = row->xid;
	leaf.seq = (uint32) record->seq;
	leaf.started_at = started_at;
	leaf.changed_at = record->changed_at;
	leaf.written_at = row->written_at;
	leaf.op = (unsigned char) record->op;
	leaf.context = *steward_digest_context(scan->digests, &record->context);
	leaf.schema = *steward_digest_schema(scan->digests, record->schema_version);
	leaf.payload = record->payload;
	leaf.payload_len = record->length;
	note_digest(&scan->contexts, &scan->last_context, &leaf.context);
	note_digest(&scan->schemas, &scan->last_schema, &leaf.schema);
	scan->leaves++;
	hash_leaf(scan, &leaf, &hash);
	return scan->record(scan->arg, &leaf, &hash, row);
}

/* Reports a row once, or raises. */
static void
report_damage(StewardLeafScan *scan, const StewardLogRow *row, const char *why)
{
	if (scan->damaged == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a batch of the audit log cannot be read: %s", why),
				 errdetail("It is that of transaction " UINT64_FORMAT ", from record %d on.",
						   row->xid, row->first_seq),
				 errhint("steward.verify_ledger() shows what was changed.")));
	if (!scan->row_damaged)
		scan->damaged(scan->arg, row, why);
	scan->row_damaged = true;
}

/*
 * The next record of a batch. What is malformed is an error of the decoder, which
 * holds nothing, so that it may be caught without a subtransaction.
 */
static bool
next_record(StewardLeafScan *scan, const StewardLogRow *row, StewardBatchReader *reader,
			bytea *batch, StewardRecord *record)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool found = false;

	/* Errors may be caught only where nothing else can be left half done. */
	if (scan->damaged == NULL)
	{
		if (batch != NULL)
			steward_batch_open(reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch),
							   row->xid, row->first_seq);
		return steward_batch_next(reader, record);
	}
	PG_TRY();
	{
		if (batch != NULL)
			steward_batch_open(reader, VARDATA_ANY(batch), VARSIZE_ANY_EXHDR(batch),
							   row->xid, row->first_seq);
		found = steward_batch_next(reader, record);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED)
			PG_RE_THROW();
		FlushErrorState();
		report_damage(scan, row, error->detail ? error->detail : error->message);
		FreeErrorData(error);
	}
	PG_END_TRY();
	return found;
}

static void
give_batch(StewardLeafScan *scan, const StewardLogRow *row, bytea *batch)
{
	StewardBatchReader reader;
	StewardRecord record;
	int32		records = 0;

	scan->row_damaged = false;
	while (!scan->stopped &&
		   next_record(scan, row, &reader, records == 0 ? batch : NULL, &record))
	{
		records++;
		scan->stopped = !give_record(scan, row, reader.started_at, &record);
	}
	if (records != row->records && !scan->stopped)
		report_damage(scan, row, "it says another number of records than it holds");
}

/* Gives the records of a row of the log, unless its transaction is not of the block. */
static void
give_row(StewardLeafScan *scan, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[6];
	bool		nulls[6];
	StewardLogRow row;

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < lengthof(nulls); i++)
		if (nulls[i])
			steward_ledger_corrupted("a row of the audit log is incomplete");
	row.xid = DatumGetUInt64(values[0]);
	row.first_seq = DatumGetInt32(values[1]);
	row.records = DatumGetInt32(values[2]);
	row.segment = DatumGetInt32(values[3]);
	row.written_at = DatumGetTimestampTz(values[4]);
	if (steward_xids_ended(&scan->after, row.xid))
		give_batch(scan, &row, DatumGetByteaPP(values[5]));
}

/* Runs a query in pieces; memory is given back after each row. */
static void
give_rows(StewardLeafScan *scan, SPIPlanPtr plan, Datum *values)
{
	Portal		portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "steward ledger scan",
												  ALLOCSET_DEFAULT_SIZES);
	SPITupleTable *rows;
	uint64		count;

	do
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		rows = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count && !scan->stopped; i++)
		{
			MemoryContext caller = MemoryContextSwitchTo(scratch);

			CHECK_FOR_INTERRUPTS();
			give_row(scan, rows->vals[i], rows->tupdesc);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(scratch);
		}
		SPI_freetuptable(rows);
	} while (count == FETCH_ROWS && !scan->stopped);
	SPI_cursor_close(portal);
	MemoryContextDelete(scratch);
}

static void
give_transactions(StewardLeafScan *scan)
{
	Oid			types[3] = {INT4OID, XID8OID, XID8OID};
	Datum		values[3] = {Int32GetDatum(scan->incarnation)};
	SPIPlanPtr	one = prepare(&one_plan, SELECT_ROWS
							  "l.xid OPERATOR(pg_catalog.=) $2" IN_ORDER, 2, types);
	SPIPlanPtr	range = prepare(&range_plan, SELECT_ROWS
								"l.xid OPERATOR(pg_catalog.>=) $2 AND"
								" l.xid OPERATOR(pg_catalog.<) $3" IN_ORDER, 3, types);

	for (uint32 i = 0; i < scan->before.count && !scan->stopped; i++)
	{
		if (!steward_xids_ended(&scan->after, scan->before.xip[i]))
			continue;
		values[1] = UInt64GetDatum(scan->before.xip[i]);
		give_rows(scan, one, values);
	}
	if (scan->stopped)
		return;
	values[1] = UInt64GetDatum(scan->before.xmax);
	values[2] = UInt64GetDatum(scan->after.xmax);
	give_rows(scan, range, values);
}

void
steward_leaf_scan(StewardLeafScan *scan, StewardHash *contexts, StewardHash *schemas)
{
	int			guc_nest_level = NewGUCNestLevel();

	/* For the planner, that it takes the order of the indexes. */
	(void) set_config_option("enable_sort", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	steward_sha256_init(&scan->contexts);
	steward_sha256_init(&scan->schemas);
	memset(&scan->last_context, 0, sizeof(StewardHash));
	memset(&scan->last_schema, 0, sizeof(StewardHash));
	scan->leaves = 0;
	scan->stopped = false;
	/* An error gives it back with what else the transaction holds. */
	scan->leaf_hash = pg_cryptohash_create(PG_SHA256);
	if (scan->leaf_hash == NULL || pg_cryptohash_init(scan->leaf_hash) < 0)
		elog(ERROR, "could not begin to compute a hash");
	give_transactions(scan);
	pg_cryptohash_free(scan->leaf_hash);
	steward_sha256_final(&scan->contexts, contexts);
	steward_sha256_final(&scan->schemas, schemas);
	AtEOXact_GUC(false, guc_nest_level);
}
