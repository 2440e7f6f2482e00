/*
 * blake2b.c: keyed BLAKE2b of short messages; see blake2b.h.
 *
 * The compression function is that of RFC 7693, section 3.2. Additions, XORs and
 * rotations alone: it takes the same time for all keys and messages.
 */
#include "crypto/blake2b.h"

#include <string.h>

#define ROUNDS 12

/* Section 2.6: the fractional parts of the square roots of the first primes. */
static const uint64_t initial[8] = {
	UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
	UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
	UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
	UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)
};

/* Section 2.7: which word of the message goes where, round by round. */
static const uint8_t schedule[ROUNDS][16] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}
};

/* Between little-endian bytes and a word, either way. */
static inline uint64_t
little_endian(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(word);
#else
	return word;
#endif
}

static inline uint64_t
rotate_right(uint64_t word, int bits)
{
	return word >> bits | word << (64 - bits);
}

/* Section 3.1: mixes two words of the message into four of the state. */
#define MIX(a, b, c, d, x, y) \
	do { \
		a += b + (x); \
		d = rotate_right(d ^ a, 32); \
		c += d; \
		b = rotate_right(b ^ c, 24); \
		a += b + (y); \
		d = rotate_right(d ^ a, 16); \
		c += d; \
		b = rotate_right(b ^ c, 63); \
	} while (0)

/* One round, its number a constant so that the schedule is folded in. */
#define ROUND(r) \
	do { \
		MIX(v0, v4, v8, v12, m[schedule[r][0]], m[schedule[r][1]]); \
		MIX(v1, v5, v9, v13, m[schedule[r][2]], m[schedule[r][3]]); \
		MIX(v2, v6, v10, v14, m[schedule[r][4]], m[schedule[r][5]]); \
		MIX(v3, v7, v11, v15, m[schedule[r][6]], m[schedule[r][7]]); \
		MIX(v0, v5, v10, v15, m[schedule[r][8]], m[schedule[r][9]]); \
		MIX(v1, v6, v11, v12, m[schedule[r][10]], m[schedule[r][11]]); \
		MIX(v2, v7, v8, v13, m[schedule[r][12]], m[schedule[r][13]]); \
		MIX(v3, v4, v9, v14, m[schedule[r][14]], m[schedule[r][15]]); \
	} while (0)

/* Compresses a block; total counts the bytes so far, last is all ones or 0. */
static void
compress(uint64_t h[8], const unsigned char block[STEWARD_BLAKE2B_BLOCK_BYTES],
		 uint64_t total, uint64_t last)
{
	uint64_t	m[16];
	uint64_t	v0 = h[0],
				v1 = h[1],
				v2 = h[2],
				v3 = h[3],
				v4 = h[4],
				v5 = h[5],
				v6 = h[6],
				v7 = h[7];
	uint64_t	v8 = initial[0],
				v9 = initial[1],
				v10 = initial[2],
				v11 = initial[3],
				v12 = initial[4] ^ total,
				v13 = initial[5],
				v14 = initial[6] ^ last,
				v15 = initial[7];

	memcpy(m, block, sizeof m);
	for (int i = 0; i < 16; i++)
		m[i] = little_endian(m[i]);
	ROUND(0);
	ROUND(1);
	ROUND(2);
	ROUND(3);
	ROUND(4);
	ROUND(5);
	ROUND(6);
	ROUND(7);
	ROUND(8);
	ROUND(9);
	ROUND(10);
	ROUND(11);
	h[0] ^= v0 ^ v8;
	h[1] ^= v1 ^ v9;
	h[2] ^= v2 ^ v10;
	h[3] ^= v3 ^ v11;
	h[4] ^= v4 ^ v12;
	h[5] ^= v5 ^ v13;
	h[6] ^= v6 ^ v14;
	h[7] ^= v7 ^ v15;
}

void
steward_blake2b_key(StewardBlake2bKey *taken, size_t digest_len,
					const unsigned char key[STEWARD_BLAKE2B_KEY_BYTES])
{
	unsigned char block[STEWARD_BLAKE2B_BLOCK_BYTES] = {0};

	memcpy(block, key, STEWARD_BLAKE2B_KEY_BYTES);
	memcpy(taken->state, initial, sizeof initial);
	/* Section 2.5: lengths of digest and key, no tree. */
	taken->state[0] ^= UINT64_C(0x01010000) ^
		(uint64_t) STEWARD_BLAKE2B_KEY_BYTES << 8 ^ digest_len;
	compress(taken->state, block, sizeof block, 0);
	/* The caller wipes the stack, this block with it. */
}

void
steward_blake2b_short(unsigned char *digest, size_t digest_len,
					  const StewardBlake2bKey *taken,
					  const unsigned char block[STEWARD_BLAKE2B_BLOCK_BYTES],
					  size_t len)
{
	uint64_t	h[8];

	memcpy(h, taken->state, sizeof h);
	compress(h, block, STEWARD_BLAKE2B_BLOCK_BYTES + len, UINT64_MAX);
	for (int i = 0; i < 8; i++)
		h[i] = little_endian(h[i]);
	memcpy(digest, h, digest_len);
}
