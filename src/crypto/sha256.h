/*
 * sha256.h: SHA-256 (FIPS 180-4), libsodium's.
 *
 * For digests of public bytes: nothing is wiped.
 */
#ifndef STEWARD_CRYPTO_SHA256_H
#define STEWARD_CRYPTO_SHA256_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A digest; a struct so that it can be assigned and kept in arrays. */
typedef struct StewardHash
{
	unsigned char bytes[crypto_hash_sha256_BYTES];
} StewardHash;

#define STEWARD_HASH_BYTES 32

/* A message under way. */
typedef struct StewardSha256
{
	crypto_hash_sha256_state state;
} StewardSha256;

extern void steward_sha256_init(StewardSha256 *hash);
extern void steward_sha256_update(StewardSha256 *hash, const void *bytes,
								  size_t len);
extern void steward_sha256_final(StewardSha256 *hash, StewardHash *digest);

/* The digest of one byte string. */
extern void steward_sha256(StewardHash *digest, const void *bytes, size_t len);

static inline bool
steward_hash_equals(const StewardHash *a, const StewardHash *b)
{
	return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

#endif							/* STEWARD_CRYPTO_SHA256_H */
