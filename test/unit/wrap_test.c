/*
 * wrap_test.c: a wrap opens under its own root and context, and under nothing
 * else.
 */
#include "crypto/wrap.h"

#include "tap.h"

static unsigned char root[STEWARD_KEY_BYTES];
static unsigned char realm[STEWARD_REALM_BYTES];
static unsigned char secret[STEWARD_KEY_BYTES];

static void
prepare(void)
{
	fill_sequence(root, sizeof root, 0x10);
	fill_sequence(realm, sizeof realm, 0x60);
	fill_sequence(secret, sizeof secret, 0xa0);
}

/* Opens a guarded copy; a refusal must leave zeros. */
static bool
opens(unsigned char out[STEWARD_KEY_BYTES], const unsigned char *wrapped,
	  size_t len, const unsigned char *with, const StewardWrapContext *context)
{
	Guarded		copy = guard_copy(wrapped, len);
	bool		opened;

	memset(out, 0xee, STEWARD_KEY_BYTES);
	opened = steward_wrap_open(out, copy.bytes, len, with, context);
	guard_free(&copy);
	if (!opened && !sodium_is_zero(out, STEWARD_KEY_BYTES))
		tap_ok(false, "a refused wrap leaves zeros");
	return opened;
}

static void
test_context(void)
{
	StewardWrapContext context;
	unsigned char expected[STEWARD_WRAP_IDS_BYTES];

	steward_wrap_context(&context, realm, STEWARD_WRAP_KEY_VERSION, 0x01020304,
						 0xa1a2a3a4);
	fill_hex(expected, sizeof expected, "01020304a1a2a3a40000000000000000");
	tap_bytes(context.ids, expected, sizeof expected, "ids are big-endian");
	tap_bytes(context.realm, realm, sizeof realm, "the realm is in the context");
	tap_ok(context.kind == 1, "and the kind");
	steward_wrap_context(&context, realm, STEWARD_WRAP_INDEX_SECRET, 0x01020304, 0);
	fill_hex(expected, sizeof expected, "01020304000000000000000000000000");
	tap_bytes(context.ids, expected, sizeof expected,
			  "the first generation of an index secret adds nothing");
	steward_wrap_context(&context, realm, STEWARD_WRAP_INDEX_SECRET, 0x01020304,
						 0x00010203);
	fill_hex(expected, sizeof expected, "01020304000102030000000000000000");
	tap_bytes(context.ids, expected, sizeof expected, "a later one its number");
}

/* The secret of one generation does not pass for another one's. */
static void
test_generations(void)
{
	StewardWrapContext context;
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	unsigned char out[STEWARD_KEY_BYTES];
	int			accepted = 0;

	steward_wrap_context(&context, realm, STEWARD_WRAP_INDEX_SECRET, 7, 1);
	steward_wrap_seal(wrapped, root, &context, secret);
	tap_ok(opens(out, wrapped, sizeof wrapped, root, &context),
		   "a generation opens");
	for (int bit = 0; bit < 32; bit++)
	{
		steward_wrap_context(&context, realm, STEWARD_WRAP_INDEX_SECRET, 7,
							 1 ^ (uint32_t) 1 << bit);
		accepted += opens(out, wrapped, sizeof wrapped, root, &context);
	}
	tap_ok(accepted == 0, "as no other one");
}

static void
test_round_trip(void)
{
	StewardWrapContext context;
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	unsigned char again[STEWARD_WRAP_BYTES];
	unsigned char out[STEWARD_KEY_BYTES];

	steward_wrap_context(&context, realm, STEWARD_WRAP_KEY_VERSION, 1, 2);
	steward_wrap_seal(wrapped, root, &context, secret);
	steward_wrap_seal(again, root, &context, secret);
	tap_ok(opens(out, wrapped, sizeof wrapped, root, &context) &&
		   memcmp(out, secret, sizeof out) == 0, "a wrap opens");
	tap_ok(memcmp(wrapped + 1, again + 1, 24) != 0, "salts differ");
	tap_ok(memcmp(wrapped + 25, again + 25, 32) != 0, "commitments differ");
	tap_ok(memcmp(wrapped + 57, again + 57, 48) != 0, "ciphertexts differ");
	tap_ok(wrapped[0] == 1 && sizeof wrapped == 105, "format and length");
}

static void
test_altered(void)
{
	StewardWrapContext context;
	unsigned char wrapped[STEWARD_WRAP_BYTES + 1] = {0};
	unsigned char out[STEWARD_KEY_BYTES];
	int			accepted = 0;

	steward_wrap_context(&context, realm, STEWARD_WRAP_INDEX_SECRET, 7, 0);
	steward_wrap_seal(wrapped, root, &context, secret);
	for (size_t i = 0; i < STEWARD_WRAP_BYTES; i++)
	{
		for (int bit = 0; bit < 8; bit++)
		{
			wrapped[i] ^= (unsigned char) (1 << bit);
			accepted += opens(out, wrapped, STEWARD_WRAP_BYTES, root, &context);
			wrapped[i] ^= (unsigned char) (1 << bit);
		}
	}
	tap_ok(accepted == 0, "every flipped bit of the 105 bytes is refused");
	for (size_t len = 0; len < STEWARD_WRAP_BYTES; len++)
		accepted += opens(out, wrapped, len, root, &context);
	tap_ok(accepted == 0, "every shorter length is refused");
	tap_ok(!opens(out, wrapped, STEWARD_WRAP_BYTES + 1, root, &context),
		   "a longer one is refused");
	tap_ok(opens(out, wrapped, STEWARD_WRAP_BYTES, root, &context),
		   "the unaltered one still opens");
}

static void
test_elsewhere(void)
{
	StewardWrapContext context;
	StewardWrapContext other;
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	unsigned char out[STEWARD_KEY_BYTES];
	unsigned char other_root[STEWARD_KEY_BYTES];
	int			accepted = 0;

	steward_wrap_context(&context, realm, STEWARD_WRAP_KEY_VERSION, 1, 2);
	steward_wrap_seal(wrapped, root, &context, secret);

	memcpy(other_root, root, sizeof root);
	for (size_t i = 0; i < sizeof root; i++)
	{
		other_root[i] ^= 1;
		accepted += opens(out, wrapped, sizeof wrapped, other_root, &context);
		other_root[i] ^= 1;
	}
	tap_ok(accepted == 0, "a root with one other byte is refused");
	for (size_t i = 0; i < STEWARD_REALM_BYTES; i++)
	{
		other = context;
		other.realm[i] ^= 0x80;
		accepted += opens(out, wrapped, sizeof wrapped, root, &other);
	}
	tap_ok(accepted == 0, "another realm is refused");
	for (int kind = 0; kind < 256; kind++)
	{
		other = context;
		other.kind = (unsigned char) kind;
		if (kind != context.kind)
			accepted += opens(out, wrapped, sizeof wrapped, root, &other);
	}
	tap_ok(accepted == 0, "another kind is refused");
	for (size_t i = 0; i < STEWARD_WRAP_IDS_BYTES; i++)
	{
		other = context;
		other.ids[i] ^= 1;
		accepted += opens(out, wrapped, sizeof wrapped, root, &other);
	}
	tap_ok(accepted == 0, "other ids are refused");
}

/* Two neighbouring fields must not be able to stand in for each other. */
static void
test_fields_are_fixed(void)
{
	StewardWrapContext context;
	StewardWrapContext shifted;
	unsigned char one[STEWARD_WRAP_BYTES];
	unsigned char two[STEWARD_WRAP_BYTES];
	unsigned char salt[24] = {0};

	memset(&context, 0, sizeof context);
	memset(&shifted, 0, sizeof shifted);
	context.realm[STEWARD_REALM_BYTES - 1] = 1;
	shifted.kind = 1;
	steward_wrap_seal_salted(one, root, &context, secret, salt);
	steward_wrap_seal_salted(two, root, &shifted, secret, salt);
	tap_ok(memcmp(one + 25, two + 25, 80) != 0,
		   "the last byte of the realm is not the kind");
}

/* Only a tombstone of this very subject, under this root, is one. */
static void
test_tombstone(void)
{
	StewardWrapContext tombstone;
	StewardWrapContext secret_context;
	StewardWrapContext other;
	unsigned char wrapped[STEWARD_WRAP_BYTES];
	unsigned char out[STEWARD_KEY_BYTES];

	steward_wrap_subject_context(&tombstone, realm, STEWARD_WRAP_TOMBSTONE,
								 secret);
	steward_wrap_subject_context(&secret_context, realm,
								 STEWARD_WRAP_SUBJECT_SECRET, secret);
	tap_bytes(tombstone.ids, secret, sizeof tombstone.ids,
			  "the ids of a subject are its uuid");

	steward_wrap_seal_tombstone(wrapped, root, &tombstone);
	tap_ok(steward_wrap_is_tombstone(wrapped, sizeof wrapped, root, &tombstone),
		   "a tombstone is one");
	tap_ok(!steward_wrap_is_tombstone(wrapped, sizeof wrapped, secret, &tombstone),
		   "not under another root");
	tap_ok(!opens(out, wrapped, sizeof wrapped, root, &secret_context),
		   "it is no secret");
	other = tombstone;
	other.ids[15] ^= 1;
	tap_ok(!steward_wrap_is_tombstone(wrapped, sizeof wrapped, root, &other),
		   "nor the tombstone of another subject");
	wrapped[60] ^= 1;
	tap_ok(!steward_wrap_is_tombstone(wrapped, sizeof wrapped, root, &tombstone),
		   "altered it is none");

	steward_wrap_seal(wrapped, root, &secret_context, secret);
	tap_ok(!steward_wrap_is_tombstone(wrapped, sizeof wrapped, root, &tombstone) &&
		   !steward_wrap_is_tombstone(wrapped, sizeof wrapped, root, &secret_context),
		   "a secret is no tombstone");
	steward_wrap_seal(wrapped, root, &tombstone, secret);
	tap_ok(!steward_wrap_is_tombstone(wrapped, sizeof wrapped, root, &tombstone),
		   "nor is a wrap of its kind with content");
}

int
main(void)
{
	tap_begin();
	prepare();
	test_context();
	test_round_trip();
	test_altered();
	test_elsewhere();
	test_generations();
	test_fields_are_fixed();
	test_tombstone();
	return tap_end();
}
