/*
 * guard_query.c: labels in queries that nothing vouches for.
 *
 * A label is the type modifier that an expression claims: PostgreSQL stores a
 * value without giving it its key when its label is the column's. Ciphertext of
 * another key, or a transient value, must not get one by mistake.
 *
 * The list after a function that returns records is believed: PostgreSQL checks
 * the types of what comes, not their modifiers. So a list must not name a key,
 * but for the functions that make each value by its input function and thereby
 * under that key.
 *
 * A parameter that stands for a field of a record keeps the label of the row for
 * which its statement was planned, whatever row comes later. So each labelled
 * parameter is checked when the statement runs.
 */
#include "types/guard.h"

#include "base/catalog.h"
#include "catalog/pg_type_d.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/analyze.h"
#include "parser/parse_func.h"
#include "parser/parse_node.h"
#include "tcop/utility.h"
#include "types/tag_cache.h"
#include "types/type_info.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

static post_parse_analyze_hook_type next_post_parse_analyze = NULL;

/* Others of PostgreSQL's own, such as unnest(), hand on what they are given. */
static bool
makes_values(const Node *expression)
{
	if (!IsA(expression, FuncExpr))
		return false;
	switch (((const FuncExpr *) expression)->funcid)
	{
		case F_JSON_TO_RECORD:
		case F_JSON_TO_RECORDSET:
		case F_JSONB_TO_RECORD:
		case F_JSONB_TO_RECORDSET:
			return true;
		default:
			return false;
	}
}

static void
judge_list(const RangeTblFunction *function)
{
	ListCell   *type;
	ListCell   *typmod;
	ListCell   *name;
	int32		key_typmod;

	forthree(type, function->funccoltypes, typmod, function->funccoltypmods,
			 name, function->funccolnames)
	{
		if (steward_guard_type_takes_key(lfirst_oid(type), lfirst_int(typmod),
										 &key_typmod) && key_typmod >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column definition list cannot name the key of column \"%s\"",
							strVal(lfirst(name))),
					 errdetail("Nothing makes sure that the function returns values under that key."),
					 errhint("Leave the key out; the column that stores the value gives it its key.")));
	}
}

void
steward_guard_function_columns(const Query *query)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);
		ListCell   *inner;

		if (entry->rtekind != RTE_FUNCTION)
			continue;
		foreach(inner, entry->functions)
		{
			const RangeTblFunction *function = lfirst_node(RangeTblFunction, inner);

			if (function->funccoltypes != NIL &&
				!makes_values(function->funcexpr))
				judge_list(function);
		}
	}
}

static bool
walk(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		steward_guard_function_columns((Query *) node);
		return query_tree_walker((Query *) node, walk, context, 0);
	}
	return expression_tree_walker(node, walk, context);
}

/* Most queries have nothing below them to look into. */
static bool
is_flat(const Query *query)
{
	ListCell   *cell;

	if (query->hasSubLinks || query->cteList != NIL)
		return false;
	foreach(cell, query->rtable)
	{
		RTEKind		kind = lfirst_node(RangeTblEntry, cell)->rtekind;

		if (kind == RTE_SUBQUERY || kind == RTE_FUNCTION)
			return false;
	}
	return true;
}

/* ---- labelled parameters ---- */

static bool
is_labelled(const Node *node)
{
	const Param *param = (const Param *) node;
	int32		key_typmod;

	return IsA(node, Param) && param->paramkind == PARAM_EXTERN &&
		param->paramtypmod >= 0 &&
		get_typtype(param->paramtype) != TYPTYPE_DOMAIN &&
		steward_guard_type_takes_key(param->paramtype, param->paramtypmod,
									 &key_typmod);
}

static bool
find_labelled(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_labelled, context, 0);
	return is_labelled(node) ||
		expression_tree_walker(node, find_labelled, context);
}

/* Puts the parameter into a call that checks it and keeps its label. */
static Node *
check_parameter(Param *param)
{
	Oid			types[2] = {param->paramtype, INT4OID};
	Oid			element = get_element_type(param->paramtype);
	const StewardTypeInfo *info = steward_type_info(OidIsValid(element) ? element : param->paramtype);
	char	   *name = psprintf("%s_under", info->name);
	Oid			function = LookupFuncName(list_make2(makeString(STEWARD_SCHEMA),
													 makeString(name)),
										  2, types, false);
	Const	   *label = makeConst(INT4OID, -1, InvalidOid, sizeof(int32),
								  Int32GetDatum(param->paramtypmod), false, true);

	return (Node *) makeFuncExpr(function, param->paramtype,
								 list_make2(copyObject(param), label), InvalidOid,
								 InvalidOid, COERCE_IMPLICIT_CAST);
}

static Node *
check_labelled(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, check_labelled,
										   context, 0);
	if (is_labelled(node))
		return check_parameter((Param *) node);
	return expression_tree_mutator(node, check_labelled, context);
}

/* Only where names may stand for parameters can one have a label. */
static bool
resolves_names(const ParseState *state)
{
	return state != NULL && (state->p_pre_columnref_hook != NULL ||
							 state->p_post_columnref_hook != NULL ||
							 state->p_paramref_hook != NULL);
}

static void
judge_query(ParseState *state, Query *query, JumbleState *jumble)
{
	if (next_post_parse_analyze != NULL)
		next_post_parse_analyze(state, query, jumble);
	/* Not for every query inside a command is the hook called again. */
	if (query->commandType == CMD_UTILITY)
		query = UtilityContainsQuery(query->utilityStmt);
	if (query == NULL)
		return;
	if (!is_flat(query))
		(void) walk((Node *) query, NULL);
	if (resolves_names(state) && find_labelled((Node *) query, NULL))
		(void) query_tree_mutator(query, check_labelled, NULL,
								  QTW_DONT_COPY_QUERY);
}

static void
check_label(const StewardTypeInfo *info, struct varlena *value, int32 typmod)
{
	StewardDatum datum;

	steward_parse(info, &datum, value);
	if (datum.key_id != steward_typmod_key(typmod))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("value of a parameter is under another key than when the statement was planned"),
				 errhint("Use a record variable for values of one key only, or a variable of type steward.%s.",
						 info->name)));
}

Datum
steward_type_under(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);

	check_label(info, value, PG_GETARG_INT32(1));
	PG_RETURN_POINTER(value);
}

Datum
steward_type_array_under(FunctionCallInfo fcinfo, const StewardTypeInfo *info)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		element;
	bool		isnull;

	while (array_iterate(iterator, &element, &isnull))
	{
		if (!isnull)
			check_label(info, PG_DETOAST_DATUM_PACKED(element),
						PG_GETARG_INT32(1));
	}
	array_free_iterator(iterator);
	PG_RETURN_ARRAYTYPE_P(array);
}

void
steward_types_init(void)
{
	steward_plain_init();
	steward_scan_rights_init();
	steward_guard_create_init();
	steward_parameters_init();
	steward_tag_cache_init();
	next_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = judge_query;
}
