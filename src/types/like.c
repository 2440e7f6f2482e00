/*
 * like.c: LIKE and ILIKE of encrypted_text.
 *
 * They are PostgreSQL's own functions over the plaintext, so they match what
 * steward.decrypt(column) LIKE pattern matches, in the collation that the pattern
 * brings, and give NULL where that does: for a value whose subject was erased. They need the
 * right to decrypt: who may ask for any pattern learns the value letter by letter.
 * PostgreSQL's errors are about the pattern and quote nothing; none of theirs shows a
 * statement or a context.
 */
#include "types/side.h"

#include "base/errors.h"
#include "catalog/pg_collation_d.h"
#include "keys/keys.h"
#include "types/scratch.h"
#include "utils/fmgrprotos.h"

/* The plaintext as a text; its memory is plain.c's, and zeroed. */
static StewardPlain
text_of_plain(StewardPlain *plain)
{
	StewardPlain result;

	steward_plain_to_server(plain);
	steward_verify_server_text((char *) plain->bytes, plain->len);
	result = steward_plain_make(VARHDRSZ + plain->len);
	SET_VARSIZE(result.bytes, VARHDRSZ + plain->len);
	memcpy(VARDATA(result.bytes), plain->bytes, plain->len);
	return result;
}

/*
 * To match without regard to case PostgreSQL makes copies, and from 18 on for a
 * collation that takes different texts for equal.
 */
static bool
copies(PGFunction match, Oid collation)
{
	return match == texticlike ||
		(collation != DEFAULT_COLLATION_OID && collation != C_COLLATION_OID);
}

static bool
match_plain(StewardPlain *plain, Datum pattern, PGFunction match, Oid collation)
{
	StewardPlain value = text_of_plain(plain);
	MemoryContext old = copies(match, collation) ? steward_scratch_begin() : NULL;
	bool		result = DatumGetBool(DirectFunctionCall2Coll(match, collation,
															  PointerGetDatum(value.bytes),
															  pattern));

	if (old != NULL)
		steward_scratch_end(old);
	steward_plain_free(&value);
	return result;
}

/* Does the value match the pattern, as it should? */
static Datum
match_value(FunctionCallInfo fcinfo, PGFunction match, bool should)
{
	StewardPlaintextScope scope;
	StewardSide side;
	bool		matches = false;
	bool		erased;

	steward_side_take(&side, &steward_text_info, PG_GETARG_DATUM(0));
	steward_side_require(&side, STEWARD_RIGHT_DECRYPT);
	steward_plaintext_begin(&scope);
	steward_side_open(&side);
	erased = side.erased;
	if (!erased)
		matches = match_plain(&side.plain, PG_GETARG_DATUM(1), match,
							  PG_GET_COLLATION());
	steward_side_release(&side);
	steward_plaintext_end(&scope);
	if (erased)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(matches == should);
}

STEWARD_FUNCTION(steward_text_like)
{
	return match_value(fcinfo, textlike, true);
}

STEWARD_FUNCTION(steward_text_not_like)
{
	return match_value(fcinfo, textlike, false);
}

STEWARD_FUNCTION(steward_text_ilike)
{
	return match_value(fcinfo, texticlike, true);
}

STEWARD_FUNCTION(steward_text_not_ilike)
{
	return match_value(fcinfo, texticlike, false);
}
