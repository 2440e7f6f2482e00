/*
 * collect.c: finding the rows of a leaf that have expired; see batch.h.
 *
 * Rows that are held, or that rows of other tables keep, are left out: who looks at them
 * in each run and locks them would write to the table what nobody needs.
 */
#include "retention/batch_parts.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "retention/statement.h"

/* Blocks read at once where there is no index, and how long to go on. */
#define PIECE_BLOCKS 256
#define PIECE_MILLISECONDS 50

/* Rows fetched at once of what is left. */
#define FETCH_ROWS 10000

#define CAPACITY (PIECE_BLOCKS * MaxHeapTuplesPerPage)

StewardCandidates *
steward_candidates_make(void)
{
	StewardCandidates *pool = palloc(sizeof(StewardCandidates));

	pool->room = CAPACITY;
	pool->rows = palloc(pool->room * sizeof(ItemPointerData));
	return pool;
}

static int
compare_candidates(const void *left, const void *right)
{
	return ItemPointerCompare((ItemPointer) left, (ItemPointer) right);
}

/* Room for one more candidate. */
static ItemPointer
next_candidate(StewardLeaf *leaf)
{
	StewardCandidates *pool = leaf->pool;

	if (leaf->count == pool->room)
	{
		pool->room *= 2;
		pool->rows = repalloc_huge(pool->rows, pool->room * sizeof(ItemPointerData));
	}
	return &pool->rows[leaf->count++];
}

/* In the order of the heap, so that a batch touches few pages. */
static void
sort_candidates(StewardLeaf *leaf)
{
	leaf->found += leaf->count;
	qsort(leaf->pool->rows, leaf->count, sizeof(ItemPointerData),
		  compare_candidates);
}

/* Takes over the first column of a result as candidates. */
static void
keep_candidates(StewardLeaf *leaf)
{
	leaf->next = 0;
	leaf->count = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
		*next_candidate(leaf) = *(ItemPointer) DatumGetPointer(steward_result(i, 1));
	sort_candidates(leaf);
}

bool
steward_index_orders_age(Relation rel, AttrNumber attnum, Oid type)
{
	Oid			family = get_opclass_family(GetDefaultOpClass(type, BTREE_AM_OID));
	List	   *indexes = RelationGetIndexList(rel);
	bool		answer = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		/* An expression is column 0 here and there. */
		if (attnum != 0 && index->rd_rel->relam == BTREE_AM_OID &&
			index->rd_index->indisvalid &&
			index->rd_index->indkey.values[0] == attnum &&
			index->rd_opfamily[0] == family &&
			RelationGetIndexPredicate(index) == NIL)
			answer = true;
		index_close(index, NoLock);
		if (answer)
			break;
	}
	list_free(indexes);
	return answer;
}

/* Ages as numbers, which outlive a batch: both sorts of timestamp are int64. */
static Datum
age_datum(Oid type, int64 age)
{
	return type == DATEOID ? DateADTGetDatum((DateADT) age)
		: TimestampGetDatum((Timestamp) age);
}

static int64
age_number(Oid type, Datum age)
{
	return type == DATEOID ? (int64) DatumGetDateADT(age)
		: (int64) DatumGetTimestamp(age);
}

static void
begin_sweep(StewardBatch *batch)
{
	StewardLeaf *leaf = batch->leaf;

	leaf->begun = true;
	leaf->by_index = steward_index_orders_age(batch->rel, batch->age.column, batch->age.type);
	leaf->low = batch->age.type == DATEOID ? DATEVAL_NOBEGIN : DT_NOBEGIN;
	leaf->next_block = 0;
	leaf->end_block = RelationGetNumberOfBlocks(batch->rel);
	/* A run that gave way had come so far. */
	if (leaf->sweep == SWEEP_TABLE && leaf->from != NULL &&
		leaf->from->by_index == leaf->by_index)
	{
		leaf->low = Max(leaf->low, leaf->from->low);
		leaf->next_block = Min(leaf->from->block, leaf->end_block);
	}
	leaf->piece.by_index = leaf->by_index;
	leaf->most = (uint64) leaf->end_block * MaxHeapTuplesPerPage;
}

/*
 * The next piece in the order of age. It begins with the age at which the one
 * before ended, since many rows may have that age; those that are left of it
 * come again, so a piece that brings the sweep no further ends it.
 */
static void
collect_by_index(StewardBatch *batch)
{
	StewardLeaf *leaf = batch->leaf;
	Oid			types[] = {batch->age.type, batch->age.type};
	Datum		values[] = {batch->cutoff, age_datum(batch->age.type, leaf->low)};
	bool		isnull;
	int64		last;

	steward_batch_option("enable_seqscan", "off");
	steward_batch_option("enable_bitmapscan", "off");
	steward_batch_option("enable_sort", "off");
	steward_batch_option("enable_indexscan", "on");
	(void) steward_batch_execute(batch,
								 psprintf("SELECT t.ctid, %s FROM %s WHERE %s"
										  " AND %s OPERATOR(pg_catalog.>=) $2 AND NOT %s AND NOT %s"
										  " ORDER BY %s USING OPERATOR(pg_catalog.<) LIMIT %d",
										  batch->age.sql, batch->from, batch->expired, batch->age.sql,
										  batch->held, batch->restricted, batch->age.sql, CAPACITY),
								 SPI_OK_SELECT, 2, types, values);
	keep_candidates(leaf);
	leaf->piece.low = leaf->low;
	leaf->at_end = leaf->count < CAPACITY || leaf->found > leaf->most;
	if (!leaf->at_end)
	{
		last = age_number(batch->age.type,
						  SPI_getbinval(SPI_tuptable->vals[CAPACITY - 1],
										SPI_tuptable->tupdesc, 2, &isnull));
		if (last == leaf->low && leaf->deleted == 0)
			leaf->at_end = true;
		leaf->low = last;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The next pieces in the order of the heap, until one has candidates. */
static void
collect_by_block(StewardBatch *batch)
{
	StewardLeaf *leaf = batch->leaf;
	Oid			types[] = {batch->age.type, TIDOID, TIDOID};
	instr_time	start;
	instr_time	now;

	steward_batch_option("enable_seqscan", "off");
	steward_batch_option("enable_bitmapscan", "off");
	steward_batch_option("enable_indexscan", "off");
	INSTR_TIME_SET_CURRENT(start);
	do
	{
		BlockNumber left = leaf->end_block - leaf->next_block;
		BlockNumber end = leaf->next_block + Min(left, PIECE_BLOCKS);
		ItemPointerData low;
		ItemPointerData high;
		Datum		values[] = {batch->cutoff, PointerGetDatum(&low),
		PointerGetDatum(&high)};

		CHECK_FOR_INTERRUPTS();
		ItemPointerSet(&low, leaf->next_block, 0);
		ItemPointerSet(&high, end, 0);
		(void) steward_batch_execute(batch,
									 psprintf("SELECT t.ctid FROM %s"
											  " WHERE t.ctid OPERATOR(pg_catalog.>=) $2"
											  " AND t.ctid OPERATOR(pg_catalog.<) $3"
											  " AND %s AND NOT %s AND NOT %s LIMIT %d",
											  batch->from, batch->expired, batch->held,
											  batch->restricted, CAPACITY),
									 SPI_OK_SELECT, 3, types, values);
		keep_candidates(leaf);
		SPI_freetuptable(SPI_tuptable);
		leaf->piece.block = leaf->next_block;
		leaf->next_block = end;
		leaf->at_end = end == leaf->end_block;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
	} while (leaf->count == 0 && !leaf->at_end &&
			 INSTR_TIME_GET_MILLISEC(now) < PIECE_MILLISECONDS);
}

/*
 * All that is left, by one snapshot: rows that are held, or restricted, are counted,
 * the others are candidates.
 */
static void
collect_rest(StewardBatch *batch)
{
	StewardLeaf *leaf = batch->leaf;
	StewardStatement statement = {
		.relations = list_make1_oid(RelationGetRelid(batch->rel)),
		.count = 1, .types = &batch->age.type, .values = &batch->cutoff
	};
	Portal		portal;

	statement.sql = psprintf("SELECT t.ctid, %s, %s FROM %s WHERE %s", batch->held,
							 batch->restricted, batch->from, batch->expired);
	portal = steward_statement_open(&statement);
	leaf->next = 0;
	leaf->count = 0;
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			if (DatumGetBool(steward_result(i, 2)))
				leaf->held++;
			else if (DatumGetBool(steward_result(i, 3)))
				leaf->restricted++;
			else
				*next_candidate(leaf) =
					*(ItemPointer) DatumGetPointer(steward_result(i, 1));
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	sort_candidates(leaf);
	leaf->at_end = true;
}

void
steward_batch_collect(StewardBatch *batch)
{
	StewardLeaf *leaf = batch->leaf;

	if (!leaf->begun)
		begin_sweep(batch);
	if (leaf->sweep == SWEEP_REST)
		collect_rest(batch);
	else if (leaf->by_index)
		collect_by_index(batch);
	else
		collect_by_block(batch);
}
