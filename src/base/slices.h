/*
 * slices.h: taking locks that others queue behind, a short while at a time.
 */
#ifndef STEWARD_BASE_SLICES_H
#define STEWARD_BASE_SLICES_H

#include "base/compat.h"

#include "fmgr.h"

/*
 * An interval argument as milliseconds. Raises ERRCODE_NULL_VALUE_NOT_ALLOWED, or
 * ERRCODE_INVALID_PARAMETER_VALUE when it is negative.
 */
extern double steward_patience_argument(FunctionCallInfo fcinfo, int number,
										const char *name);

/*
 * Runs a part that takes locks, and opens nothing, in a subtransaction in which
 * each wait for a lock ends after 300 ms. When one does, or there is a deadlock,
 * all of them are given back, and it runs again after a pause. What it took is
 * held to the end of the transaction. False when patience, in milliseconds, is
 * used up; other errors of the part are raised.
 */
extern bool steward_in_slices(void (*part) (void *arg), void *arg,
							  double patience);

#endif							/* STEWARD_BASE_SLICES_H */
