/*
 * closure.c: which rows of a closure go, and what it takes; see closure.h.
 *
 * Reasons to stay travel against the references, to a fixed point.
 */
#include "retention/closure_parts.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "retention/receipt.h"
#include "retention/statement.h"

/* Reasons travel to the rows that are referred to; true if any did. */
static bool
spread_reasons(StewardClosure *closure)
{
	bool		spread = false;

	for (int i = closure->link_count - 1; i >= 0; i--)
	{
		StewardRowLink *link = &closure->links[i];
		int			reasons = closure->rows[link->to].reasons &
			~closure->rows[link->from].reasons;

		if (steward_closure_edge(closure, link->edge)->action == STEWARD_CHILD_RESTRICT ||
			reasons == 0)
			continue;
		closure->rows[link->from].reasons |= reasons;
		spread = true;
	}
	return spread;
}

/* Marks what goes, as things stand: roots without a reason to stay, and their children. */
static void
mark_goes(StewardClosure *closure)
{
	bool		more = true;

	for (int i = 0; i < closure->row_count; i++)
	{
		StewardClosureRow *row = &closure->rows[i];

		row->flags &= ~ROW_GOES;
		if ((row->flags & ROW_ROOT) && row->reasons == 0)
			row->flags |= ROW_GOES;
	}
	while (more)
	{
		more = false;
		for (int i = 0; i < closure->link_count; i++)
		{
			StewardRowLink *link = &closure->links[i];
			StewardClosureRow *to = &closure->rows[link->to];

			if (steward_closure_edge(closure, link->edge)->action != STEWARD_CHILD_CASCADE ||
				!(closure->rows[link->from].flags & ROW_GOES) ||
				(to->flags & ROW_GOES))
				continue;
			to->flags |= ROW_GOES;
			more = true;
		}
	}
}

/* A row that goes must not be restricted by one that stays; true if one was. */
static bool
restrict_rows(StewardClosure *closure)
{
	bool		restricted = false;

	for (int i = 0; i < closure->link_count; i++)
	{
		StewardRowLink *link = &closure->links[i];
		StewardClosureRow *from = &closure->rows[link->from];

		if (steward_closure_edge(closure, link->edge)->action != STEWARD_CHILD_RESTRICT ||
			!(from->flags & ROW_GOES) ||
			(closure->rows[link->to].flags & ROW_GOES) ||
			(from->reasons & STEWARD_RESTRICTED))
			continue;
		from->reasons |= STEWARD_RESTRICTED;
		restricted = true;
	}
	return restricted;
}

/* Each round takes away from what goes, so it ends. */
void
steward_closure_decide(StewardClosure *closure)
{
	do
	{
		while (spread_reasons(closure))
			CHECK_FOR_INTERRUPTS();
		mark_goes(closure);
	} while (restrict_rows(closure));
}

int
steward_closure_reasons(const StewardClosure *closure, int root)
{
	return closure->rows[root].reasons;
}

int
steward_closure_size(const StewardClosure *closure)
{
	return closure->row_count;
}

/* Does the row at the end of this link go, lose the reference, or keep the other? */
static bool
counts(const StewardClosure *closure, const StewardRowLink *link)
{
	bool		from_goes = (closure->rows[link->from].flags & ROW_GOES) != 0;
	bool		to_goes = (closure->rows[link->to].flags & ROW_GOES) != 0;

	switch (steward_closure_edge(closure, link->edge)->action)
	{
		case STEWARD_CHILD_CASCADE:
			return from_goes;
		case STEWARD_CHILD_SET_NULL:
			return from_goes && !to_goes;
		default:
			return !to_goes;
	}
}

void
steward_closure_count(const StewardClosure *closure, StewardEdgeCount count, void *arg)
{
	int			edges = list_length(closure->edges);
	int64	   *rows = palloc0(Max(edges, 1) * sizeof(int64));

	for (int i = 0; i < closure->link_count; i++)
		rows[closure->links[i].edge] += counts(closure, &closure->links[i]);
	for (int i = 0; i < edges; i++)
		count(steward_closure_edge(closure, i)->constraint, rows[i], arg);
	pfree(rows);
}

/* The edges by which each row loses a reference to one that goes. */
static Bitmapset **
cleared_edges(StewardClosure *closure)
{
	Bitmapset **edges = palloc0(closure->row_count * sizeof(Bitmapset *));

	for (int i = 0; i < closure->link_count; i++)
	{
		StewardRowLink *link = &closure->links[i];

		if (steward_closure_edge(closure, link->edge)->action == STEWARD_CHILD_SET_NULL &&
			(closure->rows[link->from].flags & ROW_GOES) &&
			!(closure->rows[link->to].flags & ROW_GOES))
			edges[link->to] = bms_add_member(edges[link->to], link->edge);
	}
	return edges;
}

/* "a = NULL, b = NULL", for the columns of all these edges. */
static char *
assignments(const StewardClosure *closure, const Bitmapset *edges)
{
	StringInfoData sql;
	List	   *done = NIL;
	int			number = -1;

	initStringInfo(&sql);
	while ((number = bms_next_member(edges, number)) >= 0)
	{
		ListCell   *cell;

		foreach(cell, steward_closure_edge(closure, number)->cleared)
		{
			if (list_member(done, makeString(lfirst(cell))))
				continue;
			appendStringInfo(&sql, "%s%s = NULL", done == NIL ? "" : ", ",
							 quote_identifier(lfirst(cell)));
			done = lappend(done, makeString(lfirst(cell)));
		}
	}
	return sql.data;
}

static void
raise_kept(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("rows of table \"%s\" that refer to expired rows were kept by a trigger",
					table),
			 errhint("Let the trigger pass, or declare the foreign key \"restrict\".")));
}

/* Where the leaves of rows that lose references go, and what they are salted with. */
typedef struct Clear
{
	const unsigned char *salt;
	StringInfo	leaves;
} Clear;

static void
clear_rows(StewardClosure *closure, const Clear *clear, Oid table, const Bitmapset *edges,
		   int *numbers, int count)
{
	Relation	rel = steward_closure_leaf(closure, table)->rel;
	Oid			types[] = {TIDARRAYOID, BYTEAOID};
	Datum		values[] = {
		steward_closure_places(closure, numbers, count),
		steward_receipt_head_of(clear->salt, "set null", rel)
	};
	StewardStatement statement = {
		.relations = list_make1_oid(table),
		.count = lengthof(types), .types = types, .values = values
	};
	StewardReceiptKey key;

	steward_receipt_key(rel, values[1], 2, &key);
	statement.sql = psprintf("WITH cleared (one%s) AS (UPDATE ONLY %s AS t SET %s"
							 " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($1) RETURNING 1%s)"
							 " SELECT pg_catalog.count(*), %s FROM cleared AS g",
							 key.names, steward_table_name(rel), assignments(closure, edges),
							 key.values, key.leaves);
	(void) steward_statement_execute(&statement, SPI_OK_SELECT);
	if (DatumGetInt64(steward_result(0, 1)) != count)
		raise_kept(RelationGetRelationName(rel));
	steward_receipt_add(clear->leaves, &key, steward_result(0, 2));
	SPI_freetuptable(SPI_tuptable);
}

uint64
steward_closure_clear(StewardClosure *closure, const unsigned char *salt, StringInfo leaves)
{
	Clear		clear = {salt, leaves};
	Bitmapset **edges = cleared_edges(closure);
	int		   *numbers = palloc(Max(closure->row_count, 1) * sizeof(int));
	uint64		cleared = 0;

	/* Rows of one leaf that lose the same references are changed together. */
	for (int i = 0; i < closure->row_count; i++)
	{
		Oid			table = closure->rows[i].key.table;
		Bitmapset  *these = edges[i];
		int			count = 0;

		if (these == NULL)
			continue;
		for (int j = i; j < closure->row_count; j++)
		{
			if (closure->rows[j].key.table != table || !bms_equal(edges[j], these))
				continue;
			numbers[count++] = j;
			edges[j] = NULL;
		}
		clear_rows(closure, &clear, table, these, numbers, count);
		cleared += count;
	}
	return cleared;
}

/* Of rows that go and are no roots. */
static bool
goes_as_child(const StewardClosureRow *row)
{
	return (row->flags & (ROW_GOES | ROW_ROOT)) == ROW_GOES;
}

List *
steward_closure_deletes(const StewardClosure *closure)
{
	List	   *deletes = NIL;
	ListCell   *cell;

	foreach(cell, closure->leaves)
	{
		StewardClosureLeaf *leaf = lfirst(cell);
		StewardChildDelete *one = palloc0(sizeof(StewardChildDelete));

		one->table = leaf->relid;
		one->rel = leaf->rel;
		one->from = psprintf("ONLY %s AS t", steward_table_name(leaf->rel));
		one->rows = palloc(Max(closure->row_count, 1) * sizeof(ItemPointerData));
		for (int i = 0; i < closure->row_count; i++)
		{
			const StewardClosureRow *row = &closure->rows[i];

			if (row->key.table == leaf->relid && goes_as_child(row))
				one->rows[one->count++] = row->key.place;
		}
		if (one->count > 0)
			deletes = lappend(deletes, one);
	}
	return deletes;
}
