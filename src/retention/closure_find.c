/*
 * closure_find.c: finding and locking the rows that refer to those of a batch; see
 * closure.h.
 *
 * Rows and the references between them are two arrays. References are followed table
 * by table, one query for each edge and all rows found so far, until there is nothing new.
 */
#include "retention/closure_parts.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "retention/batch_parts.h"
#include "retention/edge.h"
#include "retention/statement.h"
#include "retention/target.h"

static int
add_row(StewardClosure *closure, Oid table, const ItemPointerData *place)
{
	StewardRowKey key;
	StewardRowEntry *entry;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.table = table;
	key.place = *place;
	entry = hash_search(closure->numbers, &key, HASH_ENTER, &found);
	if (found)
		return entry->number;
	if (closure->row_count == closure->row_room)
	{
		closure->row_room *= 2;
		closure->rows = repalloc_huge(closure->rows,
									  closure->row_room * sizeof(StewardClosureRow));
	}
	entry->number = closure->row_count++;
	memset(&closure->rows[entry->number], 0, sizeof(StewardClosureRow));
	closure->rows[entry->number].key = key;
	return entry->number;
}

static void
add_link(StewardClosure *closure, int from, int to, int edge)
{
	if (closure->link_count == closure->link_room)
	{
		closure->link_room *= 2;
		closure->links = repalloc_huge(closure->links,
									   closure->link_room * sizeof(StewardRowLink));
	}
	closure->links[closure->link_count++] = (StewardRowLink)
	{
		from, to, edge
	};
}

StewardEdge *
steward_closure_edge(const StewardClosure *closure, int number)
{
	return list_nth(closure->edges, number);
}

/* The number of an edge, which may lead to several leaves of one table. */
static int
edge_number(StewardClosure *closure, StewardEdge *edge)
{
	ListCell   *cell;

	foreach(cell, closure->edges)
	{
		if (((StewardEdge *) lfirst(cell))->constraint == edge->constraint)
			return foreach_current_index(cell);
	}
	closure->edges = lappend(closure->edges, edge);
	return list_length(closure->edges) - 1;
}

static StewardClosureLeaf *
add_leaf(StewardClosure *closure, Relation rel)
{
	StewardClosureLeaf *leaf = palloc0(sizeof(StewardClosureLeaf));
	List	   *edges = steward_edges_to(rel, closure->policy->children);
	ListCell   *cell;

	leaf->relid = RelationGetRelid(rel);
	leaf->rel = rel;
	foreach(cell, edges)
	{
		if (closure->preview)
			steward_edge_imply(lfirst(cell));
		else
			steward_edge_check(lfirst(cell), closure->owner);
		leaf->edges = lappend_int(leaf->edges, edge_number(closure, lfirst(cell)));
	}
	closure->leaves = lappend(closure->leaves, leaf);
	return leaf;
}

/* The leaf of this oid, opened and checked; a child that is locked stays what it is. */
StewardClosureLeaf *
steward_closure_leaf(StewardClosure *closure, Oid relid)
{
	Relation	rel;
	ListCell   *cell;

	foreach(cell, closure->leaves)
	{
		StewardClosureLeaf *leaf = lfirst(cell);

		if (leaf->relid == relid)
			return leaf;
	}
	rel = relation_open(relid, closure->preview ? AccessShareLock : RowExclusiveLock);
	if (!closure->preview)
	{
		steward_target_check(rel, CMD_DELETE);
		steward_target_check(rel, CMD_UPDATE);
		steward_target_check_owner(rel, closure->owner);
	}
	return add_leaf(closure, rel);
}

/* The rows of a leaf that have all of these flags and none of those, as numbers. */
static int
select_rows(StewardClosure *closure, Oid table, int with, int without, int **numbers)
{
	int			count = 0;

	*numbers = palloc(Max(closure->row_count, 1) * sizeof(int));
	for (int i = 0; i < closure->row_count; i++)
	{
		StewardClosureRow *row = &closure->rows[i];

		if (row->key.table == table && (row->flags & with) == with &&
			(row->flags & without) == 0)
			(*numbers)[count++] = i;
	}
	return count;
}

Datum
steward_closure_places(const StewardClosure *closure, const int *numbers, int count)
{
	ItemPointerData *places = palloc(Max(count, 1) * sizeof(ItemPointerData));

	for (int i = 0; i < count; i++)
		places[i] = closure->rows[numbers[i]].key.place;
	return steward_tid_array(places, count);
}

/* Rows that refer to these by an edge. */
static void
follow_edge(StewardClosure *closure, StewardClosureLeaf *leaf, int number, Datum places)
{
	StewardEdge *edge = steward_closure_edge(closure, number);
	Oid			type = TIDARRAYOID;
	StewardStatement statement = {
		.relations = list_make2_oid(leaf->relid, edge->child),
		.read_only = closure->preview, .count = 1, .types = &type, .values = &places
	};
	int			flag = edge->action == STEWARD_CHILD_CASCADE ? ROW_WANTED :
		edge->action == STEWARD_CHILD_SET_NULL ? ROW_TOUCHED : 0;

	statement.sql = psprintf("SELECT p.ctid, c.tableoid, c.ctid FROM ONLY %s AS p, %s"
							 " WHERE p.ctid OPERATOR(pg_catalog.=) ANY ($1) AND %s",
							 steward_table_name(leaf->rel), steward_edge_child(edge),
							 edge->join);
	/* Where it can, it shall not read all of the child for each batch. */
	steward_batch_option("enable_hashjoin", steward_edge_is_indexed(edge) ? "off" : "on");
	(void) steward_statement_execute(&statement, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int			from = add_row(closure, leaf->relid,
								   (ItemPointer) DatumGetPointer(steward_result(i, 1)));
		int			to = add_row(closure, DatumGetObjectId(steward_result(i, 2)),
								 (ItemPointer) DatumGetPointer(steward_result(i, 3)));

		closure->rows[to].flags |= flag;
		add_link(closure, from, to, number);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Follows the edges from rows of a leaf that are to go and are ours. */
static bool
follow_leaf(StewardClosure *closure, StewardClosureLeaf *leaf)
{
	int		   *numbers;
	int			count = select_rows(closure, leaf->relid, ROW_WANTED | ROW_LOCKED,
									ROW_FOLLOWED, &numbers);
	Datum		places;
	ListCell   *cell;

	if (count == 0)
		return false;
	places = steward_closure_places(closure, numbers, count);
	for (int i = 0; i < count; i++)
		closure->rows[numbers[i]].flags |= ROW_FOLLOWED;
	foreach(cell, leaf->edges)
	{
		follow_edge(closure, leaf, lfirst_int(cell), places);
	}
	return true;
}

/*
 * Locks rows of a leaf that are to change, without waiting. One that another has
 * locked, or has just changed, is busy.
 */
static void
lock_rows(StewardClosure *closure, StewardClosureLeaf *leaf, int *numbers, int count)
{
	Oid			type = TIDARRAYOID;
	Datum		places = steward_closure_places(closure, numbers, count);
	StewardStatement statement = {
		.relations = list_make1_oid(leaf->relid), .read_only = closure->preview,
		.count = 1, .types = &type, .values = &places
	};

	statement.sql = psprintf("SELECT t.ctid, %s FROM ONLY %s AS t"
							 " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($1)%s",
							 steward_target_held(leaf->rel, "t"),
							 steward_table_name(leaf->rel),
							 closure->preview ? "" : " FOR UPDATE OF t SKIP LOCKED");
	(void) steward_statement_execute(&statement, SPI_OK_SELECT);
	for (int i = 0; i < count; i++)
		closure->rows[numbers[i]].reasons |= STEWARD_BUSY;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int			number = add_row(closure, leaf->relid,
									 (ItemPointer) DatumGetPointer(steward_result(i, 1)));
		StewardClosureRow *row = &closure->rows[number];

		/* A version that came while we locked is not the one that refers. */
		if (!(row->reasons & STEWARD_BUSY))
			continue;
		row->reasons &= ~STEWARD_BUSY;
		row->flags |= ROW_LOCKED;
		if (DatumGetBool(steward_result(i, 2)))
			row->reasons |= STEWARD_HELD;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Locks what is to change and is not locked yet, leaf by leaf. */
static void
lock_new_rows(StewardClosure *closure)
{
	for (int i = 0; i < closure->row_count; i++)
	{
		StewardClosureRow *row = &closure->rows[i];
		StewardClosureLeaf *leaf;
		int		   *numbers;
		int		   *new_numbers;
		int			count;
		int			new_count = 0;

		if (!(row->flags & (ROW_WANTED | ROW_TOUCHED)) ||
			(row->flags & ROW_LOCKED) || (row->reasons & STEWARD_BUSY))
			continue;
		leaf = steward_closure_leaf(closure, row->key.table);
		count = select_rows(closure, leaf->relid, 0, ROW_LOCKED, &numbers);
		new_numbers = palloc(count * sizeof(int));
		for (int j = 0; j < count; j++)
		{
			row = &closure->rows[numbers[j]];
			if ((row->flags & (ROW_WANTED | ROW_TOUCHED)) &&
				!(row->reasons & STEWARD_BUSY))
				new_numbers[new_count++] = numbers[j];
		}
		lock_rows(closure, leaf, new_numbers, new_count);
	}
}

static StewardClosure *
make_closure(const StewardPolicy *policy, Oid owner, int most)
{
	StewardClosure *closure = palloc0(sizeof(StewardClosure));
	HASHCTL		control = {
		.keysize = sizeof(StewardRowKey), .entrysize = sizeof(StewardRowEntry),
		.hcxt = CurrentMemoryContext
	};

	closure->policy = policy;
	closure->owner = owner;
	closure->most = most;
	closure->numbers = hash_create("retention closure", 1024, &control,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	closure->row_room = closure->link_room = 1024;
	closure->rows = palloc(closure->row_room * sizeof(StewardClosureRow));
	closure->links = palloc(closure->link_room * sizeof(StewardRowLink));
	return closure;
}

/* The first leaf is the caller's. */
void
steward_closure_close(StewardClosure *closure)
{
	ListCell   *cell;

	for_each_from(cell, closure->leaves, 1)
	{
		relation_close(((StewardClosureLeaf *) lfirst(cell))->rel, NoLock);
	}
}

/* Finds all there is to a closure, and decides; false when it is more than most. */
static bool
fill(StewardClosure *closure, Relation leaf, const ItemPointerData *roots, int count)
{
	bool		more = true;

	(void) add_leaf(closure, leaf);
	for (int i = 0; i < count; i++)
		closure->rows[add_row(closure, RelationGetRelid(leaf), &roots[i])].flags =
			ROW_ROOT | ROW_WANTED | ROW_LOCKED;
	while (more)
	{
		ListCell   *cell;

		more = false;
		foreach(cell, closure->leaves)
		{
			CHECK_FOR_INTERRUPTS();
			more |= follow_leaf(closure, lfirst(cell));
			if (closure->row_count > closure->most && count > 1)
				return false;
		}
		lock_new_rows(closure);
	}
	steward_closure_decide(closure);
	return true;
}

StewardClosure *
steward_closure_find(const StewardPolicy *policy, Oid owner, Relation leaf,
					 const ItemPointerData *roots, int count, int most)
{
	StewardClosure *closure = make_closure(policy, owner, most);

	if (fill(closure, leaf, roots, count))
		return closure;
	steward_closure_close(closure);
	return NULL;
}

StewardClosure *
steward_closure_preview(const StewardPolicy *policy, Oid owner, Relation leaf,
						const ItemPointerData *roots, int count)
{
	StewardClosure *closure = make_closure(policy, owner, INT_MAX);

	closure->preview = true;
	(void) fill(closure, leaf, roots, count);
	return closure;
}
