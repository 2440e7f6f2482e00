/*
 * capture.h: from a change of a table to an audit record.
 */
#ifndef STEWARD_AUDIT_CAPTURE_H
#define STEWARD_AUDIT_CAPTURE_H

#include "base/compat.h"

#include "utils/relcache.h"

/* Sets the floor up; called once by _PG_init. */
extern void steward_audit_init(void);

/* Records an event of a whole table: TRUNCATE, DISABLE, REWRITE. */
extern void steward_capture_event(Relation rel, char op);

/*
 * Records that the audit of a table begins, or was repaired; and whether the table
 * has no rows. Nobody else may be changing it.
 */
extern void steward_capture_enable(Relation rel, bool without_rows);

#endif							/* STEWARD_AUDIT_CAPTURE_H */
