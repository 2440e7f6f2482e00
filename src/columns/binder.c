/*
 * binder.c: whose is a row of a bound table; see bind.h.
 */
#include "columns/bind.h"

#include "base/errors.h"
#include "catalog/pg_type_d.h"
#include "types/binding.h"
#include "types/encrypted.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

struct StewardBinder
{
	const char *kind;			/* UTF-8 */
	size_t		kind_len;
	AttrNumber	key;
	Oid			key_type;
	FmgrInfo	key_output;
};

static StewardBinder *
make_binder(Relation rel, bool disabled_too)
{
	StewardBinding binding;
	StewardBinder *binder;
	StewardPlain kind;
	Oid			output;
	bool		is_varlena;

	if (!steward_binding_find(rel, &binding) ||
		!(binding.enabled || disabled_too))
		return NULL;
	/* The guard of DDL has seen the table, unless it was told to look away. */
	steward_guard_binding(RelationGetRelid(rel));
	binder = palloc0(sizeof *binder);
	kind = steward_text_to_utf8(binding.kind, strlen(binding.kind));
	binder->kind_len = kind.len;
	binder->kind = memcpy(palloc(kind.len + 1), kind.bytes, kind.len);
	steward_plain_free(&kind);
	binder->key = binding.key;
	binder->key_type = getBaseType(TupleDescAttr(RelationGetDescr(rel),
												 binder->key - 1)->atttypid);
	getTypeOutputInfo(binder->key_type, &output, &is_varlena);
	fmgr_info(output, &binder->key_output);
	return binder;
}

StewardBinder *
steward_binder(Relation rel)
{
	return make_binder(rel, false);
}

StewardBinder *
steward_binder_any(Relation rel)
{
	return make_binder(rel, true);
}

AttrNumber
steward_binder_key(const StewardBinder *binder)
{
	return binder->key;
}

/* The spelling of a key: equal keys of any of the types have the same. */
static char *
key_text(StewardBinder *binder, Datum key)
{
	char	   *text;

	if (binder->key_type == NUMERICOID)
		return numeric_normalize(DatumGetNumeric(key));
	text = OutputFunctionCall(&binder->key_output, key);
	if (binder->key_type == BPCHAROID)
		text[bpchartruelen(text, (int) strlen(text))] = '\0';
	return text;
}

bool
steward_binder_find(StewardBinder *binder, Datum key, bool make,
					StewardSubject *subject)
{
	StewardPlaintextScope scope;
	StewardSubjectName name = {.kind = binder->kind, .kind_len = binder->kind_len};
	StewardPlain utf8;
	char	   *text;
	bool		found = true;

	/* A key may be personal as well. */
	steward_plaintext_begin(&scope);
	text = key_text(binder, key);
	utf8 = steward_text_to_utf8(text, strlen(text));
	name.key = (char *) utf8.bytes;
	name.key_len = utf8.len;
	if (make)
		steward_subject_ensure(&name, subject);
	else
		found = steward_subject_find(&name, subject);
	steward_plain_free(&utf8);
	pfree(text);
	steward_plaintext_end(&scope);
	return found;
}

bool
steward_binder_lacks_key(const StewardBinder *binder, TupleTableSlot *row)
{
	return row->tts_isnull[binder->key - 1];
}

void
steward_binder_subject(StewardBinder *binder, TupleTableSlot *row,
					   StewardSubject *subject)
{
	(void) steward_binder_find(binder, row->tts_values[binder->key - 1], true,
							   subject);
}
