/*
 * trigram_class.c: the operator class for patterns: what its support functions do.
 *
 * A stored text has a string for each trigram. Patterns that all must match ask for the
 * trigrams of all of them; of patterns of which one must match, each is a group.
 */
#include "blind/multi.h"

#include "base/errors.h"
#include "blind/trigram.h"
#include "blind/validate.h"
#include "types/type_info.h"

/* ---- a stored text ---- */

STEWARD_FUNCTION(steward_text_trigram_tags)
{
	StewardSide *side = (StewardSide *) PG_GETARG_POINTER(0);
	StewardBlindStrings *strings = (StewardBlindStrings *) PG_GETARG_POINTER(1);
	StewardTrigrams trigrams;

	steward_plain_to_server(&side->plain);
	steward_verify_server_text((const char *) side->plain.bytes, side->plain.len);
	trigrams = steward_trigrams_of_text((const char *) side->plain.bytes, side->plain.len);
	strings->bytes = trigrams.bytes;
	strings->width = STEWARD_TRIGRAM_BYTES;
	strings->count = trigrams.count;
	PG_RETURN_VOID();
}

/* ---- patterns ---- */

static StewardTrigrams
trigrams_of(const StewardBlindCondition *condition, int i)
{
	struct varlena *pattern = PG_DETOAST_DATUM_PACKED(condition->arguments[i]);
	StewardTrigrams trigrams =
		steward_trigrams_of_pattern(VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern),
									condition->collation,
									condition->strategy == STEWARD_BLIND_ILIKE);

	if ((Pointer) pattern != DatumGetPointer(condition->arguments[i]))
		pfree(pattern);
	return trigrams;
}

static int
count_of(const StewardTrigrams *trigrams, int count)
{
	int			total = 0;

	for (int i = 0; i < count; i++)
		total += trigrams[i].count;
	return total;
}

/* Takes trigrams of count patterns; with single each pattern is a group, else all are one. */
static void
want_trigrams(StewardBlindWanted *wanted, StewardTrigrams *trigrams, int count, bool single)
{
	int			total = count_of(trigrams, count);
	StewardBlindStrings *strings = &wanted->strings;

	strings->bytes = steward_plain_make((size_t) total * STEWARD_TRIGRAM_BYTES);
	strings->width = STEWARD_TRIGRAM_BYTES;
	wanted->group = palloc(Max(1, total) * sizeof(int));
	wanted->groups = single ? count : 1;
	for (int i = 0; i < count; i++)
	{
		if (trigrams[i].count > 0)
			memcpy(strings->bytes.bytes + (size_t) strings->count * STEWARD_TRIGRAM_BYTES,
				   trigrams[i].bytes.bytes,
				   (size_t) trigrams[i].count * STEWARD_TRIGRAM_BYTES);
		for (int j = 0; j < trigrams[i].count; j++)
			wanted->group[strings->count++] = single ? i : 0;
	}
}

/* Patterns that all must match: those of conditions with one. False: they say nothing. */
static bool
want_all(StewardBlindWanted *wanted, const StewardBlindQuery *query)
{
	StewardTrigrams *trigrams = palloc0(Max(1, query->count) * sizeof(StewardTrigrams));
	int			count = 0;
	bool		any;

	for (int i = 0; i < query->count; i++)
		if (query->conditions[i].count == 1)
			trigrams[count++] = trigrams_of(&query->conditions[i], 0);
	any = count_of(trigrams, count) > 0;
	if (any)
		want_trigrams(wanted, trigrams, count, false);
	for (int i = 0; i < count; i++)
		steward_plain_free(&trigrams[i].bytes);
	return any;
}

/* Patterns of which one must match. False where one of them may match any text. */
static bool
want_any(StewardBlindWanted *wanted, const StewardBlindCondition *condition)
{
	StewardTrigrams *trigrams = palloc0(Max(1, condition->count) * sizeof(StewardTrigrams));
	bool		all = true;

	for (int i = 0; i < condition->count; i++)
	{
		trigrams[i] = trigrams_of(condition, i);
		all = all && trigrams[i].count > 0;
	}
	if (all)
		want_trigrams(wanted, trigrams, condition->count, true);
	for (int i = 0; i < condition->count; i++)
		steward_plain_free(&trigrams[i].bytes);
	return all;
}

STEWARD_FUNCTION(steward_text_trigram_query)
{
	const StewardBlindQuery *query = (const StewardBlindQuery *) PG_GETARG_POINTER(0);
	StewardBlindWanted *wanted = (StewardBlindWanted *) PG_GETARG_POINTER(1);

	if (want_all(wanted, query))
		PG_RETURN_VOID();
	for (int i = 0; i < query->count; i++)
		if (query->conditions[i].count != 1 && want_any(wanted, &query->conditions[i]))
			PG_RETURN_VOID();
	wanted->all = true;
	PG_RETURN_VOID();
}

/* ---- for the planner ---- */

bool
steward_blind_pattern_bounds(int strategy, Oid collation, Datum pattern)
{
	StewardBlindCondition condition = {
		.strategy = strategy,
		.collation = collation,
		.count = 1,
		.arguments = &pattern,
	};
	StewardPlaintextScope scope;
	StewardTrigrams trigrams;
	bool		result;

	steward_plaintext_begin(&scope);
	trigrams = trigrams_of(&condition, 0);
	result = trigrams.count > 0;
	steward_plain_free(&trigrams.bytes);
	steward_plaintext_end(&scope);
	return result;
}
