/*
 * wipe.h: clearing what library calls leave on the stack.
 *
 * libsodium's BLAKE2b returns with its whole output, a derived key, in dead
 * stack memory (test/unit/residue_test.c shows it). Functions here zero their
 * own variables with sodium_memzero and end with one of these for the frames
 * below them.
 */
#ifndef STEWARD_CRYPTO_WIPE_H
#define STEWARD_CRYPTO_WIPE_H

#include <sodium.h>

/* More than the deepest of libsodium's frames that we call into. */
#define STEWARD_WIPE_FRAMES_BYTES 1536

/* And the vector registers that the dynamic linker spills at a first call. */
#define STEWARD_WIPE_STACK_BYTES 4096

/* After work on keys that live long; some 40 ns. */
static inline void
steward_wipe_stack(void)
{
	sodium_stackzero(STEWARD_WIPE_STACK_BYTES);
}

/* After work on one value, whose key is its own; some 12 ns. */
static inline void
steward_wipe_frames(void)
{
	sodium_stackzero(STEWARD_WIPE_FRAMES_BYTES);
}

#endif							/* STEWARD_CRYPTO_WIPE_H */
