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

/*
 * Forgets which segments audit_log has, and with them the plans that read it. To be
 * called after the snapshot was taken under which it is read next: a process that reads
 * the partitions of a table while one is attached may overlook that one until the table
 * is changed again (RelationBuildPartitionDesc takes the news in before it has finished).
 * What is read after the snapshot has all segments that the snapshot sees rows of.
 */
extern void steward_segment_look_again(void);

/* Is there a segment? None before the first enable_audit in a database. */
extern bool steward_segment_exists(void);

/* Number and name of the newest segment; 0 when there is none. */
extern int32 steward_segment_newest(char **name);

/* The table of a name in audit_segment; InvalidOid when it is gone. */
extern Oid	steward_segment_relation(const char *name);

/* Creates the first segment when there is none; for enable_audit. */
extern void steward_segment_ensure(void);

/*
 * Creates a segment, from then on the newest. The caller has audit_segment locked
 * so that it is the only one to do so.
 */
extern void steward_segment_create(int32 number);

/*
 * Creates the segment after this one, unless that is no longer the newest; false
 * then. In the caller's transaction, after whose commit writers take the new one.
 */
extern bool steward_segment_switch(int32 from);

/*
 * The oldest segment after this number that is followed by another and not closed
 * yet, or 0.
 */
extern int32 steward_segment_unclosed(int32 after);

/*
 * Closes a segment that is followed by another: waits until no transaction writes
 * it any more, and makes its key index. False when patience, in milliseconds, was
 * used up: then nothing has changed. The transaction must be READ COMMITTED.
 */
extern bool steward_segment_close(int32 number, double patience);

/*
 * The next segment after this number whose key index was built, in a parallel
 * restore, before what it needs was there; or 0.
 */
extern int32 steward_segment_outdated(int32 after);

/* Builds those indexes anew; false when one was in use. */
extern bool steward_segment_renew(double patience);

/*
 * Drops a closed segment; the only way there is. Nothing of it is kept: what proves
 * that it was there is the caller's business, in the same transaction. False when
 * patience, in milliseconds, was used up waiting for readers. Raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when it is not closed,
 * ERRCODE_UNDEFINED_OBJECT when it is not there.
 */
extern bool steward_segment_drop(int32 number, double patience);

/* Registers the background duty that switches and closes; called by _PG_init. */
extern void steward_segment_duty_init(void);

#endif							/* STEWARD_AUDIT_SEGMENT_H */
