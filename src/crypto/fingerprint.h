/*
 * fingerprint.h: 64 bits that stand for a byte string within one process.
 *
 * A universal hash under random key material of the process (multilinear, Lemire
 * and Kaser 2014): two different strings have the same fingerprint with
 * probability 2^-64 for whoever does not know the material, and nobody gets to
 * see a fingerprint. Some 10 ns for a short value, where SipHash takes 50. Never
 * stored: another process gives other fingerprints.
 */
#ifndef STEWARD_CRYPTO_FINGERPRINT_H
#define STEWARD_CRYPTO_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The fingerprint of bytes in a context, a number: in another one they have another.
 * Not thread-safe: the material is made at the first call.
 */
extern uint64_t steward_fingerprint(uint64_t context, const unsigned char *bytes,
									size_t len);

#endif							/* STEWARD_CRYPTO_FINGERPRINT_H */
