/*
 * anonymous.c: what retention policies put in the place of values; see anonymous.h.
 */
#include "crypto/anonymous.h"

#include <sodium.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/wipe.h"

static void
add_part(crypto_generichash_state *state, const char *part, size_t len)
{
	unsigned char length[4];

	steward_store_be32(length, (uint32_t) len);
	(void) crypto_generichash_update(state, length, sizeof length);
	(void) crypto_generichash_update(state, (const unsigned char *) part, len);
}

static void
digest(unsigned char out[STEWARD_ANONYMOUS_HASH_BYTES],
	   const unsigned char key[STEWARD_KEY_BYTES], unsigned char what,
	   const StewardAnonymousScope *scope, const unsigned char *bytes, size_t len)
{
	crypto_generichash_state state;

	(void) crypto_generichash_init(&state, key, STEWARD_KEY_BYTES,
								   STEWARD_ANONYMOUS_HASH_BYTES);
	(void) crypto_generichash_update(&state, &what, 1);
	add_part(&state, scope->policy, scope->policy_len);
	add_part(&state, scope->column, scope->column_len);
	(void) crypto_generichash_update(&state, bytes, len);
	(void) crypto_generichash_final(&state, out, STEWARD_ANONYMOUS_HASH_BYTES);
	sodium_memzero(&state, sizeof state);
	steward_wipe_frames();
}

void
steward_anonymous_hash(unsigned char hash[STEWARD_ANONYMOUS_HASH_BYTES],
					   const unsigned char key[STEWARD_KEY_BYTES],
					   const StewardAnonymousScope *scope, const char *value,
					   size_t len)
{
	digest(hash, key, 'h', scope, (const unsigned char *) value, len);
}

void
steward_anonymous_check(unsigned char check[STEWARD_ANONYMOUS_CHECK_BYTES],
						const unsigned char key[STEWARD_KEY_BYTES],
						const StewardAnonymousScope *scope,
						const unsigned char *body, size_t len)
{
	unsigned char whole[STEWARD_ANONYMOUS_HASH_BYTES];

	digest(whole, key, 'c', scope, body, len);
	memcpy(check, whole, STEWARD_ANONYMOUS_CHECK_BYTES);
}
