/*
 * validate.c: operator classes; see validate.h.
 */
#include "blind/validate.h"

#include "access/amapi.h"
#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type_d.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* How many arguments a support function has, all internal; 0 for options. */
static const int arguments[STEWARD_BLIND_PROCS + 1] = {
	[STEWARD_BLIND_CANONICAL_PROC] = 2,
	[STEWARD_BLIND_OPTIONS_PROC] = 0,
	[STEWARD_BLIND_VALUE_TAGS_PROC] = 3,
	[STEWARD_BLIND_QUERY_TAGS_PROC] = 3,
};

typedef struct Validation
{
	char	   *name;			/* of the class */
	Oid			type;			/* that it is for */
	Oid			method;
	Oid			family;
	bool		valid;
} Validation;

static void
fault(Validation *class, const char *detail)
{
	class->valid = false;
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator class \"%s\" of access method %s is not valid",
					class->name, get_am_name(class->method)),
			 errdetail_internal("%s", detail)));
}

/* ---- members of the family, one by one ---- */

static bool
signature_fits(Form_pg_amproc form)
{
	if (form->amprocnum == STEWARD_BLIND_OPTIONS_PROC)
		return check_amoptsproc_signature(form->amproc);
	return check_amproc_signature(form->amproc, VOIDOID, true,
								  arguments[form->amprocnum],
								  arguments[form->amprocnum],
								  INTERNALOID, INTERNALOID, INTERNALOID);
}

static void
check_function(Validation *class, Form_pg_amproc form)
{
	if (form->amprocnum < 1 || form->amprocnum > STEWARD_BLIND_PROCS)
		fault(class, psprintf("Function %s has number %d, which stands for nothing.",
							  format_procedure(form->amproc), form->amprocnum));
	else if (!signature_fits(form))
		fault(class, psprintf("Function %s has other arguments, or another result, than one of number %d.",
							  format_procedure(form->amproc), form->amprocnum));
}

static void
check_operator(Validation *class, Form_pg_amop form)
{
	if (form->amopstrategy < 1 || form->amopstrategy > STEWARD_BLIND_STRATEGIES)
		fault(class, psprintf("Operator %s has strategy number %d, which stands for nothing.",
							  format_operator(form->amopopr), form->amopstrategy));
	if (form->amoppurpose != AMOP_SEARCH || OidIsValid(form->amopsortfamily))
		fault(class, psprintf("Operator %s is to order rows; such an index has no order.",
							  format_operator(form->amopopr)));
	if (!check_amop_signature(form->amopopr, BOOLOID, form->amoplefttype,
							  form->amoprighttype))
		fault(class, psprintf("Operator %s is not between types %s and %s, or gives no boolean.",
							  format_operator(form->amopopr),
							  format_type_be(form->amoplefttype),
							  format_type_be(form->amoprighttype)));
}

/* ---- all that is of one pair of types ---- */

static bool
of_patterns(uint64 operators)
{
	for (int i = 1; i <= STEWARD_BLIND_STRATEGIES; i++)
		if ((operators & UINT64CONST(1) << i) != 0 && !steward_blind_is_pattern(i))
			return false;
	return true;
}

/* Has the class that values of the left type are in several tags a value? */
static bool
has_several(const Validation *class, Oid type)
{
	return OidIsValid(get_opfamily_proc(class->family, type, type,
										STEWARD_BLIND_VALUE_TAGS_PROC)) &&
		OidIsValid(get_opfamily_proc(class->family, type, type,
									 STEWARD_BLIND_QUERY_TAGS_PROC));
}

static void
check_several(Validation *class, const OpFamilyOpFuncGroup *pair)
{
	const uint64 equal = UINT64CONST(1) << STEWARD_BLIND_EQUAL;

	if ((pair->operatorset & ~equal) != 0 && !has_several(class, pair->lefttype))
		fault(class, psprintf("There are other operators than equality between types %s and %s, but not functions %d and %d for type %s.",
							  format_type_be(pair->lefttype),
							  format_type_be(pair->righttype),
							  STEWARD_BLIND_VALUE_TAGS_PROC,
							  STEWARD_BLIND_QUERY_TAGS_PROC,
							  format_type_be(pair->lefttype)));
}

static void
check_pair(Validation *class, const OpFamilyOpFuncGroup *pair)
{
	const uint64 canonical = UINT64CONST(1) << STEWARD_BLIND_CANONICAL_PROC;

	if (pair->operatorset == 0)
		return;
	check_several(class, pair);
	if (!OidIsValid(opclass_for_family_datatype(class->method, class->family,
												pair->lefttype)))
		fault(class, psprintf("There are operators with type %s on the left, which no class of the family is for.",
							  format_type_be(pair->lefttype)));
	if ((pair->functionset & canonical) == 0 && !of_patterns(pair->operatorset))
		fault(class, psprintf("There are operators between types %s and %s, but no function %d for them.",
							  format_type_be(pair->lefttype),
							  format_type_be(pair->righttype),
							  STEWARD_BLIND_CANONICAL_PROC));
}

/* Tags of values are of no use without those of searches, and the other way round. */
static void
check_both(Validation *class, uint64 functions)
{
	const uint64 both = UINT64CONST(1) << STEWARD_BLIND_VALUE_TAGS_PROC |
		UINT64CONST(1) << STEWARD_BLIND_QUERY_TAGS_PROC;

	if ((functions & both) != 0 && (functions & both) != both)
		fault(class, psprintf("There is one of functions %d and %d for type %s, but not the other.",
							  STEWARD_BLIND_VALUE_TAGS_PROC,
							  STEWARD_BLIND_QUERY_TAGS_PROC,
							  format_type_be(class->type)));
}

/* Is there something to search by, and something to make tags of? */
static void
check_own(Validation *class, List *pairs)
{
	uint64		operators = 0;
	uint64		functions = 0;
	ListCell   *cell;

	foreach(cell, pairs)
	{
		const OpFamilyOpFuncGroup *pair = lfirst(cell);

		check_pair(class, pair);
		if (pair->lefttype != class->type)
			continue;
		operators |= pair->operatorset;
		if (pair->righttype == class->type)
			functions = pair->functionset;
	}
	if (operators == 0)
		fault(class, psprintf("There is no operator with type %s on the left.",
							  format_type_be(class->type)));
	check_both(class, functions);
	if ((functions & (UINT64CONST(1) << STEWARD_BLIND_CANONICAL_PROC)) == 0)
		fault(class, psprintf("There is no function %d for type %s.",
							  STEWARD_BLIND_CANONICAL_PROC,
							  format_type_be(class->type)));
}

/* ---- the class ---- */

static Validation
read_class(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	Validation	class;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	class.name = pstrdup(NameStr(form->opcname));
	class.type = form->opcintype;
	class.method = form->opcmethod;
	class.family = form->opcfamily;
	class.valid = true;
	ReleaseSysCache(tuple);
	return class;
}

bool
steward_blind_validate(Oid opclass)
{
	Validation	class = read_class(opclass);
	CatCList   *operators = SearchSysCacheList1(AMOPSTRATEGY,
												ObjectIdGetDatum(class.family));
	CatCList   *functions = SearchSysCacheList1(AMPROCNUM,
												ObjectIdGetDatum(class.family));

	for (int i = 0; i < functions->n_members; i++)
		check_function(&class,
					   (Form_pg_amproc) GETSTRUCT(&functions->members[i]->tuple));
	for (int i = 0; i < operators->n_members; i++)
		check_operator(&class,
					   (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple));
	check_own(&class, identify_opfamily_groups(operators, functions));
	ReleaseCatCacheList(functions);
	ReleaseCatCacheList(operators);
	return class.valid;
}

/* ---- what members belong to ---- */

static Oid
method_of(Oid opfamily)
{
	HeapTuple	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(opfamily));
	Oid			method;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", opfamily);
	method = ((Form_pg_opfamily) GETSTRUCT(tuple))->opfmethod;
	ReleaseSysCache(tuple);
	return method;
}

/* The class that cannot be without the member, or InvalidOid. */
static Oid
needing_class(const OpFamilyMember *member, Oid method, Oid opfamily)
{
	if (member->lefttype != member->righttype ||
		(member->is_func && member->number == STEWARD_BLIND_OPTIONS_PROC))
		return InvalidOid;
	return opclass_for_family_datatype(method, opfamily, member->lefttype);
}

void
steward_blind_adjust_members(Oid opfamily, Oid opclass, List *operators,
							 List *functions)
{
	ListCell   *cell;
	Oid			method;

	/* A class that is being made is to be found, and a family with it. */
	if (OidIsValid(opclass))
		CommandCounterIncrement();
	method = method_of(opfamily);
	foreach(cell, list_concat_copy(operators, functions))
	{
		OpFamilyMember *member = lfirst(cell);
		Oid			class = needing_class(member, method, opfamily);

		member->ref_is_hard = OidIsValid(class);
		member->ref_is_family = !OidIsValid(class);
		member->refobjid = OidIsValid(class) ? class : opfamily;
	}
}
