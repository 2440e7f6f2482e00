/*
 * duty_ddl.c: what utility statements mean for workers; see duty_shared.h.
 *
 * A database that is dropped, renamed, moved or copied must have no sessions, and
 * PostgreSQL waits 5 seconds for those of background workers without asking them
 * to go. So ours is asked before, and may come back when the transaction ends,
 * which is when the statement failed or succeeded.
 */
#include "base/duty_shared.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/hooks.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define MAX_HOLDS 8

/* A worker that does not go is ended after a while, and then waited for. */
#define ASK_MILLISECONDS 300
#define WAIT_MILLISECONDS 10000

/* The databases this transaction needs to be left, and those it wrote in. */
static StewardDutySlot *holds[MAX_HOLDS];
static int	hold_count = 0;
static bool due_at_commit = false;

/* There is a new database, with what its template has. */
static bool visit_at_commit = false;

/* Is the worker gone? Asks it: by its latch, and in the end by a signal. */
static bool
has_left(StewardDutySlot *slot, bool insist)
{
	pid_t		pid;

	LWLockAcquire(steward_duty_shared->lock, LW_SHARED);
	pid = slot->pid;
	if (slot->latch != NULL)
		SetLatch(slot->latch);

	/*
	 * It has the pid as long as its slot says so: that goes before the
	 * process.
	 */
	if (pid != 0 && insist)
		kill(pid, SIGTERM);
	LWLockRelease(steward_duty_shared->lock);
	return pid == 0;
}

static void
wait_until_left(StewardDutySlot *slot)
{
	TimestampTz begin = GetCurrentTimestamp();
	bool		insisted = false;

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		bool		insist = !insisted &&
			TimestampDifferenceExceeds(begin, now, ASK_MILLISECONDS);

		insisted = insisted || insist;
		/* Given up: the statement says by itself who is in the way. */
		if (has_left(slot, insist) ||
			TimestampDifferenceExceeds(begin, now, WAIT_MILLISECONDS))
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 10, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Keeps workers from a slot of the database. */
static void
hold_slot(Oid database, bool lengthy)
{
	StewardDutySlot *slot;

	LWLockAcquire(steward_duty_shared->lock, LW_EXCLUSIVE);
	slot = steward_duty_slot(database, lengthy, true);
	if (slot != NULL)
		slot->holds++;
	LWLockRelease(steward_duty_shared->lock);
	if (slot != NULL)
		holds[hold_count++] = slot;
}

static void
hold(Oid database)
{
	int			first = hold_count;

	for (int i = 0; i < hold_count; i++)
	{
		if (pg_atomic_read_u32(&holds[i]->database) == database)
			return;
	}
	if (hold_count > MAX_HOLDS - 2)
		return;
	hold_slot(database, false);
	hold_slot(database, true);
	for (int i = first; i < hold_count; i++)
		wait_until_left(holds[i]);
}

static void
release_holds(void)
{
	if (hold_count == 0)
		return;
	LWLockAcquire(steward_duty_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < hold_count; i++)
	{
		holds[i]->holds--;
		steward_duty_slot_settle(holds[i]);
	}
	if (steward_duty_shared->launcher != NULL)
		SetLatch(steward_duty_shared->launcher);
	LWLockRelease(steward_duty_shared->lock);
	hold_count = 0;
}

/* Only for those who may do it: the statement itself checks afterwards. */
static void
hold_owned(const char *name)
{
	Oid			database = get_database_oid(name, true);

	if (OidIsValid(database) && STEWARD_OWNS_DATABASE(database, GetUserId()))
		hold(database);
}

static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		may = superuser();

	if (may)
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(tuple))
	{
		may = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return may;
}

static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

static void
hold_template(const CreatedbStmt *statement)
{
	DefElem    *option = find_option(statement->options, "template");
	const char *name = option != NULL && option->arg != NULL ?
		defGetString(option) : "template1";
	Oid			database = get_database_oid(name, true);

	if (OidIsValid(database) && may_create_databases())
		hold(database);
}

static void
on_utility(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreatedbStmt:
			hold_template((CreatedbStmt *) statement);
			visit_at_commit = true;
			break;
		case T_DropdbStmt:
			hold_owned(((DropdbStmt *) statement)->dbname);
			break;
		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				hold_owned(((RenameStmt *) statement)->subname);
			break;
		case T_AlterDatabaseStmt:
			if (find_option(((AlterDatabaseStmt *) statement)->options, "tablespace") != NULL)
				hold_owned(((AlterDatabaseStmt *) statement)->dbname);
			break;
		case T_CreateExtensionStmt:
		case T_AlterExtensionStmt:
			due_at_commit = true;
			break;
		case T_TransactionStmt:
			/* What was prepared becomes visible now. */
			if (((TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED)
				due_at_commit = true;
			break;
		default:
			break;
	}
}

/* An extension of another version may have become one that fits. */
static void
forgive_misfit(void)
{
	LWLockAcquire(steward_duty_shared->lock, LW_EXCLUSIVE);
	for (int lengthy = 0; lengthy < 2; lengthy++)
	{
		StewardDutySlot *slot = steward_duty_slot(MyDatabaseId, lengthy, false);

		if (slot != NULL && slot->misfit)
			slot->not_before = 0;
	}
	LWLockRelease(steward_duty_shared->lock);
}

static void
visit_all(void)
{
	LWLockAcquire(steward_duty_shared->lock, LW_EXCLUSIVE);
	steward_duty_shared->visit_all = true;
	if (steward_duty_shared->launcher != NULL)
		SetLatch(steward_duty_shared->launcher);
	LWLockRelease(steward_duty_shared->lock);
}

static void
on_transaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	release_holds();
	if (visit_at_commit && event == XACT_EVENT_COMMIT)
		visit_all();
	visit_at_commit = false;
	if (!due_at_commit)
		return;
	due_at_commit = false;
	if (event != XACT_EVENT_COMMIT)
		return;
	forgive_misfit();
	steward_duty_due(MyDatabaseId);
	steward_duty_due_lengthy(MyDatabaseId);
}

void
steward_duty_ddl_init(void)
{
	steward_hooks_on_utility(on_utility);
	RegisterXactCallback(on_transaction, NULL);
}
