/*
 * rows.c: rows of a table in memory; see rows.h.
 *
 * Rows are told apart by the bits of their key: each record has the key exactly as
 * the row had it. When a slot has several rows, the oldest that is as the change
 * says is the one: in a statement that shifts keys a row leaves its place before
 * the next one's turn comes, or after the next one came.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "history/rows.h"
#include "utils/datum.h"
#include "utils/memutils.h"

StewardRows *
steward_rows_create(StewardHistoryTable *table)
{
	StewardRows *rows = palloc0(sizeof(StewardRows));

	rows->table = table;
	rows->context = CurrentMemoryContext;
	rows->bucket_count = 1024;
	rows->buckets = palloc0(rows->bucket_count * sizeof(StewardRowSlot *));
	rows->width = table->key_count;
	rows->key = table->key;
	if (rows->width > 0)
		return rows;
	rows->key = palloc(table->desc->natts * sizeof(AttrNumber));
	for (int i = 1; i <= table->desc->natts; i++)
		if (steward_history_has_column(table->desc, i))
			rows->key[rows->width++] = i;
	return rows;
}

void
steward_rows_fit(StewardRows *rows, const StewardTrail *trail)
{
	int			width = 0;

	if (rows->table->key_count > 0)
		return;
	for (int k = 0; k < rows->width; k++)
	{
		bool		everywhere = true;

		for (int64 i = 0; everywhere && i < trail->count; i++)
		{
			const StewardVersion *version = trail->records[i].version;
			int			ordinal = 0;

			while (ordinal < version->schema->count &&
				   version->present[ordinal] != rows->key[k])
				ordinal++;
			everywhere = ordinal < version->schema->count;
		}
		if (everywhere)
			rows->key[width++] = rows->key[k];
	}
	rows->width = width;
}

/* ---- slots ---- */

static Form_pg_attribute
attribute_of(const StewardRows *rows, AttrNumber attnum)
{
	return TupleDescAttr(rows->table->desc, attnum - 1);
}

static uint32
key_hash(StewardRows *rows, StewardCell *cells)
{
	uint32		hash = 0;

	for (int k = 0; k < rows->width; k++)
	{
		StewardCell *cell = &cells[rows->key[k] - 1];
		Form_pg_attribute attribute = attribute_of(rows, rows->key[k]);

		steward_cell_resolve(rows->table, rows->key[k], cell);
		hash = hash_combine(hash, cell->isnull ? 0 :
							datum_image_hash(cell->value, attribute->attbyval,
											 attribute->attlen));
	}
	return hash;
}

static bool
has_key(StewardRows *rows, const StewardRowSlot *slot, const StewardCell *cells)
{
	for (int k = 0; k < rows->width; k++)
	{
		const StewardCell *cell = &cells[rows->key[k] - 1];
		const StewardCell *mine = &slot->key[k];
		Form_pg_attribute attribute = attribute_of(rows, rows->key[k]);

		if (cell->isnull != mine->isnull ||
			(!cell->isnull && !datum_image_eq(cell->value, mine->value,
											  attribute->attbyval, attribute->attlen)))
			return false;
	}
	return true;
}

static void
grow(StewardRows *rows)
{
	uint32		count = rows->bucket_count * 2;
	StewardRowSlot **buckets;

	buckets = MemoryContextAllocExtended(rows->context, count * sizeof(StewardRowSlot *),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < rows->bucket_count; i++)
		for (StewardRowSlot *slot = rows->buckets[i], *next; slot != NULL; slot = next)
		{
			next = slot->next;
			slot->next = buckets[slot->hash & (count - 1)];
			buckets[slot->hash & (count - 1)] = slot;
		}
	pfree(rows->buckets);
	rows->buckets = buckets;
	rows->bucket_count = count;
}

/* A resolved cell whose value lives as long as the rows. */
static StewardCell
copy_cell(StewardRows *rows, AttrNumber attnum, const StewardCell *cell)
{
	Form_pg_attribute attribute = attribute_of(rows, attnum);
	MemoryContext caller = MemoryContextSwitchTo(rows->context);
	StewardCell copy = *cell;

	if (copy.version == NULL && !copy.isnull)
		copy.value = datumCopy(copy.value, attribute->attbyval, attribute->attlen);
	MemoryContextSwitchTo(caller);
	return copy;
}

static StewardRowSlot *
make_slot(StewardRows *rows, uint32 hash, const StewardCell *cells)
{
	StewardRowSlot *slot = MemoryContextAllocZero(rows->context, sizeof(StewardRowSlot));

	if (rows->slot_count >= rows->bucket_count)
		grow(rows);
	slot->hash = hash;
	slot->key = MemoryContextAlloc(rows->context, rows->width * sizeof(StewardCell));
	for (int k = 0; k < rows->width; k++)
		slot->key[k] = copy_cell(rows, rows->key[k], &cells[rows->key[k] - 1]);
	slot->next = rows->buckets[hash & (rows->bucket_count - 1)];
	rows->buckets[hash & (rows->bucket_count - 1)] = slot;
	rows->slot_count++;
	return slot;
}

StewardRowSlot *
steward_rows_slot(StewardRows *rows, StewardCell *cells, bool make)
{
	uint32		hash = key_hash(rows, cells);
	StewardRowSlot *slot = rows->buckets[hash & (rows->bucket_count - 1)];

	while (slot != NULL && (slot->hash != hash || !has_key(rows, slot, cells)))
		slot = slot->next;
	return slot == NULL && make ? make_slot(rows, hash, cells) : slot;
}

StewardRowSlot *
steward_rows_next(StewardRows *rows, uint32 *bucket, StewardRowSlot *slot)
{
	if (slot != NULL && slot->next != NULL)
		return slot->next;
	if (slot != NULL)
		(*bucket)++;
	while (*bucket < rows->bucket_count && rows->buckets[*bucket] == NULL)
		(*bucket)++;
	return *bucket < rows->bucket_count ? rows->buckets[*bucket] : NULL;
}

void
steward_rows_clear(StewardRows *rows)
{
	uint32		bucket = 0;
	StewardRowSlot *slot = NULL;

	while ((slot = steward_rows_next(rows, &bucket, slot)) != NULL)
		slot->first = slot->last = NULL;
}

/* ---- rows ---- */

static void
append_row(StewardRowSlot *slot, StewardRow *row)
{
	row->next = NULL;
	if (slot->last == NULL)
		slot->first = row;
	else
		slot->last->next = row;
	slot->last = row;
}

static void
remove_row(StewardRowSlot *slot, StewardRow *row)
{
	StewardRow *before = NULL;

	for (StewardRow *at = slot->first; at != row; at = at->next)
		before = at;
	if (before == NULL)
		slot->first = row->next;
	else
		before->next = row->next;
	if (slot->last == row)
		slot->last = before;
}

StewardRow *
steward_rows_add(StewardRows *rows, StewardRowSlot *slot, const StewardCell *cells)
{
	int			natts = rows->table->desc->natts;
	StewardRow *row = MemoryContextAllocZero(rows->context,
											 offsetof(StewardRow, cells) +
											 natts * sizeof(StewardCell));

	for (int i = 0; i < natts; i++)
		if (steward_history_has_column(rows->table->desc, i + 1))
			row->cells[i] = copy_cell(rows, i + 1, &cells[i]);
	append_row(slot, row);
	return row;
}

/* ---- changes ---- */

static void
take_image(StewardRows *rows, StewardVersion *version, const StewardImage *image,
		   StewardCell *cells)
{
	for (int i = 0; i < version->schema->count; i++)
	{
		AttrNumber	attnum = version->present[i];

		if (attnum == 0 || image->presence[i] == STEWARD_ABSENT ||
			!steward_history_has_column(rows->table->desc, attnum))
			continue;
		cells[attnum - 1].given = true;
		cells[attnum - 1].isnull = image->presence[i] == STEWARD_NULL;
		cells[attnum - 1].version = version;
		cells[attnum - 1].ordinal = i;
		cells[attnum - 1].slice = image->slices[i];
	}
}

/* What ADD COLUMN, later, would have given the row. */
static void
complete(StewardRows *rows, StewardCell *cells)
{
	TupleDesc	desc = rows->table->desc;

	for (int i = 0; i < desc->natts; i++)
	{
		StewardCell *cell = &cells[i];

		if (cell->given || !steward_history_has_column(desc, i + 1))
			continue;
		cell->given = true;
		cell->assumed = true;
		cell->isnull = !rows->table->missing[i].present;
		cell->value = rows->table->missing[i].value;
	}
}

void
steward_change_of(StewardRows *rows, const StewardTrailRecord *record,
				  StewardChange *change)
{
	int			natts = rows->table->desc->natts;
	StewardImage before;
	StewardImage after;

	change->op = record->record.op;
	change->before = palloc0(natts * sizeof(StewardCell));
	change->after = palloc0(natts * sizeof(StewardCell));
	steward_decode_payload(record->version->schema, change->op,
						   record->parts, record->part_count, &before, &after);
	take_image(rows, record->version, &before, change->before);
	take_image(rows, record->version, &after, change->after);
	if (change->op == STEWARD_OP_INSERT)
		complete(rows, change->after);
	else if (change->op == STEWARD_OP_DELETE || record->version->schema->key_count == 0)
		complete(rows, change->before);

	/*
	 * What an UPDATE left alone is there before, and the same. Without a key
	 * only the whole row tells it from another one.
	 */
	if (change->op == STEWARD_OP_UPDATE)
		for (int i = 0; i < natts; i++)
			if (!change->after[i].given && !change->before[i].assumed)
				change->after[i] = change->before[i];
}

StewardRowSlot *
steward_rows_before(StewardRows *rows, StewardChange *change)
{
	return change->op == STEWARD_OP_INSERT ? NULL :
		steward_rows_slot(rows, change->before, true);
}

StewardRowSlot *
steward_rows_after(StewardRows *rows, StewardChange *change)
{
	return change->op == STEWARD_OP_DELETE ? NULL :
		steward_rows_slot(rows, change->after, true);
}

/* Values of another type than the present one have been through a conversion. */
static bool
comparable(const StewardCell *cell)
{
	return cell->version == NULL || cell->version->same_type[cell->ordinal];
}

static StewardRow *
find_row(StewardRows *rows, StewardRowSlot *slot, StewardCell *cells)
{
	int			natts = rows->table->desc->natts;

	for (StewardRow *row = slot->first; row != NULL; row = row->next)
	{
		int			i = 0;

		while (i < natts && (!cells[i].given || cells[i].assumed || !comparable(&cells[i]) ||
							 !comparable(&row->cells[i]) ||
							 steward_cells_equal(rows->table, i + 1, &row->cells[i], &cells[i])))
			i++;
		if (i == natts)
			return row;
	}
	return NULL;
}

/* Moves a row from one state to another; either may be none. */
static bool
replace(StewardRows *rows, StewardRowSlot *from_slot, StewardCell *from,
		StewardRowSlot *to_slot, StewardCell *to)
{
	StewardRow *row;

	if (from_slot == NULL)
	{
		rows->last = steward_rows_add(rows, to_slot, to);
		return true;
	}
	row = find_row(rows, from_slot, from);
	if (row == NULL)
		return false;
	rows->last = row;
	if (from_slot != to_slot)
		remove_row(from_slot, row);
	if (to_slot == NULL)
		return true;
	for (int i = 0; i < rows->table->desc->natts; i++)
		if (to[i].given)
			row->cells[i] = copy_cell(rows, i + 1, &to[i]);
	if (from_slot != to_slot)
		append_row(to_slot, row);
	return true;
}

bool
steward_rows_redo(StewardRows *rows, StewardChange *change)
{
	return replace(rows, steward_rows_before(rows, change), change->before,
				   steward_rows_after(rows, change), change->after);
}

bool
steward_rows_undo(StewardRows *rows, StewardChange *change)
{
	return replace(rows, steward_rows_after(rows, change), change->after,
				   steward_rows_before(rows, change), change->before);
}
