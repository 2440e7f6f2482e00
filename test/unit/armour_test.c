/*
 * armour_test.c: the text form of an encrypted value.
 */
#include "crypto/armour.h"

#include "tap.h"

#define LONGEST 200

/* Decodes a guarded copy into a guarded buffer of exactly the promised size. */
static bool
decodes(const char *text, size_t len, unsigned char *out, size_t *out_len)
{
	size_t		room = steward_armour_decoded_max(len);
	unsigned char *zeros = calloc(1, room);
	Guarded		input = guard_copy(text, len);
	Guarded		output = guard_copy(zeros, room);
	bool		decoded = steward_armour_decode(output.bytes, out_len,
												(const char *) input.bytes,
												len);

	if (decoded && out != NULL)
		memcpy(out, output.bytes, *out_len);
	guard_free(&input);
	guard_free(&output);
	free(zeros);
	return decoded;
}

static void
test_round_trip(void)
{
	unsigned char bytes[LONGEST];
	unsigned char back[LONGEST];
	char		text[2 * LONGEST];
	int			wrong = 0;

	for (size_t len = 0; len <= LONGEST; len++)
	{
		size_t		got;
		size_t		size = steward_armour_size(len);

		randombytes_buf(bytes, sizeof bytes);
		memset(text, 'x', sizeof text);
		steward_armour_encode(text, bytes, len);
		wrong += strlen(text) + 1 != size || text[size] != 'x';
		wrong += strpbrk(text, "+/= \n") != NULL;
		wrong += !decodes(text, size - 1, back, &got) || got != len ||
			memcmp(bytes, back, len) != 0;
	}
	tap_ok(wrong == 0, "every length up to %d comes back", LONGEST);
}

static void
test_known(void)
{
	const unsigned char bytes[4] = {0xfb, 0xff, 0xfe, 0x00};
	char		text[32];

	steward_armour_encode(text, bytes, 0);
	tap_ok(strcmp(text, "stw1:") == 0, "armour of nothing");
	steward_armour_encode(text, bytes, 4);
	tap_ok(strcmp(text, "stw1:-__-AA") == 0, "the alphabet of base64url");
	tap_ok(steward_armour_is_claimed("stw1:", 5) &&
		   steward_armour_is_claimed("stw1:not armour", 15),
		   "the prefix claims to be armour");
	tap_ok(!steward_armour_is_claimed("stw1", 4) &&
		   !steward_armour_is_claimed("", 0) &&
		   !steward_armour_is_claimed(" stw1:", 6) &&
		   !steward_armour_is_claimed("STW1:", 5) &&
		   !steward_armour_is_claimed("stw2:", 5), "other text does not");
}

static void
test_refused(void)
{
	static const struct
	{
		const char *text;
		const char *name;
	}			cases[] = {
		{"", "empty text"},
		{"stw1", "half a prefix"},
		{"AAAA", "no prefix"},
		{"stw2:AAAA", "another prefix"},
		{"STW1:AAAA", "upper-case prefix"},
		{" stw1:AAAA", "a blank before"},
		{"stw1:AAAA ", "a blank after"},
		{"stw1:AAAA\n", "a newline after"},
		{"stw1:AA AA", "a blank within"},
		{"stw1:AA\nAA", "a newline within"},
		{"stw1:AA==", "padding of two"},
		{"stw1:AAA=", "padding of one"},
		{"stw1:====", "nothing but padding"},
		{"stw1:A", "one lone digit"},
		{"stw1:AAAAA", "one digit too many"},
		{"stw1:AB", "set bits beyond the first byte"},
		{"stw1:AAB", "set bits beyond the second byte"},
		{"stw1:++++", "plus, of the other alphabet"},
		{"stw1:////", "slash, of the other alphabet"},
		{"stw1:AA.A", "a dot"},
		{"stw1:AA\xc3\xa4", "beyond ASCII"},
		{"stw1:stw1:AAAA", "two prefixes"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		size_t		got = 99;

		tap_ok(!decodes(cases[i].text, strlen(cases[i].text), NULL, &got) &&
			   got == 0, "refused: %s", cases[i].name);
	}
}

static void
test_nul_and_every_byte(void)
{
	const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t		got;
	int			wrong = 0;

	tap_ok(!decodes("stw1:AA\0A", 9, NULL, &got), "refused: a NUL within");
	for (int byte = 0; byte < 256; byte++)
	{
		char		text[10] = "stw1:AAAA";
		bool		good = byte != 0 && strchr(alphabet, byte) != NULL;

		text[6] = (char) byte;
		wrong += decodes(text, 9, NULL, &got) != good;
	}
	tap_ok(wrong == 0, "exactly 64 bytes are digits");
}

/* Distinct armour means distinct bytes: no text has a second spelling. */
static void
test_canonical(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	int			accepted = 0;

	for (int last = 0; last < 64; last++)
	{
		char		text[8] = "stw1:A";
		size_t		got;

		text[6] = digits[last];
		accepted += decodes(text, 7, NULL, &got);
	}
	tap_ok(accepted == 4, "only 4 of 64 final digits are canonical");
}

int
main(void)
{
	tap_begin();
	test_known();
	test_round_trip();
	test_refused();
	test_nul_and_every_byte();
	test_canonical();
	return tap_end();
}
