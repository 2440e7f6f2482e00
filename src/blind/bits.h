/*
 * bits.h: bit strings in memory, low bits of each byte first.
 *
 * What is read lies within a length; beyond it are zeros. Widths are up to 64,
 * or up to 128 where it says wide. No shift here is by the width of its operand.
 */
#ifndef STEWARD_BLIND_BITS_H
#define STEWARD_BLIND_BITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 StewardWide;

#define STEWARD_BITS_EACH_BYTE UINT64_C(0x0101010101010101)

/* The bytes that bits are read from. */
typedef struct StewardBits
{
	const unsigned char *bytes;
	size_t		len;
} StewardBits;

/* Where bits are written; the caller has seen to it that there is room. */
typedef struct StewardBitsWriter
{
	unsigned char *out;
	uint64_t	word;			/* what is not yet in out */
	int			fill;			/* so many bits of it, below 64 */
} StewardBitsWriter;

static inline uint64_t
steward_bits_load(const unsigned char *bytes)
{
	uint64_t	word;

	memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static inline void
steward_bits_store(unsigned char *out, uint64_t word, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	memcpy(out, &word, len);
}

/* The lowest width bits set. */
static inline uint64_t
steward_bits_mask(int width)
{
	return width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

static inline StewardWide
steward_bits_shift_left(StewardWide number, int by)
{
	return by >= 128 ? 0 : number << by;
}

static inline StewardWide
steward_bits_shift_right(StewardWide number, int by)
{
	return by >= 128 ? 0 : number >> by;
}

/* How many bits a number fills; 0 for 0. */
static inline int
steward_bits_filled(StewardWide number)
{
	uint64_t	high = (uint64_t) (number >> 64);

	if (high != 0)
		return 128 - __builtin_clzll(high);
	return (uint64_t) number == 0 ? 0 : 64 - __builtin_clzll((uint64_t) number);
}

/* The 64 bits from bit at. */
static inline uint64_t
steward_bits_word(const StewardBits *bits, size_t at)
{
	size_t		byte = at / 8;
	int			skip = (int) (at % 8);
	unsigned char copy[9] = {0};
	const unsigned char *from = bits->bytes + byte;

	if (bits->len < sizeof copy || byte > bits->len - sizeof copy)
	{
		if (byte >= bits->len)
			return 0;
		memcpy(copy, from, bits->len - byte < sizeof copy ? bits->len - byte : sizeof copy);
		from = copy;
	}
	if (skip == 0)
		return steward_bits_load(from);
	return steward_bits_load(from) >> skip | (uint64_t) from[8] << (64 - skip);
}

static inline uint64_t
steward_bits_get(const StewardBits *bits, size_t at, int width)
{
	return steward_bits_word(bits, at) & steward_bits_mask(width);
}

static inline StewardWide
steward_bits_get_wide(const StewardBits *bits, size_t at, int width)
{
	if (width <= 64)
		return steward_bits_get(bits, at, width);
	return (StewardWide) steward_bits_get(bits, at + 64, width - 64) << 64 |
		steward_bits_word(bits, at);
}

/* Byte i is the number of bits set in bytes 0 to i: the last one has all (Vigna 2008). */
static inline uint64_t
steward_bits_sums(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) +
		(word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return word * STEWARD_BITS_EACH_BYTE;
}

static inline int
steward_bits_count(uint64_t word)
{
	return (int) (steward_bits_sums(word) >> 56);
}

/* Where set bit number k is, counted from 0; there are more than k. */
static inline int
steward_bits_select(uint64_t word, int k)
{
	uint64_t	sums = steward_bits_sums(word);
	uint64_t	up_to_k;		/* in each byte the high bit, where its sum is
								 * up to k */
	int			skip;

	up_to_k = (((uint64_t) k * STEWARD_BITS_EACH_BYTE | UINT64_C(0x8080808080808080)) - sums) &
		UINT64_C(0x8080808080808080);
	skip = 8 * (int) ((up_to_k >> 7) * STEWARD_BITS_EACH_BYTE >> 56);
	k -= (int) ((sums << 8) >> skip & 0xFF);
	word >>= skip;
	while (k-- > 0)
		word &= word - 1;
	return skip + __builtin_ctzll(word);
}

/* Appends the lowest width bits of a number, which has no others. */
static inline void
steward_bits_put(StewardBitsWriter *writer, uint64_t number, int width)
{
	writer->word |= number << writer->fill;
	if (writer->fill + width < 64)
	{
		writer->fill += width;
		return;
	}
	steward_bits_store(writer->out, writer->word, sizeof writer->word);
	writer->out += sizeof writer->word;
	writer->word = writer->fill == 0 ? 0 : number >> (64 - writer->fill);
	writer->fill += width - 64;
}

/* Appends the lowest width bits of any number. */
static inline void
steward_bits_put_wide(StewardBitsWriter *writer, StewardWide number, int width)
{
	if (width > 64)
	{
		steward_bits_put(writer, (uint64_t) number, 64);
		number >>= 64;
		width -= 64;
	}
	steward_bits_put(writer, (uint64_t) number & steward_bits_mask(width), width);
}

/* Appends so many 0 and a 1. */
static inline void
steward_bits_put_unary(StewardBitsWriter *writer, uint64_t zeros)
{
	for (; zeros >= 64; zeros -= 64)
		steward_bits_put(writer, 0, 64);
	steward_bits_put(writer, UINT64_C(1) << zeros, (int) zeros + 1);
}

/* Fills the last byte up with 0; returns the end. */
static inline unsigned char *
steward_bits_finish(StewardBitsWriter *writer)
{
	size_t		rest = (size_t) (writer->fill + 7) / 8;

	steward_bits_store(writer->out, writer->word, rest);
	return writer->out + rest;
}

#endif							/* STEWARD_BLIND_BITS_H */
