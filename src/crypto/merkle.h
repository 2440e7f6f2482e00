/*
 * merkle.h: Merkle trees as RFC 6962, section 2.1, defines them.
 *
 *	 leaf	SHA-256(0x00 || bytes)
 *	 node	SHA-256(0x01 || left || right)
 *	 root of n leaves	the node over the root of the first k and that of the
 *			others, k the greatest power of two below n; of no leaves
 *			SHA-256 of nothing
 *
 * Terms
 *	 subtree (level, index)	the leaves index * 2^level … (index + 1) * 2^level - 1;
 *			complete when all of them exist, and then never changed again
 *	 frontier	the roots of the complete subtrees that a tree of n leaves consists
 *			of, one for each bit of n that is set, the largest, and leftmost,
 *			first. It is all that appending and the root need.
 *
 * The serialised form of a frontier is its hashes in this order, 32 bytes each,
 * nothing else: n stands beside it.
 */
#ifndef STEWARD_CRYPTO_MERKLE_H
#define STEWARD_CRYPTO_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/sha256.h"

/* Trees have fewer than 2^63 leaves, so that a size fits a bigint. */
#define STEWARD_TREE_MAX_SIZE ((uint64_t) INT64_MAX)
#define STEWARD_TREE_LEVELS 63
#define STEWARD_FRONTIER_MAX_BYTES (STEWARD_TREE_LEVELS * STEWARD_HASH_BYTES)

typedef struct StewardFrontier
{
	uint64_t	size;			/* leaves */
	unsigned int count;			/* hashes: the bits of size that are set */
	StewardHash hashes[STEWARD_TREE_LEVELS + 1];	/* one more while adding */
} StewardFrontier;

/*
 * Is told of each subtree of a level above 0 as it becomes complete, lower ones
 * first. Called in the order of the tree; must not touch the frontier.
 */
typedef void (*StewardSubtreeDone) (void *context, unsigned int level,
									uint64_t index, const StewardHash *hash);

/* Hashes of a leaf, of a leaf in two parts, of a node, of the empty tree. The
 * output of a node may be one of its inputs. */
extern void steward_merkle_leaf(StewardHash *hash, const void *leaf, size_t len);
extern void steward_merkle_leaf_parts(StewardHash *hash, const void *head,
									  size_t head_len, const void *body,
									  size_t body_len);
extern void steward_merkle_node(StewardHash *hash, const StewardHash *left,
								const StewardHash *right);
extern void steward_merkle_empty(StewardHash *hash);

/* The root of the subtree over count adjacent subtrees of one level, the first
 * at an index that is a multiple of count; count a power of two. The hashes are
 * used up. */
extern void steward_merkle_join(StewardHash *hash, StewardHash *hashes,
								size_t count);

/* The root of any tree of count > 0 leaves with these leaf hashes, which are
 * used up. */
extern void steward_merkle_root(StewardHash *root, StewardHash *hashes,
								size_t count);

/* A tree without leaves. */
extern void steward_frontier_init(StewardFrontier *frontier);

/* Appends a leaf by its hash. False: the tree is full. done may be NULL. */
extern bool steward_frontier_append(StewardFrontier *frontier,
									const StewardHash *leaf,
									StewardSubtreeDone done, void *context);

/*
 * Appends a complete subtree of 2^level leaves. False, and no change, unless it
 * is aligned: the size must be a multiple of 2^level.
 */
extern bool steward_frontier_add(StewardFrontier *frontier, unsigned int level,
								 const StewardHash *hash,
								 StewardSubtreeDone done, void *context);

extern void steward_frontier_root(StewardHash *root,
								  const StewardFrontier *frontier);

/* Writes the serialised form; how many bytes. */
extern size_t steward_frontier_pack(unsigned char out[STEWARD_FRONTIER_MAX_BYTES],
									const StewardFrontier *frontier);

/* Reads the serialised form of a tree of size leaves. False: another length than
 * this size has, or the size is too large. */
extern bool steward_frontier_unpack(StewardFrontier *frontier, uint64_t size,
									const unsigned char *bytes, size_t len);

#endif							/* STEWARD_CRYPTO_MERKLE_H */
