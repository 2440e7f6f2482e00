/*
 * tag.c: keyed short digests; see tag.h.
 */
#include "crypto/tag.h"

#include <sodium.h>

#include "crypto/bytes.h"
#include "crypto/wipe.h"

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

void
steward_tag_audit(unsigned char tag[STEWARD_TAG128_BYTES],
				  const unsigned char key[STEWARD_KEY_BYTES],
				  const char *codec, size_t codec_len,
				  const unsigned char *bytes, size_t len)
{
	crypto_generichash_state state;
	unsigned char length[4];

	steward_store_be32(length, (uint32_t) codec_len);
	(void) crypto_generichash_init(&state, key, STEWARD_KEY_BYTES,
								   STEWARD_TAG128_BYTES);
	(void) crypto_generichash_update(&state, length, sizeof length);
	(void) crypto_generichash_update(&state, (const unsigned char *) codec, codec_len);
	(void) crypto_generichash_update(&state, bytes, len);
	(void) crypto_generichash_final(&state, tag, STEWARD_TAG128_BYTES);
	sodium_memzero(&state, sizeof state);
	steward_wipe_frames();
}
