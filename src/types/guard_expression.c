/*
 * guard_expression.c: what the DDL guard finds in stored expressions.
 */
#include "types/guard.h"

#include "access/htup_details.h"
#include "base/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "types/type_info.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

static bool
is_encrypted_type(Oid type)
{
	return steward_type_info(type) != NULL;
}

static bool
composite_is_encrypted(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, -1);
	bool		found = false;

	for (int i = 0; i < desc->natts && !found; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		found = !att->attisdropped && steward_guard_type(att->atttypid);
	}
	FreeTupleDesc(desc);
	return found;
}

bool
steward_guard_type(Oid type)
{
	Oid			inner;

	/* Nothing before the first user oid is one of our types, or made of one. */
	if (type < FirstNormalObjectId)
		return false;
	if (is_encrypted_type(type))
		return true;
	switch (get_typtype(type))
	{
		case TYPTYPE_DOMAIN:
			return steward_guard_type(getBaseType(type));
		case TYPTYPE_COMPOSITE:
			return composite_is_encrypted(type);
		case TYPTYPE_RANGE:
			return steward_guard_type(get_range_subtype(type));
		case TYPTYPE_MULTIRANGE:
			return steward_guard_type(get_multirange_range(type));
		default:
			inner = get_element_type(type);
			return OidIsValid(inner) && steward_guard_type(inner);
	}
}

bool
steward_guard_type_takes_key(Oid type, int32 typmod, int32 *key_typmod)
{
	Oid			element;

	*key_typmod = typmod;
	type = getBaseTypeAndTypmod(type, key_typmod);
	if (is_encrypted_type(type))
		return true;
	element = get_element_type(type);
	if (!OidIsValid(element))
		return false;
	/* An array of a domain: the key stands in the domain. */
	if (get_typtype(element) == TYPTYPE_DOMAIN)
		return steward_guard_type_takes_key(element, -1, key_typmod);
	return is_encrypted_type(element);
}

/*
 * A function of ours that takes an encrypted value and returns something else
 * opens it: decryption, but also a comparison.
 */
static bool
function_decrypts(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		decrypts = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (form->pronamespace == get_namespace_oid(STEWARD_SCHEMA, true) &&
		!steward_guard_type(form->prorettype))
	{
		for (int i = 0; i < form->pronargs && !decrypts; i++)
			decrypts = steward_guard_type(form->proargtypes.values[i]);
	}
	ReleaseSysCache(tuple);
	return decrypts;
}

static bool
check_function(Oid function, void *context)
{
	StewardFindings *findings = context;

	if (function_decrypts(function))
		findings->decrypts = true;
	return false;
}

/* Hashes arrays or rows by hashing, and so opening, what they hold? */
static bool
hashes_container(Oid function)
{
	return function == F_HASH_ARRAY || function == F_HASH_ARRAY_EXTENDED ||
		function == F_HASH_RECORD || function == F_HASH_RECORD_EXTENDED;
}

/* Is this a function written in SQL that casts an encrypted value to text? */
static bool
casts_to_text(Oid function, const List *arguments)
{
	ListCell   *cell;

	if (function != F_TEXTANYCAT && function != F_ANYTEXTCAT &&
		function != F_QUOTE_LITERAL_ANYELEMENT &&
		function != F_QUOTE_NULLABLE_ANYELEMENT)
		return false;
	foreach(cell, arguments)
	{
		if (is_encrypted_type(getBaseType(exprType(lfirst(cell)))))
			return true;
	}
	return false;
}

/* A row made on the spot has no type that tells of its columns. */
static bool
holds_encrypted(Node *node)
{
	ListCell   *cell;

	if (steward_guard_type(exprType(node)))
		return true;
	if (!IsA(node, RowExpr))
		return false;
	foreach(cell, ((RowExpr *) node)->args)
	{
		if (holds_encrypted(lfirst(cell)))
			return true;
	}
	return false;
}

static bool
walk(Node *node, void *context)
{
	StewardFindings *findings = context;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && hashes_container(((FuncExpr *) node)->funcid) &&
		holds_encrypted(linitial(((FuncExpr *) node)->args)))
		findings->decrypts = true;
	if ((IsA(node, FuncExpr) &&
		 casts_to_text(((FuncExpr *) node)->funcid, ((FuncExpr *) node)->args)) ||
		(IsA(node, OpExpr) &&
		 casts_to_text(((OpExpr *) node)->opfuncid, ((OpExpr *) node)->args)))
		findings->decrypts = true;
	if (IsA(node, Query))
	{
		steward_guard_function_columns((Query *) node);
		return query_tree_walker((Query *) node, walk, context, 0);
	}
	if (IsA(node, Const))
	{
		Const	   *constant = (Const *) node;

		if (!constant->constisnull && steward_guard_type(constant->consttype))
			findings->constant = true;
		return false;
	}
	(void) check_functions_in_node(node, check_function, context);
	return expression_tree_walker(node, walk, context);
}

static StewardFindings
judge_expression(const char *node_string)
{
	StewardFindings findings = {false, false};

	if (node_string != NULL)
		(void) walk((Node *) stringToNode(node_string), &findings);
	return findings;
}

StewardFindings
steward_guard_no_constant(const char *node_string, const char *what)
{
	StewardFindings findings = judge_expression(node_string);

	if (findings.constant)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a constant of an encrypted type cannot be part of %s", what),
				 errdetail("The catalogs would hold a value that anyone who reads them can open."),
				 errhint("Write the constant as text, as in column = 'value'::text, or give it as a parameter.")));
	return findings;
}
