/*
 * io.c: input and output of the encrypted types.
 *
 * Output is armour and nothing else. Input takes plaintext from anyone and
 * armour from those who may load it. What was typed is read by the input function
 * of the plaintext type, whose errors would quote it and are replaced.
 */
#include "types/type_info.h"

#include "base/errors.h"
#include "crypto/armour.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"

/* ---- plaintext ---- */

/*
 * Is this an error of what was typed, so that its text may quote it? All others
 * (a cancel, no memory, a limit) say nothing of it.
 */
static bool
is_of_input(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category != ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION);
}

static pg_attribute_noreturn() void
raise_input(const StewardTypeInfo *info, int sqlstate)
{
	if (sqlstate == ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE ||
		sqlstate == ERRCODE_DATETIME_FIELD_OVERFLOW)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("value is out of range for type %s", info->name)));
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("invalid input syntax for type %s", info->name)));
}

/*
 * PostgreSQL 15 has no input functions that return their errors, so the error is
 * caught. Nothing is left to be undone then: these functions take no locks and
 * no buffers, and what they allocated goes with the caller's context.
 */
int
steward_try_input(const StewardTypeInfo *info, char *text, Datum *value)
{
	MemoryContext context = CurrentMemoryContext;
	volatile int sqlstate = 0;

	PG_TRY();
	{
		*value = DirectFunctionCall3(info->input, CStringGetDatum(text),
									 ObjectIdGetDatum(InvalidOid),
									 Int32GetDatum(-1));
	}
	PG_CATCH();
	{
		if (!is_of_input(geterrcode()))
			PG_RE_THROW();
		sqlstate = geterrcode();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return sqlstate;
}

Datum
steward_input_quietly(const StewardTypeInfo *info, char *text)
{
	Datum		value = (Datum) 0;
	int			sqlstate = steward_try_input(info, text, &value);

	if (sqlstate != 0)
		raise_input(info, sqlstate);
	return value;
}

/* Plaintext bytes of what was typed. */
static StewardPlain
read_plain(const StewardTypeInfo *info, char *text, size_t len)
{
	Datum		value;
	StewardPlain plain;

	if (info->input == NULL)
		return steward_text_to_utf8(text, len);
	value = steward_input_quietly(info, text);
	plain = info->encode(value);
	if (info->is_varlena)
	{
		struct varlena *read = (struct varlena *) DatumGetPointer(value);

		if (!plain.owned)
			plain = steward_plain_copy(plain.bytes, plain.len);
		steward_wipe_varlena(read);
	}
	return plain;
}

/* ---- armour ---- */

static pg_attribute_noreturn() void
raise_malformed_armour(const StewardTypeInfo *info)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("malformed ciphertext"),
			 errhint("Text that begins with \"stw1:\" is taken for ciphertext. To encrypt such a text, use steward.%s().",
					 info->encrypt_function)));
}

static struct varlena *
load_armour(const StewardTypeInfo *info, const char *text, size_t len,
			int32 typmod)
{
	struct varlena *value = palloc(VARHDRSZ + steward_armour_decoded_max(len));
	size_t		decoded;

	if (!steward_armour_decode((unsigned char *) VARDATA(value), &decoded, text,
							   len))
		raise_malformed_armour(info);
	SET_VARSIZE(value, VARHDRSZ + decoded);
	steward_check_load(info, value, typmod);
	return value;
}

/* ---- functions ---- */

Datum
steward_type_in(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	char	   *text = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	size_t		len = strlen(text);
	StewardPlaintextScope scope;
	struct varlena *result;

	steward_plaintext_begin(&scope);
	if (steward_armour_is_claimed(text, len))
		result = load_armour(info, text, len, typmod);
	else
	{
		StewardPlain plain = read_plain(info, text, len);

		result = steward_seal(info, steward_typmod_key(typmod), NULL,
							  plain.bytes, plain.len);
		steward_plain_free(&plain);
	}
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

Datum
steward_type_recv(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int			len = message->len - message->cursor;
	struct varlena *value = palloc(VARHDRSZ + len);
	StewardPlaintextScope scope;

	steward_plaintext_begin(&scope);
	SET_VARSIZE(value, VARHDRSZ + len);
	pq_copymsgbytes(message, VARDATA(value), len);
	steward_check_load(info, value, typmod);
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
