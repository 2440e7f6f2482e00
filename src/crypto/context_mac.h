/*
 * context_mac.h: the MAC by which an application proves for whom it works.
 *
 *	 context key = BLAKE2b-256(key = root,
 *		 "pg_steward/context-key/1" ‖ realm ‖ name)
 *	 MAC = HMAC-SHA-256 (RFC 2104) under the context key of
 *		 "pg_steward/context/1" ‖ field(login role) ‖ field(actor) ‖
 *		 field(purpose) ‖ field(request id) ‖ be64(issued at)
 *	 field(absent) = 00
 *	 field(text) = 01 ‖ be32(length) ‖ text
 *
 * Each field says where it ends, so no two claims have the same bytes. HMAC-SHA-256
 * and not BLAKE2b, because every language's standard library has it: the other
 * side is written by others. The key is bound to the realm, and through it is the
 * MAC: a claim for one database is none for another under the same root. The name
 * is the key's last input, so it needs no length.
 *
 * Terms
 *	 name		of the context key, UTF-8
 *	 issued at	microseconds since 1970-01-01 00:00 UTC, two's complement
 */
#ifndef STEWARD_CRYPTO_CONTEXT_MAC_H
#define STEWARD_CRYPTO_CONTEXT_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/kdf.h"
#include "crypto/wrap.h"

#define STEWARD_CONTEXT_MAC_BYTES 32

/* A text in UTF-8, or none. */
typedef struct StewardContextField
{
	const char *text;			/* NULL: absent */
	size_t		len;
} StewardContextField;

/* What an application claims. */
typedef struct StewardContextClaim
{
	StewardContextField login_role;
	StewardContextField actor;
	StewardContextField purpose;
	StewardContextField request_id;
	int64_t		issued_at;
} StewardContextClaim;

/* The key of an application; the caller zeroes it. */
extern void steward_context_key(unsigned char key[STEWARD_KEY_BYTES],
								const unsigned char root[STEWARD_KEY_BYTES],
								const unsigned char realm[STEWARD_REALM_BYTES],
								const char *name, size_t name_len);

/* The MAC of a claim. Texts are below 4 GB. */
extern void steward_context_mac(unsigned char mac[STEWARD_CONTEXT_MAC_BYTES],
								const unsigned char key[STEWARD_KEY_BYTES],
								const StewardContextClaim *claim);

/* Is this the MAC of the claim? Takes the same time for every MAC of the right
 * length. */
extern bool steward_context_mac_fits(const unsigned char *mac, size_t mac_len,
									 const unsigned char key[STEWARD_KEY_BYTES],
									 const StewardContextClaim *claim);

#endif							/* STEWARD_CRYPTO_CONTEXT_MAC_H */
