/*
 * duty.c: which duties there are, and in which databases something is due; see
 * duty.h.
 *
 * A slot's flag is set after a commit and taken by a worker before it looks. A
 * writer that finds it set need do nothing: whoever takes it then sees what the
 * writer committed before it read the flag.
 */
#include "base/duty_shared.h"

#include "base/shared.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

StewardDutyShared *steward_duty_shared = NULL;
const StewardDuty *steward_duties[STEWARD_MAX_DUTIES];
int			steward_duty_count = 0;

/* The slot this backend found last, not for lengthy duties. */
static StewardDutySlot *known_slot = NULL;

extern PGDLLEXPORT void steward_launcher_main(Datum arg);

static void
init_shared(void *memory, LWLock *lock)
{
	StewardDutyShared *shared = memory;

	memset(shared, 0, sizeof(StewardDutyShared));
	shared->lock = lock;
	pg_atomic_init_u32(&shared->waiting, 0);
	pg_atomic_init_u32(&shared->waiting_lengthy, 0);
	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
	{
		pg_atomic_init_u32(&shared->slots[i].database, InvalidOid);
		pg_atomic_init_u32(&shared->slots[i].due, 0);
	}
}

void
steward_duty_init(void)
{
	BackgroundWorker worker = {0};

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	steward_shared_request("pg_steward duties", sizeof(StewardDutyShared),
						   (void **) &steward_duty_shared, init_shared);
	steward_duty_ddl_init();

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* Not on a standby, but at once after its promotion. */
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	steward_worker_describe(&worker, "pg_steward launcher", "steward_launcher_main");
	RegisterBackgroundWorker(&worker);
}

void
steward_duty_register(const StewardDuty *duty)
{
	if (steward_duty_count == STEWARD_MAX_DUTIES)
		elog(ERROR, "too many duties");
	steward_duties[steward_duty_count++] = duty;
}

StewardDutySlot *
steward_duty_slot(Oid database, bool lengthy, bool make)
{
	StewardDutySlot *free = NULL;

	for (int i = 0; i < STEWARD_MAX_SLOTS; i++)
	{
		StewardDutySlot *slot = &steward_duty_shared->slots[i];
		Oid			of = pg_atomic_read_u32(&slot->database);

		if (of == database && slot->lengthy == lengthy)
			return slot;
		if (of == InvalidOid && free == NULL)
			free = slot;
	}
	if (!make || free == NULL)
		return NULL;
	free->lengthy = lengthy;
	free->starting = false;
	free->misfit = false;
	free->pid = 0;
	free->latch = NULL;
	free->holds = 0;
	free->waiting_since = 0;
	free->wake_at = 0;
	free->not_before = 0;
	memset(free->duties, 0, sizeof free->duties);
	pg_atomic_write_u32(&free->due, 0);
	pg_atomic_write_u32(&free->database, database);
	return free;
}

void
steward_duty_slot_settle(StewardDutySlot *slot)
{
	if (!slot->starting && !slot->misfit && slot->pid == 0 && slot->holds == 0 &&
		slot->wake_at == 0 && pg_atomic_read_u32(&slot->due) == 0)
		pg_atomic_write_u32(&slot->database, InvalidOid);
}

void
steward_duty_slot_due(StewardDutySlot *slot)
{
	Latch	   *latch = slot->latch != NULL ? slot->latch : steward_duty_shared->launcher;

	pg_atomic_write_u32(&slot->due, 1);
	if (slot->waiting_since == 0)
		slot->waiting_since = GetCurrentTimestamp();
	if (latch != NULL)
		SetLatch(latch);
}

/* Is it known already? The barrier: what was committed, before the flag is read. */
static bool
is_due(Oid database)
{
	if (known_slot == NULL)
		return false;
	pg_memory_barrier();
	return pg_atomic_read_u32(&known_slot->due) != 0 &&
		pg_atomic_read_u32(&known_slot->database) == database &&
		!known_slot->lengthy;
}

/* Marks a slot of the database, and returns it if there is one; under the lock. */
static StewardDutySlot *
mark(Oid database, bool lengthy)
{
	StewardDutySlot *slot = steward_duty_slot(database, lengthy, true);

	if (slot != NULL)
		steward_duty_slot_due(slot);
	else
	{
		steward_duty_shared->visit_all = true;
		if (steward_duty_shared->launcher != NULL)
			SetLatch(steward_duty_shared->launcher);
	}
	return slot;
}

void
steward_duty_due(Oid database)
{
	if (steward_duty_shared == NULL || is_due(database))
		return;
	LWLockAcquire(steward_duty_shared->lock, LW_EXCLUSIVE);
	known_slot = mark(database, false);
	LWLockRelease(steward_duty_shared->lock);
}

bool
steward_duty_knows_lengthy(Oid database)
{
	bool		known;

	if (steward_duty_shared == NULL)
		return true;
	LWLockAcquire(steward_duty_shared->lock, LW_SHARED);
	known = steward_duty_slot(database, true, false) != NULL;
	LWLockRelease(steward_duty_shared->lock);
	return known;
}

void
steward_duty_due_lengthy(Oid database)
{
	if (steward_duty_shared == NULL)
		return;
	LWLockAcquire(steward_duty_shared->lock, LW_EXCLUSIVE);
	(void) mark(database, true);
	LWLockRelease(steward_duty_shared->lock);
}
