/*
 * shred_preview.c: what a run with action shred would do; see shred.h.
 */
#include "retention/shred_parts.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/partition.h"
#include "columns/shape.h"
#include "retention/batch_parts.h"
#include "retention/statement.h"
#include "types/binding.h"

typedef struct Preview
{
	const StewardPolicy *policy;
	const char *kind;
	List	   *leaves;			/* bound tables */
	StewardShredPreview *result;
	MemoryContext context;		/* of the result */
} Preview;

/* The line for a table, whose partitions are counted with it. */
static StewardShredRows *
rows_of(Preview *preview, Oid leaf)
{
	Oid			root = steward_partition_root(leaf);
	MemoryContext caller;
	StewardShredRows *rows;
	ListCell   *cell;

	foreach(cell, preview->result->tables)
	{
		rows = lfirst(cell);
		if (rows->relation == root)
			return rows;
	}
	caller = MemoryContextSwitchTo(preview->context);
	rows = palloc0(sizeof(StewardShredRows));
	rows->relation = root;
	rows->indexed = true;
	preview->result->tables = lappend(preview->result->tables, rows);
	MemoryContextSwitchTo(caller);
	return rows;
}

/* Rows that have something to lose: an encrypted value. */
static char *
has_values(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	StewardShape **shapes = steward_shapes(desc);
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; shapes != NULL && i < desc->natts; i++)
	{
		if (shapes[i] != NULL)
			appendStringInfo(&sql, "%st.%s IS NOT NULL", sql.len == 0 ? "(" : " OR ",
							 quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));
	}
	return sql.len == 0 ? pstrdup("false") : psprintf("%s)", sql.data);
}

static void
count_rows(Preview *preview, const StewardShredSubject *subjects, int count)
{
	ListCell   *cell;

	foreach(cell, preview->leaves)
	{
		Relation	rel = steward_shred_open_bound(lfirst_oid(cell), preview->kind);

		if (rel == NULL)
			continue;
		(void) steward_shred_rows(preview->policy, rel, subjects, count, true,
								  "pg_catalog.count(*)", has_values(rel));
		rows_of(preview, RelationGetRelid(rel))->rows +=
			DatumGetInt64(steward_result(0, 1));
		SPI_freetuptable(SPI_tuptable);
		relation_close(rel, NoLock);
	}
}

static void
take_found(const StewardShredFound *found, int count, void *arg)
{
	Preview    *preview = arg;
	StewardShredPreview *result = preview->result;
	StewardShredSubject *subjects = palloc(count * sizeof(StewardShredSubject));
	bool	   *held = palloc(count * sizeof(bool));
	int			going = 0;

	for (int i = 0; i < count; i++)
	{
		subjects[i] = found[i].subject;
		result->oldest = Min(result->oldest, found[i].oldest);
		result->newest = Max(result->newest, found[i].newest);
	}
	steward_shred_held(preview->policy, preview->kind, subjects, count, true, held);
	for (int i = 0; i < count; i++)
	{
		if (held[i])
			result->held++;
		else
			subjects[going++] = subjects[i];
	}
	result->subjects += going;
	count_rows(preview, subjects, going);
}

/* Does an index find the rows of a subject? */
static bool
is_indexed(Relation rel)
{
	StewardBinding binding;
	bool		found = false;
	ListCell   *cell;

	if (!steward_binding_find(rel, &binding))
		return false;
	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= index->rd_index->indisvalid &&
			(index->rd_rel->relam == BTREE_AM_OID || index->rd_rel->relam == HASH_AM_OID) &&
			index->rd_index->indkey.values[0] == binding.key &&
			RelationGetIndexPredicate(index) == NIL;
		index_close(index, NoLock);
	}
	return found;
}

/* A line for each bound table, though it may have no rows that go. */
static void
begin_tables(Preview *preview)
{
	ListCell   *cell;

	preview->leaves = steward_shred_tables(preview->kind);
	foreach(cell, preview->leaves)
	{
		Relation	rel = steward_shred_open_bound(lfirst_oid(cell), preview->kind);

		if (rel == NULL)
			continue;
		rows_of(preview, RelationGetRelid(rel))->indexed &= is_indexed(rel);
		relation_close(rel, NoLock);
	}
}

void
steward_shred_preview(const StewardPolicy *policy, Oid owner, StewardShredPreview *result)
{
	Preview		preview = {
		.policy = policy, .result = result, .context = CurrentMemoryContext
	};
	StewardShredTable table;
	StewardIdentity identity;
	Relation	rel;

	memset(result, 0, sizeof(*result));
	result->oldest = DT_NOEND;
	result->newest = DT_NOBEGIN;
	steward_become_guarded(owner, &identity);
	steward_batch_settings(policy);
	rel = steward_shred_open(policy, owner, AccessShareLock);
	steward_shred_describe(&table, policy, rel);
	preview.kind = table.kind;
	begin_tables(&preview);
	steward_shred_collect(&table, true, take_found, &preview);
	relation_close(rel, NoLock);
	steward_become_caller(&identity);
}
