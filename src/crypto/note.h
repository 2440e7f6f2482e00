/*
 * note.h: signed notes as C2SP signed-note specifies them, with Ed25519.
 *
 *	 note			text, an empty line, signature lines
 *	 signature line		"— " name " " base64(key id || signature) "\n"
 *	 key id			SHA-256(name || "\n" || 0x01 || public key), first 4 bytes
 *	 verifier key		name "+" key id in hexadecimal "+" base64(0x01 || public key)
 *
 * The text ends in a newline. A note is UTF-8 without control characters other
 * than newline; a name has at least one character and neither a space of Unicode
 * nor a plus. Signature lines of keys that are not asked for are checked for their
 * form only. Reading is strict: base64 is canonical, hexadecimal is in lower case.
 */
#ifndef STEWARD_CRYPTO_NOTE_H
#define STEWARD_CRYPTO_NOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/sign.h"

#define STEWARD_NOTE_NAME_MAX 255
#define STEWARD_NOTE_KEY_ID_BYTES 4

/* Longest note that is read, and most signatures it may have. */
#define STEWARD_NOTE_MAX_BYTES (1024 * 1024)
#define STEWARD_NOTE_MAX_SIGNATURES 64

/* Room for any verifier key and any signature line, with the final NUL. */
#define STEWARD_NOTE_KEY_TEXT_BYTES (STEWARD_NOTE_NAME_MAX + 1 + 8 + 1 + 44 + 1)
#define STEWARD_NOTE_LINE_BYTES (4 + STEWARD_NOTE_NAME_MAX + 1 + 92 + 1 + 1)

/* What verifies notes. */
typedef struct StewardNoteKey
{
	char		name[STEWARD_NOTE_NAME_MAX + 1];	/* ends in NUL */
	unsigned char id[STEWARD_NOTE_KEY_ID_BYTES];
	unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES];
} StewardNoteKey;

typedef enum StewardNoteStatus
{
	STEWARD_NOTE_OK = 0,
	STEWARD_NOTE_MALFORMED,		/* no signed note */
	STEWARD_NOTE_UNSIGNED,		/* no signature of this key */
	STEWARD_NOTE_FORGED,		/* a signature in this key's name is wrong */
	STEWARD_NOTE_BAD_TEXT,		/* rightly signed, but not of the form asked
								 * for */
	STEWARD_NOTE_OTHER_ORIGIN	/* rightly signed, but of another log */
} StewardNoteStatus;

/* Why, as part of a sentence: "no signature is of this key". */
extern const char *steward_note_status_text(StewardNoteStatus status);

/* May this be the name of a key, and the origin of a log of ours? At most
 * STEWARD_NOTE_NAME_MAX bytes. */
extern bool steward_note_name_is_valid(const char *name, size_t len);

/* The verifier key of a name and a public key. False: no valid name. */
extern bool steward_note_key_make(StewardNoteKey *key, const char *name,
								  size_t len,
								  const unsigned char public_key[STEWARD_SIGN_PUBLIC_BYTES]);

/* Reads a verifier key, without a newline; it must be Ed25519 and its id must
 * belong to it. */
extern bool steward_note_key_parse(StewardNoteKey *key, const char *text,
								   size_t len);

/* Writes a verifier key with a final NUL; its length. */
extern size_t steward_note_key_format(char out[STEWARD_NOTE_KEY_TEXT_BYTES],
									  const StewardNoteKey *key);

/*
 * Writes the signature line of a text, with its newline and a final NUL; its
 * length. The note is text "\n" line. The seed must be that of the key.
 */
extern size_t steward_note_sign(char out[STEWARD_NOTE_LINE_BYTES],
								const StewardNoteKey *key,
								const unsigned char seed[STEWARD_SIGN_SEED_BYTES],
								const char *text, size_t len);

/* May this be the text of a note: ends in a newline, valid UTF-8, no control
 * characters? */
extern bool steward_note_text_is_valid(const char *text, size_t len);

/*
 * Verifies a whole note by a key. OK: the text, which was signed, is the first
 * text_len bytes. In any other case text_len is 0 and the note shows nothing.
 */
extern StewardNoteStatus steward_note_open(size_t *text_len, const char *note,
										   size_t len,
										   const StewardNoteKey *key);

#endif							/* STEWARD_CRYPTO_NOTE_H */
