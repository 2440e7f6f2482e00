/*
 * value.c: sealing and opening one value; see value.h for the construction.
 */
#include "crypto/value.h"

#include <sodium.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/random.h"
#include "crypto/wipe.h"

#define LABEL_VALUE "pg_steward/value/1"
#define LABEL_VALUE_LEN (sizeof LABEL_VALUE - 1)
#define DERIVED_BYTES (STEWARD_KEY_BYTES + STEWARD_COMMITMENT_BYTES)

/*
 * Derives value key ‖ commitment. The input is short, so it is put together on
 * the stack and hashed in one call: the streaming interface costs a third more.
 */
static void
derive_value_key(unsigned char out[DERIVED_BYTES], const StewardValueKey *key,
				 const unsigned char *header, size_t header_len,
				 const unsigned char *salt)
{
	unsigned char message[LABEL_VALUE_LEN + STEWARD_HEADER_MAX_BYTES +
						  STEWARD_SALT_BYTES];
	size_t		len = LABEL_VALUE_LEN;

	memcpy(message, LABEL_VALUE, LABEL_VALUE_LEN);
	memcpy(message + len, header, header_len);
	len += header_len;
	memcpy(message + len, salt, STEWARD_SALT_BYTES);
	len += STEWARD_SALT_BYTES;
	(void) crypto_generichash(out, DERIVED_BYTES, message, len, key->key,
							  STEWARD_KEY_BYTES);
}

/* Mixes the plaintext into the random bytes of a salt. */
static void
hedge_salt(unsigned char salt[STEWARD_SALT_BYTES], const StewardValueKey *key,
		   const unsigned char *plain, size_t plain_len)
{
	unsigned char digest[crypto_shorthash_siphashx24_BYTES];

	(void) crypto_shorthash_siphashx24(digest, plain, plain_len, key->hedge);
	for (size_t i = 0; i < sizeof digest; i++)
		salt[i] ^= digest[i];
	sodium_memzero(digest, sizeof digest);
}

void
steward_value_key(StewardValueKey *key,
				  const unsigned char encryption_key[STEWARD_KEY_BYTES])
{
	memmove(key->key, encryption_key, STEWARD_KEY_BYTES);
	steward_kdf_hedge(key->hedge, key->key);
}

void
steward_value_seal_salted(unsigned char *out, const StewardValueKey *key,
						  const StewardDatumLabel *label,
						  const unsigned char *plain, size_t plain_len,
						  const unsigned char random[STEWARD_SALT_BYTES])
{
	unsigned char derived[DERIVED_BYTES];
	size_t		header_len = steward_datum_write_header(out, label);
	unsigned char *salt = out + header_len;
	unsigned char *commitment = salt + STEWARD_SALT_BYTES;

	memcpy(salt, random, STEWARD_SALT_BYTES);
	hedge_salt(salt, key, plain, plain_len);
	derive_value_key(derived, key, out, header_len, salt);
	memcpy(commitment, derived + STEWARD_KEY_BYTES, STEWARD_COMMITMENT_BYTES);
	steward_aead_seal(commitment + STEWARD_COMMITMENT_BYTES, plain, plain_len,
					  out, header_len, derived);
	sodium_memzero(derived, sizeof derived);
	steward_wipe_frames();
}

void
steward_value_seal(unsigned char *out, const StewardValueKey *key,
				   const StewardDatumLabel *label, const unsigned char *plain,
				   size_t plain_len)
{
	unsigned char random[STEWARD_SALT_BYTES];

	steward_random_salt(random, sizeof random);
	steward_value_seal_salted(out, key, label, plain, plain_len, random);
	sodium_memzero(random, sizeof random);
}

bool
steward_value_open(unsigned char *plain, const StewardDatum *datum,
				   const StewardValueKey *key)
{
	unsigned char derived[DERIVED_BYTES];
	bool		opened = false;

	derive_value_key(derived, key, datum->header, datum->header_len,
					 datum->salt);
	if (crypto_verify_16(derived + STEWARD_KEY_BYTES, datum->commitment) == 0)
		opened = steward_aead_open(plain, datum->ciphertext, datum->plain_len,
								   datum->header, datum->header_len, derived);
	if (!opened)
		sodium_memzero(plain, datum->plain_len);
	sodium_memzero(derived, sizeof derived);
	steward_wipe_frames();
	return opened;
}
