/*
 * note.c: signed notes; see note.h.
 */
#include "crypto/note.h"

#include <string.h>

#include "crypto/scan.h"

#define TYPE_ED25519 0x01
#define TYPED_KEY_BYTES (1 + STEWARD_SIGN_PUBLIC_BYTES)
#define SIGNED_BYTES (STEWARD_NOTE_KEY_ID_BYTES + STEWARD_SIGNATURE_BYTES)
#define DASH "\xe2\x80\x94 "	/* em dash and space */

const char *
steward_note_status_text(StewardNoteStatus status)
{
	switch (status)
	{
		case STEWARD_NOTE_OK:
			return "the signature is right";
		case STEWARD_NOTE_MALFORMED:
			return "it is not a signed note";
		case STEWARD_NOTE_UNSIGNED:
			return "no signature is of this key";
		case STEWARD_NOTE_FORGED:
			return "a signature in the name of this key is wrong";
		case STEWARD_NOTE_BAD_TEXT:
			return "what is signed is not of the right form";
		case STEWARD_NOTE_OTHER_ORIGIN:
			return "what is signed belongs to another log";
	}
	return "unknown status";
}

/* White_Space of Unicode. */
static bool
is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 ||
		c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
		c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool
is_name(StewardScan name)
{
	uint32_t	c;

	if (name.len == 0)
		return false;
	while (name.len > 0)
	{
		if (!steward_scan_character(&name, &c) || c < 0x20 || c == '+' || is_space(c))
			return false;
	}
	return true;
}

bool
steward_note_name_is_valid(const char *name, size_t len)
{
	StewardScan text = {name, len};

	return len <= STEWARD_NOTE_NAME_MAX && is_name(text);
}

static void
typed_key(unsigned char out[TYPED_KEY_BYTES], const unsigned char *public_key)
{
	out[0] = TYPE_ED25519;
	memcpy(out + 1, public_key, STEWARD_SIGN_PUBLIC_BYTES);
}

bool
steward_note_key_make(StewardNoteKey *key, const char *name, size_t len,
					  const unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES])
{
	unsigned char typed[TYPED_KEY_BYTES];
	StewardSha256 sha;
	StewardHash digest;

	memset(key, 0, sizeof *key);
	if (!steward_note_name_is_valid(name, len))
		return false;
	memcpy(key->name, name, len);
	memcpy(key->public_key, public_key, sizeof key->public_key);
	typed_key(typed, public_key);
	steward_sha256_init(&sha);
	steward_sha256_update(&sha, name, len);
	steward_sha256_update(&sha, "\n", 1);
	steward_sha256_update(&sha, typed, sizeof typed);
	steward_sha256_final(&sha, &digest);
	memcpy(key->id, digest.bytes, sizeof key->id);
	return true;
}

size_t
steward_note_key_format(char out[STEWARD_NOTE_KEY_TEXT_BYTES],
						const StewardNoteKey *key)
{
	unsigned char typed[TYPED_KEY_BYTES];
	char	   *end = steward_put_word(out, key->name);

	*end++ = '+';
	(void) sodium_bin2hex(end, 2 * sizeof key->id + 1, key->id, sizeof key->id);
	end += 2 * sizeof key->id;
	*end++ = '+';
	typed_key(typed, key->public_key);
	end = steward_put_base64(end, typed, sizeof typed);
	*end = '\0';
	return (size_t) (end - out);
}

/* The id is compared as text, which settles its spelling as well. */
bool
steward_note_key_parse(StewardNoteKey *key, const char *text, size_t len)
{
	StewardScan rest = {text, len};
	StewardScan name;
	StewardScan id;
	unsigned char typed[TYPED_KEY_BYTES];
	char		again[STEWARD_NOTE_KEY_TEXT_BYTES];

	if (steward_scan_until(&rest, '+', &name) &&
		steward_scan_until(&rest, '+', &id) &&
		steward_scan_bytes(&rest, typed, sizeof typed) &&
		typed[0] == TYPE_ED25519 &&
		steward_note_key_make(key, name.start, name.len, typed + 1) &&
		steward_note_key_format(again, key) == len &&
		memcmp(again, text, len) == 0)
		return true;
	memset(key, 0, sizeof *key);
	return false;
}

size_t
steward_note_sign(char out[STEWARD_NOTE_LINE_BYTES], const StewardNoteKey *key,
				  const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
				  const char *text, size_t len)
{
	unsigned char bytes[SIGNED_BYTES];
	char	   *end = steward_put_word(out, DASH);

	memcpy(bytes, key->id, sizeof key->id);
	steward_sign(bytes + sizeof key->id, seed, text, len);
	end = steward_put_word(end, key->name);
	*end++ = ' ';
	end = steward_put_base64(end, bytes, sizeof bytes);
	*end++ = '\n';
	*end = '\0';
	return (size_t) (end - out);
}

bool
steward_note_text_is_valid(const char *text, size_t len)
{
	StewardScan rest = {text, len};
	uint32_t	c;

	if (len == 0 || text[len - 1] != '\n')
		return false;
	while (rest.len > 0)
	{
		if (!steward_scan_character(&rest, &c) || (c < 0x20 && c != '\n'))
			return false;
	}
	return true;
}

/* A well-formed signature line: OK when it is a right signature of the key,
 * UNSIGNED when it is of another key. */
static StewardNoteStatus
check_line(StewardScan line, StewardScan text, const StewardNoteKey *key)
{
	StewardScan name;
	StewardScan first;			/* the digits that hold the id */
	unsigned char bytes[SIGNED_BYTES];
	unsigned char id[STEWARD_NOTE_KEY_ID_BYTES + 2];

	if (!steward_scan_skip(&line, DASH) ||
		!steward_scan_until(&line, ' ', &name) || !is_name(name) ||
		!steward_scan_is_base64(&line) ||
		line.len < STEWARD_BASE64_CHARS(STEWARD_NOTE_KEY_ID_BYTES + 1))
		return STEWARD_NOTE_MALFORMED;
	first = line;
	first.len = STEWARD_BASE64_CHARS(STEWARD_NOTE_KEY_ID_BYTES + 1);
	if (!steward_scan_bytes(&first, id, first.start[first.len - 1] == '=' ? 5 : 6))
		return STEWARD_NOTE_MALFORMED;
	if (name.len != strlen(key->name) ||
		memcmp(name.start, key->name, name.len) != 0 ||
		memcmp(id, key->id, sizeof key->id) != 0)
		return STEWARD_NOTE_UNSIGNED;
	return steward_scan_bytes(&line, bytes, sizeof bytes) &&
		steward_sign_verify(bytes + STEWARD_NOTE_KEY_ID_BYTES, key->public_key,
							text.start, text.len) ?
		STEWARD_NOTE_OK : STEWARD_NOTE_FORGED;
}

/* Cuts a note at its last empty line. */
static bool
split(const char *note, size_t len, StewardScan *text, StewardScan *lines)
{
	if (len > STEWARD_NOTE_MAX_BYTES || !steward_note_text_is_valid(note, len))
		return false;
	for (size_t at = len - 1; at >= 2; at--)
	{
		if (note[at - 1] != '\n' || note[at - 2] != '\n')
			continue;
		text->start = note;
		text->len = at - 1;
		lines->start = note + at;
		lines->len = len - at;
		return true;
	}
	return false;
}

StewardNoteStatus
steward_note_open(size_t *text_len, const char *note, size_t len,
				  const StewardNoteKey *key)
{
	StewardNoteStatus result = STEWARD_NOTE_UNSIGNED;
	StewardScan text;
	StewardScan lines;
	StewardScan line;
	bool		forged = false;

	*text_len = 0;
	if (!split(note, len, &text, &lines))
		return STEWARD_NOTE_MALFORMED;
	for (int count = 0; lines.len > 0; count++)
	{
		StewardNoteStatus status;

		if (count == STEWARD_NOTE_MAX_SIGNATURES ||
			!steward_scan_line(&lines, &line))
			return STEWARD_NOTE_MALFORMED;
		status = check_line(line, text, key);
		if (status == STEWARD_NOTE_MALFORMED)
			return STEWARD_NOTE_MALFORMED;
		forged = forged || status == STEWARD_NOTE_FORGED;
		if (status == STEWARD_NOTE_OK)
			result = STEWARD_NOTE_OK;
	}
	if (forged)
		return STEWARD_NOTE_FORGED;
	if (result == STEWARD_NOTE_OK)
		*text_len = text.len;
	return result;
}
