/*
 * anonymous_test.c: hashes and checks of what policies put in the place of values. The
 * expected bytes were computed with another implementation of BLAKE2b.
 */
#include "crypto/anonymous.h"

#include "tap.h"

static unsigned char key[STEWARD_KEY_BYTES];

static StewardAnonymousScope
scope_of(const char *policy, const char *column)
{
	StewardAnonymousScope scope = {policy, strlen(policy), column, strlen(column)};

	return scope;
}

static void
check_hash(const char *policy, const char *column, const char *value, const char *hex,
		   const char *name)
{
	StewardAnonymousScope scope = scope_of(policy, column);
	unsigned char hash[STEWARD_ANONYMOUS_HASH_BYTES];
	unsigned char expected[STEWARD_ANONYMOUS_HASH_BYTES];

	steward_anonymous_hash(hash, key, &scope, value, strlen(value));
	fill_hex(expected, sizeof expected, hex);
	tap_bytes(hash, expected, sizeof hash, name);
}

static void
test_hash(void)
{
	check_hash("people", "email", "ada@example.org", "b5490ca9991de34ae46984d8b7c8df7d",
			   "the hash of a value");
	check_hash("peoplee", "mail", "ada@example.org", "bb7414204a604b2f77685c69cffc831e",
			   "where the policy ends counts");
	check_hash("", "", "", "e0bb869b92e1764a6bed2ee153b7b4b2", "nothing at all");
}

static void
test_check(void)
{
	StewardAnonymousScope scope = scope_of("people", "email");
	unsigned char body[8];
	unsigned char check[STEWARD_ANONYMOUS_CHECK_BYTES];
	unsigned char hash[STEWARD_ANONYMOUS_HASH_BYTES];
	unsigned char expected[STEWARD_ANONYMOUS_CHECK_BYTES];

	fill_sequence(body, sizeof body, 0);
	steward_anonymous_check(check, key, &scope, body, sizeof body);
	fill_hex(expected, sizeof expected, "b603849ee1cf7d74");
	tap_bytes(check, expected, sizeof check, "the check of a body");
	steward_anonymous_hash(hash, key, &scope, (const char *) body, sizeof body);
	tap_ok(memcmp(check, hash, sizeof check) != 0, "a hash is no check");
	steward_anonymous_check(hash, key, &scope, body, 7);
	tap_ok(memcmp(check, hash, sizeof check) != 0, "the check is of the whole body");
}

int
main(void)
{
	tap_begin();
	fill_sequence(key, sizeof key, 0);
	test_hash();
	test_check();
	return tap_end();
}
