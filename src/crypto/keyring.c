/*
 * keyring.c: the text that holds root keys; see keyring.h for its form.
 */
#include "crypto/keyring.h"

#include <sodium.h>
#include <string.h>

#include "crypto/bytes.h"

#define WORD "root "
#define WORD_LEN 5
#define ID_DIGITS (2 * STEWARD_ROOT_ID_BYTES)
#define KEY_DIGITS 44			/* 32 bytes in padded base64 */
#define LINE_LEN (WORD_LEN + ID_DIGITS + 1 + KEY_DIGITS)

/* Reads one line into a root; the caller zeroes the root on failure. */
static StewardKeyringStatus
parse_line(StewardRoot *root, const char *line, size_t len)
{
	char		id[ID_DIGITS + 1];
	unsigned char expected[STEWARD_ROOT_ID_BYTES];
	size_t		got;

	if (len < WORD_LEN + ID_DIGITS + 1 || memcmp(line, WORD, WORD_LEN) != 0 ||
		line[WORD_LEN + ID_DIGITS] != ' ')
		return STEWARD_KEYRING_BAD_LINE;
	if (len != LINE_LEN || !steward_is_ascii(line, len) ||
		sodium_base642bin(root->key, STEWARD_KEY_BYTES,
						  line + WORD_LEN + ID_DIGITS + 1, KEY_DIGITS, NULL,
						  &got, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
		got != STEWARD_KEY_BYTES)
		return STEWARD_KEYRING_BAD_KEY;

	steward_kdf_root_id(expected, root->key);
	memcpy(root->id, expected, STEWARD_ROOT_ID_BYTES);
	(void) sodium_bin2hex(id, sizeof id, expected, sizeof expected);
	if (memcmp(id, line + WORD_LEN, ID_DIGITS) != 0)
		return STEWARD_KEYRING_ID_MISMATCH;
	return STEWARD_KEYRING_OK;
}

static StewardKeyringStatus
add_line(StewardKeyring *keyring, const char *line, size_t len)
{
	StewardRoot *root;
	StewardKeyringStatus status;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0 || line[0] == '#')
		return STEWARD_KEYRING_OK;
	if (keyring->count == STEWARD_KEYRING_MAX_ROOTS)
		return STEWARD_KEYRING_TOO_MANY;

	root = &keyring->roots[keyring->count];
	status = parse_line(root, line, len);
	for (size_t i = 0; status == STEWARD_KEYRING_OK && i < keyring->count; i++)
	{
		if (memcmp(keyring->roots[i].id, root->id, STEWARD_ROOT_ID_BYTES) == 0)
			status = STEWARD_KEYRING_DUPLICATE;
	}
	if (status == STEWARD_KEYRING_OK)
		keyring->count++;
	return status;
}

StewardKeyringStatus
steward_keyring_parse(StewardKeyring *keyring, size_t *bad_line,
					  const char *text, size_t len)
{
	StewardKeyringStatus status = STEWARD_KEYRING_OK;
	size_t		start = 0;
	size_t		number = 0;

	sodium_memzero(keyring, sizeof *keyring);
	while (status == STEWARD_KEYRING_OK && start < len)
	{
		const char *newline = memchr(text + start, '\n', len - start);
		size_t		line_len = newline != NULL ?
			(size_t) (newline - text) - start : len - start;

		number++;
		status = add_line(keyring, text + start, line_len);
		start += line_len + 1;
	}
	if (status == STEWARD_KEYRING_OK && keyring->count == 0)
	{
		status = STEWARD_KEYRING_EMPTY;
		number = 0;
	}
	if (status != STEWARD_KEYRING_OK)
		sodium_memzero(keyring, sizeof *keyring);
	*bad_line = status == STEWARD_KEYRING_OK ? 0 : number;
	return status;
}

void
steward_keyring_format(char out[STEWARD_KEYRING_LINE_BYTES],
					   const unsigned char key[STEWARD_KEY_BYTES])
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];
	char	   *next = out;

	steward_kdf_root_id(id, key);
	memcpy(next, WORD, WORD_LEN);
	next += WORD_LEN;
	(void) sodium_bin2hex(next, ID_DIGITS + 1, id, sizeof id);
	next += ID_DIGITS;
	*next++ = ' ';
	(void) sodium_bin2base64(next, KEY_DIGITS + 1, key, STEWARD_KEY_BYTES,
							 sodium_base64_VARIANT_ORIGINAL);
	next += KEY_DIGITS;
	*next++ = '\n';
	*next = '\0';
}

const char *
steward_keyring_status_text(StewardKeyringStatus status)
{
	switch (status)
	{
		case STEWARD_KEYRING_OK:
			return "the keyring is well formed";
		case STEWARD_KEYRING_EMPTY:
			return "it holds no root key";
		case STEWARD_KEYRING_BAD_LINE:
			return "the line is not of the form \"root <id> <base64>\"";
		case STEWARD_KEYRING_BAD_KEY:
			return "the key is not 32 bytes in base64";
		case STEWARD_KEYRING_ID_MISMATCH:
			return "the id does not belong to the key";
		case STEWARD_KEYRING_DUPLICATE:
			return "the same root key stands in it twice";
		case STEWARD_KEYRING_TOO_MANY:
			return "it holds more root keys than are supported";
	}
	return "unknown keyring status";
}
