/*
 * segment.h: the segments of the audit log, and which one is written.
 */
#ifndef STEWARD_AUDIT_SEGMENT_H
#define STEWARD_AUDIT_SEGMENT_H

#include "base/compat.h"

typedef struct StewardSegment
{
	Oid			relid;
	int32		number;
} StewardSegment;

/* Registers the invalidation callback; called once by _PG_init. */
extern void steward_segment_init(void);

/*
 * The newest segment, which is the one to write. Not locked: after locking it, ask
 * again. ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when there is none.
 */
extern StewardSegment steward_segment_current(void);

/* Oid of steward.audit_segment, or InvalidOid: tells logs apart when the extension
 * is dropped and created anew. */
extern Oid	steward_segment_home(void);

/* Is there a segment? None before the first enable_audit in a database. */
extern bool steward_segment_exists(void);

/* Creates the first segment when there is none; for enable_audit. */
extern void steward_segment_ensure(void);

#endif							/* STEWARD_AUDIT_SEGMENT_H */
