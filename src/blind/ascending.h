/*
 * ascending.h: ascending numbers as Elias-Fano (Vigna 2013).
 *
 * The low bits of each number are one after the other; what is above them is in
 * unary elsewhere: a 1 for each number after as many 0 as it is higher than the one
 * before. So number i, with h above its low bits, has its 1 as bit h + i, and
 * the numbers with h begin after the h-th 0.
 *
 * Nothing is read beyond the bits that there are. A number that is greater than the
 * most that is allowed, or is not there, is damage.
 */
#ifndef STEWARD_BLIND_ASCENDING_H
#define STEWARD_BLIND_ASCENDING_H

#include <stdbool.h>

#include "blind/bits.h"

typedef struct StewardAscending
{
	StewardBits bits;
	size_t		low_at;			/* where the low bits begin */
	size_t		high_at;		/* where what is above begins */
	int			low_bits;
	int			count;
	StewardWide most;
	StewardWide most_high;		/* what is above the low bits of most */
} StewardAscending;

/* Stands on a number, or behind the last. */
typedef struct StewardAscendingCursor
{
	const StewardAscending *numbers;
	int			index;			/* of the number; their count behind the last */
	bool		damaged;
	StewardWide value;
	size_t		end;			/* bit behind the 1 of the number looked at
								 * last */
	size_t		at;				/* bit that word begins with */
	uint64_t	word;			/* unary bits from there; those passed are 0 */
} StewardAscendingCursor;

/* No number may be greater. */
static inline void
steward_ascending_limit(StewardAscending *numbers, StewardWide most)
{
	numbers->most = most;
	numbers->most_high = steward_bits_shift_right(most, numbers->low_bits);
}

/* How long the unary part is, in bits. */
static inline StewardWide
steward_ascending_high_bits(StewardWide last, int low_bits, int count)
{
	return steward_bits_shift_right(last, low_bits) + (StewardWide) count;
}

/*
 * The number of low bits that makes both parts shortest. One more costs a bit
 * for each number and saves half of the 0, which pays while there are more 0 than
 * twice the numbers: so the best leaves fewer than 512 for 128 numbers.
 */
static inline int
steward_ascending_low_bits(StewardWide last, int count)
{
	int			filled = steward_bits_filled(last);
	int			low_bits = filled > 9 ? filled - 9 : 0;

	while (steward_bits_shift_right(last, low_bits) -
		   steward_bits_shift_right(last, low_bits + 1) > (StewardWide) count)
		low_bits++;
	return low_bits;
}

/* Looks at the number of the cursor's index; false behind the last, or for damage. */
static inline bool
steward_ascending_look(StewardAscendingCursor *cursor)
{
	const StewardAscending *numbers = cursor->numbers;
	StewardWide high;

	if (cursor->index >= numbers->count)
		return false;
	while (cursor->word == 0)
	{
		cursor->at += 64;
		if (cursor->at / 8 >= numbers->bits.len)
		{
			cursor->damaged = true;
			return false;
		}
		cursor->word = steward_bits_word(&numbers->bits, cursor->at);
	}
	cursor->end = cursor->at + (size_t) __builtin_ctzll(cursor->word) + 1;
	high = cursor->end - 1 - numbers->high_at - (size_t) cursor->index;
	cursor->value = steward_bits_shift_left(high, numbers->low_bits) |
		steward_bits_get_wide(&numbers->bits,
							  numbers->low_at + (size_t) cursor->index * (size_t) numbers->low_bits,
							  numbers->low_bits);
	cursor->damaged = high > numbers->most_high || cursor->value > numbers->most;
	return !cursor->damaged;
}

/* Stands on number index, or the first after it, whose unary bits begin at or behind at. */
static inline bool
steward_ascending_start(StewardAscendingCursor *cursor, const StewardAscending *numbers,
						int index, size_t at)
{
	cursor->numbers = numbers;
	cursor->index = index;
	cursor->damaged = false;
	cursor->end = at;
	cursor->at = at;
	cursor->word = steward_bits_word(&numbers->bits, at);
	return steward_ascending_look(cursor);
}

static inline bool
steward_ascending_first(StewardAscendingCursor *cursor, const StewardAscending *numbers)
{
	return steward_ascending_start(cursor, numbers, 0, numbers->high_at);
}

/* The next number; only after true. */
static inline bool
steward_ascending_next(StewardAscendingCursor *cursor)
{
	cursor->word &= cursor->word - 1;
	cursor->index++;
	return steward_ascending_look(cursor);
}

/*
 * Stands on the first number that is not below the one sought; false behind the
 * last, or for damage.
 */
static inline bool
steward_ascending_seek(StewardAscendingCursor *cursor, const StewardAscending *numbers,
					   StewardWide sought)
{
	StewardWide above = steward_bits_shift_right(sought, numbers->low_bits);
	size_t		at = numbers->high_at;
	size_t		zeros;
	int			index = 0;
	bool		found;

	/* There are not so many bits, so there is no such number. */
	if (above > numbers->bits.len * 8)
		above = numbers->bits.len * 8;
	zeros = (size_t) above;
	while (zeros > 0 && index < numbers->count)
	{
		uint64_t	word = ~steward_bits_word(&numbers->bits, at);
		int			in_word = steward_bits_count(word);
		int			skip;

		if (zeros <= (size_t) in_word)
			skip = steward_bits_select(word, (int) zeros - 1) + 1;
		else
			skip = 64;
		in_word = zeros <= (size_t) in_word ? (int) zeros : in_word;
		zeros -= (size_t) in_word;
		index += skip - in_word;
		at += (size_t) skip;
	}
	if (index > numbers->count)
		index = numbers->count;
	found = steward_ascending_start(cursor, numbers, index, at);
	while (found && cursor->value < sought)
		found = steward_ascending_next(cursor);
	return found;
}

/* The bit behind the unary part. */
static inline size_t
steward_ascending_end(const StewardAscending *numbers)
{
	size_t		at = numbers->high_at;
	int			ones = numbers->count;

	while (at / 8 < numbers->bits.len)
	{
		uint64_t	word = steward_bits_word(&numbers->bits, at);
		int			in_word = steward_bits_count(word);

		if (ones <= in_word)
			return at + (size_t) steward_bits_select(word, ones - 1) + 1;
		ones -= in_word;
		at += 64;
	}
	return at;
}

#endif							/* STEWARD_BLIND_ASCENDING_H */
