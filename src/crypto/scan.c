/*
 * scan.c: reading and writing the texts of the ledger; see scan.h.
 */
#include "crypto/scan.h"

#include <string.h>

#include "crypto/bytes.h"

#define VARIANT sodium_base64_VARIANT_ORIGINAL

static void
advance(StewardScan *text, size_t len)
{
	text->start += len;
	text->len -= len;
}

bool
steward_scan_until(StewardScan *text, char stop, StewardScan *before)
{
	const char *end = text->len == 0 ? NULL : memchr(text->start, stop, text->len);

	if (end == NULL)
		return false;
	before->start = text->start;
	before->len = (size_t) (end - text->start);
	advance(text, before->len + 1);
	return true;
}

bool
steward_scan_line(StewardScan *text, StewardScan *line)
{
	return steward_scan_until(text, '\n', line);
}

bool
steward_scan_skip(StewardScan *text, const char *word)
{
	size_t		len = strlen(word);

	if (text->len < len || memcmp(text->start, word, len) != 0)
		return false;
	advance(text, len);
	return true;
}

bool
steward_scan_number(const StewardScan *text, uint64_t *number)
{
	uint64_t	value = 0;

	if (text->len == 0 || (text->len > 1 && text->start[0] == '0'))
		return false;
	for (size_t i = 0; i < text->len; i++)
	{
		unsigned int digit = (unsigned int) (unsigned char) text->start[i] - '0';

		if (digit > 9 || value > ((uint64_t) INT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

bool
steward_scan_bytes(const StewardScan *text, void *bytes, size_t len)
{
	size_t		got;

	return text->len == STEWARD_BASE64_CHARS(len) &&
		steward_is_ascii(text->start, text->len) &&
		sodium_base642bin(bytes, len, text->start, text->len, NULL, &got, NULL,
						  VARIANT) == 0 &&
		got == len;
}

bool
steward_scan_hash(const StewardScan *text, StewardHash *hash)
{
	return steward_scan_bytes(text, hash->bytes, sizeof hash->bytes);
}

/* The number of a digit of base64, -1 for any other character. */
static int
digit_of(char c)
{
	static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int) (found - digits);
}

bool
steward_scan_is_base64(const StewardScan *text)
{
	size_t		len = text->len;

	if (len % 4 != 0)
		return false;
	while (len > 0 && text->len - len < 2 && text->start[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++)
	{
		if (digit_of(text->start[i]) < 0)
			return false;
	}
	/* 1 or 2 bytes in the last group leave 4 or 2 bits of its last digit. */
	if (len == text->len)
		return true;
	return digit_of(text->start[len - 1]) % (text->len - len == 2 ? 16 : 4) == 0;
}

bool
steward_scan_character(StewardScan *text, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *) text->start;
	size_t		len;
	uint32_t	value;

	if (text->len == 0)
		return false;
	len = bytes[0] < 0x80 ? 1 : bytes[0] < 0xc0 ? 0 : bytes[0] < 0xe0 ? 2 :
		bytes[0] < 0xf0 ? 3 : bytes[0] < 0xf8 ? 4 : 0;
	if (len == 0 || len > text->len)
		return false;
	value = len == 1 ? bytes[0] : bytes[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++)
	{
		if ((bytes[i] & 0xc0) != 0x80)
			return false;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return false;
	advance(text, len);
	*character = value;
	return true;
}

char *
steward_put_text(char *out, const char *text, size_t len)
{
	memcpy(out, text, len);
	return out + len;
}

char *
steward_put_word(char *out, const char *word)
{
	return steward_put_text(out, word, strlen(word));
}

char *
steward_put_number(char *out, uint64_t number)
{
	char		digits[20];
	size_t		at = sizeof digits;

	do
	{
		digits[--at] = (char) ('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return steward_put_text(out, digits + at, sizeof digits - at);
}

char *
steward_put_base64(char *out, const void *bytes, size_t len)
{
	size_t		chars = STEWARD_BASE64_CHARS(len);

	(void) sodium_bin2base64(out, chars + 1, bytes, len, VARIANT);
	return out + chars;
}
