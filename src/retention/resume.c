/*
 * resume.c: runs that gave way, and are gone on with; see resume.h.
 */
#include "retention/resume.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/* The leaf, the way through it, and the place. */
static char *
place_text(const StewardLeaf *leaf)
{
	const StewardPiece *piece = leaf->begun ? &leaf->piece : leaf->from;

	if (leaf->sweep == SWEEP_REST)
		return psprintf("%u rest 0", leaf->relation);
	if (piece == NULL)
		return psprintf("%u block 0", leaf->relation);
	if (piece->by_index)
		return psprintf("%u age " INT64_FORMAT, leaf->relation, piece->low);
	return psprintf("%u block %u", leaf->relation, piece->block);
}

/*
 * How a cursor is written: the place, the rows of a batch, and of each leaf that keeps rows its oid, and how
 * many of them are held and restricted.
 */
static char *
cursor_text(const StewardLeaf *leaf, int64 rows, const List *kept)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	appendStringInfo(&text, "%s " INT64_FORMAT, place_text(leaf), rows);
	foreach(cell, kept)
	{
		const StewardLeafKept *one = lfirst(cell);

		if (one->held > 0 || one->restricted > 0)
			appendStringInfo(&text, " %u:" UINT64_FORMAT ":" UINT64_FORMAT, one->relation,
							 one->held, one->restricted);
	}
	return text.data;
}

static void
read_kept(StewardResume *resume, const char *text)
{
	StewardLeafKept one;
	unsigned long long held;
	unsigned long long restricted;
	int			length;

	while (sscanf(text, " %u:%llu:%llu%n", &one.relation, &held, &restricted, &length) == 3)
	{
		StewardLeafKept *kept = palloc(sizeof(StewardLeafKept));

		one.held = held;
		one.restricted = restricted;
		*kept = one;
		resume->kept = lappend(resume->kept, kept);
		text += length;
	}
}

static void
read_cursor(StewardResume *resume, const char *text)
{
	char		way[6];
	long long	place;
	long long	rows;
	int			length;

	if (text == NULL ||
		sscanf(text, "%u %5s %lld %lld%n", &resume->leaf, way, &place, &rows, &length) != 4)
	{
		resume->leaf = InvalidOid;
		return;
	}
	resume->rows = rows;
	read_kept(resume, text + length);
	resume->sweep = strcmp(way, "rest") == 0 ? SWEEP_REST : SWEEP_TABLE;
	resume->piece.by_index = strcmp(way, "age") == 0;
	resume->piece.low = place;
	if (strcmp(way, "block") == 0)
		resume->piece.block = (BlockNumber) place;
}

static Datum
column(int number)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &isnull);
}

static void
take_over(StewardPolicy *policy, StewardResume *resume)
{
	resume->run = DatumGetInt64(column(1));
	policy->cutoff = DatumGetTimestampTz(column(2));
	policy->cutoff_local = DatumGetTimestamp(column(3));
	policy->cutoff_date = DatumGetDateADT(column(4));
	read_cursor(resume, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 5));
}

void
steward_resume_find(StewardPolicy *policy, StewardResume *resume)
{
	Oid			types[] = {TEXTOID, INT8OID};
	Datum		values[2] = {CStringGetTextDatum(policy->name)};

	memset(resume, 0, sizeof(*resume));
	steward_policy_sql("UPDATE steward.policy_run_log AS l SET state = 'running', cursor = NULL"
					   " FROM steward.policy_definition AS p,"
					   " (SELECT w.id, w.cursor FROM steward.policy_run_log AS w"
					   "   WHERE w.policy OPERATOR(pg_catalog.=) $1"
					   "     AND w.state OPERATOR(pg_catalog.=) 'waiting'"
					   "   ORDER BY w.id DESC LIMIT 1) AS o"
					   " WHERE l.id OPERATOR(pg_catalog.=) o.id AND p.name OPERATOR(pg_catalog.=) $1"
					   " AND l.relation::pg_catalog.oid OPERATOR(pg_catalog.=) p.relation::pg_catalog.oid"
					   " AND l.action OPERATOR(pg_catalog.=) p.action"
					   " AND l.started_at OPERATOR(pg_catalog.>=) COALESCE(p.changed_at, p.created_at)"
					   " RETURNING l.id, l.cutoff, l.cutoff AT TIME ZONE p.time_zone,"
					   " (l.cutoff AT TIME ZONE p.time_zone)::pg_catalog.date, o.cursor",
					   SPI_OK_UPDATE_RETURNING, 1, types, values, NULL);
	if (SPI_processed > 0)
		take_over(policy, resume);
	SPI_freetuptable(SPI_tuptable);

	/* We have the policy's lock: whoever began these runs is gone. */
	values[1] = Int64GetDatum(resume->run);
	steward_policy_sql("WITH ended AS (UPDATE steward.policy_run_log"
					   " SET state = 'interrupted', cursor = NULL,"
					   " finished_at = COALESCE(batch_at, started_at)"
					   " WHERE policy OPERATOR(pg_catalog.=) $1"
					   " AND state OPERATOR(pg_catalog.=) ANY ('{running,waiting}'::pg_catalog.text[])"
					   " AND id OPERATOR(pg_catalog.<>) $2 RETURNING planned, batches)"
					   " SELECT FROM ended WHERE planned IS NOT NULL"
					   " AND batches OPERATOR(pg_catalog.=) 0",
					   SPI_OK_SELECT, lengthof(types), types, values, NULL);
	resume->cut_off = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
}

void
steward_resume_leave(int64 run, const StewardLeaf *leaf, int64 rows, const List *kept)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(run), CStringGetTextDatum(cursor_text(leaf, rows, kept))};

	steward_policy_sql("UPDATE steward.policy_run_log SET state = 'waiting', cursor = $2"
					   " WHERE id OPERATOR(pg_catalog.=) $1",
					   SPI_OK_UPDATE, lengthof(types), types, values, NULL);
}
