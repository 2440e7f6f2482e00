/*
 * executor.c: watching statements; see executor.h.
 *
 * These hooks are installed after those of hooks.c and so are called before them:
 * what is recorded of a statement is recorded before anything of it runs. COPY
 * of a table never enters the executor; PostgreSQL tells of it only where its
 * rights are checked, in the middle of the command.
 */
#include "base/executor.h"

#include "base/hooks.h"
#include "executor/executor.h"
#include "optimizer/planner.h"
#include "tcop/utility.h"

static const StewardWatcher *watcher = NULL;

static ExecutorStart_hook_type next_start = NULL;
static ExecutorRun_hook_type next_run = NULL;
static ExecutorFinish_hook_type next_finish = NULL;
static ExecutorEnd_hook_type next_end = NULL;
static ExecutorCheckPerms_hook_type next_check = NULL;
static ProcessUtility_hook_type next_utility = NULL;
static planner_hook_type next_planner = NULL;

/* The COPY whose rights are yet to be checked, and the right that it needs. */
static void *copy_pending = NULL;
static AclMode copy_right = 0;

/*
 * Runs a step of a watched statement. An error is told to the watcher, with the rows that
 * the step gave before, and goes on.
 */
#define WATCHED(watch, rows, step) \
	do { \
		PG_TRY(); \
		{ \
			step; \
		} \
		PG_CATCH(); \
		{ \
			watcher->fail(watch, rows); \
			PG_RE_THROW(); \
		} \
		PG_END_TRY(); \
	} while (0)

static void
call_start(QueryDesc *query, int eflags)
{
	if (next_start != NULL)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

static void
executor_start(QueryDesc *query, int eflags)
{
	void	   *watch = watcher->start(query, eflags);

	if (likely(watch == NULL))
	{
		call_start(query, eflags);
		return;
	}
	WATCHED(watch, 0, call_start(query, eflags));
	watcher->started(watch, query);
}

static void
STEWARD_EXECUTOR_RUN(call_run)
{
	if (next_run != NULL)
		STEWARD_EXECUTOR_RUN_CALL(next_run);
	else
		STEWARD_EXECUTOR_RUN_CALL(standard_ExecutorRun);
}

static void
STEWARD_EXECUTOR_RUN(executor_run)
{
	void	   *watch = watcher->find(query);

	if (likely(watch == NULL) || ScanDirectionIsNoMovement(direction))
	{
		STEWARD_EXECUTOR_RUN_CALL(call_run);
		return;
	}
	watcher->enter(watch, count == 0 && ScanDirectionIsForward(direction));
	WATCHED(watch, query->estate->es_processed, STEWARD_EXECUTOR_RUN_CALL(call_run));
	watcher->leave(watch, query->estate->es_processed);
}

static void
call_finish(QueryDesc *query)
{
	if (next_finish != NULL)
		next_finish(query);
	else
		standard_ExecutorFinish(query);
}

static void
executor_finish(QueryDesc *query)
{
	void	   *watch = watcher->find(query);

	/* What was never run has nothing to finish, but for changes in WITH. */
	if (likely(watch == NULL) ||
		(!query->already_executed && !query->plannedstmt->hasModifyingCTE))
	{
		call_finish(query);
		return;
	}
	watcher->enter(watch, false);
	WATCHED(watch, 0, call_finish(query));
	watcher->leave(watch, 0);
}

static void
executor_end(QueryDesc *query)
{
	void	   *watch = watcher->find(query);

	if (next_end != NULL)
		next_end(query);
	else
		standard_ExecutorEnd(query);
	if (unlikely(watch != NULL))
		watcher->end(watch, 0);
}

/* COPY looks at its WHERE first, which may run a statement of its own. */
static bool
is_of_copy(List *entries)
{
	return list_length(entries) == 1 &&
		((const StewardReadEntry *) linitial(entries))->requiredPerms == copy_right;
}

static bool
STEWARD_CHECK_PERMISSIONS(check_permissions)
{
	void	   *watch = copy_pending;

	if (next_check != NULL && !STEWARD_CHECK_PERMISSIONS_CALL(next_check))
		return false;
	if (unlikely(watch != NULL) && is_of_copy(STEWARD_CHECKED_ENTRIES))
	{
		copy_pending = NULL;
		watcher->copy_checked(watch, STEWARD_CHECKED_ENTRIES);
	}
	return true;
}

static void
call_utility(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
			 ProcessUtilityContext context, ParamListInfo params,
			 QueryEnvironment *environment, DestReceiver *dest,
			 QueryCompletion *completion)
{
	if (next_utility != NULL)
		next_utility(pstmt, query_string, read_only_tree, context, params,
					 environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
								params, environment, dest, completion);
}

static void
process_utility(PlannedStmt *pstmt, const char *query_string,
				bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *environment,
				DestReceiver *dest, QueryCompletion *completion)
{
	CopyStmt   *copy = (CopyStmt *) pstmt->utilityStmt;
	QueryCompletion copied = {0};
	QueryCompletion *counted = completion != NULL ? completion : &copied;
	void	   *watch = NULL;

	if (unlikely(IsA(copy, CopyStmt)) && copy->relation != NULL)
		watch = watcher->copy(copy);
	if (likely(watch == NULL))
	{
		call_utility(pstmt, query_string, read_only_tree, context, params,
					 environment, dest, completion);
		return;
	}
	copy_pending = watch;
	copy_right = copy->is_from ? ACL_INSERT : ACL_SELECT;
	PG_TRY();
	{
		call_utility(pstmt, query_string, read_only_tree, context, params,
					 environment, dest, counted);
	}
	PG_CATCH();
	{
		copy_pending = NULL;
		watcher->fail(watch, 0);
		PG_RE_THROW();
	}
	PG_END_TRY();
	copy_pending = NULL;
	watcher->end(watch, counted->nprocessed);
}

static PlannedStmt *
call_planner(Query *query, const char *query_string, int options,
			 ParamListInfo params)
{
	return next_planner != NULL ?
		next_planner(query, query_string, options, params) :
		standard_planner(query, query_string, options, params);
}

static PlannedStmt *
plan(Query *query, const char *query_string, int options, ParamListInfo params)
{
	PlannedStmt *result;

	if (likely(!watcher->plan()))
		return call_planner(query, query_string, options, params);
	PG_TRY();
	{
		result = call_planner(query, query_string, options, params);
	}
	PG_FINALLY();
	{
		watcher->planned();
	}
	PG_END_TRY();
	return result;
}

const char *
steward_query_command(CmdType operation)
{
	switch (operation)
	{
		case CMD_SELECT:
			return "SELECT";
		case CMD_INSERT:
			return "INSERT";
		case CMD_UPDATE:
			return "UPDATE";
		case CMD_DELETE:
			return "DELETE";
		case CMD_MERGE:
			return "MERGE";
		default:
			return "other";
	}
}

void
steward_executor_watch(const StewardWatcher *by)
{
	watcher = by;
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	next_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
	next_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = executor_finish;
	next_end = ExecutorEnd_hook;
	ExecutorEnd_hook = executor_end;
	next_check = ExecutorCheckPerms_hook;
	ExecutorCheckPerms_hook = check_permissions;
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	next_planner = planner_hook;
	planner_hook = plan;
}
