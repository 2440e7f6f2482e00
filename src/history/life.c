/*
 * life.c: the life of a row; see life.h.
 *
 * A row that changes its key goes on under another one, and another row may have
 * its old key later. So the records of the given key are read; where one of its
 * rows came from another key, or went to one, the records of that are read too,
 * and so on until no row leads further. Then each record is given to the row that
 * had its key at that time, and rows that never had the given key are left out.
 */
#include "base/compat.h"

#include "audit/segment_key.h"
#include "history/life.h"
#include "history/row_json.h"
#include "miscadmin.h"

typedef struct Life
{
	bool		wanted;			/* it had the key that is asked for */
	List	   *records;
} Life;

typedef struct Search
{
	StewardHistoryTable *table;
	StewardRows *keys;			/* those followed */
	StewardRowSlot *asked;
	List	   *lives;
	bool		grown;			/* a key was added since the records were read */
	bool		by_key;			/* the key index finds the records */
} Search;

static bool
is_row_change(char op)
{
	return op == STEWARD_OP_INSERT || op == STEWARD_OP_UPDATE ||
		op == STEWARD_OP_DELETE;
}

/* The followed slots of a record; NULL where it has none, or another. */
static void
slots_of(StewardRows *keys, const StewardTrailRecord *record, StewardChange *change,
		 StewardRowSlot **before, StewardRowSlot **after)
{
	steward_change_of(keys, record, change);
	*before = change->op == STEWARD_OP_INSERT ? NULL :
		steward_rows_slot(keys, change->before, false);
	*after = change->op == STEWARD_OP_DELETE ? NULL :
		steward_rows_slot(keys, change->after, false);
}

static bool
concerns_keys(const StewardTrailRecord *record, void *arg)
{
	StewardRowSlot *before;
	StewardRowSlot *after;
	StewardChange change;

	if (!is_row_change(record->record.op))
		return record->record.op == STEWARD_OP_TRUNCATE ||
			record->record.op == STEWARD_OP_REWRITE;
	if (!record->version->same_key)
		return false;
	slots_of(arg, record, &change, &before, &after);
	return before != NULL || after != NULL;
}

static Life *
begin_life(Search *search)
{
	Life	   *life = palloc0(sizeof(Life));

	search->lives = lappend(search->lives, life);
	return life;
}

/* Whose turn it is among those of a slot: the oldest. */
static Life *
leave(Search *search, StewardRowSlot *slot)
{
	List	   *here = slot->extra;
	Life	   *life;

	if (here == NIL)
		return begin_life(search);
	life = linitial(here);
	slot->extra = list_delete_first(here);
	return life;
}

static void
follow(Search *search, StewardTrailRecord *record)
{
	StewardRowSlot *before;
	StewardRowSlot *after;
	StewardChange change;
	Life	   *life;

	slots_of(search->keys, record, &change, &before, &after);
	life = before != NULL ? leave(search, before) : begin_life(search);
	life->records = lappend(life->records, record);
	life->wanted |= before == search->asked || after == search->asked;
	if (after != NULL)
		after->extra = lappend(after->extra, life);
}

/* What happened to the whole table happened to each row that was there. */
static void
happen_to_all(Search *search, StewardTrailRecord *record)
{
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while ((slot = steward_rows_next(search->keys, &bucket, slot)) != NULL)
	{
		ListCell   *cell;

		foreach(cell, (List *) slot->extra)
		{
			Life	   *life = lfirst(cell);

			life->records = lappend(life->records, record);
		}
		if (record->record.op == STEWARD_OP_TRUNCATE)
			slot->extra = NIL;
	}
}

/* Keys that a wanted row had besides those followed. */
static void
follow_further(Search *search, const StewardTrailRecord *record)
{
	StewardChange change;

	if (record->record.op != STEWARD_OP_UPDATE)
		return;
	steward_change_of(search->keys, record, &change);
	if (steward_rows_slot(search->keys, change.before, false) == NULL ||
		steward_rows_slot(search->keys, change.after, false) == NULL)
		search->grown = true;
	(void) steward_rows_before(search->keys, &change);
	(void) steward_rows_after(search->keys, &change);
}

/*
 * Does the index find a key in the records of all versions? It has values as they
 * are shown, so that a key which had another type may be there under another hash.
 */
static bool
has_one_look(StewardHistoryTable *table)
{
	HASH_SEQ_STATUS scan;
	StewardVersion *found;

	hash_seq_init(&scan, table->versions);
	while ((found = hash_seq_search(&scan)) != NULL)
	{
		const StewardVersion *version = steward_history_version(table, found->id);

		for (int i = 0; version->same_key && i < version->schema->count; i++)
			if (version->schema->columns[i].key &&
				!steward_keys_look_alike(version->schema->columns[i].codec,
										 steward_history_codec(table, version->present[i])))
			{
				hash_seq_term(&scan);
				return false;
			}
	}
	return true;
}

static Jsonb *
key_of(Search *search, const StewardRowSlot *slot)
{
	StewardCell *cells = palloc0(search->table->desc->natts * sizeof(StewardCell));

	for (int k = 0; k < search->keys->width; k++)
		cells[search->keys->key[k] - 1] = slot->key[k];
	return steward_row_key(search->table, cells);
}

/* The records that the index finds; if it cannot by key, those of the table. */
static void
read_records(Search *search, StewardTrail *trail)
{
	List	   *keys = NIL;
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;

	while (search->by_key &&
		   (slot = steward_rows_next(search->keys, &bucket, slot)) != NULL)
		keys = lappend(keys, key_of(search, slot));
	steward_trail_read_keyed(trail, steward_segment_hashes(search->table->relids, keys));
}

static void
trace(Search *search)
{
	StewardTrail *trail = steward_trail_create(search->table);
	StewardRowSlot *slot = NULL;
	uint32		bucket = 0;
	ListCell   *cell;

	while ((slot = steward_rows_next(search->keys, &bucket, slot)) != NULL)
		slot->extra = NIL;
	search->lives = NIL;
	search->grown = false;
	trail->filter = concerns_keys;
	trail->filter_arg = search->keys;
	read_records(search, trail);
	steward_trail_sort(trail);
	for (int64 i = 0; i < trail->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_row_change(trail->records[i].record.op))
			follow(search, &trail->records[i]);
		else
			happen_to_all(search, &trail->records[i]);
	}
	foreach(cell, search->lives)
	{
		Life	   *life = lfirst(cell);
		ListCell   *record;

		foreach(record, life->wanted ? life->records : NIL)
			follow_further(search, lfirst(record));
	}
}

static int
by_order(const ListCell *a, const ListCell *b)
{
	const StewardLifeRecord *left = lfirst(a);
	const StewardLifeRecord *right = lfirst(b);

	/* The records lie in one array, sorted. */
	return left->record < right->record ? -1 : left->record > right->record;
}

List *
steward_lives(StewardHistoryTable *table, StewardCell *key)
{
	Search		search = {.table = table, .keys = steward_rows_create(table)};
	List	   *result = NIL;
	ListCell   *cell;
	int			number = 0;

	search.by_key = has_one_look(table);
	search.asked = steward_rows_slot(search.keys, key, true);
	do
		trace(&search);
	while (search.grown);
	foreach(cell, search.lives)
	{
		Life	   *life = lfirst(cell);
		ListCell   *record;

		if (!life->wanted)
			continue;
		number++;
		foreach(record, life->records)
		{
			StewardLifeRecord *one = palloc(sizeof(StewardLifeRecord));

			one->life = number;
			one->record = lfirst(record);
			result = lappend(result, one);
		}
	}
	list_sort(result, by_order);
	return result;
}
