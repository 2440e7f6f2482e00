/*
 * text.c: input, output and casts of encrypted_text.
 *
 * Plaintext bytes are the text in UTF-8, whatever the server's encoding.
 */
#include "types/encrypted.h"

#include <sodium.h>

#include "base/errors.h"
#include "crypto/armour.h"
#include "keys/keys.h"
#include "keys/names.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

const StewardTypeInfo steward_text_info = {
	.code = STEWARD_TYPE_TEXT,
	.name = "encrypted_text",
	.encrypt_function = "encrypt_text",
};

/* ---- encodings ---- */

static pg_attribute_noreturn() void
raise_untranslatable(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
			 errmsg("value has a character that the encoding of the database does not have")));
}

/*
 * Converts without quoting a character in an error: with noError the converted
 * length tells whether all of the source was used.
 */
static StewardPlain
convert(const unsigned char *source, size_t len, int from, int to)
{
	Oid			procedure = FindDefaultConversionProc(from, to);
	StewardPlain result;
	int			used;

	if (!OidIsValid(procedure) ||
		len >= (MaxAllocSize - 1024) / MAX_CONVERSION_GROWTH)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("value cannot be converted between UTF8 and the encoding of the database")));
	result = steward_plain_make(len * MAX_CONVERSION_GROWTH);
	used = pg_do_encoding_conversion_buf(procedure, from, to,
										 (unsigned char *) source, (int) len,
										 result.bytes, (int) result.len + 1,
										 true);
	if (used != (int) len)
		raise_untranslatable();
	result.len = strlen((char *) result.bytes);
	return result;
}

/* Is UTF-8 as good as the server's own encoding? */
static bool
is_utf8_server(void)
{
	int			encoding = GetDatabaseEncoding();

	return encoding == PG_UTF8 || encoding == PG_SQL_ASCII;
}

StewardPlain
steward_text_to_utf8(const char *text, size_t len)
{
	if (likely(is_utf8_server() || len == 0))
		return steward_plain_borrow(text, len);
	return convert((const unsigned char *) text, len, GetDatabaseEncoding(),
				   PG_UTF8);
}

void
steward_plain_to_server(StewardPlain *plain)
{
	StewardPlain converted;

	if (likely(is_utf8_server() || plain->len == 0))
		return;
	converted = convert(plain->bytes, plain->len, PG_UTF8,
						GetDatabaseEncoding());
	steward_plain_free(plain);
	*plain = converted;
}

/* Seals text of the server's encoding. */
static struct varlena *
seal_text(const char *text, size_t len, uint32 key_id)
{
	StewardPlaintextScope scope;
	struct varlena *result;
	StewardPlain utf8;

	steward_plaintext_begin(&scope);
	utf8 = steward_text_to_utf8(text, len);
	result = steward_seal(&steward_text_info, key_id, NULL, utf8.bytes,
						  utf8.len);
	steward_plain_free(&utf8);
	steward_plaintext_end(&scope);
	return result;
}

/* ---- input and output ---- */

static pg_attribute_noreturn() void
raise_malformed_armour(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("malformed ciphertext"),
			 errhint("Text that begins with \"stw1:\" is taken for ciphertext. To encrypt such a text, use steward.encrypt_text().")));
}

static struct varlena *
load_armour(const char *text, size_t len, int32 typmod)
{
	struct varlena *value = palloc(VARHDRSZ + steward_armour_decoded_max(len));
	size_t		decoded;

	if (!steward_armour_decode((unsigned char *) VARDATA(value), &decoded, text,
							   len))
		raise_malformed_armour();
	SET_VARSIZE(value, VARHDRSZ + decoded);
	steward_check_load(&steward_text_info, value, typmod);
	return value;
}

STEWARD_FUNCTION(steward_text_in)
{
	char	   *text = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	size_t		len = strlen(text);
	StewardPlaintextScope scope;
	struct varlena *result;

	steward_plaintext_begin(&scope);
	if (steward_armour_is_claimed(text, len))
		result = load_armour(text, len, typmod);
	else
		result = seal_text(text, len, steward_typmod_key(typmod));
	steward_plaintext_end(&scope);
	PG_RETURN_POINTER(result);
}

STEWARD_FUNCTION(steward_out)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	size_t		len = VARSIZE_ANY_EXHDR(value);
	char	   *armour = palloc(steward_armour_size(len));

	steward_armour_encode(armour, (unsigned char *) VARDATA_ANY(value), len);
	PG_RETURN_CSTRING(armour);
}

STEWARD_FUNCTION(steward_text_recv)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int			len = message->len - message->cursor;
	struct varlena *value = palloc(VARHDRSZ + len);
	StewardPlaintextScope scope;

	steward_plaintext_begin(&scope);
	SET_VARSIZE(value, VARHDRSZ + len);
	pq_copymsgbytes(message, VARDATA(value), len);
	steward_check_load(&steward_text_info, value, typmod);
	steward_plaintext_end(&scope);
	PG_RETURN_POINTER(value);
}

STEWARD_FUNCTION(steward_send)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbytes(&message, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* ---- casts ---- */

/*
 * From plaintext. Text that looks like armour is refused: it is most likely
 * what an application read before and now writes back.
 */
static struct varlena *
cast_text(char *text, size_t len, int32 typmod)
{
	if (steward_armour_is_claimed(text, len))
	{
		StewardPlaintextScope scope;

		steward_plaintext_begin(&scope);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text that looks like ciphertext cannot be encrypted by a cast"),
				 errhint("To encrypt it all the same, use steward.encrypt_text().")));
	}
	return seal_text(text, len, steward_typmod_key(typmod));
}

STEWARD_FUNCTION(steward_text_from_text)
{
	text	   *plain = PG_GETARG_TEXT_PP(0);

	PG_RETURN_POINTER(cast_text(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain),
								PG_GETARG_INT32(1)));
}

/* Padding is no part of a character(n) value, as in its cast to text. */
STEWARD_FUNCTION(steward_text_from_bpchar)
{
	BpChar	   *plain = PG_GETARG_BPCHAR_PP(0);
	char	   *text = VARDATA_ANY(plain);

	PG_RETURN_POINTER(cast_text(text, bpchartruelen(text, VARSIZE_ANY_EXHDR(plain)),
								PG_GETARG_INT32(1)));
}

STEWARD_FUNCTION(steward_text_from_name)
{
	char	   *text = NameStr(*PG_GETARG_NAME(0));

	PG_RETURN_POINTER(cast_text(text, strlen(text), PG_GETARG_INT32(1)));
}

/* The length coercion: gives a value the key of its column. */
STEWARD_FUNCTION(steward_text_recode)
{
	struct varlena *result = steward_recode(&steward_text_info,
											PG_GETARG_VARLENA_PP(0),
											PG_GETARG_INT32(1));

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(result);
}

/* Does this text begin with the name of a key that has material? */
static bool
names_key(const text * name)
{
	const char *bytes = VARDATA_ANY(name);
	size_t		len = VARSIZE_ANY_EXHDR(name);
	const char *end = memchr(bytes, '/', len);

	return steward_key_is_known(steward_kdf_key_id(bytes, end != NULL ?
												   (size_t) (end - bytes) : len));
}

/* What is wrong with a key's name is shown; a plaintext in its place must not be. */
static void
refuse_swapped(const text * plain, const text * key)
{
	if (!names_key(key) && names_key(plain))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments of encrypt_text are in the wrong order"),
				 errhint("The plaintext comes first, then the key.")));
}

STEWARD_FUNCTION(steward_encrypt_text)
{
	text	   *plain = PG_GETARG_TEXT_PP(0);
	text	   *key = PG_GETARG_TEXT_PP(1);
	struct
	{
		uint32		key_id;
		char		path[STEWARD_PATH_MAX + 1];
	}		   *last = fcinfo->flinfo->fn_extra;
	size_t		key_len = VARSIZE_ANY_EXHDR(key);

	/* The same key row after row: check its name once. */
	if (last == NULL || strlen(last->path) != key_len ||
		memcmp(last->path, VARDATA_ANY(key), key_len) != 0)
	{
		char	   *path = text_to_cstring(key);
		uint32		key_id;

		refuse_swapped(plain, key);
		key_id = steward_name_check(path);

		steward_name_remember(key_id, path);
		if (last == NULL)
			last = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof *last);
		last->key_id = key_id;
		strlcpy(last->path, path, sizeof last->path);
		fcinfo->flinfo->fn_extra = last;
		pfree(path);
	}
	PG_RETURN_POINTER(seal_text(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain),
								last->key_id));
}

/* ---- decryption ---- */

/*
 * ANALYZE, index builds and refreshes of materialized views run as the table's
 * owner under this restriction; a plaintext would end in a catalog or a file.
 */
static void
refuse_maintenance(void)
{
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot decrypt inside a maintenance operation"),
				 errdetail("ANALYZE, index builds and REFRESH MATERIALIZED VIEW would store the plaintext.")));
}

/*
 * Opens into a text. The bytes of a value that a database of encoding SQL_ASCII
 * sealed may be no UTF-8 at all; PostgreSQL relies on text being well formed.
 * NULL for a value of an erased subject.
 */
static text *
open_text(const StewardDatum *datum)
{
	StewardPlain plain;
	text	   *result;

	if (likely(is_utf8_server()))
	{
		result = palloc(VARHDRSZ + datum->plain_len);
		SET_VARSIZE(result, VARHDRSZ + datum->plain_len);
		if (!steward_open_into(datum, (unsigned char *) VARDATA(result)))
			return NULL;
		if (likely(pg_verify_mbstr(GetDatabaseEncoding(), VARDATA(result),
								   (int) datum->plain_len, true)))
			return result;
		sodium_memzero(VARDATA(result), datum->plain_len);
		raise_untranslatable();
	}
	if (!steward_open(datum, &plain))
		return NULL;
	steward_plain_to_server(&plain);
	result = cstring_to_text_with_len((char *) plain.bytes, (int) plain.len);
	steward_plain_free(&plain);
	return result;
}

STEWARD_FUNCTION(steward_decrypt_text)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	StewardPlaintextScope scope;
	StewardDatum datum;
	text	   *result;

	steward_parse(&steward_text_info, &datum, value);
	steward_key_require(datum.key_id, STEWARD_RIGHT_DECRYPT);
	refuse_maintenance();

	steward_plaintext_begin(&scope);
	result = open_text(&datum);
	steward_plaintext_end(&scope);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}
