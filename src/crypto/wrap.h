/*
 * wrap.h: a 32-byte secret wrapped under a root key.
 *
 * Layout (105 bytes): format 1 | salt 24 | commitment 32 | ciphertext 32 |
 * Poly1305 tag 16.
 *
 *	 wrapping key ‖ commitment = BLAKE2b-512(key = root,
 *		 "pg_steward/wrap/1" ‖ realm ‖ kind ‖ ids ‖ salt)
 *	 ciphertext ‖ tag = ChaCha20-Poly1305-IETF (RFC 8439), zero nonce,
 *		 AD = realm ‖ kind ‖ ids
 *
 * The key is used once, so the nonce may be fixed; the commitment makes the
 * wrap binding to one root (ChaCha20-Poly1305 alone is not key-committing).
 *
 * Terms
 *	 realm	16 random bytes of one database and its copies
 *	 kind	what the secret is (StewardWrapKind), one byte
 *	 ids	16 bytes that say which one: big-endian key id, key tag, zeros for
 *			a key version; key id, generation - 1, zeros for an index secret;
 *			zeros for the hash secret; the uuid for a subject secret or a tombstone; the
 *			number of the ledger's key and zeros for its seed
 *	 tombstone	a wrap of 32 zero bytes that takes the place of an erased
 *			subject's secret: only who has the root can make one
 */
#ifndef STEWARD_CRYPTO_WRAP_H
#define STEWARD_CRYPTO_WRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/kdf.h"

#define STEWARD_REALM_BYTES 16
#define STEWARD_WRAP_IDS_BYTES 16
#define STEWARD_WRAP_BYTES (1 + 24 + 32 + 32 + 16)

typedef enum StewardWrapKind
{
	STEWARD_WRAP_KEY_VERSION = 1,
	STEWARD_WRAP_INDEX_SECRET = 2,
	STEWARD_WRAP_HASH_SECRET = 3,
	STEWARD_WRAP_SUBJECT_SECRET = 4,
	STEWARD_WRAP_TOMBSTONE = 5,
	STEWARD_WRAP_LEDGER_SEED = 6
} StewardWrapKind;

/* What a wrap is bound to besides the root. */
typedef struct StewardWrapContext
{
	unsigned char realm[STEWARD_REALM_BYTES];
	unsigned char kind;
	unsigned char ids[STEWARD_WRAP_IDS_BYTES];
} StewardWrapContext;

/*
 * Fills a context for a key version, whose number is its tag; an index secret,
 * whose number is its generation less 1; or, with both ids 0, the hash secret.
 */
extern void steward_wrap_context(StewardWrapContext *context,
								 const unsigned char realm[STEWARD_REALM_BYTES],
								 StewardWrapKind kind, uint32_t key_id,
								 uint32_t number);

/* Fills a context for the secret or the tombstone of a subject. */
extern void steward_wrap_subject_context(StewardWrapContext *context,
										 const unsigned char realm[STEWARD_REALM_BYTES],
										 StewardWrapKind kind,
										 const unsigned char subject[STEWARD_UUID_BYTES]);

/* As steward_wrap_seal, with the caller's salt: for test vectors only. */
extern void steward_wrap_seal_salted(unsigned char out[STEWARD_WRAP_BYTES],
									 const unsigned char root[STEWARD_KEY_BYTES],
									 const StewardWrapContext *context,
									 const unsigned char secret[STEWARD_KEY_BYTES],
									 const unsigned char salt[24]);

/* Wraps a secret under a root, bound to its context, with a fresh salt. */
extern void steward_wrap_seal(unsigned char out[STEWARD_WRAP_BYTES],
							  const unsigned char root[STEWARD_KEY_BYTES],
							  const StewardWrapContext *context,
							  const unsigned char secret[STEWARD_KEY_BYTES]);

/*
 * True and the secret, or false and a zeroed secret: unknown format, wrong
 * length, another root, another context or altered bytes, which it does not
 * tell apart.
 */
extern bool steward_wrap_open(unsigned char secret[STEWARD_KEY_BYTES],
							  const unsigned char *wrapped, size_t wrapped_len,
							  const unsigned char root[STEWARD_KEY_BYTES],
							  const StewardWrapContext *context);

/* Makes the tombstone of a subject; the context is one for a tombstone. */
extern void steward_wrap_seal_tombstone(unsigned char out[STEWARD_WRAP_BYTES],
										const unsigned char root[STEWARD_KEY_BYTES],
										const StewardWrapContext *context);

/* Is this the tombstone that the context says, under this root? */
extern bool steward_wrap_is_tombstone(const unsigned char *wrapped,
									  size_t wrapped_len,
									  const unsigned char root[STEWARD_KEY_BYTES],
									  const StewardWrapContext *context);

#endif							/* STEWARD_CRYPTO_WRAP_H */
