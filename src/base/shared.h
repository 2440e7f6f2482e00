/*
 * shared.h: shared memory of the server's life, and the workers that use it.
 */
#ifndef STEWARD_BASE_SHARED_H
#define STEWARD_BASE_SHARED_H

#include "base/compat.h"

#include "postmaster/bgworker.h"
#include "storage/lwlock.h"

/* Fills the memory, which is not zeroed; the lock is its own. */
typedef void (*StewardSharedInit) (void *memory, LWLock *lock);

/*
 * Asks for memory with a lock, both of this name; while the library is preloaded,
 * at most 8 times. *memory is set once the server has made it, before any process
 * is started. The name must last.
 */
extern void steward_shared_request(const char *name, Size size, void **memory,
								   StewardSharedInit init);

/*
 * A worker of this library: its name, which is its type too, and the exported
 * function that it runs. The caller sets when it starts and starts again.
 */
extern void steward_worker_describe(BackgroundWorker *worker, const char *name,
									const char *function);

/*
 * Settings that were made for the database, or for the role that a worker is connected as, must not
 * change what it does: those that could are what they are by themselves. Outside a transaction.
 */
extern void steward_worker_override_settings(void);

/*
 * Outside a transaction: waits for the latch, a signal or so many milliseconds, -1 for
 * no limit, and takes notice of a reload; returns whether there was one.
 */
extern bool steward_worker_nap(long milliseconds);

#endif							/* STEWARD_BASE_SHARED_H */
