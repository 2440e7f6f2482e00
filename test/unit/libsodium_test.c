/*
 * libsodium_test.c: published vectors that pin the library we build on: RFC
 * 8439 (section 2.8.2) for ChaCha20-Poly1305, RFC 7693 (appendix A) and the
 * authors' known answers for BLAKE2b. SipHash has its own in tag_test.c.
 */
#include "tap.h"

#define AEAD_PLAIN \
	"Ladies and Gentlemen of the class of '99: If I could offer you only one " \
	"tip for the future, sunscreen would be it."
#define AEAD_PLAIN_LEN (sizeof AEAD_PLAIN - 1)
#define AEAD_SEALED_LEN (AEAD_PLAIN_LEN + 16)

static void
test_aead(void)
{
	unsigned char key[32];
	unsigned char nonce[12];
	unsigned char ad[12];
	unsigned char expected[AEAD_SEALED_LEN];
	unsigned char sealed[AEAD_SEALED_LEN];
	unsigned char opened[AEAD_PLAIN_LEN];
	unsigned long long len;

	fill_sequence(key, sizeof key, 0x80);
	fill_hex(nonce, sizeof nonce, "070000004041424344454647");
	fill_hex(ad, sizeof ad, "50515253c0c1c2c3c4c5c6c7");
	fill_hex(expected, sizeof expected,
			 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
			 "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
			 "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
			 "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060"
			 "0691");
	(void) crypto_aead_chacha20poly1305_ietf_encrypt(sealed, &len,
													 (const unsigned char *) AEAD_PLAIN,
													 AEAD_PLAIN_LEN, ad,
													 sizeof ad, NULL, nonce, key);
	tap_ok(len == sizeof sealed, "RFC 8439: length");
	tap_bytes(sealed, expected, sizeof expected, "RFC 8439: ciphertext and tag");
	tap_ok(crypto_aead_chacha20poly1305_ietf_decrypt(opened, &len, NULL, expected,
													 sizeof expected, ad,
													 sizeof ad, nonce, key) == 0 &&
		   len == AEAD_PLAIN_LEN && memcmp(opened, AEAD_PLAIN, AEAD_PLAIN_LEN) == 0,
		   "RFC 8439: opened");
	expected[0] ^= 1;
	tap_ok(crypto_aead_chacha20poly1305_ietf_decrypt(opened, &len, NULL, expected,
													 sizeof expected, ad,
													 sizeof ad, nonce, key) != 0,
		   "RFC 8439: altered");
}

static void
test_blake2b(void)
{
	static const struct
	{
		size_t		len;
		const char *digest;
	}			answers[] = {
		{0, "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786"
		"b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568"},
		{1, "961f6dd1e4dd30f63901690c512e78e4b45e4742ed197c3c5e45c549fd25f2e4"
		"187b0bc9fe30492b16b0d0bc4ef9b0f34c7003fac09a5ef1532e69430234cebd"},
		{2, "da2cfbe2d8409a0f38026113884f84b50156371ae304c4430173d08a99d9fb1b"
		"983164a3770706d537f49e0c916d9f32b95cc37a95b99d857436f0232c88a965"},
		{127, "76d2d819c92bce55fa8e092ab1bf9b9eab237a25267986cacf2b8ee14d214d73"
		"0dc9a5aa2d7b596e86a1fd8fa0804c77402d2fcd45083688b218b1cdfa0dcbcb"},
		{128, "72065ee4dd91c2d8509fa1fc28a37c7fc9fa7d5b3f8ad3d0d7a25626b57b1b44"
		"788d4caf806290425f9890a3a2a35a905ab4b37acfd0da6e4517b2525c9651e4"},
		{129, "64475dfe7600d7171bea0b394e27c9b00d8e74dd1e416a79473682ad3dfdbb70"
		"6631558055cfc8a40e07bd015a4540dcdea15883cbbf31412df1de1cd4152b91"},
		{255, "142709d62e28fcccd0af97fad0f8465b971e82201dc51070faa0372aa43e9248"
		"4be1c1e73ba10906d5d1853db6a4106e0a7bf9800d373d6dee2d46d62ef2a461"},
	};
	unsigned char key[64];
	unsigned char message[256];
	unsigned char expected[64];
	unsigned char digest[64];

	fill_sequence(key, sizeof key, 0);
	fill_sequence(message, sizeof message, 0);
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
	{
		char		name[64];

		fill_hex(expected, sizeof expected, answers[i].digest);
		(void) crypto_generichash(digest, sizeof digest, message, answers[i].len,
								  key, sizeof key);
		snprintf(name, sizeof name, "keyed BLAKE2b of %zu bytes", answers[i].len);
		tap_bytes(digest, expected, sizeof digest, name);
	}
	fill_hex(expected, sizeof expected,
			 "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
			 "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
	(void) crypto_generichash(digest, sizeof digest,
							  (const unsigned char *) "abc", 3, NULL, 0);
	tap_bytes(digest, expected, sizeof digest, "RFC 7693: BLAKE2b-512 of abc");
}

/* Shorter outputs are other functions, not prefixes: formats rely on it. */
static void
test_lengths_differ(void)
{
	unsigned char long_digest[64];
	unsigned char short_digest[32];

	(void) crypto_generichash(long_digest, sizeof long_digest, NULL, 0, NULL, 0);
	(void) crypto_generichash(short_digest, sizeof short_digest, NULL, 0, NULL, 0);
	tap_ok(memcmp(long_digest, short_digest, sizeof short_digest) != 0,
		   "BLAKE2b-256 is no prefix of BLAKE2b-512");
}

int
main(void)
{
	tap_begin();
	test_aead();
	test_blake2b();
	test_lengths_differ();
	return tap_end();
}
