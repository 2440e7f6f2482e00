/*
 * sort.c: sorting encrypted values by their plaintexts (sort support).
 *
 * A comparison by itself opens two values; a sort would open each of them some
 * thirty times. Here it opens a value once, puts the plaintext into a store of its
 * own and takes a handle for an abbreviated key. Tuplesort keeps abbreviated keys
 * in memory and never writes them, and a handle tells nothing but which values are
 * equal. Where handles do not decide (the store has pushed one out, plaintexts are
 * equal, runs are merged from temporary files) the values themselves are compared,
 * each opened once more unless the store still has it.
 *
 * Rights: a value is opened only for who may decrypt it. Comparisons of the values
 * ask again each time, those of handles every few, between which nothing can
 * change: they call nothing that would hear of it. When keys, rights, erasures or
 * the user have changed, the store is emptied, and all handles with it.
 */
#include "types/type_info.h"

#include "base/errors.h"
#include "crypto/fingerprint.h"
#include "keys/keys.h"
#include "keys/subject.h"
#include "miscadmin.h"
#include "types/plain_store.h"
#include "types/side.h"
#include "utils/sortsupport.h"

/* Comparisons of handles after which rights are asked for. */
#define ASK_EVERY 64

typedef struct SortState
{
	const StewardTypeInfo *info;
	StewardPlainStore *store;
	/* For what the store holds is good: */
	uint64		keys;
	uint64		rights;
	uint64		subjects;
	Oid			user;
	uint32		key_id;			/* of the value opened last */
	uint32		compared;
} SortState;

/* Empties the store when what it holds may not be used any more. */
static bool
is_current(SortState *state)
{
	uint64		keys = steward_key_generation();

	if (likely(state->keys == keys &&
			   state->rights == steward_rights_generation() &&
			   state->subjects == steward_subject_generation() &&
			   state->user == GetUserId()))
		return true;
	steward_plain_store_clear(state->store);
	state->keys = keys;
	state->rights = steward_rights_generation();
	state->subjects = steward_subject_generation();
	state->user = GetUserId();
	return false;
}

static uint64
fingerprint_of(const StewardSide *side)
{
	return steward_fingerprint(0, side->datum.header,
							   VARSIZE_ANY_EXHDR(side->value));
}

/*
 * Opens a value that the user may decrypt, by the store where it has it; gives the
 * handle, or 0.
 */
static uint64
open_by_store(SortState *state, StewardSide *side)
{
	uint64		fingerprint = fingerprint_of(side);
	uint64		handle;

	(void) is_current(state);
	state->key_id = side->datum.key_id;
	handle = steward_plain_store_find(state->store, fingerprint);
	if (handle != 0 &&
		steward_plain_store_get(state->store, handle, &side->plain))
		return handle;
	steward_side_open(side);
	/* Opening reads tables; what came to be known thereby counts at once. */
	if (side->erased || !is_current(state))
		return 0;
	return steward_plain_store_put(state->store, fingerprint, &side->plain);
}

/* Equal values have the same one. */
static uint64
canonical_fingerprint(const StewardTypeInfo *info, const StewardPlain *plain)
{
	StewardPlain canonical;
	uint64		fingerprint;

	if (info->canonicalise == NULL)
		return steward_fingerprint(0, plain->bytes, plain->len);
	canonical = steward_plain_copy(plain->bytes, plain->len);
	info->canonicalise(&canonical);
	fingerprint = steward_fingerprint(0, canonical.bytes, canonical.len);
	steward_plain_free(&canonical);
	return fingerprint;
}

/* The abbreviated key of a value: equal values have the same. */
static Datum
abbreviate(Datum original, SortSupport ssup)
{
	SortState  *state = ssup->ssup_extra;
	StewardPlaintextScope scope;
	StewardSide side;
	uint64		handle = 0;

	steward_plaintext_begin(&scope);
	steward_side_take(&side, state->info, original);
	steward_side_require(&side, STEWARD_RIGHT_DECRYPT);
	state->key_id = side.datum.key_id;
	steward_side_open(&side);
	(void) is_current(state);
	if (!side.erased)
		handle = steward_plain_store_name(state->store, fingerprint_of(&side),
										  canonical_fingerprint(state->info,
																&side.plain),
										  &side.plain);
	steward_side_release(&side);
	steward_plaintext_end(&scope);
	return UInt64GetDatum(handle);
}

/* 0 also when it is not known: the values are then compared themselves. */
static int
compare_handles(Datum x, Datum y, SortSupport ssup)
{
	SortState  *state = ssup->ssup_extra;
	StewardPlaintextScope scope;
	StewardPlain a;
	StewardPlain b;
	int			result;

	if (unlikely(++state->compared % ASK_EVERY == 0))
	{
		steward_key_require(state->key_id, STEWARD_RIGHT_DECRYPT);
		(void) is_current(state);
	}
	if (x == y ||
		!steward_plain_store_get(state->store, DatumGetUInt64(x), &a) ||
		!steward_plain_store_get(state->store, DatumGetUInt64(y), &b))
		return 0;
	steward_plaintext_begin(&scope);
	result = state->info->compare(&a, &b);
	steward_plain_free(&a);
	steward_plain_free(&b);
	steward_plaintext_end(&scope);
	return result;
}

/* What was opened since may have moved a borrowed plaintext, or pushed it out. */
static void
borrow_again(SortState *state, StewardSide *side, uint64 handle)
{
	if (side->plain.owned || side->erased ||
		steward_plain_store_get(state->store, handle, &side->plain))
		return;
	side->plain = steward_plain_borrow(NULL, side->datum.plain_len);
	steward_side_open(side);
}

static int
compare_values(Datum x, Datum y, SortSupport ssup)
{
	SortState  *state = ssup->ssup_extra;
	StewardPlaintextScope scope;
	StewardSide a;
	StewardSide b;
	int			result = 0;

	steward_plaintext_begin(&scope);
	steward_side_take(&a, state->info, x);
	steward_side_take(&b, state->info, y);
	steward_side_require_both(&a, &b, STEWARD_RIGHT_DECRYPT);
	if (!steward_side_same_bytes(&a, &b))
	{
		uint64		handle = open_by_store(state, &a);

		(void) open_by_store(state, &b);
		borrow_again(state, &a, handle);
		result = steward_side_order(state->info, &a, &b);
	}
	steward_side_release(&a);
	steward_side_release(&b);
	steward_plaintext_end(&scope);
	return result;
}

/* Handles cost next to nothing: there is no case for giving them up. */
static bool
abort_abbreviation(int count, SortSupport ssup)
{
	return false;
}

Datum
steward_type_sort_support(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);
	SortState  *state = MemoryContextAllocZero(ssup->ssup_cxt, sizeof *state);

	state->info = info;
	/* No sort holds more values at a time, each longer than its plaintext. */
	state->store = steward_plain_store_make(ssup->ssup_cxt,
											(size_t) work_mem * 1024);
	ssup->ssup_extra = state;
	ssup->comparator = compare_values;
	if (ssup->abbreviate && sizeof(Datum) == sizeof(uint64))
	{
		ssup->comparator = compare_handles;
		ssup->abbrev_converter = abbreviate;
		ssup->abbrev_abort = abort_abbreviation;
		ssup->abbrev_full_comparator = compare_values;
	}
	PG_RETURN_VOID();
}
