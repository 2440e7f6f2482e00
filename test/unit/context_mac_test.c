/*
 * context_mac_test.c: context keys and MACs. The expected bytes were computed with
 * another implementation of BLAKE2b and HMAC.
 */
#include "crypto/context_mac.h"

#include "tap.h"

static unsigned char root[STEWARD_KEY_BYTES];
static unsigned char realm[STEWARD_REALM_BYTES];
static unsigned char key[STEWARD_KEY_BYTES];

static StewardContextField
field(const char *text)
{
	StewardContextField made = {text, text != NULL ? strlen(text) : 0};

	return made;
}

static StewardContextClaim
claim(const char *login_role, const char *actor, const char *purpose,
	  const char *request_id, int64_t issued_at)
{
	StewardContextClaim made = {field(login_role), field(actor), field(purpose),
	field(request_id), issued_at};

	return made;
}

static void
test_key(void)
{
	unsigned char made[STEWARD_KEY_BYTES];
	unsigned char expected[STEWARD_KEY_BYTES];

	steward_context_key(made, root, realm, "w", 1);
	fill_hex(expected, sizeof expected,
			 "841a40174edd8c0e676f8c1430a2277ecf10aee13c70015a048d031e60d595a6");
	tap_bytes(made, expected, sizeof made, "the key of another name");
	fill_hex(expected, sizeof expected,
			 "7a57a5c8f979898c40123471188374e2e36dcda8247596eccfed1932ee991cf6");
	tap_bytes(key, expected, sizeof key, "the key of a name");
	realm[15] ^= 1;
	steward_context_key(made, root, realm, "web", 3);
	realm[15] ^= 1;
	tap_ok(memcmp(made, key, sizeof made) != 0, "another realm has another key");
}

static void
check_mac(const StewardContextClaim *of, const char *hex, const char *name)
{
	unsigned char mac[STEWARD_CONTEXT_MAC_BYTES];
	unsigned char expected[STEWARD_CONTEXT_MAC_BYTES];

	steward_context_mac(mac, key, of);
	fill_hex(expected, sizeof expected, hex);
	tap_bytes(mac, expected, sizeof mac, name);
	tap_ok(steward_context_mac_fits(mac, sizeof mac, key, of), name);
}

static void
test_mac(void)
{
	StewardContextClaim all = claim("app", "ada", "support", "r-1", 1767225600000000);
	StewardContextClaim none = claim("app", NULL, NULL, NULL, 0);
	StewardContextClaim empty = claim("app", "", "", "", 0);
	StewardContextClaim early = claim("app", "zo\xc3\xab", NULL, "r", -1);

	check_mac(&all, "8156ae49faec85fb158dc896758f0109d6d09b61560313e3fb53987dfa1d2c09", "all fields");
	check_mac(&none, "d9dd021b39cd71ce2f7f13a84d935d21c2c93c1b90622718683813d9ea447122", "absent fields");
	check_mac(&empty, "6f568419adbca694e4262af32f78d957e8ab3510d592a6954f2330d59c3c5472", "empty fields, which are others");
	check_mac(&early, "4115f8bb818d4f1160306b4656ecad8ef1cef0f83c3e2c20d6e15658b04fa432", "before 1970, and beyond ASCII");
}

/* A text cut elsewhere, and each field alone, is another claim. */
static void
test_binding(void)
{
	const StewardContextClaim right = claim("app", "ada", "support", "r-1", 5);
	const StewardContextClaim wrong[] = {
		claim("ap", "pada", "support", "r-1", 5),
		claim("app", "adas", "upport", "r-1", 5),
		claim("app", "ada", "supportr", "-1", 5),
		claim("app", "ben", "support", "r-1", 5),
		claim("app", "ada", NULL, "r-1", 5),
		claim("app", "ada", "support", NULL, 5),
		claim("app", "ada", "support", "r-1", 6),
		claim("root", "ada", "support", "r-1", 5),
	};
	unsigned char mac[STEWARD_CONTEXT_MAC_BYTES + 1] = {0};
	unsigned char other[STEWARD_KEY_BYTES];
	int			fitting = 0;

	steward_context_mac(mac, key, &right);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		fitting += steward_context_mac_fits(mac, STEWARD_CONTEXT_MAC_BYTES, key, &wrong[i]);
	tap_ok(fitting == 0, "every field is bound, and where it ends");
	tap_ok(!steward_context_mac_fits(mac, STEWARD_CONTEXT_MAC_BYTES - 1, key, &right) &&
		   !steward_context_mac_fits(mac, sizeof mac, key, &right) &&
		   !steward_context_mac_fits(mac, 0, key, &right), "no other length fits");
	for (int bit = 0; bit < 8 * STEWARD_CONTEXT_MAC_BYTES; bit++)
	{
		mac[bit / 8] ^= 1 << bit % 8;
		fitting += steward_context_mac_fits(mac, STEWARD_CONTEXT_MAC_BYTES, key, &right);
		mac[bit / 8] ^= 1 << bit % 8;
	}
	tap_ok(fitting == 0, "no bit may change");
	steward_context_key(other, root, realm, "we", 2);
	tap_ok(!steward_context_mac_fits(mac, STEWARD_CONTEXT_MAC_BYTES, other, &right),
		   "another key does not fit");
}

int
main(void)
{
	tap_begin();
	fill_sequence(root, sizeof root, 0);
	fill_sequence(realm, sizeof realm, 0x40);
	steward_context_key(key, root, realm, "web", 3);
	test_key();
	test_mac();
	test_binding();
	return tap_end();
}
