/*
 * replacement.c: hashes and pseudonyms, which stand in the place of values; see
 * replacement.h.
 */
#include "retention/replacement.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include <sodium.h>

#include "crypto/anonymous.h"
#include "crypto/random.h"
#include "keys/keys.h"

#define PREFIX "anon-"
#define BODY_BYTES 8
#define UUID_CHARACTERS 36

static void
set_scope(StewardAnonymousScope *scope, const char *policy, const char *column)
{
	scope->policy = pg_server_to_any(policy, strlen(policy), PG_UTF8);
	scope->policy_len = strlen(scope->policy);
	scope->column = pg_server_to_any(column, strlen(column), PG_UTF8);
	scope->column_len = strlen(scope->column);
}

/* The check of a body, behind it. */
static void
add_check(unsigned char *body, size_t len, const StewardAnonymousScope *scope)
{
	steward_anonymous_check(body + len, steward_tag_keys()->anonymous, scope, body, len);
}

char *
steward_replacement_hash(const char *policy, const char *column, const char *value)
{
	unsigned char bytes[STEWARD_ANONYMOUS_HASH_BYTES + STEWARD_ANONYMOUS_CHECK_BYTES];
	char	   *text = palloc(STEWARD_HASH_CHARACTERS + 1);
	char	   *utf8 = pg_server_to_any(value, strlen(value), PG_UTF8);
	StewardAnonymousScope scope;

	set_scope(&scope, policy, column);
	steward_anonymous_hash(bytes, steward_tag_keys()->anonymous, &scope, utf8,
						   strlen(utf8));
	add_check(bytes, STEWARD_ANONYMOUS_HASH_BYTES, &scope);
	if (utf8 != value)
	{
		sodium_memzero(utf8, strlen(utf8));
		pfree(utf8);
	}
	return sodium_bin2hex(text, STEWARD_HASH_CHARACTERS + 1, bytes, sizeof bytes);
}

char *
steward_replacement_pseudonym(const char *policy, const char *column)
{
	unsigned char bytes[BODY_BYTES + STEWARD_ANONYMOUS_CHECK_BYTES];
	char	   *text = palloc(STEWARD_PSEUDONYM_CHARACTERS + 1);
	StewardAnonymousScope scope;

	set_scope(&scope, policy, column);
	steward_random_key(bytes, BODY_BYTES);
	add_check(bytes, BODY_BYTES, &scope);
	strlcpy(text, PREFIX, STEWARD_PSEUDONYM_CHARACTERS + 1);
	(void) sodium_bin2hex(text + strlen(PREFIX), 2 * sizeof bytes + 1, bytes,
						  sizeof bytes);
	return text;
}

/* The bits of the variant are fixed, and so are no part of the check. */
static void
set_variant(unsigned char *bytes)
{
	bytes[BODY_BYTES] = (bytes[BODY_BYTES] & 0x3f) | 0x80;
}

char *
steward_replacement_uuid(const char *policy, const char *column)
{
	unsigned char bytes[BODY_BYTES + STEWARD_ANONYMOUS_CHECK_BYTES];
	char		hex[2 * sizeof bytes + 1];
	StewardAnonymousScope scope;

	set_scope(&scope, policy, column);
	steward_random_key(bytes, BODY_BYTES);
	bytes[6] = (bytes[6] & 0x0f) | 0x80;
	add_check(bytes, BODY_BYTES, &scope);
	set_variant(bytes);
	(void) sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
	return psprintf("%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
					hex + 20);
}

/* Bytes of a text of so many hexadecimal digits; false if it is none. */
static bool
read_hex(unsigned char *bytes, size_t len, const char *text, size_t text_len)
{
	size_t		read;
	const char *end;

	return text_len == 2 * len &&
		sodium_hex2bin(bytes, len, text, text_len, NULL, &read, &end) == 0 &&
		read == len && end == text + text_len;
}

/* A uuid without its hyphens. */
static bool
read_uuid(unsigned char *bytes, const char *text, size_t len)
{
	size_t		read;
	const char *end;

	return len == UUID_CHARACTERS &&
		sodium_hex2bin(bytes, 16, text, len, "-", &read, &end) == 0 &&
		read == 16 && end == text + len;
}

/* Does a body have its check behind it? */
static bool
is_checked(unsigned char *bytes, size_t len, bool uuid,
		   const StewardAnonymousScope *scope)
{
	unsigned char expected[STEWARD_ANONYMOUS_HASH_BYTES + STEWARD_ANONYMOUS_CHECK_BYTES];

	memcpy(expected, bytes, len);
	add_check(expected, len, scope);
	if (uuid)
		set_variant(expected);
	return sodium_memcmp(expected + len, bytes + len,
						 STEWARD_ANONYMOUS_CHECK_BYTES) == 0;
}

STEWARD_FUNCTION(steward_is_anonymous)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	const char *string = VARDATA_ANY(value);
	size_t		len = VARSIZE_ANY_EXHDR(value);
	unsigned char bytes[STEWARD_ANONYMOUS_HASH_BYTES + STEWARD_ANONYMOUS_CHECK_BYTES];
	StewardAnonymousScope scope;

	if (len != STEWARD_HASH_CHARACTERS && len != STEWARD_PSEUDONYM_CHARACTERS &&
		len != UUID_CHARACTERS)
		PG_RETURN_BOOL(false);
	set_scope(&scope, text_to_cstring(PG_GETARG_TEXT_PP(1)),
			  text_to_cstring(PG_GETARG_TEXT_PP(2)));
	if (read_hex(bytes, sizeof bytes, string, len))
		PG_RETURN_BOOL(is_checked(bytes, STEWARD_ANONYMOUS_HASH_BYTES, false, &scope));
	if (len == STEWARD_PSEUDONYM_CHARACTERS && memcmp(string, PREFIX, strlen(PREFIX)) == 0 &&
		read_hex(bytes, BODY_BYTES + STEWARD_ANONYMOUS_CHECK_BYTES,
				 string + strlen(PREFIX), len - strlen(PREFIX)))
		PG_RETURN_BOOL(is_checked(bytes, BODY_BYTES, false, &scope));
	if (read_uuid(bytes, string, len))
		PG_RETURN_BOOL(is_checked(bytes, BODY_BYTES, true, &scope));
	PG_RETURN_BOOL(false);
}
