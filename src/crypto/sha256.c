/*
 * sha256.c: SHA-256; see sha256.h.
 *
 * The state is libsodium's public struct, so that either side can take it: its
 * count is in bits, its buffer holds what is no whole block yet.
 */
#include "crypto/sha256.h"

#include <string.h>

#include "crypto/bytes.h"

#define BLOCK STEWARD_SHA256_BLOCK_BYTES
#define LENGTH_BYTES 8

/* Do the instructions compute what libsodium does? Asked once. */
static bool
agrees_with_libsodium(void)
{
	crypto_hash_sha256_state expected;
	uint32_t	state[8];
	unsigned char blocks[2 * BLOCK];

	for (size_t i = 0; i < sizeof blocks; i++)
		blocks[i] = (unsigned char) (i * 37);
	(void) crypto_hash_sha256_init(&expected);
	memcpy(state, expected.state, sizeof state);
	(void) crypto_hash_sha256_update(&expected, blocks, sizeof blocks);
	steward_sha256_x86_blocks(state, blocks, 2);
	return memcmp(state, expected.state, sizeof state) == 0;
}

static bool
has_instructions(void)
{
	static enum
	{
		UNKNOWN, ABSENT, PRESENT
	}			answer = UNKNOWN;

	if (answer == UNKNOWN)
		answer = steward_sha256_x86_is_usable() && agrees_with_libsodium() ?
			PRESENT : ABSENT;
	return answer == PRESENT;
}

void
steward_sha256_init(StewardSha256 *hash)
{
	(void) crypto_hash_sha256_init(&hash->state);
}

void
steward_sha256_update(StewardSha256 *hash, const void *bytes, size_t len)
{
	crypto_hash_sha256_state *state = &hash->state;
	const unsigned char *next = bytes;
	size_t		held = (size_t) (state->count / 8 % BLOCK);

	if (!has_instructions())
	{
		(void) crypto_hash_sha256_update(state, next, len);
		return;
	}
	if (len == 0)
		return;
	state->count += (uint64_t) len * 8;
	if (held > 0)
	{
		size_t		missing = BLOCK - held;

		if (len < missing)
		{
			memcpy(state->buf + held, next, len);
			return;
		}
		memcpy(state->buf + held, next, missing);
		steward_sha256_x86_blocks(state->state, state->buf, 1);
		next += missing;
		len -= missing;
	}
	steward_sha256_x86_blocks(state->state, next, len / BLOCK);
	memcpy(state->buf, next + len / BLOCK * BLOCK, len % BLOCK);
}

void
steward_sha256_final(StewardSha256 *hash, StewardHash *digest)
{
	crypto_hash_sha256_state *state = &hash->state;
	size_t		held = (size_t) (state->count / 8 % BLOCK);
	unsigned char last[2 * BLOCK];
	size_t		len = held < BLOCK - LENGTH_BYTES ? BLOCK : 2 * BLOCK;

	if (!has_instructions())
	{
		(void) crypto_hash_sha256_final(state, digest->bytes);
		return;
	}
	memcpy(last, state->buf, held);
	last[held] = 0x80;
	memset(last + held + 1, 0, len - held - 1 - LENGTH_BYTES);
	steward_store_be64(last + len - LENGTH_BYTES, state->count);
	steward_sha256_x86_blocks(state->state, last, len / BLOCK);
	for (size_t i = 0; i < 8; i++)
		steward_store_be32(digest->bytes + 4 * i, state->state[i]);
}

void
steward_sha256(StewardHash *digest, const void *bytes, size_t len)
{
	StewardSha256 hash;

	steward_sha256_init(&hash);
	steward_sha256_update(&hash, bytes, len);
	steward_sha256_final(&hash, digest);
}
