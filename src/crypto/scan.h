/*
 * scan.h: reading and writing the texts of the ledger: lines, decimal numbers,
 * base64, UTF-8.
 *
 * Everything has exactly one spelling, and any other is refused: lines end in a
 * newline, numbers have no leading zeros and are below 2^63, base64 is the
 * standard one of RFC 4648, section 4, with padding and without stray bits.
 */
#ifndef STEWARD_CRYPTO_SCAN_H
#define STEWARD_CRYPTO_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/sha256.h"

/* A stretch of a text. */
typedef struct StewardScan
{
	const char *start;
	size_t		len;
} StewardScan;

/* Characters of the base64 of len bytes. */
#define STEWARD_BASE64_CHARS(len) (((len) + 2) / 3 * 4)

/* Takes the next line off the text, without its newline. False: no newline. */
extern bool steward_scan_line(StewardScan *text, StewardScan *line);

/* Takes a word off the beginning. False, and no change: it begins otherwise. */
extern bool steward_scan_skip(StewardScan *text, const char *word);

/* Takes what stands before a character, and the character, off the text. */
extern bool steward_scan_until(StewardScan *text, char stop, StewardScan *before);

/* The whole text as a number, as len bytes in base64, as a hash in base64. */
extern bool steward_scan_number(const StewardScan *text, uint64_t *number);
extern bool steward_scan_bytes(const StewardScan *text, void *bytes, size_t len);
extern bool steward_scan_hash(const StewardScan *text, StewardHash *hash);

/* Is the text base64 of anything? */
extern bool steward_scan_is_base64(const StewardScan *text);

/* Takes a character off the beginning of a text. False: no UTF-8. */
extern bool steward_scan_character(StewardScan *text, uint32_t *character);

/* These write at out and give the place behind it; no NUL. A number needs up to
 * 20 characters. Base64 of len bytes: STEWARD_BASE64_CHARS(len), and one more
 * that it may write over. */
extern char *steward_put_text(char *out, const char *text, size_t len);
extern char *steward_put_word(char *out, const char *word);
extern char *steward_put_number(char *out, uint64_t number);
extern char *steward_put_base64(char *out, const void *bytes, size_t len);

#endif							/* STEWARD_CRYPTO_SCAN_H */
