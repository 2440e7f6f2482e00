/*
 * batch.c: the work of one transaction on one leaf; see batch.h.
 *
 * Everything here runs as the owner of the table. Statements are prepared anew
 * in each batch, from names that our lock on the leaf keeps as they are.
 */
#include "retention/batch_parts.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/expression.h"
#include "base/procedure.h"
#include "retention/archive.h"
#include "retention/closure.h"
#include "retention/edge.h"
#include "retention/pace.h"
#include "retention/statement.h"
#include "retention/target.h"
#include "subjects/hold.h"

bool
steward_batch_is_busy(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

void
steward_leaf_begin(StewardLeaf *leaf, StewardSweep sweep)
{
	leaf->sweep = sweep;
	leaf->begun = false;
	leaf->at_end = false;
	leaf->count = leaf->next = 0;
	leaf->found = leaf->locked = leaf->deleted = 0;
	leaf->kept = leaf->held = leaf->restricted = 0;
}

bool
steward_leaf_done(const StewardLeaf *leaf)
{
	return leaf->at_end && leaf->next == leaf->count;
}

void
steward_batch_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Settings of the caller must neither change what a statement means nor make a
 * plan that reads the whole leaf for one batch; undone with the identity.
 */
void
steward_batch_settings(const StewardPolicy *policy)
{
	(void) steward_expression_settings(policy->time_zone);
	steward_batch_option("lock_timeout", "100ms");
	steward_batch_option("session_replication_role", "origin");
	steward_batch_option("enable_tidscan", "on");
	steward_batch_option("jit", "off");
	steward_batch_option("max_parallel_workers_per_gather", "0");
}

uint64
steward_batch_execute(StewardBatch *batch, const char *sql, int expected, int count,
					  Oid *types, Datum *values)
{
	StewardStatement statement = {
		.sql = sql, .relations = list_make1_oid(RelationGetRelid(batch->rel)),
		.read_only = batch->read_only,
		.count = count, .types = types, .values = values
	};

	return steward_statement_execute(&statement, expected);
}

int
steward_batch_lock(StewardBatch *batch, ItemPointerData *slice, int size)
{
	Oid			types[] = {batch->age.type, TIDARRAYOID};
	Datum		values[] = {batch->cutoff, steward_tid_array(slice, size)};
	int			locked;

	locked = (int) steward_batch_execute(batch,
										 psprintf("SELECT t.ctid FROM %s"
												  " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($2)"
												  " AND %s AND NOT %s FOR UPDATE OF t SKIP LOCKED",
												  batch->from, batch->still_expired, batch->held),
										 SPI_OK_SELECT, 2, types, values);
	if (locked > size)
		elog(ERROR, "locked %d rows of %d", locked, size);
	for (int i = 0; i < locked; i++)
		slice[i] = *(ItemPointer) DatumGetPointer(steward_result(i, 1));
	SPI_freetuptable(SPI_tuptable);
	return locked;
}

/*
 * Rows that refer by edges that restrict keep what they refer to. Rows of the table itself
 * may be about to go with those they refer to, which is found out later.
 */
static char *
restricted_condition(StewardBatch *batch)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	foreach(cell, batch->edges)
	{
		StewardEdge *edge = lfirst(cell);

		if (edge->action != STEWARD_CHILD_RESTRICT || edge->child == edge->parent)
			continue;
		appendStringInfo(&sql, "%sEXISTS (SELECT FROM %s WHERE %s)",
						 sql.len == 0 ? "" : " OR ", steward_edge_child(edge),
						 edge->refers);
	}
	return sql.len == 0 ? pstrdup("false") : psprintf("(%s)", sql.data);
}

/* The foreign keys that lead to the leaf, if rows are to go. */
static List *
edges_to_leaf(StewardBatch *batch)
{
	List	   *edges;
	ListCell   *cell;

	if (steward_target_command(batch->policy) != CMD_DELETE)
		return NIL;
	edges = steward_edges_to(batch->rel, batch->policy->children);
	foreach(cell, edges)
	{
		if (batch->preview)
			steward_edge_imply(lfirst(cell));
		else
			steward_edge_check(lfirst(cell), batch->owner);
	}
	return edges;
}

/* The statements' common parts; t is the leaf in all of them. */
void
steward_batch_describe(StewardBatch *batch)
{
	steward_age_describe(&batch->age, batch->policy, batch->rel, "t");
	batch->cutoff = steward_age_cutoff(batch->policy, batch->age.type);
	batch->from = psprintf("ONLY %s AS t", steward_table_name(batch->rel));
	batch->expired = steward_condition_expired(batch->policy, batch->rel, &batch->age,
											   "t");
	batch->still_expired = psprintf("COALESCE(%s, false)", batch->expired);
	if (batch->policy->action == STEWARD_ANONYMIZE)
		batch->overwrites = steward_anonymize_columns(batch->policy, batch->rel);
	batch->edges = edges_to_leaf(batch);
	batch->held = steward_target_held(batch->rel, "t");
	batch->restricted = restricted_condition(batch);
}

/* Sorts locked rows into those that go, which come first, and those that stay. */
static int
keep_those_that_go(StewardLeaf *leaf, const StewardClosure *closure,
				   ItemPointerData *rows, int count)
{
	int			going = 0;

	for (int i = 0; i < count; i++)
	{
		int			reasons = steward_closure_reasons(closure, i);

		if (reasons == 0)
			rows[going++] = rows[i];
		else if ((reasons & (STEWARD_HELD | STEWARD_BUSY)) == STEWARD_BUSY)
			leaf->locked--;
		else
		{
			leaf->kept++;
			if (reasons & STEWARD_HELD)
				leaf->held++;
			else
				leaf->restricted++;
		}
	}
	return going;
}

/*
 * Destroys locked rows and what refers to them, as many as make a batch; the others are left
 * to the next one. Returns how many were looked at.
 */
static int
destroy_closure(StewardBatch *batch, ItemPointerData *rows, int count, int size,
				StewardBatchResult *result)
{
	StewardClosure *closure;
	ItemPointerData *going;

	while ((closure = steward_closure_find(batch->policy, batch->owner, batch->rel, rows,
										   count, size * STEWARD_CLOSURE_TIMES)) == NULL)
		count /= 2;
	going = palloc(count * sizeof(ItemPointerData));
	memcpy(going, rows, count * sizeof(ItemPointerData));
	batch->leaf->locked += count;
	batch->leaf->fanout = (double) steward_closure_size(closure) / count;

	result->children = steward_closure_clear(closure, batch->leaf->salt, &result->leaves);
	steward_batch_destroy(batch, going,
						  keep_those_that_go(batch->leaf, closure, going, count),
						  steward_closure_deletes(closure), result);
	steward_closure_close(closure);
	return count;
}

/* How many candidates make a batch of that size. */
static int
slice_size(const StewardLeaf *leaf, int size)
{
	return Min((int) steward_pace_fit(size, leaf->fanout), leaf->count - leaf->next);
}

static void
work(StewardBatch *batch, int size, StewardBatchResult *result)
{
	StewardLeaf *leaf = batch->leaf;
	ItemPointerData *slice;
	int			count;
	int			locked;
	int			done;

	steward_batch_describe(batch);
	if (leaf->next == leaf->count && !leaf->at_end)
		steward_batch_collect(batch);
	slice = leaf->pool->rows + leaf->next;
	count = slice_size(leaf, size);
	if (count == 0)
		return;

	/* By ctid, though a sequential scan may look cheaper for many of them. */
	steward_batch_option("enable_seqscan", "off");

	/*
	 * To look for its cost reads the ends of indexes, which are full of what
	 * we deleted.
	 */
	steward_batch_option("enable_mergejoin", "off");
	if (steward_batch_at_once(batch, slice, count, size, result))
	{
		leaf->next += count;
		leaf->deleted += result->rows;
		return;
	}
	done = locked = steward_batch_lock(batch, slice, count);
	if (batch->edges == NIL)
	{
		leaf->locked += locked;
		steward_batch_destroy(batch, slice, locked, NIL, result);
	}
	else if (locked > 0)
		done = destroy_closure(batch, slice, locked, size, result);
	/* What was locked and not looked at comes first in the next batch. */
	memmove(slice + count - (locked - done), slice + done,
			(locked - done) * sizeof(ItemPointerData));
	leaf->next += count - (locked - done);
	leaf->deleted += result->rows;
}

void
steward_leaf_batch(StewardLeaf *leaf, const StewardPolicy *policy, Oid owner,
				   int size, StewardBatchResult *result)
{
	StewardBatch batch = {.leaf = leaf, .policy = policy, .owner = owner};
	StewardIdentity identity;

	memset(result, 0, sizeof(*result));
	initStringInfo(&result->leaves);
	steward_become_guarded(owner, &identity);
	steward_batch_settings(policy);
	/* Before the snapshot: what it shows is all that may be held. */
	steward_holds_lock();
	PushActiveSnapshot(GetTransactionSnapshot());
	batch.rel = steward_target_open_leaf(leaf->relation, policy, owner);
	if (batch.rel == NULL)
	{
		leaf->at_end = true;
		leaf->next = leaf->count;
	}
	else
	{
		if (policy->action == STEWARD_ARCHIVE)
			batch.archive = steward_archive_open(policy->archive, RowExclusiveLock);
		work(&batch, size, result);
		relation_close(batch.rel, NoLock);
		if (batch.archive != NULL)
			relation_close(batch.archive, NoLock);
	}
	PopActiveSnapshot();
	steward_become_caller(&identity);
}

bool
steward_leaf_has_expired(Oid leaf, const StewardPolicy *policy, Oid owner)
{
	StewardBatch batch = {.policy = policy, .owner = owner, .read_only = true};
	StewardIdentity identity;
	bool		found;

	steward_become_guarded(owner, &identity);
	steward_batch_settings(policy);
	batch.rel = relation_open(leaf, NoLock);
	steward_batch_describe(&batch);
	found = steward_batch_execute(&batch,
								  psprintf("SELECT FROM %s WHERE %s AND NOT %s AND NOT %s LIMIT 1",
										   batch.from, batch.expired, batch.held,
										   batch.restricted),
								  SPI_OK_SELECT, 1, &batch.age.type, &batch.cutoff) > 0;
	SPI_freetuptable(SPI_tuptable);
	relation_close(batch.rel, NoLock);
	steward_become_caller(&identity);
	return found;
}
