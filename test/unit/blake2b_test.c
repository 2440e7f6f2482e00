/*
 * blake2b_test.c: our keyed BLAKE2b against libsodium's and published answers.
 */
#include "crypto/blake2b.h"

#include "tap.h"

static void
digest_of(unsigned char *digest, size_t digest_len, const unsigned char *key,
		  const unsigned char *message, size_t len)
{
	unsigned char block[STEWARD_BLAKE2B_BLOCK_BYTES] = {0};
	StewardBlake2bKey taken;
	Guarded		guarded;

	if (len > 0)
		memcpy(block, message, len);
	guarded = guard_copy(block, sizeof block);
	steward_blake2b_key(&taken, digest_len, key);
	steward_blake2b_short(digest, digest_len, &taken, guarded.bytes, len);
	guard_free(&guarded);
}

/* All lengths of message and digest, keys and messages at random. */
static void
test_against_library(void)
{
	unsigned char key[32];
	unsigned char message[128];
	unsigned char ours[64];
	unsigned char theirs[64];
	int			wrong = 0;

	for (size_t len = 1; len <= sizeof message; len++)
	{
		for (size_t digest_len = 16; digest_len <= sizeof ours; digest_len++)
		{
			randombytes_buf(key, sizeof key);
			randombytes_buf(message, sizeof message);
			digest_of(ours, digest_len, key, message, len);
			(void) crypto_generichash(theirs, digest_len, message, len, key,
									  sizeof key);
			wrong += memcmp(ours, theirs, digest_len) != 0;
		}
	}
	tap_ok(wrong == 0, "1 to 128 bytes give libsodium's digests of 16 to 64 bytes");
}

/*
 * RFC 7693 has no keyed answer; this one is of an independent implementation,
 * Python's hashlib: blake2b(bytes(range(54)), digest_size=48, key=bytes(range(32))).
 */
static void
test_answer(void)
{
	unsigned char key[32];
	unsigned char message[54];
	unsigned char digest[48];
	unsigned char expected[48];

	fill_sequence(key, sizeof key, 0);
	fill_sequence(message, sizeof message, 0);
	fill_hex(expected, sizeof expected, 
			 "3fd6a35ea28523d775de4f49bac3ccd607a70a60554a66ae"
			 "042302f93c80989ec01981c2ad2b2657d3b64684b11efe22");
	digest_of(digest, sizeof digest, key, message, sizeof message);
	tap_bytes(digest, expected, sizeof digest, "another implementation agrees");
}

/* A digest writes its own length and no more. */
static void
test_length(void)
{
	unsigned char key[32] = {1};
	unsigned char block[STEWARD_BLAKE2B_BLOCK_BYTES] = {2};
	Guarded		digest = guard_copy(block, 48);
	StewardBlake2bKey taken;

	steward_blake2b_key(&taken, 48, key);
	steward_blake2b_short(digest.bytes, 48, &taken, block, 1);
	tap_ok(true, "a digest ends where it should");
	guard_free(&digest);
}

int
main(void)
{
	tap_begin();
	test_against_library();
	test_answer();
	test_length();
	return tap_end();
}
