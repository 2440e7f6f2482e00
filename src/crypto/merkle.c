/*
 * merkle.c: Merkle trees of RFC 6962; see merkle.h.
 */
#include "crypto/merkle.h"

#include <string.h>

#define LEAF_PREFIX 0x00
#define NODE_PREFIX 0x01

void
steward_merkle_leaf_parts(StewardHash *hash, const void *head, size_t head_len,
						  const void *body, size_t body_len)
{
	static const unsigned char prefix = LEAF_PREFIX;
	StewardSha256 sha;

	steward_sha256_init(&sha);
	steward_sha256_update(&sha, &prefix, sizeof prefix);
	steward_sha256_update(&sha, head, head_len);
	steward_sha256_update(&sha, body, body_len);
	steward_sha256_final(&sha, hash);
}

void
steward_merkle_leaf(StewardHash *hash, const void *leaf, size_t len)
{
	steward_merkle_leaf_parts(hash, leaf, len, NULL, 0);
}

void
steward_merkle_node(StewardHash *hash, const StewardHash *left,
					const StewardHash *right)
{
	unsigned char bytes[1 + 2 * STEWARD_HASH_BYTES];

	bytes[0] = NODE_PREFIX;
	memcpy(bytes + 1, left->bytes, STEWARD_HASH_BYTES);
	memcpy(bytes + 1 + STEWARD_HASH_BYTES, right->bytes, STEWARD_HASH_BYTES);
	steward_sha256(hash, bytes, sizeof bytes);
}

void
steward_merkle_empty(StewardHash *hash)
{
	steward_sha256(hash, NULL, 0);
}

/* Level by level. A last hash without a neighbour goes up as it is: that is the
 * tree that cutting at the greatest power of two makes. */
void
steward_merkle_root(StewardHash *root, StewardHash *hashes, size_t count)
{
	while (count > 1)
	{
		for (size_t i = 0; i + 1 < count; i += 2)
			steward_merkle_node(&hashes[i / 2], &hashes[i], &hashes[i + 1]);
		if (count % 2 == 1)
			hashes[count / 2] = hashes[count - 1];
		count = (count + 1) / 2;
	}
	*root = hashes[0];
}

void
steward_merkle_join(StewardHash *hash, StewardHash *hashes, size_t count)
{
	steward_merkle_root(hash, hashes, count);
}

void
steward_frontier_init(StewardFrontier *frontier)
{
	frontier->size = 0;
	frontier->count = 0;
}

bool
steward_frontier_add(StewardFrontier *frontier, unsigned int level,
					 const StewardHash *hash, StewardSubtreeDone done,
					 void *context)
{
	uint64_t	index;

	if (level >= STEWARD_TREE_LEVELS ||
		frontier->size % ((uint64_t) 1 << level) != 0 ||
		STEWARD_TREE_MAX_SIZE - frontier->size < (uint64_t) 1 << level)
		return false;
	index = frontier->size >> level;
	frontier->size += (uint64_t) 1 << level;
	frontier->hashes[frontier->count++] = *hash;
	if (done != NULL && level > 0)
		done(context, level, index, hash);
	/* A right child completes its parent. */
	while (index % 2 == 1)
	{
		StewardHash *last = &frontier->hashes[frontier->count - 1];

		steward_merkle_node(last - 1, last - 1, last);
		frontier->count--;
		index /= 2;
		level++;
		if (done != NULL)
			done(context, level, index, last - 1);
	}
	return true;
}

bool
steward_frontier_append(StewardFrontier *frontier, const StewardHash *leaf,
						StewardSubtreeDone done, void *context)
{
	return steward_frontier_add(frontier, 0, leaf, done, context);
}

void
steward_frontier_root(StewardHash *root,
					  const StewardFrontier *frontier)
{
	unsigned int at = frontier->count;

	if (at == 0)
	{
		steward_merkle_empty(root);
		return;
	}
	*root = frontier->hashes[--at];
	while (at-- > 0)
		steward_merkle_node(root, &frontier->hashes[at], root);
}

size_t
steward_frontier_pack(unsigned char out[STEWARD_FRONTIER_MAX_BYTES],
					  const StewardFrontier *frontier)
{
	for (unsigned int i = 0; i < frontier->count; i++)
		memcpy(out + i * STEWARD_HASH_BYTES, frontier->hashes[i].bytes,
			   STEWARD_HASH_BYTES);
	return (size_t) frontier->count * STEWARD_HASH_BYTES;
}

bool
steward_frontier_unpack(StewardFrontier *frontier, uint64_t size,
						const unsigned char *bytes, size_t len)
{
	unsigned int count = 0;

	steward_frontier_init(frontier);
	for (uint64_t rest = size; rest != 0; rest &= rest - 1)
		count++;
	if (size > STEWARD_TREE_MAX_SIZE || len != (size_t) count * STEWARD_HASH_BYTES)
		return false;
	frontier->size = size;
	frontier->count = count;
	for (unsigned int i = 0; i < count; i++)
		memcpy(frontier->hashes[i].bytes, bytes + i * STEWARD_HASH_BYTES,
			   STEWARD_HASH_BYTES);
	return true;
}
