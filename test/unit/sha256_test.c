/*
 * sha256_test.c: SHA-256 against the vectors of FIPS 180-4, whole and in pieces.
 */
#include "crypto/sha256.h"

#include "tap.h"

static void
test_published(void)
{
	static const struct
	{
		const char *message;
		const char *digest;
	}			cases[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	unsigned char expected[STEWARD_HASH_BYTES];
	unsigned char many[1000];
	StewardHash digest;
	StewardSha256 sha;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		steward_sha256(&digest, cases[i].message, strlen(cases[i].message));
		fill_hex(expected, sizeof expected, cases[i].digest);
		tap_bytes(digest.bytes, expected, sizeof expected, cases[i].message);
	}
	memset(many, 'a', sizeof many);
	steward_sha256_init(&sha);
	for (int i = 0; i < 1000; i++)
		steward_sha256_update(&sha, many, sizeof many);
	steward_sha256_final(&sha, &digest);
	fill_hex(expected, sizeof expected,
			 "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	tap_bytes(digest.bytes, expected, sizeof expected, "a million a");
}

/* Every length up to a few blocks, whole and in random pieces. */
static void
test_lengths(void)
{
	int			wrong = 0;

	for (size_t len = 0; len <= 700; len++)
	{
		unsigned char bytes[701];
		unsigned char expected[STEWARD_HASH_BYTES];
		Guarded		copy;
		StewardHash digest;
		StewardSha256 sha;

		randombytes_buf(bytes, sizeof bytes);
		(void) crypto_hash_sha256(expected, bytes, len);
		copy = guard_copy(bytes, len);
		steward_sha256(&digest, copy.bytes, len);
		wrong += memcmp(digest.bytes, expected, sizeof expected) != 0;
		steward_sha256_init(&sha);
		for (size_t at = 0; at < len;)
		{
			size_t		piece = randombytes_uniform(150);

			if (piece > len - at)
				piece = len - at;
			steward_sha256_update(&sha, copy.bytes + at, piece);
			at += piece;
		}
		steward_sha256_final(&sha, &digest);
		wrong += memcmp(digest.bytes, expected, sizeof expected) != 0;
		guard_free(&copy);
	}
	tap_ok(wrong == 0, "701 lengths, whole and in pieces, as libsodium");
}

int
main(void)
{
	tap_begin();
	test_published();
	test_lengths();
	return tap_end();
}
