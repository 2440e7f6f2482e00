/*
 * verify.c: steward.verify_ledger, which recomputes the ledger from the log.
 *
 * Blocks are checked by a query over their headers, so that PostgreSQL can share
 * them out to parallel workers. When one cannot be read at all, the error would end
 * the query: then they are checked again one by one, each in a subtransaction, and
 * what cannot be read is a finding.
 */
#include "ledger/verify.h"

#include "access/htup_details.h"
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

/*
 * Which headers are taken is said in two ways: for a few by the index; for all of a
 * log so that the planner expects many, which it then shares out.
 */
#define NEWER_BLOCKS "b.incarnation OPERATOR(pg_catalog.=) $1 AND b.number OPERATOR(pg_catalog.>) $2"
#define ALL_BLOCKS "CASE WHEN " NEWER_BLOCKS " THEN true ELSE false END"

/* In the target list, where the planner reckons with a call for each row. */
#define CHECK_BLOCKS(which) \
	"SELECT steward.verify_ledger_block(b.incarnation, b.number)" \
	" FROM steward.ledger_block AS b WHERE " which

#define CHECK_BLOCK \
	CHECK_BLOCKS("b.incarnation OPERATOR(pg_catalog.=) $1 AND b.number OPERATOR(pg_catalog.=) $2")

#define LIST_BLOCKS \
	"SELECT b.number FROM steward.ledger_block AS b" \
	" WHERE b.incarnation OPERATOR(pg_catalog.=) $1 AND b.number OPERATOR(pg_catalog.>) $2" \
	" ORDER BY b.number USING OPERATOR(pg_catalog.<)"

#define FIND_GAPS \
	"SELECT b.number FROM steward.ledger_block AS b" \
	" WHERE b.incarnation OPERATOR(pg_catalog.=) $1 AND b.number OPERATOR(pg_catalog.>) $2" \
	" AND b.number OPERATOR(pg_catalog.>) 1 AND NOT EXISTS (SELECT FROM steward.ledger_block AS p" \
	"  WHERE p.incarnation OPERATOR(pg_catalog.=) b.incarnation" \
	"  AND p.number OPERATOR(pg_catalog.=) (b.number OPERATOR(pg_catalog.-) 1))"

/* Copies the rows of a query, findings in one column, to the result. */
static void
copy_findings(StewardFindings *findings)
{
	SPITupleTable *rows = SPI_tuptable;
	uint64		count = SPI_processed;

	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		HeapTupleHeader finding = DatumGetHeapTupleHeader(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
		HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(finding), .t_data = finding};

		tuplestore_puttuple(findings->result->setResult, &tuple);
	}
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

/* A part of verification, of a log or of all. */
typedef void (*Part) (StewardFindings *findings, int32 incarnation, int64 number);

/*
 * Runs a part in a subtransaction; NULL, or its error when that is about data that
 * cannot be read.
 */
static ErrorData *
try_part(Part part, StewardFindings *findings, int32 incarnation, int64 number)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		part(findings, incarnation, number);
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

/* Runs a part; that it cannot read what it needs is a finding. */
static void
run_part(Part part, const char *kind, StewardFindings *findings, int32 incarnation, int64 number)
{
	ErrorData  *error = try_part(part, findings, incarnation, number);
	StewardPlace place = {incarnation, 0, -1, 0, 0};

	if (error == NULL)
		return;
	steward_finding(findings, kind, &place, "What is stored cannot be read: %s.",
					error->message);
	FreeErrorData(error);
}

/* However few headers there are, there may be much behind each. */
static void
check_blocks(StewardFindings *findings, int32 incarnation, int64 since)
{
	int			guc_nest_level = NewGUCNestLevel();

	(void) set_config_option("min_parallel_table_scan_size", "0", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("min_parallel_index_scan_size", "0", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	run_check(findings, since == 0 ? CHECK_BLOCKS(ALL_BLOCKS) : CHECK_BLOCKS(NEWER_BLOCKS),
			  incarnation, since);
	AtEOXact_GUC(false, guc_nest_level);
}

static void
check_one_block(StewardFindings *findings, int32 incarnation, int64 number)
{
	run_check(findings, CHECK_BLOCK, incarnation, number);
}

/* One by one: those that cannot be read are findings. */
static void
check_one_by_one(StewardFindings *findings, int32 incarnation, int64 since)
{
	Oid			types[2] = {INT4OID, INT8OID};
	Datum		values[2] = {Int32GetDatum(incarnation), Int64GetDatum(since)};
	SPITupleTable *rows;
	uint64		count;

	if (SPI_execute_with_args(LIST_BLOCKS, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	rows = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		StewardPlace place = {incarnation, 0, -1, 0, 0};
		ErrorData  *error;
		bool		isnull;

		place.block = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
		error = try_part(check_one_block, findings, incarnation, place.block);
		if (error != NULL)
			steward_finding(findings, STEWARD_FOUND_ALTERED, &place,
							"The block cannot be read: %s.", error->message);
	}
	SPI_freetuptable(rows);
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
check_prunes(StewardFindings *findings, int32 incarnation, int64 unused)
{
	steward_verify_prunes(findings, incarnation);
}

static void
check_opening(StewardFindings *findings, int32 incarnation, int64 unused)
{
	steward_verify_opening(findings, incarnation);
}

static void
check_tail(StewardFindings *findings, int32 incarnation, int64 unused)
{
	steward_verify_tail(findings, incarnation);
}

static void
check_log(StewardFindings *findings, int32 incarnation, int64 since)
{
	ErrorData  *error = try_part(check_blocks, findings, incarnation, since);

	if (error != NULL)
		check_one_by_one(findings, incarnation, since);
	check_gaps(findings, incarnation, since);
	run_part(steward_verify_checkpoints, STEWARD_FOUND_CHECKPOINT, findings, incarnation, since);
	run_part(check_prunes, STEWARD_FOUND_TILE, findings, incarnation, 0);
	run_part(check_opening, STEWARD_FOUND_BLOCK, findings, incarnation, 0);
	if (steward_log_is_present(incarnation))
		run_part(check_tail, STEWARD_FOUND_BLOCK, findings, incarnation, 0);
	else
		run_part(steward_verify_fork, STEWARD_FOUND_FORK, findings, incarnation, 0);
}

/* The checkpoint that the caller gave; one at a time. */
static const char *exported = NULL;

static void
check_exported(StewardFindings *findings, int32 unused, int64 unused_number)
{
	steward_verify_exported(findings, exported);
}

/* All parts; with since, blocks after that one of the present logs. */
static void
verify(StewardFindings *findings, bool whole, int64 since, const char *checkpoint)
{
	List	   *logs = whole ? steward_logs_all() : steward_logs_present();
	ListCell   *cell;

	foreach(cell, logs)
	{
		check_log(findings, lfirst_int(cell), since);
	}
	if (whole)
	{
		steward_verify_strangers(findings);
		run_part(steward_verify_indexes, STEWARD_FOUND_ALTERED, findings, 0, 0);
	}
	run_part(steward_verify_keys, STEWARD_FOUND_KEY, findings, 0, 0);
	steward_verify_triggers(findings);
	if (checkpoint == NULL)
		return;
	exported = checkpoint;
	run_part(check_exported, STEWARD_FOUND_CHECKPOINT, findings, 0, 0);
}

/* Files end in a newline, what our functions give does not. */
static char *
with_newline(char *text)
{
	size_t		length = strlen(text);

	return length > 0 && text[length - 1] == '\n' ? text : psprintf("%s\n", text);
}

STEWARD_FUNCTION(steward_verify_ledger)
{
	StewardSession session;
	StewardFindings findings;
	char	   *checkpoint = NULL;

	steward_findings_begin(&findings, fcinfo);
	if (!PG_ARGISNULL(1))
	{
		char	   *given = with_newline(text_to_cstring(PG_GETARG_TEXT_PP(1)));

		checkpoint = pg_server_to_any(given, strlen(given), PG_UTF8);
	}
	steward_session_begin_reading(&session);
	verify(&findings, PG_ARGISNULL(0), PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0), checkpoint);
	steward_session_end(&session);
	PG_RETURN_NULL();
}
