/*
 * context_mac.c: the MAC of a context; see context_mac.h.
 */
#include "crypto/context_mac.h"

#include <sodium.h>

#include "crypto/bytes.h"
#include "crypto/wipe.h"

#define LABEL_CONTEXT_KEY "pg_steward/context-key/1"
#define LABEL_CONTEXT "pg_steward/context/1"

void
steward_context_key(unsigned char key[STEWARD_KEY_BYTES],
					const unsigned char root[STEWARD_KEY_BYTES],
					const unsigned char realm[STEWARD_REALM_BYTES],
					const char *name, size_t name_len)
{
	crypto_generichash_state state;

	(void) crypto_generichash_init(&state, root, STEWARD_KEY_BYTES,
								   STEWARD_KEY_BYTES);
	(void) crypto_generichash_update(&state,
									 (const unsigned char *) LABEL_CONTEXT_KEY,
									 sizeof LABEL_CONTEXT_KEY - 1);
	(void) crypto_generichash_update(&state, realm, STEWARD_REALM_BYTES);
	(void) crypto_generichash_update(&state, (const unsigned char *) name,
									 name_len);
	(void) crypto_generichash_final(&state, key, STEWARD_KEY_BYTES);
	sodium_memzero(&state, sizeof state);
	steward_wipe_stack();
}

static void
add(crypto_auth_hmacsha256_state *state, const void *bytes, size_t len)
{
	(void) crypto_auth_hmacsha256_update(state, bytes, len);
}

static void
add_field(crypto_auth_hmacsha256_state *state, const StewardContextField *field)
{
	unsigned char head[5] = {field->text != NULL};

	if (field->text == NULL)
	{
		add(state, head, 1);
		return;
	}
	steward_store_be32(head + 1, (uint32_t) field->len);
	add(state, head, sizeof head);
	add(state, field->text, field->len);
}

void
steward_context_mac(unsigned char mac[STEWARD_CONTEXT_MAC_BYTES],
					const unsigned char key[STEWARD_KEY_BYTES],
					const StewardContextClaim *claim)
{
	crypto_auth_hmacsha256_state state;
	unsigned char time[8];

	(void) crypto_auth_hmacsha256_init(&state, key, STEWARD_KEY_BYTES);
	add(&state, LABEL_CONTEXT, sizeof LABEL_CONTEXT - 1);
	add_field(&state, &claim->login_role);
	add_field(&state, &claim->actor);
	add_field(&state, &claim->purpose);
	add_field(&state, &claim->request_id);
	steward_store_be64(time, (uint64_t) claim->issued_at);
	add(&state, time, sizeof time);
	(void) crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof state);
	steward_wipe_stack();
}

bool
steward_context_mac_fits(const unsigned char *mac, size_t mac_len,
						 const unsigned char key[STEWARD_KEY_BYTES],
						 const StewardContextClaim *claim)
{
	unsigned char right[STEWARD_CONTEXT_MAC_BYTES];
	bool		fits;

	steward_context_mac(right, key, claim);
	fits = mac_len == sizeof right && sodium_memcmp(mac, right, sizeof right) == 0;
	sodium_memzero(right, sizeof right);
	return fits;
}
