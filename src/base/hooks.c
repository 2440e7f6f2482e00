/*
 * hooks.c: the server's hooks, chained once; see hooks.h.
 */
#include "base/hooks.h"

#include "executor/executor.h"
#include "tcop/utility.h"
#include "utils/inval.h"

#define MAX_CALLBACKS 8

static ProcessUtility_hook_type next_process_utility = NULL;
static StewardUtilityCallback utility_callbacks[MAX_CALLBACKS];
static int	utility_callback_count = 0;
static ExecutorRun_hook_type next_executor_run = NULL;
static StewardRunCallback run_callback = NULL;

static void
process_utility(PlannedStmt *pstmt, const char *query_string,
				bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment,
				DestReceiver *dest, QueryCompletion *completion)
{
	for (int i = 0; i < utility_callback_count; i++)
		utility_callbacks[i] (pstmt->utilityStmt);

	if (next_process_utility != NULL)
		next_process_utility(pstmt, query_string, read_only_tree, context,
							 params, environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
								params, environment, dest, completion);
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
	AcceptInvalidationMessages();
	if (run_callback != NULL && query->planstate != NULL)
		run_callback(query->planstate);
	if (next_executor_run != NULL)
		STEWARD_EXECUTOR_RUN_CALL(next_executor_run);
	else
		STEWARD_EXECUTOR_RUN_CALL(standard_ExecutorRun);
}

void
steward_hooks_init(void)
{
	next_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
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
steward_hooks_on_run(StewardRunCallback callback)
{
	Assert(run_callback == NULL);
	run_callback = callback;
}
