/*
 * residue_test.c: what calls leave behind on the stack.
 *
 * Paints the stack, calls, and looks for eight neighbouring bytes of a secret
 * in what was painted. The first test shows that libsodium alone does leave
 * derived keys there, and so that this can fail. Not built with sanitizers:
 * they move variables elsewhere.
 */
#include "crypto/keyring.h"
#include "crypto/sign.h"
#include "crypto/tag.h"
#include "crypto/value.h"
#include "crypto/wrap.h"

#include "tap.h"

#define SPAN_BYTES 16384
#define PIECE_BYTES 8
#define PLAIN_BYTES 64

static volatile unsigned char *painted;

static unsigned char root[STEWARD_KEY_BYTES];
static unsigned char secret[STEWARD_KEY_BYTES];
static unsigned char derived[64];
static unsigned char out[256];
static unsigned char plain[PLAIN_BYTES];
static StewardValueKey value_key;
static StewardTagKeys tag_keys;
static StewardWrapContext context;
static StewardKeyring keyring;
static char line[STEWARD_KEYRING_LINE_BYTES];

__attribute__((noinline))
static void
paint(void)
{
	volatile unsigned char span[SPAN_BYTES];

	for (size_t i = 0; i < SPAN_BYTES; i++)
		span[i] = 0xa5;
	/* An address only, to be read as raw memory by residue(). */
	__asm__ volatile("" : "=r" (painted) : "0" (span) : "memory");
}

/* Pieces of the secret in the painted memory; itself uses little of it. */
__attribute__((noinline))
static int
residue(const unsigned char *sought, size_t len)
{
	int			found = 0;

	for (size_t i = 0; i + PIECE_BYTES <= SPAN_BYTES; i++)
	{
		for (size_t j = 0; j + PIECE_BYTES <= len; j += PIECE_BYTES)
		{
			size_t		same = 0;

			while (same < PIECE_BYTES && painted[i + same] == sought[j + same])
				same++;
			found += same == PIECE_BYTES;
		}
	}
	return found;
}

#define CHECK_CLEAN(call, sought, len, name) \
	do { \
		paint(); \
		call; \
		tap_ok(residue(sought, len) == 0, "%s", name); \
	} while (0)

static void
test_library_alone(void)
{
	paint();
	(void) crypto_generichash(derived, 32, (const unsigned char *) "x", 1, root,
							  sizeof root);
	tap_ok(residue(derived, 32) > 0,
		   "the method finds what libsodium leaves: the wiping is needed");
}

static void
test_kdf(void)
{
	CHECK_CLEAN(steward_kdf_transient(derived, root), derived, 32,
				"transient key");
	CHECK_CLEAN(steward_kdf_transient(derived, root), root, 32, "its root");
	CHECK_CLEAN(steward_kdf_subject(derived, root, secret), derived, 32,
				"subject key");
	CHECK_CLEAN(steward_kdf_subject(derived, root, secret), secret, 32,
				"its secret");
	CHECK_CLEAN(steward_kdf_subject(derived, root, secret), root, 32,
				"its key version");
	CHECK_CLEAN(steward_kdf_index_key(derived, secret, root, 1), derived, 16,
				"key of an index");
	CHECK_CLEAN(steward_kdf_index_key(derived, secret, root, 1), secret, 32,
				"its secret");
	CHECK_CLEAN(steward_kdf_root_id(derived, root), root, 32,
				"root of a root id");
	CHECK_CLEAN((void) steward_kdf_key_tag(secret), secret, 32,
				"key of a key tag");
	CHECK_CLEAN(steward_kdf_tag_keys(&tag_keys, secret),
				(unsigned char *) &tag_keys, sizeof tag_keys, "tag keys");
	CHECK_CLEAN(steward_value_key(&value_key, secret),
				(unsigned char *) &value_key, sizeof value_key, "value key");
}

static void
test_wrap(void)
{
	CHECK_CLEAN(steward_wrap_seal(out, root, &context, secret), root, 32,
				"sealing a wrap: root");
	CHECK_CLEAN(steward_wrap_seal(out, root, &context, secret), secret, 32,
				"sealing a wrap: secret");
	CHECK_CLEAN((void) steward_wrap_open(derived, out, STEWARD_WRAP_BYTES, root,
										 &context), secret, 32,
				"opening a wrap: secret");
	tap_bytes(derived, secret, 32, "it did open");
	CHECK_CLEAN((void) steward_wrap_open(derived, out, STEWARD_WRAP_BYTES, root,
										 &context), root, 32,
				"opening a wrap: root");
}

/* The one-time key of a wrap, made as wrap.c makes it. */
static void
test_wrap_key(void)
{
	unsigned char message[17 + 33 + 24];

	steward_wrap_seal(out, root, &context, secret);
	memcpy(message, "pg_steward/wrap/1", 17);
	memset(message + 17, 0, 33);
	memcpy(message + 50, out + 1, 24);
	(void) crypto_generichash(derived, 64, message, sizeof message, root, 32);
	tap_bytes(derived + 32, out + 25, 32, "the wrapping key is known");
	CHECK_CLEAN((void) steward_wrap_open(plain, out, STEWARD_WRAP_BYTES, root,
										 &context), derived, 32,
				"opening a wrap: wrapping key");
	out[104] ^= 1;
	CHECK_CLEAN((void) steward_wrap_open(plain, out, STEWARD_WRAP_BYTES, root,
										 &context), derived, 32,
				"refusing a wrap: wrapping key");
}

static void
test_value(void)
{
	const StewardDatumLabel label = {STEWARD_TYPE_TEXT, 5, 6, NULL};
	const unsigned char random[STEWARD_SALT_BYTES] = {3};
	unsigned char message[18 + STEWARD_HEADER_BYTES + STEWARD_SALT_BYTES];
	StewardDatum datum;
	size_t		size = steward_datum_size(PLAIN_BYTES, false);

	randombytes_buf(plain, sizeof plain);
	steward_value_seal_salted(out, &value_key, &label, plain, PLAIN_BYTES,
							  random);
	memcpy(message, "pg_steward/value/1", 18);
	memcpy(message + 18, out, STEWARD_HEADER_BYTES + STEWARD_SALT_BYTES);
	(void) crypto_generichash(derived, 48, message, sizeof message,
							  value_key.key, 32);
	tap_bytes(derived + 32, out + 36, 16, "the key of a value is known");
	CHECK_CLEAN(steward_value_seal_salted(out, &value_key, &label, plain,
										  PLAIN_BYTES, random), derived, 32,
				"sealing a value: its key");
	CHECK_CLEAN(steward_value_seal_salted(out, &value_key, &label, plain,
										  PLAIN_BYTES, random), plain,
				PLAIN_BYTES, "sealing a value: plaintext");
	if (steward_datum_parse(&datum, out, size) != STEWARD_DATUM_OK)
		tap_bail("a sealed value does not parse");
	CHECK_CLEAN((void) steward_value_open(plain, &datum, &value_key), derived, 32,
				"opening a value: its key");
	CHECK_CLEAN((void) steward_value_open(plain, &datum, &value_key), plain,
				PLAIN_BYTES, "opening a value: plaintext");
	CHECK_CLEAN((void) steward_value_open(plain, &datum, &value_key),
				(unsigned char *) &value_key, sizeof value_key,
				"opening a value: encryption key");
	out[size - 1] ^= 1;
	CHECK_CLEAN((void) steward_value_open(plain, &datum, &value_key), derived, 32,
				"refusing a value: its key");
}

static void
test_keyring(void)
{
	size_t		bad_line;

	CHECK_CLEAN(steward_keyring_format(line, root), root, 32,
				"writing a keyring: key");
	CHECK_CLEAN(steward_keyring_format(line, root), (unsigned char *) line + 22,
				40, "writing a keyring: its text");
	CHECK_CLEAN((void) steward_keyring_parse(&keyring, &bad_line, line,
											 strlen(line)), root, 32,
				"reading a keyring: key");
	tap_bytes(keyring.roots[0].key, root, 32, "it was read");
}

/* RFC 8032, section 5.1.5: the halves of the hashed seed are the scalar and the
 * prefix, either of which gives the key away. */
static void
test_sign(void)
{
	unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES];

	(void) crypto_hash_sha512(derived, secret, sizeof secret);
	derived[0] &= 248;
	derived[31] &= 127;
	derived[31] |= 64;
	CHECK_CLEAN(steward_sign(out, secret, plain, PLAIN_BYTES), secret, 32,
				"signing: seed");
	CHECK_CLEAN(steward_sign(out, secret, plain, PLAIN_BYTES), derived, 64,
				"signing: scalar and prefix");
	CHECK_CLEAN(steward_sign_public(public_key, secret), secret, 32,
				"public key: seed");
	CHECK_CLEAN(steward_sign_public(public_key, secret), derived, 64,
				"public key: scalar and prefix");
	tap_ok(steward_sign_verify(out, public_key, plain, PLAIN_BYTES), "they belong together");
}

int
main(void)
{
	tap_begin();
	randombytes_buf(root, sizeof root);
	randombytes_buf(secret, sizeof secret);
	test_library_alone();
	test_kdf();
	test_wrap();
	test_wrap_key();
	test_value();
	test_keyring();
	test_sign();
	return tap_end();
}
