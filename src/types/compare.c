/*
 * compare.c: operators of encrypted_text, and what its operator classes call.
 *
 * Operators check rights: "search" or "decrypt" for equality, "decrypt" for
 * order. What unique indexes call asks for no right to maintain them, for whoever may
 * INSERT does; nothing else can call it, and making such an index needs the right
 * to search (see guard_object.c). Hashing and the default btree class are not for
 * indexes and do check, since DISTINCT and ORDER BY call them for anyone.
 *
 * Equality is of canonical bytes: texts of different length differ without being
 * opened, identical ciphertexts are equal. Order is that of the database's own
 * collation, which is always deterministic, so it agrees with equality.
 */
#include "types/encrypted.h"

#include "catalog/pg_collation_d.h"
#include "base/errors.h"
#include "common/hashfn.h"
#include "crypto/tag.h"
#include "keys/keys.h"
#include "utils/varlena.h"

/* One side of a comparison: ciphertext, or a plaintext text. */
typedef struct Side
{
	bool		encrypted;
	bool		copied;			/* value was detoasted, and is freed */
	bool		erased;			/* its subject was; plain is the ciphertext */
	StewardDatum datum;
	struct varlena *value;
	StewardPlain plain;			/* UTF-8; bytes NULL until it is needed */
} Side;

static void
take_value(Side *side, Datum value)
{
	side->value = PG_DETOAST_DATUM_PACKED(value);
	side->copied = (Pointer) side->value != DatumGetPointer(value);
}

static void
take_encrypted(Side *side, Datum value)
{
	take_value(side, value);
	side->encrypted = true;
	side->erased = false;
	steward_parse(&steward_text_info, &side->datum, side->value);
	side->plain = steward_plain_borrow(NULL, side->datum.plain_len);
}

static void
take_text(Side *side, Datum value)
{
	take_value(side, value);
	side->encrypted = false;
	side->erased = false;
	side->plain = steward_text_to_utf8(VARDATA_ANY(side->value),
									   VARSIZE_ANY_EXHDR(side->value));
}

/* An erased value equals none but itself: its ciphertext stands for it. */
static void
open_side(Side *side)
{
	if (side->plain.bytes != NULL || steward_open(&side->datum, &side->plain))
		return;
	side->erased = true;
	side->plain = steward_plain_borrow(VARDATA_ANY(side->value),
									   VARSIZE_ANY_EXHDR(side->value));
}

/* A sort compares many times before its memory goes: nothing may be left. */
static void
release_side(Side *side)
{
	steward_plain_free(&side->plain);
	if (side->copied)
		pfree(side->value);
}

static void
require(const Side *side, int rights)
{
	if (side->encrypted)
		steward_key_require(side->datum.key_id, rights);
}

static bool
same_bytes(const Side *a, const Side *b)
{
	size_t		len = VARSIZE_ANY_EXHDR(a->value);

	return a->encrypted && b->encrypted &&
		len == VARSIZE_ANY_EXHDR(b->value) &&
		memcmp(VARDATA_ANY(a->value), VARDATA_ANY(b->value), len) == 0;
}

static bool
equal_sides(Side *a, Side *b)
{
	StewardPlaintextScope scope;
	bool		equal;

	if (a->plain.len != b->plain.len)
		return false;
	steward_plaintext_begin(&scope);
	open_side(a);
	open_side(b);
	equal = !a->erased && !b->erased &&
		memcmp(a->plain.bytes, b->plain.bytes, a->plain.len) == 0;
	steward_plaintext_end(&scope);
	return equal;
}

/* Opens both, compares, cleans up: the frame of every equality operator. */
static bool
equal_and_release(Side *a, Side *b)
{
	bool		equal = same_bytes(a, b);

	/*
	 * That two ciphertexts are the same is plain to see. A foreign key
	 * compares old and new on every UPDATE, whoever runs it.
	 */
	if (!equal)
	{
		require(a, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
		require(b, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
		equal = equal_sides(a, b);
	}
	release_side(a);
	release_side(b);
	return equal;
}

static bool
equal_encrypted(FunctionCallInfo fcinfo)
{
	Side		a;
	Side		b;

	take_encrypted(&a, PG_GETARG_DATUM(0));
	take_encrypted(&b, PG_GETARG_DATUM(1));
	return equal_and_release(&a, &b);
}

static bool
equal_mixed(FunctionCallInfo fcinfo, int encrypted_argument)
{
	StewardPlaintextScope scope;
	Side		a;
	Side		b;
	bool		equal;

	steward_plaintext_begin(&scope);
	take_encrypted(&a, PG_GETARG_DATUM(encrypted_argument));
	take_text(&b, PG_GETARG_DATUM(1 - encrypted_argument));
	equal = equal_and_release(&a, &b);
	steward_plaintext_end(&scope);
	return equal;
}

STEWARD_FUNCTION(steward_text_eq)
{
	PG_RETURN_BOOL(equal_encrypted(fcinfo));
}

STEWARD_FUNCTION(steward_text_ne)
{
	PG_RETURN_BOOL(!equal_encrypted(fcinfo));
}

STEWARD_FUNCTION(steward_text_eq_plain)
{
	PG_RETURN_BOOL(equal_mixed(fcinfo, 0));
}

STEWARD_FUNCTION(steward_text_ne_plain)
{
	PG_RETURN_BOOL(!equal_mixed(fcinfo, 0));
}

STEWARD_FUNCTION(steward_plain_eq_text)
{
	PG_RETURN_BOOL(equal_mixed(fcinfo, 1));
}

STEWARD_FUNCTION(steward_plain_ne_text)
{
	PG_RETURN_BOOL(!equal_mixed(fcinfo, 1));
}

/* ---- order of plaintext ---- */

/* Erased values come after all others, in the order of their ciphertexts. */
static int
compare_erased(const Side *a, const Side *b)
{
	size_t		shorter = Min(a->plain.len, b->plain.len);
	int			result;

	if (!a->erased || !b->erased)
		return a->erased ? 1 : -1;
	result = memcmp(a->plain.bytes, b->plain.bytes, shorter);
	if (result != 0)
		return result;
	return (a->plain.len > b->plain.len) - (a->plain.len < b->plain.len);
}

/* The collation works on the server's encoding. */
static int
compare_plain(Side *a, Side *b)
{
	StewardPlaintextScope scope;
	int			result;

	steward_plaintext_begin(&scope);
	open_side(a);
	open_side(b);
	if (a->erased || b->erased)
		result = compare_erased(a, b);
	else
	{
		steward_plain_to_server(&a->plain);
		steward_plain_to_server(&b->plain);
		result = varstr_cmp((char *) a->plain.bytes, (int) a->plain.len,
							(char *) b->plain.bytes, (int) b->plain.len,
							DEFAULT_COLLATION_OID);
	}
	steward_plaintext_end(&scope);
	return result;
}

static int
compare_order(FunctionCallInfo fcinfo)
{
	Side		a;
	Side		b;
	int			result;

	take_encrypted(&a, PG_GETARG_DATUM(0));
	take_encrypted(&b, PG_GETARG_DATUM(1));
	require(&a, STEWARD_RIGHT_DECRYPT);
	require(&b, STEWARD_RIGHT_DECRYPT);
	result = same_bytes(&a, &b) ? 0 : compare_plain(&a, &b);
	release_side(&a);
	release_side(&b);
	return result;
}

STEWARD_FUNCTION(steward_text_cmp)
{
	PG_RETURN_INT32(compare_order(fcinfo));
}

STEWARD_FUNCTION(steward_text_lt)
{
	PG_RETURN_BOOL(compare_order(fcinfo) < 0);
}

STEWARD_FUNCTION(steward_text_le)
{
	PG_RETURN_BOOL(compare_order(fcinfo) <= 0);
}

STEWARD_FUNCTION(steward_text_ge)
{
	PG_RETURN_BOOL(compare_order(fcinfo) >= 0);
}

STEWARD_FUNCTION(steward_text_gt)
{
	PG_RETURN_BOOL(compare_order(fcinfo) > 0);
}

/*
 * ---- keyed tags: for unique indexes ----
 *
 * Nothing but an index can call these: the class has no ordering operators, so
 * that neither ORDER BY nor a merge join can sort by tags. Sorted next to a guess
 * a value would tell whether it is equal.
 */

static void
tag_side(Side *side, unsigned char tag[STEWARD_TAG128_BYTES])
{
	const StewardTagKeys *keys;

	open_side(side);
	keys = steward_tag_keys();
	steward_tag_128(tag, keys->unique, side->plain.bytes, side->plain.len);
}

/*
 * Order of the keyed tags: random to whoever does not have the hash secret.
 * Maintaining an index compares values of its column, all under one key, and
 * asks for no right. A search brings a constant or a value of another key.
 */
static int
compare_tags(Side *a, Side *b)
{
	unsigned char a_tag[STEWARD_TAG128_BYTES];
	unsigned char b_tag[STEWARD_TAG128_BYTES];
	StewardPlaintextScope scope;
	int			result = 0;

	if (!b->encrypted || a->datum.key_id != b->datum.key_id)
	{
		require(a, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
		require(b, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	}
	if (!same_bytes(a, b))
	{
		steward_plaintext_begin(&scope);
		tag_side(a, a_tag);
		tag_side(b, b_tag);
		result = memcmp(a_tag, b_tag, sizeof a_tag);
		steward_plaintext_end(&scope);
	}
	release_side(a);
	release_side(b);
	return result;
}

static int
compare_tags_encrypted(FunctionCallInfo fcinfo)
{
	Side		a;
	Side		b;

	take_encrypted(&a, PG_GETARG_DATUM(0));
	take_encrypted(&b, PG_GETARG_DATUM(1));
	return compare_tags(&a, &b);
}

static int
compare_tags_mixed(FunctionCallInfo fcinfo)
{
	StewardPlaintextScope scope;
	Side		a;
	Side		b;
	int			result;

	steward_plaintext_begin(&scope);
	take_encrypted(&a, PG_GETARG_DATUM(0));
	take_text(&b, PG_GETARG_DATUM(1));
	result = compare_tags(&a, &b);
	steward_plaintext_end(&scope);
	return result;
}

STEWARD_FUNCTION(steward_text_tag_cmp)
{
	PG_RETURN_INT32(compare_tags_encrypted(fcinfo));
}

STEWARD_FUNCTION(steward_text_tag_cmp_plain)
{
	PG_RETURN_INT32(compare_tags_mixed(fcinfo));
}

/*
 * SipHash-64 of the first argument under the hash secret. It asks for the right
 * to search: anyone can reach it, through hash_array() or DISTINCT, and equal
 * hashes tell of equal plaintexts. No index uses it, so no writer needs it.
 */
static uint64
hash_argument(FunctionCallInfo fcinfo, bool encrypted)
{
	StewardPlaintextScope scope;
	const StewardTagKeys *keys;
	uint64		hash;
	Side		side;

	steward_plaintext_begin(&scope);
	if (encrypted)
		take_encrypted(&side, PG_GETARG_DATUM(0));
	else
		take_text(&side, PG_GETARG_DATUM(0));
	require(&side, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	open_side(&side);
	keys = steward_tag_keys();
	hash = steward_tag_64(keys->hash, side.plain.bytes, side.plain.len);
	release_side(&side);
	steward_plaintext_end(&scope);
	return hash;
}

/* PostgreSQL wants seed 0 to give the low half that the short hash gives. */
static uint64
with_seed(uint64 hash, uint64 seed)
{
	return seed == 0 ? hash : hash_combine64(hash, seed);
}

STEWARD_FUNCTION(steward_text_hash)
{
	PG_RETURN_INT32((int32) (uint32) hash_argument(fcinfo, true));
}

STEWARD_FUNCTION(steward_text_hash_extended)
{
	PG_RETURN_INT64((int64) with_seed(hash_argument(fcinfo, true),
									  (uint64) PG_GETARG_INT64(1)));
}

STEWARD_FUNCTION(steward_plain_hash)
{
	PG_RETURN_INT32((int32) (uint32) hash_argument(fcinfo, false));
}

STEWARD_FUNCTION(steward_plain_hash_extended)
{
	PG_RETURN_INT64((int64) with_seed(hash_argument(fcinfo, false),
									  (uint64) PG_GETARG_INT64(1)));
}
