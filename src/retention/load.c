/*
 * load.c: what others suffer while a run works; see load.h.
 */
#include "retention/load.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "replication/slot.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "storage/spin.h"

bool
steward_load_waited_for(TransactionId xid)
{
	LOCKTAG		tag;

	if (!TransactionIdIsValid(xid))
		return false;
	SET_LOCKTAG_TRANSACTION(tag, xid);
	return LockHasWaiters(&tag, ExclusiveLock, false);
}

/*
 * Is the table vacuumed or analyzed? Both hold a lock that the fast path does not have, so that only one
 * partition of the lock table is looked at.
 */
static bool
is_maintained(Oid relation)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			count;
	bool		found = false;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
	holders = GetLockConflicts(&tag, ShareUpdateExclusiveLock, &count);
	for (int i = 0; i < count; i++)
	{
		PGPROC	   *proc = STEWARD_VXID_PROC(holders[i]);

		if (proc != NULL && (proc->statusFlags & (PROC_IS_AUTOVACUUM | PROC_IN_VACUUM)) != 0)
			found = true;
	}
	pfree(holders);
	return found;
}

static void
note_lag(StewardPaceLoad *load, XLogRecPtr now, XLogRecPtr there)
{
	if (!XLogRecPtrIsInvalid(there) && there < now)
		load->lag_bytes = Max(load->lag_bytes, (int64) (now - there));
}

static void
look_at_senders(StewardPaceLoad *load, XLogRecPtr now)
{
	for (int i = 0; i < max_wal_senders; i++)
	{
		WalSnd	   *sender = &WalSndCtl->walsnds[i];
		XLogRecPtr	applied;
		TimeOffset	lag;
		bool		streaming;

		SpinLockAcquire(&sender->mutex);
		streaming = sender->pid != 0 &&
			(sender->state == WALSNDSTATE_STREAMING || sender->state == WALSNDSTATE_CATCHUP);
		applied = sender->apply;
		lag = sender->applyLag;
		SpinLockRelease(&sender->mutex);
		if (!streaming)
			continue;
		note_lag(load, now, applied);
		/* -1: not known. */
		load->lag_us = Max(load->lag_us, lag);
	}
}

/*
 * Those that nobody uses too: what we write is kept for them on the disk, until that is full or
 * they are lost.
 */
static void
look_at_slots(StewardPaceLoad *load, XLogRecPtr now)
{
	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (int i = 0; i < max_replication_slots; i++)
	{
		ReplicationSlot *slot = &ReplicationSlotCtl->replication_slots[i];
		XLogRecPtr	there;

		if (!slot->in_use)
			continue;
		SpinLockAcquire(&slot->mutex);
		/* Decoding restarts long before what was confirmed. */
		there = OidIsValid(slot->data.database) ? slot->data.confirmed_flush :
			slot->data.restart_lsn;
		if (STEWARD_SLOT_IS_LOST(slot))
			there = InvalidXLogRecPtr;
		SpinLockRelease(&slot->mutex);
		note_lag(load, now, there);
	}
	LWLockRelease(ReplicationSlotControlLock);
}

static int64
oldest_snapshot_age(void)
{
	TransactionId oldest = GetOldestNonRemovableTransactionId(NULL);
	int32		age = (int32) (ReadNextTransactionId() - oldest);

	return Max(age, 0);
}

void
steward_load_look(Oid relation, StewardPaceLoad *load)
{
	XLogRecPtr	now = GetFlushRecPtr(NULL);

	load->autovacuum = is_maintained(relation);
	load->lag_bytes = 0;
	load->lag_us = 0;
	look_at_senders(load, now);
	look_at_slots(load, now);
	load->xmin_age = oldest_snapshot_age();
}
