/*
 * load.h: what others suffer while a run works, as pace.h wants it.
 *
 * All of it is read from shared memory: no table is read, and no heavyweight lock is taken.
 */
#ifndef STEWARD_RETENTION_LOAD_H
#define STEWARD_RETENTION_LOAD_H

#include "base/compat.h"

#include "retention/pace.h"

/*
 * Does somebody wait for the end of our innermost (sub)transaction: for a row that it
 * locked? False for InvalidTransactionId.
 */
extern bool steward_load_waited_for(TransactionId xid);

/*
 * Sets all but the waiters: a VACUUM of the table or ANALYZE of it, how far standbys and slots are
 * behind, and the age of the oldest snapshot of all databases. Raises nothing but
 * out of memory; what it allocates stays in the current memory context.
 */
extern void steward_load_look(Oid relation, StewardPaceLoad *load);

#endif							/* STEWARD_RETENTION_LOAD_H */
