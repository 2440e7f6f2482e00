/*
 * insert.c: entries into leaves; see insert.h.
 *
 * An entry goes to the tail of its leaf; where that is full, tail and newcomers are
 * packed, and where there is no room for a tail after that, the leaf is split.
 */
#include "blind/insert.h"

#include "access/genam.h"
#include "access/generic_xlog.h"
#include "blind/meta.h"
#include "blind/multi.h"
#include "blind/page.h"
#include "blind/radix.h"
#include "blind/search.h"
#include "blind/split.h"
#include "blind/unique.h"
#include "blind/wal.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/predicate.h"

/* ---- what is there already ---- */

static bool
is_there(Relation index, Buffer buffer, const StewardBlindEntry *entry)
{
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	int			has = steward_blind_has(&packed, entry->tag, entry->tid);

	if (has < 0)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
	return has > 0 || steward_blind_tail_has(page, entry);
}

/*
 * The entries, from the first on, that belong on this leaf, at most as many as a tail has:
 * their number. newcomers are those that are not there.
 */
static int
take_newcomers(Relation index, Buffer buffer, const StewardBlindEntry *entries, int count,
			   StewardBlindEntry *newcomers, int *newcomer_count)
{
	int			taken = 0;

	*newcomer_count = 0;
	while (taken < count && *newcomer_count < STEWARD_BLIND_TAIL_MAX &&
		   (taken == 0 || !steward_blind_beyond(BufferGetPage(buffer), &entries[taken])))
	{
		if (!is_there(index, buffer, &entries[taken]))
			newcomers[(*newcomer_count)++] = entries[taken];
		taken++;
	}
	return taken;
}

/* ---- into the tail ---- */

/* Appends as many as there is room for; returns how many. */
static int
append(Relation index, Buffer buffer, const StewardBlindEntry *newcomers, int count)
{
	unsigned char raw[STEWARD_BLIND_TAIL_MAX * STEWARD_BLIND_RAW_BYTES(sizeof(StewardBlindTag))];
	Page		page = BufferGetPage(buffer);
	int			tag_bytes = STEWARD_BLIND_SPECIAL(page)->tag_bytes;
	int			room = steward_blind_tail_room(page);
	int			appended = Min(room, count);

	for (int i = 0; i < appended; i++)
		steward_blind_store_raw(raw + i * STEWARD_BLIND_RAW_BYTES(tag_bytes),
								&newcomers[i], tag_bytes);
	if (appended > 0)
		steward_blind_append_bytes(index, buffer, raw,
								   appended * STEWARD_BLIND_RAW_BYTES(tag_bytes));
	return appended;
}

/* ---- into the packed part ---- */

/* What a leaf and its newcomers come to. */
typedef struct Merge
{
	StewardBlindEntry *entries; /* all, in order */
	int			count;
	StewardBlindEntry *newcomers;	/* those that were not packed, in order */
	int			newcomer_count;
} Merge;

/* Everything that is to be on the leaf: hints go, and are set again. */
static void
gather(Merge *merge, Relation index, Buffer buffer, const StewardBlindEntry *newcomers,
	   int count)
{
	Page		page = BufferGetPage(buffer);
	StewardBlindPacked packed = steward_blind_packed(page);
	int			packed_count = steward_blind_count(&packed);

	merge->newcomers = palloc(2 * STEWARD_BLIND_TAIL_MAX * sizeof(StewardBlindEntry));
	merge->entries = palloc((Max(packed_count, 0) + 2 * STEWARD_BLIND_TAIL_MAX) *
							sizeof(StewardBlindEntry));
	merge->count = steward_blind_unpack(&packed, merge->entries, packed_count);
	if (merge->count < 0)
		steward_blind_raise_corrupted(index, BufferGetBlockNumber(buffer));
	merge->newcomer_count = steward_blind_tail_count(page);
	for (int i = 0; i < merge->newcomer_count; i++)
		merge->newcomers[i] = steward_blind_tail_entry(page, i);
	memcpy(merge->newcomers + merge->newcomer_count, newcomers, count * sizeof *newcomers);
	merge->newcomer_count += count;
	steward_blind_sort_entries(merge->newcomers, merge->newcomer_count);
	steward_blind_merge(merge->entries, merge->count, merge->newcomers,
						merge->newcomer_count);
	merge->count += merge->newcomer_count;
	steward_blind_require_tids(index, BufferGetBlockNumber(buffer), merge->entries,
							   merge->count);
}

/* Packs everything onto the leaf, if there is room for a tail then. */
static bool
pack(Relation index, Buffer buffer, const Merge *merge)
{
	GenericXLogState *state = GenericXLogStart(index);
	Page		page = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);
	size_t		tail_room = STEWARD_BLIND_TAIL_MIN *
		STEWARD_BLIND_RAW_BYTES(STEWARD_BLIND_SPECIAL(page)->tag_bytes);

	if (steward_blind_leaf_fill(page, merge->entries, merge->count, tail_room) < merge->count)
	{
		GenericXLogAbort(state);
		return false;
	}
	GenericXLogFinish(state);
	return true;
}

/* Packs the leaf with newcomers, or splits it. Releases it. */
static void
pack_or_split(Relation index, Buffer buffer, const StewardBlindEntry *newcomers, int count)
{
	Merge		merge;
	bool		done = true;

	gather(&merge, index, buffer, newcomers, count);
	if (pack(index, buffer, &merge))
		UnlockReleaseBuffer(buffer);
	else
		done = steward_blind_split_leaf(index, buffer, merge.entries, merge.count,
										merge.newcomers, merge.newcomer_count);
	pfree(merge.entries);
	pfree(merge.newcomers);
	if (done)
		return;

	/*
	 * Leaves have half of the entries then, so this comes to an end. Who
	 * inserts into a unique index has the first leaf of the tag locked: what
	 * is remembered may be so old that the way leads over that one.
	 * Separators do not lead there.
	 */
	steward_blind_forget(index);
	steward_blind_insert_entries(index, newcomers, count);
}

/* ---- a leaf at a time ---- */

Buffer
steward_blind_find_leaf(Relation index, const StewardBlindEntry *key)
{
	for (;;)
	{
		Buffer		buffer = steward_blind_find(index, key, 0, BUFFER_LOCK_EXCLUSIVE);

		if ((STEWARD_BLIND_SPECIAL(BufferGetPage(buffer))->flags &
			 STEWARD_BLIND_INCOMPLETE) == 0)
			return buffer;
		steward_blind_finish_split(index, buffer);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Inserts those that belong on the leaf of the first, and releases it; how many are done. */
static int
insert_into_leaf(Relation index, Buffer buffer, const StewardBlindEntry *entries, int count)
{
	StewardBlindEntry newcomers[STEWARD_BLIND_TAIL_MAX];
	int			newcomer_count;
	int			taken = take_newcomers(index, buffer, entries, count, newcomers,
									   &newcomer_count);
	int			appended;

	CheckForSerializableConflictIn(index, NULL, BufferGetBlockNumber(buffer));
	appended = append(index, buffer, newcomers, newcomer_count);
	if (appended < newcomer_count)
		pack_or_split(index, buffer, newcomers + appended, newcomer_count - appended);
	else
		UnlockReleaseBuffer(buffer);
	return taken;
}

void
steward_blind_insert_at(Relation index, Buffer buffer, const StewardBlindEntry *entry)
{
	(void) insert_into_leaf(index, buffer, entry, 1);
}

void
steward_blind_insert_entries(Relation index, const StewardBlindEntry *entries, int count)
{
	for (int done = 0; done < count;)
	{
		CHECK_FOR_INTERRUPTS();
		done += insert_into_leaf(index, steward_blind_find_leaf(index, entries + done),
								 entries + done, count - done);
	}
}

/* ---- a row ---- */

/* Keeps the tagger for the rows of one command. */
static const StewardBlindTagger *
tagger_of(Relation index, IndexInfo *info)
{
	StewardBlindTagger *tagger = info->ii_AmCache;

	if (tagger == NULL)
	{
		tagger = MemoryContextAlloc(info->ii_Context, sizeof *tagger);
		steward_blind_tagger_begin(tagger, index, steward_blind_meta(index));
		info->ii_AmCache = tagger;
	}
	return tagger;
}

bool
steward_blind_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid,
					 Relation heap, IndexUniqueCheck unique, bool unchanged,
					 IndexInfo *info)
{
	StewardBlindEntry *entries;
	int			count = steward_blind_row_entries(tagger_of(index, info), index, values,
												  isnull, steward_blind_tid(tid), &entries);
	bool		is_unique = true;

	if (unique != UNIQUE_CHECK_NO && !steward_blind_differs(index, isnull))
		is_unique = steward_blind_insert_unique(index, entries, values, isnull, heap,
												unique);
	else
		steward_blind_insert_entries(index, entries, count);
	pfree(entries);
	return is_unique;
}
