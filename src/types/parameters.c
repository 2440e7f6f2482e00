/*
 * parameters.c: plaintext that comes as a parameter, or by COPY, on its way in.
 *
 * When the planner makes a plan for given values of parameters, they become
 * constants of the plan, which auto_explain and others of its kind put into the
 * log, whatever log_parameter_max_length says. So in a statement that has to do
 * with encrypted values parameters stay parameters. The planner may still look at
 * them for its estimates; what it may not do is to write them down.
 *
 * The same for what is handed to a function that is not PostgreSQL's own: it may
 * be encrypted there. Parameters of type boolean stay known: they have no secret
 * and decide about partial indexes.
 */
#include "types/encrypted.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "base/catalog.h"
#include "base/hooks.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type_d.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "types/guard.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* What a walk through a query finds. */
typedef struct Found
{
	bool		encrypted;		/* the query has to do with encrypted values */
	int			foreign_depth;	/* inside so many calls of other functions */
	Bitmapset  *all;			/* numbers of parameters */
	Bitmapset  *handed_on;		/* those in such calls */
} Found;

/* What stands behind a list of parameters of which some are hidden. */
typedef struct Hidden
{
	ParamListInfo original;
	Bitmapset  *numbers;
} Hidden;

/* context: bool, whether one is not PostgreSQL's own */
static bool
is_foreign(Oid function, void *context)
{
	*(bool *) context |= function >= FirstNormalObjectId;
	return false;
}

static bool
is_ours(Oid function, void *context)
{
	if (function >= FirstNormalObjectId &&
		get_func_namespace(function) == get_namespace_oid(STEWARD_SCHEMA, true))
		*(bool *) context = true;
	return false;
}

static bool
look(Node *node, void *context)
{
	Found	   *found = context;
	bool		foreign = false;
	bool		result;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, look, context, 0);
	if (IsA(node, Param))
	{
		const Param *param = (const Param *) node;

		if (param->paramkind == PARAM_EXTERN && param->paramtype != BOOLOID)
		{
			found->all = bms_add_member(found->all, param->paramid);
			if (found->foreign_depth > 0)
				found->handed_on = bms_add_member(found->handed_on,
												  param->paramid);
		}
		return false;
	}
	(void) check_functions_in_node(node, is_foreign, &foreign);
	if (foreign && !found->encrypted)
		(void) check_functions_in_node(node, is_ours, &found->encrypted);
	found->foreign_depth += foreign;
	result = expression_tree_walker(node, look, context);
	found->foreign_depth -= foreign;
	return result;
}

/* A column that is assigned a value of its own type is told by no function. */
static bool
writes_encrypted(const Query *query)
{
	ListCell   *cell;

	foreach(cell, query->targetList)
	{
		if (steward_guard_type(exprType((Node *) lfirst_node(TargetEntry, cell)->expr)))
			return true;
	}
	return false;
}

static ParamExternData *
fetch(ParamListInfo params, int number, bool speculative,
	  ParamExternData *workspace)
{
	Hidden	   *hidden = params->paramFetchArg;
	ParamListInfo original = hidden->original;
	ParamExternData *param = original->paramFetch != NULL ?
		original->paramFetch(original, number, speculative, workspace) :
		&original->params[number - 1];

	if (param != workspace)
		*workspace = *param;
	if (bms_is_member(number, hidden->numbers))
		workspace->pflags &= ~PARAM_FLAG_CONST;
	return workspace;
}

static ParamListInfo
hide(ParamListInfo original, Bitmapset *numbers)
{
	ParamListInfo params = makeParamList(0);
	Hidden	   *hidden = palloc(sizeof(Hidden));

	hidden->original = original;
	hidden->numbers = numbers;
	params->paramFetch = fetch;
	params->paramFetchArg = hidden;
	params->numParams = original->numParams;
	return params;
}

static ParamListInfo
planner_sees(Query *query, ParamListInfo params)
{
	Found		found = {0};
	Bitmapset  *numbers;

	if (params->numParams == 0 ||
		!OidIsValid(get_namespace_oid(STEWARD_SCHEMA, true)))
		return params;
	(void) query_tree_walker(query, look, &found, 0);
	if (found.all == NULL)
		return params;
	numbers = found.encrypted || writes_encrypted(query) ? found.all :
		found.handed_on;
	return numbers == NULL ? params : hide(params, numbers);
}

/* ---- COPY ---- */

static AttrNumber
count_columns(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	AttrNumber	count;

	if (!HeapTupleIsValid(tuple))
		return 0;
	count = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
	ReleaseSysCache(tuple);
	return count;
}

static const char *
copies_into(Node *statement)
{
	CopyStmt   *copy = castNode(CopyStmt, statement);
	Oid			relid;
	AttrNumber	columns;

	if (!copy->is_from || copy->relation == NULL)
		return NULL;
	relid = RangeVarGetRelid(copy->relation, NoLock, true);
	columns = count_columns(relid);
	for (AttrNumber number = 1; number <= columns; number++)
	{
		Oid			type = get_atttype(relid, number);

		if (OidIsValid(type) && steward_guard_type(type))
			return copy->relation->relname;
	}
	return NULL;
}

void
steward_parameters_init(void)
{
	steward_hooks_on_plan(planner_sees);
	steward_hooks_on_copy(copies_into);
}
