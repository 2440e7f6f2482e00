/*
 * type_text.c: encrypted_text.
 *
 * Plaintext bytes are the text in UTF-8, whatever the server's encoding; they are
 * canonical. Order is that of the database's own collation, which is always
 * deterministic, so it agrees with equality.
 */
#include "types/type_info.h"

#include <sodium.h>

#include "catalog/namespace.h"
#include "catalog/pg_collation_d.h"
#include "crypto/armour.h"
#include "mb/pg_wchar.h"
#include "types/scratch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

/* ---- encodings ---- */

static pg_attribute_noreturn() void
raise_untranslatable(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
			 errmsg("value has a character that the encoding of the database does not have")));
}

/*
 * What a database of encoding SQL_ASCII sealed may be no UTF-8 at all;
 * PostgreSQL relies on text being well formed.
 */
static bool
is_server_text(const char *text, size_t len)
{
	return pg_verify_mbstr(GetDatabaseEncoding(), text, (int) len, true);
}

void
steward_verify_server_text(const char *text, size_t len)
{
	if (unlikely(!is_server_text(text, len)))
		raise_untranslatable();
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

/* ---- plaintext bytes ---- */

static StewardPlain
encode_text(Datum value)
{
	StewardPlain text = steward_encode_varlena(value);
	StewardPlain utf8 = steward_text_to_utf8((char *) text.bytes, text.len);

	if (utf8.bytes == text.bytes)
		return text;
	steward_plain_free(&text);
	return utf8;
}

/*
 * For casts. Text that looks like armour is refused: it is most likely what an
 * application read before and now writes back.
 */
static StewardPlain
refuse_armour(StewardPlain plain)
{
	if (steward_armour_is_claimed((char *) plain.bytes, plain.len))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text that looks like ciphertext cannot be encrypted by a cast"),
				 errhint("To encrypt it all the same, use steward.encrypt_text().")));
	return plain;
}

static StewardPlain
cast_text(Datum value)
{
	return refuse_armour(encode_text(value));
}

/* Padding is no part of a character(n) value, as in its cast to text. */
static StewardPlain
cast_bpchar(Datum value)
{
	StewardPlain padded = steward_encode_varlena(value);
	StewardPlain utf8;

	padded.len = bpchartruelen((char *) padded.bytes, (int) padded.len);
	utf8 = steward_text_to_utf8((char *) padded.bytes, padded.len);
	if (utf8.bytes == padded.bytes)
		return refuse_armour(padded);
	steward_plain_free(&padded);
	return refuse_armour(utf8);
}

static StewardPlain
cast_name(Datum value)
{
	char	   *name = NameStr(*DatumGetName(value));

	return refuse_armour(steward_text_to_utf8(name, strlen(name)));
}

static bool
open_text(const StewardDatum *datum, Datum *value)
{
	StewardPlain plain;

	if (unlikely(!is_utf8_server()))
	{
		if (!steward_open(datum, &plain))
			return false;
		steward_plain_to_server(&plain);
		*value = PointerGetDatum(cstring_to_text_with_len((char *) plain.bytes,
														  (int) plain.len));
		steward_plain_free(&plain);
		return true;
	}
	if (!steward_open_varlena(datum, value))
		return false;
	if (unlikely(!is_server_text(VARDATA(DatumGetPointer(*value)),
								 datum->plain_len)))
	{
		sodium_memzero(VARDATA(DatumGetPointer(*value)), datum->plain_len);
		raise_untranslatable();
	}
	return true;
}

/* From this length on, of both, varstr_cmp may copy to the heap, not the stack. */
#define COPIED_BYTES 1000

/* The collation works on the server's encoding. */
static int
compare_texts(StewardPlain *a, StewardPlain *b)
{
	MemoryContext old = NULL;
	int			result;

	steward_plain_to_server(a);
	steward_plain_to_server(b);
	/* By ICU it copies in every encoding but UTF-8. */
	if (unlikely(a->len + b->len >= COPIED_BYTES ||
				 GetDatabaseEncoding() != PG_UTF8))
		old = steward_scratch_begin();
	result = varstr_cmp((char *) a->bytes, (int) a->len,
						(char *) b->bytes, (int) b->len, DEFAULT_COLLATION_OID);
	if (old != NULL)
		steward_scratch_end(old);
	return result;
}

const StewardTypeInfo steward_text_info = {
	.code = STEWARD_TYPE_TEXT,
	.name = "encrypted_text",
	.encrypt_function = "encrypt_text",
	.unique_class = "encrypted_unique_ops",
	.encode = encode_text,
	.is_varlena = true,
	.open = open_text,
	.compare = compare_texts,
};

STEWARD_TYPE_FUNCTIONS(text)
STEWARD_CAST_FUNCTION(text, text, cast_text)
STEWARD_CAST_FUNCTION(text, bpchar, cast_bpchar)
STEWARD_CAST_FUNCTION(text, name, cast_name)
STEWARD_PLAIN_FUNCTIONS(text, text, encode_text)
