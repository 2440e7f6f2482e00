/*
 * revocation_worker.h: the worker that keeps the revocation journal.
 *
 * It exists where the library is preloaded: on a primary it makes up for what a
 * crash or a failed write left out and records what the journal holds; on a
 * standby it copies the tombstones that arrive; on both it runs
 * steward.revocation_command after the journal changed.
 */
#ifndef STEWARD_KEYS_REVOCATION_WORKER_H
#define STEWARD_KEYS_REVOCATION_WORKER_H

#include "base/compat.h"

/* Registers the worker; does nothing when the library is not preloaded. */
extern void steward_revocation_worker_init(void);

/* Is it there? */
extern bool steward_revocation_worker_runs(void);

/* Has it seen to this database since the server started, and is nothing known
 * to be missing? Then a reader need not look. */
extern bool steward_revocation_worker_keeps(void);

/* Did this server follow a primary until a moment ago, so that what it has
 * replayed may not all be in its journal yet? */
extern bool steward_revocation_worker_followed(void);

/* Asks it to look at this database; raises nothing. lacking: an append failed. */
extern void steward_revocation_worker_wake(bool lacking);

#endif							/* STEWARD_KEYS_REVOCATION_WORKER_H */
