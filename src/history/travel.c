/*
 * travel.c: the rows that a table had at a point in time; see travel.h.
 *
 * The way back begins with the present rows and undoes what later transactions
 * did: it needs the trail from there on, and no more. Nothing can be told by it
 * where rows changed without records: when the table was truncated or rewritten,
 * was not audited for a while, or rows were told apart by another key.
 *
 * The way forward begins where the table is known to have been empty, at a
 * TRUNCATE or because it was when its audit began, and does what followed.
 *
 * Each change says what the row was before and after, so each step is checked.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "history/query.h"
#include "history/travel.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define ROWS_AT_ONCE 1000

/* Why a way is closed; NULL: it is open. */
typedef struct Obstacle
{
	const char *reason;
	const StewardTrailRecord *record;
	bool		closes_both;	/* the other way, too */
} Obstacle;

static bool
is_row_change(const StewardTrailRecord *record)
{
	return record->record.op == STEWARD_OP_INSERT ||
		record->record.op == STEWARD_OP_UPDATE ||
		record->record.op == STEWARD_OP_DELETE;
}

/* What a record means for a journey past it. */
static const char *
obstacle_of(const StewardTravel *travel, const StewardTrailRecord *record)
{
	switch (record->record.op)
	{
		case STEWARD_OP_ENABLE:
			return steward_partition_is_new(travel, record) ? NULL :
				"its audit was enabled, or repaired";
		case STEWARD_OP_DISABLE:
			return "its audit was disabled";
		case STEWARD_OP_TRUNCATE:
			return "it, or a partition of it, was truncated";
		case STEWARD_OP_REWRITE:
			return steward_rewrite_is_harmless(travel, record) ? NULL :
				"ALTER TABLE rewrote its values";
		default:
			return record->version->same_key ? NULL :
				"its rows were told apart by another key";
	}
}

/* ---- the way back ---- */

static Obstacle
way_back(StewardTravel *travel)
{
	Obstacle	obstacle = {NULL, NULL, false};

	travel->forward = false;
	steward_trail_read_after(travel->trail, &travel->point);
	steward_trail_sort(travel->trail);
	if (!travel->table->recorded)
		obstacle.reason = "its audit triggers are missing or disabled now";
	else if (!travel->point.by_snapshot &&
			 travel->table->first_version > travel->point.at)
	{
		obstacle.reason = "it was not audited in this database yet";
		obstacle.closes_both = true;
	}
	for (int64 i = 0; i < travel->trail->count && obstacle.reason == NULL; i++)
	{
		obstacle.record = &travel->trail->records[i];
		if (!steward_trail_includes(&travel->point, obstacle.record))
			obstacle.reason = obstacle_of(travel, obstacle.record);
	}
	return obstacle;
}

/*
 * Neither way tells what was not recorded: after the point, or, forward, since the
 * record it begins with.
 */
static void
check_commands(const StewardTravel *travel, const StewardTrailRecord *since)
{
	char	   *lacking = travel->table->left_out != NULL ?
		psprintf("By the settings of its audit %s.", travel->table->left_out) :
		steward_records_lacking(travel, since);

	if (lacking != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rows of table %s at that time are not known",
						travel->table->name),
				 errdetail("%s", lacking),
				 errhint("Records of single rows are in steward.audit_trail and steward.history().")));
}

/* ---- the way forward ---- */

/* Had the table no rows after this? */
static bool
is_empty_after(const StewardTravel *travel, const StewardTrailRecord *record)
{
	return record->version->relid == travel->table->relid &&
		(record->record.op == STEWARD_OP_TRUNCATE ||
		 (record->record.op == STEWARD_OP_ENABLE &&
		  steward_enabled_without_rows(&record->parts[0])));
}

static int64
last_empty(const StewardTravel *travel)
{
	int64		i = travel->trail->count - 1;

	while (i >= 0 && (!is_empty_after(travel, &travel->trail->records[i]) ||
					  !steward_trail_includes(&travel->point, &travel->trail->records[i])))
		i--;
	return i;
}

/*
 * What of a record closes the way forward. After the point only what says that the
 * settings of the audit, which are known as they are now, may have been others.
 */
static const char *
obstacle_forward(const StewardTravel *travel, const StewardTrailRecord *record)
{
	char		op = record->record.op;

	if (!steward_trail_includes(&travel->point, record) &&
		op != STEWARD_OP_ENABLE && op != STEWARD_OP_DISABLE)
		return NULL;
	return obstacle_of(travel, record);
}

static Obstacle
way_forward(StewardTravel *travel)
{
	Obstacle	obstacle = {NULL, NULL, false};
	int64		begin;

	travel->forward = true;
	travel->trail = steward_trail_create(travel->table);
	steward_trail_read_all(travel->trail);
	steward_trail_sort(travel->trail);
	begin = last_empty(travel);
	if (begin < 0)
		obstacle.reason = "it had rows when its audit began, of which there is no record";
	else
		check_commands(travel, &travel->trail->records[begin]);
	/* The partitions that were truncated with it. */
	while (begin >= 0 && begin + 1 < travel->trail->count &&
		   travel->trail->records[begin + 1].record.op == STEWARD_OP_TRUNCATE &&
		   travel->trail->records[begin + 1].transaction == travel->trail->records[begin].transaction)
		begin++;
	for (int64 i = 0; i < begin; i++)
		travel->trail->records[i].done = true;
	for (int64 i = begin + 1; i < travel->trail->count && obstacle.reason == NULL; i++)
	{
		obstacle.record = &travel->trail->records[i];
		obstacle.reason = obstacle_forward(travel, obstacle.record);
	}
	return obstacle;
}

static char *
describe(const Obstacle *obstacle)
{
	if (obstacle->record == NULL)
		return psprintf("%c%s.", pg_toupper((unsigned char) obstacle->reason[0]),
						obstacle->reason + 1);
	return psprintf("At %s, in transaction " UINT64_FORMAT ", %s.",
					timestamptz_to_str(obstacle->record->record.changed_at),
					obstacle->record->transaction->id.xid, obstacle->reason);
}

pg_attribute_noreturn()
static void give_up(const StewardTravel *travel, const Obstacle *back,
					const Obstacle *forward);

static void
give_up(const StewardTravel *travel, const Obstacle *back, const Obstacle *forward)
{
	char	   *detail = describe(back);

	if (forward != NULL)
		detail = psprintf("%s %s", detail, describe(forward));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("rows of table %s at that time are not known",
					travel->table->name),
			 errdetail("%s", detail),
			 errhint("Records of single rows are in steward.audit_trail and steward.history().")));
}

static bool
wanted(const StewardTravel *travel, const StewardTrailRecord *record)
{
	return !record->done && is_row_change(record) &&
		steward_trail_includes(&travel->point, record) == travel->forward;
}

static void
touch_slots(StewardTravel *travel)
{
	for (int64 i = 0; i < travel->trail->count; i++)
	{
		StewardChange change;

		if (!wanted(travel, &travel->trail->records[i]))
			continue;
		steward_change_of(travel->rows, &travel->trail->records[i], &change);
		(void) steward_rows_before(travel->rows, &change);
		(void) steward_rows_after(travel->rows, &change);
	}
}

StewardTravel *
steward_travel_begin(StewardHistoryTable *table, StewardPoint point)
{
	StewardTravel *travel = palloc0(sizeof(StewardTravel));
	Obstacle	back;
	Obstacle	forward;

	steward_history_require_audited(table);
	travel->table = table;
	travel->point = point;
	travel->rows = steward_rows_create(table);
	travel->trail = steward_trail_create(table);
	back = way_back(travel);
	check_commands(travel, NULL);
	if (back.closes_both)
		give_up(travel, &back, NULL);
	if (back.reason != NULL)
	{
		forward = way_forward(travel);
		if (forward.reason != NULL)
			give_up(travel, &back, &forward);
	}
	steward_rows_fit(travel->rows, travel->trail);
	if (!travel->forward)
		touch_slots(travel);
	return travel;
}

/* ---- the journey ---- */

pg_attribute_noreturn()
static void contradicted(const StewardTravel *travel,
						 const StewardTrailRecord *record);

static void
contradicted(const StewardTravel *travel, const StewardTrailRecord *record)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("audit trail does not explain the rows of table %s",
					travel->table->name),
			 errdetail("Record %d of transaction " UINT64_FORMAT " says that a row was otherwise than its other records or the table have it.",
					   record->record.seq, record->transaction->id.xid),
			 errhint("Rows changed without being recorded; SELECT * FROM steward.audit_coverage() may tell how.")));
}

static bool
step(StewardTravel *travel, StewardTrailRecord *record)
{
	StewardChange change;

	steward_change_of(travel->rows, record, &change);
	record->done = travel->forward ? steward_rows_redo(travel->rows, &change) :
		steward_rows_undo(travel->rows, &change);
	return record->done;
}

/*
 * Takes a step, after another of the same transaction if need be: a row trigger of
 * the user's may change rows whose own records come later, see src/audit/README.
 */
static void
step_somehow(StewardTravel *travel, int64 number)
{
	StewardTrailRecord *records = travel->trail->records;
	int			direction = travel->forward ? 1 : -1;

	CHECK_FOR_INTERRUPTS();
	while (!step(travel, &records[number]))
	{
		int64		other = number + direction;

		while (other >= 0 && other < travel->trail->count &&
			   (records[other].done || !is_row_change(&records[other]) ||
				records[other].transaction != records[number].transaction ||
				!step(travel, &records[other])))
			other += direction;
		if (other < 0 || other >= travel->trail->count)
			contradicted(travel, &records[number]);
	}
}

void
steward_travel_touch(StewardTravel *travel, StewardRows *others)
{
	StewardCell *cells = palloc0(travel->table->desc->natts * sizeof(StewardCell));
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while ((slot = steward_rows_next(others, &bucket, slot)) != NULL)
	{
		for (int k = 0; k < others->width; k++)
			cells[others->key[k] - 1] = slot->key[k];
		(void) steward_rows_slot(travel->rows, cells, true);
	}
}

typedef struct Visit
{
	StewardTravel *travel;
	bool		touched_only;
	StewardRowCallback callback;
	void	   *arg;
	StewardCell *cells;
	AttrNumber *columns;		/* by position in the query's result */
} Visit;

/* What was touched is remembered, the rest goes straight on. */
static void
visit_present(Visit *visit, HeapTuple tuple, TupleDesc desc)
{
	StewardRowSlot *slot;

	for (int i = 0; i < desc->natts; i++)
	{
		StewardCell *cell = &visit->cells[visit->columns[i] - 1];

		cell->value = heap_getattr(tuple, i + 1, desc, &cell->isnull);
		cell->given = true;
	}
	slot = steward_rows_slot(visit->travel->rows, visit->cells, false);
	if (slot != NULL)
		steward_rows_add(visit->travel->rows, slot, visit->cells);
	else if (!visit->touched_only)
		visit->callback(visit->cells, false, visit->arg);
}

/* The present rows, read as the caller reads them. */
static char *
present_query(Visit *visit)
{
	const StewardHistoryTable *table = visit->travel->table;
	StringInfoData query;
	int			count = 0;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT");
	for (int i = 0; i < table->desc->natts; i++)
		if (steward_history_has_column(table->desc, i + 1))
		{
			appendStringInfo(&query, "%s %s", count > 0 ? "," : "",
							 quote_identifier(NameStr(TupleDescAttr(table->desc, i)->attname)));
			visit->columns[count++] = i + 1;
		}
	appendStringInfo(&query, " FROM %s%s", table->partitioned ? "" : "ONLY ",
					 table->name);
	return query.data;
}

static void
read_present(Visit *visit)
{
	MemoryContext caller = CurrentMemoryContext;
	StewardQuery query = {.text = present_query(visit),
	.relid = visit->travel->table->relid};
	Portal		portal;
	uint64		fetched;

	SPI_connect();
	portal = steward_query_open(&query, GetActiveSnapshot());
	do
	{
		MemoryContext spi;

		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		fetched = SPI_processed;
		spi = MemoryContextSwitchTo(caller);
		for (uint64 i = 0; i < fetched; i++)
			visit_present(visit, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContextSwitchTo(spi);
		SPI_freetuptable(SPI_tuptable);
	} while (fetched > 0);
	SPI_cursor_close(portal);
	SPI_finish();
}

/*
 * A row from before ADD COLUMN, on the way forward: the value it was given is in the
 * catalogs, unless the table was written anew since.
 */
static void
check_assumed(const StewardTravel *travel, const StewardCell *cells)
{
	const StewardHistoryTable *table = travel->table;

	for (int i = 0; travel->forward && i < table->desc->natts; i++)
		if (cells[i].assumed && !table->missing[i].present &&
			TupleDescAttr(table->desc, i)->atthasdef &&
			TupleDescAttr(table->desc, i)->attgenerated == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("rows of table %s at that time are not known", table->name),
					 errdetail("Column \"%s\" was added, and what it gave to the rows that were there is forgotten.",
							   NameStr(TupleDescAttr(table->desc, i)->attname)),
					 errhint("Records of single rows are in steward.audit_trail and steward.history().")));
}

void
steward_travel_rows(StewardTravel *travel, bool touched_only,
					StewardRowCallback callback, void *arg)
{
	int			natts = travel->table->desc->natts;
	int64		count = travel->trail->count;
	Visit		visit = {travel, touched_only, callback, arg,
		palloc0(natts * sizeof(StewardCell)),
	palloc(natts * sizeof(AttrNumber))};
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	if (!travel->forward)
		read_present(&visit);
	for (int64 n = 0; n < count; n++)
	{
		int64		number = travel->forward ? n : count - 1 - n;

		if (wanted(travel, &travel->trail->records[number]))
			step_somehow(travel, number);
	}
	while ((slot = steward_rows_next(travel->rows, &bucket, slot)) != NULL)
		for (StewardRow *row = slot->first; row != NULL; row = row->next)
		{
			check_assumed(travel, row->cells);
			callback(row->cells, true, arg);
		}
}
