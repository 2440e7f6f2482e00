/*
 * query.c: statements about one table; see query.h.
 *
 * The lock on a table keeps its name and its columns', but not its schema's: who
 * owns the schema may rename it while somebody looks back, and put a view under the
 * old name whose functions would run as him. So the relation and the operators that
 * the parser found are compared by their oids before the planner, which calls
 * functions, sees them. A plan of SPI's would be parsed again, by the names, when
 * something changes between that and its execution; this one never is.
 */
#include "base/compat.h"

#include "access/sysattr.h"
#include "history/query.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "parser/analyze.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/memutils.h"

/* Is there an operator or a subquery that is not expected? */
static bool
finds_stranger(Node *node, void *operators)
{
	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) &&
		!list_member_oid(operators, ((OpExpr *) node)->opno))
		return true;
	if (IsA(node, Query))
		return true;
	return expression_tree_walker(node, finds_stranger, operators);
}

static void
check_names(const StewardQuery *query, Query *parsed)
{
	const RangeTblEntry *table = list_length(parsed->rtable) == 1 ?
		linitial_node(RangeTblEntry, parsed->rtable) : NULL;

	if (table == NULL || table->rtekind != RTE_RELATION ||
		table->relid != query->relid ||
		query_tree_walker(parsed, finds_stranger, query->operators, 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("names of a table or an operator changed meanwhile"),
				 errdetail("The statement was: %s", query->text),
				 errhint("A schema was renamed. Try again.")));
}

/* Where a row is, is nothing of what it says: whoever may read all columns may. */
static void
allow_places(Query *parsed)
{
	ListCell   *cell;

	foreach(cell, STEWARD_QUERY_ENTRIES(parsed))
	{
		StewardReadEntry *entry = lfirst(cell);

		entry->selectedCols = bms_del_member(entry->selectedCols,
											 SelfItemPointerAttributeNumber -
											 FirstLowInvalidHeapAttributeNumber);
		entry->selectedCols = bms_del_member(entry->selectedCols,
											 TableOidAttributeNumber -
											 FirstLowInvalidHeapAttributeNumber);
	}
}

static ParamListInfo
parameters_of(const StewardQuery *query)
{
	ParamListInfo parameters = makeParamList(query->count);

	for (int i = 0; i < query->count; i++)
	{
		parameters->params[i].value = query->values[i];
		parameters->params[i].isnull = false;
		parameters->params[i].pflags = PARAM_FLAG_CONST;
		parameters->params[i].ptype = query->types[i];
	}
	return parameters;
}

Portal
steward_query_open(const StewardQuery *query, Snapshot snapshot)
{
	Portal		portal = CreateNewPortal();
	MemoryContext caller = MemoryContextSwitchTo(portal->portalContext);
	char	   *text = pstrdup(query->text);
	ParamListInfo parameters = parameters_of(query);
	Query	   *parsed;
	CommandTag	tag;
	List	   *plans;

	portal->visible = false;
	parsed = parse_analyze_fixedparams(linitial_node(RawStmt, pg_parse_query(text)),
									   text, query->types, query->count, NULL);
	check_names(query, parsed);
	allow_places(parsed);
	tag = CreateCommandTag((Node *) parsed);
	plans = pg_plan_queries(pg_rewrite_query(parsed), text, 0, parameters);
	PortalDefineQuery(portal, NULL, text, tag, plans, NULL);
	MemoryContextSwitchTo(caller);
	PortalStart(portal, parameters, 0, snapshot);
	return portal;
}
