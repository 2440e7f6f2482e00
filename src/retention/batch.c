/*
 * batch.c: the work of one transaction on one leaf; see batch.h.
 *
 * Everything here runs as the owner of the table. Statements are prepared anew
 * in each batch, from names that our lock on the leaf keeps as they are.
 */
#include "retention/batch.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/expression.h"
#include "retention/target.h"
#include "subjects/hold.h"

/* Blocks read at once where there is no index, and how long to go on. */
#define PIECE_BLOCKS 256
#define PIECE_MILLISECONDS 50

/* What one batch works with, while it runs. */
typedef struct Batch
{
	StewardLeaf *leaf;
	const StewardPolicy *policy;
	Relation	rel;
	bool		read_only;		/* see what the active snapshot shows */
	Oid			age_type;
	Datum		cutoff;			/* of that type */
	const char *from;			/* ONLY schema.table AS t */
	const char *age;			/* t.column */
	const char *expired;		/* and not held: condition on $1, the cutoff */
	const char *still_expired;	/* the same, out of reach of indexes */
} Batch;

int
steward_leaf_capacity(void)
{
	return PIECE_BLOCKS * MaxHeapTuplesPerPage;
}

void
steward_leaf_begin(StewardLeaf *leaf, StewardSweep sweep)
{
	leaf->sweep = sweep;
	leaf->begun = false;
	leaf->at_end = false;
	leaf->count = leaf->next = 0;
	leaf->found = leaf->locked = leaf->deleted = 0;
}

bool
steward_leaf_done(const StewardLeaf *leaf)
{
	return leaf->at_end && leaf->next == leaf->count;
}

static void
set_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Settings of the caller must neither change what a delete means nor make a
 * plan that reads the whole leaf for one batch; undone with the identity.
 */
static void
set_options(void)
{
	set_option("lock_timeout", "100ms");
	set_option("session_replication_role", "origin");
	set_option("enable_tidscan", "on");
	set_option("jit", "off");
	set_option("max_parallel_workers_per_gather", "0");
	/* Predicates of holds want these for each row. */
	(void) steward_expression_settings(NULL);
}

static Datum
cutoff_of_type(const StewardPolicy *policy, Oid type)
{
	switch (type)
	{
		case DATEOID:
			return DateADTGetDatum(policy->cutoff_date);
		case TIMESTAMPOID:
			return TimestampGetDatum(policy->cutoff_local);
		default:
			return TimestampTzGetDatum(policy->cutoff);
	}
}

/*
 * Executes a statement over the leaf. If its name led anywhere else, which
 * takes somebody renaming the schema at that very moment, that is an error.
 */
static uint64
execute(Batch *batch, const char *sql, int expected, int count, Oid *types,
		Datum *values)
{
	SPIPlanPtr	plan = SPI_prepare(sql, count, types);
	ListCell   *cell;
	int			answer;

	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s",
			 SPI_result_code_string(SPI_result));
	answer = SPI_execute_plan(plan, values, NULL, batch->read_only, 0);
	if (answer != expected)
		elog(ERROR, "unexpected answer %d from SPI", answer);
	foreach(cell, SPI_plan_get_plan_sources(plan))
	{
		CachedPlanSource *source = (CachedPlanSource *) lfirst(cell);

		if (!list_member_oid(source->relationOids, RelationGetRelid(batch->rel)))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("table \"%s\" was renamed during the run",
							RelationGetRelationName(batch->rel))));
	}
	SPI_freeplan(plan);
	return SPI_processed;
}

static int
compare_candidates(const void *left, const void *right)
{
	return ItemPointerCompare((ItemPointer) left, (ItemPointer) right);
}

/* Takes over the first column of a result as candidates. */
static void
keep_candidates(StewardLeaf *leaf)
{
	bool		isnull;

	leaf->next = 0;
	leaf->count = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		tid = SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1, &isnull);

		leaf->candidates[leaf->count++] = *(ItemPointer) DatumGetPointer(tid);
	}
	leaf->found += leaf->count;
	/* In the order of the heap, so that a batch touches few pages. */
	qsort(leaf->candidates, leaf->count, sizeof(ItemPointerData),
		  compare_candidates);
}

/* Whether an index gives the rows in the order of their age. */
static bool
index_orders_age(Relation rel, AttrNumber attnum, Oid type)
{
	Oid			family = get_opclass_family(GetDefaultOpClass(type, BTREE_AM_OID));
	List	   *indexes = RelationGetIndexList(rel);
	bool		answer = false;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_rel->relam == BTREE_AM_OID &&
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
begin_sweep(Batch *batch)
{
	StewardLeaf *leaf = batch->leaf;
	AttrNumber	attnum = get_attnum(leaf->relation, batch->policy->age);

	leaf->begun = true;
	leaf->by_index = index_orders_age(batch->rel, attnum, batch->age_type);
	leaf->low = batch->age_type == DATEOID ? DATEVAL_NOBEGIN : DT_NOBEGIN;
	leaf->next_block = 0;
	leaf->end_block = RelationGetNumberOfBlocks(batch->rel);
	leaf->most = (uint64) leaf->end_block * MaxHeapTuplesPerPage;
}

/*
 * The next piece in the order of age. It begins with the age at which the one
 * before ended, since many rows may have that age; those that are left of it
 * come again, so a piece that brings the sweep no further ends it.
 */
static void
collect_by_index(Batch *batch)
{
	StewardLeaf *leaf = batch->leaf;
	int			capacity = steward_leaf_capacity();
	Oid			types[] = {batch->age_type, batch->age_type};
	Datum		values[] = {batch->cutoff, age_datum(batch->age_type, leaf->low)};
	bool		isnull;
	int64		last;

	set_option("enable_seqscan", "off");
	set_option("enable_bitmapscan", "off");
	set_option("enable_sort", "off");
	set_option("enable_indexscan", "on");
	(void) execute(batch,
				   psprintf("SELECT t.ctid, %s FROM %s WHERE %s"
							" AND %s OPERATOR(pg_catalog.>=) $2"
							" ORDER BY %s USING OPERATOR(pg_catalog.<) LIMIT %d",
							batch->age, batch->from, batch->expired, batch->age,
							batch->age, capacity),
				   SPI_OK_SELECT, 2, types, values);
	keep_candidates(leaf);
	leaf->at_end = leaf->count < capacity || leaf->found > leaf->most;
	if (!leaf->at_end)
	{
		last = age_number(batch->age_type,
						  SPI_getbinval(SPI_tuptable->vals[capacity - 1],
										SPI_tuptable->tupdesc, 2, &isnull));
		if (last == leaf->low && leaf->deleted == 0)
			leaf->at_end = true;
		leaf->low = last;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The next pieces in the order of the heap, until one has candidates. */
static void
collect_by_block(Batch *batch)
{
	StewardLeaf *leaf = batch->leaf;
	Oid			types[] = {batch->age_type, TIDOID, TIDOID};
	instr_time	start;
	instr_time	now;

	set_option("enable_seqscan", "off");
	set_option("enable_bitmapscan", "off");
	set_option("enable_indexscan", "off");
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
		(void) execute(batch,
					   psprintf("SELECT t.ctid FROM %s"
								" WHERE t.ctid OPERATOR(pg_catalog.>=) $2"
								" AND t.ctid OPERATOR(pg_catalog.<) $3"
								" AND %s LIMIT %d",
								batch->from, batch->expired,
								steward_leaf_capacity()),
					   SPI_OK_SELECT, 3, types, values);
		keep_candidates(leaf);
		SPI_freetuptable(SPI_tuptable);
		leaf->next_block = end;
		leaf->at_end = end == leaf->end_block;
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
	} while (leaf->count == 0 && !leaf->at_end &&
			 INSTR_TIME_GET_MILLISEC(now) < PIECE_MILLISECONDS);
}

/* All that is left, by one snapshot, as far as there is room. */
static void
collect_rest(Batch *batch)
{
	Oid			types[] = {batch->age_type};
	Datum		values[] = {batch->cutoff};

	(void) execute(batch,
				   psprintf("SELECT t.ctid FROM %s WHERE %s LIMIT %d",
							batch->from, batch->expired, steward_leaf_capacity()),
				   SPI_OK_SELECT, 1, types, values);
	keep_candidates(batch->leaf);
	SPI_freetuptable(SPI_tuptable);
	batch->leaf->at_end = true;
}

static void
collect(Batch *batch)
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

static Datum
tid_array(ItemPointerData *tids, int count)
{
	Datum	   *elements = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(&tids[i]);
	return PointerGetDatum(construct_array(elements, count, TIDOID,
										   sizeof(ItemPointerData), false,
										   TYPALIGN_SHORT));
}

/*
 * Locks the rows of a slice that nobody else has locked and that are still
 * expired now that we have them; they replace the slice in the array.
 */
static int
lock_slice(Batch *batch, ItemPointerData *slice, int size)
{
	Oid			types[] = {batch->age_type, TIDARRAYOID};
	Datum		values[] = {batch->cutoff, tid_array(slice, size)};
	int			locked;
	bool		isnull;

	locked = (int) execute(batch,
						   psprintf("SELECT t.ctid FROM %s"
									" WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($2)"
									" AND %s FOR UPDATE OF t SKIP LOCKED",
									batch->from, batch->still_expired),
						   SPI_OK_SELECT, 2, types, values);
	if (locked > size)
		elog(ERROR, "locked %d rows of %d", locked, size);
	for (int i = 0; i < locked; i++)
		slice[i] = *(ItemPointer)
			DatumGetPointer(SPI_getbinval(SPI_tuptable->vals[i],
										  SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return locked;
}

static uint64
delete_slice(Batch *batch, ItemPointerData *slice, int size)
{
	Oid			types[] = {batch->age_type, TIDARRAYOID};
	Datum		values[] = {batch->cutoff, tid_array(slice, size)};

	return execute(batch,
				   psprintf("DELETE FROM %s"
							" WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($2) AND %s",
							batch->from, batch->still_expired),
				   SPI_OK_DELETE, 2, types, values);
}

/* The statements' common parts; t is the leaf in all of them. */
static void
describe(Batch *batch)
{
	Relation	rel = batch->rel;
	List	   *holds;

	batch->age_type = steward_target_age_type(rel, batch->policy->age);
	batch->cutoff = cutoff_of_type(batch->policy, batch->age_type);
	batch->from = psprintf("ONLY %s AS t",
						   quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
													  RelationGetRelationName(rel)));
	batch->age = psprintf("t.%s", quote_identifier(batch->policy->age));
	batch->expired = psprintf("%s OPERATOR(pg_catalog.<) $1"
							  " AND %s OPERATOR(pg_catalog.>) '-infinity'",
							  batch->age, batch->age);
	holds = steward_holds_on(RelationGetRelid(rel));
	if (holds != NIL)
		batch->expired = psprintf("%s AND NOT %s", batch->expired,
								  steward_holds_condition(holds, rel, "t"));
	batch->still_expired = psprintf("COALESCE(%s, false)", batch->expired);
}

static uint64
work(Batch *batch, int size)
{
	StewardLeaf *leaf = batch->leaf;
	ItemPointerData *slice;
	int			locked;
	uint64		deleted = 0;

	describe(batch);
	if (leaf->next == leaf->count && !leaf->at_end)
		collect(batch);
	slice = leaf->candidates + leaf->next;
	size = Min(size, leaf->count - leaf->next);
	if (size == 0)
		return 0;

	/* By ctid, though a sequential scan may look cheaper for many of them. */
	set_option("enable_seqscan", "off");
	locked = lock_slice(batch, slice, size);
	if (locked > 0)
		deleted = delete_slice(batch, slice, locked);
	leaf->next += size;
	leaf->locked += locked;
	leaf->deleted += deleted;
	return deleted;
}

uint64
steward_leaf_batch(StewardLeaf *leaf, const StewardPolicy *policy, Oid owner,
				   int size)
{
	Batch		batch = {.leaf = leaf, .policy = policy};
	StewardIdentity identity;
	uint64		deleted = 0;

	steward_become(owner, &identity);
	set_options();
	/* Before the snapshot: what it shows is all that may be held. */
	steward_holds_lock();
	PushActiveSnapshot(GetTransactionSnapshot());
	batch.rel = steward_target_open_leaf(leaf->relation, policy->relation, owner);
	if (batch.rel == NULL)
	{
		leaf->at_end = true;
		leaf->next = leaf->count;
	}
	else
	{
		deleted = work(&batch, size);
		relation_close(batch.rel, NoLock);
	}
	PopActiveSnapshot();
	steward_become_caller(&identity);
	return deleted;
}

bool
steward_leaf_has_expired(Oid leaf, const StewardPolicy *policy, Oid owner)
{
	Batch		batch = {.policy = policy, .read_only = true};
	StewardIdentity identity;
	bool		found;

	steward_become(owner, &identity);
	set_options();
	batch.rel = relation_open(leaf, NoLock);
	describe(&batch);
	found = execute(&batch,
					psprintf("SELECT FROM %s WHERE %s LIMIT 1", batch.from,
							 batch.expired),
					SPI_OK_SELECT, 1, &batch.age_type, &batch.cutoff) > 0;
	SPI_freetuptable(SPI_tuptable);
	relation_close(batch.rel, NoLock);
	steward_become_caller(&identity);
	return found;
}
