/*
 * type_jsonb.c: encrypted_jsonb.
 *
 * Plaintext bytes are the text that PostgreSQL prints for a jsonb, in UTF-8: keys
 * in jsonb's order, numbers as they were written. Canonical bytes differ from it
 * in the zeros at the end of numbers, so equality looks at text; order is that of
 * jsonb, for which both values are read. jsonb orders keys by their bytes in the
 * encoding of the database, so of keys beyond ASCII the order is made anew.
 */
#include "types/type_info.h"

#include <sodium.h>

#include "crypto/plain_json.h"
#include "lib/stringinfo.h"
#include "types/scratch.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

/* The printed text in UTF-8, in memory of plain.c. */
static StewardPlain
encode_jsonb(Datum value)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	StringInfoData text;
	StewardPlain plain;

	initStringInfo(&text);
	(void) JsonbToCString(&text, &jsonb->root, VARSIZE(jsonb));
	steward_wipe_detoasted((struct varlena *) jsonb, value);
	plain = steward_text_to_utf8(text.data, text.len);
	if (!plain.owned)
		plain = steward_plain_copy(text.data, text.len);
	sodium_memzero(text.data, text.len);
	pfree(text.data);
	return plain;
}

/* What json allows and jsonb does not is an error, as in PostgreSQL's own cast. */
static StewardPlain
encode_json(Datum value)
{
	char	   *json = TextDatumGetCString(value);
	Datum		jsonb = steward_input_quietly(&steward_jsonb_info, json);
	StewardPlain plain = encode_jsonb(jsonb);

	steward_wipe_varlena((struct varlena *) DatumGetPointer(jsonb));
	sodium_memzero(json, strlen(json));
	pfree(json);
	return plain;
}

/* Reads opened bytes; they become those in the server's encoding. */
static Datum
decode_jsonb(StewardPlain *plain)
{
	Datum		jsonb;

	steward_plain_to_server(plain);
	steward_verify_server_text((char *) plain->bytes, plain->len);
	if (steward_try_input(&steward_jsonb_info, (char *) plain->bytes, &jsonb) != 0)
		steward_raise_malformed_plain();
	return jsonb;
}

static bool
open_jsonb(const StewardDatum *datum, Datum *value)
{
	return steward_open_decoded(datum, decode_jsonb, value);
}

/* Puts keys into the order of this database; another may have sealed the value. */
static void
reorder(StewardPlain *plain)
{
	MemoryContext old = steward_scratch_begin();
	StewardPlain again = encode_jsonb(decode_jsonb(plain));

	steward_scratch_end(old);
	steward_plain_free(plain);
	*plain = again;
}

static void
canonicalise_jsonb(StewardPlain *plain)
{
	if (unlikely(steward_json_has_wide_key(plain->bytes, plain->len)))
		reorder(plain);
	plain->len = steward_json_canonicalise(plain->bytes, plain->len);
	plain->bytes[plain->len] = '\0';
}

static int
compare_jsonbs(StewardPlain *a, StewardPlain *b)
{
	MemoryContext old = steward_scratch_begin();
	Datum		x = decode_jsonb(a);
	Datum		y = decode_jsonb(b);
	int			result = compareJsonbContainers(&DatumGetJsonbP(x)->root,
												&DatumGetJsonbP(y)->root);

	steward_scratch_end(old);
	return result;
}

const StewardTypeInfo steward_jsonb_info = {
	.code = STEWARD_TYPE_JSONB,
	.name = "encrypted_jsonb",
	.encrypt_function = "encrypt_jsonb",
	.unique_class = "encrypted_jsonb_unique_ops",
	.encode = encode_jsonb,
	.is_varlena = true,
	.input = jsonb_in,
	.output = jsonb_out,
	.open = open_jsonb,
	.canonicalise = canonicalise_jsonb,
	.compare = compare_jsonbs,
};

STEWARD_TYPE_FUNCTIONS(jsonb)
STEWARD_AS_TEXT_FUNCTION(jsonb)
STEWARD_CAST_FUNCTION(jsonb, jsonb, encode_jsonb)
STEWARD_CAST_FUNCTION(jsonb, json, encode_json)
STEWARD_PLAIN_FUNCTIONS(jsonb, jsonb, encode_jsonb)
