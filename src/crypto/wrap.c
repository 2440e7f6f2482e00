/*
 * wrap.c: a 32-byte secret wrapped under a root key; see wrap.h for the
 * layout and the terms.
 */
#include "crypto/wrap.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/random.h"
#include "crypto/wipe.h"

#define LABEL_WRAP "pg_steward/wrap/1"
#define WRAP_FORMAT 1
#define SALT_BYTES 24
#define COMMITMENT_BYTES 32
#define AD_BYTES (STEWARD_REALM_BYTES + 1 + STEWARD_WRAP_IDS_BYTES)

#define OFFSET_SALT 1
#define OFFSET_COMMITMENT (OFFSET_SALT + SALT_BYTES)
#define OFFSET_CIPHERTEXT (OFFSET_COMMITMENT + COMMITMENT_BYTES)

static const unsigned char zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

/* key (32) ‖ commitment (32), and the associated data they depend on */
typedef struct WrapKeys
{
	unsigned char key[STEWARD_KEY_BYTES];
	unsigned char commitment[COMMITMENT_BYTES];
	unsigned char ad[AD_BYTES];
} WrapKeys;

_Static_assert(offsetof(WrapKeys, commitment) == STEWARD_KEY_BYTES,
			   "one 64-byte output must fill key and commitment");

static void
derive_wrap_keys(WrapKeys *keys, const unsigned char *root,
				 const StewardWrapContext *context, const unsigned char *salt)
{
	crypto_generichash_state state;

	memcpy(keys->ad, context->realm, STEWARD_REALM_BYTES);
	keys->ad[STEWARD_REALM_BYTES] = context->kind;
	memcpy(keys->ad + STEWARD_REALM_BYTES + 1, context->ids,
		   STEWARD_WRAP_IDS_BYTES);

	(void) crypto_generichash_init(&state, root, STEWARD_KEY_BYTES,
								   STEWARD_KEY_BYTES + COMMITMENT_BYTES);
	(void) crypto_generichash_update(&state, (const unsigned char *) LABEL_WRAP,
									 sizeof LABEL_WRAP - 1);
	(void) crypto_generichash_update(&state, keys->ad, AD_BYTES);
	(void) crypto_generichash_update(&state, salt, SALT_BYTES);
	(void) crypto_generichash_final(&state, (unsigned char *) keys,
									STEWARD_KEY_BYTES + COMMITMENT_BYTES);
	sodium_memzero(&state, sizeof state);
}

void
steward_wrap_context(StewardWrapContext *context,
					 const unsigned char realm[STEWARD_REALM_BYTES],
					 StewardWrapKind kind, uint32_t key_id, uint32_t number)
{
	memset(context, 0, sizeof *context);
	memcpy(context->realm, realm, STEWARD_REALM_BYTES);
	context->kind = (unsigned char) kind;
	steward_store_be32(context->ids, key_id);
	steward_store_be32(context->ids + 4, number);
}

void
steward_wrap_subject_context(StewardWrapContext *context,
							 const unsigned char realm[STEWARD_REALM_BYTES],
							 StewardWrapKind kind,
							 const unsigned char subject[STEWARD_UUID_BYTES])
{
	memcpy(context->realm, realm, STEWARD_REALM_BYTES);
	context->kind = (unsigned char) kind;
	memcpy(context->ids, subject, STEWARD_WRAP_IDS_BYTES);
}

void
steward_wrap_seal_salted(unsigned char out[STEWARD_WRAP_BYTES],
						 const unsigned char root[STEWARD_KEY_BYTES],
						 const StewardWrapContext *context,
						 const unsigned char secret[STEWARD_KEY_BYTES],
						 const unsigned char salt[24])
{
	WrapKeys	keys;

	derive_wrap_keys(&keys, root, context, salt);
	out[0] = WRAP_FORMAT;
	memcpy(out + OFFSET_SALT, salt, SALT_BYTES);
	memcpy(out + OFFSET_COMMITMENT, keys.commitment, COMMITMENT_BYTES);
	(void) crypto_aead_chacha20poly1305_ietf_encrypt(out + OFFSET_CIPHERTEXT,
													 NULL, secret,
													 STEWARD_KEY_BYTES, keys.ad,
													 AD_BYTES, NULL, zero_nonce,
													 keys.key);
	sodium_memzero(&keys, sizeof keys);
	steward_wipe_stack();
}

void
steward_wrap_seal(unsigned char out[STEWARD_WRAP_BYTES],
				  const unsigned char root[STEWARD_KEY_BYTES],
				  const StewardWrapContext *context,
				  const unsigned char secret[STEWARD_KEY_BYTES])
{
	unsigned char salt[SALT_BYTES];

	steward_random_key(salt, sizeof salt);
	steward_wrap_seal_salted(out, root, context, secret, salt);
}

bool
steward_wrap_open(unsigned char secret[STEWARD_KEY_BYTES],
				  const unsigned char *wrapped, size_t wrapped_len,
				  const unsigned char root[STEWARD_KEY_BYTES],
				  const StewardWrapContext *context)
{
	WrapKeys	keys;
	bool		opened = false;

	sodium_memzero(secret, STEWARD_KEY_BYTES);
	if (wrapped_len != STEWARD_WRAP_BYTES || wrapped[0] != WRAP_FORMAT)
		return false;

	derive_wrap_keys(&keys, root, context, wrapped + OFFSET_SALT);
	if (sodium_memcmp(keys.commitment, wrapped + OFFSET_COMMITMENT,
					  COMMITMENT_BYTES) == 0)
		opened = crypto_aead_chacha20poly1305_ietf_decrypt(secret, NULL, NULL,
														   wrapped + OFFSET_CIPHERTEXT,
														   STEWARD_KEY_BYTES + 16,
														   keys.ad, AD_BYTES,
														   zero_nonce,
														   keys.key) == 0;
	if (!opened)
		sodium_memzero(secret, STEWARD_KEY_BYTES);
	sodium_memzero(&keys, sizeof keys);
	steward_wipe_stack();
	return opened;
}

void
steward_wrap_seal_tombstone(unsigned char out[STEWARD_WRAP_BYTES],
							const unsigned char root[STEWARD_KEY_BYTES],
							const StewardWrapContext *context)
{
	static const unsigned char zeros[STEWARD_KEY_BYTES];

	steward_wrap_seal(out, root, context, zeros);
}

bool
steward_wrap_is_tombstone(const unsigned char *wrapped, size_t wrapped_len,
						  const unsigned char root[STEWARD_KEY_BYTES],
						  const StewardWrapContext *context)
{
	unsigned char content[STEWARD_KEY_BYTES];
	bool		opened = context->kind == STEWARD_WRAP_TOMBSTONE &&
		steward_wrap_open(content, wrapped, wrapped_len, root, context) &&
		sodium_is_zero(content, sizeof content);

	sodium_memzero(content, sizeof content);
	return opened;
}
