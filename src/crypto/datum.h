/*
 * datum.h: the layout of an encrypted value, without its varlena header.
 *
 *	 0	format (1)
 *	 1	suite (1 = ChaCha20-Poly1305-IETF with BLAKE2b derivation)
 *	 2	type of the plaintext
 *	 3	flags: bit 0 subject-bound, all others zero
 *	 4	key id, big-endian; 0 = transient
 *	 8	key tag, big-endian
 *	12	subject uuid, 16 bytes, only when subject-bound
 *	 …	salt 24, key commitment 16, ciphertext n, Poly1305 tag 16
 *
 * Everything before the salt is the header; it is authenticated.
 */
#ifndef STEWARD_CRYPTO_DATUM_H
#define STEWARD_CRYPTO_DATUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/kdf.h"

#define STEWARD_DATUM_FORMAT 1
#define STEWARD_SUITE_CHACHA20POLY1305 1
#define STEWARD_FLAG_SUBJECT 0x01

#define STEWARD_SALT_BYTES 24
#define STEWARD_COMMITMENT_BYTES 16
#define STEWARD_MAC_BYTES 16
#define STEWARD_HEADER_BYTES 12
#define STEWARD_HEADER_MAX_BYTES (STEWARD_HEADER_BYTES + STEWARD_UUID_BYTES)
#define STEWARD_BODY_BYTES \
	(STEWARD_SALT_BYTES + STEWARD_COMMITMENT_BYTES + STEWARD_MAC_BYTES)

typedef enum StewardPlainType
{
	STEWARD_TYPE_TEXT = 1,
	STEWARD_TYPE_BYTEA = 2,
	STEWARD_TYPE_JSONB = 3,
	STEWARD_TYPE_BIGINT = 4,
	STEWARD_TYPE_NUMERIC = 5,
	STEWARD_TYPE_DATE = 6,
	STEWARD_TYPE_TIMESTAMPTZ = 7
} StewardPlainType;

typedef enum StewardDatumStatus
{
	STEWARD_DATUM_OK = 0,
	STEWARD_DATUM_TRUNCATED,
	STEWARD_DATUM_UNKNOWN_FORMAT,
	STEWARD_DATUM_UNKNOWN_SUITE,
	STEWARD_DATUM_UNKNOWN_TYPE,
	STEWARD_DATUM_UNKNOWN_FLAG,
	STEWARD_DATUM_BAD_KEY_ID
} StewardDatumStatus;

/* A parsed value: pointers into the bytes that were parsed. */
typedef struct StewardDatum
{
	uint8_t		type;
	uint8_t		flags;
	uint32_t	key_id;
	uint32_t	key_tag;
	size_t		header_len;
	size_t		plain_len;
	const unsigned char *header;
	const unsigned char *subject;	/* NULL unless subject-bound */
	const unsigned char *salt;
	const unsigned char *commitment;
	const unsigned char *ciphertext;	/* plain_len bytes, then the MAC */
} StewardDatum;

/* What the sealer writes into the header. */
typedef struct StewardDatumLabel
{
	uint8_t		type;
	uint32_t	key_id;
	uint32_t	key_tag;
	const unsigned char *subject;	/* NULL unless subject-bound */
} StewardDatumLabel;

/*
 * Checks the structure of a value and finds its parts; looks at no key and
 * opens nothing. Never reads beyond len.
 */
extern StewardDatumStatus steward_datum_parse(StewardDatum *datum,
											  const unsigned char *bytes,
											  size_t len);

/* Bytes that a value with plain_len bytes of plaintext takes. */
extern size_t steward_datum_size(size_t plain_len, bool subject_bound);

/* Writes the header; returns its length (12 or 28). */
extern size_t steward_datum_write_header(unsigned char *out,
										 const StewardDatumLabel *label);

#endif							/* STEWARD_CRYPTO_DATUM_H */
