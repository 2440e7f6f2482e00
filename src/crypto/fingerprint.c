/*
 * fingerprint.c: fingerprints within one process; see fingerprint.h.
 *
 * The bytes are taken as words s2, s3, … of 64 bits, filled up with zeros, after
 * the context s0 and the length s1; k are random words of 128 bits:
 *
 *	 fingerprint = (k + k0 s0 + k1 s1 + … mod 2^128) / 2^64
 *
 * That is strongly universal, since a zero at the end adds nothing and the length
 * tells strings apart that differ in them. Strings longer than the material, and
 * all where the compiler has no 128-bit integers, go through SipHash.
 */
#include "crypto/fingerprint.h"

#include <sodium.h>
#include <string.h>

#ifdef __SIZEOF_INT128__
#define WORDS_MAX 64
typedef unsigned __int128 Wide;
#else
#define WORDS_MAX 0
#endif

static struct
{
	int			made;
	unsigned char siphash_key[crypto_shorthash_siphashx24_KEYBYTES];
#if WORDS_MAX > 0
	Wide		words[WORDS_MAX + 3];
#endif
}			material;

static uint64_t
of_long(uint64_t context, const unsigned char *bytes, size_t len)
{
	unsigned char digest[crypto_shorthash_siphashx24_BYTES];
	unsigned char whole[sizeof digest + sizeof context];
	uint64_t	result;

	(void) crypto_shorthash_siphashx24(whole, bytes, len,
									   material.siphash_key);
	memcpy(whole + sizeof digest, &context, sizeof context);
	(void) crypto_shorthash_siphashx24(digest, whole, sizeof whole,
									   material.siphash_key);
	memcpy(&result, digest, sizeof result);
	return result;
}

#if WORDS_MAX > 0
static uint64_t
of_short(uint64_t context, const unsigned char *bytes, size_t len)
{
	const Wide *next = material.words;
	Wide		sum = *next++;
	uint64_t	word;

	sum += *next++ * context;
	sum += *next++ * len;
	for (; len >= sizeof word; bytes += sizeof word, len -= sizeof word)
	{
		memcpy(&word, bytes, sizeof word);
		sum += *next++ * word;
	}
	if (len > 0)
	{
		word = 0;
		memcpy(&word, bytes, len);
		sum += *next * word;
	}
	return (uint64_t) (sum >> 64);
}
#endif

uint64_t
steward_fingerprint(uint64_t context, const unsigned char *bytes, size_t len)
{
	if (__builtin_expect(!material.made, 0))
	{
		randombytes_buf(&material, sizeof material);
		material.made = 1;
	}
#if WORDS_MAX > 0
	if (len <= WORDS_MAX * sizeof(uint64_t))
		return of_short(context, bytes, len);
#endif
	return of_long(context, bytes, len);
}
