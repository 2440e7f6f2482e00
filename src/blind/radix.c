/*
 * radix.c: sorting entries in memory by their bits; see radix.h.
 *
 * A radix sort from the highest bit that differs ("American flag sort", McIlroy,
 * Bostic and McIlroy 1993): count how many entries have each value of the next
 * digit, move every entry to its bucket in place, sort each bucket. Tags are
 * random, so the digit is chosen to leave a few entries in a bucket, for which
 * insertion is fastest. What is equal to all is skipped, so that tags of few
 * values and TIDs, whose bits are mostly 0, cost no more rounds.
 *
 * What must hold: the bits from the highest that differs give at least two
 * buckets something, so that each round makes progress whatever the entries are.
 */
#include "base/compat.h"

#include "blind/radix.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"

/* A digit's counts have to stay in the processor's first cache, with their pages. */
#define DIGIT_MAX 8

/* Digits are made to leave 2^3 entries or so in a bucket; the most for insertion. */
#define BUCKET_BITS 3
#define INSERTION_MAX 24

/* One entry of either size, on its way to another place. */
typedef union Record
{
	StewardBlindKey key;
	StewardBlindEntry entry;
} Record;

/* Sorts a bucket: the function of the caller's size of entries. */
typedef void (*SortBucket) (char *records, size_t count);

int
steward_blind_bit_length(StewardBlindTag tag, uint64 tid)
{
	if ((uint64) (tag >> 64) != 0)
		return STEWARD_BLIND_TID_BITS + 65 + pg_leftmost_one_pos64((uint64) (tag >> 64));
	if ((uint64) tag != 0)
		return STEWARD_BLIND_TID_BITS + 1 + pg_leftmost_one_pos64((uint64) tag);
	return tid == 0 ? 0 : 1 + pg_leftmost_one_pos64(tid);
}

/* The digit that begins at a bit; higher bits than the digit's are not masked. */
static pg_attribute_always_inline uint32
shifted(StewardBlindTag tag, uint64 tid, int shift)
{
	if (shift >= STEWARD_BLIND_TID_BITS)
		return (uint32) (tag >> (shift - STEWARD_BLIND_TID_BITS));
	return (uint32) (tag << (STEWARD_BLIND_TID_BITS - shift) | tid >> shift);
}

uint32
steward_blind_digit(StewardBlindTag tag, uint64 tid, int shift, int bits)
{
	return shifted(tag, tid, shift) & (uint32) ((UINT64CONST(1) << bits) - 1);
}

/*
 * The functions below are compiled once for each size: "size" is a constant where
 * they are inlined.
 */
static pg_attribute_always_inline uint32
digit_of(const char *record, size_t size, int shift, uint32 mask)
{
	const Record *at = (const Record *) record;

	if (size == sizeof(StewardBlindKey))
		return (uint32) (at->key >> shift) & mask;
	return shifted(at->entry.tag, at->entry.tid, shift) & mask;
}

static pg_attribute_always_inline bool
is_above(const char *a, const char *b, size_t size)
{
	const Record *left = (const Record *) a;
	const Record *right = (const Record *) b;

	if (size == sizeof(StewardBlindKey))
		return left->key > right->key;
	return left->entry.tag > right->entry.tag ||
		(left->entry.tag == right->entry.tag && left->entry.tid > right->entry.tid);
}

static pg_attribute_always_inline void
sort_by_insertion(char *records, size_t count, size_t size)
{
	for (size_t i = 1; i < count; i++)
	{
		char	   *at = records + i * size;
		Record		moved;

		memcpy(&moved, at, size);
		while (at > records && is_above(at - size, (char *) &moved, size))
		{
			memcpy(at, at - size, size);
			at -= size;
		}
		memcpy(at, &moved, size);
	}
}

/* The bit length of what differs between entries; 0 when they are in order. */
static pg_attribute_always_inline int
disorder(const char *records, size_t count, size_t size)
{
	const Record *first = (const Record *) records;
	StewardBlindTag tags = 0;
	uint64		tids = 0;
	bool		ordered = true;

	for (size_t i = 1; i < count; i++)
	{
		const char *at = records + i * size;
		const Record *record = (const Record *) at;

		if (size == sizeof(StewardBlindKey))
			tags |= record->key ^ first->key;
		else
		{
			tags |= record->entry.tag ^ first->entry.tag;
			tids |= record->entry.tid ^ first->entry.tid;
		}
		ordered &= !is_above(at - size, at, size);
	}
	if (ordered)
		return 0;
	if (size == sizeof(StewardBlindKey))
		return steward_blind_bit_length(tags, 0) - STEWARD_BLIND_TID_BITS;
	return steward_blind_bit_length(tags, tids);
}

/* Bits of the next digit, so that all rounds that are needed are about alike. */
static int
digit_bits(size_t count)
{
	int			bits = pg_leftmost_one_pos64(count) + 1 - BUCKET_BITS;
	int			rounds = (bits + DIGIT_MAX - 1) / DIGIT_MAX;

	return (bits + rounds - 1) / rounds;
}

/* Moves every entry to its bucket; next[i] is where bucket i goes on, ends[i] its end. */
static pg_attribute_always_inline void
deal(char *records, size_t size, int shift, uint32 mask, size_t *next,
	 const size_t *ends)
{
	for (uint32 bucket = 0; bucket <= mask; bucket++)
	{
		CHECK_FOR_INTERRUPTS();
		while (next[bucket] < ends[bucket])
		{
			char	   *home = records + next[bucket]++ * size;
			uint32		digit = digit_of(home, size, shift, mask);
			Record		moved;

			if (digit == bucket)
				continue;
			memcpy(&moved, home, size);
			do
			{
				char	   *at = records + next[digit]++ * size;
				Record		displaced;

				memcpy(&displaced, at, size);
				memcpy(at, &moved, size);
				memcpy(&moved, &displaced, size);
				digit = digit_of((char *) &moved, size, shift, mask);
			} while (digit != bucket);
			memcpy(home, &moved, size);
		}
	}
}

static pg_attribute_always_inline void
sort_bucket(char *records, size_t count, size_t size, SortBucket deeper)
{
	size_t		next[1 << DIGIT_MAX] = {0};
	size_t		ends[1 << DIGIT_MAX];
	int			length = disorder(records, count, size);
	int			bits = Min(digit_bits(count), length);
	int			shift = length - bits;
	uint32		mask = (1U << bits) - 1;
	size_t		end = 0;

	if (length == 0)
		return;
	check_stack_depth();
	for (size_t i = 0; i < count; i++)
		next[digit_of(records + i * size, size, shift, mask)]++;
	for (uint32 i = 0; i <= mask; i++)
	{
		size_t		begin = end;

		end += next[i];
		next[i] = begin;
		ends[i] = end;
	}
	deal(records, size, shift, mask, next, ends);
	for (uint32 i = 0; i <= mask; i++)
	{
		size_t		begin = i == 0 ? 0 : ends[i - 1];

		if (ends[i] - begin > INSERTION_MAX)
			deeper(records + begin * size, ends[i] - begin);
		else
			sort_by_insertion(records + begin * size, ends[i] - begin, size);
	}
}

static void
sort_keys(char *records, size_t count)
{
	sort_bucket(records, count, sizeof(StewardBlindKey), sort_keys);
}

static void
sort_entries(char *records, size_t count)
{
	sort_bucket(records, count, sizeof(StewardBlindEntry), sort_entries);
}

void
steward_blind_sort_keys(StewardBlindKey *keys, size_t count)
{
	if (count > INSERTION_MAX)
		sort_keys((char *) keys, count);
	else
		sort_by_insertion((char *) keys, count, sizeof(StewardBlindKey));
}

void
steward_blind_sort_entries(StewardBlindEntry *entries, size_t count)
{
	if (count > INSERTION_MAX)
		sort_entries((char *) entries, count);
	else
		sort_by_insertion((char *) entries, count, sizeof(StewardBlindEntry));
}
