/*
 * event.h: what the ledger records of itself in the audit log: events 'L'.
 */
#ifndef STEWARD_LEDGER_EVENT_H
#define STEWARD_LEDGER_EVENT_H

#include "base/compat.h"

/* Records what was done, with one more field; nothing before the log began. */
extern void steward_ledger_event(const char *action, const char *name,
								 const char *value);

#endif							/* STEWARD_LEDGER_EVENT_H */
