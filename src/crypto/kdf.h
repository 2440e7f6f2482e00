/*
 * kdf.h: names, tags and derived keys.
 *
 * Every derivation is BLAKE2b (RFC 7693) as libsodium's crypto_generichash,
 * keyed by the parent key, over an ASCII label that ends in its version.
 * Changing a label changes what is on users' disks: they are contracts,
 * listed in docs/formats.md and pinned by test/vectors/.
 *
 * Terms
 *	 root key		32 bytes kept outside the database
 *	 root id		8 bytes that name a root key without revealing it
 *	 key id			31-bit number of a key path; also the type modifier
 *	 key tag		32-bit name of one version of a key
 *	 hedge key		16 bytes that mix the plaintext into a value's salt
 */
#ifndef STEWARD_CRYPTO_KDF_H
#define STEWARD_CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#define STEWARD_KEY_BYTES 32
#define STEWARD_ROOT_ID_BYTES 8
#define STEWARD_HEDGE_BYTES 16
#define STEWARD_TAG_KEY_BYTES 16
#define STEWARD_UUID_BYTES 16
#define STEWARD_SUBJECT_DIGEST_BYTES 32
#define STEWARD_INDEX_SALT_BYTES 16

/* Keys of the hash and the unique operator classes, of the digests that name
 * subjects, of hashes in the audit trail, and of what retention policies put in the place
 * of values, from one hash secret. */
typedef struct StewardTagKeys
{
	unsigned char hash[STEWARD_TAG_KEY_BYTES];
	unsigned char unique[STEWARD_TAG_KEY_BYTES];
	unsigned char subject[STEWARD_KEY_BYTES];
	unsigned char audit[STEWARD_KEY_BYTES];
	unsigned char anonymous[STEWARD_KEY_BYTES];
} StewardTagKeys;

/*
 * Prepares libsodium; every other function here relies on it having returned
 * 0. Safe to call again and from several processes. -1: unusable.
 */
extern int	steward_crypto_init(void);

/* Id of a key path: 1 … 2^31-1, never 0 (0 means transient). */
extern uint32_t steward_kdf_key_id(const char *path, size_t path_len);

/* What names a root key without telling it; stands beside every wrap. */
extern void steward_kdf_root_id(unsigned char id[STEWARD_ROOT_ID_BYTES],
								const unsigned char root[STEWARD_KEY_BYTES]);

/* What tells the versions of a key apart; stands in every value. */
extern uint32_t steward_kdf_key_tag(const unsigned char key[STEWARD_KEY_BYTES]);

/* The key of values that never rest on disk, one per root. */
extern void steward_kdf_transient(unsigned char key[STEWARD_KEY_BYTES],
								  const unsigned char root[STEWARD_KEY_BYTES]);

/* The key that MACs records of the revocation journal, one per root. */
extern void steward_kdf_journal(unsigned char key[STEWARD_KEY_BYTES],
								const unsigned char root[STEWARD_KEY_BYTES]);

/* The key of subject-bound values: needs both the version and the secret. */
extern void steward_kdf_subject(unsigned char key[STEWARD_KEY_BYTES],
								const unsigned char version[STEWARD_KEY_BYTES],
								const unsigned char secret[STEWARD_KEY_BYTES]);

/* The key of the salt's hash of the plaintext, from a value's encryption key. */
extern void steward_kdf_hedge(unsigned char hedge[STEWARD_HEDGE_BYTES],
							  const unsigned char key[STEWARD_KEY_BYTES]);

/* All of them, from the hash secret of the database. */
extern void steward_kdf_tag_keys(StewardTagKeys *keys,
								 const unsigned char secret[STEWARD_KEY_BYTES]);

/*
 * The key of one column of a blind index, from the secret of the column's named
 * key; the salt is the index's own, columns count from 1.
 */
extern void steward_kdf_index_key(unsigned char key[STEWARD_TAG_KEY_BYTES],
								  const unsigned char secret[STEWARD_KEY_BYTES],
								  const unsigned char salt[STEWARD_INDEX_SALT_BYTES],
								  uint16_t column);

/*
 * What stands for a subject in the database: a digest of its kind and its key
 * (both UTF-8) under the key for it, so that neither can be found by guessing.
 */
extern void steward_kdf_subject_digest(unsigned char digest[STEWARD_SUBJECT_DIGEST_BYTES],
									   const unsigned char key[STEWARD_KEY_BYTES],
									   const char *kind, size_t kind_len,
									   const char *name, size_t name_len);

#endif							/* STEWARD_CRYPTO_KDF_H */
