/*
 * record_show.c: the record of a change of a row as jsonb; see record_show.h.
 *
 * A record holds more than a jsonb can. How long a value is when shown is known
 * when it has been shown; so a row that is too long is shown again without its
 * longest value, until it fits.
 */
#include "base/compat.h"

#include "audit/codec_show.h"
#include "audit/record_show.h"
#include "audit/schema.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Nothing in a jsonb is longer, and no value is shown shorter than it is stored. */
#define LONGEST_SHOWN ((uint32) 0x0FFFFFFF)

static Datum
image_to_jsonb(const StewardAuditSchema *schema, const StewardImage *image,
			   bool key_only)
{
	JsonbParseState *state = NULL;

	return JsonbPGetDatum(JsonbValueToJsonb(steward_push_image(&state, schema,
															   image, key_only)));
}

/* False when it is longer than a jsonb may be. */
static bool
try_to_show(const StewardAuditSchema *schema, const StewardImage *image, Datum *shown)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext attempt = AllocSetContextCreate(caller, "steward shown row",
												  ALLOCSET_DEFAULT_SIZES);
	volatile bool fits = true;

	PG_TRY();
	{
		Jsonb	   *row;

		MemoryContextSwitchTo(attempt);
		row = DatumGetJsonbP(image_to_jsonb(schema, image, false));
		MemoryContextSwitchTo(caller);
		*shown = PointerGetDatum(memcpy(palloc(VARSIZE(row)), row, VARSIZE(row)));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		if (geterrcode() != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		FlushErrorState();
		fits = false;
	}
	PG_END_TRY();
	MemoryContextDelete(attempt);
	return fits;
}

/* The longest value that is still to be shown; -1: there is none. */
static int
longest(const StewardAuditSchema *schema, const StewardImage *image)
{
	int			found = -1;

	for (int i = 0; i < schema->count; i++)
		if (image->presence[i] == STEWARD_VALUE &&
			(found < 0 || image->slices[i].length > image->slices[found].length))
			found = i;
	return found;
}

static Datum
show_image(const StewardAuditSchema *schema, StewardImage *image)
{
	Datum		shown;
	int			next;

	while ((next = longest(schema, image)) >= 0 &&
		   image->slices[next].length > LONGEST_SHOWN)
		image->presence[next] = STEWARD_TOO_LONG;
	while (!try_to_show(schema, image, &shown))
	{
		next = longest(schema, image);
		if (next < 0)
			elog(ERROR, "a row without values is too long");
		image->presence[next] = STEWARD_TOO_LONG;
	}
	return shown;
}

/* An UPDATE keeps the key for finding the row; old is what it changed. */
static void
drop_unchanged(const StewardAuditSchema *schema, StewardImage *before,
			   const StewardImage *after)
{
	if (schema->key_count == 0)
		return;
	for (int i = 0; i < schema->count; i++)
		if (after->presence[i] == STEWARD_ABSENT)
			before->presence[i] = STEWARD_ABSENT;
}

static void
show(const StewardAuditSchema *schema, char op, const StewardPart *parts, int count,
	 Datum *values, bool *nulls)
{
	StewardImage before;
	StewardImage after;
	bool		has_old = op == STEWARD_OP_DELETE || op == STEWARD_OP_UPDATE;
	bool		has_new = op == STEWARD_OP_INSERT || op == STEWARD_OP_UPDATE;

	steward_decode_payload(schema, op, parts, count, &before, &after);
	nulls[STEWARD_SHOWN_KEY] = schema->key_count == 0 || !(has_old || has_new);
	nulls[STEWARD_SHOWN_OLD] = !has_old;
	nulls[STEWARD_SHOWN_NEW] = !has_new;
	if (!nulls[STEWARD_SHOWN_KEY])
		values[STEWARD_SHOWN_KEY] = image_to_jsonb(schema, has_old ? &before : &after,
												   true);
	if (op == STEWARD_OP_UPDATE)
		drop_unchanged(schema, &before, &after);
	if (has_old)
		values[STEWARD_SHOWN_OLD] = show_image(schema, &before);
	if (has_new)
		values[STEWARD_SHOWN_NEW] = show_image(schema, &after);
}

void
steward_show_record(const StewardAuditSchema *schema, char op, const StewardPart *parts,
					int count, Datum *values, bool *nulls)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		show(schema, op, parts, count, values, nulls);
	}
	PG_CATCH();
	{
		steward_payload_rethrow(caller);
	}
	PG_END_TRY();
}
