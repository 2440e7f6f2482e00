/*
 * fork.c: lives of the database that ended; see fork.h.
 *
 * A restore, a recovery to a point in time and a promotion all end a life, with
 * records that no block has, since its sealer was cut off. Who could do the same to
 * be rid of records? Anyone who may restore: so each is shown until somebody
 * explains it, and the explanation says what was left unsealed.
 */
#include "ledger/fork.h"

#include "access/transam.h"
#include "access/xact.h"
#include "audit/incarnation.h"
#include "audit/segment.h"
#include "base/argument.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "ledger/block.h"
#include "ledger/certificate.h"
#include "ledger/event.h"
#include "ledger/log.h"
#include "ledger/scan.h"
#include "ledger/session.h"
#include "ledger/values.h"
#include "ledger/walk.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

typedef struct TailRead
{
	StewardTail *tail;
	StewardFrontier frontier;
} TailRead;

static bool
add_record(void *arg, const StewardLeafRecord *record, const StewardHash *hash,
		   const StewardLogRow *row)
{
	TailRead   *read = arg;

	(void) steward_frontier_append(&read->frontier, hash, NULL, NULL);
	if (read->tail->records == 0 || row->written_at < read->tail->oldest)
		read->tail->oldest = row->written_at;
	if (read->tail->records++ == 0)
	{
		read->tail->first_xid = record->xid;
		read->tail->first_seq = (int32) record->seq;
	}
	return true;
}

/* Damage is reported by who reads the blocks; here it is left out. */
static void
pass_over(void *arg, const StewardLogRow *row, const char *why)
{
}

void
steward_fork_tail(int32 incarnation, bool is_present, StewardTail *tail)
{
	TailRead   *read = palloc0(sizeof(TailRead));
	StewardLeafScan scan = {.incarnation = incarnation, .record = add_record,
	.damaged = pass_over, .arg = read};
	StewardXids everything = {PG_UINT64_MAX, PG_UINT64_MAX, 0, NULL};
	StewardBlock newest;
	StewardHash ignored;

	memset(tail, 0, sizeof(StewardTail));
	read->tail = tail;
	steward_frontier_init(&read->frontier);
	steward_xids_parse(&scan.before, steward_block_newest(incarnation, &newest) ?
					   newest.snapshot : STEWARD_XIDS_NONE);
	if (is_present)
		steward_xids_parse(&scan.after, steward_xids_active());
	else
		scan.after = everything;
	scan.digests = steward_digests_begin(incarnation);
	steward_leaf_scan(&scan, &ignored, &ignored);
	steward_digests_end(scan.digests);
	if (tail->records == 0)
		steward_merkle_empty(&tail->root);
	else
		steward_frontier_root(&tail->root, &read->frontier);
	pfree(read);
}

char *
steward_fork_reason(int32 incarnation)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(incarnation)};

	if (SPI_execute_with_args("SELECT CASE"
							  " WHEN n.id IS NULL THEN 'was left: nothing was recorded in this one yet'"
							  " WHEN n.system_identifier OPERATOR(pg_catalog.<>) i.system_identifier THEN 'was restored or upgraded into another cluster'"
							  " WHEN n.database OPERATOR(pg_catalog.<>) i.database THEN 'was copied into another database'"
							  " WHEN n.timeline OPERATOR(pg_catalog.<>) i.timeline THEN 'was recovered to a point in time, or a standby was promoted'"
							  " ELSE 'was left' END"
							  " FROM steward.audit_incarnation AS i"
							  " LEFT JOIN steward.audit_incarnation AS n ON n.id OPERATOR(pg_catalog.>) i.id"
							  " WHERE i.id OPERATOR(pg_catalog.=) $1"
							  " ORDER BY n.id USING OPERATOR(pg_catalog.<) LIMIT 1",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	if (SPI_processed == 0)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

bool
steward_fork_acknowledged(int32 incarnation, uint64 *records, StewardHash *root)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(incarnation)};
	bool		isnull;

	if (SPI_execute_with_args("SELECT f.unsealed, f.unsealed_root FROM steward.ledger_fork AS f"
							  " WHERE f.incarnation OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	if (SPI_processed == 0)
		return false;
	*records = (uint64) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	steward_value_hash(root, SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	return true;
}

static void
refuse(int32 incarnation, int code, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("incarnation %d cannot be acknowledged: %s", incarnation, why),
			 errhint("%s", hint)));
}

static void
check_ended(int32 incarnation)
{
	uint64		records;
	StewardHash root;

	if (!list_member_int(steward_logs_all(), incarnation))
		refuse(incarnation, ERRCODE_UNDEFINED_OBJECT, "there is none",
			   "steward.audit_incarnation shows which there are.");
	if (steward_log_is_present(incarnation))
		refuse(incarnation, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "it is the present one",
			   "Only lives that ended are forks.");
	if (steward_fork_acknowledged(incarnation, &records, &root))
		refuse(incarnation, ERRCODE_DUPLICATE_OBJECT, "it was acknowledged before",
			   "steward.ledger_fork shows by whom and why.");
}

/*
 * What was prepared in the old life belongs to it, but is not there before it is
 * committed: what is acknowledged now would be something else then.
 */
static void
check_prepared(int32 incarnation)
{
	if (SPI_execute("SELECT FROM pg_catalog.pg_prepared_xacts AS p"
					" WHERE p.database OPERATOR(pg_catalog.=) pg_catalog.current_database()",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	if (SPI_processed > 0)
		refuse(incarnation, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
			   "there are prepared transactions, which may belong to it",
			   "Commit them or roll them back; pg_prepared_xacts shows them.");
}

/* What the event says of a row of ledger_fork AS f. */
#define EVENT_TEXT \
	"pg_catalog.format('%s, %s unsealed records of root %s, by %s: %s', f.incarnation, f.unsealed," \
	" pg_catalog.encode(f.unsealed_root, 'hex'), f.acknowledged_by, f.reason)"

/* May the event have been pruned? */
static bool
may_be_pruned(int32 incarnation, uint64 xid)
{
	StewardBlock block;
	StewardPlaces places;

	if (!steward_block_of_xid(incarnation, xid, &block))
		return false;
	if ((uint64) block.first_leaf < steward_walk_boundary(incarnation))
		return true;
	steward_places_begin(&places);
	steward_certificate_places(incarnation, (uint64) block.first_leaf, &places);
	return places.count > 0;
}

bool
steward_fork_recorded(int32 incarnation)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(incarnation)};
	HeapTuple	row;
	TupleDesc	desc;
	bool		isnull;
	int32		recorded_in;
	uint64		xid;

	if (SPI_execute_with_args("SELECT f.recorded_in, f.xid, EXISTS (SELECT FROM steward.audit_record AS r"
							  "  WHERE r.incarnation OPERATOR(pg_catalog.=) f.recorded_in AND r.xid OPERATOR(pg_catalog.=) f.xid"
							  "  AND CASE WHEN r.op OPERATOR(pg_catalog.=) 'L' THEN"
							  "   (steward.audit_event(r.payload) OPERATOR(pg_catalog.->>) 'fork') OPERATOR(pg_catalog.=) " EVENT_TEXT " END)"
							  " FROM steward.ledger_fork AS f WHERE f.incarnation OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	if (SPI_processed == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	recorded_in = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull));
	xid = DatumGetUInt64(SPI_getbinval(row, desc, 2, &isnull));
	/* One's own event is written when the transaction commits. */
	return DatumGetBool(SPI_getbinval(row, desc, 3, &isnull)) ||
		(xid != 0 && xid == U64FromFullTransactionId(GetTopFullTransactionIdIfAny())) ||
		may_be_pruned(recorded_in, xid);
}

/* Records it, as the row of ledger_fork is. */
static void
record_event(int32 incarnation)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(incarnation)};

	if (SPI_execute_with_args("SELECT " EVENT_TEXT " FROM steward.ledger_fork AS f"
							  " WHERE f.incarnation OPERATOR(pg_catalog.=) $1",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "SPI_execute_with_args failed");
	steward_ledger_event("acknowledge fork", "fork",
						 SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
}

STEWARD_FUNCTION(steward_acknowledge_fork)
{
	StewardSession session;
	StewardTail tail;
	Oid			types[7] = {INT4OID, TEXTOID, INT8OID, BYTEAOID, TEXTOID, INT4OID, XID8OID};
	Datum		values[7];
	int32		incarnation;
	char	   *caller;

	PreventCommandIfReadOnly("steward.acknowledge_fork()");
	steward_require_argument(fcinfo, 0, "incarnation");
	steward_require_reason(fcinfo, 1);
	incarnation = PG_GETARG_INT32(0);
	caller = GetUserNameFromId(GetUserId(), false);
	steward_session_begin(&session);
	steward_segment_look_again();
	check_ended(incarnation);
	check_prepared(incarnation);
	steward_fork_tail(incarnation, false, &tail);
	values[0] = Int32GetDatum(incarnation);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = Int64GetDatum((int64) tail.records);
	values[3] = steward_value_of_hash(&tail.root);
	values[4] = CStringGetTextDatum(caller);
	values[5] = Int32GetDatum(steward_incarnation_current());
	values[6] = UInt64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	if (SPI_execute_with_args("INSERT INTO steward.ledger_fork (incarnation, reason, unsealed, unsealed_root, acknowledged_by, acknowledged_at, recorded_in, xid)"
							  " VALUES ($1, $2, $3, $4, $5, pg_catalog.clock_timestamp(), $6, $7)",
							  7, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_with_args failed");
	record_event(incarnation);
	steward_session_end(&session);
	PG_RETURN_VOID();
}
