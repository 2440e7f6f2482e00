/*
 * binder.c: whose is a row of a bound table; see bind.h.
 */
#include "columns/bind.h"

#include "base/errors.h"
#include "catalog/pg_type_d.h"
#include "keys/subject_lane.h"
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

char *
steward_binder_spell(StewardBinder *binder, Datum key)
{
	char	   *text;

	if (binder->key_type == NUMERICOID)
		return numeric_normalize(DatumGetNumeric(key));
	text = OutputFunctionCall(&binder->key_output, key);
	if (binder->key_type == BPCHAROID)
		text[bpchartruelen(text, (int) strlen(text))] = '\0';
	return text;
}

/* What is made of the name of a row's subject, and is to be given back. */
typedef struct SubjectName
{
	StewardPlaintextScope scope;
	StewardSubjectName name;
	StewardPlain utf8;
	char	   *text;
} SubjectName;

static void
begin_name(SubjectName *subject, StewardBinder *binder, Datum key)
{
	/* A key may be personal as well. */
	steward_plaintext_begin(&subject->scope);
	subject->text = steward_binder_spell(binder, key);
	subject->utf8 = steward_text_to_utf8(subject->text, strlen(subject->text));
	subject->name.kind = binder->kind;
	subject->name.kind_len = binder->kind_len;
	subject->name.key = (char *) subject->utf8.bytes;
	subject->name.key_len = subject->utf8.len;
}

static void
end_name(SubjectName *subject)
{
	steward_plain_free(&subject->utf8);
	pfree(subject->text);
	steward_plaintext_end(&subject->scope);
}

bool
steward_binder_find(StewardBinder *binder, Datum key, bool make,
					StewardSubject *subject)
{
	SubjectName named;
	bool		found = true;

	begin_name(&named, binder, key);
	if (make)
		steward_subject_ensure(&named.name, subject);
	else
		found = steward_subject_find(&named.name, subject);
	end_name(&named);
	return found;
}

void
steward_binder_enter(StewardBinder *binder, Datum key)
{
	SubjectName named;

	begin_name(&named, binder, key);
	steward_subject_lane_share(steward_subject_lane(&named.name));
	end_name(&named);
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
