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
#include "access/hold.h"
#include "access/import.h"
#include "access/label.h"
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

/*
 * A check of a foreign key is planned, starts or runs: what is read meanwhile is
 * read by somebody's code in it.
 */
static bool inside_check = false;

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
	if (unlikely(steward_hold_is_by(read)))
		steward_hold_end(false);
	dlist_delete(&read->node);
	if (steward_read_running == read)
		steward_read_running = read->outer;
	steward_read_forget_scans(read);
	if (read->generation != NULL)
		steward_access_unpin(read->generation);
	MemoryContextDelete(read->context);
}

/* What was kept of a read that does not come to its end is not sent. */
static void
begin_late(StewardRead *read)
{
	if (likely(!steward_hold_is_by(read)))
		return;
	steward_hold_end(false);
	(void) steward_read_try_announce(read);
}

/* What a worker did is told however it ends: a row of it may have left. */
static void
end_early(StewardRead *read, const char *outcome, int sqlstate)
{
	if (read->part && read->started)
		steward_read_part(read, LOG);
	else
		steward_read_conclude(read, outcome, sqlstate, LOG);
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

		begin_late(read);
		if (GetDatabaseEncoding() == PG_UTF8)
			steward_read_name_failed(read);
		end_early(read, "session ended", 0);
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

/*
 * Checks of foreign keys run under a restriction that nothing else has. What
 * functions do inside of one has it too: casts, which the planner may run, and
 * triggers, however deep.
 */
static bool
is_check(void)
{
	return InNoForceRLSOperation() && !inside_check;
}

static bool
on_plan(void)
{
	if (likely(!is_check()))
		return false;
	inside_check = true;
	return true;
}

static void
on_planned(void)
{
	inside_check = false;
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

/* What runs from here on, until end_check, runs inside of it if it is one. */
static void
begin_check(StewardRead *read)
{
	if (likely(!read->check || inside_check))
		return;
	read->in_check = true;
	inside_check = true;
}

static void
end_check(StewardRead *read)
{
	if (likely(!read->in_check))
		return;
	read->in_check = false;
	inside_check = false;
}

static void *
on_start(QueryDesc *query, int eflags)
{
	const char *leader;
	bool		check;
	StewardRead *read;

	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0 || !is_of_interest())
		return NULL;
	check = is_check();
	if (likely(!check && !steward_read_may_touch(query->plannedstmt)))
		return NULL;
	if (!check && !steward_read_is_recorded())
		return NULL;
	leader = steward_read_leader(query);
	read = make_read(steward_query_command(query->operation));
	read->query = query;
	read->check = check;
	if (leader != NULL)
	{
		read->part = true;
		read->leader = MemoryContextStrdup(read->context, leader);
	}
	/* Kept first: should this fail, it is forgotten with its level. */
	keep(read);
	steward_read_collect(read, query->plannedstmt);
	if (read->touched_count == 0 && !check)
	{
		forget(read);
		return NULL;
	}
	if (!read->part)
		steward_reader_refresh();
	begin_check(read);
	return read;
}

static void
on_started(void *watch, QueryDesc *query)
{
	StewardRead *read = watch;

	end_check(read);
	read->started = true;
	steward_read_watch_scans(read);
	if (!read->check && !read->part && !read->quiet)
		steward_read_name_to_workers(read);
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

static void
on_enter(void *watch, bool whole)
{
	StewardRead *read = watch;

	if (read->quiet && !read->check)
		return;
	if (!read->announced && !read->ended && !read->check && !read->part)
	{
		if (!read->unrecorded)
			steward_reader_refresh();
		read->begun_at = GetCurrentTimestamp();
		read->kept = whole && !read->unrecorded && steward_hold_begin(read);
		if (!read->kept)
			steward_read_announce(read);
	}
	read->outer = steward_read_running;
	read->entered = true;
	steward_read_running = read;
	begin_check(read);
}

/* ---- ends ---- */

/* Records beginning and end of a read that ran while what it sent was kept. */
static void
end_kept(StewardRead *read)
{
	bool		recorded = read->announced;

	read->kept = false;
	if (steward_hold_is_by(read))
	{
		recorded = !read->unrecorded && steward_read_try_whole(read);
		steward_hold_end(recorded || steward_access_audit != STEWARD_ACCESS_REQUIRED);
	}
	if (!recorded)
		steward_read_complain();
}

static void
on_leave(void *watch, uint64 rows)
{
	StewardRead *read = watch;

	end_check(read);
	if (!read->entered)
		return;
	read->rows += rows;
	read->entered = false;
	steward_read_running = read->outer;
	read->outer = NULL;
	if (read->kept)
		end_kept(read);
}

static void
on_end(void *watch, uint64 rows)
{
	StewardRead *read = watch;

	read->rows += rows;
	if (read->part)
		steward_read_part(read, ERROR);
	else
		steward_read_conclude(read, "completed", 0, ERROR);
	forget(read);
}

/*
 * An error of a statement that writes may show a row, whole or its key: its DETAIL
 * is the only way in which such a statement reads. It is a read of its own.
 */
static bool
record_shown(StewardRead *read, int sqlstate)
{
	if (likely(read->part || !steward_read_shows(read, sqlstate)))
		return true;
	read->number = ++last_number;
	steward_read_name_shown(read);
	return steward_read_shown(read, sqlstate);
}

static void
on_fail(void *watch, uint64 rows)
{
	StewardRead *read = watch;
	int			sqlstate = geterrcode();
	bool		recorded;

	end_check(read);
	if (!steward_hold_is_by(read))
		read->rows += rows;
	begin_late(read);
	if (read->entered)
		steward_read_running = read->outer;
	if (read->announced || (read->part && read->started))
	{
		steward_read_name_failed(read);
		end_early(read, "error", sqlstate);
	}
	else if (!read->started && !read->check && !read->part && !read->quiet &&
			 !read->unrecorded && sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE)
		steward_read_refused(read, sqlstate);
	recorded = !read->started || (read->query == NULL && read->unrecorded) ||
		record_shown(read, sqlstate);
	forget(read);
	if (unlikely(!recorded))
		steward_read_withhold();
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
		end_early(read, outcome, 0);
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
			inside_check = false;
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

/* ---- COPY ---- */

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
static void
collect_named(StewardRead *read, CopyStmt *statement)
{
	StewardReadEntry entry;
	Oid			relid = RangeVarGetRelid(statement->relation, NoLock, true);

	if (!OidIsValid(relid))
		return;
	memset(&entry, 0, sizeof entry);
	STEWARD_SET_READ_ENTRY(&entry);
	entry.relid = relid;
	entry.requiredPerms = ACL_SELECT;
	entry.selectedCols = copied_columns(statement, relid);
	steward_read_collect_entries(read, list_make1(&entry));
}

/* Is what was touched to be recorded? Then who reads it is looked up. */
static bool
is_to_record(StewardRead *read)
{
	if (read->touched_count == 0 || !steward_read_is_recorded())
		return false;
	steward_reader_refresh();
	return true;
}

/*
 * Each COPY of a table is watched until its rights are checked: a name may be another
 * relation's by then. COPY FROM reads nothing, but an error of it may show a row.
 */
static void *
on_copy(CopyStmt *statement)
{
	StewardRead *read;

	if (!is_of_interest())
		return NULL;
	read = make_read("COPY");
	keep(read);
	if (!statement->is_from)
	{
		collect_named(read, statement);
		read->unrecorded = !is_to_record(read);
	}
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
	read->unrecorded = !is_to_record(read);
	foreach(cell, entries)
	{
		const		StewardReadEntry *entry = lfirst(cell);

		if (check_enable_rls(entry->relid, InvalidOid, true) == RLS_ENABLED)
			read->unrecorded = true;
	}
	if (!read->quiet)
		steward_read_announce(read);
}

/* ---- setting up ---- */

static const StewardWatcher watcher = {
	.plan = on_plan,
	.planned = on_planned,
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
	steward_access_label_init();
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
