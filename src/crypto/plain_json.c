/*
 * plain_json.c: the plaintext bytes of a jsonb; see plain_json.h.
 *
 * PostgreSQL prints numbers without an exponent, so a number is a run of digits
 * with at most a minus sign before and one point within.
 */
#include "crypto/plain_json.h"

#include <string.h>

#include "crypto/bytes.h"

static bool
is_numeral(unsigned char c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/* End of the string that begins at start with a quotation mark. */
static size_t
string_end(const unsigned char *text, size_t start, size_t len)
{
	size_t		at = start + 1;

	while (at < len && text[at] != '"')
		at += text[at] == '\\' ? 2 : 1;
	return at < len ? at + 1 : len;
}

static size_t
number_end(const unsigned char *text, size_t start, size_t len)
{
	size_t		at = start;

	while (at < len && is_numeral(text[at]))
		at++;
	return at;
}

/* Length of a number without the zeros after its point. */
static size_t
trimmed(const unsigned char *number, size_t len)
{
	if (memchr(number, '.', len) == NULL)
		return len;
	while (number[len - 1] == '0')
		len--;
	return number[len - 1] == '.' ? len - 1 : len;
}

size_t
steward_json_canonicalise(unsigned char *text, size_t len)
{
	size_t		out = 0;
	size_t		at = 0;

	while (at < len)
	{
		size_t		end = at + 1;
		size_t		kept;

		if (text[at] == '"')
			end = string_end(text, at, len);
		else if (is_numeral(text[at]))
			end = number_end(text, at, len);
		kept = is_numeral(text[at]) ? trimmed(text + at, end - at) : end - at;
		memmove(text + out, text + at, kept);
		out += kept;
		at = end;
	}
	return out;
}

/* A string is a key when a colon follows it, at once as PostgreSQL prints it. */
bool
steward_json_has_wide_key(const unsigned char *text, size_t len)
{
	size_t		at = 0;

	while (at < len)
	{
		size_t		end = at + 1;

		if (text[at] == '"')
			end = string_end(text, at, len);
		if (end < len && text[end] == ':' &&
			!steward_is_ascii((const char *) text + at, end - at))
			return true;
		at = end;
	}
	return false;
}
