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

#include "nodes/execnodes.h"

/* Switches to such a context; returns the one to switch back to. May be nested. */
extern MemoryContext steward_scratch_begin(void);

/* Switches back; frees, and so overwrites, when it is the outermost. */
extern void steward_scratch_end(MemoryContext old);

/* Does so after an error; called by steward_plain_wipe_all. */
extern void steward_scratch_discard(void);

/*
 * The same for a longer piece of work that runs others' functions too, as a batch
 * over the rows of a table: switches to a context of its own, a child of the
 * current one, and until its end overwrites whatever memory is freed. Not nested
 * in scratch; to be ended after an error too, in PG_FINALLY.
 */
extern MemoryContext steward_work_begin(MemoryContext *old);
extern void steward_work_end(MemoryContext work, MemoryContext old);

/*
 * Gives an expression context, which is new, memory per row that work
 * overwrites: PostgreSQL keeps the usual for reuse, as it is.
 */
extern void steward_work_per_tuple(ExprContext *context);

#endif							/* STEWARD_TYPES_SCRATCH_H */
