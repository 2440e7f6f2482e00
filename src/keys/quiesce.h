/*
 * quiesce.h: waiting until nothing is left that began before.
 */
#ifndef STEWARD_KEYS_QUIESCE_H
#define STEWARD_KEYS_QUIESCE_H

#include "base/compat.h"

/*
 * One session at a time may wait for all others, since two would wait for each
 * other: to be taken before any other lock, until the end of the transaction
 * or, with session, until steward_quiesce_unlock or an abort. Raises
 * ERRCODE_OBJECT_IN_USE when somebody has it.
 */
extern void steward_quiesce_lock(bool session);

/* The same until the end of the transaction; false when somebody has it. */
extern bool steward_quiesce_try_lock(void);
extern void steward_quiesce_unlock(void);

/* A NOTICE with the process that has it, if one still does. */
extern void steward_quiesce_tell_turn(void);

/*
 * Waits for the end of every other transaction that runs in this database now.
 * Sessions that begin one afterwards have heard of all changes of key tables,
 * and of a reload of the configuration, from before the call. Hold no lock that
 * these may wait for. After a second a NOTICE names those that are left, and another
 * one when these have become fewer. Leaves no snapshot behind in a transaction
 * that is READ COMMITTED.
 */
extern void steward_quiesce(void);

#endif							/* STEWARD_KEYS_QUIESCE_H */
