/*
 * count.h: about how many entries a range of tags has.
 */
#ifndef STEWARD_BLIND_COUNT_H
#define STEWARD_BLIND_COUNT_H

#include "base/compat.h"

#include "blind/scan_keys.h"

/*
 * For the planner: reads a few pages of each level at most. Exact for a range on so few
 * leaves; beyond, leaves are counted by their parents and taken for as full as those that
 * were read. Dead entries count. Raises ERRCODE_INDEX_CORRUPTED; holds one page lock at
 * a time.
 */
extern double steward_blind_count_range(Relation index, const StewardBlindRange *range);

#endif							/* STEWARD_BLIND_COUNT_H */
