/*
 * keyring.h: the text that holds root keys, outside every database.
 *
 *	 root <id> <base64>
 *
 * one a line: the id is the root id in 16 lower-case hexadecimal digits, which
 * must fit the key; the key is 32 bytes in standard base64 with padding. Empty
 * lines and lines that begin with '#' are skipped, a carriage return at the end
 * of a line too. The last root is the current one, earlier ones only unwrap.
 */
#ifndef STEWARD_CRYPTO_KEYRING_H
#define STEWARD_CRYPTO_KEYRING_H

#include <stddef.h>

#include "crypto/kdf.h"

#define STEWARD_KEYRING_MAX_ROOTS 16
#define STEWARD_KEYRING_MAX_BYTES 16384
#define STEWARD_KEYRING_LINE_BYTES 96	/* a written line with newline and NUL */

typedef struct StewardRoot
{
	unsigned char id[STEWARD_ROOT_ID_BYTES];
	unsigned char key[STEWARD_KEY_BYTES];
} StewardRoot;

typedef struct StewardKeyring
{
	size_t		count;			/* the last one is current */
	StewardRoot roots[STEWARD_KEYRING_MAX_ROOTS];
} StewardKeyring;

typedef enum StewardKeyringStatus
{
	STEWARD_KEYRING_OK = 0,
	STEWARD_KEYRING_EMPTY,		/* no root in it */
	STEWARD_KEYRING_BAD_LINE,	/* a line of another form */
	STEWARD_KEYRING_BAD_KEY,	/* not 32 bytes of base64 */
	STEWARD_KEYRING_ID_MISMATCH,	/* the id does not belong to the key */
	STEWARD_KEYRING_DUPLICATE,	/* the same id twice */
	STEWARD_KEYRING_TOO_MANY	/* more than STEWARD_KEYRING_MAX_ROOTS */
} StewardKeyringStatus;

/*
 * Parses a keyring. Unless OK the keyring is zeroed and *bad_line is the
 * number of the line at fault (1-based; 0 for EMPTY). The text may hold any
 * bytes. The caller zeroes text and keyring after use.
 */
extern StewardKeyringStatus steward_keyring_parse(StewardKeyring *keyring,
												  size_t *bad_line,
												  const char *text, size_t len);

/* Writes "root <id> <base64>\n" for a key; out is NUL-terminated. */
extern void steward_keyring_format(char out[STEWARD_KEYRING_LINE_BYTES],
								   const unsigned char key[STEWARD_KEY_BYTES]);

/* A constant sentence without the keyring's content, for messages. */
extern const char *steward_keyring_status_text(StewardKeyringStatus status);

#endif							/* STEWARD_CRYPTO_KEYRING_H */
