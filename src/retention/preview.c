/*
 * preview.c: what a run of a policy would do.
 *
 * Counts are those of one snapshot, and exact: rows are followed to all that refers to them
 * as a batch would, without locks. Rows that refer to each other across pieces
 * would be misjudged, so where the table refers to itself there is but one piece.
 */
#include "retention/batch_parts.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/argument.h"
#include "base/catalog.h"
#include "retention/children.h"
#include "retention/closure.h"
#include "retention/partition.h"
#include "retention/shred.h"
#include "retention/statement.h"
#include "retention/target.h"

/* Rows followed at once. */
#define PIECE_ROWS 20000

/* A foreign key in the preview. */
typedef struct PreviewEdge
{
	StewardEdge *edge;
	int64		rows;
} PreviewEdge;

typedef struct Preview
{
	const StewardPolicy *policy;
	Oid			owner;
	MemoryContext scratch;		/* as long as a piece */
	List	   *edges;			/* PreviewEdge * */
	bool		whole;			/* all rows of a leaf are one piece */
	bool		indexed;
	int64		rows;
	int64		held;
	int64		restricted;
	TimestampTz oldest;
	TimestampTz newest;
} Preview;

enum
{
	COLUMN_RELATION,
	COLUMN_CONSTRAINT,
	COLUMN_REFERS_TO,
	COLUMN_ACTION,
	COLUMN_ROWS,
	COLUMN_HELD,
	COLUMN_RESTRICTED,
	COLUMN_OLDEST,
	COLUMN_NEWEST,
	COLUMN_PROBLEM,
	COLUMNS
};

static void
note_edge(StewardEdge *edge, void *arg)
{
	Preview    *preview = arg;
	PreviewEdge *one = palloc0(sizeof(PreviewEdge));

	steward_edge_imply(edge);
	one->edge = edge;
	preview->edges = lappend(preview->edges, one);
	if (edge->child == preview->policy->relation || edge->child == edge->parent)
		preview->whole = true;
}

static void
add_count(Oid constraint, int64 rows, void *arg)
{
	Preview    *preview = arg;
	ListCell   *cell;

	foreach(cell, preview->edges)
	{
		PreviewEdge *one = lfirst(cell);

		if (one->edge->constraint == constraint)
			one->rows += rows;
	}
}

/* What would become of some expired rows of a leaf that are not held themselves. */
static void
judge(Preview *preview, StewardBatch *batch, const ItemPointerData *rows, int count)
{
	MemoryContext caller = MemoryContextSwitchTo(preview->scratch);
	StewardClosure *closure;

	if (batch->edges == NIL)
	{
		preview->rows += count;
		MemoryContextSwitchTo(caller);
		return;
	}
	closure = steward_closure_preview(preview->policy, preview->owner, batch->rel, rows,
									  count);
	for (int i = 0; i < count; i++)
	{
		int			reasons = steward_closure_reasons(closure, i);

		preview->held += (reasons & STEWARD_HELD) != 0;
		preview->restricted += (reasons & (STEWARD_HELD | STEWARD_RESTRICTED)) ==
			STEWARD_RESTRICTED;
		preview->rows += reasons == 0;
	}
	steward_closure_count(closure, add_count, preview);
	steward_closure_close(closure);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(preview->scratch);
}

/* Takes one row of the result: its place, whether it is held, and its age. */
static void
take_row(Preview *preview, uint64 row, ItemPointerData *rows, int *count)
{
	TimestampTz age = DatumGetTimestampTz(steward_result(row, 3));

	preview->oldest = Min(preview->oldest, age);
	preview->newest = Max(preview->newest, age);
	if (DatumGetBool(steward_result(row, 2)))
		preview->held++;
	else
		rows[(*count)++] = *(ItemPointer) DatumGetPointer(steward_result(row, 1));
}

static void
read_leaf(Preview *preview, StewardBatch *batch)
{
	StewardStatement statement = {
		.relations = list_make1_oid(RelationGetRelid(batch->rel)),
		.read_only = true,
		.count = 1, .types = &batch->age.type, .values = &batch->cutoff
	};
	int			room = PIECE_ROWS;
	ItemPointerData *rows = palloc(room * sizeof(ItemPointerData));
	int			count = 0;
	Portal		portal;

	statement.sql = psprintf("SELECT t.ctid, %s, %s FROM %s WHERE %s", batch->held,
							 steward_age_moment(batch->policy, &batch->age), batch->from, batch->expired);
	portal = steward_statement_open(&statement);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, PIECE_ROWS);
		if (SPI_processed == 0)
			break;
		if (count + SPI_processed > room)
		{
			room = room * 2 + PIECE_ROWS;
			rows = repalloc_huge(rows, room * sizeof(ItemPointerData));
		}
		for (uint64 i = 0; i < SPI_processed; i++)
			take_row(preview, i, rows, &count);
		SPI_freetuptable(SPI_tuptable);
		if (preview->whole)
			continue;
		judge(preview, batch, rows, count);
		count = 0;
	}
	SPI_cursor_close(portal);
	if (count > 0)
		judge(preview, batch, rows, count);
	pfree(rows);
}

static void
preview_leaf(Preview *preview, Oid relid)
{
	StewardBatch batch = {
		.policy = preview->policy, .owner = preview->owner,
		.preview = true, .read_only = true
	};

	batch.rel = relation_open(relid, NoLock);
	steward_batch_describe(&batch);
	preview->indexed &= steward_index_orders_age(batch.rel, batch.age.column,
												 batch.age.type);
	read_leaf(preview, &batch);
	relation_close(batch.rel, NoLock);
}

static void
look(Preview *preview)
{
	StewardIdentity identity;
	List	   *leaves = steward_target_leaves(preview->policy);
	ListCell   *cell;

	if (steward_target_command(preview->policy) == CMD_DELETE)
		steward_edges_walk(preview->policy->relation, preview->policy->children,
						   note_edge, preview);
	steward_become_guarded(preview->owner, &identity);
	steward_batch_settings(preview->policy);
	foreach(cell, leaves)
	{
		preview_leaf(preview, lfirst_oid(cell));
	}
	steward_become_caller(&identity);
}

/* What stands in the way of a run over this foreign key, or makes it slow. */
static char *
edge_problem(const StewardEdge *edge)
{
	if (!edge->declared && steward_edge_on_delete(edge) != NULL)
		return psprintf("%s was not declared: a run fails", steward_edge_on_delete(edge));
	if (!steward_edge_is_indexed(edge))
		return pstrdup("no index on its columns: each batch reads the whole table");
	return NULL;
}

static void
put_edge(ReturnSetInfo *result, const PreviewEdge *one)
{
	const StewardEdge *edge = one->edge;
	char	   *problem = edge_problem(edge);
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};
	NameData	name;

	namestrcpy(&name, edge->name);
	values[COLUMN_RELATION] = ObjectIdGetDatum(edge->child);
	values[COLUMN_CONSTRAINT] = NameGetDatum(&name);
	values[COLUMN_REFERS_TO] = ObjectIdGetDatum(edge->parent);
	values[COLUMN_ACTION] = CStringGetTextDatum(steward_child_action_name(edge->action));
	values[COLUMN_ROWS] = Int64GetDatum(one->rows);
	nulls[COLUMN_HELD] = nulls[COLUMN_RESTRICTED] = true;
	nulls[COLUMN_OLDEST] = nulls[COLUMN_NEWEST] = true;
	nulls[COLUMN_PROBLEM] = problem == NULL;
	if (problem != NULL)
		values[COLUMN_PROBLEM] = CStringGetTextDatum(problem);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_table(ReturnSetInfo *result, const Preview *preview)
{
	const StewardPolicy *policy = preview->policy;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};

	values[COLUMN_RELATION] = ObjectIdGetDatum(policy->relation);
	nulls[COLUMN_CONSTRAINT] = nulls[COLUMN_REFERS_TO] = true;
	values[COLUMN_ACTION] = CStringGetTextDatum(steward_action_name(policy->action));
	values[COLUMN_ROWS] = Int64GetDatum(preview->rows);
	values[COLUMN_HELD] = Int64GetDatum(preview->held);
	values[COLUMN_RESTRICTED] = Int64GetDatum(preview->restricted);
	values[COLUMN_OLDEST] = TimestampTzGetDatum(preview->oldest);
	values[COLUMN_NEWEST] = TimestampTzGetDatum(preview->newest);
	nulls[COLUMN_OLDEST] = nulls[COLUMN_NEWEST] = preview->oldest > preview->newest;
	nulls[COLUMN_PROBLEM] = preview->indexed;
	if (!preview->indexed)
		values[COLUMN_PROBLEM] =
			CStringGetTextDatum("no index on the age: a run reads the whole table");
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The table, and each partition that has expired. */
static void
put_partitions(ReturnSetInfo *result, Preview *preview)
{
	List	   *partitions = steward_partition_preview(preview->policy);
	ListCell   *cell;

	foreach(cell, partitions)
	{
		const StewardPartitionPreview *one = lfirst(cell);

		preview->rows += one->rows;
		preview->held += one->held;
		preview->oldest = Min(preview->oldest, one->oldest);
		preview->newest = Max(preview->newest, one->newest);
	}
	put_table(result, preview);
	foreach(cell, partitions)
	{
		const StewardPartitionPreview *one = lfirst(cell);
		Datum		values[COLUMNS] = {0};
		bool		nulls[COLUMNS] = {0};

		values[COLUMN_RELATION] = ObjectIdGetDatum(one->partition);
		nulls[COLUMN_CONSTRAINT] = nulls[COLUMN_REFERS_TO] = true;
		values[COLUMN_ACTION] = CStringGetTextDatum(steward_action_name(preview->policy->action));
		values[COLUMN_ROWS] = Int64GetDatum(one->rows);
		values[COLUMN_HELD] = Int64GetDatum(one->held);
		values[COLUMN_RESTRICTED] = Int64GetDatum(0);
		values[COLUMN_OLDEST] = TimestampTzGetDatum(one->oldest);
		values[COLUMN_NEWEST] = TimestampTzGetDatum(one->newest);
		nulls[COLUMN_OLDEST] = nulls[COLUMN_NEWEST] = one->oldest > one->newest;
		nulls[COLUMN_PROBLEM] = one->problem == NULL;
		if (one->problem != NULL)
			values[COLUMN_PROBLEM] = CStringGetTextDatum(one->problem);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* A table that is bound to the subjects of a policy with action shred. */
static void
put_bound(ReturnSetInfo *result, const StewardShredRows *rows)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};

	values[COLUMN_RELATION] = ObjectIdGetDatum(rows->relation);
	values[COLUMN_ACTION] = CStringGetTextDatum("unreadable");
	values[COLUMN_ROWS] = Int64GetDatum(rows->rows);
	nulls[COLUMN_CONSTRAINT] = nulls[COLUMN_REFERS_TO] = true;
	nulls[COLUMN_HELD] = nulls[COLUMN_RESTRICTED] = true;
	nulls[COLUMN_OLDEST] = nulls[COLUMN_NEWEST] = true;
	nulls[COLUMN_PROBLEM] = rows->indexed;
	if (!rows->indexed)
		values[COLUMN_PROBLEM] =
			CStringGetTextDatum("no index on the key of its subjects: each batch may read the whole table");
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_shred(ReturnSetInfo *result, Preview *preview)
{
	StewardShredPreview shred;
	ListCell   *cell;

	steward_shred_preview(preview->policy, preview->owner, &shred);
	preview->rows = shred.subjects;
	preview->held = shred.held;
	preview->oldest = shred.oldest;
	preview->newest = shred.newest;
	put_table(result, preview);
	foreach(cell, shred.tables)
	{
		put_bound(result, lfirst(cell));
	}
}

STEWARD_FUNCTION(steward_preview_policy)
{
	Preview		preview = {.indexed = true, .oldest = DT_NOEND, .newest = DT_NOBEGIN};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	StewardPolicy *policy;
	ListCell   *cell;

	steward_require_argument(fcinfo, 0, "name");
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	policy = steward_policy_read(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	steward_policy_require_table(policy);
	preview.policy = policy;
	preview.owner = steward_target_owner(policy->relation);
	preview.scratch = AllocSetContextCreate(CurrentMemoryContext, "retention preview",
											ALLOCSET_DEFAULT_SIZES);
	if (policy->action == STEWARD_DROP_PARTITION)
		put_partitions(result, &preview);
	else if (policy->action == STEWARD_SHRED)
		put_shred(result, &preview);
	else
	{
		look(&preview);
		put_table(result, &preview);
		foreach(cell, preview.edges)
		{
			put_edge(result, lfirst(cell));
		}
	}
	SPI_finish();
	return (Datum) 0;
}
