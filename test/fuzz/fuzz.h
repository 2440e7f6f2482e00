/*
 * fuzz.h: what the fuzz targets share: an assertion that stops the fuzzer, and
 * what must hold of bytes that parse as a datum.
 */
#ifndef STEWARD_TEST_FUZZ_H
#define STEWARD_TEST_FUZZ_H

#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/value.h"

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, \
					#condition); \
			abort(); \
		} \
	} while (0)

/* The key of the seeds that seeds.py seals: 00 01 … 1f. */
static inline void
seed_key(StewardValueKey *key, unsigned char first)
{
	unsigned char bytes[STEWARD_KEY_BYTES];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char) (first + i);
	steward_value_key(key, bytes);
}

/* The plaintext and the salt determine every byte of a value that opened. */
static inline void
must_reseal(const StewardDatum *datum, const StewardValueKey *key,
			const unsigned char *plain, const unsigned char *bytes, size_t len)
{
	StewardDatumLabel label = {datum->type, datum->key_id, datum->key_tag,
	datum->subject};
	unsigned char random[STEWARD_SALT_BYTES];
	unsigned char mixed[16];
	unsigned char *again = malloc(len);

	memcpy(random, datum->salt, sizeof random);
	(void) crypto_shorthash_siphashx24(mixed, plain, datum->plain_len, key->hedge);
	for (size_t i = 0; i < sizeof mixed; i++)
		random[i] ^= mixed[i];
	steward_value_seal_salted(again, key, &label, plain, datum->plain_len, random);
	MUST(memcmp(again, bytes, len) == 0);
	free(again);
}

/* Parses any bytes and checks whatever can be said of the result. */
static inline void
must_parse_well(const unsigned char *bytes, size_t len)
{
	StewardDatum datum;
	StewardDatumLabel label;
	StewardValueKey key;
	StewardValueKey other;
	unsigned char header[STEWARD_HEADER_MAX_BYTES];
	unsigned char *plain;

	if (steward_datum_parse(&datum, bytes, len) != STEWARD_DATUM_OK)
	{
		MUST(datum.header == NULL && datum.ciphertext == NULL);
		return;
	}
	MUST(datum.type >= 1 && datum.type <= 7 && datum.key_id <= 0x7fffffff);
	MUST(datum.header == bytes);
	MUST(datum.ciphertext + datum.plain_len + STEWARD_MAC_BYTES == bytes + len);
	MUST(steward_datum_size(datum.plain_len, datum.subject != NULL) == len);
	label = (StewardDatumLabel) {datum.type, datum.key_id, datum.key_tag,
	datum.subject};
	MUST(steward_datum_write_header(header, &label) == datum.header_len);
	MUST(memcmp(header, bytes, datum.header_len) == 0);

	seed_key(&key, 0);
	seed_key(&other, 1);
	plain = malloc(datum.plain_len + 1);
	memset(plain, 0xee, datum.plain_len + 1);
	if (steward_value_open(plain, &datum, &key))
		must_reseal(&datum, &key, plain, bytes, len);
	else
		MUST(sodium_is_zero(plain, datum.plain_len));
	MUST(plain[datum.plain_len] == 0xee);
	MUST(!steward_value_open(plain, &datum, &other));
	free(plain);
}

#endif							/* STEWARD_TEST_FUZZ_H */
