/*
 * radix.h: sorting entries in memory by their bits.
 *
 * Entries come in two sizes. With tags of at most STEWARD_BLIND_KEY_TAG_BITS bits
 * tag and TID fit in one number, a key; others are StewardBlindEntry.
 */
#ifndef STEWARD_BLIND_RADIX_H
#define STEWARD_BLIND_RADIX_H

#include "base/compat.h"

#include "blind/codec.h"

#define STEWARD_BLIND_TID_BITS 48
#define STEWARD_BLIND_KEY_TAG_BITS (128 - STEWARD_BLIND_TID_BITS)

/* tag << STEWARD_BLIND_TID_BITS | tid. */
typedef StewardBlindTag StewardBlindKey;

/*
 * Number of the highest bit of (tag, TID), seen as one number whose lowest
 * STEWARD_BLIND_TID_BITS are the TID's, plus 1; 0 if it is 0.
 */
extern int	steward_blind_bit_length(StewardBlindTag tag, uint64 tid);

/* So many bits of (tag, TID) from bit shift on; at most 32. */
extern uint32 steward_blind_digit(StewardBlindTag tag, uint64 tid, int shift, int bits);

/*
 * Sorts in place, without other memory than the stack; not stable. Can be interrupted.
 */
extern void steward_blind_sort_keys(StewardBlindKey *keys, size_t count);
extern void steward_blind_sort_entries(StewardBlindEntry *entries, size_t count);

#endif							/* STEWARD_BLIND_RADIX_H */
