/*
 * aead_test.c: our order of ChaCha20-Poly1305 against libsodium's own.
 */
#include "crypto/aead.h"

#include "tap.h"

#define MOST_BYTES 300			/* short values end at 192 */

static const unsigned char zero_nonce[12];

static unsigned char key[STEWARD_AEAD_KEY_BYTES];
static unsigned char data[STEWARD_AEAD_DATA_MAX_BYTES];
static unsigned char plain[MOST_BYTES];

static void
library_seal(unsigned char *out, size_t len, size_t data_len)
{
	(void) crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, data,
													 data_len, NULL, zero_nonce,
													 key);
}

static void
test_against_library(void)
{
	unsigned char expected[MOST_BYTES + STEWARD_AEAD_MAC_BYTES];
	int			sealed_wrong = 0;
	int			opened_wrong = 0;

	for (size_t len = 0; len <= MOST_BYTES; len++)
	{
		for (size_t data_len = 0; data_len <= sizeof data; data_len++)
		{
			Guarded		sealed = guard_copy(expected, len + STEWARD_AEAD_MAC_BYTES);
			Guarded		opened = guard_copy(expected, len);

			randombytes_buf(key, sizeof key);
			randombytes_buf(data, sizeof data);
			randombytes_buf(plain, sizeof plain);
			library_seal(expected, len, data_len);
			steward_aead_seal(sealed.bytes, plain, len, data, data_len, key);
			sealed_wrong += memcmp(sealed.bytes, expected,
								   len + STEWARD_AEAD_MAC_BYTES) != 0;
			opened_wrong += !steward_aead_open(opened.bytes, sealed.bytes, len,
											   data, data_len, key) ||
				memcmp(opened.bytes, plain, len) != 0;
			guard_free(&sealed);
			guard_free(&opened);
		}
	}
	tap_ok(sealed_wrong == 0, "0 to 300 bytes are sealed as libsodium does");
	tap_ok(opened_wrong == 0, "and come back");
}

/* Every bit of ciphertext, MAC, data and key counts. */
static void
test_altered(size_t len)
{
	unsigned char sealed[MOST_BYTES + STEWARD_AEAD_MAC_BYTES];
	unsigned char opened[MOST_BYTES];
	unsigned char *parts[] = {sealed, data, key};
	const size_t sizes[] = {len + STEWARD_AEAD_MAC_BYTES, 12, sizeof key};
	int			accepted = 0;
	int			written = 0;

	library_seal(sealed, len, 12);
	for (int part = 0; part < 3; part++)
	{
		for (size_t bit = 0; bit < 8 * sizes[part]; bit++)
		{
			memset(opened, 0, sizeof opened);
			parts[part][bit / 8] ^= (unsigned char) (1 << bit % 8);
			accepted += steward_aead_open(opened, sealed, len, data, 12, key);
			parts[part][bit / 8] ^= (unsigned char) (1 << bit % 8);
			written += !sodium_is_zero(opened, sizeof opened);
		}
	}
	tap_ok(accepted == 0, "no flipped bit is accepted (%zu bytes)", len);
	tap_ok(written == 0, "and nothing is written (%zu bytes)", len);
	tap_ok(steward_aead_open(opened, sealed, len, data, 12, key),
		   "the unaltered value opens (%zu bytes)", len);
}

int
main(void)
{
	tap_begin();
	test_against_library();
	test_altered(0);
	test_altered(16);
	test_altered(192);
	test_altered(200);
	return tap_end();
}
