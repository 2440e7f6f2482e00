/*
 * segment.h: the segments of the audit log, and which one is written to.
 *
 * Terms:
 *	segment	a partition of steward.audit_log; its row in steward.audit_segment
 *			gives its number and name
 *	current	the segment with the highest number
 *
 * Writers never create a segment. Whoever makes another one current sends a
 * relcache invalidation for steward.audit_segment in the same transaction.
 */
#ifndef STEWARD_AUDIT_SEGMENT_H
#define STEWARD_AUDIT_SEGMENT_H

#include "base/compat.h"

/* Registers the invalidation callback; called once by _PG_init. */
extern void steward_segment_init(void);

/* The current segment; ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when none. */
extern Oid	steward_segment_current(void);

/* Is there a segment? None before the first enable_audit in a database. */
extern bool steward_segment_exists(void);

/* Creates the first segment when there is none; for enable_audit. */
extern void steward_segment_ensure(void);

#endif							/* STEWARD_AUDIT_SEGMENT_H */
