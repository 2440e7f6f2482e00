/*
 * kdf.c: names, tags and derived keys; see kdf.h for the terms.
 */
#include "crypto/kdf.h"

#include <sodium.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/wipe.h"

#define LABEL_KEY_ID "pg_steward/key-id/1"
#define LABEL_ROOT_ID "pg_steward/root-id/1"
#define LABEL_KEY_TAG "pg_steward/key-tag/1"
#define LABEL_TRANSIENT "pg_steward/transient/1"
#define LABEL_JOURNAL "pg_steward/journal/1"
#define LABEL_SUBJECT "pg_steward/subject/1"
#define LABEL_HEDGE "pg_steward/hedge/1"
#define LABEL_HASH "pg_steward/hash/1"
#define LABEL_UNIQUE "pg_steward/unique/1"
#define LABEL_SUBJECT_DIGEST "pg_steward/subject-digest/1"
#define LABEL_AUDIT_HASH "pg_steward/audit-hash/1"
#define LABEL_ANONYMOUS "pg_steward/anonymous/1"
#define LABEL_INDEX "pg_steward/index/1"

int
steward_crypto_init(void)
{
	return sodium_init() < 0 ? -1 : 0;
}

/* out = BLAKE2b(key, label): the shape of most derivations. */
static void
derive(unsigned char *out, size_t out_len, const unsigned char *key,
	   const char *label)
{
	(void) crypto_generichash(out, out_len, (const unsigned char *) label,
							  strlen(label), key, STEWARD_KEY_BYTES);
	steward_wipe_stack();
}

uint32_t
steward_kdf_key_id(const char *path, size_t path_len)
{
	crypto_generichash_state state;
	unsigned char digest[crypto_generichash_BYTES];
	uint32_t	id;

	(void) crypto_generichash_init(&state, NULL, 0, sizeof digest);
	(void) crypto_generichash_update(&state,
									 (const unsigned char *) LABEL_KEY_ID,
									 sizeof LABEL_KEY_ID - 1);
	(void) crypto_generichash_update(&state, (const unsigned char *) path,
									 path_len);
	(void) crypto_generichash_final(&state, digest, sizeof digest);
	id = steward_load_be32(digest) & 0x7fffffffU;
	return id == 0 ? 1 : id;
}

/*
 * The short names are prefixes of a full BLAKE2b-256, not shorter digests:
 * BLAKE2b mixes the output length into its state, so the two would differ.
 */
void
steward_kdf_root_id(unsigned char id[STEWARD_ROOT_ID_BYTES],
					const unsigned char root[STEWARD_KEY_BYTES])
{
	unsigned char digest[32];

	derive(digest, sizeof digest, root, LABEL_ROOT_ID);
	memcpy(id, digest, STEWARD_ROOT_ID_BYTES);
	sodium_memzero(digest, sizeof digest);
}

uint32_t
steward_kdf_key_tag(const unsigned char key[STEWARD_KEY_BYTES])
{
	unsigned char digest[32];
	uint32_t	tag;

	derive(digest, sizeof digest, key, LABEL_KEY_TAG);
	tag = steward_load_be32(digest);
	sodium_memzero(digest, sizeof digest);
	return tag;
}

void
steward_kdf_transient(unsigned char key[STEWARD_KEY_BYTES],
					  const unsigned char root[STEWARD_KEY_BYTES])
{
	derive(key, STEWARD_KEY_BYTES, root, LABEL_TRANSIENT);
}

void
steward_kdf_journal(unsigned char key[STEWARD_KEY_BYTES],
					const unsigned char root[STEWARD_KEY_BYTES])
{
	derive(key, STEWARD_KEY_BYTES, root, LABEL_JOURNAL);
}

void
steward_kdf_subject(unsigned char key[STEWARD_KEY_BYTES],
					const unsigned char version[STEWARD_KEY_BYTES],
					const unsigned char secret[STEWARD_KEY_BYTES])
{
	crypto_generichash_state state;

	(void) crypto_generichash_init(&state, version, STEWARD_KEY_BYTES,
								   STEWARD_KEY_BYTES);
	(void) crypto_generichash_update(&state,
									 (const unsigned char *) LABEL_SUBJECT,
									 sizeof LABEL_SUBJECT - 1);
	(void) crypto_generichash_update(&state, secret, STEWARD_KEY_BYTES);
	(void) crypto_generichash_final(&state, key, STEWARD_KEY_BYTES);
	sodium_memzero(&state, sizeof state);
	steward_wipe_stack();
}

void
steward_kdf_hedge(unsigned char hedge[STEWARD_HEDGE_BYTES],
				  const unsigned char key[STEWARD_KEY_BYTES])
{
	derive(hedge, STEWARD_HEDGE_BYTES, key, LABEL_HEDGE);
}

void
steward_kdf_tag_keys(StewardTagKeys *keys,
					 const unsigned char secret[STEWARD_KEY_BYTES])
{
	derive(keys->hash, sizeof keys->hash, secret, LABEL_HASH);
	derive(keys->unique, sizeof keys->unique, secret, LABEL_UNIQUE);
	derive(keys->subject, sizeof keys->subject, secret, LABEL_SUBJECT_DIGEST);
	derive(keys->audit, sizeof keys->audit, secret, LABEL_AUDIT_HASH);
	derive(keys->anonymous, sizeof keys->anonymous, secret, LABEL_ANONYMOUS);
}

void
steward_kdf_index_key(unsigned char key[STEWARD_TAG_KEY_BYTES],
					  const unsigned char secret[STEWARD_KEY_BYTES],
					  const unsigned char salt[STEWARD_INDEX_SALT_BYTES],
					  uint16_t column)
{
	crypto_generichash_state state;
	unsigned char digest[32];
	unsigned char number[2];

	steward_store_be16(number, column);
	(void) crypto_generichash_init(&state, secret, STEWARD_KEY_BYTES,
								   sizeof digest);
	(void) crypto_generichash_update(&state, (const unsigned char *) LABEL_INDEX,
									 sizeof LABEL_INDEX - 1);
	(void) crypto_generichash_update(&state, salt, STEWARD_INDEX_SALT_BYTES);
	(void) crypto_generichash_update(&state, number, sizeof number);
	(void) crypto_generichash_final(&state, digest, sizeof digest);
	memcpy(key, digest, STEWARD_TAG_KEY_BYTES);
	sodium_memzero(digest, sizeof digest);
	sodium_memzero(&state, sizeof state);
	steward_wipe_stack();
}

/* The length keeps ('ab', 'c') and ('a', 'bc') apart. */
void
steward_kdf_subject_digest(unsigned char digest[STEWARD_SUBJECT_DIGEST_BYTES],
						   const unsigned char key[STEWARD_KEY_BYTES],
						   const char *kind, size_t kind_len,
						   const char *name, size_t name_len)
{
	crypto_generichash_state state;
	unsigned char length[4];

	steward_store_be32(length, (uint32_t) kind_len);
	(void) crypto_generichash_init(&state, key, STEWARD_KEY_BYTES,
								   STEWARD_SUBJECT_DIGEST_BYTES);
	(void) crypto_generichash_update(&state, length, sizeof length);
	(void) crypto_generichash_update(&state, (const unsigned char *) kind,
									 kind_len);
	(void) crypto_generichash_update(&state, (const unsigned char *) name,
									 name_len);
	(void) crypto_generichash_final(&state, digest,
									STEWARD_SUBJECT_DIGEST_BYTES);
	sodium_memzero(&state, sizeof state);
	steward_wipe_stack();
}
