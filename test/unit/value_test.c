/*
 * value_test.c: sealing and opening values.
 */
#include "crypto/value.h"

#include "tap.h"

#define SAMPLE_BYTES 20
#define LARGE_BYTES (10 * 1024 * 1024)

static unsigned char encryption_key[STEWARD_KEY_BYTES];
static unsigned char subject[STEWARD_UUID_BYTES];
static unsigned char sample[SAMPLE_BYTES];
static StewardValueKey key;

static StewardDatumLabel
label_of(bool bound)
{
	StewardDatumLabel label = {STEWARD_TYPE_BYTEA, 0x11223344, 0x55667788, NULL};

	if (bound)
		label.subject = subject;
	return label;
}

/* Parses and opens into a guarded buffer of exactly the plaintext's size. */
static bool
opens(const unsigned char *bytes, size_t len, const StewardValueKey *with,
	  const unsigned char *expected, size_t expected_len)
{
	Guarded		input = guard_copy(bytes, len);
	Guarded		output;
	StewardDatum datum;
	bool		opened = false;

	if (steward_datum_parse(&datum, input.bytes, len) == STEWARD_DATUM_OK)
	{
		output = guard_copy(input.bytes, datum.plain_len);
		opened = steward_value_open(output.bytes, &datum, with);
		if (opened)
			opened = datum.plain_len == expected_len &&
				memcmp(output.bytes, expected, expected_len) == 0;
		else if (datum.plain_len > 0 &&
				 !sodium_is_zero(output.bytes, datum.plain_len))
			tap_ok(false, "a refused value leaves zeros");
		guard_free(&output);
	}
	guard_free(&input);
	return opened;
}

static void
test_lengths(bool bound)
{
	StewardDatumLabel label = label_of(bound);
	unsigned char plain[300];
	unsigned char sealed[400];
	int			wrong = 0;

	for (size_t len = 0; len <= sizeof plain; len++)
	{
		size_t		size = steward_datum_size(len, bound);
		Guarded		output = guard_copy(sealed, size);

		randombytes_buf(plain, sizeof plain);
		steward_value_seal(output.bytes, &key, &label, plain, len);
		wrong += !opens(output.bytes, size, &key, plain, len);
		guard_free(&output);
	}
	tap_ok(wrong == 0, "0 to 300 bytes come back (%s)",
		   bound ? "bound" : "not bound");
	steward_value_seal(sealed, &key, &label, NULL, 0);
	tap_ok(opens(sealed, steward_datum_size(0, bound), &key, plain, 0),
		   "an empty plaintext without an address (%s)",
		   bound ? "bound" : "not bound");
}

static void
test_altered(bool bound, size_t plain_len)
{
	StewardDatumLabel label = label_of(bound);
	unsigned char sealed[200];
	size_t		size = steward_datum_size(plain_len, bound);
	int			accepted = 0;

	steward_value_seal(sealed, &key, &label, sample, plain_len);
	for (size_t i = 0; i < size; i++)
	{
		for (int bit = 0; bit < 8; bit++)
		{
			sealed[i] ^= (unsigned char) (1 << bit);
			accepted += opens(sealed, size, &key, sample, plain_len);
			sealed[i] ^= (unsigned char) (1 << bit);
		}
	}
	tap_ok(accepted == 0, "every flipped bit of %zu bytes is refused (%s)", size,
		   bound ? "bound" : "not bound");
	for (size_t len = 0; len < size; len++)
		accepted += opens(sealed, len, &key, sample, len);
	tap_ok(accepted == 0, "every truncation is refused");
	sealed[size] = 0;
	tap_ok(!opens(sealed, size + 1, &key, sample, plain_len),
		   "one more byte is refused");
	tap_ok(opens(sealed, size, &key, sample, plain_len),
		   "the unaltered value still opens");
}

static void
test_other_key(void)
{
	StewardDatumLabel label = label_of(false);
	StewardValueKey other;
	unsigned char other_bytes[STEWARD_KEY_BYTES];
	unsigned char sealed[200];
	size_t		size = steward_datum_size(SAMPLE_BYTES, false);
	int			accepted = 0;

	steward_value_seal(sealed, &key, &label, sample, SAMPLE_BYTES);
	for (size_t i = 0; i < STEWARD_KEY_BYTES; i++)
	{
		memcpy(other_bytes, encryption_key, sizeof other_bytes);
		other_bytes[i] ^= 1;
		steward_value_key(&other, other_bytes);
		accepted += opens(sealed, size, &other, sample, SAMPLE_BYTES);
	}
	tap_ok(accepted == 0, "a key with one other bit opens nothing");
	other = key;
	memset(other.hedge, 0, sizeof other.hedge);
	tap_ok(opens(sealed, size, &other, sample, SAMPLE_BYTES),
		   "opening needs no hedge key");
}

/* A bound value under the key of its subject does not open under another. */
static void
test_subject_keys(void)
{
	StewardDatumLabel label = label_of(true);
	unsigned char secret[STEWARD_KEY_BYTES];
	unsigned char derived[STEWARD_KEY_BYTES];
	unsigned char sealed[200];
	StewardValueKey bound_key;
	size_t		size = steward_datum_size(SAMPLE_BYTES, true);

	fill_sequence(secret, sizeof secret, 0x90);
	steward_kdf_subject(derived, encryption_key, secret);
	steward_value_key(&bound_key, derived);
	steward_value_seal(sealed, &bound_key, &label, sample, SAMPLE_BYTES);
	tap_ok(opens(sealed, size, &bound_key, sample, SAMPLE_BYTES),
		   "the subject's key opens it");
	tap_ok(!opens(sealed, size, &key, sample, SAMPLE_BYTES),
		   "the key version alone does not");
	secret[0] ^= 1;
	steward_kdf_subject(derived, encryption_key, secret);
	steward_value_key(&bound_key, derived);
	tap_ok(!opens(sealed, size, &bound_key, sample, SAMPLE_BYTES),
		   "another subject's secret does not");
}

static void
test_salts_distinct(void)
{
	enum
	{
		COUNT = 2000
	};
	static unsigned char salts[COUNT][STEWARD_SALT_BYTES];
	StewardDatumLabel label = label_of(false);
	unsigned char sealed[200];
	int			repeated = 0;

	for (int i = 0; i < COUNT; i++)
	{
		steward_value_seal(sealed, &key, &label, sample, SAMPLE_BYTES);
		memcpy(salts[i], sealed + STEWARD_HEADER_BYTES, STEWARD_SALT_BYTES);
		for (int j = 0; j < i; j++)
			repeated += memcmp(salts[i], salts[j], STEWARD_SALT_BYTES) == 0;
	}
	tap_ok(repeated == 0, "%d seals of one plaintext have %d salts", COUNT,
		   COUNT);
}

/* A cloned machine hands out the same random bytes twice. */
static void
test_hedging(void)
{
	StewardDatumLabel label = label_of(false);
	const unsigned char random[STEWARD_SALT_BYTES] = {42};
	unsigned char one[200];
	unsigned char two[200];
	unsigned char changed[SAMPLE_BYTES];
	size_t		size = steward_datum_size(SAMPLE_BYTES, false);

	memcpy(changed, sample, sizeof changed);
	changed[SAMPLE_BYTES - 1] ^= 1;
	steward_value_seal_salted(one, &key, &label, sample, SAMPLE_BYTES, random);
	steward_value_seal_salted(two, &key, &label, changed, SAMPLE_BYTES, random);
	tap_ok(memcmp(one + 12, two + 12, 16) != 0,
		   "another plaintext changes the salt");
	tap_ok(memcmp(one + 28, two + 28, 8) == 0, "its first 16 bytes only");
	tap_ok(memcmp(one + 36, two + 36, 16) != 0, "and so the commitment");
	tap_ok(memcmp(one + 52, two + 52, SAMPLE_BYTES - 1) != 0,
		   "and so the key stream: no two-time pad");
	steward_value_seal_salted(two, &key, &label, sample, SAMPLE_BYTES, random);
	tap_ok(memcmp(one, two, size) == 0, "the same plaintext repeats the value");
	tap_ok(opens(one, size, &key, sample, SAMPLE_BYTES), "it opens");
}

static void
test_large(void)
{
	StewardDatumLabel label = label_of(true);
	unsigned char *plain = malloc(LARGE_BYTES);
	size_t		size = steward_datum_size(LARGE_BYTES, true);
	unsigned char *sealed = malloc(size);

	if (plain == NULL || sealed == NULL)
		tap_bail("no memory");
	randombytes_buf(plain, LARGE_BYTES);
	steward_value_seal(sealed, &key, &label, plain, LARGE_BYTES);
	tap_ok(opens(sealed, size, &key, plain, LARGE_BYTES), "10 MB come back");
	sealed[size / 2] ^= 1;
	tap_ok(!opens(sealed, size, &key, plain, LARGE_BYTES),
		   "one flipped bit in 10 MB is refused");
	free(plain);
	free(sealed);
}

static void
test_value_key(void)
{
	StewardValueKey filled;
	unsigned char hedge[STEWARD_HEDGE_BYTES];

	steward_kdf_hedge(hedge, encryption_key);
	tap_ok(memcmp(key.key, encryption_key, STEWARD_KEY_BYTES) == 0 &&
		   memcmp(key.hedge, hedge, sizeof hedge) == 0,
		   "a value key is the key and its hedge key");
	memcpy(filled.key, encryption_key, STEWARD_KEY_BYTES);
	steward_value_key(&filled, filled.key);
	tap_ok(memcmp(&filled, &key, sizeof key) == 0, "it can be filled in place");
}

int
main(void)
{
	tap_begin();
	fill_sequence(encryption_key, sizeof encryption_key, 1);
	fill_sequence(subject, sizeof subject, 0x70);
	fill_sequence(sample, sizeof sample, 0x41);
	steward_value_key(&key, encryption_key);
	test_value_key();
	test_lengths(false);
	test_lengths(true);
	test_altered(false, SAMPLE_BYTES);
	test_altered(true, SAMPLE_BYTES);
	test_altered(false, 0);
	test_other_key();
	test_subject_keys();
	test_salts_distinct();
	test_hedging();
	test_large();
	return tap_end();
}
