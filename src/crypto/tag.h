/*
 * tag.h: keyed short digests of canonical plaintext bytes (SipHash-2-4,
 * Aumasson and Bernstein 2012), for the hash and unique operator classes.
 */
#ifndef STEWARD_CRYPTO_TAG_H
#define STEWARD_CRYPTO_TAG_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/kdf.h"

#define STEWARD_TAG128_BYTES 16

/* The hash tag of canonical bytes: for hashing, in memory only. */
extern uint64_t steward_tag_64(const unsigned char key[STEWARD_TAG_KEY_BYTES],
							   const unsigned char *canonical, size_t len);

/* The unique tag of canonical bytes: the order of unique indexes. */
extern void steward_tag_128(unsigned char tag[STEWARD_TAG128_BYTES],
							const unsigned char key[STEWARD_TAG_KEY_BYTES],
							const unsigned char *canonical, size_t len);

/*
 * The hash of a value that the audit trail has in its place, by which equal values
 * of one codec are known: BLAKE2b-128(key, be32(length of codec) ‖ codec ‖ bytes).
 */
extern void steward_tag_audit(unsigned char tag[STEWARD_TAG128_BYTES],
							  const unsigned char key[STEWARD_KEY_BYTES],
							  const char *codec, size_t codec_len,
							  const unsigned char *bytes, size_t len);

#endif							/* STEWARD_CRYPTO_TAG_H */
