/*
 * count.c: how many values are under which version of which key; see count.h.
 */
#include "columns/count.h"

#include "base/catalog.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "keys/keys.h"
#include "keys/manage.h"
#include "keys/subject_wrap.h"
#include "utils/array.h"

bool
steward_is_erased(const StewardDatum *head)
{
	StewardSubjectRow row;

	return head->subject != NULL &&
		steward_subject_table_find(head->subject, &row) &&
		steward_subject_is_tombstone(&row);
}

static int
find_item(const StewardCounts *counts, uint32 holder_id, uint32 key_tag)
{
	for (int i = 0; i < counts->count; i++)
	{
		if (counts->items[i].key_tag == key_tag &&
			counts->items[i].holder_id == holder_id)
			return i;
	}
	return -1;
}

static int
add_item(StewardCounts *counts, uint32 holder_id, uint32 key_tag)
{
	StewardCount *item;

	if (counts->count == counts->capacity)
	{
		counts->capacity = Max(8, 2 * counts->capacity);
		counts->items = counts->items == NULL
			? MemoryContextAlloc(counts->context,
								 counts->capacity * sizeof *counts->items)
			: repalloc(counts->items, counts->capacity * sizeof *counts->items);
	}
	item = &counts->items[counts->count];
	item->holder_id = holder_id;
	item->key_tag = key_tag;
	item->values = 0;
	return counts->count++;
}

void
steward_count(StewardCounts *counts, const StewardDatum *head)
{
	uint32		holder_id = steward_key_holder(head->key_id);

	if (holder_id == 0)
		holder_id = head->key_id;
	if (counts->count == 0 ||
		counts->items[counts->last].key_tag != head->key_tag ||
		counts->items[counts->last].holder_id != holder_id)
	{
		counts->last = find_item(counts, holder_id, head->key_tag);
		if (counts->last < 0)
			counts->last = add_item(counts, holder_id, head->key_tag);
	}
	counts->items[counts->last].values++;
}

uint64
steward_count_of(const StewardCounts *counts, uint32 holder_id, uint32 key_tag)
{
	int			item = find_item(counts, holder_id, key_tag);

	return item < 0 ? 0 : counts->items[item].values;
}

static void
add_holder(int32 typmod, void *arg)
{
	uint32		holder_id = typmod > 0 ? steward_key_holder((uint32) typmod) : 0;
	List	  **holders = arg;

	if (holder_id != 0)
		*holders = list_append_unique_int(*holders, (int) holder_id);
}

/* The holders of the columns' keys, as an int4[]. */
static Datum
holders_array(StewardShape **shapes, int natts)
{
	List	   *holders = NIL;
	Datum	   *elements;
	int			count = 0;
	ListCell   *cell;

	for (int i = 0; shapes != NULL && i < natts; i++)
	{
		if (shapes[i] != NULL)
			steward_shape_keys(shapes[i], add_holder, &holders);
	}
	elements = palloc(Max(list_length(holders), 1) * sizeof *elements);
	foreach(cell, holders)
		elements[count++] = Int32GetDatum(lfirst_int(cell));
	return PointerGetDatum(construct_array(elements, count, INT4OID, 4, true,
										   TYPALIGN_INT));
}

void
steward_counts_store(const StewardCounts *counts, Oid relid,
					 StewardShape **shapes, int natts)
{
	StewardIdentity caller;
	Oid			types[4] = {OIDOID, INT4ARRAYOID, INT8OID, INT8OID};
	Datum		values[4] = {ObjectIdGetDatum(relid),
	holders_array(shapes, natts)};

	steward_become_owner(&caller);
	(void) steward_keys_run("DELETE FROM steward.value_count AS c"
							" WHERE c.relation OPERATOR(pg_catalog.=) $1"
							" OR NOT EXISTS (SELECT FROM pg_catalog.pg_class AS r"
							" WHERE r.oid OPERATOR(pg_catalog.=) c.relation)",
							1, types, values, SPI_OK_DELETE);
	(void) steward_keys_run("INSERT INTO steward.value_count (relation, key_id, key_tag, values)"
							" SELECT $1, v.key_id, v.key_tag, 0 FROM steward.key_version AS v"
							" WHERE v.key_id OPERATOR(pg_catalog.=) ANY ($2)"
							" ON CONFLICT DO NOTHING",
							2, types, values, SPI_OK_INSERT);
	types[1] = INT4OID;
	for (int i = 0; i < counts->count; i++)
	{
		values[1] = Int32GetDatum((int32) counts->items[i].holder_id);
		values[2] = Int64GetDatum((int64) counts->items[i].key_tag);
		values[3] = Int64GetDatum((int64) counts->items[i].values);
		(void) steward_keys_run("INSERT INTO steward.value_count (relation, key_id, key_tag, values)"
								" VALUES ($1, $2, $3, $4)"
								" ON CONFLICT (relation, key_id, key_tag) DO UPDATE"
								" SET values = EXCLUDED.values, counted_at = EXCLUDED.counted_at",
								4, types, values, SPI_OK_INSERT);
	}
	steward_become_caller(&caller);
}
