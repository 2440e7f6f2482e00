/*
 * keyring_fuzz.c: any text as a keyring. What is accepted must consist of
 * lines as steward_keyring_format writes them, comments and empty lines.
 */
#include "crypto/keyring.h"

#include "fuzz.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return steward_crypto_init();
}

static void
must_be_canonical(const StewardKeyring *keyring, const char *text, size_t len)
{
	size_t		found = 0;

	MUST(keyring->count >= 1 && keyring->count <= STEWARD_KEYRING_MAX_ROOTS);
	for (size_t start = 0; start < len;)
	{
		const char *line = text + start;
		const char *newline = memchr(line, '\n', len - start);
		size_t		line_len = newline != NULL ? (size_t) (newline - line) :
			len - start;
		char		expected[STEWARD_KEYRING_LINE_BYTES];

		start += line_len + 1;
		if (line_len > 0 && line[line_len - 1] == '\r')
			line_len--;
		if (line_len == 0 || line[0] == '#')
			continue;
		MUST(found < keyring->count);
		steward_keyring_format(expected, keyring->roots[found].key);
		MUST(strlen(expected) == line_len + 1);
		MUST(memcmp(expected, line, line_len) == 0);
		found++;
	}
	MUST(found == keyring->count);
	for (size_t i = 0; i < found; i++)
	{
		for (size_t j = 0; j < i; j++)
			MUST(memcmp(keyring->roots[i].key, keyring->roots[j].key,
						STEWARD_KEY_BYTES) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	StewardKeyring keyring;
	size_t		bad_line = 12345;
	size_t		lines = 1;
	StewardKeyringStatus status;

	for (size_t i = 0; i < len; i++)
		lines += bytes[i] == '\n';
	memset(&keyring, 0xee, sizeof keyring);
	status = steward_keyring_parse(&keyring, &bad_line, (const char *) bytes, len);
	MUST(strstr(steward_keyring_status_text(status), "unknown") == NULL);
	if (status == STEWARD_KEYRING_OK)
	{
		MUST(bad_line == 0);
		must_be_canonical(&keyring, (const char *) bytes, len);
		return 0;
	}
	MUST(sodium_is_zero((unsigned char *) &keyring, sizeof keyring));
	MUST(bad_line <= lines && (bad_line == 0) == (status == STEWARD_KEYRING_EMPTY));
	return 0;
}
