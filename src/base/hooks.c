/*
 * hooks.c: the server's hooks, chained once; see hooks.h.
 *
 * What runs inside a hook is a scope of errors that may quote a plaintext (see
 * mask.h): plans, utility statements and the planner, which looks at the values
 * of expressions too.
 */
#include "base/hooks.h"

#include "base/mask.h"
#include "catalog/objectaccess.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "tcop/utility.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#define MAX_CALLBACKS 8

static ProcessUtility_hook_type next_process_utility = NULL;
static StewardUtilityCallback utility_callbacks[MAX_CALLBACKS];
static int	utility_callback_count = 0;
static ExecutorRun_hook_type next_executor_run = NULL;
static planner_hook_type next_planner = NULL;
static StewardCopyCallback copy_callback = NULL;
static StewardPlanCallback plan_callback = NULL;
static StewardRunCallback run_callbacks[MAX_CALLBACKS];
static int	run_callback_count = 0;
static object_access_hook_type next_object_access = NULL;
static get_relation_info_hook_type next_relation_info = NULL;
static StewardObjectCallback object_callbacks[MAX_CALLBACKS];
static int	object_callback_count = 0;
static StewardRelationCallback relation_callback = NULL;

/* The statement that runs, how many lie around it, and this one among them. */
static StewardCommand command = {InvalidOid, false};
static int	command_depth = 0;

StewardCommand
steward_hooks_command(void)
{
	StewardCommand current = command;

	if (!OidIsValid(current.role))
		current.role = GetUserId();
	return current;
}

/* The next command that passes by here forgets it. */
void
steward_hooks_command_begun(void)
{
	if (command_depth == 0)
		command.role = GetUserId();
}

static void
next_utility(PlannedStmt *pstmt, const char *query_string,
			 bool read_only_tree, ProcessUtilityContext context,
			 ParamListInfo params, QueryEnvironment *environment,
			 DestReceiver *dest, QueryCompletion *completion)
{
	StewardCommand outer = {InvalidOid, false};

	if (command_depth > 0)
		outer = command;
	command.role = GetUserId();
	command.rebuilds = IsA(pstmt->utilityStmt, ReindexStmt);
	command_depth++;
	PG_TRY();
	{
		if (next_process_utility != NULL)
			next_process_utility(pstmt, query_string, read_only_tree, context,
								 params, environment, dest, completion);
		else
			standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
									params, environment, dest, completion);
	}
	PG_FINALLY();
	{
		command_depth--;
		command = outer;
	}
	PG_END_TRY();
}

static void
process_utility(PlannedStmt *pstmt, const char *query_string,
				bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment,
				DestReceiver *dest, QueryCompletion *completion)
{
	StewardMaskScope scope;
	const char *copy_table = NULL;

	for (int i = 0; i < utility_callback_count; i++)
		utility_callbacks[i] (pstmt->utilityStmt);
	if (copy_callback != NULL && IsA(pstmt->utilityStmt, CopyStmt))
		copy_table = copy_callback(pstmt->utilityStmt);

	steward_mask_begin(&scope, copy_table);
	next_utility(pstmt, query_string, read_only_tree, context, params,
				 environment, dest, completion);
	steward_mask_end(&scope);
}

static PlannedStmt *
plan(Query *query, const char *query_string, int options, ParamListInfo params)
{
	StewardMaskScope scope;
	PlannedStmt *result;

	if (params != NULL && plan_callback != NULL)
		params = plan_callback(query, params);
	steward_mask_begin(&scope, NULL);
	if (next_planner != NULL)
		result = next_planner(query, query_string, options, params);
	else
		result = standard_planner(query, query_string, options, params);
	steward_mask_end(&scope);
	return result;
}

/*
 * Workers may decrypt what the leader goes on with. The functions that a plan
 * calls stand among what would invalidate it, but for those of PostgreSQL itself.
 */
static bool
workers_may_decrypt(const PlannedStmt *statement)
{
	ListCell   *cell;

	if (!statement->parallelModeNeeded)
		return false;
	foreach(cell, statement->invalItems)
	{
		if (lfirst_node(PlanInvalItem, cell)->cacheId == PROCOID)
			return true;
	}
	return false;
}

/*
 * Rights and erasures take effect with the next statement, also in an open
 * transaction. PostgreSQL by itself reads the messages that tell of them when it
 * takes a lock that it does not hold yet, which a plan that is run again never
 * does. Checks of rights look too, for statements that run long, but cannot in
 * an index scan, which compares while it holds a page.
 */
static void
STEWARD_EXECUTOR_RUN(executor_run)
{
	StewardMaskScope scope;

	AcceptInvalidationMessages();
	for (int i = 0; query->planstate != NULL && i < run_callback_count; i++)
		run_callbacks[i] (query->planstate);
	if (workers_may_decrypt(query->plannedstmt))
		steward_mask_given();
	steward_mask_begin(&scope, NULL);
	if (next_executor_run != NULL)
		STEWARD_EXECUTOR_RUN_CALL(next_executor_run);
	else
		STEWARD_EXECUTOR_RUN_CALL(standard_ExecutorRun);
	steward_mask_end(&scope);
}

static void
object_access(ObjectAccessType access, Oid class_id, Oid object, int part,
			  void *arg)
{
	if (next_object_access != NULL)
		next_object_access(access, class_id, object, part, arg);
	for (int i = 0; i < object_callback_count; i++)
		object_callbacks[i] ((int) access, class_id, object, part, arg);
}

static void
relation_info(PlannerInfo *root, Oid relid, bool with_heirs, RelOptInfo *rel)
{
	if (next_relation_info != NULL)
		next_relation_info(root, relid, with_heirs, rel);
	if (relation_callback != NULL)
		relation_callback(root, rel);
}

void
steward_hooks_init(void)
{
	next_object_access = object_access_hook;
	object_access_hook = object_access;
	next_relation_info = get_relation_info_hook;
	get_relation_info_hook = relation_info;
	next_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
	next_planner = planner_hook;
	planner_hook = plan;
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}

void
steward_hooks_on_utility(StewardUtilityCallback callback)
{
	if (utility_callback_count == MAX_CALLBACKS)
		elog(ERROR, "too many utility callbacks");
	utility_callbacks[utility_callback_count++] = callback;
}

void
steward_hooks_on_object(StewardObjectCallback callback)
{
	if (object_callback_count == MAX_CALLBACKS)
		elog(ERROR, "too many object callbacks");
	object_callbacks[object_callback_count++] = callback;
}

void
steward_hooks_on_run(StewardRunCallback callback)
{
	if (run_callback_count == MAX_CALLBACKS)
		elog(ERROR, "too many run callbacks");
	run_callbacks[run_callback_count++] = callback;
}

void
steward_hooks_on_copy(StewardCopyCallback callback)
{
	Assert(copy_callback == NULL);
	copy_callback = callback;
}

void
steward_hooks_on_plan(StewardPlanCallback callback)
{
	Assert(plan_callback == NULL);
	plan_callback = callback;
}

void
steward_hooks_on_relation(StewardRelationCallback callback)
{
	Assert(relation_callback == NULL);
	relation_callback = callback;
}
