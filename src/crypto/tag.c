/*
 * tag.c: keyed short digests; see tag.h.
 */
#include "crypto/tag.h"

#include <sodium.h>

uint64_t
steward_tag_64(const unsigned char key[STEWARD_TAG_KEY_BYTES],
			   const unsigned char *canonical, size_t len)
{
	unsigned char digest[crypto_shorthash_BYTES];
	uint64_t	tag = 0;

	(void) crypto_shorthash(digest, canonical, len, key);
	for (size_t i = sizeof digest; i-- > 0;)	/* SipHash is little-endian */
		tag = tag << 8 | digest[i];
	return tag;
}

void
steward_tag_128(unsigned char tag[STEWARD_TAG128_BYTES],
				const unsigned char key[STEWARD_TAG_KEY_BYTES],
				const unsigned char *canonical, size_t len)
{
	(void) crypto_shorthash_siphashx24(tag, canonical, len, key);
}
