/*
 * erase_rows.c: rows of a table whose entries in a blind index are to be others after an
 * erasure; see erase_rows.h.
 *
 * Each page is copied and looked at without a lock. An entry stands for all row versions
 * of a HOT chain, under the TID of its root; where one of them names an erased subject
 * the entries of all are computed, as an insert would compute them now.
 *
 * Of a row version that has ended, what is out of line may be gone already, and with it
 * everybody who could see the version: it has no entries.
 */
#include "blind/erase_rows.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "base/procedure.h"
#include "blind/multi.h"
#include "blind/tag.h"
#include "catalog/index.h"
#include "crypto/datum.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Pages that are read with one snapshot, which keeps VACUUM from its work elsewhere. */
#define PAGES_PER_SNAPSHOT 1024

typedef struct Reader
{
	StewardBlindErasedRows *rows;
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	StewardBlindTagger tagger;
	HTAB	   *subjects;
	TupleTableSlot *slot;
	MemoryContext row_context;
	int			most;			/* items, after which to stop */

	/* The page that is looked at. */
	PGAlignedBlock page;
	BlockNumber block;
	OffsetNumber roots[MaxHeapTuplesPerPage];
	bool		ended[MaxHeapTuplesPerPage + 1];	/* and is not whole */
	bool		wanted[MaxHeapTuplesPerPage + 1];	/* by root */

	/* The row version that is looked at. */
	HeapTupleData version;
	bool		names_subject;
	StewardBlindEntry *entries;
	int			entry_count;
} Reader;

/* ---- what is found ---- */

static void
add(Reader *reader, OffsetNumber root, StewardBlindTag tag, bool none)
{
	StewardBlindErasedRows *rows = reader->rows;

	if (rows->count == rows->room)
	{
		rows->room = Max(64, rows->room * 2);
		rows->items = rows->items == NULL ?
			palloc(rows->room * sizeof *rows->items) :
			repalloc_huge(rows->items, rows->room * sizeof *rows->items);
	}
	rows->items[rows->count].entry.tag = tag;
	rows->items[rows->count].entry.tid = (uint64) reader->block << 16 | root;
	rows->items[rows->count++].none = none;
}

static int
compare_tids(const void *a, const void *b)
{
	const StewardBlindErased *x = a;
	const StewardBlindErased *y = b;

	return x->entry.tid < y->entry.tid ? -1 : x->entry.tid > y->entry.tid;
}

const StewardBlindErased *
steward_blind_erased_find(const StewardBlindErasedRows *rows, uint64 tid)
{
	int			low = 0;
	int			high = rows->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (rows->items[middle].entry.tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < rows->count && rows->items[low].entry.tid == tid ? &rows->items[low] : NULL;
}

bool
steward_blind_erased_is_of(const StewardBlindErasedRows *rows, const StewardBlindErased *item,
						   uint64 tid)
{
	return item != NULL && item < rows->items + rows->count && item->entry.tid == tid;
}

StewardBlindFate
steward_blind_erased_fate(const StewardBlindErasedRows *rows, const StewardBlindEntry *entry)
{
	const StewardBlindErased *item = steward_blind_erased_find(rows, entry->tid);
	StewardBlindFate fate = STEWARD_BLIND_GOES;

	if (item == NULL)
		return STEWARD_BLIND_STAYS;
	for (; steward_blind_erased_is_of(rows, item, entry->tid); item++)
	{
		if (item->none)
			continue;
		if (item->entry.tag == entry->tag)
			return STEWARD_BLIND_STAYS;
		fate = STEWARD_BLIND_REPLACED;
	}
	return fate;
}

/* ---- a row version ---- */

/* Does the value name one of the subjects? Reads no more of it than its head. */
static bool
names_subject(Reader *reader, Datum value)
{
	struct varlena *head = PG_DETOAST_DATUM_SLICE(value, 0, STEWARD_HEADER_MAX_BYTES);
	const unsigned char *bytes = (unsigned char *) VARDATA_ANY(head);

	return VARSIZE_ANY_EXHDR(head) >= STEWARD_HEADER_MAX_BYTES &&
		bytes[0] == STEWARD_DATUM_FORMAT && (bytes[3] & STEWARD_FLAG_SUBJECT) != 0 &&
		hash_search(reader->subjects, bytes + STEWARD_HEADER_BYTES, HASH_FIND, NULL) != NULL;
}

static void
take_values(Reader *reader, Datum *values, bool *isnull)
{
	ExecStoreHeapTuple(&reader->version, reader->slot, false);
	FormIndexDatum(reader->info, reader->slot, NULL, values, isnull);
}

static void
look_for_subject(void *arg)
{
	Reader	   *reader = arg;
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	take_values(reader, values, isnull);
	reader->names_subject = false;
	for (int i = 0; i < reader->info->ii_NumIndexKeyAttrs && !reader->names_subject; i++)
		reader->names_subject = !isnull[i] && names_subject(reader, values[i]);
}

static void
compute_entries(void *arg)
{
	Reader	   *reader = arg;
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	take_values(reader, values, isnull);
	reader->entry_count = steward_blind_row_entries(&reader->tagger, reader->index, values,
													isnull, 0, &reader->entries);
}

/*
 * Does a part of the work on the current version; false when the version has ended and cannot
 * be read any more.
 */
static bool
work(Reader *reader, void (*part) (void *arg), bool ended)
{
	MemoryContext caller;
	ErrorData  *error;

	if (!ended)
	{
		MemoryContextReset(reader->row_context);
		caller = MemoryContextSwitchTo(reader->row_context);
		part(reader);
		MemoryContextSwitchTo(caller);
		return true;
	}
	error = steward_attempt(part, reader, reader->row_context);
	if (error == NULL)
		return true;
	if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED)
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

/* ---- a page ---- */

/* Parts out of line are kept for those who may still see the version, and no longer. */
static bool
has_ended(Reader *reader, Buffer buffer, HeapTuple tuple)
{
	TransactionId ended_by;
	HTSV_Result state;

	if (!HeapTupleHasExternal(tuple))
		return false;
	state = HeapTupleSatisfiesVacuumHorizon(tuple, buffer, &ended_by);
	return state == HEAPTUPLE_DEAD || state == HEAPTUPLE_RECENTLY_DEAD;
}

/* The version at an offset of a page; false when there is none. */
static bool
take_version(const Reader *reader, Page page, OffsetNumber offset, HeapTuple tuple)
{
	ItemId		item = PageGetItemId(page, offset);

	if (!ItemIdIsNormal(item))
		return false;
	tuple->t_len = ItemIdGetLength(item);
	tuple->t_data = (HeapTupleHeader) PageGetItem(page, item);
	tuple->t_tableOid = RelationGetRelid(reader->heap);
	ItemPointerSet(&tuple->t_self, reader->block, offset);
	return true;
}

static void
copy_page(Reader *reader, BufferAccessStrategy strategy)
{
	Buffer		buffer = ReadBufferExtended(reader->heap, MAIN_FORKNUM, reader->block,
											RBM_NORMAL, strategy);
	Page		page = BufferGetPage(buffer);
	HeapTupleData tuple;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	for (OffsetNumber offset = FirstOffsetNumber;
		 !PageIsNew(page) && offset <= PageGetMaxOffsetNumber(page); offset++)
		reader->ended[offset] = take_version(reader, page, offset, &tuple) &&
			has_ended(reader, buffer, &tuple);
	memcpy(reader->page.data, page, BLCKSZ);
	UnlockReleaseBuffer(buffer);
}

/* Adds dead items; wants chains with a version that names a subject. Are there any? */
static bool
find_rows(Reader *reader, Page page)
{
	bool		found = false;

	memset(reader->wanted, 0, sizeof reader->wanted);
	for (OffsetNumber offset = FirstOffsetNumber;
		 offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		OffsetNumber root = reader->roots[offset - 1];

		if (ItemIdIsDead(PageGetItemId(page, offset)))
			add(reader, offset, 0, true);
		if (!take_version(reader, page, offset, &reader->version) ||
			root == InvalidOffsetNumber || reader->wanted[root])
			continue;
		if (work(reader, look_for_subject, reader->ended[offset]) && !reader->names_subject)
			continue;
		reader->wanted[root] = true;
		found = true;
		add(reader, root, 0, true);
	}
	return found;
}

static void
add_entries(Reader *reader, Page page)
{
	for (OffsetNumber offset = FirstOffsetNumber;
		 offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		OffsetNumber root = reader->roots[offset - 1];

		if (!take_version(reader, page, offset, &reader->version) ||
			root == InvalidOffsetNumber || !reader->wanted[root] ||
			!work(reader, compute_entries, reader->ended[offset]))
			continue;
		for (int i = 0; i < reader->entry_count; i++)
			add(reader, root, reader->entries[i].tag, false);
	}
}

static void
look_at_page(Reader *reader, BufferAccessStrategy strategy)
{
	Page		page = (Page) reader->page.data;

	copy_page(reader, strategy);
	if (PageIsNew(page))
		return;
	heap_get_root_tuples(page, reader->roots);
	if (find_rows(reader, page))
		add_entries(reader, page);
}

/* ---- a table ---- */

static HTAB *
make_set(const List *subjects)
{
	HASHCTL		control = {
		.keysize = STEWARD_UUID_BYTES,
		.entrysize = STEWARD_UUID_BYTES,
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *set = hash_create("erased subjects", Max(16, list_length(subjects)), &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ListCell   *cell;

	foreach(cell, subjects)
		(void) hash_search(set, lfirst(cell), HASH_ENTER, NULL);
	return set;
}

static Reader *
make_reader(StewardBlindErasedRows *rows, Relation heap, Relation index, const List *subjects)
{
	Reader	   *reader = palloc0(sizeof *reader);

	reader->rows = rows;
	reader->heap = heap;
	reader->index = index;
	reader->info = BuildIndexInfo(index);
	steward_blind_tagger_begin(&reader->tagger, index, steward_blind_meta(index));
	reader->subjects = make_set(subjects);
	reader->slot = MakeSingleTupleTableSlot(RelationGetDescr(heap), &TTSOpsHeapTuple);
	reader->row_context = AllocSetContextCreate(CurrentMemoryContext, "row of an erasure",
												ALLOCSET_DEFAULT_SIZES);
	reader->most = (int) Min((int64) maintenance_work_mem * 1024 / 2 / sizeof(StewardBlindErased),
							 INT_MAX / 4);
	return reader;
}

/* Reads until there is enough, or the snapshot is old. */
static void
read_pages(Reader *reader, BlockNumber end, BufferAccessStrategy strategy)
{
	int			pages = 0;

	PushActiveSnapshot(GetTransactionSnapshot());
	while (reader->block < end && reader->rows->count < reader->most &&
		   pages++ < PAGES_PER_SNAPSHOT)
	{
		CHECK_FOR_INTERRUPTS();
		look_at_page(reader, strategy);
		reader->block++;
	}
	ExecClearTuple(reader->slot);
	PopActiveSnapshot();
}

BlockNumber
steward_blind_erased_rows(StewardBlindErasedRows *rows, Relation heap, Relation index,
						  const List *subjects, BlockNumber from)
{
	Reader	   *reader = make_reader(rows, heap, index, subjects);
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
	BlockNumber end = RelationGetNumberOfBlocks(heap);
	BlockNumber next;

	for (reader->block = from; reader->block < end && rows->count < reader->most;)
		read_pages(reader, end, strategy);
	next = reader->block < end ? reader->block : InvalidBlockNumber;
	FreeAccessStrategy(strategy);
	ExecDropSingleTupleTableSlot(reader->slot);
	hash_destroy(reader->subjects);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
	if (rows->count > 1)
		qsort(rows->items, rows->count, sizeof *rows->items, compare_tids);
	InvalidateCatalogSnapshotConditionally();
	return next;
}
