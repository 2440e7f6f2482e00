/*
 * capture.h: from a change of a table to an audit record.
 */
#ifndef STEWARD_AUDIT_CAPTURE_H
#define STEWARD_AUDIT_CAPTURE_H

#include "base/compat.h"

#include "utils/relcache.h"

/* Sets the floor up; called once by _PG_init. */
extern void steward_audit_init(void);

/* Records an event of a whole table: TRUNCATE, ENABLE, DISABLE. */
extern void steward_capture_event(Relation rel, char op);

#endif							/* STEWARD_AUDIT_CAPTURE_H */
