/*
 * redact.c: values that are recorded as omitted, hashed or encrypted; see redact.h.
 *
 * The hash is keyed by a secret of the database: who has the trail alone cannot find
 * a value by trying. Equal values of one type have equal hashes in all columns.
 */
#include "base/compat.h"

#include <sodium.h>

#include "audit/codec_put.h"
#include "audit/codec_read.h"
#include "audit/codec_resolve.h"
#include "audit/codec_show.h"
#include "audit/redact.h"
#include "base/catalog.h"
#include "columns/bind.h"
#include "crypto/armour.h"
#include "crypto/tag.h"
#include "keys/keys.h"
#include "mb/pg_wchar.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "types/type_info.h"
#include "utils/builtins.h"

/* Whose row is being put. */
static bool has_subject = false;
static StewardSubject row_subject;

/* What the inner codec writes of a value, to be given back by wipe. */
static StringInfo
inner_bytes(const StewardCodec *codec, Datum value)
{
	StringInfo	bytes = makeStringInfo();

	codec->element->put(codec->element, bytes, value);
	return bytes;
}

static void
wipe(StringInfo bytes)
{
	sodium_memzero(bytes->data, bytes->maxlen);
	pfree(bytes->data);
	pfree(bytes);
}

static void
put_omitted(const StewardCodec *codec, StringInfo out, Datum value)
{
}

static void
put_hashed(const StewardCodec *codec, StringInfo out, Datum value)
{
	const StewardTagKeys *keys = steward_tag_keys();
	StringInfo	bytes = inner_bytes(codec, value);
	StringInfoData name;

	initStringInfo(&name);
	steward_codec_append(&name, codec->element);
	steward_tag_audit(steward_reserve(out, STEWARD_TAG128_BYTES), keys->audit,
					  name.data, name.len, (unsigned char *) bytes->data, bytes->len);
	out->len += STEWARD_TAG128_BYTES;
	pfree(name.data);
	wipe(bytes);
}

/* The value's text, in UTF-8. */
static StewardPlain
text_of(const StewardCodec *codec, StringInfo bytes)
{
	StewardReader reader = {(unsigned char *) bytes->data, bytes->len,
	GetDatabaseEncoding()};
	StewardSlice slice = steward_take_value(&reader, codec->element);
	char	   *text = steward_codec_to_text(codec->element, slice);

	return steward_text_to_utf8(text, strlen(text));
}

static void
put_encrypted(const StewardCodec *codec, StringInfo out, Datum value)
{
	StringInfo	bytes = inner_bytes(codec, value);
	StewardPlain plain = text_of(codec, bytes);
	struct varlena *sealed = steward_try_seal(&steward_text_info, codec->key_id,
											  has_subject ? row_subject.uuid : NULL,
											  plain.bytes, plain.len);

	wipe(bytes);
	steward_plain_free(&plain);
	if (sealed == NULL)			/* its subject was erased */
	{
		steward_append_varint(out, 0);
		return;
	}
	steward_append_varint(out, VARSIZE_ANY_EXHDR(sealed));
	steward_put_bytes(out, VARDATA_ANY(sealed), VARSIZE_ANY_EXHDR(sealed));
	pfree(sealed);
}

const StewardCodec *
steward_redact_codec(const StewardColumnSetting *redaction,
					 const StewardCodec *inner)
{
	StewardCodec *codec = palloc0(sizeof(StewardCodec));

	codec->element = inner;
	codec->type = inner->type;
	codec->settings = inner->settings;
	switch (redaction->treatment)
	{
		case STEWARD_HASH:
			codec->kind = STEWARD_HASHED;
			codec->width = STEWARD_TAG128_BYTES;
			codec->put = put_hashed;
			break;
		case STEWARD_ENCRYPT:
			codec->kind = STEWARD_ENCRYPTED;
			codec->width = STEWARD_COUNTED;
			codec->put = put_encrypted;
			codec->key_id = steward_key_named(redaction->key);
			break;
		default:
			codec->kind = STEWARD_OMITTED;
			codec->width = 0;
			codec->put = put_omitted;
	}
	return codec;
}

/* A row of nobody is under the named key alone. */
void
steward_redact_row(const StewardAuditSchema *schema, TupleTableSlot *row)
{
	has_subject = schema->binder != NULL &&
		!steward_binder_lacks_key(schema->binder, row);
	if (has_subject)
		steward_binder_subject(schema->binder, row, &row_subject);
}

static char *
hex_of(StewardSlice slice)
{
	char	   *hex = palloc(2 * slice.length + 1);

	hex_encode((const char *) slice.data, slice.length, hex);
	hex[2 * slice.length] = '\0';
	return hex;
}

static char *
armour_of(StewardSlice slice)
{
	JsonbValue	shown;
	text	   *sealed = cstring_to_text_with_len((const char *) slice.data, slice.length);

	steward_show_encrypted(&shown, PointerGetDatum(sealed));
	return pnstrdup(shown.val.string.val, shown.val.string.len);
}

char *
steward_redact_text(const StewardCodec *codec, StewardSlice slice)
{
	if (codec->kind == STEWARD_OMITTED || slice.length == 0)
		return pstrdup("");
	return codec->kind == STEWARD_HASHED ? hex_of(slice) : armour_of(slice);
}

/* An object, so that it is not taken for a value: but armour shows what it is. */
void
steward_redact_push(JsonbParseState **state, JsonbIteratorToken token,
					const StewardCodec *codec, StewardSlice slice)
{
	JsonbValue	key;
	JsonbValue	value = {.type = jbvBool};

	if (codec->kind == STEWARD_ENCRYPTED && slice.length > 0)
	{
		steward_show_cstring(&value, armour_of(slice));
		(void) pushJsonbValue(state, token, &value);
		return;
	}
	steward_show_cstring(&key, codec->kind == STEWARD_OMITTED ? pstrdup("omitted") :
						 codec->kind == STEWARD_HASHED ? pstrdup("hash") : pstrdup("erased"));
	value.val.boolean = true;
	if (codec->kind == STEWARD_HASHED)
		steward_show_cstring(&value, hex_of(slice));
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	(void) pushJsonbValue(state, WJB_KEY, &key);
	(void) pushJsonbValue(state, WJB_VALUE, &value);
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* The value of an armour; NULL when it is none. */
static struct varlena *
value_of_armour(const JsonbValue *shown)
{
	struct varlena *value;
	size_t		len;

	if (shown->type != jbvString ||
		!steward_armour_is_claimed(shown->val.string.val, shown->val.string.len))
		return NULL;
	value = palloc(VARHDRSZ + steward_armour_decoded_max(shown->val.string.len));
	if (!steward_armour_decode((unsigned char *) VARDATA(value), &len,
							   shown->val.string.val, shown->val.string.len))
		return NULL;
	SET_VARSIZE(value, VARHDRSZ + len);
	return value;
}

/*
 * The text of an encrypted value in the trail: what steward.decrypt() gives, which
 * asks for the right. Not by the input function of the type: that would want the
 * right to load ciphertext, which a reader need not have. Anything else, and a value
 * whose subject was erased, is NULL.
 */
STEWARD_FUNCTION(steward_audit_reveal)
{
	Jsonb	   *shown = PG_GETARG_JSONB_P(0);
	Oid			type = steward_type_info_oid(&steward_text_info);
	JsonbValue	scalar;
	struct varlena *value;
	FmgrInfo	decrypt;

	LOCAL_FCINFO(call, 1);
	Datum		result;

	if (!JB_ROOT_IS_SCALAR(shown) || !JsonbExtractScalar(&shown->root, &scalar))
		PG_RETURN_NULL();
	value = value_of_armour(&scalar);
	if (value == NULL)
		PG_RETURN_NULL();
	fmgr_info(LookupFuncName(list_make2(makeString(pstrdup(STEWARD_SCHEMA)),
										makeString(pstrdup("decrypt"))), 1, &type, false),
			  &decrypt);
	InitFunctionCallInfoData(*call, &decrypt, 1, InvalidOid, NULL, NULL);
	call->args[0].value = PointerGetDatum(value);
	call->args[0].isnull = false;
	result = FunctionCallInvoke(call);
	if (call->isnull)
		PG_RETURN_NULL();
	return result;
}
