/*
 * blake2b.h: keyed BLAKE2b (RFC 7693) of one short message, with the key taken
 * in beforehand.
 *
 * BLAKE2b hashes a key as a block of its own before the message. libsodium does
 * so again for each message; when every value derives a key from the same
 * encryption key, that is half of the work. Here the state after the key's block
 * is kept beside the key. It is worth as much as the key: keep it where keys lie.
 * What else is hashed goes through libsodium.
 */
#ifndef STEWARD_CRYPTO_BLAKE2B_H
#define STEWARD_CRYPTO_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define STEWARD_BLAKE2B_BLOCK_BYTES 128
#define STEWARD_BLAKE2B_MAX_BYTES 64
#define STEWARD_BLAKE2B_KEY_BYTES 32

/* A key that was taken in, for digests of one length. */
typedef struct StewardBlake2bKey
{
	uint64_t	state[8];
} StewardBlake2bKey;

/* Takes in a key of 32 bytes, for digests of 1 to 64 bytes. */
extern void steward_blake2b_key(StewardBlake2bKey *taken, size_t digest_len,
								const unsigned char key[STEWARD_BLAKE2B_KEY_BYTES]);

/*
 * The digest of a message of 1 to 128 bytes, which lies in a block filled up
 * with zeros. The caller zeroes both, and wipes the stack.
 */
extern void steward_blake2b_short(unsigned char *digest, size_t digest_len,
								  const StewardBlake2bKey *taken,
								  const unsigned char block[STEWARD_BLAKE2B_BLOCK_BYTES],
								  size_t len);

#endif							/* STEWARD_CRYPTO_BLAKE2B_H */
