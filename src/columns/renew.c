/*
 * renew.c: moving the values of one table to the newest version of their key;
 * see renew.h.
 */
#include "columns/renew.h"

#include "access/table.h"
#include "access/tableam.h"
#include "base/catalog.h"
#include "base/errors.h"
#include "base/rewrite.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Blocks between two looks at the clock. */
#define PIECE_BLOCKS 16

typedef struct Renewing
{
	StewardShape **shapes;
	StewardBinder *binder;		/* NULL when the table is not bound */
	StewardRenewal *sum;
	StewardRewrite rewrite;
	const unsigned char *subject;	/* that unbound values are bound to, or
									 * NULL */
	uint64		values;			/* renewed in the row that was made last */
	uint64		changed;		/* rows whose values are in the sum */
} Renewing;

/* What the heads of a column's values say. */
typedef struct HeadSigns
{
	bool		old;			/* under an older version, or no value */
	int			unbound;		/* how many are not bound */
} HeadSigns;

/* Adds the values of the last row, if it was not left because it was locked. */
static void
count_row(Renewing *renewing)
{
	if (renewing->rewrite.changed > renewing->changed)
		renewing->sum->values += renewing->values;
	renewing->changed = renewing->rewrite.changed;
	renewing->values = 0;
}

/* Is this value under the newest version of its key? */
static bool
is_newest(const StewardDatum *head)
{
	uint32		current;

	return head->key_id != 0 && steward_key_current_tag(head->key_id, &current) &&
		head->key_tag == current;
}

/*
 * Opens a value and seals it again under a key id, for a subject or for none. NULL when it was
 * erased, or cannot be opened, which is counted: one must not keep the others from
 * being moved. Any error ends the batch: to catch one would need a subtransaction
 * for each value, as it may come from reading a table, with a page pinned.
 */
static struct varlena *
seal_again(const StewardTypeInfo *info, const StewardDatum *datum,
		   uint32 key_id, const unsigned char *subject, StewardRenewal *sum)
{
	struct varlena *result;
	StewardPlain plain;
	StewardOpening opening = steward_try_open(datum, &plain);

	if (opening == STEWARD_OPENING_FAILED)
		sum->unreadable++;
	if (opening != STEWARD_OPENING_DONE)
		return NULL;
	/* NULL: erased just now. */
	result = steward_try_seal(info, key_id, subject, plain.bytes, plain.len);
	steward_plain_free(&plain);
	return result;
}

static struct varlena *
renew_value(const StewardTypeInfo *info, int32 typmod, struct varlena *value,
			void *arg)
{
	Renewing   *renewing = arg;
	const unsigned char *subject;
	uint32		key_id;
	struct varlena *renewed;
	StewardDatum datum;

	if (steward_datum_parse(&datum, (unsigned char *) VARDATA_ANY(value),
							VARSIZE_ANY_EXHDR(value)) != STEWARD_DATUM_OK)
	{
		renewing->sum->unreadable++;
		return value;
	}
	subject = datum.subject != NULL ? datum.subject : renewing->subject;
	if (is_newest(&datum) && subject == datum.subject)
		return value;
	/* A transient value gets the column's key at last, as INSERT gives it. */
	key_id = datum.key_id != 0 ? datum.key_id : steward_typmod_key(typmod);
	if (key_id == 0)
	{
		renewing->sum->unreadable++;
		return value;
	}
	renewed = seal_again(info, &datum, key_id, subject, renewing->sum);
	if (renewed == NULL)
		return value;
	renewing->values++;
	return renewed;
}

static void
note_head(const StewardDatum *head, void *arg)
{
	HeadSigns  *signs = arg;

	if (head == NULL || !is_newest(head))
		signs->old = true;
	if (head != NULL && head->subject == NULL)
		signs->unbound++;
}

/*
 * Are values of the row to be bound? Those of a generated column too: they are
 * copies, and a copy that is not bound would outlive an erasure.
 */
static bool
is_bindable(const StewardBinder *binder, TupleTableSlot *row)
{
	return binder != NULL && !steward_binder_lacks_key(binder, row);
}

/*
 * Renews a column. *subject is that of the row once it was asked for, which is
 * when something is found to be bound to it.
 */
static Datum
renew_column(Renewing *renewing, TupleTableSlot *row, int column,
			 StewardSubject *subject, bool *known)
{
	Datum		before = row->tts_values[column];
	HeadSigns	signs = {false, 0};

	steward_shape_heads(renewing->shapes[column], before, note_head, &signs);
	renewing->subject = NULL;
	if (signs.unbound > 0 && is_bindable(renewing->binder, row))
	{
		if (!*known)
			steward_binder_subject(renewing->binder, row, subject);
		*known = true;
		if (subject->erased)
			renewing->sum->unbound += signs.unbound;
		else
			renewing->subject = subject->uuid;
	}
	if (!signs.old && renewing->subject == NULL)
		return before;
	return steward_shape_map(renewing->shapes[column], before, renew_value,
							 renewing);
}

/* For StewardRewrite: most rows of a second run end at the heads. */
static bool
renew_row(TupleTableSlot *old, Datum *values, bool *nulls, void *arg)
{
	Renewing   *renewing = arg;
	int			natts = old->tts_tupleDescriptor->natts;
	StewardSubject subject;
	bool		known = false;
	bool		changed = false;

	count_row(renewing);
	for (int i = 0; i < natts; i++)
	{
		if (renewing->shapes[i] == NULL || nulls[i])
			continue;
		values[i] = renew_column(renewing, old, i, &subject, &known);
		changed |= values[i] != old->tts_values[i];
	}
	return changed;
}

bool
steward_renew_done(const StewardRenewBlocks *blocks)
{
	return blocks->list != NULL ? blocks->position >= blocks->count
		: blocks->next >= blocks->end;
}

/* Takes the next piece of neighbouring blocks. */
static void
next_piece(StewardRenewBlocks *blocks, BlockNumber *begin, BlockNumber *end)
{
	if (blocks->list == NULL)
	{
		*begin = blocks->next;
		*end = Min(blocks->end, *begin + PIECE_BLOCKS);
		blocks->next = *end;
		return;
	}
	*begin = blocks->list[blocks->position++];
	*end = *begin + 1;
	while (blocks->position < blocks->count &&
		   blocks->list[blocks->position] == *end && *end < *begin + PIECE_BLOCKS)
	{
		blocks->position++;
		(*end)++;
	}
}

static void
renew_pieces(StewardRenewBlocks *blocks, int milliseconds, Relation rel,
			 StewardShape **shapes, StewardRenewal *sum)
{
	Renewing	renewing = {
		.shapes = shapes, .binder = steward_binder(rel), .sum = sum
	};
	StewardPlaintextScope scope;
	instr_time	start;
	instr_time	now;

	INSTR_TIME_SET_CURRENT(start);
	steward_plaintext_begin(&scope);
	steward_rewrite_begin(&renewing.rewrite, rel, renew_row, &renewing);
	do
	{
		BlockNumber begin;
		BlockNumber end;

		next_piece(blocks, &begin, &end);
		steward_rewrite_blocks(&renewing.rewrite, begin, end);
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
	} while (!steward_renew_done(blocks) &&
			 INSTR_TIME_GET_MILLISEC(now) < milliseconds);
	count_row(&renewing);
	sum->rows += renewing.rewrite.changed;
	sum->busy += renewing.rewrite.busy;
	steward_rewrite_end(&renewing.rewrite);
	steward_plaintext_end(&scope);
}

/* There is nothing more to do. */
static void
finish(StewardRenewBlocks *blocks)
{
	blocks->next = blocks->end;
	blocks->position = blocks->count;
}

void
steward_renew_batch(StewardRenewBlocks *blocks, int milliseconds,
					StewardRenewal *sum)
{
	Relation	rel = try_table_open(blocks->relation, RowExclusiveLock);
	StewardShape **shapes;
	StewardIdentity caller;

	if (rel == NULL)
	{
		finish(blocks);
		return;
	}
	shapes = steward_shapes(RelationGetDescr(rel));
	/* A table that was truncated has fewer blocks by now. */
	blocks->end = Min(blocks->end, RelationGetNumberOfBlocks(rel));
	if (shapes == NULL || rel->rd_rel->relkind != RELKIND_RELATION)
		finish(blocks);
	else if (!steward_renew_done(blocks))
	{
		steward_become(rel->rd_rel->relowner, &caller);
		PushActiveSnapshot(GetTransactionSnapshot());
		renew_pieces(blocks, milliseconds, rel, shapes, sum);
		PopActiveSnapshot();
		steward_become_caller(&caller);
	}
	table_close(rel, NoLock);
}

/* ---- looking ---- */

typedef struct Looking
{
	StewardRenewLook *look;
	bool		bindable;		/* should the column's values be bound? */
	bool		found;			/* an old value in this row */
} Looking;

static void
look_at_head(const StewardDatum *head, void *arg)
{
	Looking    *looking = arg;
	bool		is_old = head == NULL || !is_newest(head) ||
		(looking->bindable && head->subject == NULL);

	/* What nobody can read, whatever version it is under, is not to be moved. */
	if (is_old && head != NULL && steward_is_erased(head))
		return;
	if (head != NULL)
		steward_count(&looking->look->counts, head);
	if (is_old)
	{
		looking->look->old++;
		looking->found = true;
	}
}

static void
keep_block(StewardRenewLook *look, BlockNumber block)
{
	if (look->block_count > 0 && look->blocks[look->block_count - 1] == block)
		return;
	if (look->block_count == look->block_capacity)
	{
		look->block_capacity = Max(64, 2 * look->block_capacity);
		look->blocks = look->blocks == NULL
			? palloc(look->block_capacity * sizeof(BlockNumber))
			: repalloc_huge(look->blocks,
							look->block_capacity * sizeof(BlockNumber));
	}
	look->blocks[look->block_count++] = block;
}

/* A scan that joins another one in the middle comes back to the beginning. */
static int
compare_blocks(const void *left, const void *right)
{
	BlockNumber a = *(const BlockNumber *) left;
	BlockNumber b = *(const BlockNumber *) right;

	return a < b ? -1 : a > b;
}

void
steward_renew_look(StewardRenewLook *look, Relation rel, StewardShape **shapes)
{
	Looking		looking = {.look = look};
	int			natts = RelationGetNumberOfAttributes(rel);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext row = AllocSetContextCreate(caller, "row of a look",
											  ALLOCSET_DEFAULT_SIZES);
	StewardBinder *binder = steward_binder(rel);
	TableScanDesc scan;

	memset(look, 0, sizeof *look);
	look->counts.context = caller;
	scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		looking.found = false;
		MemoryContextReset(row);
		MemoryContextSwitchTo(row);
		for (int i = 0; i < natts; i++)
		{
			if (shapes[i] == NULL || slot->tts_isnull[i])
				continue;
			looking.bindable = is_bindable(binder, slot);
			steward_shape_heads(shapes[i], slot->tts_values[i], look_at_head,
								&looking);
		}
		MemoryContextSwitchTo(caller);
		if (looking.found)
			keep_block(look, ItemPointerGetBlockNumber(&slot->tts_tid));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row);
	qsort(look->blocks, look->block_count, sizeof(BlockNumber), compare_blocks);
}
