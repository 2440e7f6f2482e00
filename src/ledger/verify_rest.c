/*
 * verify_rest.c: what no block tells: records outside of blocks, lives that ended,
 * triggers.
 */
#include "ledger/verify.h"

#include "base/guc.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "ledger/fork.h"
#include "ledger/xids.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* Records older than this, and than ten intervals, should have been sealed. */
#define PATIENCE_MILLISECONDS 60000

/* ---- records outside of blocks ---- */

static void
check_tail(StewardFindings *findings, int32 incarnation)
{
	StewardTail tail;
	StewardPlace place = {incarnation, 0, -1, 0, 0};
	int64		patience = Max(PATIENCE_MILLISECONDS, 10 * (int64) steward_seal_interval);

	steward_fork_tail(incarnation, true, &tail);
	if (tail.records == 0 ||
		GetCurrentTimestamp() - tail.oldest < patience * 1000)
		return;
	place.xid = tail.first_xid;
	place.seq = tail.first_seq;
	steward_finding(findings, STEWARD_FOUND_UNSEALED, &place,
					UINT64_FORMAT " records are not sealed; the oldest was written at %s.",
					tail.records, timestamptz_to_str(tail.oldest));
}

/* Runs a query and reports its rows: incarnation, xid, seq. */
static void
report_rows(StewardFindings *findings, const char *kind, const char *detail,
			const char *sql, int count, Oid *types, Datum *values)
{
	SPITupleTable *rows;
	uint64		found;

	if (SPI_execute_with_args(sql, count, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", sql);
	rows = SPI_tuptable;
	found = SPI_processed;
	for (uint64 i = 0; i < found; i++)
	{
		StewardPlace place = STEWARD_NOWHERE;
		bool		isnull;

		place.incarnation = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
		place.xid = DatumGetUInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull));
		place.seq = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &isnull));
		steward_finding(findings, kind, &place, "%s", detail);
	}
	SPI_freetuptable(rows);
}

/* Rows of transactions that have not begun. */
static void
check_future(StewardFindings *findings, int32 incarnation)
{
	StewardXids now;
	Oid			types[2] = {INT4OID, XID8OID};
	Datum		values[2] = {Int32GetDatum(incarnation)};

	steward_xids_parse(&now, steward_xids_active());
	values[1] = UInt64GetDatum(now.xmax);
	report_rows(findings, STEWARD_FOUND_INSERTED,
				"The batch that begins with this record is of a transaction that has not begun.",
				"SELECT l.incarnation, l.xid, l.first_seq FROM steward.audit_log AS l"
				" WHERE l.incarnation OPERATOR(pg_catalog.=) $1 AND l.xid OPERATOR(pg_catalog.>=) $2"
				" LIMIT 20", 2, types, values);
}

void
steward_verify_tail(StewardFindings *findings, int32 incarnation)
{
	check_tail(findings, incarnation);
	check_future(findings, incarnation);
}

void
steward_verify_strangers(StewardFindings *findings)
{
	report_rows(findings, STEWARD_FOUND_INSERTED,
				"The batch that begins with this record is of no transaction: blocks begin with transaction 1.",
				"SELECT l.incarnation, l.xid, l.first_seq FROM steward.audit_log AS l"
				" WHERE l.xid OPERATOR(pg_catalog.<) '1'::pg_catalog.xid8 LIMIT 20", 0, NULL, NULL);
	report_rows(findings, STEWARD_FOUND_INSERTED,
				"The log holds batches of an incarnation that there is not.",
				"SELECT l.incarnation, NULL::pg_catalog.xid8, NULL::pg_catalog.int4 FROM steward.audit_log AS l"
				" WHERE NOT EXISTS (SELECT FROM steward.audit_incarnation AS i WHERE i.id OPERATOR(pg_catalog.=) l.incarnation)"
				" GROUP BY l.incarnation", 0, NULL, NULL);
}

/* ---- rows that no index leads to ---- */

static int64
count_rows(const char *table, bool by_index)
{
	static const char *const scans[] = {"enable_indexscan", "enable_indexonlyscan", "enable_seqscan", "enable_bitmapscan"};
	int			guc_nest_level = NewGUCNestLevel();
	int64		count;
	bool		isnull;

	for (int i = 0; i < lengthof(scans); i++)
		(void) set_config_option(scans[i], (i < 2) == by_index && i < 3 ? "on" : "off",
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_execute(psprintf("SELECT pg_catalog.count(*) FROM steward.%s AS t"
							 " WHERE t.xid OPERATOR(pg_catalog.>=) '0'::pg_catalog.xid8", table),
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	AtEOXact_GUC(false, guc_nest_level);
	return count;
}

/*
 * Blocks are read by index, the trail is read in any way: a row that was put on a
 * page, but not into the index, would be in the trail and in no block.
 */
void
steward_verify_indexes(StewardFindings *findings, int32 unused, int64 unused_number)
{
	static const char *const tables[] = {"audit_log", "audit_context"};

	for (int i = 0; i < lengthof(tables); i++)
	{
		int64		there = count_rows(tables[i], false);
		int64		found = count_rows(tables[i], true);

		if (there != found)
			steward_finding(findings, there > found ? STEWARD_FOUND_INSERTED : STEWARD_FOUND_MISSING,
							&STEWARD_NOWHERE,
							"Table %s has " INT64_FORMAT " rows, of which its index finds " INT64_FORMAT ".",
							tables[i], there, found);
	}
}

/* ---- lives that ended ---- */

static void
check_acknowledged(StewardFindings *findings, int32 incarnation, uint64 records,
				   const StewardHash *root)
{
	StewardPlace place = {incarnation, 0, -1, 0, 0};
	StewardTail tail;

	if (!steward_fork_recorded(incarnation))
		steward_finding(findings, STEWARD_FOUND_FORK, &place,
						"The acknowledgment of this incarnation in ledger_fork is not the one that was recorded in the log, or none was.");
	steward_fork_tail(incarnation, false, &tail);
	if (tail.records == records && memcmp(root, &tail.root, sizeof(StewardHash)) == 0)
		return;
	steward_finding(findings, tail.records < records ? STEWARD_FOUND_MISSING :
					tail.records > records ? STEWARD_FOUND_INSERTED : STEWARD_FOUND_ALTERED,
					&place, "The records that this incarnation left unsealed are not those that were acknowledged: " UINT64_FORMAT " in place of " UINT64_FORMAT ".",
					tail.records, records);
}

void
steward_verify_fork(StewardFindings *findings, int32 incarnation, int64 unused)
{
	StewardPlace place = {incarnation, 0, -1, 0, 0};
	uint64		records;
	StewardHash root;
	StewardTail tail;

	if (steward_fork_acknowledged(incarnation, &records, &root))
	{
		check_acknowledged(findings, incarnation, records, &root);
		return;
	}
	steward_fork_tail(incarnation, false, &tail);
	place.xid = tail.first_xid;
	place.seq = tail.first_seq;
	steward_finding(findings, STEWARD_FOUND_FORK, &place,
					"The database of this incarnation %s; it left " UINT64_FORMAT " records unsealed. Explain it with steward.acknowledge_fork().",
					steward_fork_reason(incarnation), tail.records);
}

/* ---- triggers ---- */

/* Statement and row triggers that guard: BEFORE UPDATE, DELETE, and TRUNCATE. */
#define GUARD_MISSING \
	"SELECT pg_catalog.format('%s lacks its guard against UPDATE and DELETE', c.oid::pg_catalog.regclass)" \
	" FROM pg_catalog.pg_class AS c" \
	" WHERE (c.relnamespace OPERATOR(pg_catalog.=) 'steward'::pg_catalog.regnamespace" \
	"   AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['audit_incarnation', 'audit_schema', 'audit_context', 'audit_segment', 'audit_segment_closed', 'audit_log'," \
	"     'ledger_block', 'ledger_tile', 'ledger_opening', 'ledger_checkpoint', 'ledger_key', 'ledger_fork', 'ledger_prune', 'ledger_pruned_leaf']::pg_catalog.name[])" \
	"  OR c.oid IN (SELECT h.inhrelid FROM pg_catalog.pg_inherits AS h WHERE h.inhparent OPERATOR(pg_catalog.=) 'steward.audit_log'::pg_catalog.regclass))" \
	" AND (NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid" \
	"    AND t.tgfoid OPERATOR(pg_catalog.=) 'steward.audit_guard'::pg_catalog.regproc AND t.tgtype OPERATOR(pg_catalog.=) 58 AND t.tgqual IS NULL)" \
	"  OR (c.relkind OPERATOR(pg_catalog.=) 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid" \
	"    AND t.tgfoid OPERATOR(pg_catalog.=) 'steward.audit_guard'::pg_catalog.regproc AND t.tgtype OPERATOR(pg_catalog.=) 27 AND t.tgqual IS NULL)))"

#define NOT_FIRING \
	"SELECT pg_catalog.format('%I on %s does not always fire', t.tgname, t.tgrelid::pg_catalog.regclass)" \
	" FROM pg_catalog.pg_trigger AS t" \
	" WHERE t.tgfoid OPERATOR(pg_catalog.=) ANY (ARRAY['steward.audit_row'::pg_catalog.regproc, 'steward.audit_truncate'::pg_catalog.regproc, 'steward.audit_guard'::pg_catalog.regproc]::pg_catalog.oid[])" \
	" AND t.tgenabled OPERATOR(pg_catalog.<>) 'A'"

#define EVENT_NOT_FIRING \
	"SELECT pg_catalog.format('event trigger %I does not always fire', e.evtname)" \
	" FROM pg_catalog.pg_event_trigger AS e" \
	" JOIN pg_catalog.pg_depend AS d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_event_trigger'::pg_catalog.regclass" \
	"  AND d.objid OPERATOR(pg_catalog.=) e.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'" \
	" JOIN pg_catalog.pg_extension AS x ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass" \
	"  AND d.refobjid OPERATOR(pg_catalog.=) x.oid AND x.extname OPERATOR(pg_catalog.=) 'pg_steward'" \
	" WHERE e.evtenabled OPERATOR(pg_catalog.<>) 'A'"

void
steward_verify_triggers(StewardFindings *findings)
{
	SPITupleTable *rows;
	uint64		found;

	if (SPI_execute(NOT_FIRING " UNION ALL " GUARD_MISSING " UNION ALL " EVENT_NOT_FIRING
					" ORDER BY 1", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	rows = SPI_tuptable;
	found = SPI_processed;
	for (uint64 i = 0; i < found; i++)
		steward_finding(findings, STEWARD_FOUND_TRIGGER, &STEWARD_NOWHERE,
						"A trigger was disabled or dropped: %s.",
						SPI_getvalue(rows->vals[i], rows->tupdesc, 1));
	SPI_freetuptable(rows);
}
