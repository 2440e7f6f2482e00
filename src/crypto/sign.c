/*
 * sign.c: Ed25519; see sign.h.
 */
#include "crypto/sign.h"

#include "crypto/wipe.h"

/* Both halves of libsodium's key pair; the secret one is the caller's to zero. */
static void
expand(unsigned char public_key[crypto_sign_PUBLICKEYBYTES],
	   unsigned char secret_key[crypto_sign_SECRETKEYBYTES],
	   const unsigned char *seed)
{
	(void) crypto_sign_seed_keypair(public_key, secret_key, seed);
}

void
steward_sign_public(unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES],
					const unsigned char seed[STEWARD_SIGN_SEED_BYTES])
{
	unsigned char secret_key[crypto_sign_SECRETKEYBYTES];

	expand(public_key, secret_key, seed);
	sodium_memzero(secret_key, sizeof secret_key);
	steward_wipe_stack();
}

void
steward_sign(unsigned char signature[STEWARD_SIGNATURE_BYTES],
			 const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
			 const void *message, size_t len)
{
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
	unsigned char secret_key[crypto_sign_SECRETKEYBYTES];

	expand(public_key, secret_key, seed);
	(void) crypto_sign_detached(signature, NULL, message, len, secret_key);
	sodium_memzero(secret_key, sizeof secret_key);
	steward_wipe_stack();
}

bool
steward_sign_verify(const unsigned char signature[STEWARD_SIGNATURE_BYTES],
					const unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES],
					const void *message, size_t len)
{
	return crypto_sign_verify_detached(signature, message, len, public_key) == 0;
}
