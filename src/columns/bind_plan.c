/*
 * bind_plan.c: whose a row of a bound table is; see bind.h.
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

struct StewardBindPlan
{
	const char *kind;			/* UTF-8 */
	size_t		kind_len;
	AttrNumber	key;
	Oid			key_type;
	FmgrInfo	key_output;
};

StewardBindPlan *
steward_bind_plan(Relation rel)
{
	StewardBinding binding;
	StewardBindPlan *plan;
	StewardPlain kind;
	Oid			output;
	bool		is_varlena;

	if (!steward_binding_find(rel, &binding))
		return NULL;
	/* The guard of DDL has seen the table, unless it was told to look away. */
	steward_guard_binding(RelationGetRelid(rel));
	plan = palloc0(sizeof *plan);
	kind = steward_text_to_utf8(binding.kind, strlen(binding.kind));
	plan->kind_len = kind.len;
	plan->kind = memcpy(palloc(kind.len + 1), kind.bytes, kind.len);
	steward_plain_free(&kind);
	plan->key = binding.key;
	plan->key_type = getBaseType(TupleDescAttr(RelationGetDescr(rel),
											   plan->key - 1)->atttypid);
	getTypeOutputInfo(plan->key_type, &output, &is_varlena);
	fmgr_info(output, &plan->key_output);
	return plan;
}

AttrNumber
steward_bind_key(const StewardBindPlan *plan)
{
	return plan->key;
}

/* The spelling of a key: equal keys of any of the types have the same. */
static char *
key_text(StewardBindPlan *plan, Datum key)
{
	char	   *text;

	if (plan->key_type == NUMERICOID)
		return numeric_normalize(DatumGetNumeric(key));
	text = OutputFunctionCall(&plan->key_output, key);
	if (plan->key_type == BPCHAROID)
		text[bpchartruelen(text, (int) strlen(text))] = '\0';
	return text;
}

bool
steward_bind_find(StewardBindPlan *plan, Datum key, bool make,
				  StewardSubject *subject)
{
	StewardPlaintextScope scope;
	StewardSubjectName name = {.kind = plan->kind, .kind_len = plan->kind_len};
	StewardPlain utf8;
	char	   *text;
	bool		found = true;

	/* A key may be personal as well. */
	steward_plaintext_begin(&scope);
	text = key_text(plan, key);
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
