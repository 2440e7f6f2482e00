/*
 * sort.c: sorting the entries of an index that is built; see sort.h.
 *
 * Entries are kept in memory, and sorted there, while they fit. When they do not,
 * they are dealt to lots by the highest bits of their tags. A lot is a tape of the
 * temporary file, without a buffer in memory once it is complete. Lots are taken in
 * order:
 *
 *     what came in order, as a run of equal tags does, is handed out as it is read
 *     what fits is loaded and sorted
 *     what is larger is dealt again, by the bits from the highest that differs in it
 *
 * so each deal separates something, and TIDs count as bits below the tag.
 *
 * Memory: entries, plus a page of buffer for each lot while a deal goes on, plus
 * 8 bytes for each free page of the temporary file.
 */
#include "base/compat.h"

#include "blind/radix.h"
#include "blind/sort.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/logtape.h"
#include "utils/memutils.h"

#define WORK_KB_MIN 128
#define LOT_BITS_MAX 8
#define FIRST_ROOM 1024			/* entries that there is room for at first */
#define CHUNK 256				/* entries read or written together */

/* Memory of a lot in the making: the tape's buffer, its reserve of pages, the rest. */
#define LOT_BYTES (BLCKSZ + 2048)

/* Memory of a file, of reading a lot, and of the lots that are pending. */
#define FILE_BYTES (4 * BLCKSZ)

/* The last bytes of a number are its lowest on machines that begin with the highest. */
#ifdef WORDS_BIGENDIAN
#define LOWEST_BYTES(number, len) ((char *) (number) + sizeof(*(number)) - (len))
#else
#define LOWEST_BYTES(number, len) ((char *) (number))
#endif

/* Entries that have the same bits above those that differ. */
typedef struct Lot
{
	LogicalTape *tape;
	uint64		count;
	StewardBlindEntry first;
	StewardBlindEntry last;
	StewardBlindTag tag_differs;	/* bits in which any is not the first */
	uint64		tid_differs;
	bool		ordered;		/* they came in order */
	struct Lot *next;			/* of those that are to be handed out */
} Lot;

/* Lots in the making: entry to lot by a digit. */
typedef struct Deal
{
	int			shift;
	int			bits;
	Lot			lots[FLEXIBLE_ARRAY_MEMBER];
} Deal;

struct StewardBlindSort
{
	MemoryContext context;
	int			tag_bits;
	int			tag_bytes;
	bool		wide;			/* entries, not keys; see radix.h */
	uint64		added;

	/* entries in memory, of either size */
	union
	{
		StewardBlindKey *keys;
		StewardBlindEntry *entries;
		void	   *memory;
	};
	size_t		count;
	size_t		room;			/* for so many now */
	size_t		room_max;

	/* beyond memory */
	LogicalTapeSet *tapes;
	int			lot_bits;
	Deal	   *deal;			/* that goes on, or NULL */
	Lot		   *pending;		/* in order; the first is the next */

	/* handing out: what there is of a lot, then what there is in memory */
	size_t		position;		/* in memory */
	Lot		   *lot;			/* that is read, or NULL */
	char	   *chunk;			/* what was read of it */
	size_t		chunk_count;
	size_t		chunk_position;
	bool		handed;			/* there is a last one: */
	StewardBlindEntry last;
};

static size_t
size_in_memory(const StewardBlindSort *sort)
{
	return sort->wide ? sizeof(StewardBlindEntry) : sizeof(StewardBlindKey);
}

static size_t
size_on_tape(const StewardBlindSort *sort)
{
	return sort->tag_bytes + STEWARD_BLIND_TID_BITS / 8;
}

/*
 * About half of the memory is for lots, of which there are 8 to 256. The sizes of the
 * context are small so that the tapes' buffers are blocks of their own, not parts of
 * blocks that double.
 */
StewardBlindSort *
steward_blind_sort_begin(int tag_bits, int work_kb)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "steward blind sort",
												  ALLOCSET_SMALL_SIZES);
	StewardBlindSort *sort = MemoryContextAllocZero(context, sizeof(*sort));
	size_t		work = (size_t) Max(work_kb, WORK_KB_MIN) * 1024;

	Assert(tag_bits >= 1 && tag_bits <= 128);
	sort->context = context;
	sort->tag_bits = tag_bits;
	sort->tag_bytes = (tag_bits + 7) / 8;
	sort->wide = tag_bits > STEWARD_BLIND_KEY_TAG_BITS;
	sort->lot_bits = Min(pg_leftmost_one_pos64(work / 2 / BLCKSZ), LOT_BITS_MAX);
	sort->room_max = (work - FILE_BYTES - ((size_t) LOT_BYTES << sort->lot_bits)) /
		size_in_memory(sort);
	sort->room = Min(FIRST_ROOM, sort->room_max);
	sort->memory = MemoryContextAllocHuge(context, sort->room * size_in_memory(sort));
	return sort;
}

/* ---- in memory ---- */

static StewardBlindEntry
entry_at(const StewardBlindSort *sort, size_t i)
{
	StewardBlindEntry entry;

	if (sort->wide)
		return sort->entries[i];
	entry.tag = sort->keys[i] >> STEWARD_BLIND_TID_BITS;
	entry.tid = (uint64) sort->keys[i] & ((UINT64CONST(1) << STEWARD_BLIND_TID_BITS) - 1);
	return entry;
}

static void
put_in_memory(StewardBlindSort *sort, const StewardBlindEntry *entry)
{
	if (sort->wide)
		sort->entries[sort->count++] = *entry;
	else
		sort->keys[sort->count++] =
			entry->tag << STEWARD_BLIND_TID_BITS | entry->tid;
}

/* Is there room for one more, after making some? */
static bool
has_room(StewardBlindSort *sort)
{
	if (sort->count < sort->room)
		return true;
	if (sort->room == sort->room_max)
		return false;
	sort->room = sort->room > sort->room_max / 2 ? sort->room_max : sort->room * 2;
	sort->memory = repalloc_huge(sort->memory, sort->room * size_in_memory(sort));
	return true;
}

static void
sort_memory(StewardBlindSort *sort)
{
	if (sort->wide)
		steward_blind_sort_entries(sort->entries, sort->count);
	else
		steward_blind_sort_keys(sort->keys, sort->count);
	sort->position = 0;
}

/* ---- lots ---- */

static void
encode(const StewardBlindSort *sort, const StewardBlindEntry *entry, char *out)
{
	StewardBlindTag tag = entry->tag;
	uint64		tid = entry->tid;

	memcpy(out, LOWEST_BYTES(&tag, sort->tag_bytes), sort->tag_bytes);
	memcpy(out + sort->tag_bytes, LOWEST_BYTES(&tid, STEWARD_BLIND_TID_BITS / 8),
		   STEWARD_BLIND_TID_BITS / 8);
}

static StewardBlindEntry
decode(const StewardBlindSort *sort, const char *in)
{
	StewardBlindTag tag = 0;
	uint64		tid = 0;
	StewardBlindEntry entry;

	memcpy(LOWEST_BYTES(&tag, sort->tag_bytes), in, sort->tag_bytes);
	memcpy(LOWEST_BYTES(&tid, STEWARD_BLIND_TID_BITS / 8), in + sort->tag_bytes,
		   STEWARD_BLIND_TID_BITS / 8);
	entry.tag = tag;
	entry.tid = tid;
	return entry;
}

/* Notes what an entry changes of what is known of its lot. */
static void
lot_note(Lot *lot, const StewardBlindEntry *entry)
{
	if (lot->count++ == 0)
	{
		lot->first = *entry;
		lot->ordered = true;
	}
	else if (steward_blind_compare(lot->last.tag, lot->last.tid, entry->tag, entry->tid) > 0)
		lot->ordered = false;
	lot->last = *entry;
	lot->tag_differs |= entry->tag ^ lot->first.tag;
	lot->tid_differs |= entry->tid ^ lot->first.tid;
}

/* The tape's buffer is made here, so this is called in the sort's context. */
static void
deal_entry(StewardBlindSort *sort, const StewardBlindEntry *entry)
{
	char		bytes[sizeof(StewardBlindEntry)];
	uint32		digit = steward_blind_digit(entry->tag, entry->tid,
											sort->deal->shift, sort->deal->bits);
	Lot		   *lot = &sort->deal->lots[digit];

	if (lot->count == 0)
		lot->tape = LogicalTapeCreate(sort->tapes);
	lot_note(lot, entry);
	encode(sort, entry, bytes);
	LogicalTapeWrite(lot->tape, bytes, size_on_tape(sort));
}

/* Begins to deal by the bits below a bit length. */
static void
deal_begin(StewardBlindSort *sort, int bit_length)
{
	int			bits = Min(sort->lot_bits, bit_length);

	sort->deal = palloc0(offsetof(Deal, lots) + sizeof(Lot) * (1 << bits));
	sort->deal->bits = bits;
	sort->deal->shift = bit_length - bits;
}

/* Lots of a deal come before those that are pending. */
static void
deal_end(StewardBlindSort *sort)
{
	for (int i = (1 << sort->deal->bits) - 1; i >= 0; i--)
	{
		Lot		   *lot;

		if (sort->deal->lots[i].count == 0)
			continue;
		lot = palloc(sizeof(Lot));
		*lot = sort->deal->lots[i];
		LogicalTapeRewindForRead(lot->tape, BLCKSZ);
		lot->next = sort->pending;
		sort->pending = lot;
	}
	pfree(sort->deal);
	sort->deal = NULL;
}

/* Deals what is in memory, and what comes from now on. */
static void
deal_memory(StewardBlindSort *sort)
{
	sort->tapes = LogicalTapeSetCreate(true, NULL, -1);
	sort->chunk = palloc(CHUNK * size_on_tape(sort));
	deal_begin(sort, sort->tag_bits + STEWARD_BLIND_TID_BITS);
	for (size_t i = 0; i < sort->count; i++)
	{
		StewardBlindEntry entry = entry_at(sort, i);

		CHECK_FOR_INTERRUPTS();
		deal_entry(sort, &entry);
	}
	sort->count = 0;
}

/* Takes the first of the pending lots to be read. */
static void
lot_open(StewardBlindSort *sort)
{
	sort->lot = sort->pending;
	sort->pending = sort->lot->next;
	sort->chunk_count = sort->chunk_position = 0;
}

static void
lot_close(StewardBlindSort *sort)
{
	LogicalTapeClose(sort->lot->tape);
	pfree(sort->lot);
	sort->lot = NULL;
}

/* The next entry of the lot that is read; false, and closes it, after the last. */
static bool
lot_next(StewardBlindSort *sort, StewardBlindEntry *entry)
{
	if (sort->chunk_position == sort->chunk_count)
	{
		size_t		wanted = Min(sort->lot->count, CHUNK) * size_on_tape(sort);

		CHECK_FOR_INTERRUPTS();
		if (wanted == 0)
		{
			lot_close(sort);
			return false;
		}
		if (LogicalTapeRead(sort->lot->tape, sort->chunk, wanted) != wanted)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("temporary file of an index build ends early")));
		sort->chunk_position = 0;
		sort->chunk_count = wanted / size_on_tape(sort);
		sort->lot->count -= sort->chunk_count;
	}
	*entry = decode(sort, sort->chunk + sort->chunk_position++ * size_on_tape(sort));
	return true;
}

static void
lot_load(StewardBlindSort *sort)
{
	StewardBlindEntry entry;

	sort->count = 0;
	lot_open(sort);
	while (lot_next(sort, &entry))
		put_in_memory(sort, &entry);
	sort_memory(sort);
}

static void
lot_deal(StewardBlindSort *sort)
{
	StewardBlindEntry entry;

	lot_open(sort);
	deal_begin(sort, steward_blind_bit_length(sort->lot->tag_differs,
											  sort->lot->tid_differs));
	while (lot_next(sort, &entry))
		deal_entry(sort, &entry);
	deal_end(sort);
}

static bool
is_too_large(const StewardBlindSort *sort, const Lot *lot)
{
	return !lot->ordered && lot->count > sort->room_max;
}

/* Makes the next pending lot, of which there is one, what is handed out. */
static void
take_lot(StewardBlindSort *sort)
{
	while (is_too_large(sort, sort->pending))
		lot_deal(sort);
	if (sort->pending->ordered)
		lot_open(sort);
	else
		lot_load(sort);
}

/* ---- what sort.h promises ---- */

void
steward_blind_sort_add(StewardBlindSort *sort, StewardBlindTag tag, uint64 tid)
{
	StewardBlindEntry entry = {.tag = tag, .tid = tid};

	sort->added++;
	if (sort->deal == NULL && has_room(sort))
		put_in_memory(sort, &entry);
	else
	{
		MemoryContext old = MemoryContextSwitchTo(sort->context);

		if (sort->deal == NULL)
			deal_memory(sort);
		deal_entry(sort, &entry);
		MemoryContextSwitchTo(old);
	}
}

void
steward_blind_sort_perform(StewardBlindSort *sort)
{
	MemoryContext old = MemoryContextSwitchTo(sort->context);

	if (sort->deal == NULL)
		sort_memory(sort);
	else
	{
		const Lot  *lot;

		deal_end(sort);
		for (lot = sort->pending; lot != NULL && !is_too_large(sort, lot);)
			lot = lot->next;
		/* Then nothing more is written. */
		if (lot == NULL)
			LogicalTapeSetForgetFreeSpace(sort->tapes);
	}
	MemoryContextSwitchTo(old);
}

/* The next entry, duplicates among them; in the sort's context. */
static bool
next_any(StewardBlindSort *sort, StewardBlindEntry *entry)
{
	for (;;)
	{
		if (sort->lot != NULL && lot_next(sort, entry))
			return true;
		if (sort->position < sort->count)
		{
			*entry = entry_at(sort, sort->position++);
			return true;
		}
		if (sort->pending == NULL)
			return false;
		take_lot(sort);
	}
}

bool
steward_blind_sort_next(StewardBlindSort *sort, StewardBlindEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(sort->context);
	bool		found;

	do
		found = next_any(sort, entry);
	while (found && sort->handed && entry->tag == sort->last.tag &&
		   entry->tid == sort->last.tid);
	MemoryContextSwitchTo(old);
	if (found)
		sort->last = *entry;
	sort->handed = found;
	return found;
}

uint64
steward_blind_sort_count(const StewardBlindSort *sort)
{
	return sort->added;
}

void
steward_blind_sort_end(StewardBlindSort *sort)
{
	if (sort->tapes != NULL)
		LogicalTapeSetClose(sort->tapes);
	MemoryContextDelete(sort->context);
}
