/*
 * hint.h: bits that say nobody will ever see an entry's row again; README, "Hints".
 *
 * A bitmap by position, growing down from pd_upper in the hole of a leaf. A bit whose
 * byte would lie below pd_lower is not there: it cannot be set, and reads as 0.
 */
#ifndef STEWARD_BLIND_HINT_H
#define STEWARD_BLIND_HINT_H

#include "base/compat.h"

#include "blind/page.h"

/* Is the entry at this position hinted? */
extern bool steward_blind_hinted(Page page, int position);

/* Sets the hint; false when there is no room for it. The page may be locked shared. */
extern bool steward_blind_hint(Page page, int position);

#endif							/* STEWARD_BLIND_HINT_H */
