/*
 * proof.h: inclusion proofs (audit paths) and consistency proofs of RFC 6962,
 * sections 2.1.1 and 2.1.2, made from stored hashes and verified as RFC 9162,
 * sections 2.1.3.2 and 2.1.4.2, says.
 *
 * Verifying is strict: a proof with a hash more or less than the sizes call for
 * is refused, and so is an index outside the tree.
 */
#ifndef STEWARD_CRYPTO_PROOF_H
#define STEWARD_CRYPTO_PROOF_H

#include "crypto/merkle.h"

/* A path has a hash a level; the start of a consistency proof may add one. */
#define STEWARD_PROOF_MAX_HASHES (STEWARD_TREE_LEVELS + 1)

typedef struct StewardProof
{
	unsigned int count;
	StewardHash hashes[STEWARD_PROOF_MAX_HASHES];
} StewardProof;

/*
 * Gives the hash of a complete subtree; level 0 is a leaf's hash. False, and the
 * making of a proof stops, when it cannot. It may also not return at all (an
 * error of the server): nothing is held across it.
 */
typedef bool (*StewardSubtree) (void *context, unsigned int level,
								uint64_t index, StewardHash *hash);

/* The root of the leaves start … end - 1 as a tree of their own; start is 0, or
 * a multiple of a power of two that is not below end - start. False: no such
 * range, or get failed. */
extern bool steward_proof_range(StewardHash *hash, uint64_t start, uint64_t end,
								StewardSubtree get, void *context);

/* The audit path of leaf index in the tree of the first size leaves. False: the
 * leaf is not in it, or get failed. */
extern bool steward_proof_inclusion(StewardProof *proof, uint64_t index,
									uint64_t size, StewardSubtree get,
									void *context);

/* That the tree of new_size leaves begins with that of old_size; without hashes
 * when the sizes are equal or the old one is 0. False: old_size is the greater,
 * or get failed. */
extern bool steward_proof_consistency(StewardProof *proof, uint64_t old_size,
									  uint64_t new_size, StewardSubtree get,
									  void *context);

/* Does the proof show that the leaf is number index of the tree? */
extern bool steward_proof_shows_inclusion(const StewardProof *proof,
										  uint64_t index, uint64_t size,
										  const StewardHash *leaf,
										  const StewardHash *root);

/* Does the proof show that the new tree begins with the old one? */
extern bool steward_proof_shows_consistency(const StewardProof *proof,
											uint64_t old_size,
											uint64_t new_size,
											const StewardHash *old_root,
											const StewardHash *new_root);

#endif							/* STEWARD_CRYPTO_PROOF_H */
