/*
 * hooks.c: the server's hooks, chained once; see hooks.h.
 */
#include "base/hooks.h"

#include "tcop/utility.h"

#define MAX_CALLBACKS 8

static ProcessUtility_hook_type next_process_utility = NULL;
static StewardUtilityCallback utility_callbacks[MAX_CALLBACKS];
static int	utility_callback_count = 0;

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

void
steward_hooks_init(void)
{
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
