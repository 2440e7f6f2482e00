/*
 * duty_shared.h: what backends, the launcher and workers tell each other; for
 * the files of the background machinery alone.
 *
 * Terms:
 *	slot	what is known of a database in which something is or was to be done,
 *			one for lengthy duties and one for the others. It is free again when
 *			nothing is: databases without the extension have none.
 */
#ifndef STEWARD_BASE_DUTY_SHARED_H
#define STEWARD_BASE_DUTY_SHARED_H

#include "base/compat.h"

#include "base/duty.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#define STEWARD_MAX_DUTIES 8
#define STEWARD_MAX_SLOTS 512

/* How a duty fares in a database; survives its workers. */
typedef struct StewardDutyTrouble
{
	uint32		complaint;		/* hash of what was logged last, or 0 */
	int			failures;		/* in a row */
	TimestampTz retry_at;
} StewardDutyTrouble;

/* All under the lock, but that the first two may be read without. */
typedef struct StewardDutySlot
{
	pg_atomic_uint32 database;	/* InvalidOid: free */
	pg_atomic_uint32 due;
	bool		lengthy;		/* for lengthy duties, or for the others */
	bool		starting;		/* the launcher asked for a worker */
	bool		misfit;			/* the extension is of another version than
								 * the library */
	pid_t		pid;			/* of the worker, or 0 */
	Latch	   *latch;			/* its */
	int			holds;			/* commands that need the database to be left */
	TimestampTz waiting_since;	/* due, and no worker; or 0 */
	TimestampTz wake_at;		/* when a duty wants to run again, or 0 */
	TimestampTz not_before;		/* of the next start */
	StewardDutyTrouble duties[STEWARD_MAX_DUTIES];
} StewardDutySlot;

typedef struct StewardDutyShared
{
	LWLock	   *lock;
	Latch	   *launcher;		/* while it runs */
	bool		visit_all;		/* there was no slot free, or a database is
								 * new */
	pg_atomic_uint32 waiting;	/* slots that no worker could be started for */
	pg_atomic_uint32 waiting_lengthy;	/* those that wait for lengthy work to
										 * end */
	StewardDutySlot slots[STEWARD_MAX_SLOTS];
} StewardDutyShared;

extern StewardDutyShared *steward_duty_shared;	/* NULL: not preloaded */
extern const StewardDuty *steward_duties[STEWARD_MAX_DUTIES];
extern int	steward_duty_count;

/* The slot of a database, made when there is room; under the lock. */
extern StewardDutySlot *steward_duty_slot(Oid database, bool lengthy, bool make);

/* Frees a slot in which nothing is left to know; under the lock. */
extern void steward_duty_slot_settle(StewardDutySlot *slot);

/* Something is due in a slot: a worker or the launcher hears of it; likewise. */
extern void steward_duty_slot_due(StewardDutySlot *slot);

/* Asks workers to leave databases that utility statements need; see duty_ddl.c. */
extern void steward_duty_ddl_init(void);

#endif							/* STEWARD_BASE_DUTY_SHARED_H */
