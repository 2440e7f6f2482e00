/*
 * proof.c: inclusion and consistency proofs; see proof.h.
 *
 * Both ways of making a proof walk down the tree from its root: at a range of n
 * leaves, which is cut after the greatest power of two below n, one side is
 * entered and the root of the other belongs to the proof. That gives the hashes
 * from the top; RFC 6962 wants them from the bottom.
 */
#include "crypto/proof.h"

#include <string.h>

/* The greatest power of two below n, which is 2 or more. */
static uint64_t
cut_of(uint64_t n)
{
	uint64_t	cut = 1;

	while (cut < n - cut)
		cut *= 2;
	return cut;
}

static unsigned int
level_of(uint64_t power)
{
	unsigned int level = 0;

	while (power > 1)
	{
		power /= 2;
		level++;
	}
	return level;
}

bool
steward_proof_range(StewardHash *hash, uint64_t start, uint64_t end,
					StewardSubtree get, void *context)
{
	StewardHash parts[STEWARD_TREE_LEVELS];
	unsigned int count = 0;
	uint64_t	alignment = 1;

	if (start > end || end > STEWARD_TREE_MAX_SIZE)
		return false;
	if (start == end)
	{
		steward_merkle_empty(hash);
		return true;
	}
	while (alignment < end - start)
		alignment *= 2;
	if (start % alignment != 0)
		return false;
	/* The complete subtrees of the range, the largest first. */
	for (uint64_t rest = end - start; rest > 0;)
	{
		uint64_t	power = rest == 1 ? 1 : cut_of(rest);
		unsigned int level;

		if (power * 2 == rest)
			power = rest;
		level = level_of(power);
		if (!get(context, level, (end - rest) >> level, &parts[count++]))
			return false;
		rest -= power;
	}
	*hash = parts[--count];
	while (count-- > 0)
		steward_merkle_node(hash, &parts[count], hash);
	return true;
}

static void
reverse(StewardProof *proof)
{
	for (unsigned int i = 0; i < proof->count / 2; i++)
	{
		StewardHash other = proof->hashes[proof->count - 1 - i];

		proof->hashes[proof->count - 1 - i] = proof->hashes[i];
		proof->hashes[i] = other;
	}
}

/* PATH of RFC 6962, section 2.1.1. */
bool
steward_proof_inclusion(StewardProof *proof, uint64_t index, uint64_t size,
						StewardSubtree get, void *context)
{
	uint64_t	start = 0;
	uint64_t	end = size;

	proof->count = 0;
	if (index >= size || size > STEWARD_TREE_MAX_SIZE)
		return false;
	while (end - start > 1)
	{
		uint64_t	middle = start + cut_of(end - start);
		bool		left = index < middle;

		if (!steward_proof_range(&proof->hashes[proof->count++],
								 left ? middle : start, left ? end : middle,
								 get, context))
			return false;
		if (left)
			end = middle;
		else
			start = middle;
	}
	reverse(proof);
	return true;
}

/* PROOF and SUBPROOF of RFC 6962, section 2.1.2. */
bool
steward_proof_consistency(StewardProof *proof, uint64_t old_size,
						  uint64_t new_size, StewardSubtree get, void *context)
{
	uint64_t	start = 0;
	uint64_t	end = new_size;

	proof->count = 0;
	if (old_size > new_size || new_size > STEWARD_TREE_MAX_SIZE)
		return false;
	if (old_size == 0 || old_size == new_size)
		return true;
	while (end != old_size)
	{
		uint64_t	middle = start + cut_of(end - start);
		bool		left = old_size <= middle;

		if (!steward_proof_range(&proof->hashes[proof->count++],
								 left ? middle : start, left ? end : middle,
								 get, context))
			return false;
		if (left)
			end = middle;
		else
			start = middle;
	}

	/*
	 * What is left is the old tree itself, whose root the verifier has, or
	 * its last complete subtree.
	 */
	if (start > 0 &&
		!steward_proof_range(&proof->hashes[proof->count++], start, end, get,
							 context))
		return false;
	reverse(proof);
	return true;
}

/*
 * One hash of a proof at a node and the last node of its level, as RFC 9162
 * climbs: true, and the next level, when the hash stands to the left.
 */
static bool
climb(uint64_t *node, uint64_t *last)
{
	bool		left = *node % 2 == 1 || *node == *last;

	if (left)
	{
		while (*node % 2 == 0 && *node != 0)
		{
			*node /= 2;
			*last /= 2;
		}
	}
	*node /= 2;
	*last /= 2;
	return left;
}

bool
steward_proof_shows_inclusion(const StewardProof *proof, uint64_t index,
							  uint64_t size, const StewardHash *leaf,
							  const StewardHash *root)
{
	StewardHash hash = *leaf;
	uint64_t	node = index;
	uint64_t	last = size - 1;

	if (index >= size || size > STEWARD_TREE_MAX_SIZE)
		return false;
	for (unsigned int i = 0; i < proof->count; i++)
	{
		if (last == 0)
			return false;
		if (climb(&node, &last))
			steward_merkle_node(&hash, &proof->hashes[i], &hash);
		else
			steward_merkle_node(&hash, &hash, &proof->hashes[i]);
	}
	return last == 0 && steward_hash_equals(&hash, root);
}

/* A proof between trees of which the old one is neither empty nor the new one. */
static bool
shows_growth(const StewardProof *proof, uint64_t old_size, uint64_t new_size,
			 const StewardHash *old_root, const StewardHash *new_root)
{
	uint64_t	node = old_size - 1;
	uint64_t	last = new_size - 1;
	bool		whole = (old_size & (old_size - 1)) == 0;	/* a power of two */
	unsigned int next = 0;
	StewardHash old_hash;
	StewardHash new_hash;

	if (proof->count == 0)
		return false;
	old_hash = whole ? *old_root : proof->hashes[next++];
	new_hash = old_hash;
	while (node % 2 == 1)
	{
		node /= 2;
		last /= 2;
	}
	for (; next < proof->count; next++)
	{
		if (last == 0)
			return false;
		if (climb(&node, &last))
		{
			steward_merkle_node(&old_hash, &proof->hashes[next], &old_hash);
			steward_merkle_node(&new_hash, &proof->hashes[next], &new_hash);
		}
		else
			steward_merkle_node(&new_hash, &new_hash, &proof->hashes[next]);
	}
	return last == 0 && steward_hash_equals(&old_hash, old_root) &&
		steward_hash_equals(&new_hash, new_root);
}

bool
steward_proof_shows_consistency(const StewardProof *proof, uint64_t old_size,
								uint64_t new_size, const StewardHash *old_root,
								const StewardHash *new_root)
{
	StewardHash empty;

	if (old_size > new_size || new_size > STEWARD_TREE_MAX_SIZE)
		return false;
	if (old_size != 0 && old_size != new_size)
		return shows_growth(proof, old_size, new_size, old_root, new_root);
	if (proof->count != 0)
		return false;
	steward_merkle_empty(&empty);
	if (old_size == 0 && !steward_hash_equals(old_root, &empty))
		return false;
	return old_size != new_size || steward_hash_equals(old_root, new_root);
}
