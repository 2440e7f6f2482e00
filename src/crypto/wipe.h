/*
 * wipe.h: clearing what library calls leave on the stack.
 *
 * libsodium's BLAKE2b returns with its whole output, a derived key, in dead
 * stack memory (test/unit/residue_test.c shows it). Functions here zero their
 * own variables with sodium_memzero and end with this for the frames below
 * them; it costs some 20 ns.
 */
#ifndef STEWARD_CRYPTO_WIPE_H
#define STEWARD_CRYPTO_WIPE_H

#include <sodium.h>

/*
 * More than the deepest of libsodium's frames that we call into, and than the
 * vector registers that the dynamic linker spills at a function's first call.
 */
#define STEWARD_WIPE_STACK_BYTES 4096

static inline void
steward_wipe_stack(void)
{
	sodium_stackzero(STEWARD_WIPE_STACK_BYTES);
}

#endif							/* STEWARD_CRYPTO_WIPE_H */
