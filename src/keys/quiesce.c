/*
 * quiesce.c: waiting until nothing is left that began before; see quiesce.h.
 */
#include "keys/quiesce.h"

#include "base/catalog.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"

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
steward_quiesce_unlock(void)
{
	LOCKTAG		tag;

	set_tag(&tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

void
steward_quiesce(void)
{
	int			count;
	VirtualTransactionId *running;

	running = GetCurrentVirtualXIDs(InvalidTransactionId, false, false,
									PROC_IS_AUTOVACUUM | PROC_IN_VACUUM, &count);

	/*
	 * Else who waits for old snapshots, as CREATE INDEX CONCURRENTLY, and we
	 * would wait for each other.
	 */
	InvalidateCatalogSnapshotConditionally();
	for (int i = 0; i < count; i++)
		(void) VirtualXactLock(running[i], true);
	pfree(running);
}
