/*
 * side.c: one side of a comparison; see side.h.
 */
#include "types/side.h"

#include "keys/keys.h"

void
steward_side_take(StewardSide *side, const StewardTypeInfo *info, Datum value)
{
	side->value = PG_DETOAST_DATUM_PACKED(value);
	side->copied = (Pointer) side->value != DatumGetPointer(value);
	side->encrypted = true;
	side->erased = false;
	side->tagged = false;
	side->place.kept = false;
	steward_parse(info, &side->datum, side->value);
	side->plain = steward_plain_borrow(NULL, side->datum.plain_len);
}

void
steward_side_take_plain(StewardSide *side, StewardEncode encode, Datum value)
{
	side->value = NULL;
	side->copied = false;
	side->encrypted = false;
	side->erased = false;
	side->tagged = false;
	side->place.kept = false;
	side->plain = encode(value);
}

void
steward_side_open(StewardSide *side)
{
	if (side->plain.bytes != NULL || steward_open(&side->datum, &side->plain))
		return;
	side->erased = true;
	side->plain = steward_plain_borrow(VARDATA_ANY(side->value),
									   VARSIZE_ANY_EXHDR(side->value));
}

void
steward_side_open_canonical(StewardSide *side, const StewardTypeInfo *info)
{
	steward_side_open(side);
	if (info->canonicalise != NULL && !side->erased)
		info->canonicalise(&side->plain);
}

void
steward_side_release(StewardSide *side)
{
	steward_plain_free(&side->plain);
	if (side->copied)
		pfree(side->value);
}

void
steward_side_require(const StewardSide *side, int rights)
{
	if (side->encrypted)
		steward_key_require(side->datum.key_id, rights);
}

void
steward_side_require_both(const StewardSide *a, const StewardSide *b, int rights)
{
	steward_side_require(a, rights);
	if (!a->encrypted || !b->encrypted || a->datum.key_id != b->datum.key_id)
		steward_side_require(b, rights);
}

bool
steward_side_same_bytes(const StewardSide *a, const StewardSide *b)
{
	size_t		len;

	if (!a->encrypted || !b->encrypted)
		return false;
	len = VARSIZE_ANY_EXHDR(a->value);
	return len == VARSIZE_ANY_EXHDR(b->value) &&
		memcmp(VARDATA_ANY(a->value), VARDATA_ANY(b->value), len) == 0;
}

static int
order_erased(const StewardSide *a, const StewardSide *b)
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

int
steward_side_order(const StewardTypeInfo *info, StewardSide *a, StewardSide *b)
{
	if (unlikely(a->erased || b->erased))
		return order_erased(a, b);
	return info->compare(&a->plain, &b->plain);
}
