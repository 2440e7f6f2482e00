/*
 * sha256_x86.c: the block function of SHA-256 (FIPS 180-4, section 6.2.2) by the
 * SHA extensions of x86; see sha256.h.
 *
 * sha256rnds2 does two rounds on the state in two registers, of which one holds
 * the words a b e f, the other c d g h, the first named in the highest lane.
 * sha256msg1 and sha256msg2 do the parts of the message schedule with the small
 * sigmas for four words.
 */
#include "crypto/sha256.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>

#define USES_SHA __attribute__((target("sha,sse4.1")))

static const uint32_t round_constants[64]
__attribute__((aligned(16))) =
{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
		0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
		0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
		0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
		0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
		0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
		0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
		0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
		0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
		0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
		0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

bool
steward_sha256_x86_is_usable(void)
{
	unsigned int a,
				b,
				c,
				d;

	if (!__get_cpuid(1, &a, &b, &c, &d) ||
		(c & bit_SSE4_1) == 0 || (c & bit_SSSE3) == 0)
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/* Words 4 i … 4 i + 3 of the schedule, from the sixteen words before them. */
USES_SHA static inline __m128i
next_words(const __m128i * w, unsigned int i)
{
	__m128i		latest = w[(i + 3) % 4];
	__m128i		middle = _mm_alignr_epi8(latest, w[(i + 2) % 4], 4);
	__m128i		early = _mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]);

	return _mm_sha256msg2_epu32(_mm_add_epi32(early, middle), latest);
}

USES_SHA void
steward_sha256_x86_blocks(uint32_t state[8], const unsigned char *blocks,
						  size_t count)
{
	const		__m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11,
											4, 5, 6, 7, 0, 1, 2, 3);
	__m128i		badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) state), 0xb1);
	__m128i		hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *) (state + 4)), 0x1b);
	__m128i		abef = _mm_alignr_epi8(badc, hgfe, 8);
	__m128i		cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);

	for (; count > 0; count--, blocks += STEWARD_SHA256_BLOCK_BYTES)
	{
		const		__m128i abef_before = abef;
		const		__m128i cdgh_before = cdgh;
		__m128i		w[4];

#pragma GCC unroll 16
		for (unsigned int i = 0; i < 16; i++)
		{
			const		__m128i *in = (const __m128i *) blocks + i % 4;
			__m128i		added;

			w[i % 4] = i < 4 ? _mm_shuffle_epi8(_mm_loadu_si128(in), swap) :
				next_words(w, i);
			added = _mm_add_epi32(w[i % 4],
								  _mm_load_si128((const __m128i *) round_constants + i));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(added, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	hgfe = _mm_shuffle_epi32(abef, 0x1b);	/* a b e f from the lowest lane */
	badc = _mm_shuffle_epi32(cdgh, 0xb1);	/* g h c d */
	_mm_storeu_si128((__m128i *) state, _mm_blend_epi16(hgfe, badc, 0xf0));
	_mm_storeu_si128((__m128i *) (state + 4), _mm_alignr_epi8(badc, hgfe, 8));
}

#else

bool
steward_sha256_x86_is_usable(void)
{
	return false;
}

/* Never called: it is not usable. */
void
steward_sha256_x86_blocks(uint32_t state[8], const unsigned char *blocks,
						  size_t count)
{
	(void) state;
	(void) blocks;
	(void) count;
}

#endif
