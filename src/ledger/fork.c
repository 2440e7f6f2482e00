/*
 * fork.c: lives of the database that ended; see fork.h.
 *
 * A restore, a recovery to a point in time and a promotion all end a life, with
 * records that no block has, since its sealer was cut off. Who could do the same to
 * be rid of records? Anyone who may restore: so each is shown until somebody
 * explains it, and the explanation says what was left unsealed.
 */
#include "ledger/fork.h"

#include "base/argument.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "ledger/block.h"
#include "ledger/event.h"
#include "ledger/log.h"
#include "ledger/scan.h"
#include "ledger/session.h"
#include "ledger/values.h"
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

STEWARD_FUNCTION(steward_acknowledge_fork)
{
	static const char *const names[] = {"incarnation", "reason"};
	StewardSession session;
	StewardTail tail;
	Oid			types[5] = {INT4OID, TEXTOID, INT8OID, BYTEAOID, TEXTOID};
	Datum		values[5];
	int32		incarnation;
	char	   *caller;

	PreventCommandIfReadOnly("steward.acknowledge_fork()");
	steward_require_arguments(fcinfo, lengthof(names), names);
	incarnation = PG_GETARG_INT32(0);
	caller = GetUserNameFromId(GetUserId(), false);
	steward_session_begin(&session);
	check_ended(incarnation);
	check_prepared(incarnation);
	steward_fork_tail(incarnation, false, &tail);
	values[0] = Int32GetDatum(incarnation);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = Int64GetDatum((int64) tail.records);
	values[3] = steward_value_of_hash(&tail.root);
	values[4] = CStringGetTextDatum(caller);
	if (SPI_execute_with_args("INSERT INTO steward.ledger_fork (incarnation, reason, unsealed, unsealed_root, acknowledged_by, acknowledged_at)"
							  " VALUES ($1, $2, $3, $4, $5, pg_catalog.clock_timestamp())",
							  5, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_with_args failed");
	steward_ledger_event("acknowledge fork", "fork",
						 psprintf("%d: %s", incarnation, text_to_cstring(PG_GETARG_TEXT_PP(1))));
	steward_session_end(&session);
	PG_RETURN_VOID();
}
