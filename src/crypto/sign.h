/*
 * sign.h: Ed25519 signatures (RFC 8032) of the ledger.
 *
 * The seed is the secret; the expanded key is made of it in each signing and
 * zeroed before the function returns. Verifying is libsodium's: it refuses
 * scalars that are not reduced and public keys of small order.
 */
#ifndef STEWARD_CRYPTO_SIGN_H
#define STEWARD_CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#define STEWARD_SIGN_SEED_BYTES 32
#define STEWARD_SIGN_PUBLIC_BYTES 32
#define STEWARD_SIGNATURE_BYTES 64

/* The public key of a seed. */
extern void steward_sign_public(unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES],
								const unsigned char seed[STEWARD_SIGN_SEED_BYTES]);

extern void steward_sign(unsigned char signature[STEWARD_SIGNATURE_BYTES],
						 const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
						 const void *message, size_t len);

extern bool steward_sign_verify(const unsigned char signature[STEWARD_SIGNATURE_BYTES],
								const unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES],
								const void *message, size_t len);

#endif							/* STEWARD_CRYPTO_SIGN_H */
