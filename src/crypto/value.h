/*
 * value.h: sealing and opening one value (suite 1).
 *
 *	 value key ‖ commitment = BLAKE2b-384(key = encryption key,
 *		 "pg_steward/value/1" ‖ header ‖ salt), 32 + 16 bytes
 *	 ciphertext ‖ tag = ChaCha20-Poly1305-IETF (RFC 8439), zero nonce,
 *		 AD = header
 *	 salt = 24 random bytes, the first 16 XORed with SipHash-2-4-128 of the
 *		 plaintext under the hedge key: a repeated pool (a cloned machine)
 *		 then repeats a key only for a repeated plaintext
 */
#ifndef STEWARD_CRYPTO_VALUE_H
#define STEWARD_CRYPTO_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/datum.h"
#include "crypto/kdf.h"

/* An encryption key with the hedge key derived from it. */
typedef struct StewardValueKey
{
	unsigned char key[STEWARD_KEY_BYTES];
	unsigned char hedge[STEWARD_HEDGE_BYTES];
} StewardValueKey;

/* Fills a value key from an encryption key. */
extern void steward_value_key(StewardValueKey *key,
							  const unsigned char encryption_key[STEWARD_KEY_BYTES]);

/* Writes steward_datum_size() bytes to out, which must not overlap plain. */
extern void steward_value_seal(unsigned char *out, const StewardValueKey *key,
							   const StewardDatumLabel *label,
							   const unsigned char *plain, size_t plain_len);

/* As steward_value_seal, with the caller's random bytes: for vectors only. */
extern void steward_value_seal_salted(unsigned char *out,
									  const StewardValueKey *key,
									  const StewardDatumLabel *label,
									  const unsigned char *plain,
									  size_t plain_len,
									  const unsigned char random[STEWARD_SALT_BYTES]);

/*
 * Writes datum->plain_len bytes to plain and returns true; or returns false
 * with plain zeroed when the key is another one or any byte was altered.
 */
extern bool steward_value_open(unsigned char *plain, const StewardDatum *datum,
							   const StewardValueKey *key);

#endif							/* STEWARD_CRYPTO_VALUE_H */
