/*
 * random.h: random bytes.
 *
 * Salts come from a pool that is filled in bulk, because a system call for
 * each value costs more than the cipher. The pool is zeroed as it is used and
 * thrown away in a forked child, so no two processes hand out the same bytes.
 * Keys never come from the pool.
 */
#ifndef STEWARD_CRYPTO_RANDOM_H
#define STEWARD_CRYPTO_RANDOM_H

#include <stddef.h>

/* Fresh bytes from the operating system, for keys and identifiers. */
extern void steward_random_key(unsigned char *out, size_t len);

/*
 * Bytes for salts: from the pool up to 64, more come fresh from the operating
 * system. Not thread-safe.
 */
extern void steward_random_salt(unsigned char *out, size_t len);

#endif							/* STEWARD_CRYPTO_RANDOM_H */
