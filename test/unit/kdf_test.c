/*
 * kdf_test.c: names, tags and derived keys. The expected bytes were computed
 * with another implementation of BLAKE2b; test/vectors/ holds more of them.
 */
#include "crypto/kdf.h"

#include "tap.h"

static unsigned char parent[STEWARD_KEY_BYTES];
static unsigned char other[STEWARD_KEY_BYTES];

static uint32_t
key_id(const char *path)
{
	Guarded		copy = guard_copy(path, strlen(path));
	uint32_t	id = steward_kdf_key_id((const char *) copy.bytes, strlen(path));

	guard_free(&copy);
	return id;
}

static void
test_key_id(void)
{
	int			wrong = 0;

	tap_ok(key_id("pii") == 0x7188bd2b, "the id of a path");
	tap_ok(key_id("pii/customer.ssn") == 0x5c3c34b1, "the id of a path below it");
	tap_ok(key_id("") == 0x32f07af9, "the id of the empty path");
	tap_ok(key_id("top/0") == 0x6b065f21, "the top bit is cleared");
	tap_ok(key_id("zero/1840566808") == 1, "the one known path with 0 gets 1");
	tap_ok(key_id("pii") != key_id("pii/") && key_id("pii") != key_id("PII"),
		   "ids depend on every byte");
	for (int i = 0; i < 100000; i++)
	{
		char		path[32];
		uint32_t	id;

		snprintf(path, sizeof path, "path/%d", i);
		id = steward_kdf_key_id(path, strlen(path));
		wrong += id == 0 || id > 0x7fffffff;
	}
	tap_ok(wrong == 0, "100000 ids are within 1 and 2^31 - 1");
}

static void
test_names(void)
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];
	unsigned char expected[STEWARD_KEY_BYTES];

	steward_kdf_root_id(id, parent);
	fill_hex(expected, sizeof id, "37268eab6c5df8ed");
	tap_bytes(id, expected, sizeof id, "root id");
	tap_ok(steward_kdf_key_tag(parent) == 0x11bef9d2, "key tag");
}

static void
test_keys(void)
{
	unsigned char key[STEWARD_KEY_BYTES];
	unsigned char expected[STEWARD_KEY_BYTES];
	unsigned char hedge[STEWARD_HEDGE_BYTES];
	StewardTagKeys tags;

	steward_kdf_transient(key, parent);
	fill_hex(expected, sizeof key,
			 "2dea90211c9fc80f9e97f46911a7cd7bcdaa80f759085b68685bd4b899cdfddf");
	tap_bytes(key, expected, sizeof key, "transient key");
	steward_kdf_subject(key, parent, other);
	fill_hex(expected, sizeof key,
			 "a5bec6c055666c461515cb43b3dec7403db43d5804931500e84f02e0c590e13b");
	tap_bytes(key, expected, sizeof key, "subject key");
	steward_kdf_hedge(hedge, parent);
	fill_hex(expected, sizeof hedge, "f830b8b04b6583d4ef65b18c84f54e76");
	tap_bytes(hedge, expected, sizeof hedge, "hedge key");
	steward_kdf_tag_keys(&tags, parent);
	fill_hex(expected, sizeof tags.hash, "635b5425de7a3f54b710ab6f9d303c8e");
	tap_bytes(tags.hash, expected, sizeof tags.hash, "key of the hash tags");
	fill_hex(expected, sizeof tags.unique, "8d49c79f539f4033b53a8e2defad9363");
	tap_bytes(tags.unique, expected, sizeof tags.unique,
			  "key of the unique tags");
	fill_hex(expected, sizeof tags.subject, "162be773d82ab62c13d253d1c5213c830b797e4c10aca9f243926c179779986b");
	tap_bytes(tags.subject, expected, sizeof tags.subject,
			  "key of the digests of subjects");
	fill_hex(expected, sizeof tags.audit, "f49ffffe0c99f56d0b5e10cfd89ea633bd8f1bdb782dda0de5874dbd6891a49a");
	tap_bytes(tags.audit, expected, sizeof tags.audit,
			  "key of the hashes in the audit trail");
	fill_hex(expected, sizeof tags.anonymous, "1628c6227bc652dcd203bc07bd777eb13ecd6a2cb49dce54a53465c4ef22ccf5");
	tap_bytes(tags.anonymous, expected, sizeof tags.anonymous,
			  "key of what stands in the place of values");
}

/* Both inputs matter, and they cannot change places. */
static void
test_subject_inputs(void)
{
	unsigned char one[STEWARD_KEY_BYTES];
	unsigned char two[STEWARD_KEY_BYTES];

	steward_kdf_subject(one, parent, other);
	steward_kdf_subject(two, other, parent);
	tap_ok(memcmp(one, two, sizeof one) != 0, "version and secret do not swap");
	steward_kdf_subject(two, parent, parent);
	tap_ok(memcmp(one, two, sizeof one) != 0, "another secret, another key");
	steward_kdf_subject(two, other, other);
	tap_ok(memcmp(one, two, sizeof one) != 0, "another version, another key");
}

static void
test_subject_digest(void)
{
	unsigned char one[STEWARD_SUBJECT_DIGEST_BYTES];
	unsigned char two[STEWARD_SUBJECT_DIGEST_BYTES];

	steward_kdf_subject_digest(one, parent, "customer", 8, "42", 2);
	fill_hex(two, sizeof two, "c2a012013b03ebfc0b2ada241498bce5822d7d1c9095924e8cf1251105e4ee22");
	tap_bytes(one, two, sizeof one, "digest of a subject");
	steward_kdf_subject_digest(two, parent, "customer4", 9, "2", 1);
	tap_ok(memcmp(one, two, sizeof one) != 0,
		   "the end of a kind is not the beginning of a key");
	steward_kdf_subject_digest(two, other, "customer", 8, "42", 2);
	tap_ok(memcmp(one, two, sizeof one) != 0,
		   "another database, another digest");
}

/* The key of every index, and of every column of it, is another. */
static void
test_index_key(void)
{
	static const uint16_t columns[] = {1, 2, 32, 256, 0x0102, 0x0201, 65535};
	unsigned char salt[STEWARD_INDEX_SALT_BYTES + 2];
	unsigned char one[STEWARD_TAG_KEY_BYTES];
	unsigned char two[STEWARD_TAG_KEY_BYTES];
	int			same = 0;

	fill_sequence(salt, sizeof salt, 0x80);
	steward_kdf_index_key(one, parent, salt, 1);
	fill_hex(two, sizeof two, "21328086c4fb854eec69cc299d73a50d");
	tap_bytes(one, two, sizeof one, "key of a column of an index");
	for (size_t i = 1; i < sizeof columns / sizeof columns[0]; i++)
	{
		steward_kdf_index_key(two, parent, salt, columns[i]);
		same += memcmp(one, two, sizeof one) == 0;
	}
	tap_ok(same == 0, "another column, another key");
	for (size_t i = 0; i < STEWARD_INDEX_SALT_BYTES; i++)
	{
		salt[i] ^= 1;
		steward_kdf_index_key(two, parent, salt, 1);
		salt[i] ^= 1;
		same += memcmp(one, two, sizeof one) == 0;
	}
	tap_ok(same == 0, "every byte of the salt matters");
	salt[STEWARD_INDEX_SALT_BYTES] ^= 1;
	steward_kdf_index_key(two, parent, salt, 1);
	tap_ok(memcmp(one, two, sizeof one) == 0, "and none behind it");
	steward_kdf_index_key(two, other, salt, 1);
	tap_ok(memcmp(one, two, sizeof one) != 0, "another secret, another key");
}

/* Keys made for one purpose are of no use for another. */
static void
test_labels_differ(void)
{
	unsigned char digests[9][STEWARD_HEDGE_BYTES];
	unsigned char key[STEWARD_KEY_BYTES];
	uint32_t	tag = steward_kdf_key_tag(parent);
	StewardTagKeys tags;
	int			same = 0;

	memset(digests, 0, sizeof digests);
	steward_kdf_transient(key, parent);
	memcpy(digests[0], key, sizeof digests[0]);
	steward_kdf_subject(key, parent, parent);
	memcpy(digests[1], key, sizeof digests[1]);
	steward_kdf_hedge(digests[2], parent);
	steward_kdf_tag_keys(&tags, parent);
	memcpy(digests[3], tags.hash, sizeof digests[3]);
	memcpy(digests[4], tags.unique, sizeof digests[4]);
	steward_kdf_root_id(digests[5], parent);
	for (int i = 0; i < 4; i++)
		digests[6][i] = (unsigned char) (tag >> (24 - 8 * i));
	memcpy(digests[7], tags.subject, sizeof digests[7]);
	steward_kdf_index_key(digests[8], parent, parent, 1);
	for (int i = 0; i < 9; i++)
	{
		for (int j = 0; j < i; j++)
			same += memcmp(digests[i], digests[j], 4) == 0;
	}
	tap_ok(same == 0, "nine derivations of one key differ");
}

int
main(void)
{
	tap_begin();
	tap_ok(steward_crypto_init() == 0, "preparing twice is harmless");
	fill_sequence(parent, sizeof parent, 0);
	fill_sequence(other, sizeof other, 0x40);
	test_key_id();
	test_names();
	test_keys();
	test_subject_inputs();
	test_subject_digest();
	test_index_key();
	test_labels_differ();
	return tap_end();
}
