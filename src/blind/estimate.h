/*
 * estimate.h: what estimates by looking into an index have in common.
 */
#ifndef STEWARD_BLIND_ESTIMATE_H
#define STEWARD_BLIND_ESTIMATE_H

#include "base/compat.h"

#include "nodes/pathnodes.h"

/*
 * Does the query read all rows of the column by rights of whom it may have, so that an
 * estimate tells nothing that the query would not?
 */
extern bool steward_blind_may_read(PlannerInfo *root, const RelOptInfo *rel,
								   AttrNumber column);

/*
 * Is it an index of our access method, of all rows, whose first column is this, and with
 * several tags a value or not?
 */
extern bool steward_blind_tells_of(const IndexOptInfo *index, AttrNumber column,
								   bool several);

/*
 * Runs a part, which raises where keys or rights are missing: then nothing is
 * looked up. Other errors are raised. Not in parallel mode.
 */
extern void steward_blind_look_up_quietly(void (*part) (void *probe), void *probe);

#endif							/* STEWARD_BLIND_ESTIMATE_H */
