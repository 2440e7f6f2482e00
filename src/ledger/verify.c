/*
 * verify.c: steward.verify_ledger, which recomputes the ledger from the log.
 *
 * Blocks are checked by a query over their headers, so that PostgreSQL can share
 * them out to parallel workers. When one cannot be read at all, the error would end
 * the query: then they are checked again one by one, each in a subtransaction, and
 * what cannot be read is a finding.
 */
#include "ledger/verify.h"

#include "access/xact.h"
#include "base/catalog.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "ledger/log.h"
#include "ledger/session.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#define CHECK_BLOCKS \
	"SELECT r.* FROM steward.ledger_block AS b" \
	" CROSS JOIN LATERAL steward.verify_ledger_block(b.incarnation, b.number) AS r" \
	" WHERE b.incarnation OPERATOR(pg_catalog.=) $1 AND b.number OPERATOR(pg_catalog.>) $2" \
	" ORDER BY r.block, r.leaf, r.xid, r.seq, r.finding"

#define FIND_GAPS \
	"SELECT b.number FROM steward.ledger_block AS b" \
	" WHERE b.incarnation OPERATOR(pg_catalog.=) $1 AND b.number OPERATOR(pg_catalog.>) $2" \
	" AND b.number OPERATOR(pg_catalog.>) 1 AND NOT EXISTS (SELECT FROM steward.ledger_block AS p" \
	"  WHERE p.incarnation OPERATOR(pg_catalog.=) b.incarnation" \
	"  AND p.number OPERATOR(pg_catalog.=) (b.number OPERATOR(pg_catalog.-) 1))"

/* Copies the rows of a query, which are findings, to the result. */
static void
copy_findings(StewardFindings *findings)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64		count = SPI_processed;

	for (uint64 i = 0; i < count; i++)
		tuplestore_puttuple(findings->result->setResult, rows->vals[i]);
	findings->count += count;
	SPI_freetuptable(rows);
}

static void
run_check(StewardFindings *findings, const char *sql, int32 incarnation, int64 bound)
{
	Oid			types[2] = {INT4OID, INT8OID};
	Datum		values[2] = {Int32GetDatum(incarnation), Int64GetDatum(bound)};

	if (SPI_execute_with_args(sql, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	copy_findings(findings);
}

/*
 * Runs a query of findings in a subtransaction; NULL, or its error when that is about
 * data that cannot be read.
 */
static ErrorData *
try_check(StewardFindings *findings, const char *sql, int32 incarnation, int64 bound)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_check(findings, sql, incarnation, bound);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_CORRUPTED) &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_TO_CATEGORY(ERRCODE_IO_ERROR))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = resources;
	return error;
}

/* One by one: those that cannot be read are findings. */
static void
check_one_by_one(StewardFindings *findings, int32 incarnation, int64 since)
{
	StewardBlock newest;

	if (!steward_block_newest(incarnation, &newest))
		return;
	for (int64 number = since + 1; number <= newest.number; number++)
	{
		StewardPlace place = {incarnation, number, -1, 0, 0};
		ErrorData  *error = try_check(findings,
									  "SELECT r.* FROM steward.ledger_block AS b"
									  " CROSS JOIN LATERAL steward.verify_ledger_block(b.incarnation, b.number) AS r"
									  " WHERE b.incarnation OPERATOR(pg_catalog.=) $1 AND b.number OPERATOR(pg_catalog.=) $2",
									  incarnation, number);

		if (error != NULL)
			steward_finding(findings, STEWARD_FOUND_ALTERED, &place,
							"The block cannot be read: %s.", error->message);
	}
}

/* Blocks that are missing between others. */
static void
check_gaps(StewardFindings *findings, int32 incarnation, int64 since)
{
	Oid			types[2] = {INT4OID, INT8OID};
	Datum		values[2] = {Int32GetDatum(incarnation), Int64GetDatum(since)};
	SPITupleTable *rows;
	uint64		count;

	if (SPI_execute_with_args(FIND_GAPS, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	rows = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		StewardPlace place = {incarnation, 0, -1, 0, 0};
		bool		isnull;

		place.block = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)) - 1;
		steward_finding(findings, STEWARD_FOUND_BLOCK_MISSING, &place, "The block is missing.");
	}
	SPI_freetuptable(rows);
}

static void
check_log(StewardFindings *findings, int32 incarnation, int64 since)
{
	if (try_check(findings, CHECK_BLOCKS, incarnation, since) != NULL)
		check_one_by_one(findings, incarnation, since);
	check_gaps(findings, incarnation, since);
	steward_verify_checkpoints(findings, incarnation, since);
	steward_verify_prunes(findings, incarnation);
	steward_verify_opening(findings, incarnation);
}

/* All parts; with since, blocks after that one of the present logs. */
static void
verify(StewardFindings *findings, bool whole, int64 since, const char *checkpoint)
{
	List	   *present = steward_logs_present();
	List	   *all = steward_logs_all();
	ListCell   *cell;

	foreach(cell, whole ? all : present)
		check_log(findings, lfirst_int(cell), since);
	steward_verify_unsealed(findings, present, all, whole);
	steward_verify_forks(findings, present, all);
	steward_verify_keys(findings);
	steward_verify_triggers(findings);
	if (checkpoint != NULL)
		steward_verify_exported(findings, checkpoint);
}

STEWARD_FUNCTION(steward_verify_ledger)
{
	StewardSession session;
	StewardFindings findings;
	char	   *checkpoint = NULL;

	steward_findings_begin(&findings, fcinfo);
	if (!PG_ARGISNULL(1))
	{
		char	   *given = text_to_cstring(PG_GETARG_TEXT_PP(1));

		checkpoint = pg_server_to_any(given, strlen(given), PG_UTF8);
	}
	steward_session_begin(&session);
	verify(&findings, PG_ARGISNULL(0), PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0), checkpoint);
	steward_session_end(&session);
	PG_RETURN_NULL();
}
