/*
 * read.c: statements that read audited relations, from start to end; see read.h.
 *
 * The beginning is recorded when a plan is first run, so before any of its rows
 * leave; what is only planned, as by EXPLAIN, or a cursor that is never fetched
 * from, reads nothing. The end is recorded where PostgreSQL ends the statement or,
 * where it does not, as after an error, where we learn of it: in the handler of the
 * error, in the end of the (sub)transaction, or of the process.
 */
#include "base/compat.h"

#include "access/access.h"
#include "access/import.h"
#include "access/parallel.h"
#include "access/read.h"
#include "access/rule.h"
#include "access/reader.h"
#include "access/spool.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "base/duty.h"
#include "base/executor.h"
#include "base/guc.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

static dlist_head reads = DLIST_STATIC_INIT(reads);
static uint64 last_number = 0;
static bool watching = false;

/* In a parallel worker: the leader's plan has been started. */
static bool leader_plan_seen = false;

StewardRead *steward_read_running = NULL;

/* ---- beginning ---- */

static StewardRead *
make_read(const char *command)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_steward read",
												  ALLOCSET_SMALL_SIZES);
	StewardRead *read = MemoryContextAllocZero(context, sizeof *read);

	read->context = context;
	read->command = command;
	read->level = GetCurrentSubTransactionId();
	return read;
}

static void
forget(StewardRead *read)
{
	dlist_delete(&read->node);
	if (steward_read_running == read)
		steward_read_running = read->outer;
	steward_read_forget_scans(read);
	if (read->generation != NULL)
		steward_access_unpin(read->generation);
	MemoryContextDelete(read->context);
}

/*
 * The process ends in the middle of something. Before the transaction is rolled
 * back what its plans hold is still there; a conversion of what they hold to UTF-8
 * would have to be looked up.
 */
static void
on_process_exit(int code, Datum arg)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &reads)
	{
		StewardRead *read = dlist_container(StewardRead, node, iter.cur);

		if (GetDatabaseEncoding() == PG_UTF8)
			steward_read_name_failed(read);
		steward_read_conclude(read, "session ended", 0, LOG);
		forget(read);
	}
	steward_duty_due(MyDatabaseId);
}

/* It reads something audited: it is there until it ends. */
static void
keep(StewardRead *read)
{
	static int	exit_pid = 0;

	if (unlikely(exit_pid != MyProcPid))
	{
		exit_pid = MyProcPid;
		before_shmem_exit(on_process_exit, (Datum) 0);
	}
	read->number = ++last_number;
	MemoryContextSetParent(read->context, TopMemoryContext);
	dlist_push_head(&reads, &read->node);
}

static const char *
command_of(CmdType operation)
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

/*
 * Checks of foreign keys run under a restriction that nothing else has. What a
 * trigger does inside such a statement has it too, but runs while that runs.
 */
static bool
is_check(void)
{
	return InNoForceRLSOperation() &&
		!(steward_read_running != NULL && steward_read_running->check);
}

/* A worker's first plan is its leader's; what functions run in it is its own. */
static bool
is_part(void)
{
	if (likely(!IsParallelWorker()) || leader_plan_seen)
		return false;
	leader_plan_seen = true;
	return true;
}

/*
 * A rule is in force for every statement that begins after it was committed, also
 * where that takes no lock and so would not hear of it.
 */
static bool
is_of_interest(void)
{
	if (!IsTransactionState() || HistoricSnapshotActive())
		return false;
	AcceptInvalidationMessages();
	return steward_access_rules_exist();
}

static void *
on_start(QueryDesc *query, int eflags)
{
	bool		part = is_part();
	bool		check;
	StewardRead *read;

	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0 || !is_of_interest())
		return NULL;
	check = is_check();
	if (likely(!check && !steward_read_may_touch(query->plannedstmt)))
		return NULL;
	if (!check && !steward_read_is_recorded())
		return NULL;
	read = make_read(command_of(query->operation));
	read->query = query;
	read->part = part;
	read->check = check;
	/* Kept first: should this fail, it is forgotten with its level. */
	keep(read);
	steward_read_collect(read, query->plannedstmt);
	if (read->touched_count == 0 && !check)
	{
		forget(read);
		return NULL;
	}
	if (!read->check && !read->part)
		steward_reader_refresh();
	return read;
}

static void
on_started(void *watch, QueryDesc *query)
{
	StewardRead *read = watch;

	read->started = true;
	if (!read->check)
		steward_read_watch_scans(read);
}

static void *
on_find(QueryDesc *query)
{
	dlist_iter	iter;

	dlist_foreach(iter, &reads)
	{
		StewardRead *read = dlist_container(StewardRead, node, iter.cur);

		if (read->query == query)
			return read;
	}
	return NULL;
}

/* Workers that this plan starts learn whose read they work for. */
static void
name_for_workers(const StewardRead *read)
{
	if (read->query->plannedstmt->parallelModeNeeded && !IsInParallelMode())
		SetConfigOption("steward.access_reading", steward_read_name(read), PGC_SUSET,
						PGC_S_SESSION);
}

static void
on_enter(void *watch)
{
	StewardRead *read = watch;

	if (!read->announced && !read->check && !read->part)
	{
		if (!read->unrecorded)
			steward_reader_refresh();
		name_for_workers(read);
		steward_read_announce(read);
	}
	read->outer = steward_read_running;
	read->entered = true;
	steward_read_running = read;
}

/* ---- ends ---- */

static void
on_leave(void *watch, uint64 rows)
{
	StewardRead *read = watch;

	read->rows += rows;
	read->entered = false;
	steward_read_running = read->outer;
	read->outer = NULL;
}

static void
on_end(void *watch, uint64 rows)
{
	StewardRead *read = watch;

	read->rows += rows;
	if (read->part)
		steward_read_part(read, steward_access_reading);
	else
		steward_read_conclude(read, "completed", 0, ERROR);
	forget(read);
}

static void
on_fail(void *watch)
{
	StewardRead *read = watch;
	int			sqlstate = geterrcode();

	if (read->entered)
		steward_read_running = read->outer;
	if (read->announced)
	{
		steward_read_name_failed(read);
		steward_read_conclude(read, "error", sqlstate, LOG);
	}
	else if (!read->started && !read->check && !read->part &&
			 sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE && read->touched_count > 0)
		steward_read_refused(read, sqlstate);
	forget(read);
}

/* Ends those of a level, or all. */
static void
end_reads(SubTransactionId level, const char *outcome)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &reads)
	{
		StewardRead *read = dlist_container(StewardRead, node, iter.cur);

		if (level != InvalidSubTransactionId && read->level != level)
			continue;
		steward_read_conclude(read, outcome, 0, LOG);
		forget(read);
	}
}

static void
on_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			steward_read_decrypts(ERROR);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			end_reads(InvalidSubTransactionId,
					  proc_exit_inprogress ? "session ended" : "aborted");
			steward_read_decrypts(LOG);
			steward_read_running = NULL;
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PREPARE:
			end_reads(InvalidSubTransactionId, "completed");
			steward_read_running = NULL;
			break;
	}
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId mine,
				  SubTransactionId parent, void *arg)
{
	dlist_iter	iter;

	if (event == SUBXACT_EVENT_ABORT_SUB)
		end_reads(mine, proc_exit_inprogress ? "session ended" : "aborted");
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		dlist_foreach(iter, &reads)
	{
		StewardRead *read = dlist_container(StewardRead, node, iter.cur);

		if (read->level == mine)
			read->level = parent;
	}
}

/* ---- COPY TO ---- */

/* What COPY names, as selectedCols has it. */
static Bitmapset *
copied_columns(const CopyStmt *statement, Oid relid)
{
	Bitmapset  *columns = NULL;
	ListCell   *cell;

	if (statement->attlist == NIL)
		return bms_make_singleton(0 - FirstLowInvalidHeapAttributeNumber);
	foreach(cell, statement->attlist)
	{
		AttrNumber	number = get_attnum(relid, strVal(lfirst(cell)));

		if (number > 0)
			columns = bms_add_member(columns, number - FirstLowInvalidHeapAttributeNumber);
	}
	return columns;
}

/* What would be refused is known by its name alone. */
static void *
on_copy(CopyStmt *statement)
{
	Oid			relid;
	StewardRead *read;
	StewardReadEntry entry;

	if (!is_of_interest())
		return NULL;
	relid = RangeVarGetRelid(statement->relation, NoLock, true);
	if (!OidIsValid(relid) || steward_access_rule(relid) == NULL ||
		!steward_read_is_recorded())
		return NULL;
	read = make_read("COPY");
	memset(&entry, 0, sizeof entry);
	STEWARD_SET_READ_ENTRY(&entry);
	entry.relid = relid;
	entry.requiredPerms = ACL_SELECT;
	entry.selectedCols = copied_columns(statement, relid);
	keep(read);
	steward_read_collect_entries(read, list_make1(&entry));
	steward_reader_refresh();
	return read;
}

/* Under row security COPY becomes a query, which is watched as one. */
static void
on_copy_checked(void *watch, List *entries)
{
	StewardRead *read = watch;
	ListCell   *cell;

	read->started = true;
	read->touched_count = 0;
	steward_read_collect_entries(read, entries);
	foreach(cell, entries)
	{
		const		StewardReadEntry *entry = lfirst(cell);

		if (check_enable_rls(entry->relid, InvalidOid, true) == RLS_ENABLED)
			read->unrecorded = true;
	}
	if (read->touched_count == 0)
		read->unrecorded = true;
	steward_read_announce(read);
}

/* ---- setting up ---- */

static const StewardWatcher watcher = {
	.start = on_start,
	.started = on_started,
	.find = on_find,
	.enter = on_enter,
	.leave = on_leave,
	.end = on_end,
	.fail = on_fail,
	.copy = on_copy,
	.copy_checked = on_copy_checked
};

bool
steward_access_is_watching(void)
{
	return watching;
}

void
steward_access_init(void)
{
	steward_access_import_init();
	if (!process_shared_preload_libraries_in_progress)
		return;
	watching = true;
	steward_access_import_duty_init();
	steward_spool_init();
	steward_access_rule_init();
	steward_decrypts_init();
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
	steward_executor_watch(&watcher);
}
