/*
 * compare.c: what the operators of the encrypted types and their operator classes
 * call.
 *
 * Operators check rights: "search" or "decrypt" for equality, "decrypt" for
 * order. What unique indexes call asks for no right to maintain them, for whoever may
 * INSERT does; nothing else can call it, and making such an index needs the right
 * to search (see guard_object.c). Hashing and the default btree class are not for
 * indexes and do check, since DISTINCT and ORDER BY call them for anyone.
 *
 * Equality is of canonical bytes; identical ciphertexts are equal without being
 * opened, and plaintexts of different length differ where all are canonical.
 * Where both tags are known already, equal tags mean equal plaintexts: two others
 * share one with probability 2^-128. Order is that of the plaintext type.
 */
#include "types/type_info.h"

#include "base/errors.h"
#include "common/hashfn.h"
#include "crypto/tag.h"
#include "keys/keys.h"
#include "types/tag_cache.h"

/* One side of a comparison: ciphertext, or a plaintext. */
typedef struct Side
{
	bool		encrypted;
	bool		copied;			/* value was detoasted, and is freed */
	bool		erased;			/* its subject was; plain is the ciphertext */
	StewardDatum datum;
	struct varlena *value;		/* the ciphertext */
	StewardPlain plain;			/* bytes NULL until it is needed */
	bool		tagged;			/* tag is known */
	StewardTagPlace place;		/* where it is kept */
	unsigned char tag[STEWARD_TAG128_BYTES];
} Side;

static void
take_encrypted(Side *side, const StewardTypeInfo *info, Datum value)
{
	side->value = PG_DETOAST_DATUM_PACKED(value);
	side->copied = (Pointer) side->value != DatumGetPointer(value);
	side->encrypted = true;
	side->erased = false;
	side->tagged = false;
	steward_parse(info, &side->datum, side->value);
	side->plain = steward_plain_borrow(NULL, side->datum.plain_len);
}

static void
take_plain(Side *side, StewardEncode encode, Datum value)
{
	side->value = NULL;
	side->copied = false;
	side->encrypted = false;
	side->erased = false;
	side->tagged = false;
	side->place.kept = false;
	side->plain = encode(value);
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

static void
open_canonical(Side *side, const StewardTypeInfo *info)
{
	open_side(side);
	if (info->canonicalise != NULL && !side->erased)
		info->canonicalise(&side->plain);
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
	size_t		len;

	if (!a->encrypted || !b->encrypted)
		return false;
	len = VARSIZE_ANY_EXHDR(a->value);
	return len == VARSIZE_ANY_EXHDR(b->value) &&
		memcmp(VARDATA_ANY(a->value), VARDATA_ANY(b->value), len) == 0;
}

/* ---- keyed tags ---- */

/* Looks whether tags of ciphertexts are known. */
static void
recall_tags(Side *a, Side *b)
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
compute_tag(Side *side, const StewardTagKeys *keys, StewardTagUse use)
{
	steward_tag_128(side->tag, keys->unique, side->plain.bytes, side->plain.len);
	side->tagged = true;
	steward_tag_remember(&side->place, side->tag, use);
}

/* False when there is none: the value is erased. */
static bool
need_tag(Side *side, const StewardTypeInfo *info, StewardTagUse use)
{
	if (side->tagged)
		return true;
	open_canonical(side, info);
	if (side->erased)
		return false;
	compute_tag(side, steward_tag_keys(), use);
	return true;
}

static bool
same_tag(const Side *a, const Side *b)
{
	return memcmp(a->tag, b->tag, STEWARD_TAG128_BYTES) == 0;
}

/* ---- equality ---- */

/* For the next comparison with one of them, if this database has tags. */
static void
keep_tags(Side *a, Side *b)
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
equal_opened(const StewardTypeInfo *info, Side *a, Side *b)
{
	bool		equal;

	open_canonical(a, info);
	open_canonical(b, info);
	if (a->erased || b->erased)
		return false;
	equal = a->plain.len == b->plain.len &&
		memcmp(a->plain.bytes, b->plain.bytes, a->plain.len) == 0;
	keep_tags(a, b);
	return equal;
}

static bool
equal_sides(const StewardTypeInfo *info, Side *a, Side *b)
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

/* Opens both, compares, cleans up: the frame of every equality operator. */
static bool
equal_and_release(const StewardTypeInfo *info, Side *a, Side *b)
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
		equal = equal_sides(info, a, b);
	}
	release_side(a);
	release_side(b);
	return equal;
}

bool
steward_type_equal(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	Side		a;
	Side		b;

	take_encrypted(&a, info, PG_GETARG_DATUM(0));
	take_encrypted(&b, info, PG_GETARG_DATUM(1));
	return equal_and_release(info, &a, &b);
}

bool
steward_type_equal_plain(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
						 StewardEncode encode, int encrypted_argument)
{
	StewardPlaintextScope scope;
	Side		a;
	Side		b;
	bool		equal;

	steward_plaintext_begin(&scope);
	take_encrypted(&a, info, PG_GETARG_DATUM(encrypted_argument));
	take_plain(&b, encode, PG_GETARG_DATUM(1 - encrypted_argument));
	equal = equal_and_release(info, &a, &b);
	steward_plaintext_end(&scope);
	return equal;
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

static int
compare_plain(const StewardTypeInfo *info, Side *a, Side *b)
{
	StewardPlaintextScope scope;
	int			result;

	steward_plaintext_begin(&scope);
	open_side(a);
	open_side(b);
	if (a->erased || b->erased)
		result = compare_erased(a, b);
	else
		result = info->compare(&a->plain, &b->plain);
	steward_plaintext_end(&scope);
	return result;
}

int
steward_type_order(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	Side		a;
	Side		b;
	int			result;

	take_encrypted(&a, info, PG_GETARG_DATUM(0));
	take_encrypted(&b, info, PG_GETARG_DATUM(1));
	require(&a, STEWARD_RIGHT_DECRYPT);
	require(&b, STEWARD_RIGHT_DECRYPT);
	result = same_bytes(&a, &b) ? 0 : compare_plain(info, &a, &b);
	release_side(&a);
	release_side(&b);
	return result;
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
refuse_bound(const Side *side)
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
compare_tags(const StewardTypeInfo *info, Side *a, Side *b)
{
	StewardPlaintextScope scope;
	int			result = 0;

	refuse_bound(a);
	refuse_bound(b);
	if (!b->encrypted || a->datum.key_id != b->datum.key_id)
	{
		require(a, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
		require(b, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	}
	if (!same_bytes(a, b))
	{
		recall_tags(a, b);
		steward_plaintext_begin(&scope);
		(void) need_tag(a, info, STEWARD_TAG_SEARCHED);
		(void) need_tag(b, info, STEWARD_TAG_SEARCHED);
		result = memcmp(a->tag, b->tag, STEWARD_TAG128_BYTES);
		steward_plaintext_end(&scope);
	}
	release_side(a);
	release_side(b);
	return result;
}

int
steward_type_tag_order(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	Side		a;
	Side		b;

	take_encrypted(&a, info, PG_GETARG_DATUM(0));
	take_encrypted(&b, info, PG_GETARG_DATUM(1));
	return compare_tags(info, &a, &b);
}

int
steward_type_tag_order_plain(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
							 StewardEncode encode)
{
	StewardPlaintextScope scope;
	Side		a;
	Side		b;
	int			result;

	steward_plaintext_begin(&scope);
	take_encrypted(&a, info, PG_GETARG_DATUM(0));
	take_plain(&b, encode, PG_GETARG_DATUM(1));
	result = compare_tags(info, &a, &b);
	steward_plaintext_end(&scope);
	return result;
}

/* ---- hashes ---- */

/*
 * SipHash-64 under the hash secret. It asks for the right
 * to search: anyone can reach it, through hash_array() or DISTINCT, and equal
 * hashes tell of equal plaintexts. No index uses it, so no writer needs it.
 */
static uint64
hash_and_release(const StewardTypeInfo *info, Side *side)
{
	const StewardTagKeys *keys;
	uint64		hash;

	require(side, STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	if (side->encrypted)
		steward_tag_place(&side->place, &side->datum);
	open_canonical(side, info);
	keys = steward_tag_keys();
	hash = steward_tag_64(keys->hash, side->plain.bytes, side->plain.len);
	/* What is hashed is compared next. An erased value has no tag. */
	if (side->place.kept)
		compute_tag(side, keys, STEWARD_TAG_HASHED);
	release_side(side);
	return hash;
}

uint64
steward_type_hash(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	StewardPlaintextScope scope;
	uint64		hash;
	Side		side;

	steward_plaintext_begin(&scope);
	take_encrypted(&side, info, PG_GETARG_DATUM(0));
	hash = hash_and_release(info, &side);
	steward_plaintext_end(&scope);
	return hash;
}

uint64
steward_type_hash_plain(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
						StewardEncode encode)
{
	StewardPlaintextScope scope;
	uint64		hash;
	Side		side;

	steward_plaintext_begin(&scope);
	take_plain(&side, encode, PG_GETARG_DATUM(0));
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
