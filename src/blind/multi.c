/*
 * multi.c: the entries of a row, also of several tags a value; see multi.h.
 */
#include "blind/multi.h"

#include "access/genam.h"
#include "base/errors.h"
#include "blind/validate.h"
#include "utils/memutils.h"

bool
steward_blind_is_multi(Relation index)
{
	return OidIsValid(index_getprocid(index, 1, STEWARD_BLIND_VALUE_TAGS_PROC));
}

/* ---- tags ---- */

static StewardBlindTag
tag_of(const StewardBlindTagger *tagger, StewardBlindKind kind,
	   const unsigned char *bytes, size_t len)
{
	StewardBlindLink link = steward_blind_link(tagger, 0, NULL, kind, bytes, len);

	return steward_blind_tag_put(tagger, 0, 0, &link);
}

StewardBlindTag
steward_blind_string_tag(const StewardBlindTagger *tagger, const unsigned char *bytes,
						 size_t len)
{
	return tag_of(tagger, STEWARD_BLIND_VALUE, bytes, len);
}

StewardBlindTag
steward_blind_presence_tag(const StewardBlindTagger *tagger)
{
	return tag_of(tagger, STEWARD_BLIND_VALUE, (const unsigned char *) "", 0);
}

StewardBlindTag
steward_blind_null_tag(const StewardBlindTagger *tagger)
{
	return tag_of(tagger, STEWARD_BLIND_NULL, NULL, 0);
}

/* ---- entries ---- */

static StewardBlindEntry *
make_entries(int count)
{
	return palloc_extended(count * sizeof(StewardBlindEntry), MCXT_ALLOC_HUGE);
}

static int
compare_tags(const void *a, const void *b)
{
	const StewardBlindEntry *x = a;
	const StewardBlindEntry *y = b;

	return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* Entries of one row: two strings may have the same tag. */
static int
sort_distinct(StewardBlindEntry *entries, int count)
{
	int			kept = 1;

	qsort(entries, count, sizeof *entries, compare_tags);
	for (int i = 1; i < count; i++)
		if (entries[i].tag != entries[kept - 1].tag)
			entries[kept++] = entries[i];
	return kept;
}

/* Presence, and a tag of each string. */
static int
string_entries(const StewardBlindTagger *tagger, const StewardBlindStrings *strings,
			   uint64 tid, StewardBlindEntry **entries)
{
	StewardBlindEntry *out = make_entries(strings->count + 1);

	for (int i = 0; i <= strings->count; i++)
	{
		out[i].tag = i == strings->count ? steward_blind_presence_tag(tagger) :
			steward_blind_string_tag(tagger, strings->bytes.bytes +
									 (size_t) i * strings->width, strings->width);
		out[i].tid = tid;
	}
	*entries = out;
	return sort_distinct(out, strings->count + 1);
}

static int
value_entries(const StewardBlindTagger *tagger, Relation index, Datum value, uint64 tid,
			  StewardBlindEntry **entries)
{
	StewardBlindStrings strings = {0};
	StewardPlaintextScope scope;
	StewardSide side;
	int			count;

	steward_plaintext_begin(&scope);
	(void) FunctionCall2(index_getprocinfo(index, 1, STEWARD_BLIND_CANONICAL_PROC),
						 value, PointerGetDatum(&side));
	if (!side.erased)
		(void) FunctionCall3(index_getprocinfo(index, 1, STEWARD_BLIND_VALUE_TAGS_PROC),
							 PointerGetDatum(&side), PointerGetDatum(&strings),
							 PointerGetDatum(&tagger->meta));
	count = string_entries(tagger, &strings, tid, entries);
	steward_plain_free(&strings.bytes);
	steward_side_release(&side);
	steward_plaintext_end(&scope);
	return count;
}

int
steward_blind_row_entries(const StewardBlindTagger *tagger, Relation index,
						  const Datum *values, const bool *isnull, uint64 tid,
						  StewardBlindEntry **entries)
{
	StewardBlindTag tag;

	if (tagger->meta.multi && !isnull[0])
		return value_entries(tagger, index, values[0], tid, entries);
	if (tagger->meta.multi)
		tag = steward_blind_null_tag(tagger);
	else
		tag = steward_blind_row_tag(tagger, index, values, isnull);
	*entries = make_entries(1);
	(*entries)->tag = tag;
	(*entries)->tid = tid;
	return 1;
}
