/*
 * quiesce.c: waiting until nothing is left that began before; see quiesce.h.
 */
#include "keys/quiesce.h"

#include "base/catalog.h"
#include "keys/waiting.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

/* How long a wait is silent: at the beginning, and from one NOTICE to the next. */
#define PATIENCE_MILLISECONDS 1000
#define PAUSE_MILLISECONDS 20

static void
set_tag(LOCKTAG *tag)
{
	static StewardRelationRef versions = {"key_version"};

	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, steward_relation_oid(&versions), 0, 0);
}

void
steward_quiesce_lock(bool session)
{
	LOCKTAG		tag;

	set_tag(&tag);
	if (LockAcquire(&tag, ExclusiveLock, session, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is destroying a key version, rotating the root key or finishing erasures"),
				 errhint("Wait until it has ended.")));
}

bool
steward_quiesce_try_lock(void)
{
	LOCKTAG		tag;

	set_tag(&tag);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
steward_quiesce_tell_turn(void)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	const PGPROC *process;
	int			count;

	set_tag(&tag);
	holders = GetLockConflicts(&tag, ExclusiveLock, &count);
	process = count > 0 ? STEWARD_VXID_PROC(holders[0]) : NULL;
	if (process != NULL)
		ereport(NOTICE,
				(errmsg("waiting for another session that destroys a key version, rotates the root key or finishes erasures"),
				 errdetail("Process: %d.", process->pid)));
	pfree(holders);
}

void
steward_quiesce_unlock(void)
{
	LOCKTAG		tag;

	set_tag(&tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

/* ---- waiting ---- */

/* Moves those that still run to the front; returns how many they are. */
static int
drop_ended(VirtualTransactionId *running, int count)
{
	int			left = 0;

	for (int i = 0; i < count; i++)
	{
		if (!VirtualXactLock(running[i], false))
			running[left++] = running[i];
	}
	return left;
}

/*
 * Waits a moment, in which most of them end, but no longer than for a lock;
 * returns how many are left.
 */
static int
wait_a_moment(VirtualTransactionId *running, int count)
{
	int			patience = LockTimeout > 0 ? Min(LockTimeout, PATIENCE_MILLISECONDS) :
		PATIENCE_MILLISECONDS;

	count = drop_ended(running, count);
	for (int waited = 0; count > 0 && waited < patience;
		 waited += PAUSE_MILLISECONDS)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 PAUSE_MILLISECONDS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		count = drop_ended(running, count);
	}
	return count;
}

static VirtualTransactionId *
list_running(int *count)
{
	return GetCurrentVirtualXIDs(InvalidTransactionId, false, false,
								 PROC_IS_AUTOVACUUM | PROC_IN_VACUUM, count);
}

void
steward_quiesce(void)
{
	int			count;
	VirtualTransactionId *running = list_running(&count);

	/*
	 * Else who waits for old snapshots, as CREATE INDEX CONCURRENTLY, and we
	 * would wait for each other.
	 */
	InvalidateCatalogSnapshotConditionally();
	while ((count = wait_a_moment(running, count)) > 0)
	{
		steward_waiting_tell(running, count);
		InvalidateCatalogSnapshotConditionally();
		/* As a lock: a deadlock is found, and pg_blocking_pids shows it. */
		(void) VirtualXactLock(running[0], true);
	}
	pfree(running);
}
