/*
 * waiting.h: telling a client what a wait for old transactions waits for.
 */
#ifndef STEWARD_KEYS_WAITING_H
#define STEWARD_KEYS_WAITING_H

#include "base/compat.h"

#include "storage/lock.h"

/*
 * A NOTICE with the processes that run these transactions and the names of
 * those that are prepared: nothing of what they do. Silent when all have ended.
 * Leaves no snapshot behind, provided that the transaction is READ COMMITTED.
 */
extern void steward_waiting_tell(const VirtualTransactionId *running, int count);

#endif							/* STEWARD_KEYS_WAITING_H */
