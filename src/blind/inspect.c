/*
 * inspect.c: what an index says of itself: blind_metapage, blind_page_stats.
 *
 * Neither shows a tag, the salt or a TID. The salt is no secret, but without it nobody gets
 * further who comes by an index secret.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "base/argument.h"
#include "blind/hint.h"
#include "blind/meta.h"
#include "blind/options.h"
#include "blind/relation.h"
#include "catalog/pg_type_d.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

static Datum
make_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* ---- the metapage ---- */

enum
{
	META_VERSION,
	META_ROOT,
	META_LEVEL,
	META_EXACT,
	META_BITS,
	META_GENERATIONS,
	META_MULTI,
	META_RANGE_TAGS,
	META_COLUMNS
};

static Datum
int_array(Datum *numbers, int count)
{
	return PointerGetDatum(construct_array(numbers, count, INT4OID, sizeof(int32), true,
										   TYPALIGN_INT));
}

STEWARD_FUNCTION(steward_blind_metapage)
{
	Datum		values[META_COLUMNS];
	bool		nulls[META_COLUMNS] = {false};
	Datum		bits[INDEX_MAX_KEYS];
	Datum		generations[INDEX_MAX_KEYS];
	StewardBlindMeta meta;
	Relation	heap;
	Relation	index;

	steward_require_argument(fcinfo, 0, "index");
	index = steward_blind_relation_open(PG_GETARG_OID(0), &heap, NULL);
	steward_blind_relation_require_pages(index);
	steward_blind_meta_read(index, MAIN_FORKNUM, &meta);
	nulls[META_RANGE_TAGS] = !steward_blind_option_is_for_ranges(index);
	steward_blind_relation_close(index, heap);
	for (int i = 0; i < meta.columns; i++)
	{
		bits[i] = Int32GetDatum(meta.bits[i]);
		generations[i] = Int32GetDatum(meta.generation[i]);
	}
	values[META_VERSION] = Int32GetDatum(meta.version);
	values[META_ROOT] = Int64GetDatum((int64) meta.root);
	values[META_LEVEL] = Int32GetDatum(meta.level);
	values[META_EXACT] = BoolGetDatum(meta.exact != 0);
	values[META_BITS] = int_array(bits, meta.columns);
	values[META_GENERATIONS] = int_array(generations, meta.columns);
	values[META_MULTI] = BoolGetDatum(meta.multi != 0);
	values[META_RANGE_TAGS] = Int32GetDatum(meta.range_tags);
	return make_row(fcinfo, values, nulls);
}

/* ---- a page ---- */

enum
{
	PAGE_TYPE,
	PAGE_LEVEL,
	PAGE_FLAGS,
	PAGE_RIGHT,
	PAGE_CHILDREN,
	PAGE_PACKED_ENTRIES,
	PAGE_PACKED_BYTES,
	PAGE_LIST_SEGMENTS,
	PAGE_RUN_SEGMENTS,
	PAGE_TAIL_ENTRIES,
	PAGE_HINTED_ENTRIES,
	PAGE_FREE_BYTES,
	PAGE_COLUMNS
};

typedef struct PageRow
{
	Datum		values[PAGE_COLUMNS];
	bool		nulls[PAGE_COLUMNS];
} PageRow;

static void
set_value(PageRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static Datum
flags_array(uint16 flags)
{
	Datum		names[2];
	int			count = 0;

	if ((flags & STEWARD_BLIND_INCOMPLETE) != 0)
		names[count++] = CStringGetTextDatum("incomplete_split");
	if ((flags & STEWARD_BLIND_RIGHTMOST) != 0)
		names[count++] = CStringGetTextDatum("rightmost");
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
describe_leaf(PageRow *row, Relation index, BlockNumber block, Page page)
{
	StewardBlindPacked packed = steward_blind_packed(page);
	int			count = steward_blind_count(&packed);
	int			tail = steward_blind_tail_count(page);
	int			hinted = 0;
	int			lists;
	int			runs;

	if (count < 0 || !steward_blind_segments(&packed, &lists, &runs))
		steward_blind_raise_corrupted(index, block);
	for (int i = 0; i < count + tail; i++)
		hinted += steward_blind_hinted(page, i);
	set_value(row, PAGE_PACKED_ENTRIES, Int32GetDatum(count));
	set_value(row, PAGE_PACKED_BYTES, Int32GetDatum((int32) packed.len));
	set_value(row, PAGE_LIST_SEGMENTS, Int32GetDatum(lists));
	set_value(row, PAGE_RUN_SEGMENTS, Int32GetDatum(runs));
	set_value(row, PAGE_TAIL_ENTRIES, Int32GetDatum(tail));
	set_value(row, PAGE_HINTED_ENTRIES, Int32GetDatum(hinted));
}

static void
describe_page(PageRow *row, Relation index, BlockNumber block, Page page)
{
	const StewardBlindSpecial *special;

	if (PageIsNew(page))
	{
		set_value(row, PAGE_TYPE, CStringGetTextDatum("empty"));
		return;
	}
	if (!steward_blind_page_is_sound(page))
		steward_blind_raise_corrupted(index, block);
	special = STEWARD_BLIND_SPECIAL(page);
	set_value(row, PAGE_TYPE, CStringGetTextDatum(special->level == 0 ? "leaf" : "inner"));
	set_value(row, PAGE_LEVEL, Int32GetDatum(special->level));
	set_value(row, PAGE_FLAGS, flags_array(special->flags));
	if (special->right != InvalidBlockNumber)
		set_value(row, PAGE_RIGHT, Int64GetDatum((int64) special->right));
	set_value(row, PAGE_FREE_BYTES, Int32GetDatum((int32) PageGetExactFreeSpace(page)));
	if (special->level == 0)
		describe_leaf(row, index, block, page);
	else
		set_value(row, PAGE_CHILDREN, Int32GetDatum(steward_blind_child_count(page)));
}

static BlockNumber
check_block(Relation index, int64 block)
{
	if (block < 0 || block >= RelationGetNumberOfBlocks(index))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("index \"%s\" has no block " INT64_FORMAT,
						RelationGetRelationName(index), block)));
	return (BlockNumber) block;
}

/* Describes a copy, so that no lock on a page is held meanwhile. */
STEWARD_FUNCTION(steward_blind_page_stats)
{
	static const char *const names[] = {"index", "block"};
	PGAlignedBlock copy;
	PageRow		row;
	BlockNumber block;
	Buffer		buffer;
	Relation	heap;
	Relation	index;

	steward_require_arguments(fcinfo, lengthof(names), names);
	index = steward_blind_relation_open(PG_GETARG_OID(0), &heap, NULL);
	block = check_block(index, PG_GETARG_INT64(1));
	buffer = ReadBuffer(index, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	memset(row.nulls, true, sizeof row.nulls);
	if (block == STEWARD_BLIND_META)
		set_value(&row, PAGE_TYPE, CStringGetTextDatum("meta"));
	else
		describe_page(&row, index, block, (Page) copy.data);
	steward_blind_relation_close(index, heap);
	return make_row(fcinfo, row.values, row.nulls);
}
