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

/* Has this node a type? Only of these is it asked. */
static bool
is_typed(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Const:
		case T_Param:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_SubscriptingRef:
		case T_FieldSelect:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_CaseExpr:
		case T_CaseTestExpr:
		case T_ArrayExpr:
		case T_RowExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_CoerceToDomain:
		case T_CoerceToDomainValue:
			return true;
		default:
			return STEWARD_IS_JSON_EXPR(node);
	}
}

/* Is an encrypted value anywhere in this expression? */
static bool
touches_encrypted(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, touches_encrypted, context, 0);
	return (is_typed(node) && steward_guard_type(exprType(node))) ||
		expression_tree_walker(node, touches_encrypted, context);
}

/* A row made on the spot has no type that tells of its columns. */
static bool
holds_encrypted(Node *node)
{
	Oid			type = exprType(node);

	if (type == RECORDOID || type == RECORDARRAYOID)
		return touches_encrypted(node, NULL);
	return steward_guard_type(type);
}

static bool
any_holds_encrypted(const List *arguments)
{
	ListCell   *cell;

	foreach(cell, arguments)
	{
		if (holds_encrypted(lfirst(cell)))
			return true;
	}
	return false;
}

/*
 * Those of PostgreSQL's own functions that look at an array or a row without
 * looking into it. All others may compare, hash or cast to text what it holds, and
 * so open it.
 */
static bool
leaves_closed(Oid function)
{
	switch (function)
	{
		case F_ARRAY_APPEND:
		case F_ARRAY_CAT:
		case F_ARRAY_DIMS:
		case F_ARRAY_FILL_ANYELEMENT__INT4:
		case F_ARRAY_FILL_ANYELEMENT__INT4__INT4:
		case F_ARRAY_LENGTH:
		case F_ARRAY_LOWER:
		case F_ARRAY_NDIMS:
		case F_ARRAY_PREPEND:
		case F_ARRAY_UPPER:
		case F_CARDINALITY:
		case F_NUM_NONNULLS:
		case F_NUM_NULLS:
		case F_PG_COLUMN_COMPRESSION:
		case F_PG_COLUMN_SIZE:
		case F_PG_TYPEOF:
		case F_RECORD_IMAGE_EQ:
		case F_RECORD_IMAGE_NE:
		case F_TRIM_ARRAY:
			return true;
		default:
			return false;
	}
}

/* A call with what it is given; of our own functions check_function knows more. */
static void
judge_call(Oid function, const List *arguments, Oid result,
		   StewardFindings *findings)
{
	if (!any_holds_encrypted(arguments))
		return;
	if (function < FirstNormalObjectId)
		findings->decrypts |= !leaves_closed(function);
	else if (!steward_guard_type(result))
		findings->may_decrypt = true;
}

static void
judge_node(Node *node, StewardFindings *findings)
{
	switch (nodeTag(node))
	{
		case T_FuncExpr:
			judge_call(((FuncExpr *) node)->funcid, ((FuncExpr *) node)->args,
					   exprType(node), findings);
			break;
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			judge_call(get_opcode(((OpExpr *) node)->opno),
					   ((OpExpr *) node)->args, exprType(node), findings);
			break;
		case T_ScalarArrayOpExpr:
			judge_call(get_opcode(((ScalarArrayOpExpr *) node)->opno),
					   ((ScalarArrayOpExpr *) node)->args, BOOLOID, findings);
			break;
		case T_RowCompareExpr:
			findings->decrypts |= any_holds_encrypted(((RowCompareExpr *) node)->largs) ||
				any_holds_encrypted(((RowCompareExpr *) node)->rargs);
			break;
		case T_MinMaxExpr:
			findings->decrypts |= any_holds_encrypted(((MinMaxExpr *) node)->args);
			break;
		default:
			break;
	}
}

static bool
walk(Node *node, void *context)
{
	StewardFindings *findings = context;

	if (node == NULL)
		return false;
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
	judge_node(node, findings);
	(void) check_functions_in_node(node, check_function, context);
	return expression_tree_walker(node, walk, context);
}

static StewardFindings
judge_expression(const char *node_string)
{
	StewardFindings findings = {0};
	Node	   *node;

	if (node_string == NULL)
		return findings;
	node = stringToNode(node_string);
	(void) walk(node, &findings);
	findings.touches = touches_encrypted(node, NULL);
	findings.may_decrypt |= findings.decrypts;
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
