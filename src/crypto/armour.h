/*
 * armour.h: the text form of an encrypted value: "stw1:" and the bytes in
 * base64url without padding (RFC 4648, section 5).
 */
#ifndef STEWARD_CRYPTO_ARMOUR_H
#define STEWARD_CRYPTO_ARMOUR_H

#include <stdbool.h>
#include <stddef.h>

#define STEWARD_ARMOUR_PREFIX "stw1:"
#define STEWARD_ARMOUR_PREFIX_LEN 5

/* Does this text claim to be armour? Such text is never taken as plaintext. */
extern bool steward_armour_is_claimed(const char *text, size_t len);

/* Characters of the armour of len bytes, with the final NUL. */
extern size_t steward_armour_size(size_t len);

/* Writes steward_armour_size(len) characters. */
extern void steward_armour_encode(char *out, const unsigned char *bytes,
								  size_t len);

/* Most bytes that armour of text_len characters can hold. */
extern size_t steward_armour_decoded_max(size_t text_len);

/*
 * Decodes armour into out (steward_armour_decoded_max bytes); false when the
 * prefix is missing or the rest is not canonical unpadded base64url; *out_len
 * is 0 then.
 */
extern bool steward_armour_decode(unsigned char *out, size_t *out_len,
								  const char *text, size_t text_len);

#endif							/* STEWARD_CRYPTO_ARMOUR_H */
