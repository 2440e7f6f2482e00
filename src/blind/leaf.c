/*
 * leaf.c: the packed part and the tail of a leaf; see page.h.
 */
#include "blind/page.h"

#include "blind/radix.h"

#define LEAF(page) ((StewardBlindLeaf *) PageGetContents(page))
#define PACKED_BEGIN (MAXALIGN(SizeOfPageHeaderData) + offsetof(StewardBlindLeaf, packed))

static int
tag_bytes_of(Page page)
{
	return STEWARD_BLIND_SPECIAL(page)->tag_bytes;
}

bool
steward_blind_leaf_is_sound(Page page)
{
	uint16		end = LEAF(page)->packed_end;
	uint16		lower = ((PageHeader) page)->pd_lower;

	return end >= PACKED_BEGIN && end <= lower &&
		(lower - end) % STEWARD_BLIND_RAW_BYTES(tag_bytes_of(page)) == 0 &&
		(lower - end) / STEWARD_BLIND_RAW_BYTES(tag_bytes_of(page)) <= STEWARD_BLIND_TAIL_MAX;
}

StewardBlindPacked
steward_blind_packed(Page page)
{
	StewardBlindPacked packed;

	packed.bytes = LEAF(page)->packed;
	packed.len = LEAF(page)->packed_end - PACKED_BEGIN;
	packed.tag_bytes = tag_bytes_of(page);
	return packed;
}

/* ---- the tail ---- */

int
steward_blind_tail_count(Page page)
{
	return (((PageHeader) page)->pd_lower - LEAF(page)->packed_end) /
		STEWARD_BLIND_RAW_BYTES(tag_bytes_of(page));
}

StewardBlindEntry
steward_blind_tail_entry(Page page, int i)
{
	int			tag_bytes = tag_bytes_of(page);
	const unsigned char *raw = (unsigned char *) page + LEAF(page)->packed_end +
		i * STEWARD_BLIND_RAW_BYTES(tag_bytes);
	StewardBlindEntry entry;

	entry.tag = steward_blind_load(raw, tag_bytes);
	entry.tid = (uint64) steward_blind_load(raw + tag_bytes, STEWARD_BLIND_TID_BYTES);
	return entry;
}

int
steward_blind_tail_room(Page page)
{
	const PageHeader header = (PageHeader) page;
	int			hole = header->pd_upper - header->pd_lower;

	return Min(STEWARD_BLIND_TAIL_MAX - steward_blind_tail_count(page),
			   hole / STEWARD_BLIND_RAW_BYTES(tag_bytes_of(page)));
}

void
steward_blind_store_raw(unsigned char *raw, const StewardBlindEntry *entry, int tag_bytes)
{
	steward_blind_store(raw, entry->tag, tag_bytes);
	steward_blind_store(raw + tag_bytes, entry->tid, STEWARD_BLIND_TID_BYTES);
}

bool
steward_blind_tail_has(Page page, const StewardBlindEntry *entry)
{
	unsigned char wanted[STEWARD_BLIND_RAW_BYTES(sizeof(StewardBlindTag))];
	int			tag_bytes = tag_bytes_of(page);
	int			len = STEWARD_BLIND_RAW_BYTES(tag_bytes);
	const unsigned char *raw = (unsigned char *) page + LEAF(page)->packed_end;
	const unsigned char *end = (unsigned char *) page + ((PageHeader) page)->pd_lower;

	steward_blind_store_raw(wanted, entry, tag_bytes);
	for (; raw < end; raw += len)
		if (raw[0] == wanted[0] && memcmp(raw, wanted, len) == 0)
			return true;
	return false;
}

/*
 * The fast way for tags that fit into a word: the bytes after the tag are read, too, and
 * masked. An entry ends within the page, and eight bytes from its beginning do as well.
 */
static int
collect_short(const unsigned char *raw, int count, int tag_bytes, uint64 low, uint64 high,
			  int *found)
{
	const uint64 mask = PG_UINT64_MAX >> (8 * (sizeof(uint64) - tag_bytes));
	const int	len = STEWARD_BLIND_RAW_BYTES(tag_bytes);
	int			matches = 0;

	for (int i = 0; i < count; i++, raw += len)
	{
		uint64		tag;

		memcpy(&tag, raw, sizeof tag);
		if ((tag & mask) - low <= high - low)
			found[matches++] = i;
	}
	return matches;
}

static int
collect_any(Page page, int count, StewardBlindTag low, StewardBlindTag high, int *found)
{
	int			matches = 0;

	for (int i = 0; i < count; i++)
	{
		StewardBlindTag tag = steward_blind_tail_entry(page, i).tag;

		if (tag >= low && tag <= high)
			found[matches++] = i;
	}
	return matches;
}

int
steward_blind_tail_collect(Page page, StewardBlindTag low, StewardBlindTag high, int *found)
{
	int			count = steward_blind_tail_count(page);
	int			tag_bytes = tag_bytes_of(page);

#ifndef WORDS_BIGENDIAN
	if (tag_bytes <= sizeof(uint64))
		return collect_short((unsigned char *) page + LEAF(page)->packed_end, count,
							 tag_bytes, (uint64) low,
							 (uint64) Min(high, PG_UINT64_MAX), found);
#endif
	return collect_any(page, count, low, high, found);
}

/* ---- all of it ---- */

int
steward_blind_leaf_fill(Page page, const StewardBlindEntry *entries, int count,
						size_t free_room)
{
	int			packed;
	size_t		len = steward_blind_pack(LEAF(page)->packed,
										 STEWARD_BLIND_PACKED_MAX - free_room,
										 tag_bytes_of(page), entries,
										 Min(count, STEWARD_BLIND_LEAF_MAX), &packed);

	LEAF(page)->packed_end = PACKED_BEGIN + len;
	((PageHeader) page)->pd_lower = LEAF(page)->packed_end;

	/*
	 * Hints are read from there, and nothing old may be left. GenericXLog
	 * zeroes it only where it writes WAL.
	 */
	memset((char *) page + ((PageHeader) page)->pd_lower, 0,
		   ((PageHeader) page)->pd_upper - ((PageHeader) page)->pd_lower);
	return packed;
}

static bool
is_after(const StewardBlindEntry *a, const StewardBlindEntry *b)
{
	return steward_blind_compare(a->tag, a->tid, b->tag, b->tid) > 0;
}

void
steward_blind_merge(StewardBlindEntry *entries, int count, const StewardBlindEntry *more,
					int more_count)
{
	int			to = count + more_count;

	for (int from = count; more_count > 0;)
	{
		bool		take_more = from == 0 ||
			is_after(&more[more_count - 1], &entries[from - 1]);

		entries[--to] = take_more ? more[--more_count] : entries[--from];
	}
}

void
steward_blind_require_tids(Relation index, BlockNumber block,
						   const StewardBlindEntry *entries, int count)
{
	for (int i = 0; i < count; i++)
		if (!steward_blind_tid_is_sound(entries[i].tid))
			steward_blind_raise_corrupted(index, block);
}

int
steward_blind_leaf_entries(Relation index, BlockNumber block, Page page,
						   StewardBlindEntry *entries)
{
	StewardBlindPacked packed = steward_blind_packed(page);
	StewardBlindEntry tail[STEWARD_BLIND_TAIL_MAX];
	int			tail_count = steward_blind_tail_count(page);
	int			count = steward_blind_unpack(&packed, entries,
											 STEWARD_BLIND_MAX_ENTRIES -
											 STEWARD_BLIND_TAIL_MAX);

	if (count < 0)
		steward_blind_raise_corrupted(index, block);
	for (int i = 0; i < tail_count; i++)
		tail[i] = steward_blind_tail_entry(page, i);
	steward_blind_sort_entries(tail, tail_count);
	steward_blind_merge(entries, count, tail, tail_count);
	return count + tail_count;
}
