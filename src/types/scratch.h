/*
 * scratch.h: calls of PostgreSQL's functions that copy a plaintext and do not
 * zero the copy.
 *
 * A comparison by a collation copies long strings, reading a jsonb takes it to
 * pieces. Such a call runs in a context whose memory is overwritten as it is
 * freed; its result must be no pointer into it. (With the GNU C library; with
 * another one freed memory stays as it is.)
 */
#ifndef STEWARD_TYPES_SCRATCH_H
#define STEWARD_TYPES_SCRATCH_H

#include "base/compat.h"

/* Switches to such a context; returns the one to switch back to. May be nested. */
extern MemoryContext steward_scratch_begin(void);

/* Switches back; frees, and so overwrites, when it is the outermost. */
extern void steward_scratch_end(MemoryContext old);

/* Does so after an error; called by steward_plain_wipe_all. */
extern void steward_scratch_discard(void);

#endif							/* STEWARD_TYPES_SCRATCH_H */
