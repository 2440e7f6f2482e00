/*
 * progress.h: how far spool files were imported, the rows of steward.access_spool.
 */
#ifndef STEWARD_ACCESS_PROGRESS_H
#define STEWARD_ACCESS_PROGRESS_H

#include "base/compat.h"

#include "nodes/pg_list.h"

/*
 * Keeps others from importing, until the transaction ends; false when somebody is,
 * and is not to be waited for.
 */
extern bool steward_progress_lock(bool wait);

/* Where the import of a file goes on; 0 when it has not begun. */
extern uint64 steward_progress_get(const char *file, bool *complete);

/* Notes it. */
extern void steward_progress_put(const char *file, uint64 position, bool complete);

/* Forgets the files of this data directory that are not among these names, which
 * are sorted: they are gone. */
extern void steward_progress_sweep(List *names);

#endif							/* STEWARD_ACCESS_PROGRESS_H */
