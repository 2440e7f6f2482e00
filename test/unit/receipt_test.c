/*
 * receipt_test.c: the trees of receipts, against their definition spelled out.
 */
#include "crypto/bytes.h"
#include "retention/receipt_tree.h"

#include "tap.h"

#define LEAVES 100

/* RFC 6962 over the leaf hashes from … from + n - 1. */
static StewardHash
defined_root(const StewardHash *from, size_t n)
{
	StewardHash left;
	StewardHash right;
	size_t		k = 1;

	if (n == 1)
		return from[0];
	while (2 * k < n)
		k *= 2;
	left = defined_root(from, k);
	right = defined_root(from + k, n - k);
	steward_merkle_node(&left, &left, &right);
	return left;
}

/* Leaves in ascending order; there are equal ones. */
static void
make_leaves(StewardHash *leaves, size_t count)
{
	memset(leaves, 0, count * sizeof(StewardHash));
	for (size_t i = 0; i < count; i++)
	{
		leaves[i].bytes[0] = (unsigned char) (0x70 + i / 4);
		leaves[i].bytes[31] = (unsigned char) (i % 4 == 3 ? 2 : i % 4);
	}
}

/* Another order, the same for the same step. */
static void
mix(StewardHash *leaves, size_t count, size_t step)
{
	for (size_t i = 0; i < count; i++)
	{
		size_t		other = (i * step + step / 3) % count;
		StewardHash leaf = leaves[i];

		leaves[i] = leaves[other];
		leaves[other] = leaf;
	}
}

static void
test_batch(void)
{
	StewardHash leaves[LEAVES];
	StewardHash hashes[LEAVES];
	StewardHash root;
	StewardHash empty;
	int			wrong = 0;

	for (size_t count = 1; count <= LEAVES; count++)
	{
		StewardHash defined;

		make_leaves(leaves, count);
		for (size_t i = 0; i < count; i++)
			steward_merkle_leaf(&hashes[i], leaves[i].bytes, STEWARD_HASH_BYTES);
		defined = defined_root(hashes, count);
		for (size_t step = 1; step < 40; step += 6)
		{
			make_leaves(leaves, count);
			mix(leaves, count, step);
			steward_receipt_batch_root(&root, leaves, count);
			wrong += !steward_hash_equals(&root, &defined);
		}
	}
	tap_ok(wrong == 0, "a batch has the root of its leaves in ascending order, whatever theirs is");
	steward_receipt_batch_root(&root, leaves, 0);
	steward_merkle_empty(&empty);
	tap_ok(steward_hash_equals(&root, &empty), "of no leaves it is that of the empty tree");
	make_leaves(leaves, 3);
	leaves[2] = leaves[1];
	steward_receipt_batch_root(&root, leaves, 3);
	make_leaves(leaves, 2);
	steward_receipt_batch_root(&empty, leaves, 2);
	tap_ok(!steward_hash_equals(&root, &empty), "a leaf that is there twice counts twice");
}

static void
test_run(void)
{
	StewardFrontier run;
	StewardHash hashes[LEAVES];
	StewardHash root;
	StewardHash batch = {{1, 2, 3}};
	unsigned char bytes[48];
	int			wrong = 0;

	steward_frontier_init(&run);
	for (uint64_t i = 0; i < LEAVES; i++)
	{
		StewardHash defined;

		batch.bytes[31] = (unsigned char) i;
		steward_store_be64(bytes, i + 1);
		steward_store_be64(bytes + 8, 1000 - i);
		memcpy(bytes + 16, batch.bytes, sizeof batch.bytes);
		steward_merkle_leaf(&hashes[i], bytes, sizeof bytes);
		wrong += !steward_receipt_append(&run, 1000 - i, &batch);
		steward_frontier_root(&root, &run);
		defined = defined_root(hashes, i + 1);
		wrong += !steward_hash_equals(&root, &defined);
	}
	tap_ok(wrong == 0, "a run has the root of the numbers, rows and roots of its batches, after each of them");
	run.size = STEWARD_TREE_MAX_SIZE;
	tap_ok(!steward_receipt_append(&run, 1, &batch), "a full tree takes no more");
}

int
main(void)
{
	tap_begin();
	test_batch();
	test_run();
	return tap_end();
}
