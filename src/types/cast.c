/*
 * cast.c: from plaintext to encrypted types, between keys, and back.
 *
 * Encrypting needs no right. Decrypting needs the right to decrypt and is
 * refused where its result would be stored unseen, and of a value that came into
 * a column of another key: whoever reads that column expects no such value.
 */
#include "types/type_info.h"

#include <sodium.h>

#include "base/errors.h"
#include "base/mask.h"
#include "keys/keys.h"
#include "keys/names.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Seals a value of the encoder's type. */
static struct varlena *
seal_value(const StewardTypeInfo *info, StewardEncode encode, Datum value,
		   uint32 key_id)
{
	StewardPlaintextScope scope;
	StewardPlain plain;
	struct varlena *result;

	steward_plaintext_begin(&scope);
	plain = encode(value);
	result = steward_seal(info, key_id, NULL, plain.bytes, plain.len);
	steward_plain_free(&plain);
	steward_plaintext_end(&scope);
	return result;
}

Datum
steward_type_cast(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
				  StewardEncode encode)
{
	PG_RETURN_POINTER(seal_value(info, encode, PG_GETARG_DATUM(0),
								 steward_typmod_key(PG_GETARG_INT32(1))));
}

/* The length coercion: gives a value the key of its column. */
Datum
steward_type_recode(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	struct varlena *result = steward_recode(info, PG_GETARG_VARLENA_PP(0),
											PG_GETARG_INT32(1));

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(result);
}

/* ---- encrypt_…(plaintext, key) ---- */

/* Does this text begin with the name of a key that has material? */
static bool
names_key(const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '/', len);

	return steward_key_is_known(steward_kdf_key_id(bytes, end != NULL ?
												   (size_t) (end - bytes) : len));
}

/* What is wrong with a key's name is shown; a plaintext in its place must not be. */
static void
refuse_swapped(const StewardTypeInfo *info, Datum value, const text *key)
{
	StewardPlain plain = info->encode(value);
	bool		swapped = !names_key(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)) &&
		names_key((char *) plain.bytes, plain.len);

	steward_plain_free(&plain);
	if (swapped)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments of %s are in the wrong order",
						info->encrypt_function),
				 errhint("The plaintext comes first, then the key.")));
}

Datum
steward_type_encrypt(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
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
		StewardPlaintextScope scope;
		uint32		key_id;

		steward_plaintext_begin(&scope);
		refuse_swapped(info, PG_GETARG_DATUM(0), key);
		key_id = steward_key_named(path);
		steward_plaintext_end(&scope);
		if (last == NULL)
			last = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof *last);
		last->key_id = key_id;
		strlcpy(last->path, path, sizeof last->path);
		fcinfo->flinfo->fn_extra = last;
		pfree(path);
	}
	PG_RETURN_POINTER(seal_value(info, info->encode, PG_GETARG_DATUM(0),
								 last->key_id));
}

/* ---- decryption ---- */

StewardDecrypted steward_on_decrypted = NULL;

/* A plaintext is about to be handed out. */
static void
note_given(const StewardDatum *datum)
{
	steward_mask_given();
	if (steward_on_decrypted != NULL)
		steward_on_decrypted(datum->key_id, datum->subject);
}

static uint32 authorised_key_id = 0;
static const Bitmapset *authorised_columns = NULL;
static int	authorised_depth = 0;

void
steward_decrypt_authorise(uint32 key_id, const Bitmapset *columns)
{
	authorised_key_id = key_id;
	authorised_columns = columns;
	authorised_depth = steward_mask_depth() + (columns != NULL);
}

/* The argument of a call, without what changes no value; NULL when unknown. */
static Node *
call_argument(const FmgrInfo *function)
{
	const Node *call = function != NULL ? function->fn_expr : NULL;
	Node	   *argument;

	if (call == NULL || !IsA(call, FuncExpr))
		return NULL;
	argument = linitial(((const FuncExpr *) call)->args);
	while (IsA(argument, RelabelType))
		argument = (Node *) ((RelabelType *) argument)->arg;
	return argument;
}

/*
 * Is this the call that was authorised? A function that runs in between calls at
 * a greater depth where it runs a statement, and else with something of its own.
 */
static bool
is_authorised(uint32 key_id, const FmgrInfo *function)
{
	const Node *argument;

	if (likely(authorised_key_id == 0) || authorised_key_id != key_id ||
		steward_mask_depth() > authorised_depth)
		return false;
	if (authorised_columns == NULL)
		return function != NULL && function->fn_expr == NULL;
	argument = call_argument(function);
	return argument != NULL && IsA(argument, Var) &&
		bms_is_member(((const Var *) argument)->varattno, authorised_columns);
}

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

int32
steward_call_label(const FmgrInfo *function)
{
	Node	   *argument = call_argument(function);
	int32		typmod;

	if (argument == NULL)
		return -1;
	typmod = exprTypmod(argument);
	(void) getBaseTypeAndTypmod(exprType(argument), &typmod);
	return typmod;
}

void
steward_check_label(const StewardDatum *datum, int32 label)
{
	if (likely(label < 0 || datum->key_id == (uint32) label ||
			   datum->key_id == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("encrypted value is under another key than its column"),
			 errdetail("It was moved from another place."),
			 errhint("Find all such values with steward.verify_column().")));
}

/*
 * The key of the column that a value is said to come from, -1 when nothing is
 * said; looked up once a call site.
 */
static int32
call_label(FunctionCallInfo fcinfo)
{
	FmgrInfo   *function = fcinfo->flinfo;
	int32	   *label;

	if (function == NULL)
		return -1;
	label = function->fn_extra;
	if (label == NULL)
	{
		label = MemoryContextAlloc(function->fn_mcxt, sizeof *label);
		*label = steward_call_label(function);
		function->fn_extra = label;
	}
	return *label;
}

/* Checks that the caller may have the plaintext. */
static void
take_for_decryption(StewardDatum *datum, const StewardTypeInfo *info,
					FunctionCallInfo fcinfo)
{
	steward_parse(info, datum, PG_GETARG_VARLENA_PP(0));
	if (unlikely(is_authorised(datum->key_id, fcinfo->flinfo)))
		return;
	steward_key_require(datum->key_id, STEWARD_RIGHT_DECRYPT);
	steward_check_label(datum, call_label(fcinfo));
	refuse_maintenance();
}

Datum
steward_type_decrypt(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	StewardPlaintextScope scope;
	StewardDatum datum;
	Datum		result;
	bool		opened;

	take_for_decryption(&datum, info, fcinfo);
	steward_plaintext_begin(&scope);
	opened = info->open(&datum, &result);
	steward_plaintext_end(&scope);
	if (!opened)
		PG_RETURN_NULL();
	note_given(&datum);
	return result;
}

/* The plaintext as text, as its own type prints it. */
Datum
steward_type_decrypt_as_text(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	StewardPlaintextScope scope;
	StewardDatum datum;
	Datum		value;
	text	   *result = NULL;

	take_for_decryption(&datum, info, fcinfo);
	steward_plaintext_begin(&scope);
	if (info->open(&datum, &value))
	{
		char	   *shown = DatumGetCString(DirectFunctionCall1(info->output, value));

		result = cstring_to_text(shown);
		sodium_memzero(shown, strlen(shown));
		pfree(shown);
		if (info->is_varlena)
			steward_wipe_varlena((struct varlena *) DatumGetPointer(value));
	}
	steward_plaintext_end(&scope);
	if (result == NULL)
		PG_RETURN_NULL();
	note_given(&datum);
	PG_RETURN_TEXT_P(result);
}
