/*
 * compare.c: what the operators of the encrypted types and their operator classes
 * call.
 *
 * Operators check rights: "search" or "decrypt" for equality, "decrypt" for
 * order. What unique indexes call asks for no right to maintain them, for whoever may
 * INSERT does; nothing else can call it, and making such an index needs the right
 * to search (see guard_index.c). Hashing and the default btree class are not for
 * indexes and do check, since DISTINCT and ORDER BY call them for anyone.
 *
 * Equality is of canonical bytes; identical ciphertexts are equal without being
 * opened, and plaintexts of different length differ where all are canonical.
 * Where both tags are known already, equal tags mean equal plaintexts: two others
 * share one with probability 2^-128. Order is that of the plaintext type.
 */
#include "types/side.h"

#include "base/errors.h"
#include "common/hashfn.h"
#include "crypto/tag.h"
#include "keys/keys.h"

/* ---- the frame of a comparison ---- */

typedef int (*Comparison) (const StewardTypeInfo *info, StewardSide *a,
						   StewardSide *b);

/* An argument with an encoder is a plaintext. */
static void
take(StewardSide *side, const StewardTypeInfo *info, StewardEncode encode,
	 Datum value)
{
	if (encode == NULL)
		steward_side_take(side, info, value);
	else
		steward_side_take_plain(side, encode, value);
}

/*
 * Takes both arguments, compares, cleans up. With a plaintext among them all of
 * it is a scope; else a comparison begins one when it opens the values, so that
 * an error of rights keeps its context.
 */
static int
compare_arguments(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
				  StewardEncode left, StewardEncode right, Comparison compare)
{
	bool		plain = left != NULL || right != NULL;
	StewardPlaintextScope scope;
	StewardSide a;
	StewardSide b;
	int			result;

	if (plain)
		steward_plaintext_begin(&scope);
	take(&a, info, left, PG_GETARG_DATUM(0));
	take(&b, info, right, PG_GETARG_DATUM(1));
	result = compare(info, &a, &b);
	steward_side_release(&a);
	steward_side_release(&b);
	if (plain)
		steward_plaintext_end(&scope);
	return result;
}

/* ---- keyed tags ---- */

/* Looks whether tags of ciphertexts are known. */
static void
recall_tags(StewardSide *a, StewardSide *b)
{
	if (a->encrypted)
		steward_tag_place(&a->place, &a->datum);
	if (b->encrypted)
		steward_tag_place(&b->place, &b->datum);
	a->tagged = steward_tag_recall(&a->place, a->tag);
	b->tagged = steward_tag_recall(&b->place, b->tag);
}

/* Computes the tag of an opened value, and keeps it. */
static void
compute_tag(StewardSide *side, const StewardTagKeys *keys, StewardTagUse use)
{
	steward_tag_128(side->tag, keys->unique, side->plain.bytes, side->plain.len);
	side->tagged = true;
	steward_tag_remember(&side->place, side->tag, use);
}

/* False when there is none: the value is erased. */
static bool
need_tag(StewardSide *side, const StewardTypeInfo *info, StewardTagUse use)
{
	if (side->tagged)
		return true;
	steward_side_open_canonical(side, info);
	if (side->erased)
		return false;
	compute_tag(side, steward_tag_keys(), use);
	return true;
}

static bool
same_tag(const StewardSide *a, const StewardSide *b)
{
	return memcmp(a->tag, b->tag, STEWARD_TAG128_BYTES) == 0;
}

/* ---- equality ---- */

/* For the next comparison with one of them, if this database has tags. */
static void
keep_tags(StewardSide *a, StewardSide *b)
{
	const StewardTagKeys *keys;

	if ((!a->encrypted || a->datum.key_id == 0) &&
		(!b->encrypted || b->datum.key_id == 0))
		return;
	keys = steward_tag_keys_if_any();
	if (keys == NULL)
		return;
	if (a->place.kept)
		compute_tag(a, keys, STEWARD_TAG_COMPARED);
	if (b->place.kept)
		compute_tag(b, keys, STEWARD_TAG_COMPARED);
}

static bool
equal_opened(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	bool		equal;

	steward_side_open_canonical(a, info);
	steward_side_open_canonical(b, info);
	if (a->erased || b->erased)
		return false;
	equal = a->plain.len == b->plain.len &&
		memcmp(a->plain.bytes, b->plain.bytes, a->plain.len) == 0;
	keep_tags(a, b);
	return equal;
}

static bool
equal_sides(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	StewardPlaintextScope scope;
	bool		equal;

	if (info->canonicalise == NULL && a->plain.len != b->plain.len)
		return false;
	recall_tags(a, b);
	steward_plaintext_begin(&scope);
	if (a->tagged || b->tagged)
		equal = need_tag(a, info, STEWARD_TAG_COMPARED) &&
			need_tag(b, info, STEWARD_TAG_COMPARED) && same_tag(a, b);
	else
		equal = equal_opened(info, a, b);
	steward_plaintext_end(&scope);
	return equal;
}

/* What an equality operator does: 0 for equal. */
static int
compare_equality(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	/*
	 * That two ciphertexts are the same is plain to see. A foreign key
	 * compares old and new on every UPDATE, whoever runs it.
	 */
	if (steward_side_same_bytes(a, b))
		return 0;
	steward_side_require_both(a, b, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	return equal_sides(info, a, b) ? 0 : 1;
}

bool
steward_type_equal(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
				   StewardEncode left, StewardEncode right)
{
	return compare_arguments(fcinfo, info, left, right, compare_equality) == 0;
}

/* ---- order of plaintext ---- */

static int
order_sides(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	StewardPlaintextScope scope;
	int			result;

	steward_plaintext_begin(&scope);
	steward_side_open(a);
	steward_side_open(b);
	result = steward_side_order(info, a, b);
	steward_plaintext_end(&scope);
	return result;
}

static int
compare_order(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	steward_side_require_both(a, b, STEWARD_RIGHT_DECRYPT);
	return steward_side_same_bytes(a, b) ? 0 : order_sides(info, a, b);
}

int
steward_type_order(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	return compare_arguments(fcinfo, info, NULL, NULL, compare_order);
}

/* One of the orders of type_info.h; 0 when a side was erased, also next to itself. */
static int
compare_inequality(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	StewardPlaintextScope scope;
	int			result = 0;

	steward_side_require_both(a, b, STEWARD_RIGHT_DECRYPT);
	steward_plaintext_begin(&scope);
	steward_side_open(a);
	steward_side_open(b);
	if (!a->erased && !b->erased)
	{
		int			order = info->compare(&a->plain, &b->plain);

		result = order < 0 ? STEWARD_ORDER_LESS :
			order > 0 ? STEWARD_ORDER_GREATER : STEWARD_ORDER_EQUAL;
	}
	steward_plaintext_end(&scope);
	return result;
}

Datum
steward_type_ordered(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
					 StewardEncode left, StewardEncode right, int orders)
{
	int			order = compare_arguments(fcinfo, info, left, right, compare_inequality);

	if (order == 0)
		PG_RETURN_NULL();
	PG_RETURN_BOOL((order & orders) != 0);
}

/*
 * ---- keyed tags: for unique indexes ----
 *
 * Nothing but an index can call these: the class has no ordering operators, so
 * that neither ORDER BY nor a merge join can sort by tags. Sorted next to a guess
 * a value would tell whether it is equal.
 */

/*
 * After an erasure a value has no tag any more, and the index would be out of
 * order. The guard refuses such columns; this is for what it cannot see.
 */
static void
refuse_bound(const StewardSide *side)
{
	if (side->encrypted && unlikely(side->datum.subject != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("values bound to a subject cannot be in a unique index"),
				 errdetail("An erased value could not be found in it any more."),
				 errhint("Keep what is to be unique in a column that is not bound, or drop the index.")));
}

/*
 * Order of the keyed tags: random to whoever does not have the hash secret.
 * Maintaining an index compares values of its column, all under one key, and
 * asks for no right. A search brings a constant or a value of another key.
 */
static int
compare_tags(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	StewardPlaintextScope scope;
	int			result = 0;

	refuse_bound(a);
	refuse_bound(b);
	if (!b->encrypted || a->datum.key_id != b->datum.key_id)
	{
		steward_side_require_both(a, b,
								  STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	}
	if (!steward_side_same_bytes(a, b))
	{
		recall_tags(a, b);
		steward_plaintext_begin(&scope);
		(void) need_tag(a, info, STEWARD_TAG_SEARCHED);
		(void) need_tag(b, info, STEWARD_TAG_SEARCHED);
		result = memcmp(a->tag, b->tag, STEWARD_TAG128_BYTES);
		steward_plaintext_end(&scope);
	}
	return result;
}

/*
 * Two plaintexts are compared by a search for any of an array: it visits the index
 * in the order of their tags, and from 17 on looks values up among them.
 */
int
steward_type_tag_order(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
					   StewardEncode left, StewardEncode right)
{
	return compare_arguments(fcinfo, info, left, right, compare_tags);
}

/* ---- hashes ---- */

/*
 * SipHash-64 under the hash secret. It asks for the right to search: anyone can
 * reach it, through hash_array() or DISTINCT, and equal hashes tell of equal
 * plaintexts. No index uses it, so no writer needs it.
 */
static uint64
hash_and_release(const StewardTypeInfo *info, StewardSide *side)
{
	const StewardTagKeys *keys;
	uint64		hash;

	steward_side_require(side, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	if (side->encrypted)
		steward_tag_place(&side->place, &side->datum);
	steward_side_open_canonical(side, info);
	keys = steward_tag_keys();
	hash = steward_tag_64(keys->hash, side->plain.bytes, side->plain.len);
	/* What is hashed is compared next. An erased value has no tag. */
	if (side->place.kept)
		compute_tag(side, keys, STEWARD_TAG_HASHED);
	steward_side_release(side);
	return hash;
}

uint64
steward_type_hash(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
				  StewardEncode encode)
{
	StewardPlaintextScope scope;
	uint64		hash;
	StewardSide side;

	steward_plaintext_begin(&scope);
	take(&side, info, encode, PG_GETARG_DATUM(0));
	hash = hash_and_release(info, &side);
	steward_plaintext_end(&scope);
	return hash;
}

/* PostgreSQL wants seed 0 to give the low half that the short hash gives. */
uint64
steward_hash_with_seed(uint64 hash, uint64 seed)
{
	return seed == 0 ? hash : hash_combine64(hash, seed);
}
