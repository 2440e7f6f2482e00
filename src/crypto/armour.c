/*
 * armour.c: the text form of an encrypted value; see armour.h.
 */
#include "crypto/armour.h"

#include <sodium.h>
#include <string.h>

#include "crypto/bytes.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

bool
steward_armour_is_claimed(const char *text, size_t len)
{
	return len >= STEWARD_ARMOUR_PREFIX_LEN &&
		memcmp(text, STEWARD_ARMOUR_PREFIX, STEWARD_ARMOUR_PREFIX_LEN) == 0;
}

size_t
steward_armour_size(size_t len)
{
	return STEWARD_ARMOUR_PREFIX_LEN + sodium_base64_encoded_len(len, VARIANT);
}

void
steward_armour_encode(char *out, const unsigned char *bytes, size_t len)
{
	memcpy(out, STEWARD_ARMOUR_PREFIX, STEWARD_ARMOUR_PREFIX_LEN);
	(void) sodium_bin2base64(out + STEWARD_ARMOUR_PREFIX_LEN,
							 sodium_base64_encoded_len(len, VARIANT), bytes,
							 len, VARIANT);
}

size_t
steward_armour_decoded_max(size_t text_len)
{
	return text_len / 4 * 3 + 3;
}

bool
steward_armour_decode(unsigned char *out, size_t *out_len, const char *text,
					  size_t text_len)
{
	*out_len = 0;
	if (!steward_armour_is_claimed(text, text_len) ||
		!steward_is_ascii(text, text_len))
		return false;
	if (sodium_base642bin(out, steward_armour_decoded_max(text_len),
						  text + STEWARD_ARMOUR_PREFIX_LEN,
						  text_len - STEWARD_ARMOUR_PREFIX_LEN, NULL,
						  out_len, NULL, VARIANT) == 0)
		return true;
	*out_len = 0;
	return false;
}
