/*
 * keyring_test.c: the text that holds root keys.
 */
#include "crypto/keyring.h"

#include "tap.h"

#define LINE_LEN 67				/* with the newline */

static char lines[STEWARD_KEYRING_MAX_ROOTS + 1][STEWARD_KEYRING_LINE_BYTES];
static unsigned char keys[STEWARD_KEYRING_MAX_ROOTS + 1][STEWARD_KEY_BYTES];

static void
prepare(void)
{
	for (int i = 0; i <= STEWARD_KEYRING_MAX_ROOTS; i++)
	{
		fill_sequence(keys[i], STEWARD_KEY_BYTES, (unsigned char) (i * 7));
		steward_keyring_format(lines[i], keys[i]);
	}
}

static StewardKeyringStatus
parse(StewardKeyring *keyring, size_t *bad_line, const char *text, size_t len)
{
	Guarded		copy = guard_copy(text, len);
	StewardKeyringStatus status;

	memset(keyring, 0xee, sizeof *keyring);
	status = steward_keyring_parse(keyring, bad_line,
								   (const char *) copy.bytes, len);
	guard_free(&copy);
	if (status != STEWARD_KEYRING_OK &&
		!sodium_is_zero((unsigned char *) keyring, sizeof *keyring))
		tap_ok(false, "a refused keyring is zeroed");
	return status;
}

/* The text is a format whose two %s are the first two lines. */
static void
test_table(void)
{
	static const struct
	{
		const char *format;
		StewardKeyringStatus status;
		size_t		bad_line;
		size_t		count;
		const char *name;
	}			cases[] = {
		{"%s%s", STEWARD_KEYRING_OK, 0, 2, "two roots"},
		{"%.66s\r\n%s", STEWARD_KEYRING_OK, 0, 2, "a carriage return"},
		{"%s%.66s", STEWARD_KEYRING_OK, 0, 2, "no final newline"},
		{"\n# a comment\n\n%s#%s", STEWARD_KEYRING_OK, 0, 1, "comments"},
		{"%.0s%.0s", STEWARD_KEYRING_EMPTY, 0, 0, "nothing"},
		{"\n\n%.0s%.0s", STEWARD_KEYRING_EMPTY, 0, 0, "empty lines only"},
		{"# %s#%s", STEWARD_KEYRING_EMPTY, 0, 0, "comments only"},
		{"%s x%s", STEWARD_KEYRING_BAD_LINE, 2, 0, "a blank before the word"},
		{"\xef\xbb\xbf%s%s", STEWARD_KEYRING_BAD_LINE, 1, 0, "a byte-order mark"},
		{"%sroot%.0s", STEWARD_KEYRING_BAD_LINE, 2, 0, "a bare word"},
		{"%s%.0s \n", STEWARD_KEYRING_BAD_LINE, 2, 0, "a line of one blank"},
		{"%s%.21s", STEWARD_KEYRING_BAD_LINE, 2, 0, "no key and no blank"},
		{"%s%.22s", STEWARD_KEYRING_BAD_KEY, 2, 0, "no key"},
		{"%s%.65s", STEWARD_KEYRING_BAD_KEY, 2, 0, "a key without padding"},
		{"%s%.66s=", STEWARD_KEYRING_BAD_KEY, 2, 0, "too much padding"},
		{"%s%.66s \n", STEWARD_KEYRING_BAD_KEY, 2, 0, "a blank at the end"},
		{"%.66s %s", STEWARD_KEYRING_BAD_KEY, 1, 0, "two roots on a line"},
		{"Root%.0s%.0s", STEWARD_KEYRING_BAD_LINE, 1, 0, "another word"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		char		text[400];
		StewardKeyring keyring;
		size_t		bad_line = 99;
		int			len = snprintf(text, sizeof text, cases[i].format, lines[0],
								   lines[1]);
		StewardKeyringStatus status = parse(&keyring, &bad_line, text,
											(size_t) len);

		tap_ok(status == cases[i].status && bad_line == cases[i].bad_line &&
			   keyring.count == cases[i].count, "%s: \"%s\"", cases[i].name,
			   steward_keyring_status_text(status));
	}
}

/* One character of a good line replaced. */
static void
test_replaced(void)
{
	static const struct
	{
		size_t		offset;
		char		with;
		StewardKeyringStatus expected;
		const char *name;
	}			cases[] = {
		{0, 'R', STEWARD_KEYRING_BAD_LINE, "the word in upper case"},
		{4, '\t', STEWARD_KEYRING_BAD_LINE, "a tab after the word"},
		{21, '\t', STEWARD_KEYRING_BAD_LINE, "a tab after the id"},
		{5, 'x', STEWARD_KEYRING_ID_MISMATCH, "an id that is no number"},
		{5, '0', STEWARD_KEYRING_ID_MISMATCH, "another id"},
		{22, 'B', STEWARD_KEYRING_ID_MISMATCH, "another key"},
		{30, '-', STEWARD_KEYRING_BAD_KEY, "a digit of the other alphabet"},
		{30, ' ', STEWARD_KEYRING_BAD_KEY, "a blank in the key"},
		{30, '\0', STEWARD_KEYRING_BAD_KEY, "a NUL in the key"},
		{30, '\x80', STEWARD_KEYRING_BAD_KEY, "a byte beyond ASCII in the key"},
		{65, '\xbd', STEWARD_KEYRING_BAD_KEY, "a byte beyond ASCII as padding"},
		{64, '9', STEWARD_KEYRING_BAD_KEY, "set bits after the last byte"},
		{64, '=', STEWARD_KEYRING_BAD_KEY, "31 bytes"},
		{65, 'A', STEWARD_KEYRING_BAD_KEY, "33 bytes"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		char		text[STEWARD_KEYRING_LINE_BYTES];
		StewardKeyring keyring;
		size_t		bad_line;

		memcpy(text, lines[0], sizeof text);
		if (text[cases[i].offset] == cases[i].with)
			tap_bail("a case that changes nothing");
		text[cases[i].offset] = cases[i].with;
		tap_ok(parse(&keyring, &bad_line, text, LINE_LEN) == cases[i].expected &&
			   bad_line == 1, "refused: %s", cases[i].name);
	}
}

static void
test_many(void)
{
	char		text[2 * sizeof lines];
	StewardKeyring keyring;
	size_t		bad_line;
	size_t		len = 0;

	for (int i = 0; i <= STEWARD_KEYRING_MAX_ROOTS; i++)
		len += (size_t) sprintf(text + len, "%s", lines[i]);
	tap_ok(parse(&keyring, &bad_line, text, len) == STEWARD_KEYRING_TOO_MANY &&
		   bad_line == STEWARD_KEYRING_MAX_ROOTS + 1, "17 roots are too many");
	len -= strlen(lines[STEWARD_KEYRING_MAX_ROOTS]);
	tap_ok(parse(&keyring, &bad_line, text, len) == STEWARD_KEYRING_OK &&
		   keyring.count == STEWARD_KEYRING_MAX_ROOTS, "16 are not");
	tap_ok(memcmp(keyring.roots[15].key, keys[15], 32) == 0 &&
		   memcmp(keyring.roots[0].key, keys[0], 32) == 0,
		   "in the order of the file");
	len = (size_t) sprintf(text, "%s%s%s", lines[0], lines[1], lines[0]);
	tap_ok(parse(&keyring, &bad_line, text, len) == STEWARD_KEYRING_DUPLICATE &&
		   bad_line == 3, "a root that stands in it twice is refused");
}

static void
test_format(void)
{
	StewardKeyring keyring;
	size_t		bad_line;
	unsigned char id[STEWARD_ROOT_ID_BYTES];
	int			wrong = 0;

	tap_ok(strlen(lines[0]) == LINE_LEN && lines[0][LINE_LEN - 1] == '\n',
		   "a written line is 67 characters");
	for (int i = 0; i < 200; i++)
	{
		unsigned char key[STEWARD_KEY_BYTES];
		char		line[STEWARD_KEYRING_LINE_BYTES];

		randombytes_buf(key, sizeof key);
		steward_keyring_format(line, key);
		steward_kdf_root_id(id, key);
		wrong += parse(&keyring, &bad_line, line, strlen(line)) != STEWARD_KEYRING_OK;
		wrong += keyring.count != 1 ||
			memcmp(keyring.roots[0].key, key, sizeof key) != 0 ||
			memcmp(keyring.roots[0].id, id, sizeof id) != 0;
	}
	tap_ok(wrong == 0, "200 written roots are read back");
	tap_ok(steward_keyring_parse(&keyring, &bad_line, NULL, 0) ==
		   STEWARD_KEYRING_EMPTY, "no text at all is empty");
}

static void
test_texts(void)
{
	int			wrong = 0;

	for (int i = STEWARD_KEYRING_OK; i <= STEWARD_KEYRING_TOO_MANY; i++)
	{
		const char *text = steward_keyring_status_text((StewardKeyringStatus) i);

		wrong += strstr(text, "unknown") != NULL;
		for (int j = STEWARD_KEYRING_OK; j < i; j++)
			wrong += strcmp(text, steward_keyring_status_text((StewardKeyringStatus) j)) == 0;
	}
	tap_ok(wrong == 0, "every status has its own sentence");
}

int
main(void)
{
	tap_begin();
	prepare();
	test_format();
	test_table();
	test_replaced();
	test_many();
	test_texts();
	return tap_end();
}
