/*
 * revocation_ship.h: running steward.revocation_command after the journal
 * changed.
 *
 * For the static worker, which waits for nothing here: the command runs beside
 * it. It runs once for a change, again after a failure, at most once in each
 * steward.revocation_interval, and once after the start of the server.
 */
#ifndef STEWARD_KEYS_REVOCATION_SHIP_H
#define STEWARD_KEYS_REVOCATION_SHIP_H

#include "base/compat.h"

/* Starts the command when it is due and looks after it; returns after how many
 * milliseconds to call again, or -1: after the next change. */
extern long steward_revocation_ship(void);

/* Lets the next call start it without regard to the interval. */
extern void steward_revocation_ship_now(void);

/* Ends it, as the worker ends. */
extern void steward_revocation_ship_end(void);

#endif							/* STEWARD_KEYS_REVOCATION_SHIP_H */
