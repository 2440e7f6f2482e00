/*
 * hold.h: keeping back what a short read sends until it is recorded.
 */
#ifndef STEWARD_ACCESS_HOLD_H
#define STEWARD_ACCESS_HOLD_H

#include "base/compat.h"

#include "access/read.h"

/*
 * Keeps what this read sends to the client, from now on; false, and nothing is kept,
 * for reads that are not known to be harmless until then. Should something else be
 * sent meanwhile, or too much, the read is announced and goes on as any other.
 */
extern bool steward_hold_begin(StewardRead *read);

/* Is what this read sends still kept? */
extern bool steward_hold_is_by(const StewardRead *read);

/* Keeps no more: sends what was kept, or throws it away. Does nothing when nothing
 * is. */
extern void steward_hold_end(bool send);

#endif							/* STEWARD_ACCESS_HOLD_H */
