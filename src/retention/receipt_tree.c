/*
 * receipt_tree.c: the trees of receipts; see receipt_tree.h.
 */
#include "retention/receipt_tree.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/bytes.h"

/* A batch, as a leaf of its run: its number, its rows, its root. */
#define BATCH_BYTES (8 + 8 + STEWARD_HASH_BYTES)

static int
compare_hashes(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(StewardHash));
}

void
steward_receipt_batch_root(StewardHash *root, StewardHash *leaves, size_t count)
{
	if (count == 0)
	{
		steward_merkle_empty(root);
		return;
	}
	qsort(leaves, count, sizeof(StewardHash), compare_hashes);
	for (size_t i = 0; i < count; i++)
	{
		StewardHash leaf = leaves[i];

		steward_merkle_leaf(&leaves[i], leaf.bytes, sizeof leaf.bytes);
	}
	steward_merkle_root(root, leaves, count);
}

bool
steward_receipt_append(StewardFrontier *run, uint64_t rows, const StewardHash *root)
{
	unsigned char batch[BATCH_BYTES];
	StewardHash leaf;

	steward_store_be64(batch, run->size + 1);
	steward_store_be64(batch + 8, rows);
	memcpy(batch + 16, root->bytes, STEWARD_HASH_BYTES);
	steward_merkle_leaf(&leaf, batch, sizeof batch);
	return steward_frontier_append(run, &leaf, NULL, NULL);
}
