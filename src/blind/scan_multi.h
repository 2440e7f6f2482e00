/*
 * scan_multi.h: what a search by a class of several tags a value looks for.
 */
#ifndef STEWARD_BLIND_SCAN_MULTI_H
#define STEWARD_BLIND_SCAN_MULTI_H

#include "base/compat.h"

#include "blind/scan_keys.h"

/*
 * Makes the ranges of what the scan's keys say, as steward_blind_search_begin does, in the
 * current context. Asks for the right to decrypt what is searched for.
 */
extern void steward_blind_search_multi(StewardBlindSearch *search, IndexScanDesc scan);

#endif							/* STEWARD_BLIND_SCAN_MULTI_H */
