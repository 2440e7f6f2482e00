/*
 * sha256.c: SHA-256, by libsodium; see sha256.h.
 */
#include "crypto/sha256.h"

void
steward_sha256_init(StewardSha256 *hash)
{
	(void) crypto_hash_sha256_init(&hash->state);
}

void
steward_sha256_update(StewardSha256 *hash, const void *bytes, size_t len)
{
	(void) crypto_hash_sha256_update(&hash->state, bytes, len);
}

void
steward_sha256_final(StewardSha256 *hash, StewardHash *digest)
{
	(void) crypto_hash_sha256_final(&hash->state, digest->bytes);
}

void
steward_sha256(StewardHash *digest, const void *bytes, size_t len)
{
	(void) crypto_hash_sha256(digest->bytes, bytes, len);
}
